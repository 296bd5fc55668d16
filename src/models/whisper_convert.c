/* CTranslate2 Whisper -> whisper.cpp. A table says which tensor of one is which rows of which tensor of the other;
 * CTranslate2 stores query, key and value (or key and value) as one matrix, whisper.cpp wants them apart. */
#include "models/whisper_convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/tensor_file.h"

enum { FREQUENCIES = 201, MAX_LAYERS = 64, MAX_VOCABULARY = 200000 };

/* The sizes in the order of the file's header. */
typedef struct sizes {
    int32_t n_vocab, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
    int32_t n_text_ctx, n_text_state, n_text_head, n_text_layer, n_mels, ftype;
} sizes;

typedef struct converter {
    mdm_tensor_file *source;
    FILE *file;
    const char *out_path;
    sizes sizes;
} converter;

/* Rows [part/parts) of tensor `from` become tensor `to`. */
typedef struct mapping {
    const char *to, *from;
    int part, parts;
} mapping;

static const mapping HEAD[] = {
    {"decoder.positional_embedding", "decoder/position_encodings/encodings", 0, 1},
    {"encoder.positional_embedding", "encoder/position_encodings/encodings", 0, 1},
    {"encoder.conv1.weight", "encoder/conv1/weight", 0, 1},
    {"encoder.conv1.bias", "encoder/conv1/bias", 0, 1},
    {"encoder.conv2.weight", "encoder/conv2/weight", 0, 1},
    {"encoder.conv2.bias", "encoder/conv2/bias", 0, 1},
    {"decoder.token_embedding.weight", "decoder/embeddings/weight", 0, 1},
    {"encoder.ln_post.weight", "encoder/layer_norm/gamma", 0, 1},
    {"encoder.ln_post.bias", "encoder/layer_norm/beta", 0, 1},
    {"decoder.ln.weight", "decoder/layer_norm/gamma", 0, 1},
    {"decoder.ln.bias", "decoder/layer_norm/beta", 0, 1},
};
static const mapping SELF_ATTENTION[] = {
    {"attn.query.weight", "self_attention/linear_0/weight", 0, 3},
    {"attn.query.bias", "self_attention/linear_0/bias", 0, 3},
    {"attn.key.weight", "self_attention/linear_0/weight", 1, 3},
    {"attn.value.weight", "self_attention/linear_0/weight", 2, 3},
    {"attn.value.bias", "self_attention/linear_0/bias", 2, 3},
    {"attn.out.weight", "self_attention/linear_1/weight", 0, 1},
    {"attn.out.bias", "self_attention/linear_1/bias", 0, 1},
    {"attn_ln.weight", "self_attention/layer_norm/gamma", 0, 1},
    {"attn_ln.bias", "self_attention/layer_norm/beta", 0, 1},
};
static const mapping CROSS_ATTENTION[] = {
    {"cross_attn.query.weight", "attention/linear_0/weight", 0, 1},
    {"cross_attn.query.bias", "attention/linear_0/bias", 0, 1},
    {"cross_attn.key.weight", "attention/linear_1/weight", 0, 2},
    {"cross_attn.value.weight", "attention/linear_1/weight", 1, 2},
    {"cross_attn.value.bias", "attention/linear_1/bias", 1, 2},
    {"cross_attn.out.weight", "attention/linear_2/weight", 0, 1},
    {"cross_attn.out.bias", "attention/linear_2/bias", 0, 1},
    {"cross_attn_ln.weight", "attention/layer_norm/gamma", 0, 1},
    {"cross_attn_ln.bias", "attention/layer_norm/beta", 0, 1},
};
static const mapping FEED_FORWARD[] = {
    {"mlp_ln.weight", "ffn/layer_norm/gamma", 0, 1}, {"mlp_ln.bias", "ffn/layer_norm/beta", 0, 1},
    {"mlp.0.weight", "ffn/linear_0/weight", 0, 1},   {"mlp.0.bias", "ffn/linear_0/bias", 0, 1},
    {"mlp.2.weight", "ffn/linear_1/weight", 0, 1},   {"mlp.2.bias", "ffn/linear_1/bias", 0, 1},
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Slaney's mel scale: linear to 1 kHz, logarithmic above. */
static double hz_to_mel(double hz)
{
    return hz >= 1000.0 ? 1000.0 / (200.0 / 3) + log(hz / 1000.0) / (log(6.4) / 27.0) : hz / (200.0 / 3);
}

static double mel_to_hz(double mel)
{
    const double knee = 1000.0 / (200.0 / 3);
    return mel >= knee ? 1000.0 * exp(log(6.4) / 27.0 * (mel - knee)) : 200.0 / 3 * mel;
}

void mdm_whisper_mel_filters(float *out, int n_mels)
{
    const double top = hz_to_mel(8000.0), step = top / (n_mels + 1);
    for (int m = 0; m < n_mels; m++) {
        double left = mel_to_hz(m * step), middle = mel_to_hz((m + 1) * step);
        double right = mel_to_hz(m + 2 == n_mels + 1 ? top : (m + 2) * step);
        for (int f = 0; f < FREQUENCIES; f++) {
            double hz = f * (8000.0 / (FREQUENCIES - 1));
            double up = -(left - hz) / (middle - left), down = (right - hz) / (right - middle);
            double weight = up < down ? up : down;
            out[(size_t)m * FREQUENCIES + (size_t)f] = (float)((weight >= 0 ? weight : 0) * (2.0 / (right - left)));
        }
    }
}

static mdm_status put(converter *c, const void *data, size_t size)
{
    if (size && fwrite(data, 1, size, c->file) != size)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot write (disk full?)", c->out_path);
    return MDM_OK;
}

static mdm_status put_int(converter *c, int64_t value)
{
    int32_t narrow = (int32_t)value;
    return put(c, &narrow, sizeof narrow);
}

static mdm_status find(const mdm_array **out, const converter *c, const char *name)
{
    *out = mdm_tensor_file_find(c->source, name);
    if (!*out)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: no tensor %s (is this a Whisper model?)", name);
    if ((*out)->rank < 1 || (*out)->shape[0] < 1)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: tensor %s is empty", name);
    return MDM_OK;
}

/* Rows stored as int8/int16 carry one scale a row in "<name>_scale": value = stored / scale. */
static mdm_status dequantise(float *values, size_t count, const converter *c, const mdm_array *array)
{
    char name[256];
    snprintf(name, sizeof name, "%s_scale", array->name);
    const mdm_array *scale = mdm_tensor_file_find(c->source, name);
    size_t rows = (size_t)array->shape[0];
    if (!scale)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: %s is quantised but %s is missing", array->name, name);
    size_t scales = mdm_array_count(scale);
    if (scales != rows && scales != 1)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: %s has %zu scales, expected %zu", name, scales, rows);
    float *factor = NULL;
    MDM_TRY(mdm_alloc(&factor, scales, sizeof *factor, "row scales"));
    mdm_status status = mdm_array_to_f32(factor, scales, scale);
    for (size_t i = 0; status == MDM_OK && i < count; i++)
        values[i] /= factor[scales == 1 ? 0 : i / (count / rows)];
    mdm_free(&factor);
    return status;
}

/* One tensor of the output file: rank, name length, type, sizes fastest first, name, data. */
static mdm_status put_tensor(converter *c, const mapping *map, const char *to, const char *from)
{
    const mdm_array *array;
    MDM_TRY(find(&array, c, from));
    size_t count = mdm_array_count(array);
    if (array->shape[0] % map->parts != 0 || count == 0)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: %s has %lld rows, expected a multiple of %d", from,
                        (long long)array->shape[0], map->parts);
    bool conv_bias = strstr(to, "conv") && array->rank == 1; /* whisper.cpp adds these along time: [rows, 1] */
    bool wide = array->rank < 2 || strstr(to, "positional_embedding");
    float *values = NULL;
    MDM_TRY(mdm_alloc(&values, count, sizeof *values, from));
    mdm_status status = mdm_array_to_f32(values, count, array);
    if (status == MDM_OK && (array->dtype == MDM_I8 || array->dtype == MDM_I16))
        status = dequantise(values, count, c, array);
    size_t part = count / (size_t)map->parts, bytes = part * sizeof(float);
    float *rows = values + part * (size_t)map->part;
    if (!wide) { /* in place: a half is never written past the float it came from */
        ggml_fp32_to_fp16_row(rows, (ggml_fp16_t *)rows, (int64_t)part);
        bytes = part * sizeof(ggml_fp16_t);
    }
    if (status == MDM_OK)
        status = put_int(c, array->rank + conv_bias);
    if (status == MDM_OK)
        status = put_int(c, (int64_t)strlen(to));
    if (status == MDM_OK)
        status = put_int(c, !wide);
    if (status == MDM_OK && conv_bias)
        status = put_int(c, 1);
    for (int axis = array->rank - 1; status == MDM_OK && axis >= 0; axis--)
        status = put_int(c, axis == 0 ? array->shape[0] / map->parts : array->shape[axis]);
    if (status == MDM_OK)
        status = put(c, to, strlen(to));
    if (status == MDM_OK)
        status = put(c, rows, bytes);
    mdm_free(&values);
    return status;
}

