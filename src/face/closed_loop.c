/* The closed loop. */
#include "face/closed_loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"
#include "face/pose.h"

#define ROUNDS   4
#define FEWEST   6  /* probes for a gain */
#define TAUGHT   3  /* probes for a view */
#define EXTREMES 4  /* probes with the narrowest eyes, and with the widest lips */
#define ONE_VIEW 18 /* more probes, of a head that does not turn */
#define A_VIEW   8  /* and of each view of one that does */

typedef struct reading {
    bool ok;
    int view; /* the nearest of the correction's yaws */
    bool frontal;
    float eyes, lips, rest[MDM_RESTS], gaze[2][2], seen[2];
    mdm_pose pose;
} reading;

static int view_of(const mdm_motion *m, int index)
{
    return (int)lroundf(mdm_motion_view(m, index));
}

static bool usable(const mdm_motion *m, int index)
{
    double angles[3];
    mdm_pose_angles(angles, &m->pose[index]);
    return m->valid[index] && fabs(angles[0]) < MDM_LARGEST_YAW && fabs(angles[1]) < 20;
}

static bool frontal(const mdm_motion *m, int index)
{
    double angles[3];
    mdm_pose_angles(angles, &m->pose[index]);
    return usable(m, index) && fabs(angles[0]) < 25;
}

static void insert(int *indices, int *count, int max, int index)
{
    int k = *count;
    for (int i = 0; i < *count; i++)
        if (indices[i] == index)
            return;
    if (k == max)
        return;
    for (; k > 0 && indices[k - 1] > index; k--)
        indices[k] = indices[k - 1];
    indices[k] = index;
    (*count)++;
}

int mdm_probe_choose(int *indices, int max, const mdm_motion *m)
{
    int total = 0, count = 0, views = 0, in_view[MDM_YAW_NODES] = {0};
    for (int i = 0; i < m->count; i++)
        if (usable(m, i))
            total++, in_view[view_of(m, i)]++;
    if (!total)
        return 0;
    for (int pass = 0; pass < 2; pass++) /* narrowest eyes, widest lips */
        for (int k = 0; k < EXTREMES && k < max / 6; k++) {
            int best = -1;
            for (int i = 0; i < m->count; i++) {
                bool taken = false;
                for (int j = 0; j < count; j++)
                    taken |= abs(indices[j] - i) < 3;
                if (taken || !frontal(m, i))
                    continue;
                if (best < 0 || (pass ? m->lips[i] > m->lips[best]
                                      : m->eyes[i][0] + m->eyes[i][1] < m->eyes[best][0] + m->eyes[best][1]))
                    best = i;
            }
            if (best >= 0)
                insert(indices, &count, max, best);
        }
    for (int v = 0; v < MDM_YAW_NODES; v++)
        views += in_view[v] >= TAUGHT;
    for (int v = 0; v < MDM_YAW_NODES; v++) {
        int spread = views > 1 ? A_VIEW : ONE_VIEW, seen = 0, next = 0;
        for (int i = 0; i < m->count && next < spread; i++) /* evenly over the frames of the view */
            if (usable(m, i) && view_of(m, i) == v) {
                if (seen >= (int)((long long)next * (in_view[v] - 1) / (spread - 1))) {
                    insert(indices, &count, max, i);
                    while (next < spread && (long long)next * (in_view[v] - 1) / (spread - 1) <= seen)
                        next++;
                }
                seen++;
            }
    }
    return count;
}

/* One measurement, the crop taken from where the motion says the face is: the same on both sides. */
static mdm_status measure(reading *out, mdm_face_mesh *mesher, const mdm_image *image, const mdm_motion *m, int index,
                          const mdm_canonical *canonical)
{
    mdm_mesh mesh = {0};
    mdm_face_roi roi;
    float points[MDM_MESH_VERTICES][3], shape[MDM_MESH_VERTICES][3];
    mdm_motion_image(points, m, index);
    memcpy(mesh.point, points, sizeof points);
    for (int i = MDM_MESH_VERTICES; i < MDM_MESH_POINTS; i++)
        memcpy(mesh.point[i], points[168],
               sizeof points[168]); /* irises: anywhere inside, the crop does not ask for them */
    mdm_face_roi_from_mesh(&roi, &mesh);
    MDM_TRY(mdm_face_mesh_run(&mesh, mesher, image, &roi));
    out->ok = mesh.presence > 0.5f;
    mdm_pose_fit(&out->pose, (const float(*)[3])mesh.point, canonical);
    mdm_to_head(shape, (const float(*)[3])mesh.point, MDM_MESH_VERTICES, &out->pose);
    float eyes[2];
    mdm_eye_opening(eyes, (const float(*)[3])shape);
    out->eyes = (eyes[0] + eyes[1]) / 2;
    out->lips = mdm_lip_gap((const float(*)[3])shape);
    mdm_rest_measure(out->rest, (const float(*)[3])shape);
    out->view = view_of(m, index);
    out->frontal = frontal(m, index);
    mdm_eyes_seen(out->seen, (const float(*)[3])points);
    for (int e = 0; e < 2; e++)
        mdm_gaze_of(out->gaze[e], (const float(*)[3])mesh.point, e);
    return MDM_OK;
}

