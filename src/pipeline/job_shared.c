/* A process that shares a job with others, on this machine or many: `--shard I/N` does its part of the clips, `--claim` takes the next
 * that nobody has. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "pipeline/job.h"

/* ---- rounds: stand-ins for persons who were recognised ---- */

static mdm_status use_results(size_t *missing, mdm_job *job)
{
    *missing = 0;
    for (size_t i = 0; i < job->clip_count; i++) {
        bool there = true;
        if (job->clips[i].status == MDM_OK)
            MDM_TRY(mdm_job_use_result(&there, job, &job->clips[i]));
        *missing += !there;
    }
    return MDM_OK;
}

/* As one who leads: gives every clip its part of the plan as it stands, which one who died may have left half done. With all results
 * there, the plan of another round is made where somebody was recognised; *over says that nobody was. */
static mdm_status lead(bool *over, mdm_job *job)
{
    size_t missing, changed;
    MDM_TRY(mdm_job_load_plan(job));
    MDM_TRY(mdm_job_cast(job));
    MDM_TRY(use_results(&missing, job));
    if (missing)
        return MDM_OK;
    MDM_TRY(mdm_claim_renew(job->claim));
    MDM_TRY(mdm_job_retry(&changed, job));
    *over = changed == 0;
    return changed ? mdm_job_cast(job) : MDM_OK;
}

/* Writes down for the others that this plan needs no other round. */
static mdm_status say_over(const mdm_job *job, const char *unit)
{
    mdm_claim *claim;
    bool first;
    MDM_TRY(mdm_claim_take(&claim, job->layout.claims, unit, job->settings.lease));
    if (!claim)
        return MDM_OK;
    json_t *record = json_pack("{s:i}", "version", 1);
    mdm_status status = mdm_claim_end(&first, claim, record);
    json_decref(record);
    mdm_claim_free(&claim);
    return status;
}

static mdm_status is_over(bool *over, char unit[64], const mdm_job *job)
{
    char hash[65];
    json_t *record;
    MDM_TRY(mdm_sha256_file(hash, job->layout.plan));
    snprintf(unit, 64, "over.%.16s", hash);
    MDM_TRY(mdm_claim_record(&record, job->layout.claims, unit));
    *over = record != NULL;
    json_decref(record);
    return MDM_OK;
}

/* After all clips of a plan are ended, one process at a time leads. */
static mdm_status next_round(bool *over, mdm_job *job)
{
    char unit[64];
    const struct timespec pause = {0, 200000000};
    MDM_TRY(is_over(over, unit, job));
    while (!*over && !job->claim) {
        if (mdm_pool_stop_asked())
            return mdm_fail(MDM_ERR_CANCELLED, "stopped; the same command goes on from here");
        MDM_TRY(mdm_claim_take(&job->claim, job->layout.claims, "lead", job->settings.lease));
        if (!job->claim)
            nanosleep(&pause, NULL);
        MDM_TRY(is_over(over, unit, job));
    }
    mdm_status status = *over ? MDM_OK : lead(over, job);
    mdm_claim_free(&job->claim);
    if (status == MDM_OK && *over)
        status = say_over(job, unit);
    return status;
}

/* ---- the whole ---- */

/* A clip without a part of the plan failed its analysis: it is reported when all is merged. */
static void leave_out_unplanned(mdm_job *job)
{
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (clip->status == MDM_OK && !mdm_file_exists_in(clip->base, "plan.json"))
            mdm_job_clip_failed(clip, MDM_ERR_INPUT, "it is not in the plan");
    }
}

static mdm_status begin_results(mdm_job *job)
{
    if (!mdm_file_exists(job->layout.plan))
        return mdm_fail(MDM_ERR_USAGE, "%s: there is no plan: `mmdm plan -o %s` makes it, once, for all",
                        job->layout.plan, job->layout.out);
    MDM_TRY(mdm_job_load_plan(job));
    leave_out_unplanned(job);
    return MDM_OK;
}

static mdm_status share_results(mdm_job *job)
{
    bool over = true;
    MDM_TRY(begin_results(job));
    do {
        MDM_TRY(mdm_job_claimed(job, MDM_UNIT_RESULT, NULL));
        if (job->settings.claim)
            MDM_TRY(next_round(&over, job));
        if (!over)
            MDM_TRY(mdm_job_load_plan(job));
    } while (!over);
    return MDM_OK;
}

static void tell(mdm_job_result *result, const mdm_job *job, mdm_job_goal goal)
{
    result->clips = job->clip_count;
    for (size_t i = 0; i < job->clip_count; i++)
        result->failed += job->clips[i].status != MDM_OK;
    result->exit_code = 0; /* all are ended: an engine need not start this part again */
    mdm_event(json_pack("{s:s, s:i, s:i, s:I, s:I, s:i}", "event", "shared", "shard", job->shard.index, "shards",
                        job->shard.count, "clips", (json_int_t)result->clips, "failed", (json_int_t)result->failed,
                        "exit_code", result->exit_code));
    mdm_log(MDM_LOG_INFO, "%zu of %zu clips ended well; when all processes have: mmdm %s -o %s",
            result->clips - result->failed, result->clips, goal == MDM_GOAL_APPLY ? "merge" : "plan", job->layout.out);
}

mdm_status mdm_job_share(mdm_job_result *result, mdm_job *job, const char *const *inputs, size_t count,
                         mdm_job_goal goal)
{
    if (goal != MDM_GOAL_PLAN && goal != MDM_GOAL_APPLY)
        return mdm_fail(MDM_ERR_USAGE, "--shard and --claim are for `mmdm plan INPUT...` (analysis) and `mmdm apply`");
    MDM_TRY(mdm_job_join(job, inputs, count));
    MDM_TRY(mdm_display_new(&job->display, 0, job->settings.verbosity < 0));
    MDM_TRY(goal == MDM_GOAL_PLAN ? mdm_job_claimed(job, MDM_UNIT_ANALYSIS, NULL) : share_results(job));
    mdm_display_free(&job->display);
    tell(result, job, goal);
    return MDM_OK;
}

mdm_status mdm_job_serve(const mdm_settings *settings, const mdm_job_orders *orders)
{
    mdm_job *job;
    char id[24];
    MDM_TRY(mdm_alloc(&job, 1, sizeof *job, "job"));
    job->settings = *settings;
    job->settings.claim = true;
    job->settings.jobs = 1;
    job->layout.lock = -1;
    mdm_status status = mdm_job_join(job, NULL, 0);
    if (status == MDM_OK)
        status = mdm_display_new(&job->display, 0, true);
    if (status == MDM_OK)
        status = begin_results(job);
    while (status == MDM_OK && orders->next(orders->user, id)) {
        size_t i = 0;
        while (i < job->clip_count && strcmp(job->inputs.items[i].clip_id, id) != 0)
            i++;
        if (i == job->clip_count) {
            orders->done(orders->user, id, MDM_ERR_USAGE, "there is no such clip in the manifest");
            continue;
        }
        status = mdm_job_claimed(job, MDM_UNIT_RESULT, &i);
        if (status == MDM_OK)
            orders->done(orders->user, id, job->clips[i].status, job->clips[i].message);
    }
    if (status == MDM_OK && mdm_pool_stop_asked())
        status = mdm_fail(MDM_ERR_CANCELLED, "stopped");
    mdm_job_close(job);
    mdm_free(&job);
    return status;
}
