/* The head of a whisper.cpp model file, and whether all of the file is what it says: whisper.cpp trusts the counts it reads. */
#ifndef MDM_MODELS_WHISPER_FILE_H
#define MDM_MODELS_WHISPER_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* The sizes in the order of the file's header. */
typedef struct mdm_whisper_sizes {
    int32_t n_vocab, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
    int32_t n_text_ctx, n_text_state, n_text_head, n_text_layer, n_mels, ftype;
} mdm_whisper_sizes;

enum {
    MDM_WHISPER_MAGIC = 0x67676d6c, /* "ggml" */
    MDM_WHISPER_FREQUENCIES = 201,
    MDM_WHISPER_MAX_LAYERS = 64,
    MDM_WHISPER_ENGLISH = 51864, /* tokens of an English-only model; those of all languages have 51865 or 51866 */
};

/* MDM_ERR_INPUT naming what is out of the range of any Whisper; `path` is for the message. */
mdm_status mdm_whisper_sizes_check(const mdm_whisper_sizes *sizes, const char *path);

/* Walks the whole file: sizes, mel filters, tokens, every tensor's rank, type, shape and extent. MDM_ERR_INPUT says what is wrong. */
mdm_status mdm_whisper_file_check(mdm_whisper_sizes *out, const char *path);

#endif
