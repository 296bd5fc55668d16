/* GGUF, read by ggml's own parser; arrays of the types that tensor_file.h knows are handed on. Names of 64 characters and more are refused by that parser. */
#include <gguf.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/tensor_file_internal.h"

static mdm_status add_arrays(mdm_tensor_file *file, const struct gguf_context *gguf, const struct ggml_context *context,
                             const char *path)
{
    size_t start = gguf_get_data_offset(gguf);
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const char *name = gguf_get_tensor_name(gguf, i);
        const struct ggml_tensor *tensor = ggml_get_tensor((struct ggml_context *)(uintptr_t)context, name);
        mdm_array array = {.name = name, .scale = 1, .rank = tensor ? ggml_n_dims(tensor) : 0};
        switch (gguf_get_tensor_type(gguf, i)) {
        case GGML_TYPE_F32:
            array.dtype = MDM_F32;
            break;
        case GGML_TYPE_F16:
            array.dtype = MDM_F16;
            break;
        case GGML_TYPE_BF16:
            array.dtype = MDM_BF16;
            break;
        case GGML_TYPE_I32:
            array.dtype = MDM_I32;
            break;
        case GGML_TYPE_Q8_0:
            array.dtype = MDM_Q8_0;
            break;
        case GGML_TYPE_Q4_0:
            array.dtype = MDM_Q4_0;
            break;
        default:
            continue;
        }
        for (int k = 0; k < array.rank; k++)
            array.shape[k] = tensor->ne[array.rank - 1 - k];
        size_t offset = start + gguf_get_tensor_offset(gguf, i);
        if (offset < start)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" lies outside the file", path, name);
        MDM_TRY(mdm_tensor_file_add(file, &array, file->map.data, file->map.size, offset, gguf_get_tensor_size(gguf, i),
                                    path));
    }
    return MDM_OK;
}

mdm_status mdm_read_gguf(mdm_tensor_file *file, const char *path)
{
    struct ggml_context *context = NULL;
    struct gguf_context *gguf = gguf_init_from_file(path, (struct gguf_init_params){.no_alloc = true, .ctx = &context});
    if (!gguf)
        return mdm_fail(MDM_ERR_INPUT, "%s: not a GGUF file that ggml can read; get it again", path);
    mdm_status status = add_arrays(file, gguf, context, path);
    for (int64_t i = 0; i < gguf_get_n_kv(gguf) && !status; i++)
        if (gguf_get_kv_type(gguf, i) == GGUF_TYPE_STRING)
            status = mdm_tensor_file_add_meta(file, gguf_get_key(gguf, i), gguf_get_val_str(gguf, i));
    gguf_free(gguf);
    ggml_free(context);
    return status;
}
