/* Turns published Whisper weights of any form into the one-file form whisper.cpp loads. */
#ifndef MDM_MODELS_WHISPER_CONVERT_H
#define MDM_MODELS_WHISPER_CONVERT_H

#include "base/status.h"

/* Reads the weights `from`: a folder of CTranslate2 (model.bin) or transformers (model.safetensors, also split), or a file: one of those, or
 * OpenAI's NAME.pt; the vocabulary lies beside (models/whisper_vocabulary.h). Writes `out_path` atomically: header, mel filters (computed),
 * vocabulary as bytes, matrices as `precision` (f32, f16, q8_0, q5_1, q5_0, q4_1, q4_0), kernels as f16, vectors and position tables as f32.
 * Takes about a second for tiny.en. MDM_ERR_INPUT names the tensor or token that is missing or misshapen. */
mdm_status mdm_whisper_convert(const char *out_path, const char *from, const char *precision);

/* Whether there are such weights at `from`: their file in *weights (split ones: the index), the folder of the vocabulary in *folder, unless
 * NULL. Caller frees. */
mdm_status mdm_whisper_weights(char **weights, char **folder, const char *from);

/* Slaney mel filters as Whisper's feature extractor uses them (16 kHz, 400-point FFT): out is [n_mels][201]. */
void mdm_whisper_mel_filters(float *out, int n_mels);

#endif
