/* Networks stored as graphs in files (TFLite, TFJS graph models, ONNX): read as data, checked, and rebuilt from nn.h's
 * operations. An operation that is not known is an error that names file, node and operation.
 *
 * Whatever the file's own order, values of four axes come in and go out as N,C,H,W planes; values of fewer axes in the
 * file's order. */
#ifndef MDM_NN_GRAPH_H
#define MDM_NN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mdm_graph mdm_graph;

/* Opens by extension: .tflite, .json (TFJS graph model, its shards beside it), .onnx. A graph whose extents are all known
 * is built at once; one with open extents (OCR's pictures) waits for mdm_graph_resize. */
mdm_status mdm_graph_load(mdm_graph **out, const char *path, int threads);
void mdm_graph_free(mdm_graph **graph);

/* Builds the graph for a first input of [n,c,h,w], or picks it among the last few sizes that were built. */
mdm_status mdm_graph_resize(mdm_graph *graph, const int64_t shape[4]);

/* Runs on the only (or first) input: `count` floats, planes. */
mdm_status mdm_graph_run(mdm_graph *graph, const float *input, size_t count);

/* Outputs, in the file's order. -1 when there is none of that name. */
int mdm_graph_output_count(const mdm_graph *graph);
int mdm_graph_output_index(const mdm_graph *graph, const char *name);
/* Shape and number of floats of an output of the size built last; 0 when there is none. Unused axes come first, as 1. */
size_t mdm_graph_output_shape(const mdm_graph *graph, int index, int64_t shape[4]);
/* Copies an output of the last run; `count` must be all of it. */
mdm_status mdm_graph_get(mdm_graph *graph, int index, float *out, size_t count);
/* The first input's shape of the size built last. */
size_t mdm_graph_input_shape(const mdm_graph *graph, int64_t shape[4]);

#endif
