/* The encoder of Whisper with the states of all its layers, which talking portraits are driven by. (Transcripts come from
 * whisper.cpp, models/speech.h, which gives the last state only.) Source: Radford et al., 2022; names of weights as in OpenAI's
 * tiny.pt. */
#ifndef MDM_MODELS_WHISPER_ENCODER_H
#define MDM_MODELS_WHISPER_ENCODER_H

#include "nn/nn.h"
#include "nn/weights.h"

typedef struct mdm_whisper_encoder_sizes {
    int layers, width, heads;
    int mels;   /* bands of the spectrogram */
    int frames; /* of the spectrogram in one run, even; half as many states */
} mdm_whisper_encoder_sizes;

extern const mdm_whisper_encoder_sizes mdm_whisper_encoder_tiny; /* 7,631,616 parameters */

typedef struct mdm_whisper_encoder mdm_whisper_encoder;

/* Opens OpenAI's .pt, or any tensor file with its names: the encoder's tensors, without the decoder's. */
mdm_status mdm_whisper_encoder_open(mdm_weights **out, const char *path);

/* Takes every tensor of `weights`, which may be freed afterwards. The final norm is not applied and its weights, like the table
 * of positions, which is a formula, may be missing. */
mdm_status mdm_whisper_encoder_new(mdm_whisper_encoder **out, const mdm_whisper_encoder_sizes *sizes,
                                   mdm_weights *weights, mdm_store store, int threads);
void mdm_whisper_encoder_free(mdm_whisper_encoder **encoder);

/* states [frames / 2][layers + 1][width]: of the positions before the first block and after each, from mel [mels][frames]. */
mdm_status mdm_whisper_encoder_run(mdm_whisper_encoder *encoder, float *states, const float *mel);

#endif
