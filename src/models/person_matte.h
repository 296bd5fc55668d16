/* How much of each pixel is a person: MediaPipe's selfie segmentation (selfie_segmentation.tflite, Apache-2.0). */
#ifndef MDM_MODELS_PERSON_MATTE_H
#define MDM_MODELS_PERSON_MATTE_H

#include "base/status.h"
#include "media/image.h"

#define MDM_MATTE_SIDE 256 /* cells */

typedef struct mdm_person_matte mdm_person_matte;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the file is not there. */
mdm_status mdm_person_matte_new(mdm_person_matte **out, const char *models, int threads);
void mdm_person_matte_free(mdm_person_matte **matte);

/* Looks at a square of an RGB picture (left, top, side in pixels; beyond its edge the picture goes on as its last pixel).
 * *person: [MDM_MATTE_SIDE][MDM_MATTE_SIDE], 0..1; *rgb: [3][MDM_MATTE_SIDE][MDM_MATTE_SIDE], the square as the network saw it,
 * 0..1. Both are the matte's until its next run. */
mdm_status mdm_person_matte_run(const float **person, const float **rgb, mdm_person_matte *matte,
                                const mdm_image *image, const float square[3]);

#endif
