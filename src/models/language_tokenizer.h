/* The tokenizer of a LLaMA in transformers' tokenizer.json, said in the keys of a GGUF file. */
#ifndef MDM_MODELS_LANGUAGE_TOKENIZER_H
#define MDM_MODELS_LANGUAGE_TOKENIZER_H

#include "base/status.h"

struct gguf_context;

/* Reads FOLDER/tokenizer.json and tokenizer_config.json: byte-pair encoding with bytes for what is unknown, as SentencePiece makes it.
 * `vocabulary`: how many tokens the network knows; those without a text are marked unused. MDM_ERR_INPUT names file and fault. */
mdm_status mdm_language_tokenizer_read(struct gguf_context *out, const char *folder, int vocabulary);

#endif
