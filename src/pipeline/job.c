/* A job from start to end: analysis, plan, application, other stand-ins where needed, delivery, wiping. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/trace.h"
#include "face/motion_edit.h"
#include "mmdm.h"
#include "pipeline/job.h"
#include "stages/gemini.h"
#include "stages/transcribe_gemini.h"

/* Adds the hash of a file that a person may write, where there is one. */
static mdm_status add_file(mdm_sha256 *hash, const char *folder, const char *name)
{
    char *path, digest[65] = "";
    MDM_TRY(mdm_join_path(&path, folder, name));
    mdm_status status = mdm_file_exists(path) ? mdm_sha256_file(digest, path) : MDM_OK;
    mdm_free(&path);
    mdm_sha256_add(hash, digest, strlen(digest));
    return status;
}

/* Key of everything that shapes the dataset: recordings, options, and plan, decisions and edits as they are on disk. */
mdm_status mdm_job_job_key(char out[65], const mdm_job *job)
{
    mdm_sha256 hash;
    unsigned char digest[32];
    char options[65];
    MDM_TRY(mdm_settings_key(options, &job->settings, ~0u));
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, MDM_VERSION, sizeof MDM_VERSION);
    mdm_sha256_add(&hash, options, 64);
    MDM_TRY(add_file(&hash, job->layout.private_folder, "plan.json"));
    MDM_TRY(add_file(&hash, job->layout.private_folder, "review.json"));
    for (size_t i = 0; i < job->inputs.count; i++) {
        char part[200];
        const mdm_input *input = &job->inputs.items[i];
        int n =
            snprintf(part, sizeof part, "%s %s %.6f %.6f\n", input->clip_id, input->sha256, input->start, input->end);
        mdm_sha256_add(&hash, part, (size_t)n);
        if (job->clips && job->clips[i].folder)
            MDM_TRY(add_file(&hash, job->clips[i].folder, MDM_MOTION_EDIT));
    }
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
    return MDM_OK;
}

/* ---- the last result, for "nothing to do" ------------------------------------------------------------------------------- */

static mdm_status result_file(char **out, const mdm_job *job)
{
    return mdm_join_path(out, job->layout.private_folder, "result.json");
}

static mdm_status save_result(const mdm_job *job, const mdm_job_result *result)
{
    char *path, key[65];
    MDM_TRY(mdm_job_job_key(key, job));
    MDM_TRY(result_file(&path, job));
    json_t *clips = json_array();
    for (size_t i = 0; i < job->clip_count; i++) {
        const mdm_job_clip *clip = &job->clips[i];
        json_t *entry = json_pack("{s:s, s:s, s:s}", "id", clip->input->clip_id, "state",
                                  clip->status != MDM_OK ? "failed"
                                  : clip->passed         ? "delivered"
                                                         : "quarantined",
                                  "message", clip->message);
        if (entry) /* a message that is not UTF-8 has no entry */
            json_array_append_new(clips, entry);
    }
    json_t *file = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:i, s:o}", "version", 1, "key", key, "clips_total",
                             (json_int_t)result->clips, "delivered", (json_int_t)result->delivered, "quarantined",
                             (json_int_t)result->quarantined, "failed", (json_int_t)result->failed, "exit_code",
                             result->exit_code, "clips", clips);
    mdm_status status = mdm_json_save(file, path);
    json_decref(file);
    mdm_free(&path);
    return status;
}

/* True when the last run was of the very same job and ended without failures (those deserve another try). */
static bool same_as_last(mdm_job_result *result, const mdm_job *job)
{
    char *path, key[65];
    json_t *file = NULL;
    bool same = false;
    if (mdm_job_job_key(key, job) != MDM_OK || result_file(&path, job) != MDM_OK)
        return false;
    if (mdm_file_exists(path) && mdm_json_load(&file, path, 0) == MDM_OK) {
        const char *last = json_string_value(json_object_get(file, "key"));
        result->clips = (size_t)json_integer_value(json_object_get(file, "clips_total"));
        result->delivered = (size_t)json_integer_value(json_object_get(file, "delivered"));
        result->quarantined = (size_t)json_integer_value(json_object_get(file, "quarantined"));
        result->failed = (size_t)json_integer_value(json_object_get(file, "failed"));
        result->exit_code = (int)json_integer_value(json_object_get(file, "exit_code"));
        same = last && strcmp(last, key) == 0 && result->failed == 0 &&
               (result->delivered == 0 || mdm_file_exists(job->layout.dataset));
    }
    json_decref(file);
    mdm_free(&path);
    return same;
}

