/* The bodies of generateContent: one for models made for transcription, one that asks any other model in words. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "stages/gemini_internal.h"

static const char ask[] =
    "Write down what is said in this recording, word for word and in the language spoken, with punctuation. Do not "
    "translate, summarise, comment or leave anything out. Give the start and end of each sentence as MM:SS from the "
    "beginning of the recording. Where nobody speaks, give an empty list.";

bool mdm_gemini_is_dedicated(const char *model)
{
    return strstr(model, "transcribe") != NULL;
}

static mdm_status base64(char **out, const mdm_buffer *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t groups = (bytes->size + 2) / 3;
    char *to = NULL;
    MDM_TRY(mdm_alloc(&to, groups * 4 + 1, 1, "sound for a request"));
    *out = to;
    for (size_t i = 0; i < bytes->size; i += 3, to += 4) {
        const size_t left = bytes->size - i;
        const unsigned group = (unsigned)bytes->data[i] << 16 | (left > 1 ? (unsigned)bytes->data[i + 1] << 8 : 0) |
                               (left > 2 ? (unsigned)bytes->data[i + 2] : 0);
        for (int k = 0; k < 4; k++)
            to[k] = digits[group >> (18 - 6 * k) & 63];
        if (left < 3)
            to[3] = '=';
        if (left < 2)
            to[2] = '=';
    }
    return MDM_OK;
}

/* The part with the sound, or with where it was uploaded to. */
static mdm_status sound_part(json_t **out, const mdm_buffer *flac, const char *uri)
{
    char *data = NULL;
    if (uri) {
        *out = json_pack("{s:{s:s, s:s}}", "fileData", "mimeType", "audio/flac", "fileUri", uri);
        return MDM_OK;
    }
    MDM_TRY(base64(&data, flac));
    *out = json_pack("{s:{s:s, s:s}}", "inlineData", "mimeType", "audio/flac", "data", data);
    mdm_wipe(data, strlen(data));
    mdm_free(&data);
    return MDM_OK;
}

static json_t *transcription_config(const mdm_gemini *g)
{
    json_t *config = json_pack("{s:b, s:b}", "wordTimestamp", 1, "diarization", 0);
    if (strcmp(g->language, "auto") != 0)
        json_object_set_new(config, "languageCodes", json_pack("[s]", g->language));
    return json_pack("{s:o}", "audioTranscriptionConfig", config);
}

static json_t *prompted_config(void)
{
    json_t *item =
        json_pack("{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}, s:[s, s, s]}", "type", "OBJECT", "properties", "start", "type",
                  "STRING", "end", "type", "STRING", "text", "type", "STRING", "required", "start", "end", "text");
    return json_pack("{s:i, s:i, s:s, s:{s:s, s:o}}", "temperature", 0, "maxOutputTokens", 8192, "responseMimeType",
                     "application/json", "responseSchema", "type", "ARRAY", "items", item);
}

mdm_status mdm_gemini_body(mdm_buffer *out, const mdm_gemini *g, const mdm_buffer *flac, const char *uri)
{
    const bool dedicated = mdm_gemini_is_dedicated(g->model);
    json_t *sound, *parts = json_array();
    mdm_status status = sound_part(&sound, flac, uri);
    if (!dedicated)
        json_array_append_new(parts, json_pack("{s:s}", "text", ask));
    json_array_append_new(parts, status ? json_null() : sound);
    json_t *root = json_pack("{s:[{s:s, s:o}], s:o}", "contents", "role", "user", "parts", parts, "generationConfig",
                             dedicated ? transcription_config(g) : prompted_config());
    char *text = status || !root ? NULL : json_dumps(root, JSON_COMPACT);
    if (!status)
        status =
            text ? mdm_buffer_append(out, text, strlen(text)) : mdm_fail(MDM_ERR_MEMORY, "no memory for a request");
    if (text)
        mdm_wipe(text, strlen(text));
    json_decref(root);
    free(text);
    return status;
}
