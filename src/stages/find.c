/* The find stage: one pass over the clip that cuts it into shots, follows every face and every piece of text, and writes
 * tracks.json and geometry.safetensors. */
#include <string.h>

#include "base/memory.h"
#include "face/track_file.h"
#include "face/tracker.h"
#include "media/clip_file.h"
#include "media/cut.h"
#include "stages/find_text.h"
#include "stages/frame_stage.h"
#include "stages/stage.h"
#include "stages/visit.h"

#define END_MARGIN  0.12 /* seconds a face is taken to be there before it was first and after it was last seen */
#define LONGEST_GAP 2.0 /* seconds of a face out of sight that are bridged; the same face after longer is a new track */

enum { TO_TRACKER, TO_TEXT }; /* outputs of the node that cuts */

typedef struct finder {
    mdm_clip clip;
    const mdm_clip_work *work;
    mdm_cut_detector cuts;
    mdm_tracker *tracker;
    mdm_text_finder *text; /* NULL: text and plates are kept as they are */
    mdm_found found;
    int cut_capacity;
    size_t seen; /* frames, where they come from a graph */
} finder;

static mdm_status add_cut(finder *f, int number)
{
    if (f->found.cut_count == f->cut_capacity) {
        int capacity = f->cut_capacity ? f->cut_capacity * 2 : 16;
        MDM_TRY(mdm_realloc(&f->found.cut, (size_t)capacity, sizeof *f->found.cut, "cuts"));
        f->cut_capacity = capacity;
    }
    f->found.cut[f->found.cut_count++] = number;
    return MDM_OK;
}

/* Does frame `number` open a shot? *text: it may show new text. */
static mdm_status look_for_cut(bool *text, finder *f, mdm_frame *frame, int number)
{
    MDM_TRY(mdm_cut_push(&frame->cut, &f->cuts, frame));
    *text = f->text && mdm_text_finder_wants(f->text, number, frame->cut);
    return frame->cut || number == 0 ? add_cut(f, number) : MDM_OK;
}

/* Cuts the clip into shots. Every frame goes on to the tracker, those that may show new text to the finder of text as well. */
static mdm_status cut_turn(void *user, mdm_turn *turn)
{
    finder *f = user;
    if (turn->last)
        return MDM_OK;
    mdm_packet *packet = turn->in[0];
    bool text;
    MDM_TRY(look_for_cut(&text, f, mdm_packet_frame(packet), (int)packet->time));
    if (text)
        MDM_TRY(mdm_turn_give(turn, TO_TEXT, mdm_packet_keep(packet)));
    return mdm_turn_give(turn, TO_TRACKER, mdm_packet_keep(packet));
}

static mdm_status track_turn(void *user, mdm_turn *turn)
{
    finder *f = user;
    if (turn->last)
        return MDM_OK;
    const mdm_frame *frame = mdm_packet_frame(turn->in[0]);
    const int64_t number = turn->in[0]->time;
    MDM_TRY(mdm_tracker_push(f->tracker, &frame->rgb, (int)number, frame->cut));
    return mdm_tour_tell(&f->clip, f->work, number);
}

static mdm_status text_turn(void *user, mdm_turn *turn)
{
    finder *f = user;
    if (turn->last)
        return MDM_OK;
    const mdm_frame *frame = mdm_packet_frame(turn->in[0]);
    return mdm_text_finder_push(f->text, &frame->rgb, (int)turn->in[0]->time, frame->cut);
}

static mdm_status join_nodes(mdm_flow *flow, finder *f, mdm_tour *tour)
{
    const int queue = mdm_frames_queue(mdm_reader_video(tour->reader));
    int decode, cut, track, text;
    MDM_TRY(mdm_flow_add(&decode, flow, &(mdm_flow_node){.name = "decode", .work = mdm_tour_turn, .user = tour}));
    MDM_TRY(mdm_flow_add(&cut, flow, &(mdm_flow_node){.name = "cut", .work = cut_turn, .user = f, .queue = 1}));
    MDM_TRY(
        mdm_flow_add(&track, flow, &(mdm_flow_node){.name = "track", .work = track_turn, .user = f, .queue = queue}));
    MDM_TRY(mdm_flow_join(flow, decode, 0, cut, 0));
    MDM_TRY(mdm_flow_join(flow, cut, TO_TRACKER, track, 0));
    if (!f->text)
        return MDM_OK;
    MDM_TRY(
        mdm_flow_add(&text, flow, &(mdm_flow_node){.name = "text", .work = text_turn, .user = f, .queue = queue + 1}));
    return mdm_flow_join(flow, cut, TO_TEXT, text, 0);
}

