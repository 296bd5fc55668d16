/* Reading, painting and encoding at the same time: three threads with a few frames between them, so that two cores are
 * busy and memory stays flat. */
#ifndef MDM_MEDIA_FLOW_H
#define MDM_MEDIA_FLOW_H

#include "base/log.h"
#include "base/status.h"
#include "media/reader.h"
#include "media/sound.h"
#include "media/writer.h"

typedef struct mdm_flow {
    mdm_reader *reader;
    mdm_writer *writer;
    mdm_sound *sound; /* NULL: silent */
    /* Called for every frame, in order, in the caller's thread. What it paints it commits (mdm_frame_commit_rgb). */
    mdm_status (*paint)(void *user, mdm_frame *frame);
    /* When set, this frame is encoded instead of the painted one (a portrait clip); it takes over pts and duration. Made
     * with mdm_frame_blank, once a frame of the queue. */
    mdm_status (*replace)(void *user, mdm_frame *out, mdm_frame *frame);
    void *user;
    const mdm_progress *progress;
    double total; /* frames expected, for progress */
} mdm_flow;

/* Runs until the reader's end, then writes the rest of the sound. The writer is not finished. *frames is how many went
 * through. The first failure of any thread is returned with its message. */
mdm_status mdm_flow_run(size_t *frames, const mdm_flow *flow);

#endif
