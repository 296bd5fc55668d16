/* Looking at chosen frames of a clip, in order, with every pixel as RGB. */
#ifndef MDM_STAGES_VISIT_H
#define MDM_STAGES_VISIT_H

#include "media/clip_file.h"
#include "stages/stage.h"

/* Called for each frame that was asked for, one after the other, in either of two threads. The frame is good until it returns. */
typedef mdm_status (*mdm_visit)(void *user, mdm_frame *frame, int number);

/* `wanted` has one byte for each of the clip's frames, not 0 where it is wanted; NULL: all are. Long stretches without one are
 * skipped by seeking. */
mdm_status mdm_visit_frames(const mdm_clip *clip, const unsigned char *wanted, const mdm_clip_work *work,
                            mdm_visit visit, void *user);

#endif
