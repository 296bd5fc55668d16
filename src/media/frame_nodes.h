/* Frames in a flow (base/flow.h): packets of frames whose buffers are used again, and the nodes that read and write clips. */
#ifndef MDM_MEDIA_FRAME_NODES_H
#define MDM_MEDIA_FRAME_NODES_H

#include "base/flow.h"
#include "media/reader.h"
#include "media/sound.h"
#include "media/writer.h"

/* Frames that nobody holds at the moment. Outlives every packet taken from it. */
typedef struct mdm_frames mdm_frames;

mdm_status mdm_frames_new(mdm_frames **out);
void mdm_frames_free(mdm_frames **frames);

/* A packet of one of them, as it was left by its last use, or of a new one. Its time is for the caller to set. */
mdm_status mdm_frames_take(mdm_packet **out, mdm_frames *frames);

static inline mdm_frame *mdm_packet_frame(const mdm_packet *packet)
{
    return packet->data;
}

/* How many frames may wait between two nodes, so that a clip of this size fits into memory. */
int mdm_frames_queue(const mdm_video_info *info);

/* A source: every frame of `reader`, with its pts as the packet's time. */
typedef struct mdm_decode_node {
    mdm_reader *reader;
    mdm_frames *frames;
    bool rgb; /* every pixel of frame->rgb filled in */
} mdm_decode_node;
mdm_status mdm_decode_turn(void *decode_node, mdm_turn *turn);

/* A sink: frames to `writer`, which is not finished at the end. */
typedef struct mdm_encode_node {
    mdm_writer *writer;
    mdm_sound *sound; /* goes with the frames, the rest of it after the last one; NULL: silent */
    size_t frames;    /* how many came */
} mdm_encode_node;
mdm_status mdm_encode_turn(void *encode_node, mdm_turn *turn);

#endif
