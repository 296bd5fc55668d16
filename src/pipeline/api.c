/* The public functions of mmdm.h about options and jobs. */
#include "mmdm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "base/trace.h"
#include "pipeline/audit.h"
#include "pipeline/caption.h"
#include "pipeline/draw.h"
#include "pipeline/export.h"
#include "pipeline/graph_file.h"
#include "pipeline/job.h"
#include "pipeline/submit.h"
#include "pipeline/talk.h"
#include "stages/plan.h"

struct mdm_options {
    mdm_settings settings;
    mdm_buffer text; /* what mdm_options_get returned last */
};

const char *mdm_version(void)
{
    return MDM_VERSION;
}

const char *mdm_last_error(void)
{
    return mdm_error_message();
}

static mdm_status new_options(mdm_options **out, mdm_option_use use)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "options"));
    mdm_settings_defaults_for(&(*out)->settings, use);
    return MDM_OK;
}

mdm_status mdm_options_new(mdm_options **out)
{
    return new_options(out, MDM_FOR_JOBS);
}

mdm_status mdm_options_new_drawing(mdm_options **out)
{
    return new_options(out, MDM_FOR_DRAWING);
}

mdm_status mdm_options_new_talking(mdm_options **out)
{
    return new_options(out, MDM_FOR_TALKING);
}

mdm_status mdm_options_new_exporting(mdm_options **out)
{
    return new_options(out, MDM_FOR_EXPORTS);
}

mdm_status mdm_options_new_captions(mdm_options **out)
{
    return new_options(out, MDM_FOR_CAPTIONS);
}

mdm_status mdm_options_new_serving(mdm_options **out)
{
    return new_options(out, MDM_FOR_SERVING);
}

void mdm_options_free(mdm_options **options)
{
    if (!*options)
        return;
    mdm_buffer_free(&(*options)->text);
    mdm_free(options);
}

mdm_status mdm_options_set(mdm_options *options, const char *name, const char *value)
{
    const mdm_option *option;
    MDM_TRY(mdm_option_find(&option, options->settings.use, name));
    return mdm_option_set(&options->settings, option, value);
}

mdm_status mdm_options_load(mdm_options *options, const char *path)
{
    return mdm_settings_load(&options->settings, path);
}

mdm_status mdm_options_parse(mdm_options *options, const char **positional, int *count, int argc, char *const *argv)
{
    return mdm_settings_parse(&options->settings, options->settings.use, positional, count, argc, argv);
}

mdm_status mdm_options_get(const char **out, mdm_options *options, const char *name)
{
    const mdm_option *option;
    *out = "";
    MDM_TRY(mdm_option_find(&option, options->settings.use, name));
    options->text.size = 0;
    MDM_TRY(mdm_buffer_append(&options->text, "", 0));
    MDM_TRY(mdm_option_print(&options->text, &options->settings, option));
    *out = (const char *)options->text.data;
    return MDM_OK;
}

int mdm_option_count(void)
{
    int count;
    mdm_option_table(&count);
    return count;
}

bool mdm_option_at(mdm_option_info *out, int index)
{
    static const char *const kinds[] = {
        [MDM_OPTION_FLAG] = "flag",         [MDM_OPTION_LEVEL] = "flag",          [MDM_OPTION_INT] = "whole",
        [MDM_OPTION_SEED] = "whole",        [MDM_OPTION_NUMBER] = "number",       [MDM_OPTION_SECONDS] = "seconds",
        [MDM_OPTION_CHOICE] = "choice",     [MDM_OPTION_NAME] = "choice",         [MDM_OPTION_TEXT] = "text",
        [MDM_OPTION_CONTEXTS] = "contexts", [MDM_OPTION_RECTANGLE] = "rectangle", [MDM_OPTION_PERSONS] = "persons",
        [MDM_OPTION_PRESET] = "preset",
    };
    int count;
    const mdm_option *table = mdm_option_table(&count);
    if (index < 0 || index >= count)
        return false;
    const mdm_option *o = &table[index];
    *out = (mdm_option_info){o->name,
                             o->letter,
                             kinds[o->type],
                             o->values,
                             o->fallback,
                             o->argument,
                             o->section,
                             o->help,
                             mdm_option_is_for(o, MDM_FOR_JOBS),
                             mdm_option_is_for(o, MDM_FOR_DRAWING),
                             mdm_option_is_for(o, MDM_FOR_TALKING),
                             mdm_option_is_for(o, MDM_FOR_EXPORTS),
                             mdm_option_is_for(o, MDM_FOR_CAPTIONS),
                             mdm_option_is_for(o, MDM_FOR_SERVING)};
    return true;
}

