/* Measuring the rest of a frame: faces that nobody treated, text that can still be read, pixels that should not have changed
 * (verify.h). */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stages/verify.h"

#define COVERED_SMALLEST 32 /* px: one of 22 was taken for the person under a cover two cells wide */
#define FACE_SCORE       0.5f
#define READABLE         0.6f
#define MAX_FACES        128
#define MAX_QUADS        128
#define LONGEST_SIDE     1280
#define AROUND_FACE      0.9f /* of a face's box, on every side, that its treatment may reach */

/* What was done where a box lies: the strongest state of a track that overlaps it, or -1 for none. */
static int treated(mdm_verifier *v, const float box[4], int number)
{
    int state = -1;
    for (int i = 0; i < v->found.tracks.count; i++) {
        mdm_track *track = &v->found.tracks.track[i];
        const mdm_track_frame *at = mdm_track_at(track, number);
        if (at && (mdm_box_iou(at->box, box) > 0.15f || mdm_box_overlap(at->box, box) > 0.5f)) {
            int done = v->track[i].reading[number - track->first].state;
            state = done > state ? done : state;
        }
    }
    return state;
}

/* Do mesh and recogniser find the recording's face still there at a face of the result? */
static mdm_status still_the_same(bool *out, mdm_verifier *v, const mdm_image *source, const mdm_image *result,
                                 const mdm_face_detection *face)
{
    const mdm_image *picture[2] = {source, result};
    const mdm_recogniser_kind kind = mdm_judge_kind(MDM_JUDGE_HELD_OUT);
    float vector[2][MDM_RECOGNISER_MAX];
    mdm_status status = MDM_OK;
    *out = face->width >= COVERED_SMALLEST;
    for (int side = 0; side < 2 && !status && *out; side++) {
        mdm_face_roi roi;
        mdm_mesh mesh;
        mdm_face_roi_from_detection(&roi, face);
        status = mdm_face_mesh_settle(&mesh, v->mesher[side], picture[side], &roi, 2);
        *out = !status && mesh.presence > 0.5f;
        if (*out)
            status = mdm_recogniser_embed(v->judge[MDM_JUDGE_HELD_OUT], picture[side], &mesh, vector[side]);
    }
    if (*out && !status)
        *out = mdm_recogniser_distance(kind, vector[0], vector[1]) < mdm_recogniser_match(kind);
    mdm_wipe(vector, sizeof vector);
    return status;
}

/* A face in the result is uncovered if nobody treated it and the recording has a face there as well, or if it is still the
 * recording's face by the held-out recogniser, covered or not. Replaced faces are judged frame by frame elsewhere. */
static mdm_status look_for_faces(mdm_verifier *v, const mdm_image *source, const mdm_image *result, int number)
{
    mdm_face_detection found[MAX_FACES], original[MAX_FACES];
    int count = 0, originals = -1,
        open = 0; /* -1: the recording was not looked at, which is seldom needed without a face */
    MDM_TRY(mdm_centerface_run(found, MAX_FACES, &count, v->detector, result, FACE_SCORE));
    if (mdm_verify_any_replaced(v, number)) {
        MDM_TRY(mdm_centerface_run(original, MAX_FACES, &originals, v->detector, source, FACE_SCORE));
        mdm_verify_detected(v, original, originals, found, count, number);
    }
    for (int i = 0; i < count; i++) {
        float box[4] = {found[i].x, found[i].y, found[i].width, found[i].height};
        int state = treated(v, box, number);
        if (box[2] < 10 || state == MDM_VERIFY_REPLACED)
            continue;
        if (originals < 0 && state <= MDM_VERIFY_NONE)
            MDM_TRY(mdm_centerface_run(original, MAX_FACES, &originals, v->detector, source, FACE_SCORE));
        bool same = state <= MDM_VERIFY_NONE && mdm_verify_has_face(original, originals, box);
        if (!same)
            MDM_TRY(still_the_same(&same, v, source, result, &found[i]));
        open += same;
    }
    v->uncovered_faces += open;
    v->uncovered_frames += open > 0;
    return MDM_OK;
}

static bool is_text(const char *reading, float confidence)
{
    int signs = 0;
    for (const char *p = reading; *p; p++)
        signs += isalnum((unsigned char)*p) != 0;
    return signs >= 3 && confidence >= READABLE;
}

