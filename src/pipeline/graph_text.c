/* The graphs of a job as files, for `--print-graph`: one clip's analysis, and what is made of its plan. */
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "pipeline/graph_file.h"
#include "pipeline/layout.h"

/* One node; its streams are named after the nodes that give them. */
typedef struct node_text {
    const char *name;
    const char *in[3];  /* streams */
    const char *out[3]; /* streams, and beside them which outputs they are */
    const char *notify[3];
} node_text;

static json_t *streams(const char *const *name, const char *const *notify)
{
    json_t *list = json_array();
    for (int i = 0; i < 3 && name[i]; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "identifier", name[i], "alias", "", "notify",
                                              notify && notify[i] ? notify[i] : ""));
    return list;
}

/* What differs from the defaults among the options that shape results. */
static mdm_status stage_options(json_t **out, const mdm_settings *settings, const char *folder, const char *input)
{
    mdm_settings plain;
    mdm_buffer mine = {0}, usual = {0};
    int count;
    const mdm_option *option = mdm_option_table(&count);
    mdm_status status = MDM_OK;
    mdm_settings_defaults(&plain);
    *out = json_pack("{s:s, s:s}", "folder", folder, "input_path", input);
    for (int i = 0; i < count && status == MDM_OK; i++, option++) {
        if (!option->stale || option->type == MDM_OPTION_PRESET || !mdm_option_is_for(option, MDM_FOR_JOBS))
            continue;
        mine.size = usual.size = 0;
        status = mdm_option_print(&mine, settings, option);
        if (status == MDM_OK)
            status = mdm_option_print(&usual, &plain, option);
        if (status == MDM_OK && mine.size > 0 &&
            (mine.size != usual.size || memcmp(mine.data, usual.data, mine.size) != 0))
            json_object_set_new(*out, option->name, json_stringn((const char *)mine.data, mine.size));
    }
    mdm_buffer_free(&mine);
    mdm_buffer_free(&usual);
    return status;
}

static json_t *option_of(const node_text *node, json_t *stage, const char *input, const char *masked)
{
    if (strcmp(node->name, "c_ffmpeg_decoder") == 0)
        return json_pack("{s:s}", "input_path", input);
    if (strcmp(node->name, "c_ffmpeg_encoder") == 0)
        return json_pack("{s:s}", "output_path", masked);
    return json_incref(stage);
}

mdm_status mdm_graph_describe(char **out, const mdm_settings *settings, const char *input, bool rendering)
{
    static const node_text analysis[] = {{"c_ffmpeg_decoder", .out = {"frames"}, .notify = {"video"}},
                                         {"mmdm_find", {"frames"}, {"found"}, {"done"}},
                                         {"mmdm_describe", {"found"}, {"described"}, {"done"}},
                                         {"mmdm_transcribe", {"described"}, {"heard"}, {"done"}}},
                           making[] = {{"mmdm_portrait", .out = {"drawn"}, .notify = {"done"}},
                                       {"mmdm_animate", {"drawn"}, {"moved"}, {"done"}},
                                       {"c_ffmpeg_decoder", .out = {"frames"}, .notify = {"video"}},
                                       {"mmdm_compose", {"frames", "moved"}, {"painted"}, {"video"}},
                                       {"c_ffmpeg_encoder", {"painted"}, {"written"}, {"done"}},
                                       {"mmdm_verify", {"written"}, {"evidence"}, {"done"}}};
    const node_text *node = rendering ? making : analysis;
    const int count = rendering ? (int)(sizeof making / sizeof *making) : (int)(sizeof analysis / sizeof *analysis);
    mdm_layout layout;
    char *folder = NULL, *masked = NULL;
    json_t *stage = NULL, *nodes = json_array();
    *out = NULL;
    MDM_TRY(mdm_layout_new(&layout, settings->output));
    mdm_status status = mdm_layout_clip(&folder, &layout, "clip-0001");
    if (status == MDM_OK)
        status = mdm_join_path(&masked, folder, "masked.mp4");
    if (status == MDM_OK)
        status = stage_options(&stage, settings, folder, input);
    for (int n = 0; n < count && status == MDM_OK; n++)
        json_array_append_new(nodes, json_pack("{s:i, s:{s:s, s:s, s:s, s:s}, s:o, s:i, s:s, s:o, s:o}", "id", n,
                                               "module_info", "name", node[n].name, "type", "", "path", "", "entry", "",
                                               "option", option_of(&node[n], stage, input, masked), "scheduler", n % 2,
                                               "input_manager", "immediate", "input_streams", streams(node[n].in, NULL),
                                               "output_streams", streams(node[n].out, node[n].notify)));
    json_t *root = json_pack("{s:s, s:{}, s:[], s:[], s:o}", "mode", "Normal", "option", "input_streams",
                             "output_streams", "nodes", nodes);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (status == MDM_OK)
        status = text ? mdm_strdup(out, text) : mdm_fail(MDM_ERR_MEMORY, "no memory for a graph");
    free(text);
    json_decref(root);
    json_decref(stage);
    mdm_free(&folder);
    mdm_free(&masked);
    mdm_layout_free(&layout);
    return status;
}
