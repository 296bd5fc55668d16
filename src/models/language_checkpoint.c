/* The tensors of a LLaMA under two names, and how one becomes the other. */
#include "models/language_checkpoint.h"

#include <ggml.h>
#include <gguf.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/language_tokenizer.h"

/* ---- what there is ---- */

typedef struct tensor {
    char name[GGML_MAX_NAME]; /* in GGUF */
    enum ggml_type type;
    const mdm_array *array, *a, *b; /* a [rank, columns], b [rows, rank]: LoRA, or NULL */
    size_t rows, columns;
    int heads; /* whose rows are turned; 0: none are */
} tensor;

struct mdm_language_checkpoint {
    mdm_language_source source;
    struct gguf_context *head;
    struct ggml_context *shapes;
    tensor *tensor;
    size_t count, bytes;
    enum ggml_type matrix, output;
};

static const struct {
    const char *name;
    enum ggml_type matrix, output;
} precisions[] = {
    {"f32", GGML_TYPE_F32, GGML_TYPE_F32},    {"f16", GGML_TYPE_F16, GGML_TYPE_F16},
    {"q8_0", GGML_TYPE_Q8_0, GGML_TYPE_Q8_0}, {"q4_K", GGML_TYPE_Q4_K, GGML_TYPE_Q6_K},
    {"q4_0", GGML_TYPE_Q4_0, GGML_TYPE_Q6_K},
};

static mdm_status choose_types(mdm_language_checkpoint *c)
{
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (!strcmp(precisions[i].name, c->source.precision)) {
            c->matrix = precisions[i].matrix;
            c->output = precisions[i].output;
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_USAGE, "precision \"%s\": expected f32, f16, q8_0, q4_K or q4_0", c->source.precision);
}

/* The type, or the next larger one whose blocks fit into a row. */
static enum ggml_type fitting(enum ggml_type type, size_t columns)
{
    if (columns % (size_t)ggml_blck_size(type) == 0)
        return type;
    return columns % (size_t)ggml_blck_size(GGML_TYPE_Q8_0) == 0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
}

static mdm_status take(const mdm_array **out, mdm_language_checkpoint *c, const char *name, size_t rows, size_t columns)
{
    const mdm_array *a = mdm_weights_take(c->source.weights, name);
    const int rank = columns ? 2 : 1;
    if (!a)
        return mdm_fail(MDM_ERR_INPUT, "%s: no tensor \"%s\"; the model is not complete, or of another kind",
                        mdm_weights_path(c->source.weights), name);
    if (a->rank != rank || (rows && (size_t)a->shape[0] != rows) || (columns && (size_t)a->shape[rank - 1] != columns))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has shape %lld %lld, expected %zu %zu by config.json",
                        mdm_weights_path(c->source.weights), name, (long long)a->shape[0],
                        a->rank > 1 ? (long long)a->shape[1] : 0, rows, columns);
    *out = a;
    return MDM_OK;
}

/* "X.weight" may have "X.lora_A" and "X.lora_B" */
static mdm_status take_lora(tensor *t, mdm_language_checkpoint *c, const char *stem)
{
    char a[192], b[192];
    mdm_weights *w = c->source.weights;
    snprintf(a, sizeof a, "%s.lora_A", stem);
    snprintf(b, sizeof b, "%s.lora_B", stem);
    if (!mdm_weights_has(w, a) && !mdm_weights_has(w, b))
        return MDM_OK;
    if (!mdm_weights_has(w, a) || !mdm_weights_has(w, b))
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: only one half of the LoRA of \"%s\" is there: what it writes would be nonsense",
                        mdm_weights_path(w), stem);
    const mdm_array *half = NULL;
    t->a = mdm_weights_take(w, a);
    const size_t rank = t->a->rank == 2 ? (size_t)t->a->shape[0] : 0;
    if (!rank || (size_t)t->a->shape[1] != t->columns)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is no matrix of %zu columns", mdm_weights_path(w), a, t->columns);
    MDM_TRY(take(&half, c, b, t->rows, rank));
    t->b = half;
    return MDM_OK;
}

/* Adds PREFIX.weight of [rows][columns], or [rows] when columns is 0. */
static mdm_status add(mdm_language_checkpoint *c, const char *name, const char *stem, size_t rows, size_t columns,
                      int heads)
{
    char full[192];
    tensor *t = &c->tensor[c->count];
    const bool output = !strcmp(name, "output");
    snprintf(full, sizeof full, "%s.weight", stem);
    snprintf(t->name, sizeof t->name, "%s.weight", name);
    t->rows = rows;
    t->columns = columns ? columns : 1;
    t->heads = heads;
    MDM_TRY(take(&t->array, c, full, rows, columns));
    t->type = columns ? fitting(output ? c->output : c->matrix, columns) : GGML_TYPE_F32;
    if (columns)
        MDM_TRY(take_lora(t, c, stem));
    c->count++;
    struct ggml_tensor *shape = columns ? ggml_new_tensor_2d(c->shapes, t->type, (int64_t)columns, (int64_t)rows)
                                        : ggml_new_tensor_1d(c->shapes, t->type, (int64_t)rows);
    ggml_set_name(shape, t->name);
    gguf_add_tensor(c->head, shape);
    c->bytes += ggml_nbytes(shape);
    return MDM_OK;
}