/* ---- phases ------------------------------------------------------------------------------------------------------------------ */

static bool makes_plan(mdm_job_goal goal)
{
    return goal != MDM_GOAL_APPLY && goal != MDM_GOAL_MERGE;
}

static mdm_status analyze(mdm_job *job, mdm_job_goal goal)
{
    bool embed = makes_plan(goal);
    if (embed) { /* embeddings are only needed to make a plan, and are computed again when one has to be made */
        for (size_t i = 0; i < job->clip_count; i++)
            if (job->clips[i].status == MDM_OK)
                MDM_TRY(mdm_job_keys(job, &job->clips[i]));
        embed = !mdm_job_plan_done(job);
    }
    MDM_TRY(mdm_job_stages(job, MDM_STAGE_INGEST, MDM_STAGE_TRANSCRIBE, false, embed));
    /* A plan made when other clips had failed does not fit any more: embeddings are then needed after all. */
    if (!embed && makes_plan(goal) && !mdm_job_plan_done(job))
        MDM_TRY(mdm_job_stages(job, MDM_STAGE_INGEST, MDM_STAGE_TRANSCRIBE, false, true));
    return mdm_job_plan(job, goal);
}

mdm_status mdm_job_cast(mdm_job *job)
{
    for (size_t i = 0; i < job->clip_count; i++)
        if (job->clips[i].status == MDM_OK)
            MDM_TRY(mdm_job_enter(&job->clips[i], job->clips[i].base));
    MDM_TRY(mdm_job_plan_clips(job));
    MDM_TRY(mdm_make_folder(job->layout.standins, 0700));
    /* One after the other: a stand-in is chosen to be unlike those before it, and shared by a person's clips. */
    return mdm_job_stages(job, MDM_STAGE_PORTRAIT, MDM_STAGE_PORTRAIT, true, false);
}

static mdm_status apply(mdm_job *job)
{
    for (;;) {
        size_t changed = 0;
        MDM_TRY(mdm_job_cast(job));
        for (size_t i = 0; i < job->clip_count; i++) {
            bool there;
            if (job->clips[i].status == MDM_OK)
                MDM_TRY(mdm_job_use_result(&there, job, &job->clips[i]));
        }
        MDM_TRY(mdm_job_stages(job, MDM_STAGE_ANIMATE, MDM_STAGE_VERIFY, false, false));
        MDM_TRY(mdm_job_retry(&changed, job));
        if (!changed)
            return MDM_OK;
    }
}

/* Said first, wiped after: a kill in between only means wiping again. */
static mdm_status wipe(const mdm_layout *layout, mdm_journal *journal)
{
    MDM_TRY(mdm_journal_add_wiped(journal));
    MDM_TRY(mdm_remove_tree(layout->claims, false));
    MDM_TRY(mdm_remove_tree(layout->manifest, false));
    return mdm_remove_tree(layout->work, true);
}

mdm_status mdm_job_wipe(const mdm_settings *settings)
{
    mdm_layout layout;
    mdm_journal *journal = NULL;
    if (!settings->output[0])
        return mdm_fail(MDM_ERR_USAGE, "--output FOLDER is needed (-o FOLDER)");
    MDM_TRY(mdm_layout_new(&layout, settings->output));
    mdm_status status = mdm_file_exists(layout.private_folder)
                            ? mdm_layout_open(&layout)
                            : mdm_fail(MDM_ERR_INPUT, "%s: there is no job", settings->output);
    if (status == MDM_OK)
        status = mdm_journal_open(&journal, layout.journal);
    if (status == MDM_OK)
        status = wipe(&layout, journal);
    mdm_journal_free(&journal);
    mdm_layout_free(&layout);
    return status;
}

