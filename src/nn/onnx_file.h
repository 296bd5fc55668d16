/* An ONNX file taken apart: nodes, attributes, constants and the names that join them. Protocol buffers are read by hand,
 * every length checked; nothing is executed. Text and raw data point into the file. */
#ifndef MDM_NN_ONNX_FILE_H
#define MDM_NN_ONNX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/tensor_file.h"

#define MDM_ONNX_MAX_INTS 16

typedef struct mdm_onnx_text {
    const char *at; /* not terminated */
    int length;
} mdm_onnx_text;

typedef struct mdm_onnx_tensor {
    mdm_onnx_text name;
    mdm_dtype dtype;
    int rank;
    int64_t shape[MDM_MAX_RANK];
    const unsigned char *data; /* little-endian elements, exactly the shape's */
    size_t size, count;
} mdm_onnx_tensor;

typedef struct mdm_onnx_attribute {
    mdm_onnx_text name, text;
    int64_t i, ints[MDM_ONNX_MAX_INTS];
    float f;
    int int_count;
    int tensor; /* index into tensors, -1 */
} mdm_onnx_attribute;

typedef struct mdm_onnx_node {
    mdm_onnx_text name, op;
    int first_input, input_count;   /* in links: value numbers, -1 where left out */
    int first_output, output_count; /* in links */
    int first_attribute, attribute_count;
} mdm_onnx_node;

typedef struct mdm_onnx_input {
    int value, rank;
    int64_t shape[MDM_MAX_RANK]; /* 0: open */
} mdm_onnx_input;

typedef struct mdm_onnx {
    const char *path;      /* for messages; not owned */
    mdm_onnx_text *values; /* names of the values, by number */
    mdm_onnx_node *nodes;
    mdm_onnx_attribute *attributes;
    mdm_onnx_tensor *tensors;
    int *tensor_value;      /* the value a tensor is, -1 for those inside attributes of other nodes */
    mdm_onnx_input *inputs; /* without those that are constants */
    int *outputs, *links;
    uint32_t *slots; /* names by hash */
    void **owned;
    size_t value_count, node_count, attribute_count, tensor_count, input_count, output_count, link_count, slot_count,
        owned_count;
    size_t value_room, node_room, attribute_room, tensor_room, tensor_value_room, input_room, output_room, link_room,
        owned_room;
} mdm_onnx;

/* Fills *out from the file's bytes, which must outlive it. mdm_onnx_close in any case. */
mdm_status mdm_onnx_open(mdm_onnx *out, const char *path, const unsigned char *data, size_t size);
void mdm_onnx_close(mdm_onnx *onnx);

bool mdm_onnx_is(mdm_onnx_text text, const char *word);
/* NULL when the node has none of that name. */
const mdm_onnx_attribute *mdm_onnx_find(const mdm_onnx *onnx, const mdm_onnx_node *node, const char *name);

#endif