/* Slope of y over x by least squares, and the spread of x. */
static float slope_of(const float *x, const float *y, int n, float *range)
{
    float mx = 0, my = 0, xx = 0, xy = 0, low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++)
        mx += x[i] / (float)n, my += y[i] / (float)n, low = fminf(low, x[i]), high = fmaxf(high, x[i]);
    for (int i = 0; i < n; i++)
        xx += (x[i] - mx) * (x[i] - mx), xy += (x[i] - mx) * (y[i] - my);
    *range = high - low;
    return xx > 0 ? xy / xx : 1;
}

/* Relative rotation source^T * result as a small rotation vector. */
static void turn_between(float out[3], const mdm_pose *source, const mdm_pose *result)
{
    double d[9];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            d[3 * r + c] = 0;
            for (int k = 0; k < 3; k++)
                d[3 * r + c] += source->rotation[3 * k + r] * result->rotation[3 * k + c];
        }
    out[0] = (float)((d[7] - d[5]) / 2), out[1] = (float)((d[2] - d[6]) / 2), out[2] = (float)((d[3] - d[1]) / 2);
}

/* How far the rendered readings are from the recording's: openings, the resting expression, and of each view gaze and turn. */
typedef struct mismatch {
    float openings, rest[MDM_RESTS], gaze[MDM_YAW_NODES], turn[MDM_YAW_NODES];
} mismatch;

static void compare(mismatch *out, const reading *source, const reading *result, int count)
{
    float n = 0, of_view[MDM_YAW_NODES] = {0};
    memset(out, 0, sizeof *out);
    for (int i = 0; i < count; i++) {
        const reading *a = &source[i], *b = &result[i];
        float turn[3];
        if (!a->ok || !b->ok)
            continue;
        turn_between(turn, &a->pose, &b->pose);
        out->openings += 2 * fabsf(a->eyes - b->eyes) + fabsf(a->lips - b->lips);
        for (int k = 0; k < MDM_RESTS; k++)
            out->rest[k] += fabsf(a->rest[k] - b->rest[k]);
        for (int e = 0; e < 2; e++)
            out->gaze[a->view] += a->seen[e] * hypotf(a->gaze[e][0] - b->gaze[e][0], a->gaze[e][1] - b->gaze[e][1]);
        out->turn[a->view] += fabsf(turn[0]) + fabsf(turn[1]) + fabsf(turn[2]);
        n += 1, of_view[a->view] += 1;
    }
    out->openings /= fmaxf(n, 1);
    for (int v = 0; v < MDM_YAW_NODES; v++)
        out->gaze[v] /= fmaxf(of_view[v], 1), out->turn[v] /= fmaxf(of_view[v], 1);
}

static void correct_gains(mdm_motion_correction *c, const reading *source, const reading *result, const int *ok, int n)
{
    float a[MDM_PROBES], b[MDM_PROBES], x[MDM_PROBES], y[MDM_PROBES], range;
    if (n < FEWEST)
        return;
    for (int i = 0; i < n; i++)
        a[i] = x[i] = source[ok[i]].eyes, b[i] = y[i] = result[ok[i]].eyes;
    float middle_a = fmaxf(mdm_median(x, (size_t)n), 1e-4f), middle_b = fmaxf(mdm_median(y, (size_t)n), 1e-4f);
    for (int i = 0; i < n; i++)
        x[i] = a[i] / middle_a, y[i] = b[i] / middle_b;
    float slope = slope_of(x, y, n, &range);
    if (range > 0.25f)
        c->eye_gain = mdm_clampf(c->eye_gain / mdm_clampf(slope, 0.4f, 1.5f), 0.8f, 1.6f);
    for (int i = 0; i < n; i++)
        x[i] = source[ok[i]].lips, y[i] = result[ok[i]].lips;
    slope = slope_of(x, y, n, &range);
    if (range > 0.08f)
        c->lip_gain = mdm_clampf(c->lip_gain / mdm_clampf(slope, 0.5f, 1.5f), 0.8f, 1.5f);
}

