/* What the targets of the tensor and graph readers share: open the file and read all of it. */
#ifndef MDM_FUZZ_TENSORS_H
#define MDM_FUZZ_TENSORS_H

#include <stdlib.h>

#include "nn/graph.h"
#include "nn/tensor_file.h"

/* Opens the file, converts every array of up to a million values, asks for a name and for metadata. */
static inline void fuzz_tensors(const char *path)
{
    mdm_tensor_file *file = NULL;
    if (mdm_tensor_file_open(&file, path) != MDM_OK)
        return;
    for (size_t i = 0; i < mdm_tensor_file_count(file); ++i) {
        const mdm_array *array = mdm_tensor_file_at(file, i);
        size_t count = mdm_array_count(array);
        float *values = count && count <= 1000000 ? malloc(count * sizeof *values) : NULL;
        if (values)
            (void)mdm_array_to_f32(values, count, array);
        free(values);
        (void)mdm_tensor_file_find(file, array->name);
    }
    (void)mdm_tensor_file_meta(file, "format");
    mdm_tensor_file_free(&file);
}

/* Builds the file's graph and, when that works, runs it on zeros. */
static inline void fuzz_graph(const char *path)
{
    mdm_graph *graph = NULL;
    mdm_graph_options options = {.threads = 1, .height = 8, .width = 8};
    if (mdm_graph_load(&graph, path, &options) != MDM_OK)
        return;
    if (mdm_graph_run(graph) == MDM_OK) {
        size_t count = mdm_graph_output_size(graph, 0);
        float *values = count && count <= 1000000 ? malloc(count * sizeof *values) : NULL;
        if (values)
            (void)mdm_graph_get(graph, 0, values, count);
        free(values);
    }
    mdm_graph_free(&graph);
}

#endif
