/* The view over every format of named arrays: opening by content, looking up, converting to f32. */
#include "nn/tensor_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/tensor_file_internal.h"
#include "nn/zip.h"

#define MAX_ARRAYS 100000
#define MAX_NAME   512

size_t mdm_dtype_size(mdm_dtype dtype)
{
    static const size_t sizes[] = {4, 2, 2, 8, 1, 1, 2, 2, 4, 8, 1};
    return (size_t)dtype < sizeof sizes / sizeof *sizes ? sizes[dtype] : 0;
}

enum { BLOCK = 32, Q8_0_BYTES = 34, Q4_0_BYTES = 18 }; /* a half for the scale, then the values */

size_t mdm_dtype_bytes(mdm_dtype dtype, size_t count)
{
    const size_t block = dtype == MDM_Q8_0 ? Q8_0_BYTES : dtype == MDM_Q4_0 ? Q4_0_BYTES : 0;
    size_t bytes = 0;
    if (block && count % BLOCK)
        return 0;
    return mdm_mul_size(&bytes, block ? count / BLOCK : count, block ? block : mdm_dtype_size(dtype)) ? bytes : 0;
}

size_t mdm_array_count(const mdm_array *array)
{
    const size_t one = mdm_dtype_size(array->dtype);
    return one ? array->size / one : array->size / (array->dtype == MDM_Q8_0 ? Q8_0_BYTES : Q4_0_BYTES) * BLOCK;
}

mdm_status mdm_tensor_file_add(mdm_tensor_file *file, const mdm_array *array, const unsigned char *base, size_t size,
                               size_t offset, size_t bytes, const char *path)
{
    const bool blocks = array->dtype == MDM_Q8_0 || array->dtype == MDM_Q4_0;
    size_t expected = 1;
    const char *name = array->name;
    if (strlen(name) > MAX_NAME || file->count >= MAX_ARRAYS)
        return mdm_fail(MDM_ERR_INPUT, "%s: a name of %zu characters or more than %d arrays", path, strlen(name),
                        MAX_ARRAYS);
    if (array->rank < 0 || array->rank > MDM_MAX_RANK)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %d axes, at most %d are known", path, name, array->rank,
                        MDM_MAX_RANK);
    for (int i = 0; i < array->rank; i++)
        if (array->shape[i] < 0 || !mdm_mul_size(&expected, expected, (size_t)array->shape[i]))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has an impossible shape", path, name);
    if (blocks && (!array->rank || array->shape[array->rank - 1] % BLOCK))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has rows that are no whole blocks of %d", path, name, BLOCK);
    const size_t values = expected;
    expected = mdm_dtype_bytes(array->dtype, values);
    if (values && !expected)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has an impossible shape", path, name);
    if (expected != bytes || offset > size || bytes > size - offset)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: \"%s\" takes %zu bytes at %zu of %zu, its shape says %zu; get the file again", path, name,
                        bytes, offset, size, expected);
    if (file->count == file->capacity) {
        size_t capacity = file->capacity ? file->capacity * 2 : 64;
        MDM_TRY(mdm_realloc(&file->array, capacity, sizeof *file->array, "arrays"));
        file->capacity = capacity;
    }
    mdm_array *copy = &file->array[file->count];
    *copy = *array;
    char *text = NULL;
    MDM_TRY(mdm_strdup(&text, name));
    copy->name = text;
    copy->data = base + offset;
    copy->size = bytes;
    if (copy->scale == 0)
        copy->scale = 1;
    file->count++;
    return MDM_OK;
}

mdm_status mdm_tensor_file_add_meta(mdm_tensor_file *file, const char *key, const char *value)
{
    if (file->meta_count + 2 > file->meta_capacity) {
        size_t capacity = file->meta_capacity ? file->meta_capacity * 2 : 16;
        if (capacity > MAX_ARRAYS)
            return mdm_fail(MDM_ERR_INPUT, "more than %d metadata entries", MAX_ARRAYS);
        MDM_TRY(mdm_realloc(&file->meta, capacity, sizeof *file->meta, "metadata"));
        file->meta_capacity = capacity;
    }
    MDM_TRY(mdm_strdup(&file->meta[file->meta_count], key));
    file->meta[file->meta_count + 1] = NULL;
    file->meta_count += 2;
    return mdm_strdup(&file->meta[file->meta_count - 1], value);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdm_array *)a)->name, ((const mdm_array *)b)->name);
}

