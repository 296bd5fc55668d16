/* Looks at a GGUF file before libllama is given it, because that trusts what it reads. */
#ifndef MDM_MODELS_LANGUAGE_FILE_H
#define MDM_MODELS_LANGUAGE_FILE_H

#include <stddef.h>

#include "base/status.h"

/* Checks that `path` is a LLaMA: sizes within bounds, a tokenizer with as many texts, scores and kinds as the network knows tokens,
 * and every tensor there in the shape the sizes ask for. *bytes: of its tensors. MDM_ERR_INPUT says what is wrong. */
mdm_status mdm_language_file_check(size_t *bytes, const char *path);

#endif
