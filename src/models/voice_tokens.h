/* What a talking portrait hears: for each frame of the video the states of Whisper's encoder around its time, 50 of them a second.
 * Source: Radford et al., 2022 (spectrogram and encoder); Chen et al., 2024 (EchoMimic: which states make a frame's tokens). */
#ifndef MDM_MODELS_VOICE_TOKENS_H
#define MDM_MODELS_VOICE_TOKENS_H

#include "base/sha256.h"
#include "models/whisper_encoder.h"

#define MDM_VOICE_RATE   16000 /* samples a second */
#define MDM_VOICE_STATES 50    /* a second */
#define MDM_VOICE_AROUND 10    /* states that a frame hears */

/* Whisper's log-mel spectrogram of a whole recording, [mels][*frames] (mdm_free), 100 frames a second: its floor is 80 dB under the
 * recording's loudest band. MDM_ERR_INPUT for less than 0.04 s. */
mdm_status mdm_log_mel(float **out, size_t *frames, const float *samples, size_t count, int mels);

typedef struct mdm_heard_voice mdm_heard_voice;

/* samples [count] at MDM_VOICE_RATE, -1..1, may be freed afterwards, and so may `weights`. The spectrogram is kept (115 MB an hour); states are
 * computed where they are asked for and kept of two stretches of 30 s. */
mdm_status mdm_voice_new(mdm_heard_voice **out, const mdm_whisper_encoder_sizes *sizes, mdm_weights *weights,
                         mdm_store store, const float *samples, size_t count, int threads);
void mdm_voice_free(mdm_heard_voice **voice);

int mdm_voice_token_count(const mdm_heard_voice *voice); /* of a frame: MDM_VOICE_AROUND (layers + 1) */
int mdm_voice_frames(const mdm_heard_voice *voice,
                     double fps);                /* of a video as long as the recording, as the authors count them */
int64_t mdm_voice_centre(int frame, double fps); /* of the states that frame hears, as the authors round it */

/* tokens [token count][width] of the frame whose states are around state `centre`; the first and last state stand for those before and after
 * the recording. */
mdm_status mdm_voice_tokens(float *tokens, mdm_heard_voice *voice, int64_t centre);

/* Adds what was heard, so that a run can be told from one with another voice. */
void mdm_voice_hash(mdm_sha256 *hash, const mdm_heard_voice *voice);

#endif
