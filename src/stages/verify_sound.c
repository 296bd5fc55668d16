/* Measuring the sound of the result against the recording's. */
#include "stages/verify_sound.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/voice.h"
#include "models/speech.h"
#include "models/whisper_models.h"

#define RATE    MDM_SPEECH_RATE
#define LISTEN  120   /* seconds at most that are listened to again: figures of a voice settle in less */
#define SILENCE 0.004 /* root mean square under which a personal word is gone */

typedef struct recording {
    float *samples;
    size_t count;
    double start;
} recording;

static mdm_status hear(recording *out, mdm_audio *audio)
{
    const size_t room = (size_t)RATE * LISTEN;
    MDM_TRY(mdm_alloc(&out->samples, room, sizeof *out->samples, "sound"));
    out->start = mdm_audio_describe(audio)->start;
    for (size_t got = 1; got && out->count < room;) {
        MDM_TRY(mdm_audio_read(&got, audio, out->samples + out->count, room - out->count));
        out->count += got;
    }
    return MDM_OK;
}

static void forget(recording *r)
{
    if (r->samples)
        mdm_wipe(r->samples, r->count * sizeof *r->samples);
    mdm_free(&r->samples);
}

/* The transcript's words that were not cut, within what was listened to. */
static mdm_status kept_words(mdm_buffer *out, const json_t *transcript, double until)
{
    size_t i, k;
    json_t *word, *span;
    json_array_foreach(json_object_get(transcript, "words"), i, word)
    {
        bool cut = json_number_value(json_object_get(word, "end")) > until;
        json_array_foreach(json_object_get(transcript, "personal"), k, span) cut |=
            (json_int_t)i >= json_integer_value(json_object_get(span, "first_word")) &&
            (json_int_t)i <= json_integer_value(json_object_get(span, "last_word"));
        if (!cut)
            MDM_TRY(mdm_buffer_printf(out, "%s ", json_string_value(json_object_get(word, "text"))));
    }
    return MDM_OK;
}

/* Word errors of the result's sound against what the same recogniser heard in the recording. */
static mdm_status word_error(double *out, const recording *result, const json_t *transcript, const mdm_clip_work *work)
{
    char *model = NULL;
    mdm_speech *speech = NULL;
    const mdm_word *words;
    size_t count = 0;
    mdm_buffer said = {0}, heard = {0};
    *out = NAN;
    mdm_status status = kept_words(&said, transcript, result->start + (double)result->count / RATE);
    if (status || said.size < 2) {
        mdm_buffer_free(&said);
        return status;
    }
    status = mdm_whisper_model_file(&model, work->models, work->settings->whisper_model);
    if (!status)
        status = mdm_speech_open(&speech, model, work->threads);
    if (!status)
        status = mdm_speech_set_language(speech, work->settings->language);
    if (!status)
        status = mdm_speech_feed(speech, result->samples, result->count);
    if (!status)
        status = mdm_speech_finish(speech, &words, &count);
    for (size_t i = 0; i < count && !status; i++)
        status = mdm_buffer_printf(&heard, "%s ", words[i].text);
    if (!status)
        status = mdm_word_error_rate(out, (const char *)said.data, heard.data ? (const char *)heard.data : "");
    mdm_speech_free(&speech);
    mdm_buffer_free(&said);
    mdm_buffer_free(&heard);
    mdm_free(&model);
    return status;
}

static json_t *voice_json(const mdm_settings *settings, const char *treatment, const mdm_voice_figures *before,
                          const mdm_voice_figures *after, double error)
{
    char note[160];
    const char *name = strrchr(settings->whisper_model, '/'); /* where one's own model lies is nobody's business */
    double pitch = before->pitch > 0 && after->pitch > 0 ? 12 * log2(after->pitch / before->pitch) : NAN, formants = 0;
    int n = 0;
    for (int i = 0; i < 3; i++)
        if (before->formant[i] > 0 && after->formant[i] > 0)
            formants += 100 * fabs(after->formant[i] / before->formant[i] - 1), n++;
    const bool same = strcmp(settings->transcribe, "whisper") == 0;
    snprintf(note, sizeof note,
             same ? "word errors against what the same recogniser (Whisper %.60s) hears in the recording"
                  : "word errors of Whisper %.60s against the transcript",
             name ? name + 1 : settings->whisper_model);
    return json_pack("{s:s, s:o, s:o, s:n, s:o, s:s}", "treatment", treatment, "pitch_shift_semitones",
                     mdm_json_rounded(pitch, 3), "formant_shift_percent", mdm_json_rounded(n ? formants / n : NAN, 3),
                     "word_error_before", "word_error_after", mdm_json_rounded(error, 3), "note", note);
}

