/* Opening a job: folders, journal, recordings, and where models lie. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "models/drawing_models.h"
#include "pipeline/job.h"
#include "stages/describe_words.h"
#include "stages/talking_face.h"

/* The first of: the setting, the environment, beside the program (bin/.. or the build folder/..), here. */
static void find_folder(char *out, const char *setting, const char *variable, const char *name)
{
    char program[MDM_MAX_PATH];
    const char *env = getenv(variable);
    if (setting[0] || (env && env[0])) {
        snprintf(out, MDM_MAX_PATH, "%s", setting[0] ? setting : env);
        return;
    }
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(program, '/');
        if (!slash)
            break;
        *slash = '\0';
        if ((size_t)snprintf(out, MDM_MAX_PATH, "%.900s/%s", program, name) < MDM_MAX_PATH && mdm_file_exists(out))
            return;
    }
    snprintf(out, MDM_MAX_PATH, "%s", name);
}

mdm_status mdm_job_find_folders(char *models, char *weights, const mdm_settings *settings)
{
    find_folder(models, settings->models, "MMDM_MODELS", ".deps/models");
    find_folder(weights, settings->weights, "MMDM_WEIGHTS", "models");
    return MDM_OK;
}

/* A model of the user's has to be there before hours are spent on the rest. */
static mdm_status check_portrait(const mdm_settings *settings)
{
    const mdm_drawing_model *model;
    const char *repositories[2] = {NULL, NULL};
    if (!*settings->portrait || !strcmp(settings->portrait, "embedded"))
        return MDM_OK;
    MDM_TRY(mdm_drawing_model_find(&model, settings->portrait));
    repositories[0] = model->base;
    repositories[1] = model->unet;
    for (int i = 0; i < 2 && repositories[i]; i++) {
        char *folder = NULL;
        MDM_TRY(mdm_drawing_model_folder(&folder, model, repositories[i]));
        mdm_free(&folder);
    }
    return MDM_OK;
}

/* ---- job.json: what `apply` needs to go on without being told again --------------------------------------------------- */

static mdm_status job_file(char **out, const mdm_job *job)
{
    return mdm_join_path(out, job->layout.private_folder, "job.json");
}

static mdm_status save_job(const mdm_job *job, const char *const *inputs, size_t count)
{
    int option_count;
    const mdm_option *table = mdm_option_table(&option_count);
    mdm_buffer text = {0};
    json_t *list = json_array(), *options = json_object();
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count; i++) {
        char *absolute = realpath(inputs[i], NULL);
        json_array_append_new(list, json_string(absolute ? absolute : inputs[i]));
        free(absolute);
    }
    for (int i = 0; i < option_count && status == MDM_OK; i++) {
        if (table[i].stale == MDM_STALE_NONE || table[i].type == MDM_OPTION_RECTANGLE)
            continue; /* rectangles are in the plan */
        text.size = 0;
        status = mdm_option_print(&text, &job->settings, &table[i]);
        if (status == MDM_OK && text.size)
            json_object_set_new(options, table[i].name, json_string((char *)text.data));
    }
    mdm_buffer_free(&text);
    json_t *file = json_pack("{s:i, s:o, s:o}", "version", 1, "inputs", list, "options", options);
    char *path = NULL;
    if (status == MDM_OK)
        status = job_file(&path, job);
    if (status == MDM_OK)
        status = mdm_json_save(file, path);
    mdm_free(&path);
    json_decref(file);
    return status;
}

/* Takes the options of the analysis; those about running (jobs, json, force) stay as given now. */
mdm_status mdm_job_load(mdm_job *job, json_t **file)
{
    char *path;
    const char *name;
    json_t *value;
    MDM_TRY(job_file(&path, job));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(file, path, 0)
                                              : mdm_fail(MDM_ERR_USAGE,
                                                         "%s: nothing analysed there yet: "
                                                         "`mmdm analyze INPUT -o %s` first",
                                                         job->layout.out, job->layout.out);
    if (status == MDM_OK) {
        job->settings.exclude_count = 0;
        json_object_foreach(json_object_get(*file, "options"), name, value)
        {
            const mdm_option *option;
            if (status == MDM_OK && json_is_string(value) && mdm_option_find(&option, MDM_FOR_JOBS, name) == MDM_OK)
                status = mdm_option_set(&job->settings, option, json_string_value(value));
        }
    }
    mdm_free(&path);
    return status;
}

/* ---- recordings -------------------------------------------------------------------------------------------------------- */

