/* A job: the clips of one OUT folder, what is finished of each, and the phases they go through. */
#ifndef MDM_PIPELINE_JOB_H
#define MDM_PIPELINE_JOB_H

#include <jansson.h>
#include <stdbool.h>

#include "base/options.h"
#include "pipeline/claim.h"
#include "pipeline/inputs.h"
#include "pipeline/journal.h"
#include "pipeline/layout.h"
#include "pipeline/progress.h"
#include "pipeline/shard.h"
#include "pipeline/stages.h"
#include "pipeline/worker.h"

/* An embedding that came through a worker's pipe; lives in memory only. */
typedef struct mdm_job_embedding {
    int clip, track, count;
    float weight;
    float *values;
} mdm_job_embedding;

typedef struct mdm_job_track {
    int clip, track;
    char person[32];
} mdm_job_track;

typedef struct mdm_job_clip {
    const mdm_input *input;
    char *base;                    /* work folder with its analysis, its part of the plan and its portraits */
    char *folder;                  /* work folder of the stages at hand: base, or one that a claim's holder made */
    json_t *done;                  /* folder/done.json: stage -> key; NULL where there is none */
    char key[MDM_STAGE_COUNT][65]; /* of each stage, for the journal */
    mdm_status status;             /* first failure, with the stage's name in the message */
    char message[1024];
    bool passed; /* its evidence says so */
} mdm_job_clip;

typedef struct mdm_job {
    mdm_settings settings;
    mdm_layout layout;
    mdm_journal *journal; /* NULL in a process that shares the job: done.json in the clips' folders takes its place */
    mdm_inputs inputs;
    mdm_job_clip *clips;
    size_t clip_count;
    mdm_job_embedding *embeddings;
    size_t embedding_count;
    mdm_job_track *tracks;
    size_t track_count;
    json_t *plan;
    double *effort;   /* how much work each of `inputs` is; only where the job is shared */
    mdm_shard shard;  /* of the clips, those that are in `inputs` */
    mdm_claim *claim; /* held while working for all, and renewed meanwhile; NULL: none */
    mdm_display *display;
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
} mdm_job;

/* How far a job goes. */
typedef enum mdm_job_goal {
    MDM_GOAL_RUN,
    MDM_GOAL_ANALYZE,
    MDM_GOAL_PLAN, /* analysis, plan and stand-ins: what many machines need before they share the rest */
    MDM_GOAL_APPLY,
    MDM_GOAL_MERGE, /* what many machines made becomes the dataset */
    MDM_GOAL_PACK
} mdm_job_goal;

typedef struct mdm_job_result {
    size_t clips, delivered, quarantined, failed;
    int exit_code;
} mdm_job_result;

/* Does the job. Failures of single clips are in the result; the status is about the job as a whole. */
mdm_status mdm_job_run(mdm_job_result *result, const mdm_settings *settings, const char *const *inputs, size_t count,
                       mdm_job_goal goal);

/* Wipes private/work of a job that kept it. */
mdm_status mdm_job_wipe(const mdm_settings *settings);

/* One stage on one work folder, in this process, for `mmdm find FOLDER` and its like. `source` may be NULL once
 * clip.json exists. */
mdm_status mdm_stage_on_folder(mdm_stage_id stage, const char *folder, const char *source,
                               const mdm_settings *settings);

/* ---- the parts, one file each; each works on every clip that has not failed ------------------------------------------ */

/* job_setup.c */
mdm_status mdm_job_open(mdm_job *job, const char *const *inputs, size_t count);
void mdm_job_forget_clips(mdm_job *job); /* and the inputs */
void mdm_job_close(mdm_job *job);
mdm_status mdm_job_load(mdm_job *job, json_t **file); /* job.json, with the options of the analysis */
mdm_status mdm_job_collect(mdm_job *job, const char *const *inputs, size_t count, bool save);
mdm_status mdm_job_name_clips(mdm_job *job); /* clips of job->inputs, which have ids */
mdm_status mdm_job_check(mdm_job *job, const char *const *inputs, size_t count);
mdm_status mdm_job_find_folders(char *models, char *weights, const mdm_settings *settings);

/* job_segment.c: cuts long recordings into parts (--segment); looks into them in workers. */
mdm_status mdm_job_segment(mdm_job *job);

/* job_pictures.c: small pictures for the reports, into after/ and before/ of each clip's work folder. */
mdm_status mdm_job_pictures(mdm_job *job);

/* job_report.c: OUT/private/report.html, before beside after, for the owner of the recordings only. */
mdm_status mdm_job_private_report(mdm_job *job);

/* job_stages.c: runs stages first..last of all clips in workers, those that are not finished under their key. */
mdm_status mdm_job_stages(mdm_job *job, mdm_stage_id first, mdm_stage_id last, bool serial, bool embed);
mdm_status mdm_job_keys(mdm_job *job, mdm_job_clip *clip); /* fills in clip->key; plan.json counts where it exists */
void mdm_job_clip_settings(mdm_settings *out, const mdm_job *job,
                           const mdm_job_clip *clip); /* with its part of the recording */
