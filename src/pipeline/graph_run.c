/* Running a graph file: every node's module is opened with what the streams before it carry, then the flow runs. */
#include <string.h>

#include "base/memory.h"
#include "pipeline/graph_file.h"
#include "pipeline/worker.h"

typedef struct opened {
    void *state;
    mdm_port out[MDM_MODULE_PORTS];
    const mdm_graph_node *node;
} opened;

typedef struct end {
    void (*tell)(void *user, const char *json);
    void *user;
} end;

static unsigned outputs_used(const mdm_graph_file *file, int node)
{
    unsigned used = 0;
    for (int n = 0; n < file->nodes; n++)
        for (int i = 0; i < file->node[n].inputs; i++)
            if (file->node[n].in[i].from == node)
                used |= 1u << file->node[n].in[i].output;
    return used;
}

static mdm_status open_node(opened *all, const mdm_graph_file *file, int index, json_t *no_option)
{
    const mdm_graph_node *node = &file->node[index];
    mdm_port in[MDM_MODULE_PORTS] = {{0}};
    for (int i = 0; i < node->inputs; i++)
        in[i] = all[node->in[i].from].out[node->in[i].output];
    mdm_module_start start = {.node = node->label,
                              .entry = node->entry,
                              .path = node->path,
                              .option = node->option ? node->option : no_option,
                              .in = in,
                              .inputs = node->inputs,
                              .used = outputs_used(file, index)};
    all[index].node = node;
    const mdm_status status = mdm_module_open(&all[index].state, node->module, &start);
    memcpy(all[index].out, start.out, sizeof start.out);
    if (status != MDM_OK && strncmp(mdm_error_message(), node->label, strlen(node->label)) != 0)
        return mdm_fail_context(status, "%s", node->label);
    return status;
}

static mdm_status turn_node(void *user, mdm_turn *turn)
{
    const opened *o = user;
    if (mdm_pool_stop_asked())
        return mdm_fail(MDM_ERR_CANCELLED, "stopped by a signal");
    return o->node->module->turn(o->state, turn);
}

static mdm_status tell_end(void *user, mdm_turn *turn)
{
    const end *e = user;
    char *text = turn->last ? NULL : json_dumps(turn->in[0]->data, JSON_COMPACT);
    if (text)
        e->tell(e->user, text);
    free(text);
    return MDM_OK;
}

/* Streams of JSON that nobody reads are told. */
static mdm_status add_ends(mdm_flow *flow, const opened *all, const mdm_graph_file *file, end *told)
{
    for (int n = 0; told->tell && n < file->nodes; n++)
        for (int o = 0; o < MDM_MODULE_PORTS; o++) {
            int id;
            if (all[n].out[o].kind != MDM_PORT_JSON || outputs_used(file, n) >> o & 1)
                continue;
            MDM_TRY(mdm_flow_add(&id, flow, &(mdm_flow_node){.name = "tell", .work = tell_end, .user = told}));
            MDM_TRY(mdm_flow_join(flow, n, o, id, 0));
        }
    return MDM_OK;
}

static mdm_status add_nodes(mdm_flow *flow, opened *all, const mdm_graph_file *file)
{
    for (int n = 0, id; n < file->nodes; n++) {
        const mdm_graph_node *node = &file->node[n];
        const mdm_flow_node is = {.name = node->module->name,
                                  .work = turn_node,
                                  .user = &all[n],
                                  .order = node->module->order,
                                  .queue = node->queue};
        MDM_TRY(mdm_flow_add(&id, flow, &is));
        for (int i = 0; i < node->inputs; i++)
            MDM_TRY(mdm_flow_join(flow, node->in[i].from, node->in[i].output, id, i));
    }
    return MDM_OK;
}

mdm_status mdm_graph_file_run(const mdm_graph_file *file, void (*tell)(void *user, const char *json), void *user)
{
    opened *all;
    mdm_flow *flow = NULL;
    json_t *no_option = json_object();
    end told = {tell, user};
    int count = 0;
    MDM_TRY(mdm_alloc(&all, (size_t)file->nodes, sizeof *all, "nodes"));
    mdm_status status = MDM_OK;
    for (; count < file->nodes && status == MDM_OK; count++)
        status = open_node(all, file, count, no_option);
    if (status == MDM_OK)
        status = mdm_flow_new(&flow);
    if (status == MDM_OK)
        status = add_nodes(flow, all, file);
    if (status == MDM_OK)
        status = add_ends(flow, all, file, &told);
    if (status == MDM_OK)
        status = mdm_flow_run(flow, 0);
    mdm_flow_free(&flow);
    for (int n = 0; n < count; n++)
        if (all[n].state)
            all[n].node->module->close(all[n].state);
    mdm_free(&all);
    json_decref(no_option);
    return status;
}
