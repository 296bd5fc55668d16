/* Walking a whisper.cpp model file before whisper.cpp reads it. Names and shapes of tensors it checks itself; ranks, types and extents it
 * does not. */
#include "models/whisper_file.h"

#include <stddef.h>
#include <string.h>

#include <ggml.h>

#include "base/file.h"

enum { MAX_TOKEN = 512, MAX_NAME = 128, MAX_TENSOR_RANK = 4 };

/* What is left of the file. */
typedef struct cursor {
    const unsigned char *at;
    size_t left;
    const char *path;
} cursor;

static mdm_status ends(const cursor *c, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: ends inside of its %s; not a whole whisper.cpp model", c->path, what);
}

static mdm_status take(void *out, cursor *c, size_t size, const char *what)
{
    if (size > c->left)
        return ends(c, what);
    if (out)
        memcpy(out, c->at, size);
    c->at += size;
    c->left -= size;
    return MDM_OK;
}

static mdm_status take_int(int32_t *out, cursor *c, int32_t least, int32_t most, const char *what)
{
    MDM_TRY(take(out, c, sizeof *out, what));
    if (*out < least || *out > most)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s of %d, expected %d to %d; not a whisper.cpp model", c->path, what, *out,
                        least, most);
    return MDM_OK;
}

mdm_status mdm_whisper_sizes_check(const mdm_whisper_sizes *s, const char *path)
{
    const struct {
        const char *name;
        int32_t value, least, most;
    } limits[] = {
        {"vocabulary", s->n_vocab, MDM_WHISPER_ENGLISH, MDM_WHISPER_ENGLISH + 2},
        {"audio context", s->n_audio_ctx, 1, 1500},
        {"audio width", s->n_audio_state, 32, 2048},
        {"audio heads", s->n_audio_head, 1, 64},
        {"audio layers", s->n_audio_layer, 1, MDM_WHISPER_MAX_LAYERS},
        {"text context", s->n_text_ctx, 1, 448},
        {"text width", s->n_text_state, s->n_audio_state, s->n_audio_state},
        {"text heads", s->n_text_head, 1, 64},
        {"text layers", s->n_text_layer, 1, MDM_WHISPER_MAX_LAYERS},
        {"mel bands", s->n_mels, 80, 128},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].value < limits[i].least || limits[i].value > limits[i].most)
            return mdm_fail(MDM_ERR_INPUT, "%s: %s of %d, expected %d to %d: not a Whisper model", path, limits[i].name,
                            limits[i].value, limits[i].least, limits[i].most);
    if (s->n_audio_state % s->n_audio_head || s->n_text_state % s->n_text_head)
        return mdm_fail(MDM_ERR_INPUT, "%s: a width of %d with %d and %d heads, expected multiples", path,
                        s->n_audio_state, s->n_audio_head, s->n_text_head);
    return MDM_OK;
}

static mdm_status check_head(mdm_whisper_sizes *sizes, cursor *c)
{
    int32_t magic = 0, bands = 0, frequencies = 0;
    MDM_TRY(take(&magic, c, sizeof magic, "head"));
    if (magic != MDM_WHISPER_MAGIC)
        return mdm_fail(MDM_ERR_INPUT, "%s: not a whisper.cpp model (it does not begin with \"lmgg\")", c->path);
    MDM_TRY(take(sizes, c, sizeof *sizes, "head"));
    MDM_TRY(mdm_whisper_sizes_check(sizes, c->path));
    MDM_TRY(take_int(&bands, c, sizes->n_mels, sizes->n_mels, "mel filters"));
    MDM_TRY(take_int(&frequencies, c, MDM_WHISPER_FREQUENCIES, MDM_WHISPER_FREQUENCIES, "mel filters"));
    return take(NULL, c, (size_t)bands * (size_t)frequencies * sizeof(float), "mel filters");
}

static mdm_status check_tokens(const mdm_whisper_sizes *sizes, cursor *c)
{
    int32_t tokens = 0, length = 0;
    MDM_TRY(take_int(&tokens, c, 1, sizes->n_vocab, "vocabulary"));
    for (int32_t i = 0; i < tokens; i++) {
        MDM_TRY(take_int(&length, c, 0, MAX_TOKEN, "token"));
        MDM_TRY(take(NULL, c, (size_t)length, "tokens"));
    }
    return MDM_OK;
}

static mdm_status check_tensor(cursor *c)
{
    int32_t rank = 0, length = 0, type = 0, extent = 0;
    size_t count = 1, row = 1;
    MDM_TRY(take_int(&rank, c, 1, MAX_TENSOR_RANK, "tensor's rank"));
    MDM_TRY(take_int(&length, c, 1, MAX_NAME, "tensor's name"));
    MDM_TRY(take_int(&type, c, 0, GGML_TYPE_COUNT - 1, "tensor's type"));
    for (int32_t i = 0; i < rank; i++) {
        MDM_TRY(take_int(&extent, c, 1, 1 << 24, "tensor's shape"));
        count *= (size_t)extent; /* at most 2^31 times 2^24 */
        row = i ? row : (size_t)extent;
        if (count > INT32_MAX)
            return mdm_fail(MDM_ERR_INPUT, "%s: a tensor of more than 2^31 values", c->path);
    }
    MDM_TRY(take(NULL, c, (size_t)length, "tensors"));
    const size_t block = (size_t)ggml_blck_size((enum ggml_type)type), bytes = ggml_type_size((enum ggml_type)type);
    if (!block || !bytes || row % block)
        return mdm_fail(MDM_ERR_INPUT, "%s: a tensor of type %d with rows of %zu, no whole blocks", c->path, type, row);
    return take(NULL, c, count / block * bytes, "tensors");
}

mdm_status mdm_whisper_file_check(mdm_whisper_sizes *out, const char *path)
{
    mdm_mapping map;
    MDM_TRY(mdm_map_file(&map, path));
    cursor c = {map.data, map.size, path};
    mdm_status status = check_head(out, &c);
    if (!status)
        status = check_tokens(out, &c);
    while (!status && c.left)
        status = check_tensor(&c);
    mdm_unmap_file(&map);
    return status;
}
