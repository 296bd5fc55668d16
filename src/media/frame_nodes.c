/* The nodes of frame_nodes.h. A frame that its last reader has dropped goes back to the others and is the next one handed out. */
#include "media/frame_nodes.h"

#include <math.h>
#include <pthread.h>

#include "base/memory.h"

enum { BIG_PICTURE = 3840 * 2160 - 1, MOST_RESTING = 32 };

struct mdm_frames {
    pthread_mutex_t lock;
    mdm_frame *resting[MOST_RESTING];
    int count;
};

mdm_status mdm_frames_new(mdm_frames **out)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "frames"));
    pthread_mutex_init(&(*out)->lock, NULL);
    return MDM_OK;
}

static void forget(mdm_frame *frame)
{
    mdm_frame_free(frame);
    mdm_free(&frame);
}

void mdm_frames_free(mdm_frames **frames)
{
    if (!*frames)
        return;
    for (int i = 0; i < (*frames)->count; i++)
        forget((*frames)->resting[i]);
    pthread_mutex_destroy(&(*frames)->lock);
    mdm_free(frames);
}

static void rest(void *user, void *data)
{
    mdm_frames *f = user;
    pthread_mutex_lock(&f->lock);
    const bool room = f->count < MOST_RESTING;
    if (room)
        f->resting[f->count++] = data;
    pthread_mutex_unlock(&f->lock);
    if (!room)
        forget(data);
}

mdm_status mdm_frames_take(mdm_packet **out, mdm_frames *frames)
{
    mdm_frame *frame;
    pthread_mutex_lock(&frames->lock);
    frame = frames->count > 0 ? frames->resting[--frames->count] : NULL;
    pthread_mutex_unlock(&frames->lock);
    if (!frame)
        MDM_TRY(mdm_alloc(&frame, 1, sizeof *frame, "a frame"));
    return mdm_packet_new(out, 0, frame, rest, frames);
}

int mdm_frames_queue(const mdm_video_info *info)
{
    return (long)info->width * info->height > BIG_PICTURE ? 1 : 2;
}

mdm_status mdm_decode_turn(void *decode_node, mdm_turn *turn)
{
    mdm_decode_node *d = decode_node;
    mdm_packet *packet;
    bool more = false;
    MDM_TRY(mdm_frames_take(&packet, d->frames));
    mdm_frame *frame = mdm_packet_frame(packet);
    mdm_status status = mdm_reader_next(&more, d->reader, frame);
    if (status == MDM_OK && more && d->rgb)
        status = mdm_frame_rgb(frame, 0, 0, 0, 0);
    if (status != MDM_OK || !more) {
        turn->done = true;
        mdm_packet_drop(&packet);
        return status;
    }
    packet->time = frame->pts;
    return mdm_turn_give(turn, 0, packet);
}

mdm_status mdm_encode_turn(void *encode_node, mdm_turn *turn)
{
    mdm_encode_node *e = encode_node;
    const mdm_frame *frame = turn->last ? NULL : mdm_packet_frame(turn->in[0]);
    if (frame) {
        MDM_TRY(mdm_writer_video(e->writer, frame));
        e->frames++;
    }
    return e->sound ? mdm_sound_write(e->sound, e->writer, frame ? frame->time : INFINITY) : MDM_OK;
}
