/* The tracker's loop. Order of work for a frame: follow what is known with the mesh network, look again near what was
 * just lost, and at every cut or half second let the detector look at the whole frame and at native-size tiles. A new
 * face is traced backwards through the history, so that it is covered from its first frame and not from its discovery. */
#include "face/tracker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "face/face_edge.h"
#include "models/face_mesh.h"

#define MAX_LIVE      64 /* faces followed at once */
#define HISTORY_BYTES (400u << 20)
#define SURE_SCORE    0.70f /* of the detector, to keep a face that the mesh does not confirm */
#define MIN_PRESENCE  0.5f  /* of the mesh's face flag */

typedef struct live_face {
    int track;     /* index in tracks */
    mdm_mesh mesh; /* last answer */
    int last_seen; /* frame of it */
    bool has_mesh; /* false: known by the detector only */
    float box[4];
} live_face;

struct mdm_tracker {
    mdm_face_search *search;
    mdm_face_mesh *mesher;
    mdm_tracks tracks;
    live_face live[MAX_LIVE];
    int live_count;
    mdm_image *history; /* ring: frame n at n % history_size */
    int history_size;
    int shot_first; /* first frame of the current shot */
    int look_every, look_next;
    int frames;
    int lost_limit; /* frames a lost face is searched for near where it was */
};

mdm_status mdm_tracker_new(mdm_tracker **out, const char *models, double fps)
{
    mdm_tracker *tracker = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&tracker, 1, sizeof *tracker, "tracker"));
    if (!(fps > 0.5))
        fps = 25;
    int half_second = (int)fmin(30, fmax(1, floor(fps * 0.48)));
    tracker->look_every = half_second;
    tracker->history_size = half_second + 1;
    tracker->lost_limit = half_second;
    mdm_status status =
        mdm_alloc(&tracker->history, (size_t)tracker->history_size, sizeof *tracker->history, "history");
    if (!status)
        status = mdm_face_search_new(&tracker->search, models);
    if (!status)
        status = mdm_face_mesh_new(&tracker->mesher, models, 1);
    if (status)
        mdm_tracker_free(&tracker);
    *out = tracker;
    return status;
}

void mdm_tracker_free(mdm_tracker **tracker)
{
    mdm_tracker *t = *tracker;
    if (!t)
        return;
    for (int i = 0; t->history && i < t->history_size; i++)
        mdm_image_free(&t->history[i]);
    mdm_free(&t->history);
    mdm_face_search_free(&t->search);
    mdm_face_mesh_free(&t->mesher);
    mdm_tracks_free(&t->tracks);
    mdm_free(tracker);
}

static const mdm_image *past_frame(const mdm_tracker *t, int number)
{
    if (number < t->shot_first || number <= t->frames - 1 - t->history_size || number < 0)
        return NULL;
    const mdm_image *image = &t->history[number % t->history_size];
    return image->data ? image : NULL;
}

/* The mesh on `image` where `from` was, accepted only if it stayed on the same face: the flag, a similar size and place. */
static mdm_status follow(bool *ok, mdm_mesh *out, mdm_tracker *t, const mdm_image *image, const mdm_mesh *from)
{
    mdm_face_roi roi;
    mdm_face_roi_from_mesh(&roi, from);
    MDM_TRY(mdm_face_mesh_run(out, t->mesher, image, &roi));
    float before[4], after[4];
    mdm_mesh_box(before, from);
    mdm_mesh_box(after, out);
    float ratio = after[2] * after[3] / fmaxf(before[2] * before[3], 1);
    *ok = out->presence > MIN_PRESENCE && ratio > 0.45f && ratio < 2.2f && mdm_box_iou(before, after) > 0.2f &&
          after[2] > MDM_SMALLEST_FACE * 0.7f;
    return MDM_OK;
}

static mdm_status from_detection(bool *ok, mdm_mesh *out, mdm_tracker *t, const mdm_image *image,
                                 const mdm_face_detection *face)
{
    mdm_face_roi roi;
    mdm_face_roi_from_detection(&roi, face);
    MDM_TRY(mdm_face_mesh_run(out, t->mesher, image, &roi));
    float box[4], found[4] = {face->x, face->y, face->width, face->height};
    mdm_mesh_box(box, out);
    *ok = out->presence > MIN_PRESENCE && mdm_box_overlap(box, found) > 0.5f;
    if (!*ok)
        return MDM_OK;
    /* a second pass from its own points settles the crop, as it would on the next frame */
    mdm_mesh again;
    bool settled;
    MDM_TRY(follow(&settled, &again, t, image, out));
    if (settled)
        *out = again;
    return MDM_OK;
}

