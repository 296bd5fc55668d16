/* Writing transcript.json, which is private: it holds the words; only `text`, with placeholders, may go into the dataset. */
#include "stages/transcript.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

static double milliseconds(double seconds)
{
    return round(seconds * 1000) / 1000;
}

/* A recogniser can end a word inside a UTF-8 character. */
static json_t *text_json(const char *text, size_t size, const char *otherwise)
{
    json_t *value = json_stringn(text, size);
    return value ? value : json_string(otherwise);
}

static json_t *words_json(const mdm_heard *heard, double shift)
{
    json_t *list = json_array();
    for (size_t i = 0; i < heard->count; i++) {
        const mdm_word *word = &heard->words[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:f, s:f, s:f}", "text", text_json(word->text, strlen(word->text), "?"),
                                        "start", milliseconds(word->start + shift), "end",
                                        milliseconds(word->end + shift), "p", milliseconds(word->p)));
    }
    return list;
}

/* The words of a span joined by spaces. */
static mdm_status span_text(json_t **out, const mdm_word *words, const mdm_personal_span *span)
{
    mdm_buffer buffer = {0};
    mdm_status status = MDM_OK;
    for (size_t i = span->first; status == MDM_OK && i <= span->last; i++)
        status = mdm_buffer_printf(&buffer, "%s%s", i > span->first ? " " : "", words[i].text);
    *out = text_json((const char *)buffer.data, buffer.size, "?");
    if (buffer.data)
        mdm_wipe(buffer.data, buffer.size);
    mdm_buffer_free(&buffer);
    return status;
}

/* From when to when a span is cut. */
static mdm_stretch span_cut(const mdm_personal_span *span, const mdm_heard *heard)
{
    double early, late;
    mdm_personal_margins(&early, &late, span, heard->words);
    mdm_stretch cut = {span->start - early - heard->margin, span->end + late + heard->margin};
    for (size_t i = 0; i < heard->rough_count; i++) {
        const mdm_stretch *rough = &heard->rough[i];
        if (rough->start >= span->end || rough->end <= span->start)
            continue;
        cut.start = fmin(cut.start, rough->start);
        cut.end = fmax(cut.end, rough->end);
    }
    return cut;
}

static json_t *personal_json(const char *kind, json_t *text, mdm_stretch cut, double shift, json_int_t first,
                             json_int_t last)
{
    return json_pack("{s:s, s:o, s:f, s:f, s:I, s:I}", "kind", kind, "text", text, "start",
                     milliseconds(cut.start + shift), "end", milliseconds(cut.end + shift), "first_word", first,
                     "last_word", last);
}

/* Where nobody knows what is said: a span of no words, which lies before the first one that is said later. */
static void add_unheard(json_t *personal, const mdm_heard *heard, double shift)
{
    for (size_t i = 0; i < heard->unheard_count; i++) {
        json_int_t next = 0;
        while ((size_t)next < heard->count && heard->words[next].start < heard->unheard[i].start)
            next++;
        json_array_append_new(personal,
                              personal_json("unheard", json_string(""), heard->unheard[i], shift, next, next - 1));
    }
}

static mdm_status save(const char *path, const mdm_heard *heard, json_t *personal, const char *text, double shift)
{
    json_t *root = json_pack("{s:i, s:s, s:o, s:O, s:o}", "version", 1, "language", heard->language, "words",
                             words_json(heard, shift), "personal", personal, "text",
                             text_json(text ? text : "", text ? strlen(text) : 0, ""));
    if (root && heard->sent_to)
        json_object_set_new(root, "sent", json_pack("{s:s, s:s}", "to", heard->sent_to, "model", heard->model));
    mdm_status status = root ? mdm_json_save(root, path) : mdm_fail(MDM_ERR_MEMORY, "%s: out of memory", path);
    json_decref(root);
    return status;
}

/* The rules for names, addresses and dates are of English. */
static void warn_of_language(const char *language)
{
    if (strcmp(language, "en") != 0 && strcmp(language, "und") != 0)
        mdm_log(MDM_LOG_WARN,
                "what is said is in another language (%s): of personal words only numbers and well-known names are "
                "found there; without --keep speech the sound is left out",
                language);
}

mdm_status mdm_transcript_write(const char *path, const mdm_heard *heard, const mdm_name_lists *lists, double shift)
{
    mdm_personal_span *spans = NULL;
    size_t span_count = 0;
    char *text = NULL;
    warn_of_language(heard->language);
    MDM_TRY(mdm_personal_find(&spans, &span_count, heard->words, heard->count, lists));
    mdm_status status = mdm_personal_redact(&text, heard->words, heard->count, spans, span_count);
    json_t *personal = json_array();
    for (size_t i = 0; status == MDM_OK && i < span_count; i++) {
        json_t *said = NULL;
        status = span_text(&said, heard->words, &spans[i]);
        json_array_append_new(personal,
                              personal_json(mdm_personal_kind_name(spans[i].kind), said, span_cut(&spans[i], heard),
                                            shift, (json_int_t)spans[i].first, (json_int_t)spans[i].last));
    }
    add_unheard(personal, heard, shift);
    if (status == MDM_OK)
        status = save(path, heard, personal, text, shift);
    json_decref(personal);
    if (text)
        mdm_wipe(text, strlen(text));
    mdm_free(&text);
    mdm_free(&spans);
    return status;
}