static mdm_status look(finder *f)
{
    mdm_tour tour;
    mdm_flow *flow = NULL;
    mdm_status status = mdm_tour_open(&tour, &f->clip, NULL, f->work->threads);
    if (status == MDM_OK)
        status = mdm_flow_new(&flow);
    if (status == MDM_OK)
        status = join_nodes(flow, f, &tour);
    if (status == MDM_OK)
        status = mdm_flow_run(flow, 0);
    mdm_flow_free(&flow);
    mdm_tour_close(&tour);
    return status;
}

/* First and last frame of the shot that frame `number` belongs to. */
static void shot_of(const mdm_found *found, int number, int *low, int *high)
{
    *low = 0;
    *high = found->frames - 1;
    for (int i = 0; i < found->cut_count; i++) {
        if (found->cut[i] <= number)
            *low = found->cut[i];
        else if (found->cut[i] - 1 < *high)
            *high = found->cut[i] - 1;
    }
}

static mdm_status finish(finder *f)
{
    double fps = f->clip.fps > 0 ? f->clip.fps : 25;
    MDM_TRY(mdm_tracker_finish(&f->found.tracks, f->tracker));
    for (int i = 0; i < f->found.tracks.count; i++) {
        mdm_track *track = &f->found.tracks.track[i];
        int low, high;
        shot_of(&f->found, track->first, &low, &high);
        MDM_TRY(mdm_track_fill(track, (int)(LONGEST_GAP * fps), (int)(END_MARGIN * fps + 0.5), low, high));
    }
    if (f->text)
        MDM_TRY(mdm_text_finder_finish(&f->found.region, &f->found.region_count, f->text, f->found.frames));
    mdm_text_off_faces(&f->found);
    return mdm_found_write(&f->found, f->work->folder);
}

static void close_finder(void **state)
{
    finder *f = *state;
    if (!f)
        return;
    mdm_tracker_free(&f->tracker);
    mdm_text_finder_free(&f->text);
    mdm_found_free(&f->found);
    mdm_clip_free(&f->clip);
    mdm_free(state);
}

static mdm_status open_finder(void **state, mdm_clip_work *work)
{
    finder *f;
    MDM_TRY(mdm_alloc(&f, 1, sizeof *f, "a finder"));
    *state = f;
    f->work = work;
    MDM_TRY(mdm_clip_read(&f->clip, work->folder));
    f->found.frames = (int)f->clip.frames;
    f->found.width = f->clip.width;
    f->found.height = f->clip.height;
    MDM_TRY(mdm_tracker_new(&f->tracker, work->models, f->clip.fps));
    const bool text = work->settings->plates != MDM_COVER_KEEP || work->settings->text != MDM_COVER_KEEP;
    return text ? mdm_text_finder_new(&f->text, work->models, f->clip.fps, 1) : MDM_OK;
}

/* One frame through everything, for graphs whose frames come from elsewhere. */
static mdm_status find_in_frame(void *state, mdm_frame *frame)
{
    finder *f = state;
    bool text;
    if (frame->number >= (int64_t)f->clip.frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: more frames than the %zu that ingest counted", f->clip.source,
                        f->clip.frames);
    MDM_TRY(mdm_frame_rgb(frame, 0, 0, 0, 0));
    MDM_TRY(look_for_cut(&text, f, frame, (int)frame->number));
    if (text)
        MDM_TRY(mdm_text_finder_push(f->text, &frame->rgb, (int)frame->number, frame->cut));
    f->seen++;
    return mdm_tracker_push(f->tracker, &frame->rgb, (int)frame->number, frame->cut);
}

static mdm_status finish_frames(void *state)
{
    finder *f = state;
    if (f->seen != f->clip.frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu frames instead of the %zu that ingest counted", f->clip.source, f->seen,
                        f->clip.frames);
    return finish(f);
}

const mdm_frame_stage mdm_frames_find = {open_finder, find_in_frame, finish_frames, close_finder};

mdm_status mdm_stage_find(mdm_clip_work *work)
{
    void *state = NULL;
    mdm_status status = open_finder(&state, work);
    if (status == MDM_OK)
        status = look(state);
    if (status == MDM_OK)
        status = finish(state);
    close_finder(&state);
    return status;
}
