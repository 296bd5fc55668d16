/* The voice mask: down to 16 kHz, pitch by a reading head that moves faster or slower and jumps whole periods, formants
 * by moving the poles of short frames, back up. Each step keeps positions (sample n in is sample n out) and only needs some
 * of what comes later, so the lag is one constant. Constants of the formant step are those of VoicePrivacy's baseline B2:
 * 20 ms frames every 10 ms, order 20. */
#include "media/voice.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "media/lpc.h"
#include "media/voice_tape.h"

enum { ORDER = 20, MAX_FRAME = 320 };

struct mdm_voice_mask {
    mdm_voice_change change;
    int rate, channels, work_rate;
    size_t latency;
    int64_t given; /* samples handed out so far, the lag's zeros included */
    mdm_tape input, low, shifted, warped;
    /* pitch: where the head reads, and where the head it fades from reads */
    double head, old_head;
    int fade; /* samples left of a fade between the two */
    /* formants */
    int frame, hop;
    float window[MAX_FRAME];
};

void mdm_voice_draw(mdm_voice_change *out, uint64_t seed, const char *key)
{
    mdm_random random;
    mdm_random_seed(&random, seed, key);
    bool up = mdm_random_uniform(&random) < 0.5;
    double semitones = 2.5 + 2.0 * mdm_random_uniform(&random);
    double warp = 0.06 + 0.08 * mdm_random_uniform(&random);
    /* Formants move with the pitch, as in a smaller or larger person; the other way sounds like a machine. */
    out->pitch = pow(2.0, (up ? semitones : -semitones) / 12.0);
    out->mcadams = up ? 1.0 - warp : 1.0 + warp;
}

mdm_status mdm_voice_mask_new(mdm_voice_mask **out, int rate, int channels, const mdm_voice_change *change)
{
    *out = NULL;
    if (rate < 8000 || rate > 192000 || channels < 1 || channels > 2)
        return mdm_fail(MDM_ERR_INPUT, "voice mask: %d Hz, %d channels; expected 8000..192000 Hz, 1 or 2 channels",
                        rate, channels);
    if (!(change->pitch >= 0.5 && change->pitch <= 2.0) || !(change->mcadams >= 0.5 && change->mcadams <= 1.5))
        return mdm_fail(MDM_ERR_INPUT, "voice mask: pitch %g, McAdams %g; expected 0.5..2 and 0.5..1.5", change->pitch,
                        change->mcadams);
    mdm_voice_mask *mask = NULL;
    MDM_TRY(mdm_alloc(&mask, 1, sizeof *mask, "voice mask"));
    mask->change = *change;
    mask->rate = rate;
    mask->channels = channels;
    mask->work_rate = rate < 16000 ? rate : 16000;
    mask->frame = mask->work_rate / 50;
    mask->hop = mask->frame / 2;
    for (int i = 0; i < mask->frame; i++) /* square root of Hann: applied before and after, it adds up to one */
        mask->window[i] = (float)sin(3.14159265358979 * (i + 0.5) / mask->frame);
    /* resampling 2 x 1 ms, head 10 + 20 + 10 ms, frames 20 + 10 ms: 0.1 s holds all of it */
    mask->latency = (size_t)rate / 10;
    *out = mask;
    return MDM_OK;
}

void mdm_voice_mask_free(mdm_voice_mask **mask)
{
    if (!*mask)
        return;
    mdm_tape_free(&(*mask)->input);
    mdm_tape_free(&(*mask)->low);
    mdm_tape_free(&(*mask)->shifted);
    mdm_tape_free(&(*mask)->warped);
    mdm_free(mask);
}

size_t mdm_voice_mask_latency(const mdm_voice_mask *mask)
{
    return mask->latency;
}

/* Position n of `to` is position n * ratio of `from`. */
static mdm_status resample(mdm_tape *to, mdm_tape *from, int from_rate, int to_rate)
{
    double cutoff = to_rate < from_rate ? (double)to_rate / from_rate * 0.96 : 1.0;
    int64_t reach = (int64_t)(MDM_SINC_HALF / cutoff) + 1;
    for (;;) {
        double at = (double)to->end * from_rate / to_rate;
        if ((int64_t)at + reach >= from->end)
            break;
        float value = mdm_tape_sinc(from, at, cutoff);
        MDM_TRY(mdm_tape_push(to, &value, 1));
    }
    mdm_tape_drop(from, (int64_t)((double)to->end * from_rate / to_rate) - reach - 1);
    return MDM_OK;
}