/* Strings that can be read in the result inside a region that was to be covered. */
static mdm_status look_for_text(mdm_verifier *v, const mdm_image *result, int number)
{
    mdm_text_quad quads[MAX_QUADS];
    int count = 0;
    bool any = false;
    for (int i = 0; i < v->found.region_count; i++) {
        const mdm_region *region = &v->found.region[i];
        any |= region->count && region->quad[0].frame <= number && region->quad[region->count - 1].frame >= number;
    }
    if (!any)
        return MDM_OK;
    v->text_looks++;
    MDM_TRY(mdm_text_detector_run(quads, MAX_QUADS, &count, v->text_detector, result, LONGEST_SIDE));
    for (int q = 0; q < count; q++) {
        char reading[128] = "";
        float confidence = 0, cx = 0, cy = 0;
        for (int k = 0; k < 4; k++)
            cx += quads[q].corner[k][0] / 4, cy += quads[q].corner[k][1] / 4;
        bool inside = false;
        for (int i = 0; i < v->found.region_count && !inside; i++) {
            const mdm_region *region = &v->found.region[i];
            int at = region->count ? number - region->quad[0].frame : -1;
            if (at < 0 || at >= region->count)
                continue;
            float x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
            for (int k = 0; k < 4; k++) {
                const float *p = region->quad[at].corner[k];
                x0 = fminf(x0, p[0]), x1 = fmaxf(x1, p[0]), y0 = fminf(y0, p[1]), y1 = fmaxf(y1, p[1]);
            }
            inside = cx >= x0 && cx <= x1 && cy >= y0 && cy <= y1;
        }
        if (!inside)
            continue;
        MDM_TRY(mdm_text_reader_run(reading, sizeof reading, &confidence, v->text_reader, result, &quads[q]));
        v->readable += is_text(reading, confidence);
    }
    return MDM_OK;
}

static bool may_change(mdm_verifier *v, int x, int y, int number)
{
    for (int i = 0; i < v->found.tracks.count; i++) {
        const mdm_track_frame *at = mdm_track_at(&v->found.tracks.track[i], number);
        if (at && (float)x > at->box[0] - AROUND_FACE * at->box[2] &&
            (float)x < at->box[0] + (1 + AROUND_FACE) * at->box[2] &&
            (float)y > at->box[1] - AROUND_FACE * at->box[3] && (float)y < at->box[1] + (1 + AROUND_FACE) * at->box[3])
            return true;
    }
    for (int i = 0; i < v->found.region_count; i++) {
        const mdm_region *region = &v->found.region[i];
        int at = region->count ? number - region->quad[0].frame : -1;
        if (at < 0 || at >= region->count)
            continue;
        const float(*c)[2] = (const float(*)[2])region->quad[at].corner;
        float x0 = fminf(fminf(c[0][0], c[1][0]), fminf(c[2][0], c[3][0])),
              x1 = fmaxf(fmaxf(c[0][0], c[1][0]), fmaxf(c[2][0], c[3][0]));
        float y0 = fminf(fminf(c[0][1], c[1][1]), fminf(c[2][1], c[3][1])),
              y1 = fmaxf(fmaxf(c[0][1], c[1][1]), fmaxf(c[2][1], c[3][1]));
        float margin = 0.6f * (y1 - y0) + 16;
        if ((float)x > x0 - margin && (float)x < x1 + margin && (float)y > y0 - margin && (float)y < y1 + margin)
            return true;
    }
    for (int i = 0; i < v->work->settings->cover_count; i++) {
        const int *r = v->work->settings->cover[i];
        if (x >= r[0] - 16 && x < r[0] + r[2] + 16 && y >= r[1] - 16 && y < r[1] + r[3] + 16)
            return true;
    }
    return false;
}

/* Every fourth pixel each way: green of the result against the recording's, only the encoder may differ. */
static void compare_untouched(mdm_verifier *v, const mdm_image *source, const mdm_image *result, int number)
{
    for (int y = 0; y < source->height; y += 4)
        for (int x = 0; x < source->width; x += 4) {
            if (may_change(v, x, y, number))
                continue;
            int d = abs((int)source->data[(size_t)y * source->stride + 3 * (size_t)x + 1] -
                        (int)result->data[(size_t)y * result->stride + 3 * (size_t)x + 1]);
            v->untouched_error += (double)d * d;
            v->untouched_pixels += 1;
            v->untouched_max = d > v->untouched_max ? d : v->untouched_max;
        }
}

mdm_status mdm_verify_scene(mdm_verifier *v, const mdm_image *source, const mdm_image *result, int number)
{
    bool scene = v->work->settings->mode == MDM_MODE_SCENE;
    if (number % v->scene_every)
        return MDM_OK;
    if (scene) {
        compare_untouched(v, source, result, number);
        MDM_TRY(look_for_faces(v, source, result, number));
    }
    return v->text_detector && scene ? look_for_text(v, result, number) : MDM_OK;
}
