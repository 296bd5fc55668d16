/* What a line of text says: PP-OCRv4's recogniser (ch_PP-OCRv4_rec_infer.onnx and ppocr_keys_v1.txt, Apache-2.0). */
#ifndef MDM_MODELS_TEXT_READER_H
#define MDM_MODELS_TEXT_READER_H

#include <stddef.h>

#include "base/status.h"
#include "media/image.h"
#include "models/text_detector.h"

typedef struct mdm_text_reader mdm_text_reader;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when a file is not there. */
mdm_status mdm_text_reader_new(mdm_text_reader **out, const char *models, int threads);
void mdm_text_reader_free(mdm_text_reader **reader);

/* Reads the quad: UTF-8 in `text` (cut to `size`), mean probability of its characters in *confidence (0 when there are
 * none). A quad that stands upright (1.5 times as high as wide) is read from bottom to top.
 * Source: PaddleOCR's recognition (48 px high, (x/255 - 0.5)/0.5, blue-green-red, CTC). */
mdm_status mdm_text_reader_run(char *text, size_t size, float *confidence, mdm_text_reader *reader,
                               const mdm_image *image, const mdm_text_quad *quad);

#endif
