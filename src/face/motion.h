/* A person's own motion, told apart from the person's face: pose, shape against the neutral, eyes, gaze, lips, frame by
 * frame. What every animation backend and the editor share (motion.safetensors + motion.json). */
#ifndef MDM_FACE_MOTION_H
#define MDM_FACE_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include "face/canonical.h"
#include "face/rest.h"
#include "face/track.h"

#define MDM_YAW_NODES 5     /* yaws -40, -20, 0, 20, 40: what the network reads differently changes with the view */
#define MDM_YAW_STEP  20.0f /* degrees between them */

typedef struct mdm_view_correction {
    float gaze[2][2]; /* added to the gaze of each eye */
    float turn[3];    /* rotation vector on the head, radians, at most 0.12 a component */
} mdm_view_correction;

/* What the closed loop found out by rendering and measuring again; identity when it did not run. */
typedef struct mdm_motion_correction {
    float eye_gain, lip_gain;   /* 0.8..1.6, 0.8..1.5 */
    float gain[MDM_REST_MOVES]; /* of the expression\'s moves from there: 0.8..1.6 */
    float rest[MDM_RESTS]; /* added to the stand-in's resting expression: cm; of the eyes, a share of their opening */
    mdm_view_correction view[MDM_YAW_NODES];
} mdm_motion_correction;

#define MDM_USUAL_DEPTH 1.4f

/* How the stand-in is brought to the recording's look; found by trial on rendered frames. */
typedef struct mdm_motion_look {
    float contrast;             /* of the stand-in's own detail, 0.25..1: never more, or wrinkles turn into gashes */
    float depth;                /* of its darkest parts under its skin, log, 0.3..1.4: haze leaves little of it */
    float blur, unsharp, grain; /* px; amount; grey levels */
    float tone[3]; /* log colour added to the skin around the face (face/skin_tone.h); the light has it already */
} mdm_motion_look;

typedef struct mdm_motion {
    int track, first, count; /* frames first .. first + count - 1 of the clip */
    double fps;
    mdm_pose *pose;                       /* [count], smoothed */
    float (*shape)[MDM_MESH_VERTICES][3]; /* [count], HEAD cm, absolute (the file stores it minus the neutral) */
    float neutral[MDM_MESH_VERTICES][3];
    float (*eyes)[2];    /* [count] opening over width */
    float (*gaze)[2][2]; /* [count][eye]: iris from the eye's middle, along outer->inner and down, in widths */
    float *lips;         /* [count] gap over mouth width */
    float (*light)[MDM_LIGHT_TERMS][3]; /* [count] log colour of the scene over the stand-in's; animate fills it */
    float *teeth;                       /* [count] share of the mouth's opening that shows teeth, from above */
    uint8_t *valid;                     /* [count] 1: a face was seen within 3 frames */
    float eye_neutral[2];
    mdm_motion_correction correction;
    bool rests; /* mdm_motion_rest was asked for: the closed loop goes on with it */
    mdm_motion_look look;
} mdm_motion;

/* From a track's meshes. Gaps are bridged in a straight line. MDM_ERR_INPUT when no frame has a mesh. */
mdm_status mdm_motion_from_track(mdm_motion *out, const mdm_track *track, const mdm_canonical *canonical, double fps);
void mdm_motion_free(mdm_motion *motion);
/* Sets correction.rest to what a stand-in's shape (HEAD cm) lacks of the person's resting expression. */
void mdm_motion_rest(mdm_motion *motion, const float (*standin)[3]);
mdm_status mdm_motion_alloc(mdm_motion *out, int count);

/* Mesh of frame `index` in IMAGE px. */
void mdm_motion_image(float (*out)[3], const mdm_motion *motion, int index);

/* Where frame `index` lies among the corrections' yaws: 0..MDM_YAW_NODES - 1, between two of them as a rule. */
float mdm_motion_view(const mdm_motion *motion, int index);
/* The correction at frame `index`: in a straight line between the yaws beside its own. */
mdm_view_correction mdm_motion_correct(const mdm_motion *motion, int index);

/* Measures of one shape or mesh. */
void mdm_eye_opening(float out[2], const float (*points)[3]);
float mdm_lip_gap(const float (*points)[3]);
void mdm_gaze_of(float out[2], const float (*points)[3], int eye); /* needs the iris points, IMAGE px */
/* 0..1, from IMAGE px: the far eye of a turned head is guessed by the network. */
void mdm_eyes_seen(float out[2], const float (*points)[3]);

#endif
