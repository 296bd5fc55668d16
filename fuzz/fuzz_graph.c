/* Fuzz target: graph files: the JSON, its nodes and the streams between them. Nothing is opened. */
#include "fuzz.h"

#include "pipeline/graph_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_graph_file file;
    if (mdm_graph_file_read(&file, (const char *)data, size, "graph.json") == MDM_OK)
        mdm_graph_file_free(&file);
    return 0;
}