static mdm_status add_block(mdm_language_checkpoint *c, int index)
{
    const mdm_llama_sizes *s = c->source.sizes;
    const size_t d = (size_t)s->width, keys = d / (size_t)s->heads * (size_t)s->key_heads, h = (size_t)s->hidden;
    const struct {
        const char *name, *stem;
        size_t rows, columns;
        int heads;
    } layers[] = {
        {"attn_norm", "input_layernorm", d, 0, 0},
        {"attn_q", "self_attn.q_proj", d, d, s->heads},
        {"attn_k", "self_attn.k_proj", keys, d, s->key_heads},
        {"attn_v", "self_attn.v_proj", keys, d, 0},
        {"attn_output", "self_attn.o_proj", d, d, 0},
        {"ffn_norm", "post_attention_layernorm", d, 0, 0},
        {"ffn_gate", "mlp.gate_proj", h, d, 0},
        {"ffn_up", "mlp.up_proj", h, d, 0},
        {"ffn_down", "mlp.down_proj", d, h, 0},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char name[GGML_MAX_NAME], stem[128];
        snprintf(name, sizeof name, "blk.%d.%s", index, layers[i].name);
        snprintf(stem, sizeof stem, "model.layers.%d.%s", index, layers[i].stem);
        MDM_TRY(add(c, name, stem, layers[i].rows, layers[i].columns, layers[i].heads));
    }
    return MDM_OK;
}

static mdm_status add_all(mdm_language_checkpoint *c)
{
    const mdm_llama_sizes *s = c->source.sizes;
    const size_t d = (size_t)s->width, words = (size_t)s->vocabulary;
    MDM_TRY(add(c, "token_embd", "model.embed_tokens", words, d, 0));
    for (int i = 0; i < s->layers; i++)
        MDM_TRY(add_block(c, i));
    MDM_TRY(add(c, "output_norm", "model.norm", d, 0, 0));
    MDM_TRY(add(c, "output", "lm_head", words, d, 0));
    return mdm_weights_all_taken(c->source.weights, "model.");
}

static void write_sizes(struct gguf_context *head, const mdm_llama_sizes *s)
{
    const struct {
        const char *key;
        int value;
    } wholes[] = {
        {"llama.context_length", s->context},
        {"llama.embedding_length", s->width},
        {"llama.block_count", s->layers},
        {"llama.feed_forward_length", s->hidden},
        {"llama.attention.head_count", s->heads},
        {"llama.attention.head_count_kv", s->key_heads},
        {"llama.rope.dimension_count", s->width / s->heads},
        {"llama.vocab_size", s->vocabulary},
    };
    gguf_set_val_str(head, "general.architecture", "llama");
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        gguf_set_val_u32(head, wholes[i].key, (uint32_t)wholes[i].value);
    gguf_set_val_f32(head, "llama.attention.layer_norm_rms_epsilon", (float)s->epsilon);
    gguf_set_val_f32(head, "llama.rope.freq_base", (float)s->rope_base);
}

static mdm_status fill_head(mdm_language_checkpoint *c)
{
    const size_t most = (size_t)c->source.sizes->layers * 9 + 3;
    MDM_TRY(choose_types(c));
    MDM_TRY(mdm_alloc(&c->tensor, most, sizeof *c->tensor, "tensors"));
    c->head = gguf_init_empty();
    c->shapes = ggml_init((struct ggml_init_params){.mem_size = ggml_tensor_overhead() * (most + 1), .no_alloc = true});
    if (!c->head || !c->shapes)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its head", c->source.folder);
    write_sizes(c->head, c->source.sizes);
    MDM_TRY(mdm_language_tokenizer_read(c->head, c->source.folder, c->source.sizes->vocabulary));
    return add_all(c);
}

mdm_status mdm_language_checkpoint_new(mdm_language_checkpoint **out, const mdm_language_source *source)
{
    mdm_language_checkpoint *c = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&c, 1, sizeof *c, "a checkpoint"));
    c->source = *source;
    mdm_status status = fill_head(c);
    if (status)
        mdm_language_checkpoint_free(&c);
    *out = c;
    return status;
}

void mdm_language_checkpoint_free(mdm_language_checkpoint **checkpoint)
{
    mdm_language_checkpoint *c = *checkpoint;
    if (!c)
        return;
    if (c->head)
        gguf_free(c->head);
    if (c->shapes)
        ggml_free(c->shapes);
    mdm_free(&c->tensor);
    mdm_free(checkpoint);
}

const char *mdm_language_checkpoint_path(const mdm_language_checkpoint *checkpoint)
{
    return checkpoint->source.folder;
}

struct gguf_context *mdm_language_checkpoint_head(mdm_language_checkpoint *checkpoint)
{
    return checkpoint->head;
}

size_t mdm_language_checkpoint_bytes(const mdm_language_checkpoint *checkpoint)
{
    return checkpoint->bytes;
}

