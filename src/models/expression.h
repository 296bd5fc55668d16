/* Expression of a face in seven classes (face-api face_expression_model, 324 k parameters, MIT). Fond of "happy" and sure of
 * itself: read its classes over a track, not in one frame. */
#ifndef MDM_MODELS_EXPRESSION_H
#define MDM_MODELS_EXPRESSION_H

#include "base/status.h"
#include "media/image.h"

#define MDM_EXPRESSIONS 7

extern const char *const mdm_expression_names[MDM_EXPRESSIONS]; /* "neutral", "happy", ... */

typedef struct mdm_expression mdm_expression;

typedef struct mdm_expression_result {
    float prob[MDM_EXPRESSIONS]; /* sums to 1 */
} mdm_expression_result;

/* `models`: the folder of face_expression_model-weights_manifest.json. */
mdm_status mdm_expression_new(mdm_expression **out, const char *models, int threads);
void mdm_expression_free(mdm_expression **net);

/* `points`: the 478 mesh points in pixels of the image. */
mdm_status mdm_expression_run(mdm_expression *net, mdm_expression_result *result, const mdm_image *image,
                              const float (*points)[3]);
/* The crop it looks at, for run_crop. */
void mdm_expression_crop(double m[6], const float (*points)[3]);
/* The same from a crop, 112 x 112 pixel centres to pixel centres of the image. */
mdm_status mdm_expression_run_crop(mdm_expression *net, mdm_expression_result *result, const mdm_image *image,
                                   const double m[6]);

#endif
