/* What every stage is given: the clip's work folder, the settings, the models. A stage reads the artefacts before it
 * from the folder and writes its own atomically; nothing else passes between stages (docs/formats.md). */
#ifndef MDM_STAGES_STAGE_H
#define MDM_STAGES_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/settings.h"
#include "base/status.h"

/* Takes one face embedding out of a worker. Templates identify people: they go through a pipe, never into a file.
 * `weight` > 0 says how much to trust it. */
typedef struct mdm_embedding_sink {
    mdm_status (*give)(void *user, int track, const float *values, int count, float weight);
    void *user;
} mdm_embedding_sink;

typedef struct mdm_clip_work {
    const char *clip_id; /* "clip-0001": never derived from the source's name */
    const char *source;  /* path of the recording */
    const char *folder;  /* work folder of this clip (0700) */
    const char *models;  /* folder of third-party model files */
    const char *weights; /* folder of this project's own weights (models/ of the repository or installation) */
    const mdm_settings *settings;
    const mdm_progress *progress;         /* may be NULL */
    const mdm_embedding_sink *embeddings; /* for mdm_stage_embed; NULL elsewhere */
    const char *standins;                 /* folder of the job's portraits so far, <person>.png + .json; NULL: none */
    int threads; /* for ggml and codecs: a constant of the job, so that bytes do not depend on --jobs */
} mdm_clip_work;

typedef mdm_status (*mdm_stage_run)(mdm_clip_work *work);

/* One entry of the stages table (pipeline/stages.c): name, what it writes, and the backends' run functions. */
typedef struct mdm_stage {
    const char *name;     /* "find" */
    const char *artefact; /* "tracks.json": present and complete means done */
    mdm_stage_run run;
} mdm_stage;

mdm_status mdm_stage_ingest(mdm_clip_work *work);     /* clip.json */
mdm_status mdm_stage_find(mdm_clip_work *work);       /* tracks.json, geometry.safetensors */
mdm_status mdm_stage_embed(mdm_clip_work *work);      /* nothing: one or more embeddings a track to work->embeddings */
mdm_status mdm_stage_describe(mdm_clip_work *work);   /* context.json */
mdm_status mdm_stage_transcribe(mdm_clip_work *work); /* transcript.json */
/* plan is made once over all clips by the pipeline: stages/plan.h */
mdm_status mdm_stage_portrait(mdm_clip_work *work); /* portraits/<person>.png + portraits.json */
mdm_status mdm_stage_animate(mdm_clip_work *work);  /* motion.safetensors, motion.json */
mdm_status mdm_stage_compose(mdm_clip_work *work);  /* masked.mp4 (or .png for a still) + compose.json */
mdm_status mdm_stage_verify(mdm_clip_work *work);   /* evidence.json */

#endif
