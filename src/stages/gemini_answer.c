/* What Gemini answered. Nothing in it is believed: texts may be missing, cut short or not JSON, times may run backwards or past the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "stages/gemini_internal.h"

enum { MAX_WORDS = 100000, MAX_TURNS = 10000 };

void mdm_gemini_answer_free(mdm_gemini_answer *answer)
{
    if (answer->pool.data)
        mdm_wipe(answer->pool.data, answer->pool.size);
    mdm_buffer_free(&answer->pool);
    mdm_free(&answer->words);
    memset(answer, 0, sizeof *answer);
}

static mdm_status add_word(mdm_gemini_answer *a, const char *text, size_t size, double start, double end)
{
    if (a->count == MAX_WORDS)
        return mdm_fail(MDM_ERR_INPUT, "an answer of more than %d words", MAX_WORDS);
    if (a->count == a->room) {
        const size_t room = a->room ? a->room * 2 : 256;
        MDM_TRY(mdm_realloc(&a->words, room, sizeof *a->words, "words"));
        a->room = room;
    }
    a->words[a->count++] = (mdm_gemini_word){a->pool.size, start, end};
    MDM_TRY(mdm_buffer_append(&a->pool, text, size));
    return mdm_buffer_append(&a->pool, "", 1);
}

static size_t word_length(const char *text)
{
    return strcspn(text, " \t\r\n");
}

/* The words of a text share its time by their lengths. */
static mdm_status add_text(mdm_gemini_answer *a, const char *text, double start, double end)
{
    const size_t all = strlen(text);
    for (size_t at = 0; at < all;) {
        const size_t length = word_length(text + at);
        if (length)
            MDM_TRY(add_word(a, text + at, length, start + (end - start) * (double)at / (double)all,
                             start + (end - start) * (double)(at + length) / (double)all));
        at += length + 1;
    }
    return MDM_OK;
}

/* ---- times ---- */

/* "12.600s"; absent is 0. False when it is no time. */
static bool read_offset(double *out, const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;
    *out = text ? strtod(text, &end) : 0;
    return !value || (text && end != text && end[0] == 's' && !end[1] && *out >= 0);
}

/* "01:02:03.5", "02:03", "3.5" or "3.5s" */
static bool read_clock(double *out, const char *text)
{
    double total = 0;
    for (int parts = 0; text && parts < 3; parts++) {
        char *end;
        const double part = strtod(text, &end);
        if (end == text || part < 0 || part > 1e6)
            return false;
        total = total * 60 + part;
        *out = total;
        if (!*end || (*end == 's' && !end[1]))
            return true;
        text = *end == ':' ? end + 1 : NULL;
    }
    return false;
}

/* Whether the words' own times can be true: one after the other, within the piece. */
static bool times_hold(const mdm_gemini_answer *a, double seconds)
{
    double before = 0;
    for (size_t i = 0; i < a->count; i++) {
        const mdm_gemini_word *w = &a->words[i];
        if (w->start < before - 0.05 || w->end < w->start || w->end > seconds + 0.5)
            return false;
        before = w->start;
    }
    return true;
}

/* Spreads all words over the piece by their lengths, where their times are of no use. */
static void spread(mdm_gemini_answer *a, double seconds)
{
    for (size_t i = 0; i < a->count; i++) {
        const size_t next = i + 1 < a->count ? a->words[i + 1].text : a->pool.size;
        a->words[i].start = seconds * (double)a->words[i].text / (double)a->pool.size;
        a->words[i].end = seconds * (double)next / (double)a->pool.size;
    }
}

/* ---- the two kinds of answers ---- */

/* A turn of a model made for transcription: {"text", "audioTranscription": {"text", "languageCode", "words": [...]}} */
static mdm_status read_turn(mdm_gemini_answer *a, const json_t *part, double seconds)
{
    const json_t *turn = json_object_get(part, "audioTranscription");
    json_t *words = json_object_get(turn, "words"), *word;
    const char *text = json_string_value(json_object_get(turn, "text"));
    const char *language = json_string_value(json_object_get(turn, "languageCode"));
    size_t i;
    text = text ? text : json_string_value(json_object_get(part, "text"));
    if (language && !a->language[0])
        snprintf(a->language, sizeof a->language, "%.*s", (int)strcspn(language, "-_"), language);
    if (!json_array_size(words)) {
        a->timed = a->timed && !(text && text[strspn(text, " \t\r\n")]);
        return text ? add_text(a, text, 0, seconds) : MDM_OK;
    }
    json_array_foreach(words, i, word)
    {
        double start, end;
        const char *said = json_string_value(json_object_get(word, "word"));
        if (!said)
            continue;
        said += strspn(said, " \t\r\n");
        const bool fine = read_offset(&start, json_object_get(word, "startOffset")) &
                          read_offset(&end, json_object_get(word, "endOffset"));
        a->timed = a->timed && fine;
        if (*said)
            MDM_TRY(add_word(a, said, strlen(said), start, end));
    }
    return MDM_OK;
}

/* The list that the other models are asked for, in the text of the answer. */
static mdm_status read_list(mdm_gemini_answer *a, const char *text, double seconds)
{
    json_error_t ignored;
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, &ignored), *item;
    size_t i;
    mdm_status status = MDM_OK;
    if (!json_is_array(list) || json_array_size(list) > MAX_TURNS) {
        snprintf(a->refused, sizeof a->refused, "no list");
        json_decref(list);
        return MDM_OK;
    }
    json_array_foreach(list, i, item)
    {
        double start = 0, end = seconds;
        const char *said = json_string_value(json_object_get(item, "text"));
        (void)read_clock(&start, json_string_value(json_object_get(item, "start")));
        (void)read_clock(&end, json_string_value(json_object_get(item, "end")));
        if (said && !status)
            status = add_text(a, said, start, end);
    }
    json_decref(list);
    return status;
}

