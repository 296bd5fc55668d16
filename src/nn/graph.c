/* Loading a graph by its content, and the calls that run it. */
#include "nn/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/graph_internal.h"

static mdm_status import(mdm_graph *graph, const char *path, const mdm_graph_options *options)
{
    mdm_mapping map = {0};
    size_t length = strlen(path);
    if (length > 5 && !strcmp(path + length - 5, ".json"))
        return mdm_import_tfjs(graph, path, options);
    MDM_TRY(mdm_map_file(&map, path));
    mdm_status status = map.size >= 8 && !memcmp(map.data + 4, "TFL3", 4) ? mdm_import_tflite(graph, &map, options)
                                                                          : mdm_import_onnx(graph, &map, options);
    mdm_unmap_file(&map);
    return status;
}

mdm_status mdm_graph_load(mdm_graph **out, const char *path, const mdm_graph_options *options)
{
    mdm_graph *graph = NULL;
    *out = NULL;
    if (!mdm_file_exists(path))
        return mdm_fail(MDM_ERR_DEVICE, "%s: the model file is not there; run ./demo or `mmdm models pull`", path);
    MDM_TRY(mdm_alloc(&graph, 1, sizeof *graph, "graph"));
    const char *slash = strrchr(path, '/');
    snprintf(graph->path, sizeof graph->path, "%s", path);
    mdm_status status = mdm_nn_new(&graph->nn, slash ? slash + 1 : path, options->threads);
    if (!status)
        status = import(graph, path, options);
    if (!status)
        status = mdm_nn_build(graph->nn);
    if (status)
        mdm_graph_free(&graph);
    *out = graph;
    return status;
}

void mdm_graph_free(mdm_graph **graph)
{
    if (!*graph)
        return;
    mdm_nn_free(&(*graph)->nn);
    mdm_free(graph);
}

static void leaf_name(char name[16], const char *kind, int index)
{
    snprintf(name, 16, "%s%d", kind, index);
}

mdm_status mdm_graph_add_output(mdm_graph *graph, mdm_node *node, const char *name)
{
    char id[16];
    if (graph->output_count == MDM_GRAPH_MAX_OUTPUTS)
        return mdm_fail(MDM_ERR_INPUT, "%s: more than %d outputs", graph->path, MDM_GRAPH_MAX_OUTPUTS);
    leaf_name(id, "out", graph->output_count);
    snprintf(graph->output[graph->output_count++], sizeof graph->output[0], "%s", name);
    mdm_nn_output(graph->nn, node, id);
    return MDM_OK;
}

mdm_status mdm_graph_set(mdm_graph *graph, int input, const float *values, size_t count)
{
    char id[16];
    leaf_name(id, "in", input);
    return mdm_nn_set(graph->nn, id, values, count);
}

mdm_status mdm_graph_run(mdm_graph *graph)
{
    return mdm_nn_run(graph->nn);
}

int mdm_graph_output_count(const mdm_graph *graph)
{
    return graph->output_count;
}

int mdm_graph_output_index(const mdm_graph *graph, const char *name)
{
    for (int i = 0; i < graph->output_count; i++)
        if (!strcmp(graph->output[i], name))
            return i;
    return -1;
}

size_t mdm_graph_output_size(const mdm_graph *graph, int output)
{
    char id[16];
    leaf_name(id, "out", output);
    return mdm_nn_count(graph->nn, id);
}

mdm_status mdm_graph_output_shape(const mdm_graph *graph, int output, int64_t shape[4])
{
    char id[16];
    leaf_name(id, "out", output);
    if (!mdm_nn_shape(graph->nn, id, shape))
        return mdm_fail(MDM_ERR_INTERNAL, "%s: no output %d", graph->path, output);
    return MDM_OK;
}

mdm_status mdm_graph_get(mdm_graph *graph, int output, float *values, size_t count)
{
    char id[16];
    leaf_name(id, "out", output);
    return mdm_nn_get(graph->nn, id, values, count);
}

void mdm_same_padding(int pad[4], int64_t height, int64_t width, const int kernel[2], const int stride[2],
                      const int dilation[2])
{
    const int64_t size[2] = {height, width};
    for (int i = 0; i < 2; i++) {
        int64_t out = (size[i] + stride[i] - 1) / stride[i];
        int64_t total = (out - 1) * stride[i] + (int64_t)(kernel[i] - 1) * dilation[i] + 1 - size[i];
        total = total < 0 ? 0 : total;
        pad[i] = (int)(total / 2);
        pad[i + 2] = (int)(total - total / 2);
    }
}

mdm_node *mdm_from_channels_last(mdm_nn *nn, mdm_node *x)
{
    return mdm_nn_permute(nn, x, (const int[4]){0, 3, 1, 2});
}

mdm_node *mdm_to_channels_last(mdm_nn *nn, mdm_node *x)
{
    return mdm_nn_permute(nn, x, (const int[4]){0, 2, 3, 1});
}
