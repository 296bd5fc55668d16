/* Whisper's text tokens as bytes, from any of the files they are published in. */
#ifndef MDM_MODELS_WHISPER_VOCABULARY_H
#define MDM_MODELS_WHISPER_VOCABULARY_H

#include "base/memory.h"
#include "base/status.h"

/* Appends the first `tokens` text tokens to `out`, each as its length in bytes (32 bits) and the bytes. `folder` has one of
 * vocabulary.txt and vocabulary.json (CTranslate2), vocab.json (transformers), multilingual.tiktoken and gpt2.tiktoken (OpenAI's; the one of
 * that many tokens). MDM_ERR_INPUT names the file and the token that is missing or no token. */
mdm_status mdm_whisper_vocabulary(mdm_buffer *out, const char *folder, int tokens);

#endif
