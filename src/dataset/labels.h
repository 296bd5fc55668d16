/* labels/<part>/<clip>.jsonl: what was measured of the stand-ins' faces in the result, a line for each face of each frame. Nothing of it
 * comes from the recording: it may be shared as the result may. docs/formats.md has the fields. */
#ifndef MDM_DATASET_LABELS_H
#define MDM_DATASET_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include "dataset/out_file.h"

#define MDM_LABEL_POINTS 68 /* in the order of iBUG 300-W */

typedef struct mdm_face_label {
    int frame, track;
    double time; /* seconds from the clip's first frame */
    char person[32];
    bool covered; /* there is no face to see: nothing but frame, time, track and person is known */
    bool seen;    /* box and points are measured */
    float box[4]; /* x, y, w, h, px */
    float points[MDM_LABEL_POINTS][2];
    float head[3]; /* yaw, pitch, roll, degrees; NAN where it was not measured or must not be told, as all below */
    float gaze[2]; /* yaw, pitch of head and eyes together, degrees */
    float eyes[2]; /* opening over width: image left, image right */
    float mouth;   /* gap over width */
    char expression[16]; /* "" where the judge did not look */
} mdm_face_label;

typedef struct mdm_face_labels {
    mdm_face_label *item; /* [count], by frame, then track */
    size_t count;
} mdm_face_labels;

/* The points of the 478-point mesh that are the 68. */
extern const short mdm_label_mesh_points[MDM_LABEL_POINTS];

/* One line. */
mdm_status mdm_label_write(mdm_out *out, const char *clip_id, const mdm_face_label *label);

/* A whole file; every line is checked: frames 0..frames - 1 rising, finite numbers. MDM_ERR_INPUT names file and line. */
mdm_status mdm_labels_read(mdm_face_labels *out, const char *path, int frames);
void mdm_labels_free(mdm_face_labels *labels);

#endif
