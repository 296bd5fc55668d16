/* The parts of the verify stage: what is measured on the recording and on the result, side by side, frame by frame. The
 * judges here (MobileFaceNet, CenterFace, attributes-b, fr_pose) take no part in making the result; where a figure comes from a
 * network that does, the evidence says so. */
#ifndef MDM_STAGES_VERIFY_H
#define MDM_STAGES_VERIFY_H

#include <jansson.h>

#include "dataset/labels.h"
#include "face/best_frames.h"
#include "face/canonical.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "models/attributes.h"
#include "models/centerface.h"
#include "models/expression.h"
#include "models/head_pose.h"
#include "models/recogniser.h"
#include "models/text_detector.h"
#include "models/text_reader.h"
#include "stages/stage.h"
#include "stages/verify_identity.h"

#define MDM_MOTION_SMALLEST 40 /* px a face is wide whose motion is measured: an iris of less is two pixels */

typedef enum mdm_verify_state { MDM_VERIFY_NONE, MDM_VERIFY_COVERED, MDM_VERIFY_REPLACED } mdm_verify_state;

/* Readings of one frame of a track, of the recording (0) and the result (1). */
typedef struct mdm_track_reading {
    unsigned char state; /* mdm_verify_state, from compose.json */
    unsigned char ok;    /* both meshes were accepted */
    unsigned char told;  /* and the face is wide enough for the mesh to tell its motion */
    unsigned char posed; /* head[] was read by the head-pose judge */
    float angles[2][3], gaze[2][2][2], eyes[2], lips[2];
    float seen[2];      /* how well the recording shows each eye, 0..1 (mdm_eyes_seen) */
    float head[2][3];   /* degrees, the head-pose judge's */
    float motion[2];    /* mean absolute change from the frame before, inside the face */
    float colour[2][3]; /* mean of the face; < 0 where it was not read */
} mdm_track_reading;

/* A face of one frame of the result, as the mesh sees it there; for the labels that go with the dataset. */
typedef struct mdm_result_face {
    bool seen, expressed;
    int expression;
    float box[4], points[MDM_LABEL_POINTS][2], eyes[2];
} mdm_result_face;

typedef struct mdm_track_evidence {
    mdm_track_reading *reading; /* [track.count] */
    mdm_result_face *face;      /* [track.count] */
    mdm_judge_series seen[MDM_JUDGES];
    double age[2][MDM_ATTRIBUTES_AGES], gender[2][MDM_ATTRIBUTES_GENDERS], race[2][MDM_ATTRIBUTES_RACES];
    double expression[2][MDM_EXPRESSIONS];
    int looks, expressions, expressions_agree;
    mdm_looks best;         /* frames on which attributes are compared */
    int expressions_steady; /* where the judge agrees with itself on the recording moved by a pixel */
    int detected[2];        /* looks in which CenterFace finds the face: in the recording, and of those in the result */
} mdm_track_evidence;

typedef struct mdm_verifier {
    mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    json_t *plan, *compose;
    mdm_canonical canonical;
    mdm_face_mesh *mesher[2];          /* the recording's and the result's, which are read side by side */
    mdm_recogniser *judge[MDM_JUDGES]; /* NULL where its file is not there; the held-out one always is */
    mdm_head_pose *head_pose;          /* or NULL */
    mdm_attributes *attributes;
    mdm_expression *expression;
    mdm_centerface *detector;
    mdm_text_detector *text_detector;
    mdm_text_reader *text_reader;
    mdm_track_evidence *track;    /* [found.tracks.count] */
    int judge_every, scene_every; /* frames */
    /* of the whole clip */
    size_t frames_out;
    long long max_pts_diff;
    int uncovered_frames, uncovered_faces, readable, text_looks;
    double untouched_error, untouched_pixels;
    int untouched_max;
} mdm_verifier;

/* Faces of one frame: `source` and `result` have every pixel as RGB. `before`: the frames before, NULL for the first. */
mdm_status mdm_verify_faces(mdm_verifier *v, const mdm_image *source, const mdm_image *result,
                            const mdm_image *source_before, const mdm_image *result_before, int number);
/* Uncovered faces, readable text and untouched pixels of one frame, every scene_every frames. */
mdm_status mdm_verify_scene(mdm_verifier *v, const mdm_image *source, const mdm_image *result, int number);

/* Whether one of these detections lies where `box` is. */
bool mdm_verify_has_face(const mdm_face_detection *found, int count, const float box[4]);
/* Whether a face that is MDM_MOTION_SMALLEST wide was replaced in this frame. */
bool mdm_verify_any_replaced(const mdm_verifier *v, int number);
/* Counts, for every such face, whether a detector finds it in the
 * recording and still finds a face there in the result: what CenterFace found in both is handed over. */
void mdm_verify_detected(mdm_verifier *v, const mdm_face_detection *source, int sources,
                         const mdm_face_detection *result, int results, int number);
/* {before, after, detector} of a person's tracks, null where the recording's face was never found; a reason "faceless" is appended
 * when the result shows a face in less than half of those looks. */
json_t *mdm_verify_presence(const mdm_verifier *v, const int *track, int count, const char *person, json_t *reasons);

/* {id, frames, reidentification, contexts} of one person of the plan; what is wrong is appended to `reasons`. */
json_t *mdm_verify_person(mdm_verifier *v, const json_t *person, json_t *reasons);

/* Contexts that are motion: head pose, gaze, eyes, mouth; and the pulse. Added to a person's `contexts` and to the person. */
mdm_status mdm_verify_motion(json_t *contexts, json_t *out, const mdm_verifier *v, const json_t *person);

/* Where the person looks, degrees, head and eyes together: + towards image right, + down. `side`: recording or result. */
void mdm_verify_direction(double out[2], const mdm_track_reading *reading, int side);

/* verify_labels.c: keeps what the result's mesh says of a frame; `eyes`: opening over width. And writes labels.jsonl. */
void mdm_verify_label(mdm_result_face *out, const mdm_mesh *mesh, const float eyes[2]);
mdm_status mdm_verify_labels(const mdm_verifier *v);

/* "keep", "coarsen", "redraw" or "remove" as the plan has it for a person; NULL when it says nothing. */
const char *mdm_verify_treatment(const json_t *person, const char *context);
/* Tracks of a person of the plan, at most `max`. */
int mdm_verify_tracks(int *index, int max, const mdm_verifier *v, const json_t *person);
int mdm_verify_apart(const mdm_verifier *v); /* frames between two that count as different looks: two seconds */

#endif
