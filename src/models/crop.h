/* Sampling a turned rectangle of a picture as a network's input. */
#ifndef MDM_MODELS_CROP_H
#define MDM_MODELS_CROP_H

#include "base/status.h"
#include "media/image.h"

/* RGB planes [3][height][width] of the rectangle that the affine map `m` (pixel centres of the crop to pixel centres of the
 * picture, as mdm_image_sample takes it) cuts out: value = pixel * scale + offset[c]. Where the map shrinks, several
 * samples a pixel are averaged. */
mdm_status mdm_crop_sample(float *planes, int width, int height, const mdm_image *image, const double m[6], float scale,
                           const float offset[3]);

#endif
