/* Reading Whisper's vocabulary. Three of its files write bytes as GPT-2 does, as printable characters; the fourth writes them as Base64. */
#include "models/whisper_vocabulary.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { MAX_TOKEN = 512 };
#define MAX_FILE ((size_t)16 << 20)

typedef struct reading {
    mdm_buffer *out;
    const char *path;
    int tokens, byte_of[512];
} reading;

/* GPT-2's printable stand-ins for bytes: printable Latin-1 stands for itself, the rest are numbered from U+0100. */
static void byte_table(int byte_of[512])
{
    for (int i = 0; i < 512; i++)
        byte_of[i] = -1;
    int next = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool self = (byte >= 33 && byte < 127) || (byte >= 161 && byte < 173) || byte >= 174;
        byte_of[self ? byte : next++] = byte;
    }
}

static mdm_status put_token(const reading *r, const unsigned char *bytes, size_t size)
{
    const int32_t length = (int32_t)size;
    MDM_TRY(mdm_buffer_append(r->out, &length, sizeof length));
    return mdm_buffer_append(r->out, bytes, size);
}

/* A token of stand-ins. */
static mdm_status put_written(const reading *r, const char *text, size_t size, int token)
{
    unsigned char bytes[MAX_TOKEN];
    size_t length = 0;
    if (size > 2 * MAX_TOKEN)
        return mdm_fail(MDM_ERR_INPUT, "%s: token %d is of %zu characters", r->path, token, size);
    for (size_t i = 0; i < size && length < MAX_TOKEN; i++) {
        int code = (unsigned char)text[i];
        if (code >= 0xC0 && code < 0xE0 && i + 1 < size)
            code = (code & 0x1F) << 6 | ((unsigned char)text[++i] & 0x3F);
        if (code >= 512 || r->byte_of[code] < 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: token %d holds a character that stands for no byte", r->path, token);
        bytes[length++] = (unsigned char)r->byte_of[code];
    }
    return put_token(r, bytes, length);
}

static mdm_status too_few(const reading *r, int there)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: %d tokens, expected at least %d", r->path, there, r->tokens);
}

/* ---- one token a line ---- */

typedef mdm_status (*line_reader)(const reading *r, const char *line, size_t size, int token);

/* "IQ== 0": Base64, and the token's number, which is the line's. */
static mdm_status put_base64(const reading *r, const char *line, size_t size, int token)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[MAX_TOKEN];
    size_t length = 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < size && line[i] != ' ' && line[i] != '=' && length < MAX_TOKEN; i++) {
        const char *digit = line[i] ? strchr(digits, line[i]) : NULL;
        if (!digit)
            return mdm_fail(MDM_ERR_INPUT, "%s: line %d is not Base64", r->path, token + 1);
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[length++] = (unsigned char)(bits >> have & 0xFF);
        }
    }
    return put_token(r, bytes, length);
}

static mdm_status read_lines(const reading *r, line_reader put)
{
    unsigned char *text = NULL;
    size_t size = 0, at = 0;
    MDM_TRY(mdm_file_read(&text, &size, r->path, MAX_FILE));
    mdm_status status = MDM_OK;
    for (int token = 0; status == MDM_OK && token < r->tokens; token++) {
        if (at >= size) {
            status = too_few(r, token);
            break;
        }
        const unsigned char *end = memchr(text + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - (text + at)) : size - at;
        status = put(r, (const char *)text + at, length, token);
        at += length + 1;
    }
    mdm_free(&text);
    return status;
}

static mdm_status read_text(const reading *r)
{
    return read_lines(r, put_written);
}

static mdm_status read_tiktoken(const reading *r)
{
    return read_lines(r, put_base64);
}

/* ---- JSON ---- */

static mdm_status read_array(const reading *r, const json_t *root)
{
    for (int token = 0; token < r->tokens; token++) {
        const json_t *text = json_array_get(root, (size_t)token);
        if (!json_is_string(text))
            return too_few(r, token);
        MDM_TRY(put_written(r, json_string_value(text), json_string_length(text), token));
    }
    return MDM_OK;
}

/* {"token": number}: turned round first. The numbers from `tokens` on are not text. */
static mdm_status read_object(const reading *r, json_t *root)
{
    const char **text = NULL, *key;
    json_t *number;
    MDM_TRY(mdm_alloc(&text, (size_t)r->tokens, sizeof *text, "vocabulary"));
    json_object_foreach(root, key, number)
    {
        const json_int_t token = json_is_integer(number) ? json_integer_value(number) : -1;
        if (token >= 0 && token < r->tokens)
            text[token] = key;
    }
    mdm_status status = MDM_OK;
    for (int token = 0; status == MDM_OK && token < r->tokens; token++) /* the last of all languages is the empty one */
        status = text[token] || token == r->tokens - 1
                     ? put_written(r, text[token] ? text[token] : "", text[token] ? strlen(text[token]) : 0, token)
                     : too_few(r, token);
    mdm_free(&text);
    return status;
}

static mdm_status read_json(const reading *r)
{
    json_t *root;
    MDM_TRY(mdm_json_load(&root, r->path, MAX_FILE));
    mdm_status status = json_is_array(root)    ? read_array(r, root)
                        : json_is_object(root) ? read_object(r, root)
                                               : mdm_fail(MDM_ERR_INPUT, "%s: no list of tokens", r->path);
    json_decref(root);
    return status;
}

mdm_status mdm_whisper_vocabulary(mdm_buffer *out, const char *folder, int tokens)
{
    const struct {
        const char *name;
        mdm_status (*read)(const reading *r);
    } files[] = {
        {"vocabulary.txt", read_text},
        {"vocabulary.json", read_json},
        {"vocab.json", read_json},
        {tokens > 50256 ? "multilingual.tiktoken" : "gpt2.tiktoken", read_tiktoken},
    };
    reading r = {.out = out, .tokens = tokens};
    byte_table(r.byte_of);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = NULL;
        MDM_TRY(mdm_join_path(&path, folder, files[i].name));
        const bool there = mdm_file_exists(path);
        r.path = path;
        mdm_status status = there ? files[i].read(&r) : MDM_OK;
        mdm_free(&path);
        if (there)
            return status;
    }
    return mdm_fail(MDM_ERR_INPUT,
                    "%s: no vocabulary beside the weights: expected vocabulary.txt, vocabulary.json, vocab.json or %s",
                    folder, files[3].name);
}
