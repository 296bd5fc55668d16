/* What the files of the ONNX importer share: values while the graph is described, and helpers over them. */
#ifndef MDM_NN_GRAPH_ONNX_H
#define MDM_NN_GRAPH_ONNX_H

#include "nn/graph_internal.h"
#include "nn/onnx_file.h"

#define MDM_ONNX_MAX_SMALL 64 /* elements of a whole-number value that is worked out while describing */

/* A value: a node of the network, a constant, or whole numbers known while describing (shapes). */
typedef struct mdm_onnx_value {
    bool known;
    int rank;
    int64_t shape[MDM_MAX_RANK];
    mdm_node *node;
    const mdm_onnx_tensor *constant;
    int64_t *numbers; /* `count` of them, or NULL */
    size_t count;
    int uses, user[2]; /* how often it is read, and the first two nodes that do */
} mdm_onnx_value;

typedef struct mdm_onnx_import {
    mdm_graph *graph;
    mdm_nn *nn;
    mdm_onnx onnx;
    mdm_onnx_value *values;
    bool *done;                /* nodes taken in by an earlier one */
    const mdm_onnx_node *node; /* being described, for messages */
} mdm_onnx_import;

/* Records "file: node (op): message" as the network's error. */
void mdm_onnx_bad(mdm_onnx_import *m, const char *format, ...) MDM_PRINTF(2, 3);

/* Input k of a node; NULL when it is left out or unknown. */
mdm_onnx_value *mdm_onnx_in(mdm_onnx_import *m, const mdm_onnx_node *node, int k);
/* Input k as a node of the network; NULL and an error when it cannot be. */
mdm_node *mdm_onnx_node_in(mdm_onnx_import *m, const mdm_onnx_node *node, int k);
mdm_node *mdm_onnx_as_node(mdm_onnx_import *m, mdm_onnx_value *value);
/* Fills output k. `x` gets the shape. */
void mdm_onnx_set(mdm_onnx_import *m, const mdm_onnx_node *node, int k, mdm_node *x, int rank, const int64_t *shape);
void mdm_onnx_set_numbers(mdm_onnx_import *m, const mdm_onnx_node *node, const int64_t *numbers, size_t count,
                          int rank);

/* A constant of one float; false when it is not one. */
bool mdm_onnx_scalar(float *out, const mdm_onnx_value *value);
/* A constant's floats in memory of the network; NULL and an error if it is none, or has not `count` values (0: any). */
float *mdm_onnx_floats(mdm_onnx_import *m, const mdm_onnx_value *value, size_t count);

int64_t mdm_onnx_int(const mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, int64_t fallback);
float mdm_onnx_float(const mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, float fallback);
/* Whole numbers of an attribute, or (opset 10+) of input k; -1 when there are none, at most MDM_ONNX_MAX_INTS. */
int mdm_onnx_ints(mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, int k,
                  int64_t out[MDM_ONNX_MAX_INTS]);
/* An axis of a value of `rank` axes, counted from the front; -1 and an error when it is none. */
int mdm_onnx_axis(mdm_onnx_import *m, int64_t axis, int rank);
/* The same axis counted from the last, as nn.h counts; -1 and an error where the executor's four axes do not reach. */
int mdm_onnx_from_last(mdm_onnx_import *m, const mdm_onnx_value *value, int axis);

/* graph_onnx_layers.c */
void mdm_onnx_conv(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_conv_transposed(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_batch_norm(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_pool(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_global_pool(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_matmul(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_gemm(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_softmax(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_resize(mdm_onnx_import *m, const mdm_onnx_node *node);

/* graph_onnx_shape.c */
void mdm_onnx_shape(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_cast(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_reshape(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_flatten(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_squeeze(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_unsqueeze(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_transpose(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_concat(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_slice(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_split(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_gather(mdm_onnx_import *m, const mdm_onnx_node *node);
void mdm_onnx_reduce_mean(mdm_onnx_import *m, const mdm_onnx_node *node);

#endif
