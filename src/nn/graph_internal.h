/* What the importers share: the graph being made, and helpers for the padding rules of TensorFlow. */
#ifndef MDM_NN_GRAPH_INTERNAL_H
#define MDM_NN_GRAPH_INTERNAL_H

#include "base/file.h"
#include "nn/graph.h"

#define MDM_GRAPH_MAX_OUTPUTS 32

struct mdm_graph {
    mdm_nn *nn;
    char path[512]; /* for messages */
    char output[MDM_GRAPH_MAX_OUTPUTS][64];
    int input_count, output_count;
};

/* Importers add inputs "in0", "in1", .. and outputs "out0", .. to graph->nn; mdm_graph_load builds it. */
mdm_status mdm_import_tflite(mdm_graph *graph, const mdm_mapping *map, const mdm_graph_options *options);
mdm_status mdm_import_tfjs(mdm_graph *graph, const char *path, const mdm_graph_options *options);
mdm_status mdm_import_onnx(mdm_graph *graph, const mdm_mapping *map, const mdm_graph_options *options);

/* Names the next output; MDM_ERR_INPUT when there are too many. */
mdm_status mdm_graph_add_output(mdm_graph *graph, mdm_node *node, const char *name);

/* TensorFlow's SAME: out = ceil(in / stride), the odd pixel of padding at the end. pad: top, left, bottom, right. */
void mdm_same_padding(int pad[4], int64_t height, int64_t width, const int kernel[2], const int stride[2],
                      const int dilation[2]);

/* 1,C,H,W from N,H,W,C and back. */
mdm_node *mdm_from_channels_last(mdm_nn *nn, mdm_node *x);
mdm_node *mdm_to_channels_last(mdm_nn *nn, mdm_node *x);

#endif
