/* The parts of the verify stage: what is measured on the recording and on the result, side by side, frame by frame. The
 * judges here (MobileFaceNet, CenterFace, attributes-b) take no part in making the result. */
#ifndef MDM_STAGES_VERIFY_H
#define MDM_STAGES_VERIFY_H

#include <jansson.h>

#include "face/canonical.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "models/attributes.h"
#include "models/centerface.h"
#include "models/expression.h"
#include "models/recogniser.h"
#include "models/text_detector.h"
#include "models/text_reader.h"
#include "stages/stage.h"

#define MDM_JUDGE_SIZE      192   /* of MobileFaceNet's embedding */
#define MDM_JUDGE_MATCH     0.45f /* cosine at which a frame counts as recognised: stricter for us than FAR 1e-3 (0.68) */
#define MDM_JUDGE_TRUE_RATE 0.90 /* a judge that knows fewer genuine pairs does not decide */
#define MDM_MATCH_SHARE     0.03 /* of a person's frames that may be recognised */

typedef enum mdm_verify_state { MDM_VERIFY_NONE, MDM_VERIFY_COVERED, MDM_VERIFY_REPLACED } mdm_verify_state;

/* Readings of one frame of a track, of the recording (0) and the result (1). */
typedef struct mdm_track_reading {
    unsigned char state;  /* mdm_verify_state, from compose.json */
    unsigned char ok;     /* both meshes were accepted */
    unsigned char judged; /* embeddings were compared */
    float angles[2][3], gaze[2][2][2], eyes[2], lips[2];
    float likeness;  /* cosine of recording and result */
    float motion[2]; /* mean absolute change from the frame before, inside the face */
} mdm_track_reading;

typedef struct mdm_track_evidence {
    mdm_track_reading *reading;      /* [track.count] */
    float (*source)[MDM_JUDGE_SIZE]; /* embeddings of the recording at judged frames; wiped */
    int *source_frame, source_count, source_capacity;
    float mean_source[MDM_JUDGE_SIZE], mean_result[MDM_JUDGE_SIZE];
    double age[2][MDM_ATTRIBUTES_AGES], gender[2][MDM_ATTRIBUTES_GENDERS], race[2][MDM_ATTRIBUTES_RACES];
    double expression[2][MDM_EXPRESSIONS];
    int looks, expressions, expressions_agree;
} mdm_track_evidence;

typedef struct mdm_verifier {
    mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    json_t *plan, *compose;
    mdm_canonical canonical;
    mdm_face_mesh *mesher;
    mdm_recogniser *judge;
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

/* {id, frames, reidentification, contexts} of one person of the plan; what is wrong is appended to `reasons`. */
json_t *mdm_verify_person(mdm_verifier *v, const json_t *person, json_t *reasons);

/* Share of pairs of the recording's own frames, two seconds apart, that the judge takes for one person; < 0 without pairs. */
double mdm_verify_true_rate(const mdm_verifier *v);

#endif