static mdm_status finish(mdm_job_result *result, mdm_job *job)
{
    MDM_TRY(mdm_job_pictures(job));
    MDM_TRY(mdm_job_deliver(result, job));
    MDM_TRY(mdm_job_private_report(job));
    MDM_TRY(save_result(job, result));
    if (job->settings.keep_work)
        return MDM_OK;
    return wipe(&job->layout, job->journal);
}

/* --dry-run: which stages of which clips would run. */
static mdm_status tell_plan(mdm_job *job, mdm_job_goal goal)
{
    int last = goal == MDM_GOAL_ANALYZE ? MDM_STAGE_TRANSCRIBE : MDM_STAGE_VERIFY;
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        mdm_buffer todo = {0};
        mdm_status status = clip->status;
        if (status != MDM_OK) {
            mdm_log(MDM_LOG_WARN, "%s: would fail: %s", clip->input->path, clip->message);
            continue;
        }
        status = mdm_job_keys(job, clip);
        for (int s = 0; s <= last && status == MDM_OK; s++)
            if (!mdm_job_stage_done(job, clip, (mdm_stage_id)s))
                status = mdm_buffer_printf(&todo, " %s", mdm_stage_at((mdm_stage_id)s)->stage.name);
        if (status == MDM_OK)
            mdm_log(MDM_LOG_INFO, "%s: %s:%s", clip->input->clip_id, clip->input->path,
                    todo.size ? (char *)todo.data : " nothing left to do");
        mdm_buffer_free(&todo);
        MDM_TRY(status);
    }
    return MDM_OK;
}

static void tell_result(const mdm_job *job, const mdm_job_result *result, mdm_job_goal goal)
{
    mdm_event(json_pack("{s:s, s:I, s:I, s:I, s:I, s:i}", "event", "result", "clips", (json_int_t)result->clips,
                        "delivered", (json_int_t)result->delivered, "quarantined", (json_int_t)result->quarantined,
                        "failed", (json_int_t)result->failed, "exit_code", result->exit_code));
    if (goal == MDM_GOAL_PLAN) {
        mdm_log(
            MDM_LOG_INFO,
            "%zu of %zu clips planned, the stand-ins are cast: share the rest with `mmdm apply -o %s --shard I/N` or "
            "--claim, then `mmdm merge -o %s`",
            result->clips - result->failed, result->clips, job->layout.out, job->layout.out);
        return;
    }
    if (goal == MDM_GOAL_ANALYZE) {
        mdm_log(MDM_LOG_INFO,
                "%zu of %zu clips analysed. The plan is %s: look at it, change it, then\n  mmdm apply -o %s",
                result->clips - result->failed, result->clips, job->layout.plan, job->layout.out);
        return;
    }
    mdm_log(MDM_LOG_INFO, "%zu of %zu clips delivered, %zu held back, %zu failed", result->delivered, result->clips,
            result->quarantined, result->failed);
    if (result->delivered)
        mdm_log(MDM_LOG_INFO, "dataset  %s\nreport   %s/audit/report.html", job->layout.dataset, job->layout.dataset);
    if (result->quarantined || result->failed)
        mdm_log(MDM_LOG_INFO, "held back clips and the reasons are in %s", job->layout.private_folder);
}

/* Packs what is finished; clips that are not count as failed. */
static mdm_status pack_only(mdm_job_result *result, mdm_job *job)
{
    MDM_TRY(mdm_job_plan(job, MDM_GOAL_APPLY));
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (clip->status != MDM_OK)
            continue;
        bool claimed;
        MDM_TRY(mdm_job_use_result(&claimed, job, clip));
        MDM_TRY(mdm_job_keys(job, clip));
        if (!mdm_job_stage_done(job, clip, MDM_STAGE_VERIFY))
            mdm_job_clip_failed(clip, MDM_ERR_USAGE, "not verified yet: `mmdm apply` goes on from the plan");
    }
    MDM_TRY(mdm_job_deliver(result, job));
    return save_result(job, result);
}

