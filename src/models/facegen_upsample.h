/* The face generator's second network: enlarges its 128-px portrait to 256 px with the detail of a face. Layers, data, licence
 * and figures: models/facegen.md. Reference: tools/train_facegen_upsample.py. */
#ifndef MDM_MODELS_FACEGEN_UPSAMPLE_H
#define MDM_MODELS_FACEGEN_UPSAMPLE_H

#include "base/status.h"
#include "media/image.h"

#define MDM_FACEGEN_UPSAMPLE_SIDE 512 /* px, of the longest picture it takes */

typedef struct mdm_facegen_upsample mdm_facegen_upsample;

/* Reads FOLDER/NAME.safetensors; width and depth follow from its shapes. MDM_ERR_DEVICE when it is not there, MDM_ERR_INPUT
 * when shapes do not belong together or a weight is not finite. `threads` >= 1. */
mdm_status mdm_facegen_upsample_new(mdm_facegen_upsample **out, const char *folder, const char *name, int threads);
void mdm_facegen_upsample_free(mdm_facegen_upsample **net);

/* `out`: a new RGB picture of twice the sides (mdm_image_free); left empty on an error. `in`: RGB, any size up to
 * MDM_FACEGEN_UPSAMPLE_SIDE. The graph is built for a size at its first picture and kept for the next: about 30 MB at 128 x 128. */
mdm_status mdm_facegen_upsample_run(mdm_image *out, mdm_facegen_upsample *net, const mdm_image *in);

/* The same in floats, 0..1 [3][height][width] to [3][2 height][2 width], not clamped. For tests. */
mdm_status mdm_facegen_upsample_forward(float *out, mdm_facegen_upsample *net, const float *in, int width, int height);

#endif
