/* Drawing the stand-in's face over the person's in a frame: one renderer a track, used frame after frame. */
#ifndef MDM_FACE_STANDIN_RENDER_H
#define MDM_FACE_STANDIN_RENDER_H

#include "face/motion.h"
#include "face/standin.h"
#include "face/standin_landmarks.h"
#include "models/person_matte.h"

#define MDM_LARGEST_YAW 52.0 /* degrees: beyond it the warp does not hold and the face is covered */

typedef struct mdm_renderer mdm_renderer;

/* All three must outlive the renderer. */
mdm_status mdm_renderer_new(mdm_renderer **out, const mdm_canonical *canonical, const mdm_motion *motion,
                            const mdm_standin *standin);
void mdm_renderer_free(mdm_renderer **renderer);

/* Whether the motion's stand-in has another tone of skin than the person, which the skin around is to follow. */
bool mdm_motion_retones(const mdm_motion *motion);
/* What the skin around is found with; without it that is left alone. It must outlive the renderer. Frames are then best drawn
 * one after the other: the skin's border is steadied by the frame before. */
void mdm_renderer_matte(mdm_renderer *renderer, mdm_person_matte *matte);

/* False where the frame cannot be replaced: no face within three frames, or turned too far. */
bool mdm_renderer_can(const mdm_renderer *renderer, int index);

/* The pixels that drawing motion frame `index` reads and writes: x, y, w, h inside a picture of this size; w 0: none. */
void mdm_renderer_bounds(int rect[4], mdm_renderer *renderer, int index, int width, int height);

/* What the next drawings show in place of the stand-in's texture: a picture of its face that was drawn for the frame (it must outlive
 * them), and where in the image it lies. NULL: the texture. */
void mdm_renderer_show(mdm_renderer *renderer, const mdm_image *picture, const mdm_talking_window *window);

/* Draws into an RGB image whose pixels in the bounds are the recording's. */
mdm_status mdm_renderer_draw(mdm_renderer *renderer, mdm_image *image, int index);

/* Opacity of the last drawing over its bounds, row by row; for calibration. */
const float *mdm_renderer_alpha(const mdm_renderer *renderer, int rect[4]);

#endif
