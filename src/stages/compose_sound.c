/* The sound of a masked clip: spoken personal data cut out, the voice masked, or no sound at all (compose.h). */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "stages/compose.h"

#define FADE    0.01
#define TONE_HZ 1000.0
#define TONE    0.1f /* loudness */

typedef struct span {
    double start, end;
} span;

struct mdm_word_cuts {
    span *spans;
    size_t count;
    bool tone;
    int rate, channels;
};

/* 0 where a span is, 1 away from all, a short ramp between. */
static float open_at(const struct mdm_word_cuts *cuts, double time)
{
    double open = 1.0;
    for (size_t i = 0; i < cuts->count; i++) {
        const double away = fmax(cuts->spans[i].start - time, time - cuts->spans[i].end);
        open = fmin(open, away <= 0.0 ? 0.0 : away / FADE);
    }
    return (float)open;
}

static mdm_status cut_words(void *user, float *samples, size_t frames, double time)
{
    const struct mdm_word_cuts *cuts = user;
    const double end = time + (double)frames / cuts->rate;
    bool touched = false;
    for (size_t i = 0; i < cuts->count && !touched; i++)
        touched = cuts->spans[i].start - FADE < end && cuts->spans[i].end + FADE > time;
    for (size_t i = 0; touched && i < frames; i++) {
        const double at = time + (double)i / cuts->rate;
        const float open = open_at(cuts, at);
        const float tone = cuts->tone ? TONE * (float)sin(2.0 * 3.14159265358979 * TONE_HZ * at) : 0.0f;
        for (int c = 0; c < cuts->channels; c++) {
            float *sample = samples + i * (size_t)cuts->channels + (size_t)c;
            *sample = open * *sample + (1.0f - open) * tone;
        }
    }
    return MDM_OK;
}

/* The spans that transcribe marked as personal; it has already made them a little longer than the words. */
static mdm_status read_spans(struct mdm_word_cuts *cuts, const char *path)
{
    json_t *root, *personal, *item;
    size_t i;
    MDM_TRY(mdm_json_load(&root, path, 0));
    mdm_status status = mdm_json_array(&personal, root, "personal", path);
    if (status == MDM_OK)
        status = mdm_alloc(&cuts->spans, json_array_size(personal), sizeof *cuts->spans, "words to cut");
    if (status == MDM_OK)
        json_array_foreach(personal, i, item)
        {
            span *s = &cuts->spans[cuts->count];
            if (status == MDM_OK)
                status = mdm_json_number(&s->start, item, "start", path);
            if (status == MDM_OK)
                status = mdm_json_number(&s->end, item, "end", path);
            cuts->count++;
        }
    json_decref(root);
    return status;
}

static mdm_status open_cuts(mdm_compose_sound *out, const mdm_compose *compose, const mdm_audio_info *info)
{
    const mdm_settings *settings = compose->work->settings;
    char *path;
    if (settings->words == MDM_WORDS_KEEP)
        return MDM_OK;
    MDM_TRY(mdm_join_path(&path, compose->work->folder, "transcript.json"));
    mdm_status status = MDM_OK;
    if (mdm_file_exists(path)) {
        status = mdm_alloc(&out->cuts, 1, sizeof *out->cuts, "words to cut");
        if (status == MDM_OK) {
            out->cuts->tone = settings->words == MDM_WORDS_TONE;
            out->cuts->rate = info->rate;
            out->cuts->channels = info->channels;
            status = read_spans(out->cuts, path);
        }
    }
    mdm_free(&path);
    return status;
}

/* Whose voice it is taken for: the person whose faces fill most of the clip. The key is that of the stand-in, so that one
 * stand-in has one voice; a clip without a person is keyed by its own id. */
