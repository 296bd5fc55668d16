/* Is the person still recognised? Three recognisers compare the recording's face with the result's, frame by frame and on
 * average. MobileFaceNet takes no part in the making and decides; dlib and faceres chose the stand-in, so that they are only
 * reported, and decide too where MobileFaceNet was not seen to know the recording's own frames again (blind, or the clip
 * too short to tell): such a judge proves nothing by its silence. */
#ifndef MDM_STAGES_VERIFY_IDENTITY_H
#define MDM_STAGES_VERIFY_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>

#include "models/recogniser.h"

#define MDM_JUDGE_TRUE_RATE 0.90  /* a judge that knows fewer genuine pairs does not decide */
#define MDM_JUDGE_PAIRS     10    /* fewer genuine pairs say nothing about a judge */
#define MDM_JUDGE_SMALLEST  20    /* px a face is wide that a recogniser is shown */
#define MDM_JUDGE_ALIKE     10.0f /* degrees of yaw and of pitch within which two views are alike */
#define MDM_MATCH_SHARE     0.03  /* of a person's frames that may be recognised */

typedef enum mdm_judge { MDM_JUDGE_HELD_OUT, MDM_JUDGE_DLIB, MDM_JUDGE_FACERES, MDM_JUDGES } mdm_judge;

const char *mdm_judge_name(mdm_judge judge); /* "MobileFaceNet" */
mdm_recogniser_kind mdm_judge_kind(mdm_judge judge);
bool mdm_judge_is_independent(mdm_judge judge);
int mdm_judge_every(mdm_judge judge); /* of the judged frames, one in so many is shown to this one */

/* What one judge saw of one track: vectors of the recording and of the result at the same frames. In memory only. */
typedef struct mdm_judge_series {
    float *vector[2]; /* recording, result: [count] times mdm_recogniser_size */
    float (*view)[2]; /* [count] yaw and pitch of the head, degrees */
    int *frame;
    int count, capacity;
} mdm_judge_series;

/* `view`: yaw and pitch of the head in the recording, degrees. */
mdm_status mdm_judge_keep(mdm_judge_series *series, mdm_judge judge, const float *source, const float *result,
                          const float view[2], int frame);
void mdm_judge_forget(mdm_judge_series *series, mdm_judge judge); /* wipes */

/* Distances as mdm_recogniser_distance gives them; NAN where nothing was measured. */
typedef struct mdm_judge_figures {
    int frames, match_frames;
    int match_at[MDM_FARS]; /* frames nearer than one in 100, 1,000, 10,000 pairs of strangers */
    double mean, nearest;
    double average; /* between the means of all vectors of a side: the attacker who adds a clip up */
    /* Of pairs of the recording's own frames, `apart` or more: how many the judge takes for one person. Pairs in like views, where
     * there are enough of them: recording and result are compared in the same view, and a judge that does not know a face from its
     * other side may well know it from this one. */
    double true_rate;
    long long pairs;  /* of those */
    double wobble[2]; /* mean distance from one judged frame to the next, recording and result */
} mdm_judge_figures;

/* Over `count` series of one person (or of everybody in the clip). */
mdm_status mdm_judge_measure(mdm_judge_figures *out, mdm_judge judge, const mdm_judge_series *const *series, int count,
                             int apart);

/* May this judge hold a person back? True as well where there are too few genuine pairs to tell. */
bool mdm_judge_sees(const mdm_judge_figures *figures);
/* Does its silence prove something? Only where it was seen to know the recording's own frames again. */
bool mdm_judge_is_proved(const mdm_judge_figures *figures);
/* By the means of all frames. */
bool mdm_judge_knows_average(const mdm_judge_figures *figures, mdm_judge judge);
bool mdm_judge_recognises(const mdm_judge_figures *figures, mdm_judge judge);

/* [[first, last], ...] frames between the judged ones where the judge does not recognise the person: covering these leaves no judged
 * frame that matches. Numbers of the clip, both ends included; stretches of several tracks may overlap. `every`: from one judged frame
 * of a track to the next. */
json_t *mdm_judge_stretches(mdm_judge judge, const mdm_judge_series *const *series, int count, int every);

/* {"MobileFaceNet": {...}, ...} of a person with `replaced` frames; what is wrong is appended to `reasons`, each
 * "reidentified" with the "judge" that says so. */
json_t *mdm_judges_decide(json_t *reasons, const char *person, const mdm_judge_figures figures[MDM_JUDGES],
                          int replaced);

#endif
