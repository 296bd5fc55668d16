/* Age in years and gender (face-api age_gender_model, 422 k parameters, MIT). Average over a track: frames of one person spread
 * by ten years. */
#ifndef MDM_MODELS_AGE_GENDER_H
#define MDM_MODELS_AGE_GENDER_H

#include "base/status.h"
#include "media/image.h"

typedef struct mdm_age_gender mdm_age_gender;

typedef struct mdm_age_gender_result {
    float age;            /* years */
    float gender_prob[2]; /* female, male (the order of facegen.h, not the network's) */
} mdm_age_gender_result;

/* `models`: the folder of age_gender_model-weights_manifest.json. */
mdm_status mdm_age_gender_new(mdm_age_gender **out, const char *models, int threads);
void mdm_age_gender_free(mdm_age_gender **net);

/* `points`: the 478 mesh points in pixels of the image. */
mdm_status mdm_age_gender_run(mdm_age_gender *net, mdm_age_gender_result *result, const mdm_image *image,
                              const float (*points)[3]);
/* The same from a crop, 112 x 112 pixel centres to pixel centres of the image. */
mdm_status mdm_age_gender_run_crop(mdm_age_gender *net, mdm_age_gender_result *result, const mdm_image *image,
                                   const double m[6]);

#endif
