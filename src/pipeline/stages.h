/* The table of stages: in which order a clip goes through them, what they write, what they depend on. */
#ifndef MDM_PIPELINE_STAGES_H
#define MDM_PIPELINE_STAGES_H

#include "stages/stage.h"

typedef enum mdm_stage_id {
    MDM_STAGE_INGEST,
    MDM_STAGE_FIND,
    MDM_STAGE_DESCRIBE,
    MDM_STAGE_TRANSCRIBE, /* analysis, up to here */
    MDM_STAGE_PORTRAIT,
    MDM_STAGE_ANIMATE,
    MDM_STAGE_COMPOSE,
    MDM_STAGE_VERIFY, /* application of the plan */
    MDM_STAGE_COUNT
} mdm_stage_id;

typedef struct mdm_stage_entry {
    mdm_stage stage;
    const char *artefact_still; /* where a still has another file; or NULL */
    unsigned needs;             /* bit per stage whose result it reads */
    bool needs_plan;
    unsigned stale; /* MDM_STALE_* of the options it reads */
    double weight;  /* share of the time, for "time left" */
} mdm_stage_entry;

/* Entry of a stage. */
const mdm_stage_entry *mdm_stage_at(mdm_stage_id id);

/* The stage called `name`; MDM_ERR_USAGE naming the stages otherwise. */
mdm_status mdm_stage_find_name(mdm_stage_id *out, const char *name);

#endif