/* Share of the personal words' time in which the result is silent, or lies in a span that compose cut. */
static json_t *words_json(const json_t *transcript, const json_t *sound, const recording *result)
{
    size_t i, k;
    json_t *span, *cut;
    double all = 0, gone = 0;
    json_array_foreach(json_object_get(transcript, "personal"), i, span)
    {
        double from = json_number_value(json_object_get(span, "start")),
               to = json_number_value(json_object_get(span, "end"));
        for (double t = from; t < to; t += 0.02) {
            double power = 0;
            long at = lround((t - result->start) * RATE), n = 0;
            for (long s = at; s < at + RATE / 50; s++)
                if (s >= 0 && s < (long)result->count)
                    power += (double)result->samples[s] * (double)result->samples[s], n++;
            bool silent = n > 0 && sqrt(power / (double)n) < SILENCE, covered = false;
            json_array_foreach(json_object_get(sound, "cut"), k, cut) covered |=
                t >= json_number_value(json_array_get(cut, 0)) - 0.011 &&
                t < json_number_value(json_array_get(cut, 1)) + 0.011;
            all += 1;
            gone += silent || (covered && n == 0) ||
                    (covered && strcmp(json_string_value(json_object_get(sound, "words")), "tone") == 0);
        }
    }
    return json_pack("{s:i, s:o}", "personal", (int)json_array_size(json_object_get(transcript, "personal")),
                     "covered_share", all > 0 ? mdm_json_rounded(gone / all, 3) : json_null());
}

static mdm_status measure(mdm_sound_evidence *out, const mdm_clip_work *work, const json_t *sound,
                          const json_t *transcript, mdm_audio *source, mdm_audio *result)
{
    recording a = {0}, b = {0};
    mdm_voice_figures before = {0}, after = {0};
    double error = NAN;
    const char *treatment = json_string_value(json_object_get(sound, "voice"));
    mdm_status status = hear(&a, source);
    if (!status)
        status = hear(&b, result);
    if (!status)
        status = mdm_voice_measure(&before, a.samples, a.count, RATE);
    if (!status)
        status = mdm_voice_measure(&after, b.samples, b.count, RATE);
    if (!status)
        status = word_error(&error, &b, transcript, work);
    if (!status) {
        out->shift_ms = round((b.start - a.start) * 1e4) / 10;
        out->voice = voice_json(work->settings, treatment ? treatment : "?", &before, &after, error);
        out->words = words_json(transcript, sound, &b);
    }
    forget(&a);
    forget(&b);
    return status;
}

mdm_status mdm_verify_sound(mdm_sound_evidence *out, const mdm_clip_work *work, const mdm_clip *clip,
                            const json_t *compose, const char *media)
{
    const json_t *sound = json_object_get(compose, "sound");
    mdm_audio *source = NULL, *result = NULL;
    json_t *transcript = NULL;
    char *path = NULL;
    memset(out, 0, sizeof *out);
    if (!clip->has_audio || clip->still)
        return MDM_OK;
    mdm_status status = mdm_join_path(&path, work->folder, "transcript.json");
    if (!status)
        status = mdm_json_load(&transcript, path, 0);
    if (!status)
        status = mdm_clip_open_audio(&source, clip, RATE, 1);
    if (!status)
        status = mdm_audio_open(&result, media, &(mdm_audio_options){.rate = RATE, .channels = 1});
    if (!status && source && result)
        status = measure(out, work, sound, transcript, source, result);
    else if (!status)
        out->voice = json_pack("{s:s}", "treatment", json_string_value(json_object_get(sound, "voice")));
    mdm_audio_free(&source);
    mdm_audio_free(&result);
    json_decref(transcript);
    mdm_free(&path);
    return status;
}