/* Traces a face that was just found back through the history, until the mesh loses it or another track is there. */
static mdm_status trace_back(mdm_tracker *t, int track_index, int number, const mdm_mesh *start)
{
    mdm_mesh at = *start, next;
    for (int n = number - 1;; n--) {
        const mdm_image *image = past_frame(t, n);
        if (!image)
            return MDM_OK;
        bool ok;
        MDM_TRY(follow(&ok, &next, t, image, &at));
        if (!ok)
            return MDM_OK;
        float box[4];
        mdm_mesh_box(box, &next);
        mdm_track *own = &t->tracks.track[track_index];
        const mdm_track_frame *known = mdm_track_at(own, n);
        if (known && known->state == MDM_TRACK_SEEN)
            return MDM_OK;
        for (int i = 0; i < t->tracks.count; i++) {
            const mdm_track_frame *other = i == track_index ? NULL : mdm_track_at(&t->tracks.track[i], n);
            if (other && other->state == MDM_TRACK_SEEN && other->has_mesh && mdm_box_iou(other->box, box) > 0.4f)
                return MDM_OK;
        }
        MDM_TRY(mdm_track_set_mesh(own, n, &next));
        at = next;
    }
}

/* Where the same face ended within the last half second of this shot, the track goes on instead of a new one. */
static int track_to_resume(const mdm_tracker *t, int number, const float box[4])
{
    int best = -1;
    float best_iou = 0.15f;
    for (int i = 0; i < t->tracks.count; i++) {
        const mdm_track *track = &t->tracks.track[i];
        int last = track->first + track->count - 1;
        if (last < t->shot_first || last < number - 3 * t->look_every || last >= number)
            continue;
        bool live = false;
        for (int k = 0; k < t->live_count; k++)
            live |= t->live[k].track == i && t->live[k].last_seen == number;
        const mdm_track_frame *frame = &track->frame[track->count - 1];
        float iou = mdm_box_iou(frame->box, box), size = box[2] / fmaxf(frame->box[2], 1);
        if (!live && iou > best_iou && size > 0.5f && size < 2.0f)
            best = i, best_iou = iou;
    }
    return best;
}

static void drop_live(mdm_tracker *t, int index)
{
    t->live[index] = t->live[--t->live_count];
}

static mdm_status start_face(mdm_tracker *t, int number, const mdm_face_detection *found, const mdm_mesh *mesh)
{
    if (t->live_count == MAX_LIVE)
        return mdm_fail(MDM_ERR_INPUT, "frame %d: more than %d faces at once; --cover the crowd or crop the clip",
                        number, MAX_LIVE);
    float box[4] = {found->x, found->y, found->width, found->height};
    if (mesh)
        mdm_mesh_box(box, mesh);
    int index = track_to_resume(t, number, box);
    for (int i = t->live_count - 1; i >= 0; i--) /* the one being searched for has been found */
        if (t->live[i].track == index)
            drop_live(t, i);
    mdm_track *track;
    if (index < 0) {
        MDM_TRY(mdm_tracks_add(&track, &t->tracks, number));
        index = track->id;
    }
    track = &t->tracks.track[index];
    live_face *live = &t->live[t->live_count++];
    memset(live, 0, sizeof *live);
    live->track = index;
    live->last_seen = number;
    live->has_mesh = mesh != NULL;
    memcpy(live->box, box, sizeof box);
    if (!mesh)
        return mdm_track_set_box(track, number, box, found->score, MDM_TRACK_SEEN);
    live->mesh = *mesh;
    MDM_TRY(mdm_track_set_mesh(track, number, mesh));
    return trace_back(t, index, number, mesh);
}

/* True when a live face that was seen on this frame is the one that was found. */
static bool already_live(mdm_tracker *t, int number, const mdm_face_detection *face)
{
    float box[4] = {face->x, face->y, face->width, face->height};
    for (int i = 0; i < t->live_count; i++) {
        live_face *live = &t->live[i];
        if (live->last_seen == number &&
            (mdm_box_iou(live->box, box) > 0.25f || mdm_box_overlap(live->box, box) > 0.6f)) {
            return true;
        }
    }
    return false;
}