static float cubic(const mdm_tape *tape, double at)
{
    int64_t i = (int64_t)floor(at);
    float t = (float)(at - (double)i);
    float a = mdm_tape_at(tape, i - 1), b = mdm_tape_at(tape, i), c = mdm_tape_at(tape, i + 1),
          d = mdm_tape_at(tape, i + 2);
    return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/* The jump from `head`, `direction` times 4 to 18 ms, after which the waveform looks most like before. */
static double best_jump(const mdm_voice_mask *mask, double head, int direction)
{
    const mdm_tape *tape = &mask->low;
    int64_t here = (int64_t)head;
    int span = mask->work_rate / 100, shortest = mask->work_rate / 250, longest = mask->work_rate * 18 / 1000;
    int best = shortest;
    double best_match = -2;
    for (int lag = shortest; lag <= longest; lag++) {
        double cross = 0, own = 1e-9, other = 1e-9;
        for (int k = 0; k < span; k += 2) {
            double x = mdm_tape_at(tape, here + k), y = mdm_tape_at(tape, here + k + (int64_t)direction * lag);
            cross += x * y;
            own += x * x;
            other += y * y;
        }
        double match = cross / sqrt(own * other);
        if (match > best_match) {
            best_match = match;
            best = lag;
        }
    }
    return direction * best;
}

static mdm_status shift_pitch(mdm_voice_mask *mask)
{
    mdm_tape *from = &mask->low, *to = &mask->shifted;
    const int reach = mask->work_rate / 100, fade = mask->work_rate / 200;
    const int64_t ahead = mask->work_rate * 45 / 1000; /* drift + jump + correlation span */
    while (to->end + ahead < from->end) {
        float value = cubic(from, mask->head);
        if (mask->fade > 0) {
            float mix = (float)mask->fade / (float)fade;
            value = value * (1 - mix) + cubic(from, mask->old_head) * mix;
            mask->old_head += mask->change.pitch;
            mask->fade--;
        }
        MDM_TRY(mdm_tape_push(to, &value, 1));
        mask->head += mask->change.pitch;
        double drift = mask->head - (double)to->end;
        if (fabs(drift) > reach && mask->fade == 0) {
            mask->old_head = mask->head;
            mask->head += best_jump(mask, mask->head, drift > 0 ? -1 : 1);
            mask->fade = fade;
        }
    }
    mdm_tape_drop(from, to->end - mask->work_rate / 20);
    return MDM_OK;
}

/* The frame's poles turned by the McAdams exponent; false leaves the frame as it is. */
static bool warp_predictor(double *warped, const double *a, double exponent, int work_rate)
{
    double poles[ORDER][2];
    if (!mdm_lpc_poles(poles, a, ORDER))
        return false;
    for (int i = 0; i < ORDER; i++) {
        double radius = hypot(poles[i][0], poles[i][1]), angle = atan2(poles[i][1], poles[i][0]);
        radius = radius < 0.995 ? radius : 0.995;
        if (fabs(poles[i][1]) > 1e-6) {
            double at16k =
                fabs(angle) * work_rate / 16000; /* the exponent's fixed point, 1 rad, is 2.5 kHz at 16 kHz */
            double turned = pow(at16k, exponent) * 16000 / work_rate;
            turned = turned < 3.1 ? turned : 3.1;
            angle = angle < 0 ? -turned : turned;
        }
        poles[i][0] = radius * cos(angle);
        poles[i][1] = fabs(poles[i][1]) > 1e-6 ? radius * sin(angle) : 0;
    }
    mdm_lpc_from_poles(warped, (const double(*)[2])poles, ORDER);
    return true;
}

static void warp_frame(mdm_voice_mask *mask, float *frame)
{
    double a[ORDER + 1], warped[ORDER + 1], memory[ORDER] = {0}, in_energy = 0, out_energy = 0;
    float residual[MAX_FRAME], result[MAX_FRAME];
    if (!mdm_lpc_fit(a, ORDER, frame, (size_t)mask->frame) ||
        !warp_predictor(warped, a, mask->change.mcadams, mask->work_rate))
        return;
    for (int n = 0; n < mask->frame; n++) {
        double sum = 0;
        for (int k = 0; k <= ORDER && k <= n; k++)
            sum += a[k] * frame[n - k];
        residual[n] = (float)sum;
    }
    for (int n = 0; n < mask->frame; n++) {
        double value = residual[n];
        for (int k = 0; k < ORDER; k++)
            value -= warped[k + 1] * memory[k];
        memmove(memory + 1, memory, (ORDER - 1) * sizeof *memory);
        memory[0] = value;
        result[n] = (float)value;
        in_energy += (double)frame[n] * frame[n];
        out_energy += value * value;
    }
    if (!(out_energy > 0) || !isfinite(out_energy))
        return;
    double gain = sqrt(in_energy / out_energy); /* moved poles change the loudness; the frame keeps its own */
    for (int n = 0; n < mask->frame; n++)
        frame[n] = (float)(result[n] * gain);
}

/* Overlap-add: `warped` holds finished samples up to end - hop; the last hop is the first half of the frame to come. */
static mdm_status warp_formants(mdm_voice_mask *mask)
{
    mdm_tape *from = &mask->shifted, *to = &mask->warped;
    if (to->end == 0)
        MDM_TRY(mdm_tape_push(to, NULL, (size_t)mask->hop));
    /* a frame starts where the open half starts; the very first half frame, before position 0, is silence */
    for (;;) {
        int64_t start = to->end - mask->hop;
        if (start + mask->frame > from->end)
            break;
        float frame[MAX_FRAME];
        for (int n = 0; n < mask->frame; n++)
            frame[n] = mdm_tape_at(from, start + n) * mask->window[n];
        warp_frame(mask, frame);
        for (int n = 0; n < mask->frame; n++)
            frame[n] *= mask->window[n];
        float *open = to->data + (start - to->first);
        for (int n = 0; n < mask->hop; n++)
            open[n] += frame[n];
        MDM_TRY(mdm_tape_push(to, frame + mask->hop, (size_t)mask->hop));
    }
    mdm_tape_drop(from, to->end - mask->hop);
    return MDM_OK;
}

mdm_status mdm_voice_mask_process(void *user, float *samples, size_t frames, double time)
{
    mdm_voice_mask *mask = user;
    const size_t channels = (size_t)mask->channels;
    (void)time;
    for (size_t i = 0; i < frames; i++) {
        float mono = channels == 2 ? 0.5f * (samples[2 * i] + samples[2 * i + 1]) : samples[i];
        MDM_TRY(mdm_tape_push(&mask->input, &mono, 1));
    }
    MDM_TRY(resample(&mask->low, &mask->input, mask->rate, mask->work_rate));
    MDM_TRY(shift_pitch(mask));
    MDM_TRY(warp_formants(mask));
    for (size_t i = 0; i < frames; i++, mask->given++) {
        int64_t position = mask->given - (int64_t)mask->latency;
        float value = 0;
        if (position >= 0)
            value = mdm_tape_sinc(&mask->warped, (double)position * mask->work_rate / mask->rate, 1.0);
        value = value > 1 ? 1 : value < -1 ? -1 : value;
        for (size_t c = 0; c < channels; c++)
            samples[i * channels + c] = value;
    }
    mdm_tape_drop(&mask->warped,
                  (int64_t)((double)(mask->given - (int64_t)mask->latency) * mask->work_rate / mask->rate) - 64);
    return MDM_OK;
}

mdm_status mdm_voice_mask_all(float *samples, size_t frames, int rate, int channels, const mdm_voice_change *change)
{
    enum { BLOCK = 4096 };
    mdm_voice_mask *mask = NULL;
    float *block = NULL;
    MDM_TRY(mdm_voice_mask_new(&mask, rate, channels, change));
    mdm_status status = mdm_alloc(&block, BLOCK * 2, sizeof *block, "voice block");
    size_t total = frames + mdm_voice_mask_latency(mask), lag = mdm_voice_mask_latency(mask), width = (size_t)channels;
    for (size_t at = 0; status == MDM_OK && at < total; at += BLOCK) {
        size_t count = total - at < BLOCK ? total - at : BLOCK;
        for (size_t i = 0; i < count; i++)
            for (size_t c = 0; c < width; c++)
                block[i * width + c] = at + i < frames ? samples[(at + i) * width + c] : 0.0f;
        status = mdm_voice_mask_process(mask, block, count, 0);
        for (size_t i = 0; status == MDM_OK && i < count; i++)
            if (at + i >= lag)
                for (size_t c = 0; c < width; c++)
                    samples[(at + i - lag) * width + c] = block[i * width + c];
    }
    mdm_free(&block);
    mdm_voice_mask_free(&mask);
    return status;
}
