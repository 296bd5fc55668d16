/* Networks that come with their graph: TFLite, TFJS graph models and ONNX files turned into nn.h calls. The file is data:
 * every index, shape and attribute is checked, an operation that is not known is an error that names file and node. */
#ifndef MDM_NN_GRAPH_H
#define MDM_NN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/nn.h"

typedef struct mdm_graph mdm_graph;

typedef struct mdm_graph_options {
    int threads;       /* a constant of the job; 0 = 1 */
    int height, width; /* of the first input, where the file leaves them open (ONNX) or the network is convolutions
                                   only (TFLite: the file's size is not a must); 0 = as the file says */
    const char *const *outputs; /* NULL-terminated names of inner nodes to take as outputs; NULL = the file's own */
} mdm_graph_options;

/* Opens by content and extension (.tflite, .json with its shards beside it, .onnx) and builds. A file that is not there is
 * MDM_ERR_DEVICE and says how to get it. */
mdm_status mdm_graph_load(mdm_graph **out, const char *path, const mdm_graph_options *options);
void mdm_graph_free(mdm_graph **graph);

/* Pictures go in as planes (1,C,H,W) whatever the file's own layout. Batches are always 1. */
mdm_status mdm_graph_set(mdm_graph *graph, int input, const float *values, size_t count);
mdm_status mdm_graph_run(mdm_graph *graph);

/* Outputs, in the file's order. -1 when there is none of that name. */
int mdm_graph_output_count(const mdm_graph *graph);
int mdm_graph_output_index(const mdm_graph *graph, const char *name);
size_t mdm_graph_output_size(const mdm_graph *graph, int output); /* floats; 0 when there is none */
/* Extents in the file's own layout (channels last for TFLite and TFJS, planes for ONNX); unused axes come first, as 1. */
mdm_status mdm_graph_output_shape(const mdm_graph *graph, int output, int64_t shape[4]);
/* Copies an output of the last run, in that layout; `count` must be all of it. */
mdm_status mdm_graph_get(mdm_graph *graph, int output, float *values, size_t count);

#endif
