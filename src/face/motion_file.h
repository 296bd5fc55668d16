/* motion.safetensors and motion.json: motions of a clip on disk (docs/formats.md). A person can edit them; reading checks
 * every number. */
#ifndef MDM_FACE_MOTION_FILE_H
#define MDM_FACE_MOTION_FILE_H

#include "face/motion.h"

typedef struct mdm_motions {
    mdm_motion *motion;
    int count;
} mdm_motions;

mdm_status mdm_motions_write(const mdm_motions *motions, const char *folder);
mdm_status mdm_motions_read(mdm_motions *out, const char *folder);
void mdm_motions_free(mdm_motions *motions);

#endif
