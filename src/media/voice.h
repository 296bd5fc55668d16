/* Voice masking without a network: pitch moved and formants warped (McAdams coefficient), by amounts drawn for a person.
 * It makes a voice another one to the ear and to a naive recogniser. It does NOT hold against an informed attacker: the
 * VoicePrivacy 2024 results for this kind of baseline (B2) show 4.5 % equal error rate, as for raw speech. Say so. */
#ifndef MDM_MEDIA_VOICE_H
#define MDM_MEDIA_VOICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What a voice is changed by. */
typedef struct mdm_voice_change {
    double pitch; /* factor of the fundamental frequency; 1 leaves it */
    double
        mcadams; /* exponent of the formants' angles at 16 kHz; 1 leaves them, less than 1 spreads them from 2.5 kHz */
} mdm_voice_change;

/* Draws a change for a key such as "person-03/voice": pitch 2.5 to 4.5 semitones up or down, the formants with it. The same
 * person gets the same voice throughout a job and another in the next. */
void mdm_voice_draw(mdm_voice_change *out, uint64_t seed, const char *key);

typedef struct mdm_voice_mask mdm_voice_mask;

/* `rate` 8000 to 192000, `channels` 1 or 2 (two are mixed: a room's echo would tell the voice apart). The mask works at up
 * to 16 kHz: what a voice has above 8 kHz is dropped. */
mdm_status mdm_voice_mask_new(mdm_voice_mask **out, int rate, int channels, const mdm_voice_change *change);
void mdm_voice_mask_free(mdm_voice_mask **mask);

/* Samples a channel by which the output lags the input; constant. */
size_t mdm_voice_mask_latency(const mdm_voice_mask *mask);

/* Changes `frames` interleaved samples in place, blocks of any size. Fits mdm_audio_treatment (media/sound.h): `user` is the
 * mask, `time` is not used. The same samples give the same result however they are cut into blocks. */
mdm_status mdm_voice_mask_process(void *user, float *samples, size_t frames, double time);

/* The whole recording at once, in place, latency taken out: for tests and verify. */
mdm_status mdm_voice_mask_all(float *samples, size_t frames, int rate, int channels, const mdm_voice_change *change);

/* Medians over voiced frames. 0 where nothing was voiced. */
typedef struct mdm_voice_figures {
    double pitch;      /* Hz */
    double formant[3]; /* Hz */
    double voiced;     /* share of the frames */
} mdm_voice_figures;

/* Measures mono samples at any rate. Pitch by autocorrelation, formants from the poles of a 12th-order predictor at 10 kHz. */
mdm_status mdm_voice_measure(mdm_voice_figures *out, const float *samples, size_t count, int rate);

#endif
