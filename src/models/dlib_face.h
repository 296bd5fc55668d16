/* The face descriptor of dlib in face-api's form (face_recognition_model, ResNet-29, 5.6 M parameters; dlib: public domain):
 * 128 numbers, the same person when they lie closer than 0.6 (Euclid). Used to choose stand-ins, never to judge them. */
#ifndef MDM_MODELS_DLIB_FACE_H
#define MDM_MODELS_DLIB_FACE_H

#include "base/status.h"
#include "media/image.h"

#define MDM_DLIB_FACE_SIZE   128
#define MDM_DLIB_FACE_PIXELS 150
#define MDM_DLIB_FACE_SAME   0.6f

typedef struct mdm_dlib_face mdm_dlib_face;

/* `models`: the folder of face_recognition_model-weights_manifest.json. */
mdm_status mdm_dlib_face_new(mdm_dlib_face **out, const char *models, int threads);
void mdm_dlib_face_free(mdm_dlib_face **net);

/* `points`: the 478 mesh points in pixels of the image. */
mdm_status mdm_dlib_face_run(mdm_dlib_face *net, float descriptor[MDM_DLIB_FACE_SIZE], const mdm_image *image,
                             const float (*points)[3]);
/* The same from a crop given as an affine map, 150 x 150 pixel centres to pixel centres of the image. */
mdm_status mdm_dlib_face_run_crop(mdm_dlib_face *net, float descriptor[MDM_DLIB_FACE_SIZE], const mdm_image *image,
                                  const double m[6]);

float mdm_dlib_face_distance(const float a[MDM_DLIB_FACE_SIZE], const float b[MDM_DLIB_FACE_SIZE]);

#endif
