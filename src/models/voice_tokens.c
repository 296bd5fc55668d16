/* Spectrogram, encoder and tokens of a voice. */
#include "models/voice_tokens.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models/whisper_convert.h"

enum { WINDOW = 400, HOP = 160, BINS = WINDOW / 2 + 1, KEPT = 2 };

/* ---- the spectrogram ---- */

/* A Hann window and the sines and cosines of a period, for a transform of 400 samples by its definition: 201 x 400 products, 100 times a
 * second, are nothing beside the networks. */
typedef struct tables {
    float hann[WINDOW], cosine[WINDOW], sine[WINDOW];
    float filter[]; /* [mels][BINS] */
} tables;

static mdm_status make_tables(tables **out, int mels)
{
    const double turn = 2 * 3.14159265358979323846 / WINDOW;
    tables *t = NULL;
    MDM_TRY(mdm_alloc(&t, 1, sizeof *t + (size_t)mels * BINS * sizeof(float), "spectrogram"));
    for (int i = 0; i < WINDOW; i++) {
        t->hann[i] = (float)(0.5 - 0.5 * cos(turn * i));
        t->cosine[i] = (float)cos(turn * i);
        t->sine[i] = (float)sin(turn * i);
    }
    mdm_whisper_mel_filters(t->filter, mels);
    *out = t;
    return MDM_OK;
}

/* Sample `at` of the recording, which is mirrored at both ends. */
static float sample_at(const float *samples, size_t count, long long at)
{
    const long long last = (long long)count - 1;
    if (at < 0)
        at = -at;
    return samples[at > last ? 2 * last - at : at];
}

static void power_of(float power[BINS], const tables *t, const float *samples, size_t count, size_t frame)
{
    float x[WINDOW];
    const long long from = (long long)frame * HOP - WINDOW / 2;
    for (int i = 0; i < WINDOW; i++)
        x[i] = t->hann[i] * sample_at(samples, count, from + i);
    for (int k = 0; k < BINS; k++) {
        double real = 0, imaginary = 0;
        for (int i = 0, angle = 0; i < WINDOW; i++, angle += k) {
            angle -= angle >= WINDOW ? WINDOW : 0;
            real += (double)(x[i] * t->cosine[angle]);
            imaginary += (double)(x[i] * t->sine[angle]);
        }
        power[k] = (float)(real * real + imaginary * imaginary);
    }
}

mdm_status mdm_log_mel(float **out, size_t *frames, const float *samples, size_t count, int mels)
{
    const size_t n = count / HOP;
    float power[BINS], *mel = NULL, most = -10;
    tables *t = NULL;
    *out = NULL;
    if (count < 4 * HOP)
        return mdm_fail(MDM_ERR_INPUT, "%zu samples of sound; at least %d are needed (0.04 s)", count, 4 * HOP);
    if (count > SIZE_MAX / 4 / (size_t)mels)
        return mdm_fail(MDM_ERR_MEMORY, "%zu samples of sound", count);
    MDM_TRY(make_tables(&t, mels));
    mdm_status status = mdm_alloc(&mel, n * (size_t)mels, sizeof *mel, "spectrogram");
    for (size_t i = 0; i < n && !status; i++) {
        power_of(power, t, samples, count, i);
        for (size_t m = 0; m < (size_t)mels; m++) {
            float sum = 0;
            for (int k = 0; k < BINS; k++)
                sum += t->filter[m * BINS + (size_t)k] * power[k];
            const float level = log10f(fmaxf(sum, 1e-10f));
            mel[m * n + i] = level;
            most = fmaxf(most, level);
        }
    }
    for (size_t i = 0; i < n * (size_t)mels && !status; i++)
        mel[i] = (fmaxf(mel[i], most - 8) + 4) / 4;
    mdm_free(&t);
    *out = mel;
    *frames = n;
    return status;
}

/* ---- states ---- */

/* States of one run of the encoder. */
typedef struct stretch {
    int64_t index; /* -1: none */
    float *states; /* [sizes.frames / 2][layers + 1][width] */
} stretch;

struct mdm_heard_voice {
    mdm_whisper_encoder_sizes sizes;
    mdm_whisper_encoder *encoder;
    float *mel, *part;    /* [mels][frames]; [mels][sizes.frames] */
    size_t frames, count; /* of the spectrogram; states */
    stretch kept[KEPT];
    int next; /* of `kept`, to be overwritten */
};

static mdm_status encode(stretch *out, mdm_heard_voice *v, int64_t index)
{
    const size_t length = (size_t)v->sizes.frames, from = (size_t)index * length,
                 there = v->frames - from < length ? v->frames - from : length;
    out->index = -1;
    memset(v->part, 0,
           (size_t)v->sizes.mels * length * sizeof *v->part); /* what is missing is 0, which is not silence */
    for (size_t m = 0; m < (size_t)v->sizes.mels; m++)
        memcpy(v->part + m * length, v->mel + m * v->frames + from, there * sizeof *v->part);
    MDM_TRY(mdm_whisper_encoder_run(v->encoder, out->states, v->part));
    out->index = index;
    return MDM_OK;
}

