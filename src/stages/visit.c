/* Visiting chosen frames: reads on through short gaps, seeks over long ones, and reads the next one while one is visited. */
#include "stages/visit.h"

#include "base/share.h"

#define WORTH_SEEKING 90 /* frames; a seek decodes from the key frame before, seldom more than 250 frames back */

typedef struct tour {
    const mdm_clip *clip;
    const unsigned char *wanted;
    mdm_visit visit;
    void *user;
    mdm_reader *reader;
    mdm_frame frame[2]; /* one is visited while the other is read */
    size_t number[2];   /* theirs; clip->frames: there is none any more */
    size_t at, next;    /* the frames the reader, and the search for wanted ones, have come to */
    int seen;           /* which of `frame` is visited */
} tour;

static mdm_status read_into(tour *t, int which)
{
    const mdm_clip *clip = t->clip;
    mdm_frame *frame = &t->frame[which];
    size_t n = t->next;
    bool more = true;
    while (n < clip->frames && t->wanted && !t->wanted[n])
        n++;
    t->number[which] = n;
    t->next = n + 1;
    if (n >= clip->frames)
        return MDM_OK;
    if (n - t->at > WORTH_SEEKING) {
        MDM_TRY(mdm_reader_seek(t->reader, (int64_t)n, clip->pts, clip->frames));
        t->at = n;
    }
    for (; more && t->at <= n; t->at++)
        MDM_TRY(mdm_reader_next(&more, t->reader, frame));
    if (!more)
        return mdm_fail(
            MDM_ERR_INPUT,
            "%s: ends before frame %zu of the %zu that ingest counted; the recording has changed, run again",
            clip->source, n, clip->frames);
    return mdm_frame_rgb(frame, 0, 0, 0, 0);
}

static mdm_status visit_or_read(void *user, int item, int sharer)
{
    tour *t = user;
    (void)sharer;
    return item ? read_into(t, !t->seen) : t->visit(t->user, &t->frame[t->seen], (int)t->number[t->seen]);
}

mdm_status mdm_visit_frames(const mdm_clip *clip, const unsigned char *wanted, const mdm_clip_work *work,
                            mdm_visit visit, void *user)
{
    tour t = {.clip = clip, .wanted = wanted, .visit = visit, .user = user};
    MDM_TRY(mdm_clip_open_video(&t.reader, clip, work->threads));
    mdm_status status = read_into(&t, 0);
    while (!status && t.number[t.seen] < clip->frames) {
        const size_t n = t.number[t.seen];
        status = mdm_share(2, visit_or_read, &t);
        t.seen = !t.seen;
        if (!status && !mdm_progress_update(work->progress, (double)n + 1, (double)clip->frames))
            status = mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", clip->source);
    }
    for (int i = 0; i < 2; i++)
        mdm_frame_free(&t.frame[i]);
    mdm_reader_free(&t.reader);
    return status;
}