static mdm_status put_table(converter *c, const mapping *table, size_t count, const char *side, int layer)
{
    for (size_t i = 0; i < count; i++) {
        char to[128], from[128];
        if (side) {
            snprintf(to, sizeof to, "%s.blocks.%d.%s", side, layer, table[i].to);
            snprintf(from, sizeof from, "%s/layer_%d/%s", side, layer, table[i].from);
        } else {
            snprintf(to, sizeof to, "%s", table[i].to);
            snprintf(from, sizeof from, "%s", table[i].from);
        }
        MDM_TRY(put_tensor(c, &table[i], to, from));
    }
    return MDM_OK;
}

static int count_layers(const converter *c, const char *side)
{
    int layers = 0;
    for (; layers < MAX_LAYERS; layers++) {
        char name[128];
        snprintf(name, sizeof name, "%s/layer_%d/self_attention/linear_0/weight", side, layers);
        if (!mdm_tensor_file_find(c->source, name))
            break;
    }
    return layers;
}

static mdm_status read_sizes(converter *c)
{
    const mdm_array *embedding, *conv, *audio, *text;
    MDM_TRY(find(&embedding, c, "decoder/embeddings/weight"));
    MDM_TRY(find(&conv, c, "encoder/conv1/weight"));
    MDM_TRY(find(&audio, c, "encoder/position_encodings/encodings"));
    MDM_TRY(find(&text, c, "decoder/position_encodings/encodings"));
    if (embedding->rank != 2 || conv->rank != 3 || audio->rank != 2 || text->rank != 2)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: embeddings, conv1 or positions have an unexpected rank");
    int64_t state = embedding->shape[1];
    if (embedding->shape[0] > MAX_VOCABULARY || embedding->shape[0] < 50256 || state % 64 || state > 4096 ||
        conv->shape[1] > 1024 || conv->shape[1] < 1 || audio->shape[0] > 100000 || text->shape[0] > 100000)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: vocabulary %lld x %lld, %lld mel bands: not a Whisper model",
                        (long long)embedding->shape[0], (long long)state, (long long)conv->shape[1]);
    c->sizes = (sizes){.n_vocab = (int32_t)embedding->shape[0],
                       .n_audio_ctx = (int32_t)audio->shape[0],
                       .n_audio_state = (int32_t)state,
                       .n_audio_head = (int32_t)(state / 64), /* heads are 64 wide in every Whisper */
                       .n_audio_layer = count_layers(c, "encoder"),
                       .n_text_ctx = (int32_t)text->shape[0],
                       .n_text_state = (int32_t)state,
                       .n_text_head = (int32_t)(state / 64),
                       .n_text_layer = count_layers(c, "decoder"),
                       .n_mels = (int32_t)conv->shape[1],
                       .ftype = 1};
    if (c->sizes.n_audio_layer == 0 || c->sizes.n_text_layer == 0)
        return mdm_fail(MDM_ERR_INPUT, "CTranslate2 model: no encoder or no decoder layers");
    return MDM_OK;
}

