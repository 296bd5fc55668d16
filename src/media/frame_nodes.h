/* Frames in a flow (base/flow.h): packets of frames whose buffers are used again, and the nodes that read and write clips. */
#ifndef MDM_MEDIA_FRAME_NODES_H
#define MDM_MEDIA_FRAME_NODES_H

#include "base/flow.h"
#include "media/audio.h"
#include "media/reader.h"
#include "media/sound.h"
#include "media/writer.h"

/* Frames that nobody holds at the moment. Outlives every packet taken from it. */
typedef struct mdm_frames mdm_frames;

mdm_status mdm_frames_new(mdm_frames **out);
void mdm_frames_free(mdm_frames **frames);

/* A packet of one of them, as it was left by its last use, or of a new one. Its time, mostly mdm_frame_micros, is for the caller to set. */
mdm_status mdm_frames_take(mdm_packet **out, mdm_frames *frames);

static inline mdm_frame *mdm_packet_frame(const mdm_packet *packet)
{
    return packet->data;
}

/* Planes of somebody else's as a frame, without copying: 8-bit 4:2:0 or (`full_chroma`) 4:4:4, coded by the matrix of that number.
 * `release` is called when nobody reads them any more, in any thread, and where this fails. Sets no number and no time. */
mdm_status mdm_frame_wrap(mdm_frame *frame, const mdm_image planes[3], bool full_chroma, int matrix, bool full_range,
                          void (*release)(void *user, uint8_t *data), void *user);

/* Whether it still is such a one: nobody has painted it. */
bool mdm_frame_is_wrapped(const mdm_frame *frame);

/* A frame's time in microseconds. */
int64_t mdm_frame_micros(const mdm_frame *frame);

/* How many frames may wait between two nodes, so that a clip of this size fits into memory. */
int mdm_frames_queue(const mdm_video_info *info);

/* A source: every frame of `reader`. */
typedef struct mdm_decode_node {
    mdm_reader *reader;
    mdm_frames *frames;
    bool rgb;     /* every pixel of frame->rgb filled in */
    size_t most;  /* frames; 0: all */
    size_t count; /* how many were given */
    int64_t at;   /* the last one's time */
} mdm_decode_node;
mdm_status mdm_decode_turn(void *decode_node, mdm_turn *turn);

/* Sound between nodes: a packet of samples. */
typedef struct mdm_sound_block {
    size_t count;    /* a channel */
    float samples[]; /* interleaved, as many channels as the sound has */
} mdm_sound_block;

/* A source: the sound of a clip in blocks of a packet each. */
typedef struct mdm_listen_node {
    mdm_audio *audio;
    uint64_t count; /* samples a channel that were given */
} mdm_listen_node;
mdm_status mdm_listen_turn(void *listen_node, mdm_turn *turn);

/* A sink: frames to `writer`, which is not finished at the end. */
typedef struct mdm_encode_node {
    mdm_writer *writer;
    mdm_sound *sound; /* goes with the frames, the rest of it after the last one; NULL: silent */
    size_t frames;    /* how many came */
} mdm_encode_node;
mdm_status mdm_encode_turn(void *encode_node, mdm_turn *turn);

#endif