/* The buffer's text, which the caller frees; the buffer is freed here. */
static mdm_status give_text(char **out, mdm_buffer *text, mdm_status status)
{
    *out = NULL;
    if (status == MDM_OK)
        status = mdm_strdup(out, (const char *)text->data);
    mdm_buffer_free(text);
    return status;
}

mdm_status mdm_options_help_text(char **out, const mdm_options *options)
{
    mdm_buffer text = {0};
    return give_text(out, &text, mdm_options_help(&text, options->settings.use));
}

mdm_status mdm_options_markdown_text(char **out)
{
    mdm_buffer text = {0};
    return give_text(out, &text, mdm_options_markdown(&text));
}

void mdm_text_free(char **text)
{
    mdm_free(text);
}

bool mdm_preset_at(mdm_preset_info *out, int index)
{
    int count;
    const mdm_preset *presets = mdm_presets(&count);
    if (index < 0 || index >= count)
        return false;
    *out = (mdm_preset_info){presets[index].name, presets[index].help, presets[index].keep, presets[index].coarsen};
    return true;
}

bool mdm_context_at(mdm_context_info *out, int index)
{
    if (index < 0 || index >= MDM_CONTEXT_COUNT)
        return false;
    const mdm_context_values *values = mdm_plan_values((mdm_context)index);
    *out = (mdm_context_info){mdm_context_name((mdm_context)index), mdm_context_is_coarse((mdm_context)index),
                              values ? values->names : NULL, values ? values->count : 0};
    return true;
}

bool mdm_stage_info_at(mdm_stage_info *out, int index)
{
    if (index < 0 || index >= MDM_STAGE_COUNT)
        return false;
    const mdm_stage_entry *entry = mdm_stage_at((mdm_stage_id)index);
    *out = (mdm_stage_info){entry->stage.name, entry->weight};
    return true;
}

/* ---- jobs ---------------------------------------------------------------------------------------------------------------- */

static void log_as(const mdm_settings *settings)
{
    const int level = settings->verbosity;
    mdm_log_set(level < 0 ? MDM_LOG_WARN : level > 0 ? MDM_LOG_DEBUG : MDM_LOG_INFO, settings->json);
}

/* Settles the options and turns logging to where they say. */
static mdm_status settle(mdm_settings *out, const mdm_options *options)
{
    *out = options->settings;
    if (out->use != MDM_FOR_JOBS)
        return mdm_fail(MDM_ERR_USAGE, "options that are not a job's (mdm_options_new)");
    MDM_TRY(mdm_settings_finish(out));
    log_as(out);
    return MDM_OK;
}

static mdm_status do_job(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count,
                         mdm_job_goal goal)
{
    mdm_settings settings;
    mdm_job_result result = {0};
    memset(out, 0, sizeof *out);
    MDM_TRY(settle(&settings, options));
    mdm_status status = mdm_job_run(&result, &settings, inputs, count, goal);
    *out = (mdm_outcome){result.clips, result.delivered, result.quarantined, result.failed,
                         status == MDM_OK ? result.exit_code : mdm_exit_code(status)};
    return status;
}

mdm_status mdm_run(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count)
{
    return do_job(out, options, inputs, count, MDM_GOAL_RUN);
}

mdm_status mdm_analyze(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count)
{
    return do_job(out, options, inputs, count, MDM_GOAL_ANALYZE);
}

mdm_status mdm_plan(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count)
{
    return do_job(out, options, inputs, count, MDM_GOAL_PLAN);
}

mdm_status mdm_work(const mdm_options *options, bool (*next)(void *user, char id[24]),
                    void (*done)(void *user, const char *id, mdm_status status, const char *message), void *user)
{
    mdm_settings settings;
    const mdm_job_orders orders = {next, done, user};
    MDM_TRY(settle(&settings, options));
    return mdm_job_serve(&settings, &orders);
}

