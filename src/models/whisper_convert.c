/* Published Whisper weights -> whisper.cpp. The tensors' names are in models/whisper_layout.h. */
#include "models/whisper_convert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ggml.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/whisper_layout.h"
#include "models/whisper_vocabulary.h"

enum { FREQUENCIES = MDM_WHISPER_FREQUENCIES };

typedef struct converter {
    mdm_weights *source;
    mdm_whisper_form form;
    mdm_whisper_sizes sizes;
    enum ggml_type matrix, kernel;
    FILE *file;
    const char *out_path;
} converter;

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

/* ---- tensors ---- */

/* CTranslate2's rows stored as int8/int16 carry one scale a row in "<name>_scale": value = stored / scale. */
static mdm_status dequantise(float *values, size_t count, const converter *c, const mdm_array *array)
{
    char name[256];
    snprintf(name, sizeof name, "%s_scale", array->name);
    const mdm_array *scale = mdm_weights_take(c->source, name);
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

/* The values of the rows [part/parts) as `type`. */
static mdm_status put_rows(converter *c, const mdm_array *array, const mdm_whisper_source *source, enum ggml_type type)
{
    const size_t count = mdm_array_count(array), part = count / (size_t)source->parts;
    const int64_t row = array->rank > 1 ? array->shape[array->rank - 1] : (int64_t)part;
    const size_t bytes = ggml_row_size(type, row) * (part / (size_t)row);
    float *values = NULL;
    void *converted = NULL;
    mdm_status status = mdm_alloc(&values, count, sizeof *values, source->from);
    if (status == MDM_OK)
        status = mdm_array_to_f32(values, count, array);
    if (status == MDM_OK && (array->dtype == MDM_I8 || array->dtype == MDM_I16))
        status = dequantise(values, count, c, array);
    if (status == MDM_OK && type != GGML_TYPE_F32)
        status = mdm_alloc(&converted, bytes, 1, source->from);
    if (status == MDM_OK) {
        const float *rows = values + part * (size_t)source->part;
        if (converted)
            ggml_quantize_chunk(type, rows, converted, 0, (int64_t)(part / (size_t)row), row, NULL);
        status = put(c, converted ? converted : rows, bytes);
    }
    mdm_free(&values);
    mdm_free(&converted);
    return status;
}

/* One tensor of the output file: rank, name length, type, sizes fastest first, name, data. */
static mdm_status put_tensor(void *user, const mdm_whisper_source *source)
{
    converter *c = user;
    const char *to = source->to;
    const mdm_array *array = mdm_weights_take(c->source, source->from);
    if (!array)
        return mdm_fail(MDM_ERR_INPUT, "%s: no tensor %s (is this a Whisper model?)", mdm_weights_path(c->source),
                        source->from);
    if (array->rank < 1 || array->rank > 3 || !mdm_array_count(array) || array->shape[0] % source->parts)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: %s has %d axes and %lld rows, expected 1 to 3 axes and a multiple of %d rows",
                        mdm_weights_path(c->source), source->from, array->rank,
                        (long long)(array->rank ? array->shape[0] : 0), source->parts);
    const bool conv_bias = strstr(to, "conv") && array->rank == 1; /* whisper.cpp adds these along time: [rows, 1] */
    const enum ggml_type type = array->rank < 2 || strstr(to, "positional_embedding") ? GGML_TYPE_F32
                                : array->rank == 3                                    ? c->kernel
                                                                                      : c->matrix;
    if (array->shape[array->rank - 1] % ggml_blck_size(type))
        return mdm_fail(MDM_ERR_INPUT, "%s: %s has rows of %lld values, no multiple of %lld: choose f16",
                        mdm_weights_path(c->source), source->from, (long long)array->shape[array->rank - 1],
                        (long long)ggml_blck_size(type));
    MDM_TRY(put_int(c, array->rank + conv_bias));
    MDM_TRY(put_int(c, (int64_t)strlen(to)));
    MDM_TRY(put_int(c, type));
    if (conv_bias)
        MDM_TRY(put_int(c, 1));
    for (int axis = array->rank - 1; axis >= 0; axis--)
        MDM_TRY(put_int(c, axis == 0 ? array->shape[0] / source->parts : array->shape[axis]));
    MDM_TRY(put(c, to, strlen(to)));
    return put_rows(c, array, source, type);
}

/* ---- what comes before them ---- */

