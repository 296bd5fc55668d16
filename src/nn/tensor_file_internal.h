/* What the readers of the formats share: a list of arrays and metadata that grows, over memory the file owns. */
#ifndef MDM_NN_TENSOR_FILE_INTERNAL_H
#define MDM_NN_TENSOR_FILE_INTERNAL_H

#include "base/file.h"
#include "nn/tensor_file.h"

struct mdm_tensor_file {
    mdm_mapping map;      /* the file itself */
    unsigned char *extra; /* data that had to be gathered (shards) */
    size_t extra_size;
    mdm_array *array;
    size_t count, capacity;
    char **meta; /* key, value, key, value, ... */
    size_t meta_count, meta_capacity;
};

/* Appends an array: copies the name, checks rank, shape and that data lies inside [base, base + size). The product of the
 * shape times the type's size must be `bytes`. Duplicate names are refused by mdm_tensor_file_sort. */
mdm_status mdm_tensor_file_add(mdm_tensor_file *file, const mdm_array *array, const unsigned char *base, size_t size,
                               size_t offset, size_t bytes, const char *path);
mdm_status mdm_tensor_file_add_meta(mdm_tensor_file *file, const char *key, const char *value);
/* Sorts by name for mdm_tensor_file_find; two arrays of one name are MDM_ERR_INPUT. */
mdm_status mdm_tensor_file_sort(mdm_tensor_file *file, const char *path);

/* Readers: fill in `file`, whose map is open. */
mdm_status mdm_read_safetensors(mdm_tensor_file *file, const char *path);
mdm_status mdm_read_tfjs(mdm_tensor_file *file, const char *path);
mdm_status mdm_read_gguf(mdm_tensor_file *file, const char *path);
mdm_status mdm_read_ct2(mdm_tensor_file *file, const char *path);
mdm_status mdm_read_torch(mdm_tensor_file *file, const char *path); /* both kinds */
bool mdm_is_torch_legacy(const unsigned char *data,
                         size_t size);                   /* starts like what torch.save wrote before its ZIP files */
bool mdm_is_ct2(const unsigned char *data, size_t size); /* starts like a CTranslate2 model.bin */

#endif
