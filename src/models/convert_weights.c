/* Weights into a GGUF file: ggml's own writer makes the head, the tensors follow one by one. */
#include "models/convert_weights.h"

#include <ggml.h>
#include <gguf.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/short_names.h"

typedef struct converter {
    mdm_weights *from;
    mdm_store store;
    const char *const *meta;
    struct ggml_context *context; /* shapes only */
    struct gguf_context *gguf;
    FILE *file;
    const char *path;
} converter;

static bool is_weight(const mdm_array *a)
{
    switch (a->dtype) {
    case MDM_F32:
    case MDM_F16:
    case MDM_BF16:
    case MDM_F64:
    case MDM_Q8_0:
    case MDM_Q4_0:
        return true;
    default:
        return false;
    }
}

static enum ggml_type type_of(const mdm_array *a, mdm_store store)
{
    static const enum ggml_type matrix[] = {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0};
    if (a->rank < 2 || store == MDM_STORE_F32)
        return GGML_TYPE_F32;
    return a->rank == 2 && a->shape[1] % 32 == 0 ? matrix[store] : GGML_TYPE_F16;
}

static mdm_status short_name(char out[GGML_MAX_NAME], const mdm_array *a, const char *path)
{
    return mdm_name_shorten(out, GGML_MAX_NAME, a->name)
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is too long a name for GGUF (at most %d characters)", path,
                          a->name, GGML_MAX_NAME - 1);
}

/* ---- the head ---- */

static mdm_status announce(converter *c, const mdm_array *a)
{
    int64_t ne[4] = {1, 1, 1, 1};
    char name[GGML_MAX_NAME];
    if (a->rank > 4 || !mdm_array_count(a))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %d axes or no values", c->path, a->name, a->rank);
    MDM_TRY(short_name(name, a, c->path));
    for (int i = 0; i < a->rank; i++)
        ne[i] = a->shape[a->rank - 1 - i];
    struct ggml_tensor *t = ggml_new_tensor(c->context, type_of(a, c->store), a->rank ? a->rank : 1, ne);
    ggml_set_name(t, name);
    if (gguf_find_tensor(c->gguf, name) >= 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: there are two tensors \"%s\"", c->path, name);
    gguf_add_tensor(c->gguf, t);
    return MDM_OK;
}

static mdm_status write_head(converter *c)
{
    unsigned char *head = NULL;
    gguf_set_val_str(c->gguf, "general.architecture", "mmdm-weights");
    for (const char *const *pair = c->meta; pair && *pair; pair += 2)
        gguf_set_val_str(c->gguf, pair[0], pair[1]);
    for (size_t i = 0; i < mdm_weights_count(c->from); i++)
        if (is_weight(mdm_weights_at(c->from, i)))
            MDM_TRY(announce(c, mdm_weights_at(c->from, i)));
    const size_t size = gguf_get_meta_size(c->gguf);
    MDM_TRY(mdm_alloc(&head, size, 1, "GGUF head"));
    gguf_get_meta_data(c->gguf, head);
    const bool written = fwrite(head, 1, size, c->file) == size;
    mdm_free(&head);
    return written ? MDM_OK : mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", c->path);
}

/* ---- the tensors ---- */

static mdm_status write_tensor(converter *c, const mdm_array *a)
{
    static const unsigned char zeros[GGUF_DEFAULT_ALIGNMENT];
    const enum ggml_type type = type_of(a, c->store);
    const size_t count = mdm_array_count(a), row = a->rank ? (size_t)a->shape[a->rank - 1] : 1;
    const size_t bytes = ggml_row_size(type, (int64_t)row) * (count / row);
    const size_t padding = (GGUF_DEFAULT_ALIGNMENT - bytes % GGUF_DEFAULT_ALIGNMENT) % GGUF_DEFAULT_ALIGNMENT;
    float *values = NULL;
    void *converted = NULL;
    mdm_status status = mdm_alloc(&values, count, sizeof *values, a->name);
    if (!status)
        status = mdm_array_to_f32(values, count, a);
    if (!status && type != GGML_TYPE_F32)
        status = mdm_alloc(&converted, bytes, 1, a->name);
    if (!status && converted)
        ggml_quantize_chunk(type, values, converted, 0, (int64_t)(count / row), (int64_t)row, NULL);
    if (!status && (fwrite(converted ? converted : values, 1, bytes, c->file) != bytes ||
                    fwrite(zeros, 1, padding, c->file) != padding))
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", c->path);
    mdm_free(&values);
    mdm_free(&converted);
    return status;
}

static mdm_status write_all(converter *c)
{
    MDM_TRY(write_head(c));
    for (size_t i = 0; i < mdm_weights_count(c->from); i++)
        if (is_weight(mdm_weights_at(c->from, i)))
            MDM_TRY(write_tensor(c, mdm_weights_at(c->from, i)));
    return MDM_OK;
}

static mdm_status write_file(converter *c, const char *temporary)
{
    struct ggml_init_params params = {.mem_size = ggml_tensor_overhead() * (mdm_weights_count(c->from) + 1),
                                      .no_alloc = true};
    c->context = ggml_init(params);
    c->gguf = gguf_init_empty();
    c->file = fopen(temporary, "wb");
    mdm_status status = !c->context || !c->gguf ? mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its head", c->path)
                        : !c->file              ? mdm_fail(MDM_ERR_WRITE, "%s: cannot be written", c->path)
                                                : write_all(c);
    if (c->file && fclose(c->file) != 0 && !status)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", c->path);
    if (c->gguf)
        gguf_free(c->gguf);
    if (c->context)
        ggml_free(c->context);
    return status;
}

mdm_status mdm_convert_opened(const char *to, mdm_weights *from, mdm_store store, const char *const *meta)
{
    converter c = {.from = from, .store = store, .meta = meta, .path = to};
    char *temporary = NULL;
    MDM_TRY(mdm_temp_name(&temporary, to));
    mdm_status status = write_file(&c, temporary);
    if (!status)
        status = mdm_temp_commit(temporary, to);
    else
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}

mdm_status mdm_convert_weights(const char *to, const char *from, mdm_store store)
{
    mdm_weights *weights = NULL;
    MDM_TRY(mdm_weights_open(&weights, from));
    mdm_status status = mdm_convert_opened(to, weights, store, NULL);
    mdm_weights_free(&weights);
    return status;
}
