/* Tracks in memory: growing at both ends, filling gaps, boxes. Reading them back from the work folder: track_file.c. */
#include "face/track.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define MAX_FRAMES (1 << 22)

mdm_status mdm_tracks_add(mdm_track **out, mdm_tracks *tracks, int first)
{
    if (tracks->count >= MDM_MAX_TRACKS)
        return mdm_fail(MDM_ERR_MEMORY, "more than %d face tracks in one clip; cut it with --segment", MDM_MAX_TRACKS);
    if (tracks->count == tracks->capacity) {
        int capacity = tracks->capacity ? tracks->capacity * 2 : 8;
        MDM_TRY(mdm_realloc(&tracks->track, (size_t)capacity, sizeof *tracks->track, "tracks"));
        tracks->capacity = capacity;
    }
    mdm_track *track = &tracks->track[tracks->count];
    memset(track, 0, sizeof *track);
    track->id = tracks->count++;
    track->first = first;
    *out = track;
    return MDM_OK;
}

static mdm_status reserve(mdm_track *track, int count)
{
    if (count <= track->capacity)
        return MDM_OK;
    if (count > MAX_FRAMES)
        return mdm_fail(MDM_ERR_MEMORY, "track %d: more than %d frames; cut the clip with --segment", track->id,
                        MAX_FRAMES);
    int capacity = track->capacity ? track->capacity : 64;
    while (capacity < count)
        capacity *= 2;
    MDM_TRY(mdm_realloc(&track->frame, (size_t)capacity, sizeof *track->frame, "track frames"));
    MDM_TRY(mdm_realloc(&track->point, (size_t)capacity, sizeof *track->point, "track meshes"));
    track->capacity = capacity;
    return MDM_OK;
}

mdm_status mdm_track_reach(mdm_track *track, int number)
{
    if (track->count == 0)
        track->first = number;
    if (number < track->first) {
        int shift = track->first - number;
        MDM_TRY(reserve(track, track->count + shift));
        memmove(track->frame + shift, track->frame, (size_t)track->count * sizeof *track->frame);
        memmove(track->point + shift, track->point, (size_t)track->count * sizeof *track->point);
        memset(track->frame, 0, (size_t)shift * sizeof *track->frame);
        memset(track->point, 0, (size_t)shift * sizeof *track->point);
        track->first = number;
        track->count += shift;
    } else if (number >= track->first + track->count) {
        int count = number - track->first + 1;
        MDM_TRY(reserve(track, count));
        memset(track->frame + track->count, 0, (size_t)(count - track->count) * sizeof *track->frame);
        memset(track->point + track->count, 0, (size_t)(count - track->count) * sizeof *track->point);
        track->count = count;
    }
    return MDM_OK;
}

mdm_track_frame *mdm_track_at(mdm_track *track, int number)
{
    if (number < track->first || number >= track->first + track->count)
        return NULL;
    return &track->frame[number - track->first];
}

mdm_status mdm_track_set_mesh(mdm_track *track, int number, const mdm_mesh *mesh)
{
    MDM_TRY(mdm_track_reach(track, number));
    mdm_track_frame *frame = mdm_track_at(track, number);
    mdm_mesh_box(frame->box, mesh);
    frame->score = mesh->presence;
    frame->state = MDM_TRACK_SEEN;
    frame->has_mesh = 1;
    memcpy(track->point[number - track->first], mesh->point, sizeof mesh->point);
    return MDM_OK;
}

mdm_status mdm_track_set_box(mdm_track *track, int number, const float box[4], float score, mdm_track_state state)
{
    MDM_TRY(mdm_track_reach(track, number));
    mdm_track_frame *frame = mdm_track_at(track, number);
    memcpy(frame->box, box, sizeof frame->box);
    frame->score = score;
    frame->state = (uint8_t)state;
    frame->has_mesh = 0;
    return MDM_OK;
}

static void interpolate(float out[4], const float a[4], const float b[4], float t)
{
    for (int i = 0; i < 4; i++)
        out[i] = a[i] + (b[i] - a[i]) * t;
}

mdm_status mdm_track_fill(mdm_track *track, int max_gap, int margin, int low, int high)
{
    int previous = -1;
    for (int i = 0; i < track->count; i++) {
        if (track->frame[i].state == MDM_TRACK_LOST)
            continue;
        if (previous >= 0 && i - previous > 1 && i - previous - 1 <= max_gap)
            for (int k = previous + 1; k < i; k++) {
                mdm_track_frame *frame = &track->frame[k];
                interpolate(frame->box, track->frame[previous].box, track->frame[i].box,
                            (float)(k - previous) / (float)(i - previous));
                frame->score = 0;
                frame->state = MDM_TRACK_FILLED;
            }
        previous = i;
    }
    if (track->count == 0)
        return MDM_OK;
    int first = track->first, last = track->first + track->count - 1;
    mdm_track_frame head = track->frame[0], tail = track->frame[track->count - 1];
    head.score = tail.score = 0;
    for (int n = first - 1; n >= first - margin && n >= low; n--)
        MDM_TRY(mdm_track_set_box(track, n, head.box, 0, MDM_TRACK_FILLED));
    for (int n = last + 1; n <= last + margin && n <= high; n++)
        MDM_TRY(mdm_track_set_box(track, n, tail.box, 0, MDM_TRACK_FILLED));
    return MDM_OK;
}

void mdm_tracks_free(mdm_tracks *tracks)
{
    for (int i = 0; i < tracks->count; i++) {
        mdm_free(&tracks->track[i].frame);
        if (tracks->track[i].point)
            mdm_wipe(tracks->track[i].point, (size_t)tracks->track[i].capacity * sizeof *tracks->track[i].point);
        mdm_free(&tracks->track[i].point);
    }
    mdm_free(&tracks->track);
    memset(tracks, 0, sizeof *tracks);
}

void mdm_mesh_box(float box[4], const mdm_mesh *mesh)
{
    float x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        const float *p = mesh->point[i];
        x0 = fminf(x0, p[0]), x1 = fmaxf(x1, p[0]);
        y0 = fminf(y0, p[1]), y1 = fmaxf(y1, p[1]);
    }
    box[0] = x0, box[1] = y0, box[2] = x1 - x0, box[3] = y1 - y0;
}

static float intersection(const float a[4], const float b[4])
{
    float w = fminf(a[0] + a[2], b[0] + b[2]) - fmaxf(a[0], b[0]);
    float h = fminf(a[1] + a[3], b[1] + b[3]) - fmaxf(a[1], b[1]);
    return w > 0 && h > 0 ? w * h : 0;
}

float mdm_box_iou(const float a[4], const float b[4])
{
    float both = intersection(a, b), all = a[2] * a[3] + b[2] * b[3] - both;
    return all > 0 ? both / all : 0;
}

float mdm_box_overlap(const float a[4], const float b[4])
{
    float smaller = fminf(a[2] * a[3], b[2] * b[3]);
    return smaller > 0 ? intersection(a, b) / smaller : 0;
}