/* How much less the stand-in's expression moves than the person's. */
static void correct_moves(mdm_motion_correction *c, const reading *source, const reading *result, const int *ok, int n)
{
    static const float least[MDM_REST_MOVES] = {0.35f, 0.6f, 0.4f, 0.4f}; /* cm, that tell it */
    float x[MDM_PROBES], y[MDM_PROBES], range;
    if (n < FEWEST)
        return;
    for (int k = 0; k < MDM_REST_MOVES; k++) {
        for (int i = 0; i < n; i++)
            x[i] = source[ok[i]].rest[k], y[i] = result[ok[i]].rest[k];
        float slope = slope_of(x, y, n, &range);
        if (range > least[k])
            c->gain[k] = mdm_clampf(c->gain[k] / mdm_clampf(slope, 0.6f, 1.4f), 0.8f, 1.6f);
    }
}

/* Differences of the medians: a face at rest, though some of the probes speak or blink. */
static void correct_rest(mdm_motion_correction *c, const reading *source, const reading *result, const int *ok, int n)
{
    float person[MDM_RESTS], standin[MDM_RESTS], x[MDM_PROBES], y[MDM_PROBES];
    for (int k = 0; k < MDM_RESTS; k++) {
        for (int i = 0; i < n; i++)
            x[i] = source[ok[i]].rest[k], y[i] = result[ok[i]].rest[k];
        person[k] = mdm_median(x, (size_t)n), standin[k] = mdm_median(y, (size_t)n);
    }
    mdm_rest_add(c->rest, person, standin, 0.8f);
}

/* The probes `ok` are of one view. `open`: eyes wider than this tell gaze, where `fewest` do. */
static void correct_view(mdm_view_correction *c, const reading *source, const reading *result, const int *ok, int n,
                         float open, int fewest)
{
    float x[MDM_PROBES];
    for (int e = 0; e < 2; e++)
        for (int k = 0; k < 2; k++) {
            int told = 0;
            for (int i = 0; i < n; i++)
                if (source[ok[i]].eyes > open && source[ok[i]].seen[e] > 0.5f)
                    x[told++] = source[ok[i]].gaze[e][k] - result[ok[i]].gaze[e][k];
            if (told > 0 && told >= fewest)
                c->gaze[e][k] = mdm_clampf(c->gaze[e][k] + 0.8f * mdm_median(x, (size_t)told), -0.2f, 0.2f);
        }
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < n; i++) {
            float turn[3];
            turn_between(turn, &source[ok[i]].pose, &result[ok[i]].pose);
            x[i] = turn[k];
        }
        c->turn[k] = mdm_clampf(c->turn[k] - 0.8f * mdm_median(x, (size_t)n), -0.12f, 0.12f);
    }
}

/* Views without enough probes take the correction of the nearest that has, first towards the front. */
static void share_views(mdm_motion_correction *c, const bool *taught)
{
    const int middle = (MDM_YAW_NODES - 1) / 2;
    for (int v = 0; v < MDM_YAW_NODES; v++)
        for (int far = 1; far < MDM_YAW_NODES && !taught[v]; far++) {
            int in = v < middle ? v + far : v - far, out = v < middle ? v - far : v + far;
            int from = in >= 0 && in < MDM_YAW_NODES && taught[in]      ? in
                       : out >= 0 && out < MDM_YAW_NODES && taught[out] ? out
                                                                        : -1;
            if (from < 0)
                continue;
            c->view[v] = c->view[from];
            break;
        }
}

