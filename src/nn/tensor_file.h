/* Named arrays in files: one view over every format we read as data, and a safetensors writer. */
#ifndef MDM_NN_TENSOR_FILE_H
#define MDM_NN_TENSOR_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum mdm_dtype {
    MDM_F32,
    MDM_F16,
    MDM_BF16,
    MDM_F64,
    MDM_I8,
    MDM_U8,
    MDM_I16,
    MDM_U16,
    MDM_I32,
    MDM_I64,
    MDM_BOOL,
    MDM_Q8_0, /* ggml's: blocks of 32 values along the last axis, which is a multiple of that */
    MDM_Q4_0,
} mdm_dtype;

/* Bytes of one value; 0 for the types that come in blocks. */
size_t mdm_dtype_size(mdm_dtype dtype);
/* Bytes of `count` values; 0 when they are no whole blocks. */
size_t mdm_dtype_bytes(mdm_dtype dtype, size_t count);

#define MDM_MAX_RANK 8

/* One array, row-major (C order, last axis fastest). `data` may be unaligned; it belongs to the file. */
typedef struct mdm_array {
    const char *name;
    mdm_dtype dtype;
    int rank;
    int64_t shape[MDM_MAX_RANK];
    const void *data;
    size_t size; /* bytes, = mdm_dtype_bytes of product(shape) */
    /* affine quantisation as TFJS stores it: value = scale * q + offset; 1 and 0 otherwise */
    double scale, offset;
} mdm_array;

typedef struct mdm_tensor_file mdm_tensor_file;

/* Opens by content and extension: .safetensors, TFJS/face-api .json (+ .bin shards beside it), .tflite, .onnx, .gguf,
 * CTranslate2 model.bin, PyTorch's .bin, .pt, .pth and .ckpt (of today and from before 1.6; whole networks are refused, state_dicts read).
 * Checks every offset and size first; a hostile file is MDM_ERR_INPUT, never a crash. */
mdm_status mdm_tensor_file_open(mdm_tensor_file **out, const char *path);
void mdm_tensor_file_free(mdm_tensor_file **file);

size_t mdm_tensor_file_count(const mdm_tensor_file *file);
const mdm_array *mdm_tensor_file_at(const mdm_tensor_file *file, size_t index);
/* NULL when there is none of that name. */
const mdm_array *mdm_tensor_file_find(const mdm_tensor_file *file, const char *name);
/* Metadata by key ("__metadata__" of safetensors, GGUF key/values as text), NULL when absent. */
const char *mdm_tensor_file_meta(const mdm_tensor_file *file, const char *key);

/* How many values it has. */
size_t mdm_array_count(const mdm_array *array);

/* Copies an array as f32 (dequantised); `out` has room for `count` floats, which must equal the array's. */
mdm_status mdm_array_to_f32(float *out, size_t count, const mdm_array *array);

/* Writes a safetensors file atomically. `meta` is a NULL-terminated list of key, value, key, value, ... or NULL. */
mdm_status mdm_safetensors_write(const char *path, const mdm_array *arrays, size_t count, const char *const *meta);

#endif
