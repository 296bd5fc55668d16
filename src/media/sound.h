/* What happens to the sound between recording and clip: treatments are applied one after the other, block by block, so that
 * an hour needs no more memory than a second. */
#ifndef MDM_MEDIA_SOUND_H
#define MDM_MEDIA_SOUND_H

#include <stddef.h>

#include "base/status.h"
#include "media/audio.h"
#include "media/writer.h"

/* One treatment (voice masking, words cut out ...). */
typedef struct mdm_audio_treatment {
    /* Changes `frames` samples a channel (interleaved f32, -1..1) in place. `time` is when the first of them sounds, seconds
     * after the clip's first video frame. Output may lag the input by `latency` samples: what comes out first is then
     * `latency` samples of nothing, which the caller drops, and it gets as many zeros at the end to push the rest out. */
    mdm_status (*process)(void *user, float *samples, size_t frames, double time);
    size_t latency; /* samples a channel; constant */
    void *user;
} mdm_audio_treatment;

typedef struct mdm_sound mdm_sound;

/* Takes sound from `audio` (borrowed), through the treatments (copied; their user data borrowed), to a writer. */
mdm_status mdm_sound_new(mdm_sound **out, mdm_audio *audio, const mdm_audio_treatment *treatments, size_t count);
void mdm_sound_free(mdm_sound **sound);

/* Writes sound until `until` seconds after the first video frame (all that is left when it is INFINITY). */
mdm_status mdm_sound_write(mdm_sound *sound, mdm_writer *writer, double until);

#endif
