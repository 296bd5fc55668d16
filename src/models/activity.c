/* Loudness over time: speech begins and ends where it rises out of the noise. */
#include "models/activity.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "models/speech.h"

enum { HOP = MDM_SPEECH_RATE / 100 };

float mdm_loudness(const float *samples, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)samples[i] * samples[i];
    return (float)sqrt(sum / (double)(count ? count : 1));
}

size_t mdm_quiet_moment(const float *samples, size_t count, size_t search)
{
    enum { SPAN = MDM_SPEECH_RATE / 5 };
    size_t best = count;
    float quietest = INFINITY;
    for (size_t at = count > search ? count - search : 0; at + SPAN <= count; at += HOP) {
        float level = mdm_loudness(samples + at, SPAN);
        if (level < quietest) {
            quietest = level;
            best = at + SPAN / 2;
        }
    }
    return best;
}

static int by_level(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

mdm_status mdm_find_sound(bool *sounds, const float *samples, size_t frames)
{
    float *levels = NULL;
    MDM_TRY(mdm_alloc(&levels, frames + 1, sizeof *levels, "sound levels"));
    for (size_t f = 0; f < frames; f++)
        levels[f] = mdm_loudness(samples + f * HOP, HOP);
    qsort(levels, frames, sizeof *levels, by_level);
    float loudest = frames ? levels[frames - 1] : 0, threshold = frames ? levels[frames / 10] * 2 : 0;
    threshold = threshold < loudest * 0.02f ? loudest * 0.02f : threshold > loudest * 0.1f ? loudest * 0.1f : threshold;
    for (size_t f = 0; f < frames; f++)
        sounds[f] = mdm_loudness(samples + f * HOP, HOP) > threshold;
    mdm_free(&levels);
    return MDM_OK;
}
