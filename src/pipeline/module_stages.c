/* The stages as modules. mmdm_find and mmdm_compose take the frames of a graph; the others read and write the clip's work folder when
 * their inputs have ended; `mmdm` is a whole job. Their options are those of the command line, by name. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "pipeline/job.h"
#include "pipeline/module.h"
#include "stages/frame_stage.h"

typedef struct stage_node {
    char *node, *folder, *source;
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
    mdm_settings settings;
    mdm_clip_work work;
    const mdm_frame_stage *frames; /* with a state of it; NULL: a stage of files */
    void *state;
    mdm_frames *spare;
    mdm_stage_id stage;
} stage_node;

static void close_stage(void *state)
{
    stage_node *n = state;
    if (n->frames)
        n->frames->close(&n->state);
    mdm_frames_free(&n->spare);
    mdm_free(&n->node);
    mdm_free(&n->folder);
    mdm_free(&n->source);
    mdm_free(&n);
}

/* An option of the command line from a value of JSON: a list is what stands between commas. */
static mdm_status set_option(mdm_settings *settings, const mdm_module_start *start, const char *name,
                             const json_t *value)
{
    const mdm_option *option;
    mdm_buffer text = {0};
    size_t i;
    json_t *item;
    mdm_status status = mdm_option_find(&option, settings->use, name);
    if (status == MDM_OK && json_is_array(value)) {
        json_array_foreach(value, i, item) if (status == MDM_OK) status =
            mdm_buffer_printf(&text, "%s%s", i ? "," : "", json_is_string(item) ? json_string_value(item) : "?");
    } else if (status == MDM_OK && json_is_string(value)) {
        status = mdm_buffer_printf(&text, "%s", json_string_value(value));
    } else if (status == MDM_OK) {
        char *plain = json_dumps(value, JSON_ENCODE_ANY);
        status = mdm_buffer_printf(&text, "%s", plain ? plain : "");
        free(plain);
    }
    if (status == MDM_OK)
        status = mdm_option_set(settings, option, text.data ? (const char *)text.data : "");
    mdm_buffer_free(&text);
    return status == MDM_OK ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: %s", start->node, mdm_error_message());
}

/* Everything but the names that are the module's own. */
static mdm_status read_settings(mdm_settings *settings, const mdm_module_start *start)
{
    const char *name;
    json_t *value;
    mdm_settings_defaults(settings);
    json_object_foreach((json_t *)start->option, name,
                        value) if (strcmp(name, "folder") != 0 && strcmp(name, "input_path") != 0)
        MDM_TRY(set_option(settings, start, name, value));
    const mdm_status status = mdm_settings_finish(settings);
    return status == MDM_OK ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: %s", start->node, mdm_error_message());
}

static mdm_status begin_stage(stage_node *n, const mdm_module_start *start)
{
    const char *folder, *source;
    MDM_TRY(mdm_strdup(&n->node, start->node));
    MDM_TRY(read_settings(&n->settings, start));
    MDM_TRY(mdm_module_text(&folder, start, start->option, "folder", NULL));
    MDM_TRY(mdm_module_text(&source, start, start->option, "input_path", ""));
    MDM_TRY(mdm_strdup(&n->folder, folder));
    MDM_TRY(mdm_strdup(&n->source, source));
    MDM_TRY(mdm_job_find_folders(n->models, n->weights, &n->settings));
    n->work = (mdm_clip_work){.clip_id = "clip",
                              .source = n->source[0] ? n->source : NULL,
                              .folder = n->folder,
                              .models = n->models,
                              .weights = n->weights,
                              .settings = &n->settings,
                              .threads = 2};
    return MDM_OK;
}

/* ---- stages that take frames -------------------------------------------------------------------------------------------- */

static mdm_status begin_frames(stage_node *n)
{
    if (!mdm_file_exists_in(n->folder, "clip.json")) {
        if (!n->work.source)
            return mdm_fail(MDM_ERR_INPUT, "%s: %s has no clip.json; name the recording as 'input_path'", n->node,
                            n->folder);
        MDM_TRY(mdm_make_folder(n->folder, 0700));
        MDM_TRY(mdm_stage_ingest(&n->work));
    }
    return n->frames->open(&n->state, &n->work);
}

static mdm_status open_frames(void **state, mdm_module_start *start, const mdm_frame_stage *frames)
{
    stage_node *n;
    MDM_TRY(mdm_module_video_in(start, 0));
    MDM_TRY(mdm_alloc(&n, 1, sizeof *n, "a stage"));
    *state = n;
    n->frames = frames;
    start->out[0] = start->in[0];
    start->out[1] = (mdm_port){.kind = MDM_PORT_JSON};
    MDM_TRY(begin_stage(n, start));
    return mdm_frames_new(&n->spare);
}

static mdm_status open_find(void **state, mdm_module_start *start)
{
    return open_frames(state, start, &mdm_frames_find);
}

static mdm_status open_compose_module(void **state, mdm_module_start *start)
{
    return open_frames(state, start, &mdm_frames_compose);
}

