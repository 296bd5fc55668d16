/* Reading graph files (graph_file.h). Both spellings of BMF's own files are understood: an output is chosen by "notify", or by the part of
 * the identifier before a ':'; callbacks are "callback_binding" or "callback_bindings". */
#include "pipeline/graph_file.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

enum { MOST_NODES = 200, MOST_QUEUE = 64 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static mdm_status read_ends(mdm_graph_end *end, int *count, const json_t *node, const char *name, const char *label)
{
    const json_t *list = json_object_get(node, name);
    size_t i;
    json_t *item;
    if (list && (!json_is_array(list) || json_array_size(list) > MDM_MODULE_PORTS))
        return mdm_fail(MDM_ERR_INPUT, "%s: %s, expected a list of at most %d streams", label, name, MDM_MODULE_PORTS);
    json_array_foreach(list, i, item)
    {
        const char *stream = text_of(item, "identifier"), *colon = strchr(stream, ':');
        if (!stream[0])
            return mdm_fail(MDM_ERR_INPUT, "%s: %s[%zu] has no 'identifier'", label, name, i);
        end[i] = (mdm_graph_end){.stream = colon ? colon + 1 : stream, .notify = text_of(item, "notify")};
        if (colon && !end[i].notify[0])
            end[i].notify = colon == stream + 5 && strncmp(stream, "video", 5) == 0   ? "video"
                            : colon == stream + 5 && strncmp(stream, "audio", 5) == 0 ? "audio"
                                                                                      : "?";
    }
    *count = (int)json_array_size(list);
    return MDM_OK;
}

/* The output that a node's output stream is: by its name, or by its place. */
static mdm_status which_output(int *out, const mdm_graph_node *node, int place)
{
    const char *notify = node->out[place].notify;
    const char *const *names = node->module->outputs;
    for (*out = 0; *out < 3 && names[*out]; (*out)++)
        if (notify[0] ? strcmp(notify, names[*out]) == 0 : *out == place)
            return MDM_OK;
    return mdm_fail(MDM_ERR_INPUT, "%s: output %d '%.60s' does not exist; it has %s%s%s%s%s", node->label, place,
                    notify[0] ? notify : node->out[place].stream, names[0] ? names[0] : "none", names[1] ? ", " : "",
                    names[1] ? names[1] : "", names[1] && names[2] ? ", " : "", names[1] && names[2] ? names[2] : "");
}

static mdm_status read_meta(mdm_graph_node *node, const json_t *from)
{
    const json_t *meta = json_object_get(from, "meta_info"), *queue = json_object_get(meta, "queue_length_limit"),
                 *premodule = json_object_get(meta, "premodule_id");
    const char *manager = text_of(from, "input_manager");
    if (json_array_size(json_object_get(meta, "callback_binding")) ||
        json_array_size(json_object_get(meta, "callback_bindings")))
        return mdm_fail(MDM_ERR_INPUT, "%s: callbacks are not supported in a file; leave them out", node->label);
    if (premodule && json_integer_value(premodule) != -1)
        return mdm_fail(MDM_ERR_INPUT, "%s: premodule_id is not supported; leave it out", node->label);
    if (queue && (!json_is_integer(queue) || json_integer_value(queue) < 1 || json_integer_value(queue) > MOST_QUEUE))
        return mdm_fail(MDM_ERR_INPUT, "%s: queue_length_limit, expected 1 to %d", node->label, MOST_QUEUE);
    if (manager[0] && strcmp(manager, "immediate") != 0 && strcmp(manager, "default") != 0 &&
        strcmp(manager, "framesync") != 0)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: input_manager '%.30s' is not supported; immediate, default or framesync (here all of them "
                        "are in order of time)",
                        node->label, manager);
    node->queue = (int)json_integer_value(queue);
    return MDM_OK;
}

static mdm_status read_node(mdm_graph_node *node, json_t *from, size_t index)
{
    const json_t *id = json_object_get(from, "id"), *info = json_object_get(from, "module_info");
    const char *name = json_is_object(info) ? text_of(info, "name") : text_of(from, "module"),
               *type = text_of(info, "type");
    node->id = json_is_integer(id) ? (int)json_integer_value(id) : (int)index;
    snprintf(node->label, sizeof node->label, "node %d (%.40s)", node->id, name);
    mdm_status status = mdm_module_find(&node->module, name);
    if (status != MDM_OK)
        return mdm_fail_context(status, "%s", node->label);
    if (strcmp(type, "python") == 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: type 'python' runs in BMF only", node->label);
    if (json_is_string(json_object_get(from, "action")) && text_of(from, "action")[0])
        return mdm_fail(MDM_ERR_INPUT, "%s: action '%.30s' belongs to a graph that is running; this is a file",
                        node->label, text_of(from, "action"));
    node->path = text_of(info, "path");
    node->entry = text_of(info, "entry");
    node->option = json_object_get(from, "option");
    if (node->option && !json_is_object(node->option))
        return mdm_fail(MDM_ERR_INPUT, "%s: 'option' is not an object", node->label);
    MDM_TRY(read_meta(node, from));
    MDM_TRY(read_ends(node->in, &node->inputs, from, "input_streams", node->label));
    MDM_TRY(read_ends(node->out, &node->outputs, from, "output_streams", node->label));
    if (node->inputs < node->module->least_inputs || node->inputs > node->module->most_inputs)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d input streams, expected %d to %d", node->label, node->inputs,
                        node->module->least_inputs, node->module->most_inputs);
    for (int i = 0; i < node->outputs; i++)
        MDM_TRY(which_output(&node->out[i].output, node, i));
    return MDM_OK;
}

static mdm_status join_ends(mdm_graph_file *file)
{
    for (int n = 0; n < file->nodes; n++)
        for (int i = 0; i < file->node[n].inputs; i++) {
            mdm_graph_end *in = &file->node[n].in[i];
            in->from = -1;
            for (int m = 0; m < file->nodes; m++)
                for (int o = 0; o < file->node[m].outputs; o++) {
                    if (strcmp(file->node[m].out[o].stream, in->stream) != 0)
                        continue;
                    if (in->from >= 0)
                        return mdm_fail(MDM_ERR_INPUT, "%s: stream '%.60s' comes from %s too", file->node[m].label,
                                        in->stream, file->node[in->from].label);
                    in->from = m;
                    in->output = file->node[m].out[o].output;
                }
            if (in->from < 0)
                return mdm_fail(MDM_ERR_INPUT, "%s: no node gives its input stream '%.60s'", file->node[n].label,
                                in->stream);
        }
    return MDM_OK;
}

static void move_node(mdm_graph_file *file, int from, int to)
{
    const mdm_graph_node moved = file->node[from];
    memmove(&file->node[to + 1], &file->node[to], (size_t)(from - to) * sizeof moved);
    file->node[to] = moved;
    for (int n = 0; n < file->nodes; n++)
        for (int i = 0; i < file->node[n].inputs; i++) {
            int *at = &file->node[n].in[i].from;
            *at = *at == from ? to : *at >= to && *at < from ? *at + 1 : *at;
        }
}

/* Puts nodes behind those that feed them; what is left over goes in a circle. */
static mdm_status put_in_order(mdm_graph_file *file)
{
    for (int done = 0; done < file->nodes; done++) {
        int next = done;
        for (; next < file->nodes; next++) {
            bool ready = true;
            for (int i = 0; i < file->node[next].inputs; i++)
                ready = ready && file->node[next].in[i].from < done;
            if (ready)
                break;
        }
        if (next == file->nodes)
            return mdm_fail(MDM_ERR_INPUT, "%s: its output comes back to its input; a graph may not have circles",
                            file->node[done].label);
        move_node(file, next, done);
    }
    return MDM_OK;
}

static mdm_status read_root(mdm_graph_file *file)
{
    const json_t *nodes = json_object_get(file->root, "nodes");
    const char *mode = text_of(file->root, "mode");
    size_t i;
    json_t *node;
    /* A server without streams of its own has nothing to wait for: it is Normal. */
    if (mode[0] && strcmp(mode, "Normal") != 0 && strcmp(mode, "normal") != 0 && strcmp(mode, "Server") != 0)
        return mdm_fail(MDM_ERR_INPUT,
                        "mode '%.30s' needs a program that feeds the graph; a file is run in mode Normal", mode);
    if (json_array_size(json_object_get(file->root, "input_streams")) ||
        json_array_size(json_object_get(file->root, "output_streams")))
        return mdm_fail(MDM_ERR_INPUT, "streams of the graph itself need a program that feeds it; leave them out");
    if (!json_is_array(nodes) || json_array_size(nodes) == 0 || json_array_size(nodes) > MOST_NODES)
        return mdm_fail(MDM_ERR_INPUT, "'nodes', expected a list of 1 to %d nodes", MOST_NODES);
    MDM_TRY(mdm_alloc(&file->node, json_array_size(nodes), sizeof *file->node, "nodes"));
    json_array_foreach(nodes, i, node)
    {
        MDM_TRY(read_node(&file->node[i], node, i));
        file->nodes++;
        for (size_t k = 0; k < i; k++)
            if (file->node[k].id == file->node[i].id)
                return mdm_fail(MDM_ERR_INPUT, "%s: there are two nodes with this id", file->node[i].label);
    }
    MDM_TRY(join_ends(file));
    return put_in_order(file);
}

mdm_status mdm_graph_file_read(mdm_graph_file *out, const char *text, size_t size, const char *where)
{
    memset(out, 0, sizeof *out);
    if (size > MDM_GRAPH_MOST_BYTES)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu bytes, a graph has at most %zu", where, size, MDM_GRAPH_MOST_BYTES);
    MDM_TRY(mdm_json_parse(&out->root, text, size, where));
    mdm_status status = read_root(out);
    if (status != MDM_OK) {
        mdm_graph_file_free(out);
        status = mdm_fail_context(status, "%s", where);
    }
    return status;
}

void mdm_graph_file_free(mdm_graph_file *file)
{
    json_decref(file->root);
    mdm_free(&file->node);
    memset(file, 0, sizeof *file);
}
