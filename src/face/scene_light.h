/* The light of the recording on a face, frame by frame, and how much of the mouth shows teeth: read off the frames once,
 * before anything is drawn. */
#ifndef MDM_FACE_SCENE_LIGHT_H
#define MDM_FACE_SCENE_LIGHT_H

#include "face/motion.h"
#include "face/standin.h"
#include "media/image.h"

/* State over a track; zero-initialise, free always. */
typedef struct mdm_scene_light {
    float *spread;        /* [count] of the person's detail, < 0 unknown */
    float *depth;         /* [count] of its darkest parts; < 0: not read */
    unsigned char *known; /* [count] a frame's light was fitted */
} mdm_scene_light;

/* Fits motion->light[index] and motion->teeth[index] from the recording's frame (RGB valid around the face). */
mdm_status mdm_scene_light_read(mdm_scene_light *state, mdm_motion *motion, int index, const mdm_image *image,
                                const mdm_standin *standin, const mdm_canonical *canonical);
/* Bridges frames without a fit, smooths over 11 frames, sets the stand-in's contrast. */
mdm_status mdm_scene_light_finish(mdm_scene_light *state, mdm_motion *motion, const mdm_standin *standin);
void mdm_scene_light_free(mdm_scene_light *state);

#endif