mdm_status mdm_tensor_file_sort(mdm_tensor_file *file, const char *path)
{
    if (file->count)
        qsort(file->array, file->count, sizeof *file->array, by_name);
    for (size_t i = 1; i < file->count; i++)
        if (!strcmp(file->array[i].name, file->array[i - 1].name))
            return mdm_fail(MDM_ERR_INPUT, "%s: two arrays are called \"%s\"", path, file->array[i].name);
    return MDM_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

mdm_status mdm_tensor_file_open(mdm_tensor_file **out, const char *path)
{
    mdm_tensor_file *file = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&file, 1, sizeof *file, "tensor file"));
    mdm_status status = mdm_map_file(&file->map, path);
    if (!status) {
        if (file->map.size >= 4 && !memcmp(file->map.data, "GGUF", 4))
            status = mdm_read_gguf(file, path);
        else if (ends_with(path, ".json"))
            status = mdm_read_tfjs(file, path);
        else if (mdm_is_zip(file->map.data, file->map.size) || mdm_is_torch_legacy(file->map.data, file->map.size))
            status = mdm_read_torch(file, path);
        else if (mdm_is_ct2(file->map.data, file->map.size))
            status = mdm_read_ct2(file, path);
        else
            status = mdm_read_safetensors(file, path);
    }
    if (!status)
        status = mdm_tensor_file_sort(file, path);
    if (status)
        mdm_tensor_file_free(&file);
    *out = file;
    return status;
}

void mdm_tensor_file_free(mdm_tensor_file **file)
{
    mdm_tensor_file *f = *file;
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        char *name = (char *)(uintptr_t)f->array[i].name;
        mdm_free(&name);
    }
    for (size_t i = 0; i < f->meta_count; i++)
        mdm_free(&f->meta[i]);
    mdm_free(&f->meta);
    mdm_free(&f->array);
    mdm_free(&f->extra);
    mdm_unmap_file(&f->map);
    mdm_free(file);
}

size_t mdm_tensor_file_count(const mdm_tensor_file *file)
{
    return file->count;
}

const mdm_array *mdm_tensor_file_at(const mdm_tensor_file *file, size_t index)
{
    return index < file->count ? &file->array[index] : NULL;
}

const mdm_array *mdm_tensor_file_find(const mdm_tensor_file *file, const char *name)
{
    mdm_array key = {.name = name};
    return file->count ? bsearch(&key, file->array, file->count, sizeof *file->array, by_name) : NULL;
}

const char *mdm_tensor_file_meta(const mdm_tensor_file *file, const char *key)
{
    for (size_t i = 0; i + 1 < file->meta_count; i += 2)
        if (!strcmp(file->meta[i], key))
            return file->meta[i + 1];
    return NULL;
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023, bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else {
        float value = (float)mantissa / 16777216.0f;
        return sign ? -value : value;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Each type's loop, reading unaligned. */
#define CONVERT(type, expression)                                                                                      \
    for (size_t i = 0; i < count; i++) {                                                                               \
        type v;                                                                                                        \
        memcpy(&v, (const char *)array->data + i * sizeof v, sizeof v);                                                \
        out[i] = (float)(expression);                                                                                  \
    }                                                                                                                  \
    break

/* Blocks of a scale and 32 numbers of 8 or 4 bits; those of 4 bits: the low halves first, then the high ones. */
static void from_blocks(float *out, size_t count, const mdm_array *array)
{
    const size_t bytes = array->dtype == MDM_Q8_0 ? Q8_0_BYTES : Q4_0_BYTES;
    for (size_t b = 0; b < count / BLOCK; b++) {
        const unsigned char *block = (const unsigned char *)array->data + b * bytes, *codes = block + 2;
        const float scale = half_to_float((uint16_t)(block[0] | block[1] << 8));
        for (size_t i = 0; i < BLOCK; i++) {
            int code = array->dtype == MDM_Q8_0 ? (int8_t)codes[i] : (codes[i % 16] >> (i < 16 ? 0 : 4) & 15) - 8;
            out[b * BLOCK + i] = scale * (float)code;
        }
    }
}

mdm_status mdm_array_to_f32(float *out, size_t count, const mdm_array *array)
{
    if (mdm_array_count(array) != count)
        return mdm_fail(MDM_ERR_INPUT, "\"%s\" has %zu values, expected %zu", array->name, mdm_array_count(array),
                        count);
    switch (array->dtype) {
    case MDM_F32:
        memcpy(out, array->data, count * sizeof *out);
        break;
    case MDM_F16:
        CONVERT(uint16_t, half_to_float(v));
    case MDM_BF16:
        for (size_t i = 0; i < count; i++) {
            uint16_t v;
            memcpy(&v, (const char *)array->data + i * sizeof v, sizeof v);
            uint32_t bits = (uint32_t)v << 16;
            memcpy(&out[i], &bits, sizeof bits);
        }
        break;
    case MDM_F64:
        CONVERT(double, v);
    case MDM_I8:
        CONVERT(int8_t, v);
    case MDM_U8:
    case MDM_BOOL:
        CONVERT(uint8_t, v);
    case MDM_I16:
        CONVERT(int16_t, v);
    case MDM_U16:
        CONVERT(uint16_t, v);
    case MDM_I32:
        CONVERT(int32_t, v);
    case MDM_I64:
        CONVERT(int64_t, v);
    case MDM_Q8_0:
    case MDM_Q4_0:
        from_blocks(out, count, array);
        break;
    }
    if (array->scale != 1 || array->offset != 0)
        for (size_t i = 0; i < count; i++)
            out[i] = out[i] * (float)array->scale + (float)array->offset;
    return MDM_OK;
}
