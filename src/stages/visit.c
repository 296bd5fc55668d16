/* Visiting chosen frames: a node reads on through short gaps and seeks over long ones while another visits. */
#include "stages/visit.h"

#define WORTH_SEEKING 90 /* frames; a seek decodes from the key frame before, seldom more than 250 frames back */

mdm_status mdm_tour_open(mdm_tour *tour, const mdm_clip *clip, const unsigned char *wanted, int threads)
{
    *tour = (mdm_tour){.clip = clip, .wanted = wanted};
    MDM_TRY(mdm_clip_open_video(&tour->reader, clip, threads));
    return mdm_frames_new(&tour->frames);
}

void mdm_tour_close(mdm_tour *tour)
{
    mdm_reader_free(&tour->reader);
    mdm_frames_free(&tour->frames);
}

static mdm_status read_frame(mdm_tour *t, mdm_frame *frame, size_t number)
{
    const mdm_clip *clip = t->clip;
    bool more = true;
    if (number - t->at > WORTH_SEEKING) {
        MDM_TRY(mdm_reader_seek(t->reader, (int64_t)number, clip->pts, clip->frames));
        t->at = number;
    }
    for (; more && t->at <= number; t->at++)
        MDM_TRY(mdm_reader_next(&more, t->reader, frame));
    if (!more)
        return mdm_fail(
            MDM_ERR_INPUT,
            "%s: ends before frame %zu of the %zu that ingest counted; the recording has changed, run again",
            clip->source, number, clip->frames);
    return mdm_frame_rgb(frame, 0, 0, 0, 0);
}

mdm_status mdm_tour_turn(void *tour, mdm_turn *turn)
{
    mdm_tour *t = tour;
    mdm_packet *packet;
    while (t->next < t->clip->frames && t->wanted && !t->wanted[t->next])
        t->next++;
    turn->done = t->next >= t->clip->frames;
    if (turn->done)
        return MDM_OK;
    MDM_TRY(mdm_frames_take(&packet, t->frames));
    packet->time = (int64_t)t->next;
    const mdm_status status = read_frame(t, mdm_packet_frame(packet), t->next++);
    if (status == MDM_OK)
        return mdm_turn_give(turn, 0, packet);
    mdm_packet_drop(&packet);
    return status;
}

mdm_status mdm_tour_tell(const mdm_clip *clip, const mdm_clip_work *work, int64_t number)
{
    return mdm_progress_update(work->progress, (double)number + 1, (double)clip->frames)
               ? MDM_OK
               : mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", clip->source);
}

typedef struct visitor {
    const mdm_clip *clip;
    const mdm_clip_work *work;
    mdm_visit visit;
    void *user;
} visitor;

static mdm_status visit_turn(void *user, mdm_turn *turn)
{
    const visitor *v = user;
    if (turn->last)
        return MDM_OK;
    const mdm_packet *packet = turn->in[0];
    MDM_TRY(v->visit(v->user, mdm_packet_frame(packet), (int)packet->time));
    return mdm_tour_tell(v->clip, v->work, packet->time);
}

mdm_status mdm_visit_frames(const mdm_clip *clip, const unsigned char *wanted, const mdm_clip_work *work,
                            mdm_visit visit, void *user)
{
    mdm_tour tour;
    visitor v = {clip, work, visit, user};
    mdm_status status = mdm_tour_open(&tour, clip, wanted, work->threads);
    const mdm_flow_node line[] = {{.name = "decode", .work = mdm_tour_turn, .user = &tour},
                                  {.name = "visit", .work = visit_turn, .user = &v, .queue = 1}};
    if (status == MDM_OK)
        status = mdm_flow_line(line, 2);
    mdm_tour_close(&tour);
    return status;
}
