/* CLIP's byte-level BPE tokenizer, as transformers' CLIPTokenizer: vocab.json and merges.txt in, token numbers out. */
#ifndef MDM_NN_CLIP_TOKENIZER_H
#define MDM_NN_CLIP_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define MDM_CLIP_TEXT_BYTES 4096 /* longest text that is taken */

typedef struct mdm_clip_tokenizer mdm_clip_tokenizer;

/* Reads FOLDER/vocab.json (token -> number) and FOLDER/merges.txt (pairs, most frequent first), or where there is no vocab.json
 * FOLDER/tokenizer.json, which has both; FOLDER/tokenizer_config.json or special_tokens_map.json may name the padding token (the
 * end token without them). Every merge must be in the vocabulary; what is not so is MDM_ERR_INPUT naming file, line and token. */
mdm_status mdm_clip_tokenizer_load(mdm_clip_tokenizer **out, const char *folder);
void mdm_clip_tokenizer_free(mdm_clip_tokenizer **tokenizer);

/* Fills ids[length]: start, the text's tokens, end, then padding. A text that does not fit is cut before the end token.
 * *count (may be NULL) is the number of tokens with start and end before cutting. Text that is not UTF-8 or longer than
 * MDM_CLIP_TEXT_BYTES is MDM_ERR_INPUT. `length` >= 2. */
mdm_status mdm_clip_tokenizer_encode(const mdm_clip_tokenizer *tokenizer, int32_t *ids, int length, size_t *count,
                                     const char *text);

int32_t mdm_clip_tokenizer_end(const mdm_clip_tokenizer *tokenizer);
int32_t mdm_clip_tokenizer_padding(const mdm_clip_tokenizer *tokenizer);

#endif
