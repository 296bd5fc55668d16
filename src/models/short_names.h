/* Names of tensors in the GGUF files that mdm_convert_weights writes, which have at most 63 characters: long words have short forms there. */
#ifndef MDM_MODELS_SHORT_NAMES_H
#define MDM_MODELS_SHORT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `name` with its long words short ("transformer_blocks" -> "tb"), or its short words long again; false when it does not fit. */
bool mdm_name_shorten(char *out, size_t size, const char *name);
bool mdm_name_lengthen(char *out, size_t size, const char *name);

#endif
