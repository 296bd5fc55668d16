/* The tone of skin where the plan redraws race: the stand-in keeps its own instead of taking the person's, and the skin around the face
 * (neck, ears, a bare forehead) follows it. */
#ifndef MDM_FACE_SKIN_TONE_H
#define MDM_FACE_SKIN_TONE_H

#include "face/motion.h"
#include "face/standin.h"

/* Log colour by which the stand-in's skin differs from usual skin. Says nothing of the person, whose skin is taken for usual:
 * how light the recording's light is and how light the skin cannot be told apart. */
void mdm_skin_tone(float out[3], const mdm_standin *standin);

/* Takes the colour out of `tone` as far as the recording has none, as under infrared light: there only brightness tells skins apart.
 * motion->light: as read off the recording. */
void mdm_skin_tone_fit(float tone[3], const mdm_motion *motion, const mdm_standin *standin);

/* Adds `tone` to the light of every frame, and to motion->look.tone for the skin around. */
void mdm_motion_retone(mdm_motion *motion, const float tone[3]);

/* Where the skin around a face may lie: a square of the IMAGE (left, top, side, px), not cut to the picture. `points`: the
 * person's mesh; `width`: of the face, px. */
void mdm_skin_around(float square[3], const float (*points)[3], float width);

/* Changes `rect` (x, y, width, height inside the picture) by `tone` as far as `mask` over `square` (face/skin_mask.h) says, and brings
 * its colour nearer to the face's: ears are redder and necks paler than a face, which a tone far from the person's does not go with. */
void mdm_retone_skin(mdm_image *image, const int rect[4], const float square[3], const float *mask,
                     const float (*points)[3], float width, const float tone[3]);

#endif
