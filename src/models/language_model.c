/* libllama behind a small interface. It reports by log lines: the last error of a call becomes our message. */
#include "models/language_model.h"

#include <ggml-backend.h>
#include <llama.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory_room.h"
#include "models/language_file.h"
#include "nn/gpu.h"

enum { BATCH = 512 }; /* positions in one pass */

struct mdm_language_model {
    char name[256]; /* for messages */
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocabulary;
    const mdm_progress *progress; /* of the call in progress */
    int position, room;
    bool space_first; /* a text begins with a space, its later parts do not (language_tokenizer.c) */
};

/* ---- opening ---- */

static _Thread_local char last_error[256];

static void keep_errors(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR && strncmp(text, "llama_model_load_from_file_impl", 31) != 0)
        snprintf(last_error, sizeof last_error, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool stop_asked(void *user)
{
    const mdm_language_model *m = user;
    return m->progress && !mdm_progress_update(m->progress, 0, 0);
}

static struct llama_model_params model_parameters(void)
{
    static ggml_backend_dev_t none[1] = {NULL};
    struct llama_model_params p = llama_model_default_params();
    last_error[0] = 0;
    llama_log_set(keep_errors, NULL);
    p.n_gpu_layers = mdm_gpu_used() ? 999 : 0;
    if (!mdm_gpu_used())
        p.devices = none;
    p.check_tensors = true;
    return p;
}

static mdm_status set_up(mdm_language_model *m, const mdm_language_options *options)
{
    struct llama_context_params p = llama_context_default_params();
    if (!m->model)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s", m->name, *last_error ? last_error : "cannot be loaded");
    char space[8] = "";
    m->vocabulary = llama_model_get_vocab(m->model);
    llama_model_meta_val_str(m->model, "mmdm.space_first", space, sizeof space);
    m->space_first = !strcmp(space, "true");
    const int trained = llama_model_n_ctx_train(m->model);
    m->room = options->context < trained ? options->context : trained;
    p.n_ctx = (uint32_t)m->room;
    p.n_batch = p.n_ubatch = BATCH;
    p.n_threads = p.n_threads_batch = options->threads;
    p.no_perf = true;
    if (options->exact)
        p.type_k = p.type_v = GGML_TYPE_F32, p.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    p.abort_callback = stop_asked;
    p.abort_callback_data = m;
    m->context = llama_init_from_model(m->model, p);
    return m->context ? MDM_OK
                      : mdm_fail(MDM_ERR_MEMORY, "%s: no room for %d positions: %s", m->name, m->room, last_error);
}

static mdm_status new_model(mdm_language_model **out, const char *name)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "a language model"));
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return MDM_OK;
}

mdm_status mdm_language_model_open(mdm_language_model **out, const char *path, const mdm_language_options *options)
{
    mdm_language_model *m = NULL;
    size_t bytes = 0;
    *out = NULL;
    MDM_TRY(mdm_language_file_check(&bytes, path));
    if (!mdm_gpu_used())
        MDM_TRY(mdm_memory_fits(bytes, path, "convert the model to q8_0 or q4_K (mmdm models convert)"));
    MDM_TRY(new_model(&m, path));
    m->model = llama_model_load_from_file(path, model_parameters());
    mdm_status status = set_up(m, options);
    if (status)
        mdm_language_model_free(&m);
    *out = m;
    return status;
}

typedef struct filling {
    mdm_language_checkpoint *checkpoint;
    mdm_status status;
    char message[512];
} filling;

/* Without a file, libllama makes room also for what LLaMAs may have but these do not: biases, scales, changed frequencies. These are
 * the values that change nothing. */
static bool is_neutral(float *value, const char *name)
{
    const char *dot = strrchr(name, '.'), *end = dot ? dot : "";
    const bool one = !strcmp(end, ".scale") || !strcmp(end, ".input_scale") || !strncmp(name, "rope_freqs.", 11);
    *value = one ? 1 : 0;
    return one || !strcmp(end, ".bias");
}

