/* TFJS graph models as nn.h calls. */
#include "nn/graph_internal.h"

mdm_status mdm_import_tfjs(mdm_graph *graph, const char *path, const mdm_graph_options *options)
{
    (void)options;
    (void)path;
    return mdm_fail(MDM_ERR_DEVICE, "%s: TFJS graphs are not imported yet", graph->path);
}
