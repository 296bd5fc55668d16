/* The closed loop. */
#include "face/closed_loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "face/pose.h"

#define MAX_PROBES 32
#define ROUNDS     2
#define FEWEST     6

typedef struct reading {
    bool ok;
    float eyes, lips, gaze[2][2];
    mdm_pose pose;
} reading;

static float clampf(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

static bool frontal(const mdm_motion *m, int index)
{
    double angles[3];
    mdm_pose_angles(angles, &m->pose[index]);
    return m->valid[index] && fabs(angles[0]) < 25 && fabs(angles[1]) < 20;
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
    int total = 0, count = 0, extremes = max / 6;
    for (int i = 0; i < m->count; i++)
        total += frontal(m, i);
    if (total < FEWEST)
        return 0;
    for (int pass = 0; pass < 2; pass++) /* narrowest eyes, widest lips */
        for (int k = 0; k < extremes; k++) {
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
    int spread = max - count;
    for (int k = 0; k < spread; k++) {
        int want = spread > 1 ? (int)((long long)k * (total - 1) / (spread - 1)) : total / 2, seen = 0;
        for (int i = 0; i < m->count; i++)
            if (frontal(m, i) && seen++ == want) {
                insert(indices, &count, max, i);
                break;
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
    for (int e = 0; e < 2; e++)
        mdm_gaze_of(out->gaze[e], (const float(*)[3])mesh.point, e);
    return MDM_OK;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float median(float *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
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

/* One number for how far the rendered readings are from the recording's. */
static float mismatch(const reading *source, const reading *result, int count)
{
    float sum = 0, n = 0;
    for (int i = 0; i < count; i++) {
        float turn[3];
        if (!source[i].ok || !result[i].ok)
            continue;
        turn_between(turn, &source[i].pose, &result[i].pose);
        sum += 2 * fabsf(source[i].eyes - result[i].eyes) + fabsf(source[i].lips - result[i].lips);
        for (int e = 0; e < 2; e++)
            sum +=
                fabsf(source[i].gaze[e][0] - result[i].gaze[e][0]) + fabsf(source[i].gaze[e][1] - result[i].gaze[e][1]);
        sum += fabsf(turn[0]) + fabsf(turn[1]) + fabsf(turn[2]);
        n += 1;
    }
    return n > 0 ? sum / n : INFINITY;
}

static void correct(mdm_motion_correction *c, const reading *source, const reading *result, int count)
{
    float a[MAX_PROBES], b[MAX_PROBES], x[MAX_PROBES], y[MAX_PROBES], range;
    int ok[MAX_PROBES], n = 0;
    for (int i = 0; i < count; i++)
        if (source[i].ok && result[i].ok)
            ok[n++] = i;
    if (n < FEWEST)
        return;
    for (int i = 0; i < n; i++)
        a[i] = source[ok[i]].eyes, b[i] = result[ok[i]].eyes;
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    float middle_a = fmaxf(median(x, n), 1e-4f), middle_b = fmaxf(median(y, n), 1e-4f);
    for (int e = 0; e < 2; e++)
        for (int k = 0; k < 2; k++) {
            int open = 0;
            for (int i = 0; i < n; i++)
                if (a[i] > 0.8f * middle_a)
                    x[open++] = source[ok[i]].gaze[e][k] - result[ok[i]].gaze[e][k];
            if (open > 3)
                c->gaze[e][k] = clampf(c->gaze[e][k] + 0.8f * median(x, open), -0.2f, 0.2f);
        }
    for (int i = 0; i < n; i++)
        x[i] = a[i] / middle_a, y[i] = b[i] / middle_b;
    float slope = slope_of(x, y, n, &range);
    if (range > 0.25f)
        c->eye_gain = clampf(c->eye_gain / clampf(slope, 0.4f, 1.5f), 0.8f, 1.6f);
    for (int i = 0; i < n; i++)
        x[i] = source[ok[i]].lips, y[i] = result[ok[i]].lips;
    slope = slope_of(x, y, n, &range);
    if (range > 0.08f)
        c->lip_gain = clampf(c->lip_gain / clampf(slope, 0.5f, 1.5f), 0.8f, 1.5f);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < n; i++) {
            float turn[3];
            turn_between(turn, &source[ok[i]].pose, &result[ok[i]].pose);
            x[i] = turn[k];
        }
        c->turn[k] = clampf(c->turn[k] - 0.8f * median(x, n), -0.12f, 0.12f);
    }
}

static mdm_status render_all(reading *out, mdm_renderer *renderer, mdm_face_mesh *mesher, const mdm_motion *m,
                             const mdm_probe *probes, int count, const mdm_canonical *canonical)
{
    for (int i = 0; i < count; i++) {
        mdm_image copy = {0};
        MDM_TRY(mdm_image_copy(&copy, &probes[i].image));
        mdm_status status = mdm_renderer_draw(renderer, &copy, probes[i].index);
        if (!status)
            status = measure(&out[i], mesher, &copy, m, probes[i].index, canonical);
        mdm_image_free(&copy);
        MDM_TRY(status);
    }
    return MDM_OK;
}

mdm_status mdm_close_loop(mdm_motion *m, const mdm_standin *standin, const mdm_canonical *canonical,
                          mdm_face_mesh *mesher, const mdm_probe *probes, int count)
{
    reading source[MAX_PROBES], result[MAX_PROBES];
    mdm_renderer *renderer;
    if (count > MAX_PROBES)
        count = MAX_PROBES;
    if (count < FEWEST)
        return MDM_OK;
    MDM_TRY(mdm_renderer_new(&renderer, canonical, m, standin));
    mdm_status status = MDM_OK;
    for (int i = 0; i < count && !status; i++)
        status = measure(&source[i], mesher, &probes[i].image, m, probes[i].index, canonical);
    mdm_motion_correction best = m->correction;
    float least = INFINITY;
    for (int round = 0; round <= ROUNDS && !status; round++) {
        status = render_all(result, renderer, mesher, m, probes, count, canonical);
        if (status)
            break;
        float now = mismatch(source, result, count);
        mdm_log(MDM_LOG_DEBUG, "track %d: round %d: mismatch %.4f", m->track, round, (double)now);
        if (now < least)
            least = now, best = m->correction;
        if (round < ROUNDS)
            correct(&m->correction, source, result, count);
    }
    m->correction = best;
    mdm_renderer_free(&renderer);
    return status;
}