static mdm_status put_vocabulary(converter *c, const char *folder)
{
    const int tokens = c->sizes.n_vocab > MDM_WHISPER_ENGLISH ? 50257 : 50256; /* text tokens only */
    mdm_buffer bytes = {0};
    mdm_status status = mdm_whisper_vocabulary(&bytes, folder, tokens);
    if (status == MDM_OK)
        status = put_int(c, tokens);
    if (status == MDM_OK)
        status = put(c, bytes.data, bytes.size);
    mdm_buffer_free(&bytes);
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

static mdm_status put_everything(converter *c, const char *folder)
{
    MDM_TRY(put_int(c, MDM_WHISPER_MAGIC));
    MDM_TRY(put(c, &c->sizes, sizeof c->sizes));
    MDM_TRY(put_mel(c));
    MDM_TRY(put_vocabulary(c, folder));
    return mdm_whisper_each_tensor(&c->sizes, c->form, put_tensor, c);
}

static mdm_status write_file(converter *c, const char *folder)
{
    char *temporary = NULL;
    MDM_TRY(mdm_temp_name(&temporary, c->out_path));
    mdm_status status = MDM_OK;
    c->file = fopen(temporary, "wb");
    if (!c->file)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be created", temporary);
    if (status == MDM_OK)
        status = put_everything(c, folder);
    if (c->file && fclose(c->file) != 0 && status == MDM_OK)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot write (disk full?)", c->out_path);
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, c->out_path);
    else
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}

/* ---- what is asked ---- */

/* whisper.cpp's header says the type of the matrices by a number of its own, and for blocks the version of their form. */
static mdm_status choose(converter *c, const char *precision)
{
    static const struct {
        const char *name;
        enum ggml_type matrix;
        enum ggml_ftype number;
    } known[] = {
        {"f16", GGML_TYPE_F16, GGML_FTYPE_MOSTLY_F16},    {"f32", GGML_TYPE_F32, GGML_FTYPE_ALL_F32},
        {"q8_0", GGML_TYPE_Q8_0, GGML_FTYPE_MOSTLY_Q8_0}, {"q5_1", GGML_TYPE_Q5_1, GGML_FTYPE_MOSTLY_Q5_1},
        {"q5_0", GGML_TYPE_Q5_0, GGML_FTYPE_MOSTLY_Q5_0}, {"q4_1", GGML_TYPE_Q4_1, GGML_FTYPE_MOSTLY_Q4_1},
        {"q4_0", GGML_TYPE_Q4_0, GGML_FTYPE_MOSTLY_Q4_0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, precision) != 0)
            continue;
        c->matrix = known[i].matrix;
        c->kernel = c->matrix == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
        c->sizes.ftype = (int32_t)known[i].number;
        if (ggml_is_quantized(c->matrix))
            c->sizes.ftype += GGML_QNT_VERSION * GGML_QNT_VERSION_FACTOR;
        return MDM_OK;
    }
    return mdm_fail(MDM_ERR_USAGE, "precision \"%s\", expected f32, f16, q8_0, q5_1, q5_0, q4_1 or q4_0", precision);
}

/* The folder that a file lies in. */
static mdm_status folder_of(char **out, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mdm_format(out, "%.*s", (int)(slash - path) + 1, path) : mdm_strdup(out, ".");
}

mdm_status mdm_whisper_weights(char **weights, char **folder, const char *from)
{
    static const char *const names[] = {"model.bin", "model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin"};
    mdm_mapping map;
    *weights = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        MDM_TRY(mdm_join_path(weights, from, names[i]));
        if (mdm_file_exists(*weights))
            return folder ? mdm_strdup(folder, from) : MDM_OK;
        mdm_free(weights);
    }
    if (mdm_map_file(&map, from) != MDM_OK)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: neither a file nor a folder with Whisper's weights (model.bin, model.safetensors, "
                        "model.safetensors.index.json or pytorch_model.bin)",
                        from);
    mdm_unmap_file(&map);
    MDM_TRY(mdm_strdup(weights, from));
    return folder ? folder_of(folder, from) : MDM_OK;
}

mdm_status mdm_whisper_convert(const char *out_path, const char *from, const char *precision)
{
    converter c = {.out_path = out_path};
    char *weights = NULL, *folder = NULL;
    mdm_whisper_sizes sizes = {0};
    MDM_TRY(choose(&c, precision));
    mdm_status status = mdm_whisper_weights(&weights, &folder, from);
    if (status == MDM_OK)
        status = mdm_weights_open(&c.source, weights);
    if (status == MDM_OK)
        status = mdm_whisper_form_of(&c.form, c.source);
    if (status == MDM_OK)
        status = mdm_whisper_read_sizes(&sizes, c.source, c.form);
    if (status == MDM_OK) {
        sizes.ftype = c.sizes.ftype;
        c.sizes = sizes;
        status = write_file(&c, folder);
    }
    mdm_weights_free(&c.source);
    mdm_free(&weights);
    mdm_free(&folder);
    return status;
}
