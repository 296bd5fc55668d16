/* What a video model looks at: which frames of a clip, and the square pictures CLIP reads, made byte for byte as PIL makes them. */
#ifndef MDM_MODELS_VIDEO_FRAMES_H
#define MDM_MODELS_VIDEO_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "media/image.h"

/* out[0..count): numbers of `count` frames spread over frames first..last as PLLaVA spreads them, rising; short clips have frames
 * twice. count >= 1, 0 <= first <= last. */
void mdm_sample_frames(int64_t *out, int count, int64_t first, int64_t last);

/* `image` (RGB or grey) to out_width x out_height by PIL's bicubic filter, which is widened where it shrinks; bytes are rounded
 * after each of the two passes, as PIL does. *out is new. */
mdm_status mdm_image_resize_bicubic(mdm_image *out, const mdm_image *image, int out_width, int out_height);

/* PLLaVA's first step: the long side to at most 640 px, the short one to at least `side`. *out is new. */
mdm_status mdm_frame_shrink(mdm_image *out, const mdm_image *frame, int side);
/* CLIP's own: a square of `side` px. The short side becomes `side` and the middle is kept, or, `letterbox`, the long side does and the
 * rest is CLIP's mean colour, so that everything is seen. *out is new. */
mdm_status mdm_frame_square(mdm_image *out, const mdm_image *frame, int side, bool letterbox);

/* An RGB square [side][side] to planes [3][side][side], normalised with CLIP's mean and deviation. */
void mdm_clip_normalise(float *planes, const mdm_image *square);

#endif
