/* A process that shares a job with others, on this machine or many: `--shard I/N` does its part of the clips, `--claim` takes the next
 * that nobody has. Either way every piece of work is claimed and done in a folder of that claim (claim.h), so that a process that
 * was taken for dead, or was started twice, harms nothing. What all need first is one file, the manifest. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "pipeline/job.h"
#include "pipeline/manifest.h"

/* ---- the manifest ---- */

/* Of the recordings and options as they were given: others with other ones would not be of the same job. */
static mdm_status options_key(char out[65], const mdm_settings *settings)
{
    return mdm_settings_key(out, settings, ~0u);
}

/* Seconds where analysis has been there; bytes otherwise, spread evenly over the parts of a recording that is cut. Only the ratio
 * counts, and all clips of a manifest have the same measure. */
static bool seconds_of(double *out, const mdm_job_clip *clip)
{
    json_t *file = NULL;
    if (clip->status != MDM_OK || mdm_json_load_from(&file, clip->base, "clip.json", (size_t)512 << 20) != MDM_OK)
        return false;
    const json_t *video = json_object_get(file, "video");
    const double frames = json_number_value(json_object_get(video, "frames"));
    const double fps = json_number_value(json_object_get(video, "fps"));
    *out = fps > 0 ? frames / fps : 1;
    json_decref(file);
    return isfinite(*out) && *out >= 0;
}

static double bytes_of(const mdm_job *job, size_t clip)
{
    struct stat info;
    const mdm_input *input = &job->inputs.items[clip];
    size_t parts = 0;
    if (stat(input->path, &info) != 0)
        return 0;
    for (size_t i = clip; i < job->inputs.count && !strcmp(job->inputs.items[i].sha256, input->sha256); i++)
        parts++;
    for (size_t i = clip; i-- > 0 && !strcmp(job->inputs.items[i].sha256, input->sha256);)
        parts++;
    return (double)info.st_size / (double)(parts ? parts : 1);
}

mdm_status mdm_job_write_manifest(mdm_job *job)
{
    double *weights;
    char key[65];
    bool seconds = true;
    MDM_TRY(options_key(key, &job->settings));
    MDM_TRY(mdm_alloc(&weights, job->clip_count, sizeof *weights, "manifest"));
    for (size_t i = 0; i < job->clip_count && seconds; i++)
        if (job->clips[i].status == MDM_OK)
            seconds = seconds_of(&weights[i], &job->clips[i]);
    for (size_t i = 0; i < job->clip_count && !seconds; i++)
        weights[i] = bytes_of(job, i);
    const mdm_manifest_head head = {key, seconds};
    mdm_status status = mdm_manifest_write(job->layout.manifest, &head, job->inputs.items, weights, job->clip_count);
    mdm_free(&weights);
    return status;
}

/* The first of all who come makes it; the others wait for the folder's lock meanwhile. */
static mdm_status set_up(mdm_job *job, const char *const *inputs, size_t count)
{
    if (mdm_file_exists(job->layout.manifest) || !count)
        return mdm_layout_share(&job->layout, false);
    MDM_TRY(mdm_layout_share(&job->layout, true));
    if (!mdm_file_exists(job->layout.manifest)) {
        MDM_TRY(mdm_layout_sweep(job->layout.private_folder));
        MDM_TRY(mdm_journal_open(&job->journal, job->layout.journal));
        mdm_status status = mdm_job_collect(job, inputs, count, true);
        if (status == MDM_OK)
            status = mdm_job_write_manifest(job);
        mdm_job_forget_clips(job);
        mdm_journal_free(&job->journal);
        MDM_TRY(status);
    }
    return mdm_layout_let_others(&job->layout);
}