/* ---- values ---- */

static mdm_status values_of(float **out, const mdm_array *array)
{
    const size_t count = mdm_array_count(array);
    MDM_TRY(mdm_alloc(out, count, sizeof **out, array->name));
    mdm_status status = mdm_array_to_f32(*out, count, array);
    if (status)
        mdm_free(out);
    return status;
}

/* values [rows][columns] += scale * b a */
static mdm_status add_lora(float *values, const tensor *t, double alpha)
{
    float *a = NULL, *b = NULL;
    const size_t rank = (size_t)t->a->shape[0];
    const float scale = (float)(alpha / (double)rank);
    mdm_status status = values_of(&a, t->a);
    if (!status)
        status = values_of(&b, t->b);
    for (size_t i = 0; i < t->rows && !status; i++)
        for (size_t k = 0; k < rank; k++) {
            const float factor = scale * b[i * rank + k];
            for (size_t j = 0; j < t->columns; j++)
                values[i * t->columns + j] += factor * a[k * t->columns + j];
        }
    mdm_free(&a);
    mdm_free(&b);
    return status;
}

/* transformers keeps a head's first halves of the rotated pairs before the second ones, libllama each pair together */
static mdm_status turn_heads(float **values, const tensor *t)
{
    const size_t wide = t->rows / (size_t)t->heads, row = t->columns;
    float *turned = NULL;
    MDM_TRY(mdm_alloc(&turned, t->rows * row, sizeof *turned, t->name));
    for (size_t i = 0; i < t->rows; i++) {
        const size_t in = i % wide, from = i - in + in % 2 * (wide / 2) + in / 2;
        memcpy(turned + i * row, *values + from * row, row * sizeof *turned);
    }
    mdm_free(values);
    *values = turned;
    return MDM_OK;
}

mdm_status mdm_language_checkpoint_fill(void *data, size_t size, mdm_language_checkpoint *checkpoint, const char *name)
{
    const tensor *t = NULL;
    float *values = NULL;
    for (size_t i = 0; i < checkpoint->count && !t; i++)
        t = !strcmp(checkpoint->tensor[i].name, name) ? &checkpoint->tensor[i] : NULL;
    if (!t || ggml_row_size(t->type, (int64_t)t->columns) * t->rows != size)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: libllama asks for %zu bytes of \"%s\"", checkpoint->source.folder, size,
                        name);
    MDM_TRY(values_of(&values, t->array));
    mdm_status status = t->a ? add_lora(values, t, checkpoint->source.lora_alpha) : MDM_OK;
    if (!status && t->heads)
        status = turn_heads(&values, t);
    if (!status && t->type == GGML_TYPE_F32)
        memcpy(data, values, size);
    else if (!status)
        ggml_quantize_chunk(t->type, values, data, 0, (int64_t)t->rows, (int64_t)t->columns, NULL);
    mdm_free(&values);
    return status;
}

/* ---- as a file ---- */

static mdm_status write_bytes(FILE *file, const void *data, size_t size, const char *path)
{
    return fwrite(data, 1, size, file) == size
               ? MDM_OK
               : mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", path);
}

static mdm_status write_tensor(FILE *file, mdm_language_checkpoint *c, const tensor *t, const char *path)
{
    static const unsigned char zeros[GGUF_DEFAULT_ALIGNMENT];
    const size_t size = ggml_row_size(t->type, (int64_t)t->columns) * t->rows;
    void *data = NULL;
    MDM_TRY(mdm_alloc(&data, size, 1, t->name));
    mdm_status status = mdm_language_checkpoint_fill(data, size, c, t->name);
    if (!status)
        status = write_bytes(file, data, size, path);
    if (!status)
        status = write_bytes(file, zeros,
                             (GGUF_DEFAULT_ALIGNMENT - size % GGUF_DEFAULT_ALIGNMENT) % GGUF_DEFAULT_ALIGNMENT, path);
    mdm_free(&data);
    return status;
}

static mdm_status write_all(FILE *file, mdm_language_checkpoint *c, const char *path)
{
    unsigned char *head = NULL;
    const size_t size = gguf_get_meta_size(c->head);
    MDM_TRY(mdm_alloc(&head, size, 1, "GGUF head"));
    gguf_get_meta_data(c->head, head);
    mdm_status status = write_bytes(file, head, size, path);
    mdm_free(&head);
    for (size_t i = 0; i < c->count && !status; i++)
        status = write_tensor(file, c, &c->tensor[i], path);
    return status;
}

mdm_status mdm_language_checkpoint_write(const char *path, mdm_language_checkpoint *checkpoint)
{
    char *temporary = NULL;
    MDM_TRY(mdm_temp_name(&temporary, path));
    FILE *file = fopen(temporary, "wb");
    mdm_status status =
        file ? write_all(file, checkpoint, path) : mdm_fail(MDM_ERR_WRITE, "%s: cannot be written", path);
    if (file && fclose(file) != 0 && !status)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", path);
    if (!status)
        status = mdm_temp_commit(temporary, path);
    else
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}
