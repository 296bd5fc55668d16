/* The square clip of --mode portrait (compose.h): a window that follows the face smoothly, its surroundings faded into a
 * plain ground. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "face/cover.h"
#include "stages/compose.h"

#define WINDOW   2.0f /* of the face's longer side */
#define SMOOTH   8    /* frames each way that the window's place is averaged over */
#define MIN_SIDE 160
#define MAX_SIDE 720
#define FADE     0.12f /* of the window, from face to ground */

static const float ground[3] = {206.0f, 208.0f, 212.0f};

int mdm_compose_main_track(const mdm_compose *compose)
{
    int best = -1;
    double most = 0.0;
    for (int i = 0; i < compose->found.tracks.count; i++) {
        const mdm_track *track = &compose->found.tracks.track[i];
        double area = 0.0;
        for (int k = 0; k < track->count; k++)
            if (track->frame[k].state != MDM_TRACK_LOST)
                area += (double)track->frame[k].box[2] * (double)track->frame[k].box[3];
        if (area > most) {
            most = area;
            best = i;
        }
    }
    return best;
}

/* Median of the face's longer side over the track; 0 when it is never there. */
static mdm_status median_size(float *out, const mdm_track *track)
{
    float *sizes;
    size_t count = 0;
    MDM_TRY(mdm_alloc(&sizes, (size_t)track->count, sizeof *sizes, "face sizes"));
    for (int k = 0; k < track->count; k++)
        if (track->frame[k].state != MDM_TRACK_LOST)
            sizes[count++] = fmaxf(track->frame[k].box[2], track->frame[k].box[3]);
    mdm_sort(sizes, count);
    *out = count ? sizes[count / 2] : 0.0f;
    mdm_free(&sizes);
    return MDM_OK;
}

/* The track's frame nearest to `number` that has a face. */
static const mdm_track_frame *nearest(const mdm_track *track, int number)
{
    for (int d = 0; d <= track->count + abs(number - track->first); d++)
        for (int way = -1; way <= 1; way += 2) {
            const int k = number + way * d - track->first;
            if (k >= 0 && k < track->count && track->frame[k].state != MDM_TRACK_LOST)
                return &track->frame[k];
        }
    return NULL;
}

mdm_status mdm_portrait_view_new(mdm_portrait_view *out, mdm_compose *compose)
{
    const size_t frames = compose->clip.frames;
    memset(out, 0, sizeof *out);
    out->side = MIN_SIDE;
    out->track = mdm_compose_main_track(compose);
    if (out->track < 0)
        return MDM_OK;
    const mdm_track *track = &compose->found.tracks.track[out->track];
    float size, (*raw)[2] = NULL;
    MDM_TRY(median_size(&size, track));
    out->size = size * WINDOW;
    const int side = (int)out->size & ~1;
    out->side = side < MIN_SIDE ? MIN_SIDE : side > MAX_SIDE ? MAX_SIDE : side;
    MDM_TRY(mdm_alloc(&out->centre, frames, sizeof *out->centre, "a portrait window"));
    const mdm_status status = mdm_alloc(&raw, frames, sizeof *raw, "a portrait window");
    if (status != MDM_OK) {
        mdm_portrait_view_free(out);
        return status;
    }
    for (size_t i = 0; i < frames; i++) {
        const mdm_track_frame *at = nearest(track, (int)i);
        raw[i][0] = at->box[0] + at->box[2] / 2.0f;
        raw[i][1] = at->box[1] + at->box[3] / 2.0f;
    }
    for (size_t i = 0; i < frames; i++) {
        const size_t from = i < SMOOTH ? 0 : i - SMOOTH, to = i + SMOOTH < frames ? i + SMOOTH : frames - 1;
        for (size_t k = from; k <= to; k++)
            for (int axis = 0; axis < 2; axis++)
                out->centre[i][axis] += raw[k][axis] / (float)(to - from + 1);
    }
    mdm_free(&raw);
    return MDM_OK;
}

json_t *mdm_portrait_view_record(const mdm_portrait_view *view, const mdm_compose *compose)
{
    if (view->side < 1)
        return NULL;
    json_t *centre = json_array();
    for (size_t i = 0; view->centre && i < compose->clip.frames; i++)
        json_array_append_new(centre, json_pack("[f, f]", (double)view->centre[i][0], (double)view->centre[i][1]));
    const int id = view->track < 0 ? -1 : compose->found.tracks.track[view->track].id;
    return json_pack("{s:i, s:f, s:i, s:o}", "side", view->side, "size", (double)view->size, "track", id, "centre",
                     centre);
}