void mdm_job_clip_failed(mdm_job_clip *clip, mdm_status status, const char *message);

/* The same of claimed pieces of work, in any order and number. `next` is asked when a worker is free; work is run in the clip's
 * folder as it then is. `ended` hears what became of it. */
typedef struct mdm_job_source {
    mdm_next (*next)(void *user, size_t *clip, unsigned *todo); /* todo: a bit a stage */
    mdm_status (*ended)(void *user, size_t clip, mdm_status status, const char *message);
    mdm_status (*idle)(void *user);
    void *user;
} mdm_job_source;
mdm_status mdm_job_stages_of(mdm_job *job, const mdm_job_source *source);

/* job_done.c: what is finished of a clip, by the journal or by done.json in its folder. */
bool mdm_job_stage_done(const mdm_job *job, const mdm_job_clip *clip, mdm_stage_id stage);
mdm_status mdm_job_stage_note(mdm_job *job, mdm_job_clip *clip, mdm_stage_id stage);   /* it is done, under its key */
mdm_status mdm_job_stage_forget(mdm_job *job, mdm_job_clip *clip, mdm_stage_id stage); /* it will be done again */
mdm_status mdm_job_enter(mdm_job_clip *clip, const char *folder); /* folder becomes the clip's, done.json is read */

/* Where a clip's work is that was done under claims. mdm_job_use_base takes the claimed analysis' folder for its base, and goes
 * there; mdm_job_use_result goes to the claimed result of the plan in the base, or stays there. */
typedef enum mdm_job_unit { MDM_UNIT_ANALYSIS, MDM_UNIT_RESULT } mdm_job_unit;
void mdm_job_unit_name(char out[64], const mdm_job_clip *clip, mdm_job_unit unit); /* by clip->key, as it is now */
bool mdm_job_take_failure(mdm_job_clip *clip, const json_t *record); /* the clip's, if a unit's record is of one */
mdm_status mdm_job_use_base(mdm_job *job, mdm_job_clip *clip);
mdm_status mdm_job_use_result(bool *there, mdm_job *job, mdm_job_clip *clip);

/* job_part.c: a job that processes share. Joining it takes the options from job.json; those given beside recordings have to be the same. */
mdm_status mdm_job_write_manifest(mdm_job *job);
mdm_status mdm_job_join(mdm_job *job, const char *const *inputs, size_t count);

/* job_claimed.c: does all pieces of one kind, or only that of one clip; ends when each is ended, by whomever. */
mdm_status mdm_job_claimed(mdm_job *job, mdm_job_unit unit, const size_t *only);

/* job_shared.c: a process that shares a job with others (--shard, --claim). */
mdm_status mdm_job_share(mdm_job_result *result, mdm_job *job, const char *const *inputs, size_t count,
                         mdm_job_goal goal);
typedef struct mdm_job_orders {
    bool (*next)(void *user, char id[24]); /* waits for the next clip to do; false: no more come */
    void (*done)(void *user, const char *id, mdm_status status, const char *message);
    void *user;
} mdm_job_orders;
mdm_status mdm_job_serve(const mdm_settings *settings, const mdm_job_orders *orders); /* a clip at a time, as told */

/* job_merge.c */
mdm_status mdm_job_check_merge(mdm_job *job); /* MDM_ERR_AGAIN names how many clips have no proof yet */

/* job_plan.c */
mdm_status mdm_job_plan(mdm_job *job, mdm_job_goal goal);
mdm_status mdm_job_load_plan(mdm_job *job);              /* as it is on disk */
mdm_status mdm_job_plan_key(char out[65], mdm_job *job); /* of everything the plan is made from */
bool mdm_job_plan_done(mdm_job *job);                    /* the plan on disk is of these clips and options */
mdm_status mdm_job_plan_clips(mdm_job *job);             /* writes each clip's plan.json */
mdm_status mdm_job_retry(size_t *changed, mdm_job *job); /* other stand-ins where the evidence asks for it */

/* job_attack.c: the audit's attacks on the clips that passed; NULL in *out when they could not be made */
mdm_status mdm_job_attack(json_t **out, mdm_job *job);

/* job_labels.c: what --labels has of a clip, against its result; both NULL when it has nothing */
mdm_status mdm_job_carried(json_t **items, json_t **changes, const mdm_job *job, const mdm_job_clip *clip,
                           const json_t *clip_json, const char *faces);

/* job_deliver.c */
mdm_status mdm_job_deliver(mdm_job_result *result, mdm_job *job);

/* job.c: one round of stand-ins, for all clips: each clip's part of the plan, and the portraits. */
mdm_status mdm_job_cast(mdm_job *job);
mdm_status mdm_job_job_key(char out[65], const mdm_job *job); /* of everything that shapes the dataset */

#endif
