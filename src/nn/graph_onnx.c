/* ONNX graphs as nn.h calls. */
#include "nn/graph_internal.h"

mdm_status mdm_import_onnx(mdm_graph *graph, const mdm_mapping *map, const mdm_graph_options *options)
{
    (void)options;
    (void)map;
    return mdm_fail(MDM_ERR_DEVICE, "%s: ONNX graphs are not imported yet", graph->path);
}
