/* Where somebody speaks: Silero's network, run by whisper.cpp. */
#ifndef MDM_MODELS_VAD_H
#define MDM_MODELS_VAD_H

#include <stddef.h>

#include "base/status.h"

enum { MDM_VAD_BLOCK = 512 }; /* samples at 16 kHz that one likelihood is of */

typedef struct mdm_vad mdm_vad;

/* Reads silero_vad_16k_op15.onnx. MDM_ERR_DEVICE when it is missing, MDM_ERR_INPUT when a tensor is missing or misshapen. */
mdm_status mdm_vad_open(mdm_vad **out, const char *path);
void mdm_vad_free(mdm_vad **vad);

/* How likely speech is in each whole block of `samples`, 0..1: count / MDM_VAD_BLOCK values, which belong to `vad` until the next call. */
mdm_status mdm_vad_likelihood(const float **out, size_t *blocks, mdm_vad *vad, const float *samples, size_t count);

#endif