mdm_status mdm_submit_text(char **out, const mdm_options *options, const char *engine)
{
    mdm_settings settings;
    mdm_buffer text = {0};
    *out = NULL;
    MDM_TRY(settle(&settings, options));
    return give_text(out, &text, mdm_submit(&text, &settings, engine));
}

mdm_status mdm_draw_portrait(const mdm_options *options)
{
    const mdm_settings *settings = &options->settings;
    if (settings->use != MDM_FOR_DRAWING)
        return mdm_fail(MDM_ERR_USAGE, "options of a job; mdm_draw_portrait takes those of mdm_options_new_drawing");
    log_as(settings);
    return mdm_draw(settings);
}

mdm_status mdm_animate_portrait(const mdm_options *options)
{
    const mdm_settings *settings = &options->settings;
    if (settings->use != MDM_FOR_TALKING)
        return mdm_fail(MDM_ERR_USAGE, "mdm_animate_portrait takes options of mdm_options_new_talking");
    log_as(settings);
    return mdm_talk(settings);
}

mdm_status mdm_caption_clips(const mdm_options *options, const char *const *clips, size_t count,
                             void (*tell)(void *user, const char *clip, const char *caption), void *user)
{
    const mdm_settings *settings = &options->settings;
    if (settings->use != MDM_FOR_CAPTIONS)
        return mdm_fail(MDM_ERR_USAGE, "mdm_caption_clips takes options of mdm_options_new_captions");
    log_as(settings);
    return mdm_caption(settings, clips, count, tell, user);
}

/* apply follows plan.json. An option that would say something else is refused rather than ignored. */
static mdm_status check_apply_options(const mdm_settings *settings)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    mdm_settings defaults;
    mdm_buffer now = {0}, before = {0};
    mdm_status status = MDM_OK;
    mdm_settings_defaults(&defaults);
    for (int i = 0; i < count && status == MDM_OK; i++) {
        if (!(table[i].stale & ~(unsigned)(MDM_STALE_PACK | MDM_STALE_COMPOSE)))
            continue;
        now.size = before.size = 0;
        status = mdm_option_print(&now, settings, &table[i]);
        if (status == MDM_OK)
            status = mdm_option_print(&before, &defaults, &table[i]);
        if (status == MDM_OK && (now.size != before.size || (now.size && memcmp(now.data, before.data, now.size) != 0)))
            status = mdm_fail(MDM_ERR_USAGE,
                              "--%s: apply does what private/plan.json says: change it there, or analyze again",
                              table[i].name);
    }
    mdm_buffer_free(&now);
    mdm_buffer_free(&before);
    return status;
}

static mdm_status go_on(mdm_outcome *out, const mdm_options *options, mdm_job_goal goal)
{
    memset(out, 0, sizeof *out);
    mdm_status status = check_apply_options(&options->settings);
    if (status != MDM_OK) {
        out->exit_code = mdm_exit_code(status);
        return status;
    }
    return do_job(out, options, NULL, 0, goal);
}

mdm_status mdm_apply(mdm_outcome *out, const mdm_options *options)
{
    return go_on(out, options, MDM_GOAL_APPLY);
}

mdm_status mdm_merge(mdm_outcome *out, const mdm_options *options)
{
    return go_on(out, options, MDM_GOAL_MERGE);
}

mdm_status mdm_pack_again(mdm_outcome *out, const mdm_options *options)
{
    return go_on(out, options, MDM_GOAL_PACK);
}

mdm_status mdm_wipe_work(const mdm_options *options)
{
    mdm_settings settings;
    MDM_TRY(settle(&settings, options));
    return mdm_job_wipe(&settings);
}

mdm_status mdm_stage_run_one(const char *stage, const mdm_options *options, const char *folder, const char *source)
{
    mdm_settings settings;
    mdm_stage_id id;
    MDM_TRY(settle(&settings, options));
    MDM_TRY(mdm_stage_find_name(&id, stage));
    return mdm_stage_on_folder(id, folder, source, &settings);
}

