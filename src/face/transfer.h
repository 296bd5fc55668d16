/* Retargeting: the stand-in's own shape moved as the person moved, so that the person's landmarks (which carry identity) are
 * never copied, only the way they changed. */
#ifndef MDM_FACE_TRANSFER_H
#define MDM_FACE_TRANSFER_H

#include "face/motion.h"

/* Target shape of frame `index`, HEAD cm, in the person's pose. `portrait`: the stand-in's shape, HEAD cm. */
void mdm_transfer(float (*out)[3], const mdm_motion *motion, int index, const float (*portrait)[3],
                  const mdm_canonical *canonical);

#endif