mdm_status mdm_job_name_clips(mdm_job *job)
{
    MDM_TRY(mdm_alloc(&job->clips, job->inputs.count, sizeof *job->clips, "clips"));
    job->clip_count = job->inputs.count;
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        clip->input = &job->inputs.items[i];
        if (clip->input->status != MDM_OK) {
            mdm_job_clip_failed(clip, clip->input->status, clip->input->message);
            mdm_log(MDM_LOG_ERROR, "%s", clip->input->message);
            continue;
        }
        MDM_TRY(mdm_job_use_base(job, clip));
        if (job->journal) /* alone: what looks like a temporary is nobody's */
            MDM_TRY(mdm_layout_sweep(clip->folder));
    }
    return MDM_OK;
}

static mdm_status collect(mdm_job *job, const char *const *inputs, size_t count)
{
    MDM_TRY(mdm_inputs_collect(&job->inputs, inputs, count, job->layout.out));
    MDM_TRY(mdm_inputs_hash(&job->inputs, job->journal, NULL));
    if (job->settings.segment > 0)
        MDM_TRY(mdm_job_segment(job));
    MDM_TRY(mdm_inputs_name(&job->inputs, job->journal));
    return mdm_job_name_clips(job);
}

/* The recordings written down by analyze. */
static mdm_status collect_again(mdm_job *job, const json_t *file)
{
    json_t *list;
    const char **paths;
    MDM_TRY(mdm_json_array(&list, file, "inputs", "job.json"));
    size_t count = json_array_size(list);
    MDM_TRY(mdm_alloc(&paths, count, sizeof *paths, "inputs"));
    for (size_t i = 0; i < count; i++) {
        const char *path = json_string_value(json_array_get(list, i));
        paths[i] = path ? path : "";
    }
    mdm_status status = collect(job, paths, count);
    mdm_free(&paths);
    return status;
}

mdm_status mdm_job_check(mdm_job *job, const char *const *inputs, size_t count)
{
    if (!job->settings.output[0])
        return mdm_fail(MDM_ERR_USAGE, "--output FOLDER is needed (-o FOLDER)");
    MDM_TRY(mdm_job_find_folders(job->models, job->weights, &job->settings));
    MDM_TRY(check_portrait(&job->settings));
    MDM_TRY(mdm_talking_ready(&job->settings));
    MDM_TRY(mdm_describe_words_ready(&job->settings));
    MDM_TRY(mdm_layout_new(&job->layout, job->settings.output));
    for (size_t i = 0; i < count; i++) /* before anything is made on disk */
        if (!mdm_file_exists(inputs[i]))
            return mdm_fail(MDM_ERR_INPUT, "%s: there is no such file or folder", inputs[i]);
    return MDM_OK;
}

mdm_status mdm_job_open(mdm_job *job, const char *const *inputs, size_t count)
{
    MDM_TRY(mdm_job_check(job, inputs, count));
    MDM_TRY(mdm_layout_open(&job->layout));
    MDM_TRY(mdm_journal_open(&job->journal, job->layout.journal));
    if (job->settings.force && !job->settings.dry_run)
        MDM_TRY(mdm_journal_add_wiped(job->journal));
    if (!count) {
        json_t *file = NULL;
        mdm_status status = mdm_job_load(job, &file);
        if (status == MDM_OK)
            status = collect_again(job, file);
        json_decref(file);
        return status;
    }
    return mdm_job_collect(job, inputs, count, !job->settings.dry_run);
}

mdm_status mdm_job_collect(mdm_job *job, const char *const *inputs, size_t count, bool save)
{
    MDM_TRY(collect(job, inputs, count));
    return save ? save_job(job, inputs, count) : MDM_OK;
}

void mdm_job_forget_clips(mdm_job *job)
{
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_free(&job->clips[i].base);
        mdm_free(&job->clips[i].folder);
        json_decref(job->clips[i].done);
    }
    mdm_free(&job->clips);
    job->clip_count = 0;
    mdm_free(&job->effort);
    mdm_inputs_free(&job->inputs);
}

void mdm_job_close(mdm_job *job)
{
    mdm_display_free(&job->display);
    mdm_claim_free(&job->claim);
    mdm_job_forget_clips(job);
    for (size_t i = 0; i < job->embedding_count; i++) {
        mdm_wipe(job->embeddings[i].values, (size_t)job->embeddings[i].count * sizeof(float));
        mdm_free(&job->embeddings[i].values);
    }
    mdm_free(&job->embeddings);
    mdm_free(&job->tracks);
    json_decref(job->plan);
    mdm_journal_free(&job->journal);
    mdm_layout_free(&job->layout);
}
