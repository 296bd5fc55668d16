/* tokenizer.json to tokens, scores and kinds. The order of the merges becomes scores, by which libllama merges. */
#include "models/language_tokenizer.h"

#include <gguf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#define MAX_BYTES ((size_t)64 << 20)
#define SPACE     "\xe2\x96\x81" /* U+2581, which stands for a space */

enum kind { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, ADDED = 4, UNUSED = 5, BYTE = 6 }; /* as in GGUF */

typedef struct tokens {
    const char **text; /* [count], of the JSON, or of `pads` */
    float *score;
    int32_t *kind;
    int count;
    char (*pads)[16];
    const char *folder;
} tokens;

static mdm_status bad(const tokens *t, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s/tokenizer.json: %s; a LLaMA's byte-pair tokenizer is expected", t->folder, what);
}

static mdm_status put(tokens *t, const char *text, const json_t *id, int kind)
{
    const json_int_t i = json_integer_value(id);
    if (!json_is_integer(id) || i < 0 || i >= t->count)
        return mdm_fail(MDM_ERR_INPUT, "%s/tokenizer.json: token %lld of a network that knows %d", t->folder,
                        (long long)i, t->count);
    t->text[i] = text;
    t->kind[i] = kind;
    return MDM_OK;
}

static int kind_of(const char *text, const char *unknown)
{
    unsigned value;
    char end;
    if (unknown && !strcmp(text, unknown))
        return UNKNOWN;
    return strlen(text) == 6 && sscanf(text, "<0x%2X%c", &value, &end) == 2 && end == '>' ? BYTE : NORMAL;
}

static mdm_status read_vocabulary(tokens *t, const json_t *model)
{
    const char *text, *unknown = json_string_value(json_object_get(model, "unk_token"));
    const json_t *vocabulary = json_object_get(model, "vocab");
    json_t *id;
    if (!json_is_object(vocabulary) || !json_is_true(json_object_get(model, "byte_fallback")))
        return bad(t, "no \"vocab\" with \"byte_fallback\"");
    json_object_foreach((json_t *)(uintptr_t)vocabulary, text, id) MDM_TRY(put(t, text, id, kind_of(text, unknown)));
    return MDM_OK;
}

static mdm_status read_added(tokens *t, const json_t *root)
{
    const json_t *list = json_object_get(root, "added_tokens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *text = json_string_value(json_object_get(one, "content"));
        const bool special = json_is_true(json_object_get(one, "special"));
        if (!text)
            return bad(t, "an added token without \"content\"");
        const json_int_t id = json_integer_value(json_object_get(one, "id"));
        const bool unknown = id >= 0 && id < t->count && t->kind[id] == UNKNOWN;
        MDM_TRY(put(t, text, json_object_get(one, "id"), unknown ? UNKNOWN : special ? CONTROL : ADDED));
    }
    return MDM_OK;
}

/* "a b" or ["a","b"] -> "ab" */
static bool merged(char *out, size_t size, const json_t *merge)
{
    const char *a = json_string_value(json_array_get(merge, 0)), *b = json_string_value(json_array_get(merge, 1)),
               *both = json_string_value(merge), *gap = both ? strchr(both, ' ') : NULL;
    const int length = a && b ? snprintf(out, size, "%s%s", a, b)
                       : gap  ? snprintf(out, size, "%.*s%s", (int)(gap - both), both, gap + 1)
                              : -1;
    return length > 0 && (size_t)length < size;
}

/* The earlier a token is merged, the higher its score. */
static mdm_status read_merges(tokens *t, const json_t *model)
{
    const json_t *merges = json_object_get(model, "merges"), *vocabulary = json_object_get(model, "vocab");
    char text[1024];
    if (!json_is_array(merges))
        return bad(t, "no \"merges\"");
    for (size_t i = json_array_size(merges); i-- > 0;) { /* backwards: the first of several counts */
        const json_t *id =
            merged(text, sizeof text, json_array_get(merges, i)) ? json_object_get(vocabulary, text) : NULL;
        if (!id)
            return mdm_fail(MDM_ERR_INPUT, "%s/tokenizer.json: merge %zu makes no token of the vocabulary", t->folder,
                            i);
        t->score[json_integer_value(id)] = -(float)(i + 1);
    }
    return MDM_OK;
}

/* Whether one of a list of normalizers and the like is of this type; NULL when none is. */
static const json_t *part_of(const json_t *part, const char *list, const char *type)
{
    const char *own = json_string_value(json_object_get(part, "type"));
    const json_t *inner = json_object_get(part, list);
    if (own && !strcmp(own, type))
        return part;
    for (size_t i = 0; i < json_array_size(inner); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(inner, i), "type"));
        if (name && !strcmp(name, type))
            return json_array_get(inner, i);
    }
    return NULL;
}