/* GPT-2's printable stand-ins for bytes: printable Latin-1 stands for itself, the rest are numbered from U+0100. */
static void byte_table(int byte_of[512])
{
    for (int i = 0; i < 512; i++)
        byte_of[i] = -1;
    int next = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool self = (byte >= 33 && byte < 127) || (byte >= 161 && byte < 173) || byte >= 174;
        byte_of[self ? byte : next++] = byte;
    }
}

/* Decodes one vocabulary line in place; returns its length in bytes, or -1 when a character stands for no byte. */
static int decode_token(unsigned char *text, size_t size, const int byte_of[512])
{
    int length = 0;
    for (size_t i = 0; i < size; i++) {
        int code = text[i];
        if (code >= 0xC0 && code < 0xE0 && i + 1 < size)
            code = (code & 0x1F) << 6 | (text[++i] & 0x3F);
        if (code >= 512 || byte_of[code] < 0)
            return -1;
        text[length++] = (unsigned char)byte_of[code];
    }
    return length;
}

static mdm_status put_vocabulary(converter *c, const char *path)
{
    unsigned char *text = NULL;
    size_t size = 0;
    MDM_TRY(mdm_file_read(&text, &size, path, 16u << 20));
    int byte_of[512];
    byte_table(byte_of);
    int32_t tokens = c->sizes.n_vocab >= 51865 ? 50257 : 50256; /* multilingual or English: text tokens only */
    mdm_status status = put_int(c, tokens);
    size_t at = 0;
    for (int32_t token = 0; status == MDM_OK && token < tokens; token++) {
        if (at >= size) {
            status = mdm_fail(MDM_ERR_INPUT, "%s: %d tokens, expected at least %d", path, token, tokens);
            break;
        }
        unsigned char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at;
        int bytes = decode_token(text + at, length, byte_of);
        if (bytes < 0)
            status = mdm_fail(MDM_ERR_INPUT, "%s: line %d holds a character that stands for no byte", path, token + 1);
        if (status == MDM_OK)
            status = put_int(c, bytes);
        if (status == MDM_OK)
            status = put(c, text + at, (size_t)bytes);
        at += length + 1;
    }
    mdm_free(&text);
    return status;
}

