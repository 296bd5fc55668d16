/* Turns a CTranslate2 Whisper folder (what PyPI offers) into the one-file form whisper.cpp loads. */
#ifndef MDM_MODELS_WHISPER_CONVERT_H
#define MDM_MODELS_WHISPER_CONVERT_H

#include "base/status.h"

/* Reads <ct2_folder>/model.bin and vocabulary.txt and writes `out_path` atomically: header, mel filters (computed),
 * vocabulary as bytes, weights as f16 (vectors and position tables as f32). Takes about a second for tiny.en.
 * MDM_ERR_INPUT names the tensor or token that is missing or misshapen. */
mdm_status mdm_whisper_convert(const char *out_path, const char *ct2_folder);

/* The path of tiny.en in whisper.cpp's form in the folder `models`, converted there where it is not yet. Free *path with mdm_free. */
mdm_status mdm_whisper_model(char **path, const char *models);

/* Slaney mel filters as Whisper's feature extractor uses them (16 kHz, 400-point FFT): out is [n_mels][201]. */
void mdm_whisper_mel_filters(float *out, int n_mels);

#endif
