/* What a voice measures: median pitch and formants, before and after masking. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "media/lpc.h"
#include "media/voice.h"
#include "media/voice_tape.h"

enum { RATE = 10000, FRAME = 400, HOP = 100, ORDER = 12 };

typedef struct series {
    double *values;
    size_t count;
} series;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(series *s)
{
    if (s->count == 0)
        return 0;
    qsort(s->values, s->count, sizeof *s->values, by_value);
    return s->values[s->count / 2];
}

/* Fundamental frequency of a frame by normalised autocorrelation, 60 to 420 Hz; 0 when unvoiced. The first lag close to
 * the best is taken, or octaves too low would win. */
static double frame_pitch(const float *x)
{
    enum { SHORTEST = RATE / 420, LONGEST = RATE / 60, SPAN = FRAME - LONGEST };
    double match[LONGEST + 1] = {0}, best = 0;
    for (int lag = SHORTEST; lag <= LONGEST; lag++) {
        double cross = 0, own = 1e-9, other = 1e-9;
        for (int n = 0; n < SPAN; n++) {
            cross += (double)x[n] * x[n + lag];
            own += (double)x[n] * x[n];
            other += (double)x[n + lag] * x[n + lag];
        }
        match[lag] = cross / sqrt(own * other);
        best = match[lag] > best ? match[lag] : best;
    }
    if (best < 0.6)
        return 0;
    for (int lag = SHORTEST + 1; lag < LONGEST; lag++)
        if (match[lag] > 0.9 * best && match[lag] >= match[lag - 1] && match[lag] >= match[lag + 1])
            return (double)RATE / lag;
    return 0;
}

static bool frame_formants(double formant[3], const float *x)
{
    float windowed[FRAME];
    double a[ORDER + 1], poles[ORDER][2], found[ORDER];
    int count = 0;
    for (int n = 0; n < FRAME; n++)
        windowed[n] = (x[n] - (n ? 0.97f * x[n - 1] : 0)) * (float)(0.54 - 0.46 * cos(6.283185307 * n / (FRAME - 1)));
    if (!mdm_lpc_fit(a, ORDER, windowed, FRAME) || !mdm_lpc_poles(poles, a, ORDER))
        return false;
    for (int i = 0; i < ORDER; i++) {
        double radius = hypot(poles[i][0], poles[i][1]);
        double hz = atan2(poles[i][1], poles[i][0]) * RATE / 6.283185307, width = -log(radius) * RATE / 3.14159265;
        if (hz > 150 && hz < 4500 && width < 500)
            found[count++] = hz;
    }
    if (count < 3)
        return false;
    qsort(found, (size_t)count, sizeof *found, by_value);
    memcpy(formant, found, 3 * sizeof *formant);
    return true;
}

static void measure(mdm_voice_figures *out, const mdm_tape *tape, series all[4])
{
    size_t frames = 0, voiced = 0;
    float loudest = 0;
    for (int64_t i = 0; i < tape->end; i++)
        loudest = fmaxf(loudest, fabsf(mdm_tape_at(tape, i)));
    for (int64_t at = 0; at + FRAME <= tape->end; at += HOP, frames++) {
        float x[FRAME], peak = 0;
        double formant[3];
        for (int n = 0; n < FRAME; n++) {
            x[n] = mdm_tape_at(tape, at + n);
            peak = fmaxf(peak, fabsf(x[n]));
        }
        double pitch = peak > 0.1f * loudest ? frame_pitch(x) : 0;
        if (pitch <= 0)
            continue;
        voiced++;
        all[0].values[all[0].count++] = pitch;
        if (frame_formants(formant, x))
            for (int f = 0; f < 3; f++)
                all[f + 1].values[all[f + 1].count++] = formant[f];
    }
    out->pitch = median(&all[0]);
    for (int f = 0; f < 3; f++)
        out->formant[f] = median(&all[f + 1]);
    out->voiced = frames ? (double)voiced / (double)frames : 0;
}

mdm_status mdm_voice_measure(mdm_voice_figures *out, const float *samples, size_t count, int rate)
{
    memset(out, 0, sizeof *out);
    if (rate < 8000 || rate > 192000)
        return mdm_fail(MDM_ERR_INPUT, "voice measure: %d Hz, expected 8000..192000", rate);
    mdm_tape tape = {0}, low = {0};
    double *values = NULL;
    mdm_status status = mdm_tape_push(&tape, samples, count);
    double step = (double)rate / RATE, cutoff = rate > RATE ? 0.96 / step : 1.0;
    for (double at = 0; status == MDM_OK && at < (double)count; at = (double)low.end * step) {
        float value = mdm_tape_sinc(&tape, at, cutoff);
        status = mdm_tape_push(&low, &value, 1);
    }
    size_t most = (size_t)low.end / HOP + 1;
    if (status == MDM_OK)
        status = mdm_alloc(&values, most * 4, sizeof *values, "voice figures");
    if (status == MDM_OK) {
        series all[4];
        for (size_t i = 0; i < 4; i++)
            all[i] = (series){values + i * most, 0};
        measure(out, &low, all);
    }
    mdm_free(&values);
    mdm_tape_free(&tape);
    mdm_tape_free(&low);
    return status;
}
