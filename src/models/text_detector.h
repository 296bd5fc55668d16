/* Where text is in a picture: PP-OCRv4's detector (ch_PP-OCRv4_det_infer.onnx, Apache-2.0; differentiable binarisation). */
#ifndef MDM_MODELS_TEXT_DETECTOR_H
#define MDM_MODELS_TEXT_DETECTOR_H

#include "base/status.h"
#include "media/image.h"

/* A turned rectangle around a line of text, pixels of the picture: top left, top right, bottom right, bottom left. */
typedef struct mdm_text_quad {
    float corner[4][2];
    float score; /* 0..1, mean probability inside */
} mdm_text_quad;

typedef struct mdm_text_detector mdm_text_detector;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the file is not there. */
mdm_status mdm_text_detector_new(mdm_text_detector **out, const char *models, int threads);
void mdm_text_detector_free(mdm_text_detector **detector);

/* The picture is shrunk until its longer side has at most `longest` pixels (it is never enlarged). At most `max` quads, in
 * reading order of their tops. The network is built anew when the size changes.
 * Source of the rules: PaddleOCR's DB post-processing (threshold 0.3, box 0.6, unclip 1.5). */
mdm_status mdm_text_detector_run(mdm_text_quad *quads, int max, int *count, mdm_text_detector *detector,
                                 const mdm_image *image, int longest);

#endif