/* All texts of the answer's parts, without what the model thought. */
static mdm_status join_texts(mdm_buffer *out, json_t *parts)
{
    json_t *part;
    size_t i;
    MDM_TRY(mdm_buffer_append(out, "", 0));
    json_array_foreach(parts, i, part)
    {
        const char *text = json_string_value(json_object_get(part, "text"));
        if (text && !json_is_true(json_object_get(part, "thought")))
            MDM_TRY(mdm_buffer_append(out, text, strlen(text)));
    }
    return MDM_OK;
}

static mdm_status read_parts(mdm_gemini_answer *a, json_t *parts, bool dedicated, double seconds)
{
    json_t *part;
    size_t i;
    mdm_status status = MDM_OK;
    if (dedicated) {
        a->timed = true;
        json_array_foreach(parts, i, part) if (!status) status = read_turn(a, part, seconds);
    } else {
        mdm_buffer text = {0};
        status = join_texts(&text, parts);
        if (!status)
            status = read_list(a, (const char *)text.data, seconds);
        mdm_buffer_free(&text);
    }
    a->timed = a->timed && times_hold(a, seconds);
    if (!status && !a->timed && !times_hold(a, seconds))
        spread(a, seconds);
    return status;
}

/* STOP is the one good reason to end; "" when none is given. */
static mdm_status read_root(mdm_gemini_answer *a, const json_t *root, bool dedicated, double seconds)
{
    const json_t *candidate = json_array_get(json_object_get(root, "candidates"), 0);
    const char *reason = json_string_value(json_object_get(candidate, "finishReason"));
    const char *block = json_string_value(json_object_get(json_object_get(root, "promptFeedback"), "blockReason"));
    json_t *parts = json_object_get(json_object_get(candidate, "content"), "parts");
    if (reason && !strcmp(reason, "MAX_TOKENS"))
        a->cut_short = true;
    else if (!candidate || (reason && strcmp(reason, "STOP") != 0) || (!json_array_size(parts) && !dedicated))
        snprintf(a->refused, sizeof a->refused, "%s",
                 block                              ? block
                 : reason && strcmp(reason, "STOP") ? reason
                                                    : "no answer");
    else
        return read_parts(a, parts, dedicated, seconds);
    return MDM_OK;
}

mdm_status mdm_gemini_read(mdm_gemini_answer *out, const char *text, size_t size, bool dedicated, double seconds)
{
    json_error_t error;
    mdm_gemini_answer_free(out);
    json_t *root = json_loadb(text, size, 0, &error);
    mdm_status status = json_is_object(root) ? read_root(out, root, dedicated, seconds)
                                             : mdm_fail(MDM_ERR_INPUT, "the answer is not whole JSON");
    json_decref(root);
    return status;
}

/* ---- asking ---- */

/* Above this, sound is uploaded as a file first: larger requests were reported to be turned away with a misleading 403. */
#define MOST_INLINE ((size_t)512 << 10)

static mdm_status ask_once(mdm_gemini_reply *reply, mdm_gemini *g, const mdm_buffer *flac, bool as_file)
{
    char *uri = NULL, *name = NULL, *path = NULL;
    const char *const headers[] = {"Content-Type: application/json"};
    mdm_buffer body = {0};
    mdm_status status = as_file ? mdm_gemini_upload(&uri, &name, g, flac) : MDM_OK;
    if (!status)
        status = mdm_gemini_body(&body, g, flac, uri);
    if (!status)
        status = mdm_format(&path, "/v1beta/models/%s:generateContent", g->model);
    if (!status)
        status = mdm_gemini_send(reply, g, &(mdm_gemini_request){"POST", path, headers, 1, body.data, body.size});
    if (body.data)
        mdm_wipe(body.data, body.size);
    mdm_buffer_free(&body);
    if (name) { /* after errors too */
        char before[1024];
        snprintf(before, sizeof before, "%s", mdm_error_message());
        if (mdm_gemini_delete(g, name) != MDM_OK)
            mdm_log(MDM_LOG_WARN, "an upload could not be deleted and expires in two days (%s); it is tried again",
                    mdm_error_message());
        if (status)
            (void)mdm_fail(status, "%s", before);
    }
    mdm_free(&path);
    mdm_free(&uri);
    mdm_free(&name);
    return status;
}

mdm_status mdm_gemini_listen(mdm_gemini_answer *out, mdm_gemini *g, const mdm_buffer *flac, double seconds)
{
    const bool dedicated = mdm_gemini_is_dedicated(g->model);
    mdm_gemini_reply reply = {0};
    mdm_status status = MDM_OK;
    g->waited = 0;
    for (int attempt = 0;; attempt++) {
        const bool as_file = g->files_only || flac->size > MOST_INLINE;
        status = ask_once(&reply, g, flac, as_file);
        if (status == MDM_ERR_CONFIG && reply.code == 403 && !as_file) { /* once, the other way */
            g->files_only = true;
            continue;
        }
        if (!status)
            status = mdm_gemini_read(out, (const char *)reply.body.data, reply.body.size, dedicated, seconds);
        else
            break;
        if (status != MDM_ERR_INPUT || attempt == 2) /* half an answer: ask again */
            break;
        status = mdm_gemini_wait(g, 1 << attempt);
        if (status)
            break;
    }
    mdm_gemini_reply_free(&reply);
    return status ? mdm_fail_context(status, "%s", g->model) : MDM_OK;
}
