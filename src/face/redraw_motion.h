/* Motion that was not to be kept: expression, mouth, eyes and gaze replaced by drawn or neutral ones, after the person's own
 * motion has been read and the renderer calibrated on it. */
#ifndef MDM_FACE_REDRAW_MOTION_H
#define MDM_FACE_REDRAW_MOTION_H

#include "base/settings.h"
#include "face/motion.h"

typedef struct mdm_motion_policy {
    mdm_treatment expression, mouth, eyes,
        gaze;  /* REDRAW and REMOVE differ for eyes (blinks or none) and gaze (wander or ahead) */
    bool race; /* kept, at least coarsely: then the skin's tone is the person's */
    uint64_t seed;
    char key[160]; /* of the draws: the stand-in's seed_key and the clip */
} mdm_motion_policy;

/* Rewrites shape, eyes, gaze and lips of every frame. What is drawn depends on seed, key, frame rate and frame number only;
 * the person's part is the neutral face and the border of the face, where it meets the footage. */
void mdm_motion_redraw(mdm_motion *motion, const mdm_motion_policy *policy, const mdm_canonical *canonical);

#endif
