/* Stages that take their frames from a graph, wherever those were decoded, instead of reading the recording themselves. */
#ifndef MDM_STAGES_FRAME_STAGE_H
#define MDM_STAGES_FRAME_STAGE_H

#include "media/frame.h"
#include "stages/stage.h"

typedef struct mdm_frame_stage {
    mdm_status (*open)(void **state,
                       mdm_clip_work *work); /* work is borrowed; clip.json and what the stage needs are there */
    mdm_status (*frame)(void *state, mdm_frame *frame); /* all of the clip's, in order; may paint it */
    mdm_status (*finish)(void *state);                  /* writes what the stage writes */
    void (*close)(void **state);
} mdm_frame_stage;

extern const mdm_frame_stage mdm_frames_find;    /* tracks.json, geometry.safetensors */
extern const mdm_frame_stage mdm_frames_compose; /* paints; compose.json. Not for stills, nor --mode portrait */

#endif
