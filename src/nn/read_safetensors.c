/* safetensors: 8 bytes of header length, a JSON header, the data. Reading checks everything; writing is atomic. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/tensor_file_internal.h"

#define MAX_HEADER ((uint64_t)100 << 20)

static const struct {
    const char *name;
    mdm_dtype dtype;
} types[] = {{"F32", MDM_F32}, {"F16", MDM_F16}, {"BF16", MDM_BF16}, {"F64", MDM_F64},
             {"I8", MDM_I8},   {"U8", MDM_U8},   {"I16", MDM_I16},   {"U16", MDM_U16},
             {"I32", MDM_I32}, {"I64", MDM_I64}, {"BOOL", MDM_BOOL}};

static mdm_status read_entry(mdm_tensor_file *file, const char *name, const json_t *entry, const unsigned char *data,
                             size_t size, const char *path)
{
    mdm_array array = {.name = name, .scale = 1};
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    size_t i = 0;
    while (type && i < sizeof types / sizeof *types && strcmp(types[i].name, type))
        i++;
    if (!type || i == sizeof types / sizeof *types)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has type %s, which is not known", path, name,
                        type ? type : "(none)");
    array.dtype = types[i].dtype;
    if (!json_is_array(shape) || json_array_size(shape) > MDM_MAX_RANK || json_array_size(offsets) != 2)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" lacks a shape of at most %d axes or two offsets", path, name,
                        MDM_MAX_RANK);
    array.rank = (int)json_array_size(shape);
    for (int k = 0; k < array.rank; k++) {
        const json_t *extent = json_array_get(shape, (size_t)k);
        if (!json_is_integer(extent))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\": axis %d is not a whole number", path, name, k);
        array.shape[k] = json_integer_value(extent);
    }
    json_int_t from = json_integer_value(json_array_get(offsets, 0)),
               to = json_integer_value(json_array_get(offsets, 1));
    if (from < 0 || to < from || (uint64_t)to > size)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\": bytes %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " of %zu",
                        path, name, from, to, size);
    return mdm_tensor_file_add(file, &array, data, size, (size_t)from, (size_t)(to - from), path);
}

static mdm_status read_meta(mdm_tensor_file *file, json_t *meta)
{
    const char *key;
    json_t *value;
    json_object_foreach(meta, key, value)
    {
        if (json_is_string(value))
            MDM_TRY(mdm_tensor_file_add_meta(file, key, json_string_value(value)));
    }
    return MDM_OK;
}

static int by_place(const void *a, const void *b)
{
    const unsigned char *x = (*(const mdm_array *const *)a)->data, *y = (*(const mdm_array *const *)b)->data;
    return (x > y) - (x < y);
}

/* No two arrays share bytes, as the format demands. */
static mdm_status check_overlap(const mdm_tensor_file *file, const char *path)
{
    const mdm_array **order = NULL;
    size_t count = 0;
    MDM_TRY(mdm_alloc(&order, file->count, sizeof *order, "arrays"));
    for (size_t i = 0; i < file->count; i++)
        if (file->array[i].size)
            order[count++] = &file->array[i];
    if (count)
        qsort(order, count, sizeof *order, by_place);
    mdm_status status = MDM_OK;
    for (size_t i = 1; i < count && !status; i++)
        if ((const unsigned char *)order[i - 1]->data + order[i - 1]->size > (const unsigned char *)order[i]->data)
            status = mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" and \"%s\" overlap", path, order[i - 1]->name, order[i]->name);
    mdm_free(&order);
    return status;
}

mdm_status mdm_read_safetensors(mdm_tensor_file *file, const char *path)
{
    uint64_t length = 0;
    if (file->map.size < 8)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu bytes, too short for a safetensors file", path, file->map.size);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file->map.data[i];
    if (length > MAX_HEADER || length > file->map.size - 8)
        return mdm_fail(MDM_ERR_INPUT, "%s: a header of %" PRIu64 " bytes in a file of %zu; not a safetensors file",
                        path, length, file->map.size);
    const unsigned char *data = file->map.data + 8 + length;
    size_t size = file->map.size - 8 - (size_t)length;
    json_error_t error;
    json_t *root = json_loadb((const char *)file->map.data + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return mdm_fail(MDM_ERR_INPUT, "%s: header line %d: %s", path, error.line, root ? "not an object" : error.text);
    }
    const char *name;
    json_t *entry;
    mdm_status status = MDM_OK;
    json_object_foreach(root, name, entry)
    {
        if (status)
            break;
        status =
            strcmp(name, "__metadata__") ? read_entry(file, name, entry, data, size, path) : read_meta(file, entry);
    }
    json_decref(root);
    return status ? status : check_overlap(file, path);
}

mdm_status mdm_safetensors_write(const char *path, const mdm_array *arrays, size_t count, const char *const *meta)
{
    json_t *root = json_object(), *about = json_object();
    mdm_buffer out = {.max = (size_t)8 << 30};
    size_t at = 0;
    for (; meta && meta[0] && meta[1]; meta += 2)
        json_object_set_new(about, meta[0], json_string(meta[1]));
    if (json_object_size(about))
        json_object_set(root, "__metadata__", about);
    json_decref(about);
    for (size_t i = 0; i < count; i++) {
        const char *type = "F32";
        json_t *shape = json_array();
        for (size_t k = 0; k < sizeof types / sizeof *types; k++)
            if (types[k].dtype == arrays[i].dtype)
                type = types[k].name;
        for (int k = 0; k < arrays[i].rank; k++)
            json_array_append_new(shape, json_integer(arrays[i].shape[k]));
        json_object_set_new(root, arrays[i].name,
                            json_pack("{s:s, s:o, s:[I,I]}", "dtype", type, "shape", shape, "data_offsets",
                                      (json_int_t)at, (json_int_t)(at + arrays[i].size)));
        at += arrays[i].size;
    }
    char *header = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!header)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its header", path);
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(padded >> (8 * i));
    mdm_status status = mdm_buffer_append(&out, prefix, 8);
    if (!status)
        status = mdm_buffer_append(&out, header, length);
    if (!status)
        status = mdm_buffer_append(&out, "       ", padded - length);
    for (size_t i = 0; i < count && !status; i++)
        status = mdm_buffer_append(&out, arrays[i].data, arrays[i].size);
    if (!status)
        status = mdm_file_write(path, out.data, out.size);
    free(header);
    mdm_buffer_free(&out);
    return status;
}