/* A worker that was killed, as all are when the job is stopped, may have left sound at Google. */
static void forget_uploads(const mdm_job *job)
{
    char message[1024];
    snprintf(message, sizeof message, "%s", mdm_error_message());
    for (size_t i = 0; i < job->clip_count; i++) {
        char *ledger = NULL;
        if (job->clips[i].folder && mdm_join_path(&ledger, job->clips[i].folder, MDM_GEMINI_LEDGER) == MDM_OK &&
            mdm_gemini_sweep(ledger) != MDM_OK)
            mdm_log(MDM_LOG_WARN, "an upload could not be deleted and expires in two days: %s", mdm_error_message());
        mdm_free(&ledger);
    }
    (void)mdm_fail(MDM_OK, "%s", message);
}

static mdm_status work(mdm_job_result *result, mdm_job *job, mdm_job_goal goal)
{
    MDM_TRY(mdm_display_new(&job->display, 0, job->settings.verbosity < 0));
    mdm_event(json_pack("{s:s, s:I}", "event", "clips", "count", (json_int_t)job->clip_count));
    if (goal == MDM_GOAL_PACK)
        return pack_only(result, job);
    mdm_status status = analyze(job, goal);
    forget_uploads(job);
    MDM_TRY(status);
    if (goal == MDM_GOAL_MERGE)
        MDM_TRY(mdm_job_check_merge(job));
    if (goal == MDM_GOAL_PLAN) {
        MDM_TRY(mdm_job_cast(job));
        MDM_TRY(mdm_job_write_manifest(job));
    }
    if (goal == MDM_GOAL_ANALYZE || goal == MDM_GOAL_PLAN) {
        result->clips = job->clip_count;
        for (size_t i = 0; i < job->clip_count; i++)
            result->failed += job->clips[i].status != MDM_OK;
        result->exit_code = result->failed == 0 ? 0 : result->failed < result->clips ? 3 : 65;
        for (size_t i = job->clip_count; result->failed == result->clips && i-- > 0;)
            result->exit_code = mdm_exit_code(job->clips[i].status);
    } else {
        MDM_TRY(apply(job));
        MDM_TRY(finish(result, job));
    }
    mdm_display_free(&job->display);
    return MDM_OK;
}

mdm_status mdm_job_run(mdm_job_result *result, const mdm_settings *settings, const char *const *inputs, size_t count,
                       mdm_job_goal goal)
{
    mdm_job *job;
    memset(result, 0, sizeof *result);
    if (!count && (goal == MDM_GOAL_RUN || goal == MDM_GOAL_ANALYZE))
        return mdm_fail(MDM_ERR_USAGE, "name at least one recording or folder");
    MDM_TRY(mdm_alloc(&job, 1, sizeof *job, "job"));
    job->settings = *settings;
    job->layout.lock = -1;
    if (!job->settings.jobs) { /* a worker computes with two threads */
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        job->settings.jobs = cores > 3 ? (int)(cores / 2) : 1;
    }
    mdm_status status = mdm_shard_parse(&job->shard, settings->shard);
    if (status == MDM_OK && (job->shard.count || settings->claim)) {
        status = mdm_job_share(result, job, inputs, count, goal);
        mdm_job_close(job);
        mdm_free(&job);
        return status;
    }
    if (status == MDM_OK)
        status = mdm_job_open(job, inputs, count);
    if (status == MDM_OK && job->settings.dry_run) {
        status = tell_plan(job, goal);
    } else if (status == MDM_OK && !job->settings.force && goal == MDM_GOAL_RUN && same_as_last(result, job)) {
        mdm_log(MDM_LOG_INFO, "nothing to do: the dataset is of these recordings and options (--force makes it again)");
        tell_result(job, result, goal);
    } else if (status == MDM_OK) {
        memset(result, 0, sizeof *result);
        if (job->settings.trace[0])
            status = mdm_trace_open(job->settings.trace);
        if (status == MDM_OK)
            status = work(result, job, goal);
        if (status == MDM_OK && mdm_trace_is_on())
            status = mdm_trace_close();
        mdm_trace_discard();
        if (status == MDM_OK)
            tell_result(job, result, goal);
    }
    mdm_job_close(job);
    mdm_free(&job);
    return status;
}