static mdm_status put_mel(converter *c)
{
    float *filters = NULL;
    size_t count = (size_t)c->sizes.n_mels * FREQUENCIES;
    MDM_TRY(mdm_alloc(&filters, count, sizeof *filters, "mel filters"));
    mdm_whisper_mel_filters(filters, c->sizes.n_mels);
    mdm_status status = put_int(c, c->sizes.n_mels);
    if (status == MDM_OK)
        status = put_int(c, FREQUENCIES);
    if (status == MDM_OK)
        status = put(c, filters, count * sizeof *filters);
    mdm_free(&filters);
    return status;
}

static mdm_status put_everything(converter *c, const char *vocabulary)
{
    MDM_TRY(put_int(c, 0x67676d6c)); /* "ggml" */
    MDM_TRY(put(c, &c->sizes, sizeof c->sizes));
    MDM_TRY(put_mel(c));
    MDM_TRY(put_vocabulary(c, vocabulary));
    MDM_TRY(put_table(c, HEAD, COUNT(HEAD), NULL, 0));
    for (int side = 0; side < 2; side++) {
        const char *name = side ? "decoder" : "encoder";
        int layers = side ? c->sizes.n_text_layer : c->sizes.n_audio_layer;
        for (int layer = 0; layer < layers; layer++) {
            MDM_TRY(put_table(c, SELF_ATTENTION, COUNT(SELF_ATTENTION), name, layer));
            if (side)
                MDM_TRY(put_table(c, CROSS_ATTENTION, COUNT(CROSS_ATTENTION), name, layer));
            MDM_TRY(put_table(c, FEED_FORWARD, COUNT(FEED_FORWARD), name, layer));
        }
    }
    return MDM_OK;
}

static mdm_status convert(converter *c, const char *model, const char *vocabulary)
{
    MDM_TRY(mdm_tensor_file_open(&c->source, model));
    MDM_TRY(read_sizes(c));
    char *temporary = NULL;
    MDM_TRY(mdm_temp_name(&temporary, c->out_path));
    mdm_status status = MDM_OK;
    c->file = fopen(temporary, "wb");
    if (!c->file)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be created", temporary);
    if (status == MDM_OK)
        status = put_everything(c, vocabulary);
    if (c->file && fclose(c->file) != 0 && status == MDM_OK)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot write (disk full?)", c->out_path);
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, c->out_path);
    else
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}

mdm_status mdm_whisper_convert(const char *out_path, const char *ct2_folder)
{
    converter c = {.out_path = out_path};
    char *model = NULL, *vocabulary = NULL;
    mdm_status status = mdm_join_path(&model, ct2_folder, "model.bin");
    if (status == MDM_OK)
        status = mdm_join_path(&vocabulary, ct2_folder, "vocabulary.txt");
    if (status == MDM_OK)
        status = convert(&c, model, vocabulary);
    mdm_tensor_file_free(&c.source);
    mdm_free(&model);
    mdm_free(&vocabulary);
    return status;
}

mdm_status mdm_whisper_model(char **path, const char *models)
{
    char *folder = NULL;
    MDM_TRY(mdm_join_path(path, models, "whisper-tiny.en.bin"));
    mdm_status status = mdm_join_path(&folder, models, "whisper-tiny.en-ct2");
    if (status == MDM_OK && !mdm_file_exists(*path))
        status = mdm_whisper_convert(*path, folder);
    mdm_free(&folder);
    if (status != MDM_OK)
        mdm_free(path);
    return status;
}
