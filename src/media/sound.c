/* The way of the sound through its treatments (sound.h). */
#include "media/sound.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { MAX_TREATMENTS = 8, BLOCK = 4096 };

struct mdm_sound {
    mdm_audio *audio;
    mdm_audio_info info;
    mdm_audio_treatment treatments[MAX_TREATMENTS];
    size_t count, latency;   /* latency: of all together */
    size_t dropped, flushed; /* samples dropped at the start, zeros fed at the end */
    double fed;              /* samples fed so far, flushing included */
    double written;
    bool ended;
    float *block;
};

mdm_status mdm_sound_new(mdm_sound **out, mdm_audio *audio, const mdm_audio_treatment *treatments, size_t count)
{
    *out = NULL;
    if (count > MAX_TREATMENTS)
        return mdm_fail(MDM_ERR_INTERNAL, "%zu treatments of the sound, at most %d are expected", count,
                        MAX_TREATMENTS);
    mdm_sound *sound;
    MDM_TRY(mdm_alloc(&sound, 1, sizeof *sound, "sound"));
    sound->audio = audio;
    sound->info = *mdm_audio_describe(audio);
    sound->count = count;
    for (size_t i = 0; i < count; i++) {
        sound->treatments[i] = treatments[i];
        sound->latency += treatments[i].latency;
    }
    const mdm_status status =
        mdm_alloc(&sound->block, (size_t)BLOCK * (size_t)sound->info.channels, sizeof(float), "sound");
    if (status != MDM_OK)
        mdm_sound_free(&sound);
    *out = sound;
    return status;
}

void mdm_sound_free(mdm_sound **sound)
{
    if (!sound || !*sound)
        return;
    if ((*sound)->block)
        mdm_wipe((*sound)->block, (size_t)BLOCK * (size_t)(*sound)->info.channels * sizeof(float));
    mdm_free(&(*sound)->block);
    mdm_free(sound);
}

/* The next block of the recording, then zeros until the treatments have given everything back. */
static mdm_status next_block(size_t *got, mdm_sound *sound)
{
    const size_t channels = (size_t)sound->info.channels;
    *got = 0;
    if (!sound->ended) {
        MDM_TRY(mdm_audio_read(got, sound->audio, sound->block, BLOCK));
        sound->ended = *got == 0;
    }
    if (sound->ended && sound->flushed < sound->latency) {
        *got = sound->latency - sound->flushed < BLOCK ? sound->latency - sound->flushed : BLOCK;
        memset(sound->block, 0, *got * channels * sizeof *sound->block);
        sound->flushed += *got;
    }
    return MDM_OK;
}

mdm_status mdm_sound_write(mdm_sound *sound, mdm_writer *writer, double until)
{
    const size_t channels = (size_t)sound->info.channels;
    while (sound->info.start + sound->written / sound->info.rate < until) {
        size_t got;
        MDM_TRY(next_block(&got, sound));
        if (got == 0)
            return MDM_OK;
        double lag = 0.0; /* of the samples that reach treatment i, behind those fed */
        for (size_t i = 0; i < sound->count; i++) {
            const mdm_audio_treatment *t = &sound->treatments[i];
            MDM_TRY(t->process(t->user, sound->block, got, sound->info.start + (sound->fed - lag) / sound->info.rate));
            lag += (double)t->latency;
        }
        sound->fed += (double)got;
        const size_t drop = sound->latency - sound->dropped < got ? sound->latency - sound->dropped : got;
        sound->dropped += drop;
        MDM_TRY(mdm_writer_audio(writer, sound->block + drop * channels, got - drop));
        sound->written += (double)(got - drop);
    }
    return MDM_OK;
}