/* libllama made the tensor; its values go there. */
static void fill(struct ggml_tensor *tensor, void *user)
{
    filling *f = user;
    float *data = NULL, neutral = 0;
    const size_t size = ggml_nbytes(tensor);
    const char *name = ggml_get_name(tensor);
    if (f->status)
        return;
    f->status = mdm_alloc(&data, size, 1, name);
    if (!f->status && tensor->type == GGML_TYPE_F32 && is_neutral(&neutral, name))
        for (size_t i = 0; i < size / sizeof *data; i++)
            data[i] = neutral;
    else if (!f->status)
        f->status = mdm_language_checkpoint_fill(data, size, f->checkpoint, name);
    if (!f->status)
        ggml_backend_tensor_set(tensor, data, 0, size);
    else
        snprintf(f->message, sizeof f->message, "%s", mdm_error_message());
    mdm_free(&data);
}

mdm_status mdm_language_model_take(mdm_language_model **out, mdm_language_checkpoint *checkpoint,
                                   const mdm_language_options *options)
{
    mdm_language_model *m = NULL;
    filling f = {.checkpoint = checkpoint};
    const char *name = mdm_language_checkpoint_path(checkpoint);
    *out = NULL;
    if (!mdm_gpu_used())
        MDM_TRY(mdm_memory_fits(mdm_language_checkpoint_bytes(checkpoint), name,
                                "--precision q8_0 or q4_K takes less; mmdm models convert makes such a file"));
    MDM_TRY(new_model(&m, name));
    m->model = llama_model_init_from_user(mdm_language_checkpoint_head(checkpoint), fill, &f, model_parameters());
    mdm_status status = f.status ? mdm_fail(f.status, "%s", f.message) : set_up(m, options);
    if (status)
        mdm_language_model_free(&m);
    *out = m;
    return status;
}

void mdm_language_model_free(mdm_language_model **model)
{
    mdm_language_model *m = *model;
    if (!m)
        return;
    if (m->context)
        llama_free(m->context);
    if (m->model)
        llama_model_free(m->model);
    mdm_free(model);
}

int mdm_language_model_width(const mdm_language_model *model)
{
    return llama_model_n_embd(model->model);
}

int mdm_language_model_vocabulary(const mdm_language_model *model)
{
    return llama_vocab_n_tokens(model->vocabulary);
}

/* ---- reading ---- */

/* Whether this tokenizer puts a space before `text`: not before one that there is, nor before a special token. */
static bool begins_with_space(const mdm_language_model *m, const char *text, bool special)
{
    int32_t first[72];
    const int32_t length = (int32_t)(strlen(text) < 64 ? strlen(text) : 64);
    if (!m->space_first || !*text || *text == ' ')
        return false;
    const int32_t made = llama_tokenize(m->vocabulary, text, length, first, 72, false, special);
    return made < 1 || !(llama_vocab_get_attr(m->vocabulary, first[0]) & LLAMA_TOKEN_ATTR_CONTROL);
}

mdm_status mdm_language_model_tokens(int32_t **ids, size_t *count, const mdm_language_model *model, const char *text,
                                     bool begin, bool special)
{
    char *whole = NULL;
    *ids = NULL;
    if (strlen(text) > (size_t)1 << 20)
        return mdm_fail(MDM_ERR_INPUT, "a text of %zu bytes is too long to be read by a language model", strlen(text));
    MDM_TRY(mdm_format(&whole, "%s%s", begin && begins_with_space(model, text, special) ? " " : "", text));
    const size_t length = strlen(whole), room = length + 8;
    int32_t made = 0;
    mdm_status status = mdm_alloc(ids, room, sizeof **ids, "tokens");
    if (!status)
        made = llama_tokenize(model->vocabulary, whole, (int32_t)length, *ids, (int32_t)room, begin, special);
    mdm_free(&whole);
    if (made < 0) {
        mdm_free(ids);
        return mdm_fail(MDM_ERR_INPUT, "%s: its tokenizer makes %d tokens of %zu bytes", model->name, (int)-made,
                        length);
    }
    *count = (size_t)made;
    return status;
}

int mdm_language_model_position(const mdm_language_model *model)
{
    return model->position;
}

void mdm_language_model_forget(mdm_language_model *model, int count)
{
    if (count >= model->position)
        return;
    llama_memory_seq_rm(llama_get_memory(model->context), 0, count, -1);
    model->position = count;
}

/* One pass over at most BATCH positions. */
static mdm_status pass(mdm_language_model *m, struct llama_batch batch)
{
    const int code = llama_decode(m->context, batch);
    if (code == 2)
        return mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", m->name);
    if (code)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: libllama cannot read on (%d): %s", m->name, code, last_error);
    m->position += batch.n_tokens;
    return MDM_OK;
}

