/* Changes that a person draws over a motion: motion-edit.json in a clip's work folder, curves that are added when the clip is composed. The
 * motion itself stays as it was measured. */
#ifndef MDM_FACE_MOTION_EDIT_H
#define MDM_FACE_MOTION_EDIT_H

#include "face/motion_file.h"

#define MDM_MOTION_EDIT "motion-edit.json"

/* What can be changed. A curve is points [frame of the clip, value], straight between them, nothing before the first and after the last. */
typedef enum mdm_edit_curve {
    MDM_EDIT_MOUTH,  /* cm that the lips are further apart */
    MDM_EDIT_BLINK,  /* share of the eyes' opening that is taken away: 1 closes them */
    MDM_EDIT_GAZE_X, /* eye widths to the image's right */
    MDM_EDIT_GAZE_Y, /* eye widths down */
    MDM_EDIT_YAW,    /* degrees to the image's right, */
    MDM_EDIT_PITCH,  /* down */
    MDM_EDIT_ROLL,   /* and clockwise */
    MDM_EDIT_CURVES
} mdm_edit_curve;

typedef struct mdm_edit_info {
    const char *name;
    double limit; /* of a value, either way */
} mdm_edit_info;
mdm_edit_info mdm_edit_info_of(mdm_edit_curve curve);

/* Checks such a file: MDM_ERR_CONFIG names track, curve and point. */
mdm_status mdm_motion_edit_check(const char *path);

/* Changes the motions as the folder's file says; there may be none. */
mdm_status mdm_motion_edit_apply(mdm_motions *motions, const char *folder);

/* What a curve shows of the motion as it is at frame `index`: cm, share that is closed, eye widths, degrees. */
float mdm_edit_value(const mdm_motion *motion, mdm_edit_curve curve, int index);

#endif
