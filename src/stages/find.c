/* The find stage: one pass over the clip that cuts it into shots, follows every face and every piece of text, and writes
 * tracks.json and geometry.safetensors. */
#include <string.h>

#include "base/memory.h"
#include "face/track_file.h"
#include "face/tracker.h"
#include "media/clip_file.h"
#include "media/cut.h"
#include "stages/find_text.h"
#include "stages/stage.h"
#include "stages/visit.h"

#define END_MARGIN  0.12 /* seconds a face is taken to be there before it was first and after it was last seen */
#define LONGEST_GAP 2.0 /* seconds of a face out of sight that are bridged; the same face after longer is a new track */

typedef struct finder {
    const mdm_clip *clip;
    const mdm_clip_work *work;
    mdm_cut_detector cuts;
    mdm_tracker *tracker;
    mdm_text_finder *text; /* NULL: text and plates are kept as they are */
    mdm_found found;
    int cut_capacity;
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

static mdm_status take_frame(void *user, mdm_frame *frame, int number)
{
    finder *f = user;
    bool cut;
    MDM_TRY(mdm_cut_push(&cut, &f->cuts, frame));
    if (cut || number == 0)
        MDM_TRY(add_cut(f, number));
    if (f->text && mdm_text_finder_wants(f->text, number, cut))
        MDM_TRY(mdm_text_finder_push(f->text, &frame->rgb, number, cut));
    return mdm_tracker_push(f->tracker, &frame->rgb, number, cut);
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
    double fps = f->clip->fps > 0 ? f->clip->fps : 25;
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

mdm_status mdm_stage_find(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    finder f = {.clip = &clip, .work = work};
    mdm_status status = mdm_clip_read(&clip, work->folder);
    if (status == MDM_OK) {
        f.found.frames = (int)clip.frames;
        f.found.width = clip.width;
        f.found.height = clip.height;
        status = mdm_tracker_new(&f.tracker, work->models, clip.fps);
    }
    bool text = work->settings->plates != MDM_COVER_KEEP || work->settings->text != MDM_COVER_KEEP;
    if (status == MDM_OK && text)
        status = mdm_text_finder_new(&f.text, work->models, clip.fps, 1);
    if (status == MDM_OK)
        status = mdm_visit_frames(&clip, NULL, work, take_frame, &f);
    if (status == MDM_OK)
        status = finish(&f);
    mdm_tracker_free(&f.tracker);
    mdm_text_finder_free(&f.text);
    mdm_found_free(&f.found);
    mdm_clip_free(&clip);
    return status;
}
