/* Blinks and closed eyes, recording against result, from openings read frame by frame. */
#ifndef MDM_STAGES_VERIFY_EYES_H
#define MDM_STAGES_VERIFY_EYES_H

#include "base/status.h"

/* Of the recording (0) and the result (1). */
typedef struct mdm_eye_closures {
    int blinks[2], matched;
    int frames, closed[2]; /* frames read, and those of them with closed eyes (PERCLOS) */
} mdm_eye_closures;

/* Adds those of one track. opening[count][side]: mean of both eyes; < 0 where it was not read. */
mdm_status mdm_eye_closures_add(mdm_eye_closures *sum, const float (*opening)[2], int count);

#endif
