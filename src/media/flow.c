/* The three threads of flow.h. Frames travel in a circle: free, read, painted, encoded, free again. */
#include "media/flow.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { FRAMES = 6, FEW_FRAMES = 3, MESSAGE = 512, BIG_PICTURE = 3840 * 2160 - 1 };

/* A bounded queue of frames. Closed queues give what they hold, then NULL; pushing into them is refused. */
typedef struct queue {
    mdm_frame *items[FRAMES];
    size_t from, count;
    bool closed;
} queue;

typedef struct circle {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    queue free, read, painted;
    mdm_frame frames[FRAMES], portraits[FRAMES]; /* portraits: what `replace` made, one beside each frame */
    const mdm_flow *flow;
    mdm_status status; /* of the first failure; everything stops then */
    char message[MESSAGE];
} circle;

static mdm_frame *pop(circle *c, queue *q)
{
    mdm_frame *frame = NULL;
    pthread_mutex_lock(&c->lock);
    while (q->count == 0 && !q->closed && c->status == MDM_OK)
        pthread_cond_wait(&c->changed, &c->lock);
    if (q->count > 0 && c->status == MDM_OK) {
        frame = q->items[q->from];
        q->from = (q->from + 1) % FRAMES;
        q->count--;
    }
    pthread_mutex_unlock(&c->lock);
    return frame;
}

static void push(circle *c, queue *q, mdm_frame *frame)
{
    pthread_mutex_lock(&c->lock);
    q->items[(q->from + q->count++) % FRAMES] = frame; /* never more than FRAMES frames exist */
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void close_queue(circle *c, queue *q)
{
    pthread_mutex_lock(&c->lock);
    q->closed = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Stops the circle; the message of the failing thread is kept for the caller's. */
static void stop(circle *c, mdm_status status)
{
    pthread_mutex_lock(&c->lock);
    if (c->status == MDM_OK) {
        c->status = status;
        snprintf(c->message, sizeof c->message, "%s", mdm_error_message());
    }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static bool failed(circle *c)
{
    pthread_mutex_lock(&c->lock);
    const bool result = c->status != MDM_OK;
    pthread_mutex_unlock(&c->lock);
    return result;
}

static void *read_frames(void *argument)
{
    circle *c = argument;
    mdm_frame *frame;
    while ((frame = pop(c, &c->free))) {
        bool more;
        const mdm_status status = mdm_reader_next(&more, c->flow->reader, frame);
        if (status != MDM_OK)
            stop(c, status);
        if (status != MDM_OK || !more)
            break;
        push(c, &c->read, frame);
    }
    close_queue(c, &c->read);
    return NULL;
}

static void *encode_frames(void *argument)
{
    circle *c = argument;
    const mdm_flow *flow = c->flow;
    mdm_frame *frame;
    while ((frame = pop(c, &c->painted))) {
        mdm_status status = mdm_writer_video(flow->writer, flow->replace ? &c->portraits[frame - c->frames] : frame);
        if (status == MDM_OK && flow->sound)
            status = mdm_sound_write(flow->sound, flow->writer, frame->time);
        if (status != MDM_OK) {
            stop(c, status);
            return NULL;
        }
        push(c, &c->free, frame);
    }
    if (flow->sound && !failed(c)) {
        const mdm_status status = mdm_sound_write(flow->sound, flow->writer, INFINITY);
        if (status != MDM_OK)
            stop(c, status);
    }
    return NULL;
}

static mdm_status paint_one(const circle *c, mdm_frame *frame)
{
    const mdm_flow *flow = c->flow;
    MDM_TRY(flow->paint ? flow->paint(flow->user, frame) : MDM_OK);
    if (flow->replace) {
        mdm_frame *portrait = (mdm_frame *)&c->portraits[frame - c->frames];
        MDM_TRY(flow->replace(flow->user, portrait, frame));
        portrait->number = frame->number;
        portrait->pts = frame->pts;
        portrait->duration = frame->duration;
        portrait->time = frame->time;
    }
    const double done = (double)frame->number + 1.0;
    if (!mdm_progress_update(flow->progress, done, done > flow->total ? done : flow->total))
        return mdm_fail(MDM_ERR_CANCELLED, "stopped at frame %lld", (long long)frame->number);
    return MDM_OK;
}

static size_t paint_frames(circle *c)
{
    size_t count = 0;
    mdm_frame *frame;
    while ((frame = pop(c, &c->read))) {
        const mdm_status status = paint_one(c, frame);
        if (status != MDM_OK) {
            stop(c, status);
            break;
        }
        push(c, &c->painted, frame);
        count++;
    }
    close_queue(c, &c->painted);
    return count;
}

mdm_status mdm_flow_run(size_t *frames, const mdm_flow *flow)
{
    circle *c;
    *frames = 0;
    MDM_TRY(mdm_alloc(&c, 1, sizeof *c, "frames between threads"));
    c->flow = flow;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    const mdm_video_info *info = mdm_reader_video(flow->reader);
    const size_t travelling = (long)info->width * info->height > BIG_PICTURE ? FEW_FRAMES : FRAMES;
    for (size_t i = 0; i < travelling; i++)
        push(c, &c->free, &c->frames[i]);
    pthread_t reader, encoder;
    mdm_status status = MDM_OK;
    const bool reading = pthread_create(&reader, NULL, read_frames, c) == 0;
    const bool encoding = reading && pthread_create(&encoder, NULL, encode_frames, c) == 0;
    if (!encoding) {
        mdm_fail(MDM_ERR_AGAIN, "no thread could be started; too many processes are running: try again");
        stop(c, MDM_ERR_AGAIN);
    } else {
        *frames = paint_frames(c);
    }
    if (encoding)
        pthread_join(encoder, NULL);
    if (reading) {
        close_queue(c, &c->free);
        pthread_join(reader, NULL);
    }
    if (c->status != MDM_OK)
        status = mdm_fail(c->status, "%s", c->message);
    for (size_t i = 0; i < FRAMES; i++) {
        mdm_frame_free(&c->frames[i]);
        mdm_frame_free(&c->portraits[i]);
    }
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mdm_free(&c);
    return status;
}
