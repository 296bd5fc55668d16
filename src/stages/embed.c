/* The embeddings by which the job tells persons apart: a few good frames of every track, handed to the parent through the
 * worker's pipe and never written. Uses dlib's descriptor, which takes no part in judging. */
#include "base/memory.h"
#include "face/best_frames.h"
#include "face/track_file.h"
#include "models/dlib_face.h"
#include "stages/stage.h"
#include "stages/visit.h"

#define FRAMES_PER_TRACK 5
#define SMALLEST_FACE    28.0f /* px: below it dlib's distances say little; such a track stays a person of its own */

typedef struct embedder {
    const mdm_clip_work *work;
    const mdm_found *found;
    mdm_dlib_face *net;
    unsigned char *wanted;
} embedder;

static mdm_status embed_frame(void *user, mdm_frame *frame, int number)
{
    embedder *e = user;
    for (int i = 0; i < e->found->tracks.count; i++) {
        const mdm_track *track = &e->found->tracks.track[i];
        if (number < track->first || number >= track->first + track->count) /* choosing reads the whole track */
            continue;
        int frames[FRAMES_PER_TRACK], count = mdm_best_frames(frames, FRAMES_PER_TRACK, track, SMALLEST_FACE);
        for (int k = 0; k < count; k++) {
            if (frames[k] != number)
                continue;
            float descriptor[MDM_DLIB_FACE_SIZE];
            const float(*points)[3] = (const float(*)[3])track->point[number - track->first];
            mdm_status status = mdm_dlib_face_run(e->net, descriptor, &frame->rgb, points);
            if (!status)
                status = e->work->embeddings->give(e->work->embeddings->user, track->id, descriptor, MDM_DLIB_FACE_SIZE,
                                                   1.01f - mdm_mesh_turn(points));
            mdm_wipe(descriptor, sizeof descriptor);
            MDM_TRY(status);
        }
    }
    return MDM_OK;
}

mdm_status mdm_stage_embed(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    mdm_found found = {0};
    embedder e = {.work = work, .found = &found};
    if (!work->embeddings)
        return MDM_OK;
    mdm_status status = mdm_clip_read(&clip, work->folder);
    if (!status)
        status = mdm_found_read(&found, work->folder);
    if (!status && found.frames != (int)clip.frames)
        status = mdm_fail(MDM_ERR_INPUT, "%s: tracks.json is of %d frames, clip.json of %zu; run `mmdm find` again",
                          work->folder, found.frames, clip.frames);
    if (!status)
        status = mdm_alloc(&e.wanted, clip.frames, 1, "frames to look at");
    bool any = false;
    for (int i = 0; i < found.tracks.count && !status; i++) {
        int frames[FRAMES_PER_TRACK],
            count = mdm_best_frames(frames, FRAMES_PER_TRACK, &found.tracks.track[i], SMALLEST_FACE);
        for (int k = 0; k < count; k++)
            e.wanted[frames[k]] = 1, any = true;
    }
    if (!status && any)
        status = mdm_dlib_face_new(&e.net, work->models, work->threads);
    if (!status && any)
        status = mdm_visit_frames(&clip, e.wanted, work, embed_frame, &e);
    mdm_dlib_face_free(&e.net);
    mdm_free(&e.wanted);
    mdm_found_free(&found);
    mdm_clip_free(&clip);
    return status;
}
