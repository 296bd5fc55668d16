/* A LLaMA of transformers as libllama wants it: names, sizes and tokenizer as the head of a GGUF file, and its tensors one by one, with
 * their LoRA added and the rows of queries and keys in libllama's order. What is opened directly and what is converted are the same. */
#ifndef MDM_MODELS_LANGUAGE_CHECKPOINT_H
#define MDM_MODELS_LANGUAGE_CHECKPOINT_H

#include <stddef.h>

#include "base/status.h"
#include "models/pllava_config.h"
#include "nn/weights.h"

struct gguf_context;

typedef struct mdm_language_checkpoint mdm_language_checkpoint;

typedef struct mdm_language_source {
    mdm_weights
        *weights; /* "model.layers.0.self_attn.q_proj.weight", with ".lora_A" and ".lora_B" beside where there is one */
    const mdm_llama_sizes *sizes;
    const char *folder;    /* of the tokenizer, and for messages */
    const char *precision; /* "f32", "f16", "q8_0", "q4_K" or "q4_0", of matrices */
    double lora_alpha;     /* LoRA counts alpha / rank */
} mdm_language_source;

/* Takes every tensor of a LLaMA of `weights`, which must outlive it; a missing one, one of another shape, and half a LoRA are MDM_ERR_INPUT. */
mdm_status mdm_language_checkpoint_new(mdm_language_checkpoint **out, const mdm_language_source *source);
void mdm_language_checkpoint_free(mdm_language_checkpoint **checkpoint);

const char *mdm_language_checkpoint_path(const mdm_language_checkpoint *checkpoint);
/* With all tensors announced, in their types. Belongs to the checkpoint. */
struct gguf_context *mdm_language_checkpoint_head(mdm_language_checkpoint *checkpoint);
/* Of all tensors. */
size_t mdm_language_checkpoint_bytes(const mdm_language_checkpoint *checkpoint);
/* The tensor called `name` in the head, `size` bytes in its type. */
mdm_status mdm_language_checkpoint_fill(void *data, size_t size, mdm_language_checkpoint *checkpoint, const char *name);

/* Writes a GGUF file of it, tensor by tensor, atomically. */
mdm_status mdm_language_checkpoint_write(const char *path, mdm_language_checkpoint *checkpoint);

#endif