/* What a second input brings has to have come before the first frame is looked at: the stage is opened only then. */
static mdm_status turn_frames(void *state, mdm_turn *turn)
{
    stage_node *n = state;
    mdm_packet *packet;
    mdm_status status = MDM_OK;
    if (!n->state)
        status = begin_frames(n);
    if (status == MDM_OK && turn->last) {
        status = n->frames->finish(n->state);
        if (status == MDM_OK)
            return mdm_module_give_json(turn, 1, json_pack("{s:s}", "folder", n->folder));
    }
    if (status == MDM_OK && turn->in[0]) {
        MDM_TRY(mdm_module_own_frame(&packet, turn->in[0], n->spare));
        status = n->frames->frame(n->state, mdm_packet_frame(packet));
        if (status == MDM_OK)
            return mdm_turn_give(turn, 0, packet);
        mdm_packet_drop(&packet);
    }
    return status == MDM_OK ? MDM_OK : mdm_fail_context(status, "%s", n->node);
}

const mdm_module mdm_module_find_faces = {.name = "mmdm_find",
                                          .least_inputs = 1,
                                          .most_inputs = 2,
                                          .outputs = {"video", "done"},
                                          .open = open_find,
                                          .turn = turn_frames,
                                          .close = close_stage};

const mdm_module mdm_module_compose = {.name = "mmdm_compose",
                                       .least_inputs = 1,
                                       .most_inputs = 2,
                                       .outputs = {"video", "done"},
                                       .open = open_compose_module,
                                       .turn = turn_frames,
                                       .close = close_stage};

/* ---- stages that work on files ------------------------------------------------------------------------------------------ */

static mdm_status open_files(void **state, mdm_module_start *start)
{
    stage_node *n;
    const char *name = strchr(start->node, '_'); /* "node 4 (mmdm_describe)" */
    char stage[32];
    MDM_TRY(mdm_alloc(&n, 1, sizeof *n, "a stage"));
    *state = n;
    start->out[0] = (mdm_port){.kind = MDM_PORT_JSON};
    snprintf(stage, sizeof stage, "%.*s", name ? (int)strcspn(name + 1, ")") : 0, name ? name + 1 : "");
    MDM_TRY(mdm_stage_find_name(&n->stage, stage));
    return begin_stage(n, start);
}

static mdm_status turn_files(void *state, mdm_turn *turn)
{
    stage_node *n = state;
    if (turn->inputs > 0 && !turn->last)
        return MDM_OK;
    turn->done = true;
    const mdm_status status = mdm_stage_at(n->stage)->stage.run(&n->work);
    if (status != MDM_OK)
        return mdm_fail_context(status, "%s", n->node);
    return mdm_module_give_json(
        turn, 0, json_pack("{s:s, s:s}", "folder", n->folder, "wrote", mdm_stage_at(n->stage)->stage.artefact));
}

#define STAGE(stage)                                                                                                   \
    {                                                                                                                  \
        .name = "mmdm_" stage, .most_inputs = MDM_MODULE_PORTS, .outputs = {"done"}, .order = MDM_IN_TIME,             \
        .open = open_files, .turn = turn_files, .close = close_stage                                                   \
    }

const mdm_module mdm_module_stages[] = {STAGE("ingest"),  STAGE("describe"), STAGE("transcribe"), STAGE("portrait"),
                                        STAGE("animate"), STAGE("verify"),   {.name = NULL}};

/* ---- a whole job -------------------------------------------------------------------------------------------------------- */

static mdm_status open_job(void **state, mdm_module_start *start)
{
    stage_node *n;
    const char *source;
    MDM_TRY(mdm_module_text(&source, start, start->option, "input_path", NULL));
    MDM_TRY(mdm_alloc(&n, 1, sizeof *n, "a job"));
    *state = n;
    start->out[0] = (mdm_port){.kind = MDM_PORT_JSON};
    MDM_TRY(read_settings(&n->settings, start));
    MDM_TRY(mdm_strdup(&n->source, source));
    return mdm_strdup(&n->node, start->node);
}

static mdm_status turn_job(void *state, mdm_turn *turn)
{
    stage_node *n = state;
    mdm_job_result result;
    const char *const inputs[] = {n->source};
    if (turn->inputs > 0 && !turn->last)
        return MDM_OK;
    turn->done = true;
    const mdm_status status = mdm_job_run(&result, &n->settings, inputs, 1, MDM_GOAL_RUN);
    if (status != MDM_OK)
        return mdm_fail_context(status, "%s", n->node);
    return mdm_module_give_json(turn, 0,
                                json_pack("{s:s, s:I, s:I, s:I}", "output", n->settings.output, "delivered",
                                          (json_int_t)result.delivered, "quarantined", (json_int_t)result.quarantined,
                                          "failed", (json_int_t)result.failed));
}

const mdm_module mdm_module_job = {.name = "mmdm",
                                   .most_inputs = MDM_MODULE_PORTS,
                                   .outputs = {"done"},
                                   .order = MDM_IN_TIME,
                                   .open = open_job,
                                   .turn = turn_job,
                                   .close = close_stage};