void mdm_portrait_view_free(mdm_portrait_view *view)
{
    mdm_free(&view->centre);
    memset(view, 0, sizeof *view);
}

/* How much of the scene shows at a distance (in units of the face's ellipse) from the face's middle. */
static float visible(float distance)
{
    return 1.0f - mdm_smoothstep((distance - 1.0f) / (FADE * WINDOW), 0, 1);
}

static void fade_to_ground(mdm_image *image, const mdm_shape *head, const double m[6])
{
    const float cx = (head->corner[0][0] + head->corner[2][0]) / 2.0f,
                rx = (head->corner[1][0] - head->corner[0][0]) / 2.0f;
    const float cy = (head->corner[0][1] + head->corner[2][1]) / 2.0f,
                ry = (head->corner[3][1] - head->corner[0][1]) / 2.0f;
    for (int y = 0; y < image->height; y++) {
        uint8_t *p = image->data + (size_t)y * image->stride;
        for (int x = 0; x < image->width; x++, p += 3) {
            const float u = ((float)(m[0] * x + m[2]) - cx) / rx, v = ((float)(m[4] * y + m[5]) - cy) / ry;
            const float show = visible(sqrtf(u * u + v * v));
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)(ground[c] + show * ((float)p[c] - ground[c]) + 0.5f);
        }
    }
}

static void fill_ground(mdm_image *image)
{
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width * 3; x++)
            image->data[(size_t)y * image->stride + (size_t)x] = (uint8_t)ground[x % 3];
}

/* A talking face by itself: nothing of the scene, the picture's edge faded into the ground. m: the square's pixels to the scene's. */
static void lay_on_ground(mdm_image *out, const mdm_image *picture, const mdm_talking_window *window, const double m[6])
{
    const double k = window->scale,
                 map[6] = {k * m[0], 0, k * m[2] + window->shift[0], 0, k * m[4], k * m[5] + window->shift[1]};
    const float side = (float)picture->width;
    mdm_image_warp(out, picture, map, -1);
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            const float u = (float)(map[0] * x + map[2]), v = (float)(map[4] * y + map[5]);
            const float inside = fminf(fminf(u, side - 1 - u), fminf(v, side - 1 - v)) / (FADE * side);
            const float show = mdm_smoothstep(inside, 0, 1);
            uint8_t *p = out->data + (size_t)y * out->stride + 3 * (size_t)x;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)(ground[c] + show * ((float)p[c] - ground[c]) + 0.5f);
        }
}

mdm_status mdm_portrait_view_frame(mdm_frame *out, const mdm_portrait_view *view, mdm_compose *compose,
                                   mdm_frame *frame)
{
    MDM_TRY(mdm_frame_blank(out, view->side, view->side));
    mdm_track *track = view->track < 0 ? NULL : &compose->found.tracks.track[view->track];
    const mdm_track_frame *at = track ? mdm_track_at(track, (int)frame->number) : NULL;
    if (!at || compose->state[view->track][frame->number - track->first] != MDM_FACE_REPLACED) {
        fill_ground(&out->rgb);
        return mdm_frame_commit_rgb(out, 0, 0, 0, 0);
    }
    const float *centre = view->centre[frame->number];
    const double scale = (double)view->size / view->side, half = (double)view->size / 2.0;
    const double m[6] = {scale, 0.0, (double)centre[0] - half, 0.0, scale, (double)centre[1] - half};
    mdm_talking_window window;
    const mdm_image *picture = mdm_compose_player_picture(&window, compose, view->track);
    if (picture) {
        lay_on_ground(&out->rgb, picture, &window, m);
        return mdm_frame_commit_rgb(out, 0, 0, 0, 0);
    }
    MDM_TRY(mdm_frame_rgb(frame, (int)m[2] - 1, (int)m[5] - 1, (int)view->size + 3, (int)view->size + 3));
    mdm_image_warp(&out->rgb, &frame->rgb, m, -1);
    const mdm_shape head = mdm_shape_face(at->box);
    fade_to_ground(&out->rgb, &head, m);
    return mdm_frame_commit_rgb(out, 0, 0, 0, 0);
}
