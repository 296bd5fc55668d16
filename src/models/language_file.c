/* The keys and tensors that a LLaMA in GGUF must have. */
#include "models/language_file.h"

#include <ggml.h>
#include <gguf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

typedef struct looked {
    struct gguf_context *gguf;
    struct ggml_context *tensors;
    const char *path;
    int width, layers, hidden, heads, key_heads, context, vocabulary;
} looked;

static mdm_status whole(int *out, const looked *l, const char *key, int most)
{
    const int64_t id = gguf_find_key(l->gguf, key);
    const bool is = id >= 0 && gguf_get_kv_type(l->gguf, id) == GGUF_TYPE_UINT32;
    const uint32_t value = is ? gguf_get_val_u32(l->gguf, id) : 0;
    if (value < 1 || value > (uint32_t)most)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is %s, expected a whole number from 1 to %d", l->path, key,
                        is ? "out of range" : "missing", most);
    *out = (int)value;
    return MDM_OK;
}

static mdm_status check_word(const looked *l, const char *key, const char *expected)
{
    const int64_t id = gguf_find_key(l->gguf, key);
    const char *value =
        id >= 0 && gguf_get_kv_type(l->gguf, id) == GGUF_TYPE_STRING ? gguf_get_val_str(l->gguf, id) : "";
    return !strcmp(value, expected)
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is \"%s\", only \"%s\" is known", l->path, key, value, expected);
}

static mdm_status check_sizes(looked *l)
{
    const struct {
        int *out;
        const char *key;
        int most;
    } fields[] = {
        {&l->width, "llama.embedding_length", 1 << 14},     {&l->layers, "llama.block_count", 256},
        {&l->hidden, "llama.feed_forward_length", 1 << 17}, {&l->heads, "llama.attention.head_count", 256},
        {&l->context, "llama.context_length", 1 << 20},
    };
    MDM_TRY(check_word(l, "general.architecture", "llama"));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        MDM_TRY(whole(fields[i].out, l, fields[i].key, fields[i].most));
    l->key_heads = l->heads;
    if (gguf_find_key(l->gguf, "llama.attention.head_count_kv") >= 0)
        MDM_TRY(whole(&l->key_heads, l, "llama.attention.head_count_kv", l->heads));
    if (l->width % l->heads || l->heads % l->key_heads || l->width / l->heads % 2)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d heads (%d of keys) of a width of %d: cannot be", l->path, l->heads,
                        l->key_heads, l->width);
    return MDM_OK;
}

static mdm_status check_list(const looked *l, const char *key, enum gguf_type type, size_t *count)
{
    const int64_t id = gguf_find_key(l->gguf, key);
    const bool is =
        id >= 0 && gguf_get_kv_type(l->gguf, id) == GGUF_TYPE_ARRAY && gguf_get_arr_type(l->gguf, id) == type;
    const size_t n = is ? gguf_get_arr_n(l->gguf, id) : 0;
    if (n < 3 || n > (size_t)1 << 18 || (*count && n != *count))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is not a list with one entry a token", l->path, key);
    *count = n;
    return MDM_OK;
}

static mdm_status check_tokens(looked *l)
{
    static const char *const numbers[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                          "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.padding_token_id"};
    size_t count = 0;
    MDM_TRY(check_word(l, "tokenizer.ggml.model", "llama"));
    MDM_TRY(check_list(l, "tokenizer.ggml.tokens", GGUF_TYPE_STRING, &count));
    MDM_TRY(check_list(l, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, &count));
    MDM_TRY(check_list(l, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, &count));
    l->vocabulary = (int)count;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int64_t id = gguf_find_key(l->gguf, numbers[i]);
        if (id >= 0 && (gguf_get_kv_type(l->gguf, id) != GGUF_TYPE_UINT32 || gguf_get_val_u32(l->gguf, id) >= count))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is no number of its %zu tokens", l->path, numbers[i], count);
    }
    return MDM_OK;
}

/* columns 0: a vector */
static mdm_status check_tensor(const looked *l, const char *name, int rows, int columns)
{
    const struct ggml_tensor *t = ggml_get_tensor(l->tensors, name);
    const int64_t wide = columns ? columns : rows, high = columns ? rows : 1;
    if (!t || t->ne[0] != wide || t->ne[1] != high || t->ne[2] != 1 || t->ne[3] != 1)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is %s, expected %d x %d", l->path, name,
                        t ? "of another shape" : "missing", rows, columns ? columns : 1);
    return MDM_OK;
}

static mdm_status check_block(const looked *l, int index)
{
    const int d = l->width, keys = d / l->heads * l->key_heads;
    const struct {
        const char *name;
        int rows, columns;
    } layers[] = {{"attn_norm", d, 0},        {"attn_q", d, d},         {"attn_k", keys, d},
                  {"attn_v", keys, d},        {"attn_output", d, d},    {"ffn_norm", d, 0},
                  {"ffn_gate", l->hidden, d}, {"ffn_up", l->hidden, d}, {"ffn_down", d, l->hidden}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char name[GGML_MAX_NAME];
        snprintf(name, sizeof name, "blk.%d.%s.weight", index, layers[i].name);
        MDM_TRY(check_tensor(l, name, layers[i].rows, layers[i].columns));
    }
    return MDM_OK;
}

static mdm_status check_tensors(const looked *l)
{
    MDM_TRY(check_tensor(l, "token_embd.weight", l->vocabulary, l->width));
    MDM_TRY(check_tensor(l, "output_norm.weight", l->width, 0));
    MDM_TRY(check_tensor(l, "output.weight", l->vocabulary, l->width));
    for (int i = 0; i < l->layers; i++)
        MDM_TRY(check_block(l, i));
    return MDM_OK;
}

/* Every tensor's bytes are inside the file. */
static mdm_status check_extent(size_t *bytes, const looked *l)
{
    uint64_t size = 0;
    const size_t start = gguf_get_data_offset(l->gguf);
    MDM_TRY(mdm_file_size(&size, l->path));
    *bytes = 0;
    for (int64_t i = 0; i < gguf_get_n_tensors(l->gguf); i++) {
        const size_t at = start + gguf_get_tensor_offset(l->gguf, i), length = gguf_get_tensor_size(l->gguf, i);
        if (at < start || at > size || length > size - at)
            return mdm_fail(MDM_ERR_INPUT, "%s: ends before the values of \"%s\"; get it again", l->path,
                            gguf_get_tensor_name(l->gguf, i));
        *bytes += length;
    }
    return MDM_OK;
}

static mdm_status check(size_t *bytes, looked *l)
{
    MDM_TRY(check_sizes(l));
    MDM_TRY(check_tokens(l));
    MDM_TRY(check_tensors(l));
    return check_extent(bytes, l);
}

mdm_status mdm_language_file_check(size_t *bytes, const char *path)
{
    looked l = {.path = path};
    *bytes = 0;
    if (!mdm_file_exists(path))
        return mdm_fail(MDM_ERR_DEVICE, "%s is missing", path);
    l.gguf = gguf_init_from_file(path, (struct gguf_init_params){.no_alloc = true, .ctx = &l.tensors});
    if (!l.gguf)
        return mdm_fail(MDM_ERR_INPUT, "%s: not a GGUF file that ggml can read; get it again", path);
    const mdm_status status = check(bytes, &l);
    gguf_free(l.gguf);
    ggml_free(l.tensors);
    return status;
}