static mdm_status take_in(mdm_tracker *t, const mdm_image *image, int number, const mdm_face_detection *found,
                          int count)
{
    for (int i = 0; i < count; i++) {
        if (already_live(t, number, &found[i]))
            continue;
        bool ok;
        mdm_mesh mesh;
        MDM_TRY(from_detection(&ok, &mesh, t, image, &found[i]));
        if (ok) {
            mdm_face_detection settled = found[i];
            float box[4];
            mdm_mesh_box(box, &mesh);
            settled.x = box[0], settled.y = box[1], settled.width = box[2], settled.height = box[3];
            if (!already_live(t, number, &settled))
                MDM_TRY(start_face(t, number, &found[i], &mesh));
        } else if (found[i].score >= SURE_SCORE) {
            MDM_TRY(start_face(t, number, &found[i], NULL));
        }
    }
    return MDM_OK;
}

/* Follows every live face into this frame; what is lost is looked for near where it was, up to the limit. */
static mdm_status follow_all(mdm_tracker *t, const mdm_image *image, int number)
{
    for (int i = t->live_count - 1; i >= 0; i--) {
        live_face *live = &t->live[i];
        bool ok = false;
        mdm_mesh mesh;
        if (live->has_mesh)
            MDM_TRY(follow(&ok, &mesh, t, image, &live->mesh));
        if (!ok) { /* look around the last place, at twice its size */
            float side = fmaxf(64, 2.2f * fmaxf(live->box[2], live->box[3]));
            float region[4] = {live->box[0] + live->box[2] / 2 - side / 2, live->box[1] + live->box[3] / 2 - side / 2,
                               side, side};
            mdm_face_detection found[MDM_FACE_SEARCH_MAX];
            int count = 0;
            MDM_TRY(mdm_face_search_near(found, &count, t->search, image, region));
            int best = -1;
            for (int k = 0; k < count; k++) {
                float box[4] = {found[k].x, found[k].y, found[k].width, found[k].height};
                if ((best < 0 || found[k].score > found[best].score) && mdm_box_iou(box, live->box) > 0.1f &&
                    !already_live(t, number, &found[k]))
                    best = k;
            }
            if (best >= 0) {
                MDM_TRY(from_detection(&ok, &mesh, t, image, &found[best]));
                if (!ok &&
                    found[best].score >= SURE_SCORE) { /* a face the mesh cannot read: turned away, hidden, tiny */
                    float box[4] = {found[best].x, found[best].y, found[best].width, found[best].height};
                    MDM_TRY(mdm_track_set_box(&t->tracks.track[live->track], number, box, found[best].score,
                                              MDM_TRACK_SEEN));
                    memcpy(live->box, box, sizeof box);
                    live->last_seen = number;
                    live->has_mesh = false;
                    continue;
                }
            }
        }
        if (ok) {
            bool came_back = live->last_seen < number - 1 || !live->has_mesh;
            MDM_TRY(mdm_track_set_mesh(&t->tracks.track[live->track], number, &mesh));
            live->mesh = mesh;
            mdm_mesh_box(live->box, &mesh);
            live->last_seen = number;
            live->has_mesh = true;
            if (came_back) /* the gap is searched again from its far end */
                MDM_TRY(trace_back(t, live->track, number, &mesh));
        } else if (number - live->last_seen > t->lost_limit) {
            drop_live(t, i);
        }
    }
    return MDM_OK;
}

/* Two live faces that came to lie on one another: the one found later goes. */
static void drop_doubles(mdm_tracker *t, int number)
{
    for (int i = 0; i < t->live_count; i++)
        for (int k = t->live_count - 1; k > i; k--) {
            live_face *a = &t->live[i], *b = &t->live[k];
            if (a->last_seen != number || b->last_seen != number || mdm_box_iou(a->box, b->box) < 0.55f)
                continue;
            int younger = t->tracks.track[a->track].first > t->tracks.track[b->track].first ? i : k;
            mdm_track *track = &t->tracks.track[t->live[younger].track];
            if (track->count > 1 && track->first + track->count - 1 == number)
                track->count--;
            drop_live(t, younger);
            k = t->live_count;
        }
}

