/* What the audit's attacks are made from (dataset/attack.h). Not a stage with an artefact: nothing of it may be written. */
#ifndef MDM_STAGES_ATTACK_H
#define MDM_STAGES_ATTACK_H

#include "stages/stage.h"

/* Gives {recogniser's kind, side, frame, vector...} to work->embeddings for faces of the recording (side 0) and of the result
 * (1); "track" there is the person's place in the clip's plan.json. */
mdm_status mdm_stage_attack(mdm_clip_work *work);

#endif
