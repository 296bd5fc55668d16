/* The tone of skin where the plan redraws race: the stand-in keeps its own instead of taking the person's, and the skin around the face
 * (neck, ears, a bare forehead) follows it. */
#ifndef MDM_FACE_SKIN_TONE_H
#define MDM_FACE_SKIN_TONE_H

#include "face/motion.h"
#include "face/standin.h"

/* Log colour by which the stand-in's skin differs from usual skin. Says nothing of the person, whose skin is taken for usual:
 * how light the recording's light is and how light the skin cannot be told apart. */
void mdm_skin_tone(float out[3], const mdm_standin *standin);

/* Adds `tone` to the light of every frame, and to motion->look.tone for the skin around. */
void mdm_motion_retone(mdm_motion *motion, const float tone[3]);

/* Where the skin around a face may lie: IMAGE px, x, y, width, height; not cut to the picture. `points`: the person's mesh;
 * `width`: of the face, px. */
void mdm_skin_around(int rect[4], const float (*points)[3], float width);

/* Changes what looks like the face's skin in `rect` (inside the picture) by `tone`, less towards its border. `weight`: a
 * plane of rect's size for work. */
mdm_status mdm_retone_skin(mdm_image *image, const int rect[4], const float (*points)[3], float width,
                           const float tone[3], float *weight);

#endif
