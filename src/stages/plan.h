/* The plan: what will be done to each person. Made from the policy, the persons and, for kept contexts only, what
 * describe saw; a file people can read and edit (OUT/private/plan.json), checked strictly when it is read back. */
#ifndef MDM_STAGES_PLAN_H
#define MDM_STAGES_PLAN_H

#include <jansson.h>
#include <stddef.h>

#include "base/settings.h"
#include "base/status.h"

/* One face track and whose it is. */
typedef struct mdm_plan_track {
    const char *clip_id; /* "clip-0001" */
    int track;
    const char *person; /* "person-01" */
} mdm_plan_track;

/* A clip's description (context.json), borrowed; NULL where there is none. */
typedef struct mdm_plan_clip {
    const char *clip_id;
    const json_t *context;
} mdm_plan_clip;

/* Makes the plan of a job. A context that is redrawn or removed is decided without reading its source value: by a draw
 * keyed by (seed, person), or (seed, person, clip) with one identity per clip, from the prior stated in the plan.
 * Caller json_decref's *out. */
mdm_status mdm_plan_make(json_t **out, const mdm_settings *settings, const mdm_plan_clip *clips, size_t clip_count,
                         const mdm_plan_track *tracks, size_t track_count);

/* Reads a plan back, refusing what it does not understand: MDM_ERR_CONFIG "FILE:LINE: reason". */
mdm_status mdm_plan_load(json_t **out, const char *path);
mdm_status mdm_plan_check(const json_t *plan, const char *text, size_t size, const char *where);

/* The part of the plan that a clip's stages read (plan.json in its work folder). `track_ids` are the tracks find
 * wrote: every one has to belong to a person, or the plan is refused (MDM_ERR_CONFIG). Caller json_decref's *out. */
mdm_status mdm_plan_for_clip(json_t **out, const json_t *plan, const char *clip_id, const int *track_ids,
                             size_t track_count);

/* Takes mode, identity, seed, policy and channels from a (checked) plan, which may have been edited. */
mdm_status mdm_plan_settings(mdm_settings *settings, const json_t *plan);

#define MDM_PLAN_STRETCHES 64 /* of frames, of a person in a clip, that can be covered */

typedef enum mdm_plan_retried {
    MDM_PLAN_NOTHING, /* nothing was left to try */
    MDM_PLAN_STRETCHES_COVERED,
    MDM_PLAN_DRAWN_AGAIN,
    MDM_PLAN_COVERED
} mdm_plan_retried;

/* A person is still recognised in a clip. Where that is in few of their `frames` there, in `stretches` ([[first, last], ...]; NULL: it
 * is everywhere), these are covered; else they get another stand-in (a new seed_key), or the face is covered throughout when
 * `attempts` have been used. */
mdm_plan_retried mdm_plan_retry(json_t *plan, const char *person, const char *clip_id, int attempts,
                                const json_t *stretches, json_int_t frames);

/* Values of the contexts that describe a stand-in. */
typedef struct mdm_context_values {
    const char *const *names;  /* as in FairFace: "20-29", "Latino_Hispanic" */
    const char *const *groups; /* rough group of each, NULL where there are none */
    const double *weights;     /* of the prior it is redrawn from */
    int count;
    const char *prior; /* the same in words, for the plan */
} mdm_context_values;

/* NULL for contexts that are not drawn from a list of values. */
const mdm_context_values *mdm_plan_values(mdm_context context);

#endif