/* Spaces become U+2581, and one may be put before a text: `*before` every part of it, `*first` only its begin. */
static mdm_status read_spaces(bool *before, bool *first, const tokens *t, const json_t *root)
{
    const json_t *normal = json_object_get(root, "normalizer"), *split = json_object_get(root, "pre_tokenizer");
    const json_t *meta = part_of(split, "pretokenizers", "Metaspace"),
                 *replace = part_of(normal, "normalizers", "Replace");
    const char *scheme = json_string_value(json_object_get(meta, "prepend_scheme")),
               *space = json_string_value(json_object_get(meta ? meta : replace, meta ? "replacement" : "content"));
    if (!space || strcmp(space, SPACE) != 0)
        return bad(t, "spaces are not written as U+2581");
    *before = meta ? scheme && !strcmp(scheme, "always") : part_of(normal, "normalizers", "Prepend") != NULL;
    *first = scheme && !strcmp(scheme, "first");
    return MDM_OK;
}

static void name_unused(tokens *t)
{
    for (int i = 0; i < t->count; i++) {
        if (t->text[i])
            continue;
        snprintf(t->pads[i], sizeof t->pads[i], "[PAD%d]", i);
        t->text[i] = t->pads[i];
        t->kind[i] = UNUSED;
    }
}

/* "bos_token": its number, or -1. It is a text or an object with one. */
static int special_token(const tokens *t, const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    for (int i = 0; text && i < t->count; i++)
        if (!strcmp(t->text[i], text))
            return i;
    return -1;
}

static void write_keys(struct gguf_context *out, const tokens *t, const bool spaces[2], const json_t *config)
{
    const int begin = special_token(t, config, "bos_token"), end = special_token(t, config, "eos_token"),
              unknown = special_token(t, config, "unk_token");
    const json_t *adds = json_object_get(config, "add_bos_token");
    gguf_set_val_str(out, "tokenizer.ggml.model", "llama");
    gguf_set_arr_str(out, "tokenizer.ggml.tokens", t->text, (size_t)t->count);
    gguf_set_arr_data(out, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, t->score, (size_t)t->count);
    gguf_set_arr_data(out, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, t->kind, (size_t)t->count);
    if (begin >= 0)
        gguf_set_val_u32(out, "tokenizer.ggml.bos_token_id", (uint32_t)begin);
    if (end >= 0)
        gguf_set_val_u32(out, "tokenizer.ggml.eos_token_id", (uint32_t)end);
    if (unknown >= 0)
        gguf_set_val_u32(out, "tokenizer.ggml.unknown_token_id", (uint32_t)unknown);
    gguf_set_val_bool(out, "tokenizer.ggml.add_bos_token", begin >= 0 && !json_is_false(adds));
    gguf_set_val_bool(out, "tokenizer.ggml.add_eos_token", false);
    gguf_set_val_bool(out, "tokenizer.ggml.add_space_prefix", spaces[0]);
    gguf_set_val_bool(out, "mmdm.space_first", spaces[1]);
}

static mdm_status read_tokens(struct gguf_context *out, tokens *t, const json_t *root, const json_t *config)
{
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    bool spaces[2] = {false, false};
    if (!type || strcmp(type, "BPE") != 0)
        return bad(t, "its \"model\" is not of \"type\" \"BPE\"");
    MDM_TRY(read_spaces(&spaces[0], &spaces[1], t, root));
    MDM_TRY(read_vocabulary(t, model));
    MDM_TRY(read_merges(t, model));
    MDM_TRY(read_added(t, root));
    name_unused(t);
    write_keys(out, t, spaces, config);
    return MDM_OK;
}

mdm_status mdm_language_tokenizer_read(struct gguf_context *out, const char *folder, int vocabulary)
{
    tokens t = {.count = vocabulary, .folder = folder};
    json_t *root = NULL, *config = NULL;
    const size_t n = (size_t)vocabulary;
    mdm_status status = mdm_json_load_from(&root, folder, "tokenizer.json", MAX_BYTES);
    if (!status)
        status = mdm_json_load_from(&config, folder, "tokenizer_config.json", (size_t)4 << 20);
    if (!status)
        status = mdm_alloc(&t.text, n, sizeof *t.text, "tokens");
    if (!status)
        status = mdm_alloc(&t.score, n, sizeof *t.score, "tokens");
    if (!status)
        status = mdm_alloc(&t.kind, n, sizeof *t.kind, "tokens");
    if (!status)
        status = mdm_alloc(&t.pads, n, sizeof *t.pads, "tokens");
    if (!status)
        status = read_tokens(out, &t, root, config);
    mdm_free(&t.text);
    mdm_free(&t.score);
    mdm_free(&t.kind);
    mdm_free(&t.pads);
    json_decref(root);
    json_decref(config);
    return status;
}
