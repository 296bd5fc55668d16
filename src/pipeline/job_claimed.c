/* Claimed work: every piece is claimed and done in a folder of that claim (claim.h), so that a process that was taken for dead, or was
 * started twice, harms nothing. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "pipeline/job.h"

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
    if (record)
        p->state = mdm_job_take_failure(clip, record) ? FAILED : ENDED;
    json_decref(record);
    return MDM_OK;
}

/* Tries to take one; p->state stays WAITING when somebody else has it. */
static mdm_status try_piece(unsigned *todo, piece *p, mdm_job_clip *clip, const sharing *s)
{
    char unit[64];
    *todo = 0;
    p->looked = mdm_now();
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

static mdm_next on_next(void *user, size_t *clip, unsigned *todo)
{
    sharing *s = user;
    const double pause = fmin(1, s->job->settings.lease / 4), t = mdm_now();
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
        if (s->status == MDM_OK && p->state == WORKING && !*todo) /* it has only to be ended */
            s->status = on_ended(s, i, MDM_OK, "");
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

mdm_status mdm_job_claimed(mdm_job *job, mdm_job_unit unit, const size_t *only)
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
