/* A language model, run by libllama: text or vectors in, text out, one token at a time. What it has read stays until it is told to forget. */
#ifndef MDM_MODELS_LANGUAGE_MODEL_H
#define MDM_MODELS_LANGUAGE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "models/language_checkpoint.h"

typedef struct mdm_language_model mdm_language_model;

typedef struct mdm_language_options {
    int context; /* positions there is room for; no more than the model was trained for are taken */
    int threads; /* >= 1 */
    bool exact;  /* keys and values are kept as f32, to be compared with others; else as f16 */
} mdm_language_options;

/* A GGUF file (language_file.h checks it first), or a checkpoint, which must outlive the call only. On the GPU that mdm_gpu_use chose,
 * if it did. */
mdm_status mdm_language_model_open(mdm_language_model **out, const char *path, const mdm_language_options *options);
mdm_status mdm_language_model_take(mdm_language_model **out, mdm_language_checkpoint *checkpoint,
                                   const mdm_language_options *options);
void mdm_language_model_free(mdm_language_model **model);

int mdm_language_model_width(const mdm_language_model *model);
int mdm_language_model_vocabulary(const mdm_language_model *model);

/* Numbers of the tokens of `text`; `begin`: with the token that begins a text. Special tokens in it count as such only where `special`. Caller frees *ids. */
mdm_status mdm_language_model_tokens(int32_t **ids, size_t *count, const mdm_language_model *model, const char *text,
                                     bool begin, bool special);

/* How many positions it has read; and forgets all after the first `count`. */
int mdm_language_model_position(const mdm_language_model *model);
void mdm_language_model_forget(mdm_language_model *model, int count);

/* Reads on. MDM_ERR_INPUT when there is no room; MDM_ERR_CANCELLED when `progress` asks to stop. vectors [count][width]. */
mdm_status mdm_language_model_read(mdm_language_model *model, const int32_t *ids, size_t count,
                                   const mdm_progress *progress);
mdm_status mdm_language_model_read_vectors(mdm_language_model *model, const float *vectors, size_t count,
                                           const mdm_progress *progress);

/* After the last token read: [vocabulary], valid until the model reads on. */
const float *mdm_language_model_logits(mdm_language_model *model);

typedef struct mdm_writing {
    int most;            /* tokens */
    double temperature;  /* 0: always the likeliest */
    double top_p;        /* likeliest tokens that make up this much are drawn from; 1: all */
    uint32_t seed;       /* of the draws */
    const char *grammar; /* GBNF with a rule "root" that the text must follow; NULL: none */
    const mdm_progress *progress;
} mdm_writing;

/* Appends what the model writes to `text`, until it ends, or `most`. ids [most] and *count (may be NULL) get its tokens. */
mdm_status mdm_language_model_write(mdm_buffer *text, int32_t *ids, int *count, mdm_language_model *model,
                                    const mdm_writing *writing);

#endif
