/* A job: the clips of one OUT folder, what is finished of each, and the phases they go through. */
#ifndef MDM_PIPELINE_JOB_H
#define MDM_PIPELINE_JOB_H

#include <jansson.h>
#include <stdbool.h>

#include "base/options.h"
#include "pipeline/inputs.h"
#include "pipeline/journal.h"
#include "pipeline/layout.h"
#include "pipeline/progress.h"
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
    char *folder;
    mdm_settings settings;         /* the job's, with this clip's part of the recording */
    char key[MDM_STAGE_COUNT][65]; /* of each stage, for the journal */
    mdm_status status;             /* first failure, with the stage's name in the message */
    char message[1024];
    bool passed; /* its evidence says so */
} mdm_job_clip;

typedef struct mdm_job {
    mdm_settings settings;
    mdm_layout layout;
    mdm_journal *journal;
    mdm_inputs inputs;
    mdm_job_clip *clips;
    size_t clip_count;
    mdm_job_embedding *embeddings;
    size_t embedding_count;
    mdm_job_track *tracks;
    size_t track_count;
    json_t *plan;
    mdm_display *display;
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
} mdm_job;

/* How far a job goes. */
typedef enum mdm_job_goal { MDM_GOAL_RUN, MDM_GOAL_ANALYZE, MDM_GOAL_APPLY, MDM_GOAL_PACK } mdm_job_goal;

typedef struct mdm_job_result {
    size_t clips, delivered, quarantined, failed;
    int exit_code;
} mdm_job_result;

/* Does the job. Failures of single clips are in the result; the status is about the job as a whole. */
mdm_status mdm_job_run(mdm_job_result *result, const mdm_settings *settings, const char *const *inputs, size_t count,
                       mdm_job_goal goal);

/* One stage on one work folder, in this process, for `mmdm find FOLDER` and its like. `source` may be NULL once
 * clip.json exists. */
mdm_status mdm_stage_on_folder(mdm_stage_id stage, const char *folder, const char *source,
                               const mdm_settings *settings);

/* ---- the parts, one file each; each works on every clip that has not failed ------------------------------------------ */

/* job_setup.c */
mdm_status mdm_job_open(mdm_job *job, const char *const *inputs, size_t count, mdm_job_goal goal);
void mdm_job_close(mdm_job *job);
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
bool mdm_job_stage_done(const mdm_job *job, const mdm_job_clip *clip, mdm_stage_id stage);
void mdm_job_clip_failed(mdm_job_clip *clip, mdm_status status, const char *message);

/* job_plan.c */
mdm_status mdm_job_plan(mdm_job *job, mdm_job_goal goal);
bool mdm_job_plan_done(mdm_job *job);                    /* the plan on disk is of these clips and options */
mdm_status mdm_job_plan_clips(mdm_job *job);             /* writes each clip's plan.json */
mdm_status mdm_job_retry(size_t *changed, mdm_job *job); /* other stand-ins where the evidence asks for it */

/* job_attack.c: the audit's attacks on the clips that passed; NULL in *out when they could not be made */
mdm_status mdm_job_attack(json_t **out, mdm_job *job);

/* job_deliver.c */
mdm_status mdm_job_deliver(mdm_job_result *result, mdm_job *job);
mdm_status mdm_job_job_key(char out[65], const mdm_job *job); /* of everything that shapes the dataset */

#endif
