/* Looking at chosen frames of a clip, in order, with every pixel as RGB. */
#ifndef MDM_STAGES_VISIT_H
#define MDM_STAGES_VISIT_H

#include "media/clip_file.h"
#include "media/frame_nodes.h"
#include "stages/stage.h"

/* Called for each frame that was asked for, one after the other, in a thread of the flow's. The frame is good until it returns. */
typedef mdm_status (*mdm_visit)(void *user, mdm_frame *frame, int number);

/* `wanted` has one byte for each of the clip's frames, not 0 where it is wanted; NULL: all are. Long stretches without one are
 * skipped by seeking. */
mdm_status mdm_visit_frames(const mdm_clip *clip, const unsigned char *wanted, const mdm_clip_work *work,
                            mdm_visit visit, void *user);

/* The same frames as a source of a flow: a packet's time is the frame's number. */
typedef struct mdm_tour {
    const mdm_clip *clip;
    const unsigned char *wanted;
    mdm_reader *reader;
    mdm_frames *frames;
    size_t at, next; /* the frames the reader, and the search for wanted ones, have come to */
} mdm_tour;

mdm_status mdm_tour_open(mdm_tour *tour, const mdm_clip *clip, const unsigned char *wanted, int threads);
mdm_status mdm_tour_turn(void *tour, mdm_turn *turn);
void mdm_tour_close(mdm_tour *tour); /* after the flow */

/* Frame `number` was dealt with: MDM_ERR_CANCELLED where the work is to stop. */
mdm_status mdm_tour_tell(const mdm_clip *clip, const mdm_clip_work *work, int64_t number);

#endif
