/* Graph files: BMF's JSON (docs/graphs.md). Reading one checks everything that can be known without opening a module. */
#ifndef MDM_PIPELINE_GRAPH_FILE_H
#define MDM_PIPELINE_GRAPH_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "base/settings.h"
#include "base/status.h"
#include "pipeline/module.h"

#define MDM_GRAPH_MOST_BYTES ((size_t)4 << 20) /* of a file */

/* One end of a stream at a node. */
typedef struct mdm_graph_end {
    const char *stream; /* its identifier, without the part before a ':' */
    const char *notify; /* which output: "video", "audio", or "" */
    int from, output;   /* of inputs: the node's index and output that feed it */
} mdm_graph_end;

typedef struct mdm_graph_node {
    int id;
    char label[80]; /* "node 2 (c_ffmpeg_encoder)", for messages */
    const mdm_module *module;
    const char *path, *entry;
    json_t *option; /* borrowed from the file */
    int queue;      /* 0: the engine's */
    mdm_graph_end in[MDM_MODULE_PORTS], out[MDM_MODULE_PORTS];
    int inputs, outputs;
} mdm_graph_node;

typedef struct mdm_graph_file {
    json_t *root;
    mdm_graph_node *node; /* a node comes after those that feed it */
    int nodes;
} mdm_graph_file;

/* MDM_ERR_INPUT names the node, what it has and what was expected. */
mdm_status mdm_graph_file_read(mdm_graph_file *out, const char *text, size_t size, const char *where);
void mdm_graph_file_free(mdm_graph_file *file);

/* Opens the modules and runs the graph; what comes out of the end of it as JSON (mmdm_verify ...) goes to `tell`, which may be NULL. */
mdm_status mdm_graph_file_run(const mdm_graph_file *file, void (*tell)(void *user, const char *json), void *user);

/* graph_text.c: the graph of one recording's analysis, or of what is made of its plan. Caller frees with mdm_free. */
mdm_status mdm_graph_describe(char **out, const mdm_settings *settings, const char *input, bool rendering);

#endif