mdm_status mdm_tracker_push(mdm_tracker *tracker, const mdm_image *image, int number, bool cut)
{
    mdm_tracker *t = tracker;
    if (number != t->frames)
        return mdm_fail(MDM_ERR_INTERNAL, "tracker: frame %d, expected %d", number, t->frames);
    if (number == 0) { /* the history has a byte limit: large pictures get a shorter one */
        size_t bytes = (size_t)image->width * (size_t)image->height * 3;
        while (t->history_size > 2 && bytes * (size_t)t->history_size > HISTORY_BYTES)
            t->history_size--;
        if (t->look_every > t->history_size - 1)
            t->look_every = t->history_size - 1;
    }
    if (cut || number == 0) {
        t->live_count = 0;
        t->shot_first = number;
        t->look_next = number;
    }
    mdm_image *slot = &t->history[number % t->history_size];
    mdm_image_free(slot);
    MDM_TRY(mdm_image_copy(slot, image));
    t->frames = number + 1;
    MDM_TRY(follow_all(t, image, number));
    drop_doubles(t, number);
    if (number < t->look_next)
        return MDM_OK;
    t->look_next = number + t->look_every;
    mdm_face_detection found[MDM_FACE_SEARCH_MAX];
    int count = 0;
    MDM_TRY(mdm_face_search_everywhere(found, &count, t->search, image));
    const int whole = count;
    MDM_TRY(mdm_face_edge_search(found, &count, t->search, t->mesher, image));
    for (int i = whole; i < count; i++) /* confirmed, though not as it is */
        found[i].score = fmaxf(found[i].score, SURE_SCORE);
    return take_in(t, image, number, found, count);
}

/* A face that only the detector ever saw, and only on one frame, is more likely a pattern than a person. */
static bool believable(const mdm_track *track)
{
    int seen = 0, meshes = 0;
    float best = 0;
    for (int i = 0; i < track->count; i++) {
        seen += track->frame[i].state == MDM_TRACK_SEEN;
        meshes += track->frame[i].has_mesh;
        best = fmaxf(best, track->frame[i].score);
    }
    return meshes >= 1 || (seen >= 2 && best >= SURE_SCORE);
}

/* An ear or a pattern inside a face: most of its frames lie within a track that is much larger there. */
static bool inside_another(mdm_tracker *t, const mdm_track *track)
{
    for (int i = 0; i < t->tracks.count; i++) {
        mdm_track *other = &t->tracks.track[i];
        int inside = 0, seen = 0;
        for (int k = 0; k < track->count && other != track; k++) {
            const mdm_track_frame *at = mdm_track_at(other, track->first + k);
            if (track->frame[k].state != MDM_TRACK_SEEN)
                continue;
            seen++;
            if (!at || at->state == MDM_TRACK_LOST || at->box[2] < 2 * track->frame[k].box[2])
                continue;
            /* the mesh ends before the ears of a turned head */
            float head[4] = {at->box[0] - 0.3f * at->box[2], at->box[1], 1.6f * at->box[2], at->box[3]};
            inside += mdm_box_overlap(head, track->frame[k].box) > 0.6f;
        }
        if (seen && inside > 0.7 * seen)
            return true;
    }
    return false;
}

mdm_status mdm_tracker_finish(mdm_tracks *tracks, mdm_tracker *tracker)
{
    int kept = 0;
    for (int i = 0; i < tracker->tracks.count; i++) {
        mdm_track *track = &tracker->tracks.track[i];
        if (track->count > 0 && (believable(track) || tracker->frames == 1) && !inside_another(tracker, track)) {
            mdm_track moved = *track;
            *track = tracker->tracks.track[kept];
            tracker->tracks.track[kept] = moved;
            tracker->tracks.track[kept].id = kept;
            kept++;
        }
    }
    for (int i = kept; i < tracker->tracks.count; i++) {
        mdm_free(&tracker->tracks.track[i].frame);
        mdm_free(&tracker->tracks.track[i].point);
    }
    tracker->tracks.count = kept;
    *tracks = tracker->tracks;
    memset(&tracker->tracks, 0, sizeof tracker->tracks);
    return MDM_OK;
}
