/* How Whisper's tensors are called in each form its weights are published in. */
#ifndef MDM_MODELS_WHISPER_LAYOUT_H
#define MDM_MODELS_WHISPER_LAYOUT_H

#include <stddef.h>

#include "models/whisper_file.h"
#include "nn/weights.h"

typedef enum mdm_whisper_form {
    MDM_WHISPER_CT2,          /* CTranslate2 (faster-whisper): model.bin */
    MDM_WHISPER_TRANSFORMERS, /* transformers: model.safetensors, whole or split, or pytorch_model.bin */
    MDM_WHISPER_OPENAI,       /* OpenAI's own NAME.pt */
} mdm_whisper_form;

/* Rows [part/parts) of one tensor are the tensor `to` of whisper.cpp, whose names are OpenAI's. */
typedef struct mdm_whisper_source {
    char to[128], from[160];
    int part, parts;
} mdm_whisper_source;

/* MDM_ERR_INPUT when no Whisper is called like that. */
mdm_status mdm_whisper_form_of(mdm_whisper_form *out, mdm_weights *weights);

/* The sizes that the tensors' shapes say; ftype is left 0. */
mdm_status mdm_whisper_read_sizes(mdm_whisper_sizes *out, mdm_weights *weights, mdm_whisper_form form);

/* Calls `put` for every tensor of a model of these sizes, in the order of our files. */
mdm_status mdm_whisper_each_tensor(const mdm_whisper_sizes *sizes, mdm_whisper_form form,
                                   mdm_status (*put)(void *user, const mdm_whisper_source *source), void *user);

#endif
