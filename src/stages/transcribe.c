/* The transcribe stage: words with times, and which of them are personal. transcript.json is private: it holds the words;
 * only `text`, with placeholders, may go into the dataset. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/clip_file.h"
#include "models/personal_text.h"
#include "models/speech.h"
#include "models/whisper_convert.h"
#include "stages/stage.h"

static mdm_status listen(mdm_speech *speech, mdm_audio *audio, const mdm_clip_work *work, double length)
{
    enum { BLOCK = MDM_SPEECH_RATE };
    float *samples = NULL;
    MDM_TRY(mdm_alloc(&samples, BLOCK, sizeof *samples, "audio block"));
    mdm_status status = MDM_OK;
    double heard = 0;
    for (;;) {
        size_t got = 0;
        status = mdm_audio_read(&got, audio, samples, BLOCK);
        if (status != MDM_OK || got == 0)
            break;
        status = mdm_speech_feed(speech, samples, got);
        heard += (double)got / MDM_SPEECH_RATE;
        if (status == MDM_OK && !mdm_progress_update(work->progress, heard, length > heard ? length : heard))
            status = mdm_fail(MDM_ERR_CANCELLED, "transcription stopped");
        if (status != MDM_OK)
            break;
    }
    mdm_wipe(samples, BLOCK * sizeof *samples);
    mdm_free(&samples);
    return status;
}

static double milliseconds(double seconds)
{
    return round(seconds * 1000) / 1000;
}

/* The words of a span joined by spaces. */
static mdm_status span_text(json_t **out, const mdm_word *words, const mdm_personal_span *span)
{
    mdm_buffer buffer = {0};
    mdm_status status = MDM_OK;
    for (size_t i = span->first; status == MDM_OK && i <= span->last; i++)
        status = mdm_buffer_printf(&buffer, "%s%s", i > span->first ? " " : "", words[i].text);
    *out = json_stringn((const char *)buffer.data, buffer.size);
    mdm_buffer_free(&buffer);
    return status;
}

/* `shift` turns the recogniser's times into seconds from the first video frame. */
static mdm_status write_transcript(const char *path, const mdm_word *words, size_t count, const mdm_name_lists *lists,
                                   double shift)
{
    mdm_personal_span *spans = NULL;
    size_t span_count = 0;
    char *text = NULL;
    MDM_TRY(mdm_personal_find(&spans, &span_count, words, count, lists));
    mdm_status status = mdm_personal_redact(&text, words, count, spans, span_count);
    json_t *list = json_array(), *personal = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *word = json_string(words[i].text); /* a recogniser can end a word inside a UTF-8 character */
        json_array_append_new(list, json_pack("{s:o, s:f, s:f, s:f}", "text", word ? word : json_string("?"), "start",
                                              milliseconds(words[i].start + shift), "end",
                                              milliseconds(words[i].end + shift), "p", milliseconds(words[i].p)));
    }
    for (size_t i = 0; status == MDM_OK && i < span_count; i++) {
        json_t *said = NULL;
        double early, late;
        mdm_personal_margins(&early, &late, &spans[i], words);
        status = span_text(&said, words, &spans[i]);
        json_array_append_new(
            personal, json_pack("{s:s, s:o, s:f, s:f, s:I, s:I}", "kind", mdm_personal_kind_name(spans[i].kind), "text",
                                said ? said : json_string("?"), "start", milliseconds(spans[i].start + shift - early),
                                "end", milliseconds(spans[i].end + shift + late), "first_word",
                                (json_int_t)spans[i].first, "last_word", (json_int_t)spans[i].last));
    }
    json_t *said = json_string(text ? text : "");
    json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:o}", "version", 1, "language", "en", "words", list, "personal",
                             personal, "text", said ? said : json_string(""));
    if (status == MDM_OK)
        status = root ? mdm_json_save(root, path) : mdm_fail(MDM_ERR_MEMORY, "%s: out of memory", path);
    json_decref(root);
    if (text)
        mdm_wipe(text, strlen(text));
    mdm_free(&text);
    mdm_free(&spans);
    return status;
}

static mdm_status transcribe(const mdm_clip_work *work, mdm_audio *audio, double length, const char *path)
{
    char *model = NULL;
    mdm_name_lists *lists = NULL;
    mdm_speech *speech = NULL;
    const mdm_word *words = NULL;
    size_t count = 0;
    mdm_status status = mdm_whisper_model(&model, work->models);
    if (status == MDM_OK)
        status = mdm_name_lists_load(&lists, work->models);
    if (status == MDM_OK)
        status = mdm_speech_open(&speech, model,
                                 1); /* tiny.en's threads mostly wait for each other, and clips run side by side */
    if (status == MDM_OK)
        status = listen(speech, audio, work, length);
    if (status == MDM_OK)
        status = mdm_speech_finish(speech, &words, &count);
    if (status == MDM_OK)
        status = write_transcript(path, words, count, lists, mdm_audio_describe(audio)->start);
    mdm_speech_free(&speech);
    mdm_name_lists_free(&lists);
    mdm_free(&model);
    return status;
}

mdm_status mdm_stage_transcribe(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    mdm_audio *audio = NULL;
    char *path = NULL;
    bool off = strcmp(work->settings->transcribe, "none") == 0;
    MDM_TRY(mdm_clip_read(&clip, work->folder));
    mdm_status status = mdm_join_path(&path, work->folder, "transcript.json");
    if (status == MDM_OK && !off && clip.has_audio)
        status = mdm_clip_open_audio(&audio, &clip, MDM_SPEECH_RATE, 1);
    if (status == MDM_OK)
        status = audio ? transcribe(work, audio, clip.audio_duration, path) : write_transcript(path, NULL, 0, NULL, 0);
    mdm_audio_free(&audio);
    mdm_free(&path);
    mdm_clip_free(&clip);
    return status;
}