static mdm_status voice_key(char **key, const mdm_compose *compose)
{
    const int main_track = mdm_compose_main_track(compose);
    const int id = main_track < 0 ? -1 : compose->found.tracks.track[main_track].id;
    const char *best = NULL;
    json_t *plan = NULL, *person, *track;
    size_t i, k;
    mdm_status status = mdm_json_load_if_there(&plan, compose->work->folder, "plan.json", 0);
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        const char *seed_key = json_string_value(json_object_get(json_object_get(person, "standin"), "seed_key"));
        const char *name = seed_key ? seed_key : json_string_value(json_object_get(person, "id"));
        json_array_foreach(json_object_get(person, "tracks"), k, track)
        {
            if (json_integer_value(track) == id)
                best = name;
        }
    }
    if (status == MDM_OK)
        status = mdm_format(key, "%s/voice", best ? best : compose->work->clip_id);
    json_decref(plan);
    return status;
}

static mdm_status open_mask(mdm_compose_sound *out, const mdm_compose *compose, const mdm_audio_info *info)
{
    char *key = NULL;
    MDM_TRY(voice_key(&key, compose));
    mdm_voice_draw(&out->change, compose->work->settings->seed, key);
    mdm_free(&key);
    return mdm_voice_mask_new(&out->mask, info->rate, info->channels, &out->change);
}

/* What was done, for compose.json. */
static json_t *make_record(const mdm_compose_sound *sound, const mdm_settings *settings)
{
    static const char *const words[] = {"silence", "tone", "kept"};
    json_t *spans = json_array();
    for (size_t i = 0; sound->cuts && i < sound->cuts->count; i++)
        json_array_append_new(spans, json_pack("[f, f]", sound->cuts->spans[i].start, sound->cuts->spans[i].end));
    json_t *record = json_pack("{s:s, s:s, s:o}", "voice", sound->mask ? "masked" : "kept", "words",
                               words[settings->words], "cut", spans);
    if (sound->mask)
        json_object_set_new(record, "change",
                            json_pack("{s:f, s:f}", "pitch", sound->change.pitch, "mcadams", sound->change.mcadams));
    return record;
}

mdm_status mdm_compose_sound_open(mdm_compose_sound *out, const mdm_compose *compose)
{
    const mdm_settings *settings = compose->work->settings;
    memset(out, 0, sizeof *out);
    /* nobody listened for personal words: then no word may go out, unless they all may */
    const bool unheard = strcmp(settings->transcribe, "none") == 0 && settings->words != MDM_WORDS_KEEP;
    if (compose->clip.has_audio && unheard && settings->voice != MDM_VOICE_REMOVE)
        mdm_log(MDM_LOG_WARN,
                "%s: the sound is left out: without a transcript personal words cannot be cut (--words keep lets them "
                "through)",
                compose->work->clip_id);
    if (!compose->clip.has_audio || settings->voice == MDM_VOICE_REMOVE || unheard) {
        out->record = json_pack("{s:s}", "voice", compose->clip.has_audio ? "removed" : "none");
        return MDM_OK;
    }
    MDM_TRY(mdm_clip_open_audio(&out->audio, &compose->clip, 0, 0));
    if (!out->audio)
        return MDM_OK;
    const mdm_audio_info *info = mdm_audio_describe(out->audio);
    mdm_audio_treatment treatments[2];
    size_t count = 0;
    if (settings->voice == MDM_VOICE_MASK) {
        MDM_TRY(open_mask(out, compose, info));
        treatments[count++] =
            (mdm_audio_treatment){mdm_voice_mask_process, mdm_voice_mask_latency(out->mask), out->mask};
    }
    MDM_TRY(open_cuts(out, compose, info));
    if (out->cuts) /* last: a tone stays a tone */
        treatments[count++] = (mdm_audio_treatment){cut_words, 0, out->cuts};
    MDM_TRY(mdm_sound_new(&out->sound, out->audio, treatments, count));
    out->record = make_record(out, settings);
    return MDM_OK;
}

void mdm_compose_sound_free(mdm_compose_sound *sound)
{
    mdm_sound_free(&sound->sound);
    mdm_audio_free(&sound->audio);
    mdm_voice_mask_free(&sound->mask);
    if (sound->cuts)
        mdm_free(&sound->cuts->spans);
    mdm_free(&sound->cuts);
    json_decref(sound->record);
    memset(sound, 0, sizeof *sound);
}