static mdm_status take_part(mdm_job *job, mdm_manifest *manifest, const int *shard_of)
{
    bool more = true;
    double weight;
    for (size_t i = 0; more; i++) {
        mdm_input item;
        mdm_status status = mdm_manifest_next(&more, manifest, &item, &weight);
        if (status == MDM_OK && more && (!shard_of || shard_of[i] == job->shard.index)) {
            status = mdm_inputs_add(&job->inputs, &item);
            if (status == MDM_OK)
                status = mdm_realloc(&job->effort, job->inputs.count, sizeof *job->effort, "manifest");
            if (status == MDM_OK)
                job->effort[job->inputs.count - 1] = weight;
        }
        mdm_free(&item.path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

static mdm_status load_part(mdm_job *job)
{
    mdm_manifest *manifest;
    double *weights = NULL;
    int *shard_of = NULL;
    size_t count = 0;
    MDM_TRY(mdm_manifest_open(&manifest, job->layout.manifest));
    mdm_status status = MDM_OK;
    if (job->shard.count) {
        status = mdm_manifest_weights(&weights, &count, job->layout.manifest);
        if (status == MDM_OK)
            status = mdm_alloc(&shard_of, count, sizeof *shard_of, "shards");
        if (status == MDM_OK)
            status = mdm_shard_deal(shard_of, weights, count, job->shard.count);
    }
    if (status == MDM_OK)
        status = take_part(job, manifest, shard_of);
    mdm_free(&weights);
    mdm_free(&shard_of);
    mdm_manifest_close(&manifest);
    return status;
}

/* Options come from job.json; those given beside recordings have to be the same. */
static mdm_status open_shared(mdm_job *job, const char *const *inputs, size_t count)
{
    json_t *file = NULL;
    char given[65], known[65];
    if (job->settings.force || job->settings.dry_run)
        return mdm_fail(MDM_ERR_USAGE, "--force and --dry-run are for a process alone, without --shard and --claim");
    if (job->shard.count && job->settings.claim)
        return mdm_fail(MDM_ERR_USAGE, "--shard takes a part, --claim whatever is left: choose one");
    if (!(job->settings.lease >= 1))
        return mdm_fail(MDM_ERR_USAGE, "--lease %g: expected a second or more", job->settings.lease);
    MDM_TRY(mdm_job_check(job, inputs, count));
    MDM_TRY(options_key(given, &job->settings));
    MDM_TRY(set_up(job, inputs, count));
    mdm_status status = mdm_job_load(job, &file);
    json_decref(file);
    MDM_TRY(status);
    MDM_TRY(options_key(known, &job->settings));
    if (count && strcmp(given, known) != 0)
        return mdm_fail(MDM_ERR_USAGE,
                        "%s: was begun with other options; give the same, or begin anew with `mmdm plan "
                        "INPUT... -o OUT`",
                        job->layout.out);
    MDM_TRY(load_part(job));
    MDM_TRY(mdm_make_folder(job->layout.claims, 0700));
    MDM_TRY(mdm_make_folder(job->layout.work, 0700));
    return mdm_job_name_clips(job);
}

/* ---- claimed work ---- */

typedef enum piece_state { WAITING, WORKING, ENDED, FAILED } piece_state;

typedef struct piece {
    piece_state state;
    mdm_claim *claim;
    double looked; /* when it was last found with somebody else */
} piece;

typedef struct sharing {
    mdm_job *job;
    mdm_job_unit unit;
    piece *pieces; /* a clip each */
    size_t *order; /* the longest first: the last to end is then a short one */
    size_t first;  /* of `order` that may still be waiting */
    mdm_status status;
} sharing;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static mdm_stage_id first_stage(mdm_job_unit unit)
{
    return unit == MDM_UNIT_ANALYSIS ? MDM_STAGE_INGEST : MDM_STAGE_ANIMATE;
}

static mdm_stage_id last_stage(mdm_job_unit unit)
{
    return unit == MDM_UNIT_ANALYSIS ? MDM_STAGE_TRANSCRIBE : MDM_STAGE_VERIFY;
}

static mdm_status claim_folder(char **out, const sharing *s, const char *unit, int epoch)
{
    return mdm_format(out, "%s/%s.%d", s->job->layout.work, unit, epoch);
}

/* Made whole under another name first: whoever takes over from a holder that died over this must not begin from half a folder. */
static mdm_status make_whole(const char *folder, const mdm_job_clip *from, const json_t *done)
{
    char *making, *path = NULL;
    MDM_TRY(mdm_format(&making, "%s.making", folder));
    mdm_status status =
        mdm_file_exists(from->folder) ? mdm_link_tree(from->folder, making) : mdm_make_folder(making, 0700);
    if (status == MDM_OK)
        status = mdm_join_path(&path, making, "done.json");
    if (status == MDM_OK && done)
        status = mdm_json_save(done, path);
    if (status == MDM_OK && rename(making, folder) != 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot put the folder in place: %s", folder, strerror(errno));
    mdm_free(&path);
    mdm_free(&making);
    return status;
}

/* The claim's own folder begins as what the claim before it left, or as the base. done.json is read first: what it speaks of was
 * there before it. */
static mdm_status make_folder(const sharing *s, mdm_job_clip *clip, const mdm_claim *claim, const char *unit)
{
    char *from = NULL, *folder = NULL;
    const int epoch = mdm_claim_epoch(claim);
    mdm_status status = claim_folder(&folder, s, unit, epoch);
    for (int before = epoch - 1; before > 0 && status == MDM_OK && !from; before--) {
        status = claim_folder(&from, s, unit, before);
        if (status == MDM_OK && !mdm_file_exists(from))
            mdm_free(&from);
    }
    if (status == MDM_OK)
        status = mdm_job_enter(clip, from ? from : clip->base);
    if (status == MDM_OK)
        status = make_whole(folder, clip, clip->done);
    if (status == MDM_OK)
        status = mdm_job_enter(clip, folder);
    mdm_free(&from);
    mdm_free(&folder);
    return status;
}

/* What is left to do in the folder entered. */
static mdm_status find_todo(unsigned *todo, const sharing *s, mdm_job_clip *clip)
{
    *todo = 0;
    MDM_TRY(mdm_job_keys(s->job, clip));
    for (mdm_stage_id stage = first_stage(s->unit); stage <= last_stage(s->unit); stage++) {
        if (mdm_job_stage_done(s->job, clip, stage))
            continue;
        *todo |= 1u << stage;
        MDM_TRY(mdm_job_stage_forget(s->job, clip, stage));
    }
    return MDM_OK;
}

/* ENDED or FAILED when somebody ended it. A failure is taken over with its message. */
static mdm_status look(piece *p, mdm_job_clip *clip, const sharing *s, const char *unit)
{
    json_t *record;
    MDM_TRY(mdm_claim_record(&record, s->job->layout.claims, unit));
    const char *message = json_string_value(json_object_get(record, "message"));
    const int status = (int)json_integer_value(json_object_get(record, "status"));
    if (record) {
        p->state = status ? FAILED : ENDED;
        if (status)
            mdm_job_clip_failed(clip, (mdm_status)status, message ? message : "");
    }
    json_decref(record);
    return MDM_OK;
}

/* Tries to take one; p->state stays WAITING when somebody else has it. */
static mdm_status try_piece(unsigned *todo, piece *p, mdm_job_clip *clip, const sharing *s)
{
    char unit[64];
    *todo = 0;
    p->looked = now();
    if (clip->status != MDM_OK) {
        p->state = FAILED;
        return MDM_OK;
    }
    MDM_TRY(mdm_job_enter(clip, clip->base));
    MDM_TRY(mdm_job_keys(s->job, clip));
    mdm_job_unit_name(unit, clip, s->unit);
    MDM_TRY(look(p, clip, s, unit));
    if (p->state != WAITING)
        return MDM_OK;
    MDM_TRY(mdm_claim_take(&p->claim, s->job->layout.claims, unit, s->job->settings.lease));
    if (!p->claim)
        return MDM_OK;
    mdm_status status = make_folder(s, clip, p->claim, unit);
    if (status == MDM_OK)
        status = find_todo(todo, s, clip);
    p->state = WORKING;
    return status;
}

/* The record of a piece that ended: where it is, and the sums of what will be delivered. */
static mdm_status record_of(json_t **out, const mdm_job_clip *clip, mdm_status ended, const char *message)
{
    static const char *const delivered[] = {"masked.mp4", "masked.png", "evidence.json"};
    const char *name = strrchr(clip->folder, '/');
    json_t *files = json_object();
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < sizeof delivered / sizeof delivered[0] && status == MDM_OK && !ended; i++) {
        char *path, hash[65];
        status = mdm_join_path(&path, clip->folder, delivered[i]);
        if (status == MDM_OK && mdm_file_exists(path)) {
            status = mdm_sha256_file(hash, path);
            json_object_set_new(files, delivered[i], json_string(hash));
        }
        mdm_free(&path);
    }
    json_t *text = json_string(message); /* NULL where it is not UTF-8 */
    *out = json_pack("{s:i, s:s, s:i, s:o, s:o}", "version", 1, "folder", name ? name + 1 : "", "status", (int)ended,
                     "message", text ? text : json_string(""), "files", files);
    return status;
}

/* A stop, a full disk and the like are not the clip's failure: it is left for the next. */
static bool is_final(mdm_status status)
{
    return status != MDM_ERR_WRITE && status != MDM_ERR_AGAIN && status != MDM_ERR_CANCELLED &&
           status != MDM_ERR_DEVICE;
}

static mdm_status on_ended(void *user, size_t index, mdm_status ended, const char *message)
{
    sharing *s = user;
    piece *p = &s->pieces[index];
    json_t *record = NULL;
    bool first = false;
    if (!is_final(ended)) {
        mdm_claim_free(&p->claim);
        p->state = FAILED;
        return mdm_fail(ended, "%s: %s", s->job->clips[index].input->clip_id, message);
    }
    mdm_status status = record_of(&record, &s->job->clips[index], ended, message);
    if (status == MDM_OK)
        status = mdm_claim_end(&first, p->claim, record);
    json_decref(record);
    if (status == MDM_OK && !first) /* we were taken for dead: what counts is what the other made */
        status = mdm_remove_tree(s->job->clips[index].folder, true);
    mdm_claim_free(&p->claim);
    p->state = ended ? FAILED : ENDED;
    return status;
}

/* A piece with nothing left to do has only to be ended. */
static mdm_status end_at_once(sharing *s, size_t index)
{
    return on_ended(s, index, MDM_OK, "");
}

static mdm_next on_next(void *user, size_t *clip, unsigned *todo)
{
    sharing *s = user;
    const double pause = fmin(1, s->job->settings.lease / 4), t = now();
    bool waiting = false;
    while (s->first < s->job->clip_count && s->pieces[s->order[s->first]].state >= ENDED)
        s->first++;
    for (size_t k = s->first; k < s->job->clip_count && s->status == MDM_OK; k++) {
        const size_t i = s->order[k];
        piece *p = &s->pieces[i];
        waiting = waiting || p->state == WAITING || p->state == WORKING;
        if (p->state != WAITING || t - p->looked < pause)
            continue;
        s->status = try_piece(todo, p, &s->job->clips[i], s);
        if (s->status == MDM_OK && p->state == WORKING && !*todo)
            s->status = end_at_once(s, i);
        *clip = i;
        if (s->status == MDM_OK && p->state == WORKING)
            return MDM_NEXT_TASK;
    }
    return waiting && s->status == MDM_OK ? MDM_NEXT_LATER : MDM_NEXT_NONE;
}

static mdm_status on_idle(void *user)
{
    sharing *s = user;
    for (size_t i = 0; i < s->job->clip_count; i++)
        if (s->pieces[i].claim && mdm_claim_renew(s->pieces[i].claim) != MDM_OK) /* said once, when it ends */
            mdm_log(MDM_LOG_DEBUG, "%s", mdm_error_message());
    return s->status;
}

/* All pieces of one kind, or only that of one clip; ends when each is ended, by whomever. */
static mdm_status share_units(mdm_job *job, mdm_job_unit unit, const size_t *only)
{
    sharing s = {.job = job, .unit = unit};
    const mdm_job_source source = {on_next, on_ended, on_idle, &s};
    mdm_status status = mdm_alloc(&s.pieces, job->clip_count, sizeof *s.pieces, "clips");
    if (status == MDM_OK)
        status = mdm_alloc(&s.order, job->clip_count, sizeof *s.order, "clips");
    if (status == MDM_OK)
        status = mdm_shard_order(s.order, job->effort, job->clip_count);
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++)
        s.pieces[i] = (piece){.state = !only || *only == i ? WAITING : ENDED, .looked = -1e9};
    if (status == MDM_OK)
        status = mdm_job_stages_of(job, &source);
    if (status == MDM_OK)
        status = s.status;
    for (size_t i = 0; s.pieces && i < job->clip_count; i++)
        mdm_claim_free(&s.pieces[i].claim);
    mdm_free(&s.pieces);
    mdm_free(&s.order);
    return status;
}

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
static mdm_status leave_out_unplanned(mdm_job *job)
{
    for (size_t i = 0; i < job->clip_count; i++) {
        char *path;
        if (job->clips[i].status != MDM_OK)
            continue;
        MDM_TRY(mdm_join_path(&path, job->clips[i].base, "plan.json"));
        if (!mdm_file_exists(path))
            mdm_job_clip_failed(&job->clips[i], MDM_ERR_INPUT, "it is not in the plan");
        mdm_free(&path);
    }
    return MDM_OK;
}

static mdm_status begin_results(mdm_job *job)
{
    if (!mdm_file_exists(job->layout.plan))
        return mdm_fail(MDM_ERR_USAGE, "%s: there is no plan: `mmdm plan -o %s` makes it, once, for all",
                        job->layout.plan, job->layout.out);
    MDM_TRY(mdm_job_load_plan(job));
    return leave_out_unplanned(job);
}

static mdm_status share_results(mdm_job *job)
{
    bool over = true;
    MDM_TRY(begin_results(job));
    do {
        MDM_TRY(share_units(job, MDM_UNIT_RESULT, NULL));
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
    MDM_TRY(open_shared(job, inputs, count));
    MDM_TRY(mdm_display_new(&job->display, 0, job->settings.verbosity < 0));
    MDM_TRY(goal == MDM_GOAL_PLAN ? share_units(job, MDM_UNIT_ANALYSIS, NULL) : share_results(job));
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
    mdm_status status = open_shared(job, NULL, 0);
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
        status = share_units(job, MDM_UNIT_RESULT, &i);
        if (status == MDM_OK)
            orders->done(orders->user, id, job->clips[i].status, job->clips[i].message);
    }
    if (status == MDM_OK && mdm_pool_stop_asked())
        status = mdm_fail(MDM_ERR_CANCELLED, "stopped");
    mdm_job_close(job);
    mdm_free(&job);
    return status;
}