static mdm_status check_space(const mdm_language_model *m, size_t count)
{
    return count <= (size_t)(m->room - m->position)
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "%s: %zu positions more than the %d read do not fit into its %d", m->name,
                          count, m->position, m->room);
}

static mdm_status read_on(mdm_language_model *m, const int32_t *ids, const float *vectors, size_t count,
                          const mdm_progress *progress)
{
    const size_t width = (size_t)mdm_language_model_width(m);
    mdm_status status = check_space(m, count);
    m->progress = progress;
    for (size_t done = 0; done < count && !status; done += BATCH) {
        const size_t n = count - done < BATCH ? count - done : BATCH;
        /* libllama takes pointers to what it only reads */
        struct llama_batch batch = {.n_tokens = (int32_t)n,
                                    .token = ids ? (int32_t *)(uintptr_t)(ids + done) : NULL,
                                    .embd = ids ? NULL : (float *)(uintptr_t)(vectors + done * width)};
        status = pass(m, batch);
        if (!status && progress && !mdm_progress_update(progress, 0, 0))
            status = mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", m->name);
    }
    m->progress = NULL;
    return status;
}

mdm_status mdm_language_model_read(mdm_language_model *model, const int32_t *ids, size_t count,
                                   const mdm_progress *progress)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= mdm_language_model_vocabulary(model))
            return mdm_fail(MDM_ERR_INPUT, "%s: token %d of a vocabulary of %d", model->name, (int)ids[i],
                            mdm_language_model_vocabulary(model));
    return read_on(model, ids, NULL, count, progress);
}

mdm_status mdm_language_model_read_vectors(mdm_language_model *model, const float *vectors, size_t count,
                                           const mdm_progress *progress)
{
    return read_on(model, NULL, vectors, count, progress);
}

const float *mdm_language_model_logits(mdm_language_model *model)
{
    return llama_get_logits_ith(model->context, -1);
}

/* ---- writing ---- */

static mdm_status make_sampler(struct llama_sampler **out, const mdm_language_model *m, const mdm_writing *w)
{
    struct llama_sampler *chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
    *out = chain;
    if (w->grammar) {
        struct llama_sampler *grammar = llama_sampler_init_grammar(m->vocabulary, w->grammar, "root");
        if (!grammar)
            return mdm_fail(MDM_ERR_INTERNAL, "a grammar that libllama cannot read: %s", last_error);
        llama_sampler_chain_add(chain, grammar);
    }
    if (w->temperature > 0) {
        if (w->top_p < 1)
            llama_sampler_chain_add(chain, llama_sampler_init_top_p((float)w->top_p, 1));
        llama_sampler_chain_add(chain, llama_sampler_init_temp((float)w->temperature));
        llama_sampler_chain_add(chain, llama_sampler_init_dist(w->seed));
    } else {
        llama_sampler_chain_add(chain, llama_sampler_init_greedy());
    }
    return MDM_OK;
}

static mdm_status append_piece(mdm_buffer *text, const mdm_language_model *m, int32_t token)
{
    char piece[512];
    const int32_t length = llama_token_to_piece(m->vocabulary, token, piece, sizeof piece, 0, false);
    return length > 0 ? mdm_buffer_append(text, piece, (size_t)length) : MDM_OK;
}

static mdm_status write_tokens(mdm_buffer *text, int32_t *ids, int *count, mdm_language_model *m,
                               struct llama_sampler *sampler, const mdm_writing *w)
{
    for (int i = 0; i < w->most && m->position < m->room; i++) {
        int32_t token = llama_sampler_sample(sampler, m->context, -1);
        if (llama_vocab_is_eog(m->vocabulary, token))
            break;
        if (ids)
            ids[i] = token;
        if (count)
            *count = i + 1;
        MDM_TRY(append_piece(text, m, token));
        MDM_TRY(mdm_language_model_read(m, &token, 1, w->progress));
    }
    return MDM_OK;
}

mdm_status mdm_language_model_write(mdm_buffer *text, int32_t *ids, int *count, mdm_language_model *model,
                                    const mdm_writing *writing)
{
    struct llama_sampler *sampler = NULL;
    if (count)
        *count = 0;
    mdm_status status = make_sampler(&sampler, model, writing);
    if (!status)
        status = write_tokens(text, ids, count, model, sampler, writing);
    llama_sampler_free(sampler);
    return status;
}
