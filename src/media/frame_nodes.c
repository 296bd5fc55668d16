/* The nodes of frame_nodes.h. A frame that its last reader has dropped goes back to the others and is the next one handed out. */
#include "media/frame_nodes.h"

#include <math.h>
#include <pthread.h>

#include "base/memory.h"
#include "media/frame_store.h"
#include "media/upright.h"

enum { BIG_PICTURE = 3840 * 2160 - 1, MOST_RESTING = 32, BLOCK = 1024 };

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

mdm_status mdm_frame_wrap(mdm_frame *frame, const mdm_image planes[3], bool full_chroma, int matrix, bool full_range,
                          void (*release)(void *user, uint8_t *data), void *user)
{
    mdm_yuv_matrix colours;
    double kr, kb;
    AVFrame *picture = av_frame_alloc();
    AVBufferRef *buffer = picture ? av_buffer_create(planes[0].data, planes[0].stride * (size_t)planes[0].height,
                                                     release, user, AV_BUFFER_FLAG_READONLY) /* painting copies them */
                                  : NULL;
    if (!buffer) {
        release(user, planes[0].data);
        av_frame_free(&picture);
        return mdm_fail(MDM_ERR_MEMORY, "no memory for a frame");
    }
    picture->buf[0] = buffer;
    picture->width = planes[0].width;
    picture->height = planes[0].height;
    picture->format = full_chroma ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    picture->colorspace = (enum AVColorSpace)matrix;
    picture->color_range = full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    for (int i = 0; i < 3; i++) {
        picture->data[i] = planes[i].data;
        picture->linesize[i] = (int)planes[i].stride;
    }
    mdm_upright_weights(&kr, &kb, matrix);
    mdm_yuv_matrix_set(&colours, kr, kb, full_range);
    const mdm_status status = mdm_frame_set(frame, picture->width, picture->height, picture, &colours);
    av_frame_free(&picture);
    return status;
}

bool mdm_frame_is_wrapped(const mdm_frame *frame)
{
    const AVFrame *picture = frame->store ? frame->store->planes : NULL;
    return picture && picture->buf[0] && !av_buffer_is_writable(picture->buf[0]);
}

int64_t mdm_frame_micros(const mdm_frame *frame)
{
    return (int64_t)llrint(frame->time * 1e6);
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
    turn->done = d->most > 0 && d->count == d->most;
    if (turn->done)
        return MDM_OK;
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
    packet->time = d->at = mdm_frame_micros(frame);
    d->count++;
    return mdm_turn_give(turn, 0, packet);
}

static void forget_block(void *user, void *data)
{
    (void)user;
    mdm_free(&data);
}

mdm_status mdm_listen_turn(void *listen_node, mdm_turn *turn)
{
    mdm_listen_node *l = listen_node;
    const mdm_audio_info *info = mdm_audio_describe(l->audio);
    mdm_sound_block *block;
    mdm_packet *packet;
    MDM_TRY(mdm_alloc(&block, 1, sizeof *block + BLOCK * (size_t)info->channels * sizeof(float), "sound"));
    const mdm_status status = mdm_audio_read(&block->count, l->audio, block->samples, BLOCK);
    turn->done = status == MDM_OK && block->count == 0;
    if (status != MDM_OK || turn->done) {
        mdm_free(&block);
        return status;
    }
    const double time = info->start + (double)l->count / info->rate;
    l->count += block->count;
    MDM_TRY(mdm_packet_new(&packet, (int64_t)llrint(time * 1e6), block, forget_block, NULL));
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