mdm_status mdm_run_graph(const mdm_options *options, const char *path, void (*tell)(void *user, const char *json),
                         void *user)
{
    mdm_graph_file file;
    unsigned char *text;
    size_t size;
    log_as(&options->settings);
    MDM_TRY(mdm_file_read(&text, &size, path, MDM_GRAPH_MOST_BYTES));
    mdm_status status = mdm_graph_file_read(&file, (const char *)text, size, path);
    mdm_free(&text);
    if (status != MDM_OK)
        return status;
    if (options->settings.trace[0])
        status = mdm_trace_open(options->settings.trace);
    if (status == MDM_OK)
        status = mdm_graph_file_run(&file, tell, user);
    if (status == MDM_OK && mdm_trace_is_on())
        status = mdm_trace_close();
    mdm_trace_discard();
    mdm_graph_file_free(&file);
    return status;
}

mdm_status mdm_graph_text(char **out, const mdm_options *options, const char *input, bool rendering)
{
    mdm_settings settings;
    MDM_TRY(settle(&settings, options));
    return mdm_graph_describe(out, &settings, input, rendering);
}

mdm_status mdm_plan_verify(const char *path)
{
    return mdm_plan_tell(path, NULL, NULL);
}

/* "gender, gaze" */
static mdm_status append_names(mdm_buffer *out, const char *label, json_t *names)
{
    const char *key;
    json_t *value;
    if (json_object_size(names))
        MDM_TRY(mdm_buffer_printf(out, "; %s", label));
    json_object_foreach(names, key, value) MDM_TRY(mdm_buffer_printf(out, " %s", key));
    return MDM_OK;
}

static mdm_status person_line(mdm_buffer *out, const json_t *person)
{
    const json_t *standin = json_object_get(person, "standin");
    bool replace = strcmp(json_string_value(json_object_get(person, "action")), "replace") == 0;
    out->size = 0;
    MDM_TRY(mdm_buffer_printf(out, "%s in %zu clip%s: ", json_string_value(json_object_get(person, "id")),
                              json_object_size(json_object_get(person, "clips")),
                              json_object_size(json_object_get(person, "clips")) == 1 ? "" : "s"));
    if (!replace)
        return mdm_buffer_printf(out, "covered");
    MDM_TRY(mdm_buffer_printf(out, "replaced by %s, %s, %s%s", json_string_value(json_object_get(standin, "gender")),
                              json_string_value(json_object_get(standin, "age")),
                              json_string_value(json_object_get(standin, "race")),
                              json_is_true(json_object_get(standin, "glasses")) ? ", glasses" : ""));
    MDM_TRY(append_names(out, "keeps", json_object_get(person, "keep")));
    MDM_TRY(append_names(out, "roughly", json_object_get(person, "coarsen")));
    return append_names(out, "drawn anew:", json_object_get(person, "redraw"));
}

mdm_status mdm_plan_tell(const char *path, void (*say)(void *user, const char *line), void *user)
{
    json_t *plan, *person;
    size_t i;
    mdm_buffer line = {0};
    MDM_TRY(mdm_plan_load(&plan, path));
    mdm_status status = MDM_OK;
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        if (status == MDM_OK && say)
            status = person_line(&line, person);
        if (status == MDM_OK && say)
            say(user, (const char *)line.data);
    }
    mdm_buffer_free(&line);
    json_decref(plan);
    return status;
}

mdm_status mdm_audit(size_t *faults, const mdm_options *options, const char *folder, mdm_audit_fn tell, void *user)
{
    return mdm_audit_folder(faults, &options->settings, folder, tell, user);
}

mdm_status mdm_export_run(size_t *left_out, const mdm_options *options, const char *folder, mdm_export_fn tell,
                          void *user)
{
    const mdm_settings *settings = &options->settings;
    *left_out = 0;
    if (settings->use != MDM_FOR_EXPORTS)
        return mdm_fail(MDM_ERR_USAGE, "mdm_export_run takes options of mdm_options_new_exporting");
    log_as(settings);
    return mdm_export_folder(left_out, settings, folder, tell, user);
}

bool mdm_export_format_at(const char **name, const char **what, int index)
{
    size_t count;
    const mdm_export_format *formats = mdm_export_formats(&count);
    if (index < 0 || (size_t)index >= count)
        return false;
    *name = formats[index].name;
    *what = formats[index].what;
    return true;
}

void mdm_catch_signals(void)
{
    mdm_pool_catch_signals();
}