static void correct(mdm_motion_correction *c, bool rests, bool *taught, const reading *source, const reading *result,
                    int count)
{
    int ok[MDM_PROBES], n = 0, front[MDM_PROBES], fronts = 0;
    float eyes[MDM_PROBES];
    for (int i = 0; i < count; i++)
        if (source[i].ok && result[i].ok) {
            eyes[n] = source[i].eyes;
            ok[n++] = i;
            if (source[i].frontal)
                front[fronts++] = i;
        }
    if (!n)
        return;
    const int fewest = n < TAUGHT ? n : TAUGHT; /* a still teaches its own view */
    float open = 0.8f * mdm_median(eyes, (size_t)n);
    for (int v = 0; v < MDM_YAW_NODES; v++) {
        int of[MDM_PROBES], k = 0;
        for (int i = 0; i < n; i++)
            if (source[ok[i]].view == v)
                of[k++] = ok[i];
        taught[v] = k >= fewest;
        if (taught[v])
            correct_view(&c->view[v], source, result, of, k, open, fewest);
    }
    share_views(c, taught);
    correct_gains(c, source, result, front, fronts);
    if (rests)
        correct_rest(c, source, result, ok, n);
    correct_moves(c, source, result, front, fronts);
}

/* Measuring the probes, of the recording or as drawn, on two cores. */
typedef struct look {
    reading *out;
    const mdm_motion *motion;
    const mdm_canonical *canonical;
    const mdm_probe *probes;
    mdm_face_mesh *const *mesher;
    mdm_renderer *renderer[MDM_SHARERS];
} look;

static mdm_status measure_source(void *user, int i, int sharer)
{
    const look *l = user;
    return measure(&l->out[i], l->mesher[sharer], &l->probes[i].image, l->motion, l->probes[i].index, l->canonical);
}

static mdm_status measure_drawn(void *user, int i, int sharer)
{
    const look *l = user;
    mdm_image copy = {0};
    MDM_TRY(mdm_image_copy(&copy, &l->probes[i].image));
    mdm_status status = mdm_renderer_draw(l->renderer[sharer], &copy, l->probes[i].index);
    if (!status)
        status = measure(&l->out[i], l->mesher[sharer], &copy, l->motion, l->probes[i].index, l->canonical);
    mdm_image_free(&copy);
    return status;
}

mdm_status mdm_close_loop(mdm_motion *m, const mdm_standin *standin, const mdm_canonical *canonical,
                          mdm_face_mesh *const mesher[MDM_SHARERS], const mdm_probe *probes, int count)
{
    reading source[MDM_PROBES], result[MDM_PROBES];
    look l = {.out = source, .motion = m, .canonical = canonical, .probes = probes, .mesher = mesher};
    if (count > MDM_PROBES)
        count = MDM_PROBES;
    if (count < 1)
        return MDM_OK;
    mdm_status status = mdm_share(count, measure_source, &l);
    for (int i = 0; i < MDM_SHARERS && !status; i++)
        status = mdm_renderer_new(&l.renderer[i], canonical, m, standin);
    l.out = result;
    mdm_motion_correction best = m->correction;
    mismatch least = {0};
    bool taught[MDM_YAW_NODES] = {0};
    for (int round = 0; round <= ROUNDS && !status; round++) {
        status = mdm_share(count, measure_drawn, &l);
        if (status)
            break;
        mismatch now;
        compare(&now, source, result, count);
        mdm_log(MDM_LOG_DEBUG, "track %d: round %d: openings off by %.4f, gaze ahead by %.4f", m->track, round,
                (double)now.openings, (double)now.gaze[(MDM_YAW_NODES - 1) / 2]);
        if (!round || now.openings < least.openings) {
            least.openings = now.openings;
            best.eye_gain = m->correction.eye_gain, best.lip_gain = m->correction.lip_gain;
        }
        for (int k = 0; k < MDM_RESTS; k++)
            if (!round || now.rest[k] < least.rest[k]) {
                least.rest[k] = now.rest[k];
                best.rest[k] = m->correction.rest[k];
                if (k < MDM_REST_MOVES)
                    best.gain[k] = m->correction.gain[k];
            }
        for (int v = 0; v < MDM_YAW_NODES; v++) {
            if (!round || now.gaze[v] < least.gaze[v]) {
                least.gaze[v] = now.gaze[v];
                memcpy(best.view[v].gaze, m->correction.view[v].gaze, sizeof best.view[v].gaze);
            }
            if (!round || now.turn[v] < least.turn[v]) {
                least.turn[v] = now.turn[v];
                memcpy(best.view[v].turn, m->correction.view[v].turn, sizeof best.view[v].turn);
            }
        }
        if (round < ROUNDS)
            correct(&m->correction, m->rests, taught, source, result, count);
    }
    share_views(&best, taught);
    m->correction = best;
    for (int i = 0; i < MDM_SHARERS; i++)
        mdm_renderer_free(&l.renderer[i]);
    return status;
}