static mdm_status state_of(const float **out, mdm_heard_voice *v, size_t state)
{
    const size_t length = (size_t)v->sizes.frames / 2, values = ((size_t)v->sizes.layers + 1) * (size_t)v->sizes.width;
    const int64_t index = (int64_t)(state / length);
    for (int i = 0; i < KEPT; i++)
        if (v->kept[i].index == index) {
            *out = v->kept[i].states + state % length * values;
            return MDM_OK;
        }
    stretch *s = &v->kept[v->next];
    v->next = (v->next + 1) % KEPT;
    MDM_TRY(encode(s, v, index));
    *out = s->states + state % length * values;
    return MDM_OK;
}

mdm_status mdm_voice_tokens(float *tokens, mdm_heard_voice *voice, int64_t centre)
{
    const size_t values = ((size_t)voice->sizes.layers + 1) * (size_t)voice->sizes.width;
    for (int i = 0; i < MDM_VOICE_AROUND; i++) {
        const int64_t at = centre - 4 + i, last = (int64_t)voice->count - 1;
        const float *state = NULL;
        MDM_TRY(state_of(&state, voice, (size_t)(at < 0 ? 0 : at > last ? last : at)));
        memcpy(tokens + (size_t)i * values, state, values * sizeof *tokens);
    }
    return MDM_OK;
}

void mdm_voice_hash(mdm_sha256 *hash, const mdm_heard_voice *voice)
{
    mdm_sha256_add(hash, voice->mel, (size_t)voice->sizes.mels * voice->frames * sizeof *voice->mel);
}

/* ---- frames ---- */

int mdm_voice_token_count(const mdm_heard_voice *voice)
{
    return MDM_VOICE_AROUND * (voice->sizes.layers + 1);
}

int64_t mdm_voice_centre(int frame, double fps)
{
    return (int64_t)(frame * (double)MDM_VOICE_STATES / fps);
}

/* The count stops after the first frame beyond the last state, and rounds otherwise than the centres do. */
int mdm_voice_frames(const mdm_heard_voice *voice, double fps)
{
    int i = 0;
    while ((int64_t)(i * (MDM_VOICE_STATES / fps)) <= (int64_t)voice->count && i < 1 << 24)
        i++;
    return i + 1;
}

/* ---- the object ---- */

static mdm_status make(mdm_heard_voice *v, mdm_weights *weights, mdm_store store, const float *samples, size_t count,
                       int threads)
{
    const mdm_whisper_encoder_sizes *s = &v->sizes;
    MDM_TRY(mdm_whisper_encoder_new(&v->encoder, s, weights, store, threads));
    MDM_TRY(mdm_log_mel(&v->mel, &v->frames, samples, count, s->mels));
    v->count =
        v->frames / 2; /* a stretch has an even number of frames, so that only the last one can lose half a state */
    MDM_TRY(mdm_alloc(&v->part, (size_t)s->mels * (size_t)s->frames, sizeof *v->part, "spectrogram"));
    for (int i = 0; i < KEPT; i++) {
        v->kept[i].index = -1;
        MDM_TRY(mdm_alloc(&v->kept[i].states, (size_t)s->frames / 2 * ((size_t)s->layers + 1) * (size_t)s->width,
                          sizeof(float), "voice"));
    }
    return MDM_OK;
}

mdm_status mdm_voice_new(mdm_heard_voice **out, const mdm_whisper_encoder_sizes *sizes, mdm_weights *weights,
                         mdm_store store, const float *samples, size_t count, int threads)
{
    mdm_heard_voice *v = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&v, 1, sizeof *v, "voice"));
    v->sizes = *sizes;
    mdm_status status = make(v, weights, store, samples, count, threads);
    if (status)
        mdm_voice_free(&v);
    *out = v;
    return status;
}

/* A voice tells who somebody is: nothing of it is left in memory. */
static void wipe(float **values, size_t count)
{
    if (*values)
        mdm_wipe(*values, count * sizeof **values);
    mdm_free(values);
}

void mdm_voice_free(mdm_heard_voice **voice)
{
    mdm_heard_voice *v = *voice;
    if (!v)
        return;
    const mdm_whisper_encoder_sizes *s = &v->sizes;
    wipe(&v->mel, (size_t)s->mels * v->frames);
    wipe(&v->part, (size_t)s->mels * (size_t)s->frames);
    for (int i = 0; i < KEPT; i++)
        wipe(&v->kept[i].states, (size_t)s->frames / 2 * ((size_t)s->layers + 1) * (size_t)s->width);
    mdm_whisper_encoder_free(&v->encoder);
    mdm_free(voice);
}
