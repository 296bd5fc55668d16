/* Motion from meshes: pose and shape smoothed, the neutral face found. Recipe and constants: standins.md 2.1, steps 2-4. */
#include "face/motion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "face/pose.h"
#include "face/smooth.h"

#define LOST_AFTER   3 /* frames from the nearest seen one */
#define POSE_WINDOW  7
#define SCALE_WINDOW 9
#define JITTER       0.06f /* cm, what the bilateral filter takes for noise */

static float between(const float *a, const float *b, int axes)
{
    float sum = 0;
    for (int k = 0; k < axes; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sqrtf(sum);
}

void mdm_eye_opening(float out[2], const float (*p)[3])
{
    for (int e = 0; e < 2; e++) {
        const mdm_eye_index *eye = &mdm_eyes[e];
        float gap = 0;
        for (int i = 2; i < 5; i++)
            gap += between(p[eye->up[i]], p[eye->lo[i]], 2) / 3;
        out[e] = gap / fmaxf(between(p[eye->outer], p[eye->inner], 2), 1e-6f);
    }
}

float mdm_lip_gap(const float (*p)[3])
{
    float gap = 0;
    for (int i = 2; i < 7; i++)
        gap += between(p[mdm_lip_upper[i]], p[mdm_lip_lower[i]], 3) / 5;
    return gap / fmaxf(between(p[78], p[308], 3), 1e-6f);
}

void mdm_gaze_of(float out[2], const float (*p)[3], int e)
{
    const mdm_eye_index *eye = &mdm_eyes[e];
    const float *a = p[eye->outer], *b = p[eye->inner], *c = p[eye->iris];
    float width = fmaxf(between(a, b, 2), 1e-6f), ax[2] = {(b[0] - a[0]) / width, (b[1] - a[1]) / width};
    float down[2] = {-ax[1], ax[0]};
    if (down[1] < 0)
        down[0] = -down[0], down[1] = -down[1];
    float d[2] = {c[0] - (a[0] + b[0]) / 2, c[1] - (a[1] + b[1]) / 2};
    out[0] = (d[0] * ax[0] + d[1] * ax[1]) / width;
    out[1] = (d[0] * down[0] + d[1] * down[1]) / width;
}

void mdm_eyes_seen(float out[2], const float (*p)[3])
{
    float width[2];
    for (int e = 0; e < 2; e++)
        width[e] = between(p[mdm_eyes[e].outer], p[mdm_eyes[e].inner], 2);
    for (int e = 0; e < 2; e++)
        out[e] = fminf(1, fmaxf(0, (width[e] / fmaxf(width[!e], 1e-6f) - 0.45f) / 0.2f));
}

float mdm_motion_view(const mdm_motion *m, int index)
{
    double angles[3];
    mdm_pose_angles(angles, &m->pose[index]);
    return fminf(MDM_YAW_NODES - 1, fmaxf(0, (float)angles[0] / MDM_YAW_STEP + (MDM_YAW_NODES - 1) / 2.0f));
}

mdm_view_correction mdm_motion_correct(const mdm_motion *m, int index)
{
    mdm_view_correction out;
    const float at = mdm_motion_view(m, index);
    int i = at < MDM_YAW_NODES - 1 ? (int)at : MDM_YAW_NODES - 2;
    const mdm_view_correction *a = &m->correction.view[i], *b = a + 1;
    float t = at - (float)i;
    for (int e = 0; e < 2; e++)
        for (int k = 0; k < 2; k++)
            out.gaze[e][k] = a->gaze[e][k] + t * (b->gaze[e][k] - a->gaze[e][k]);
    for (int k = 0; k < 3; k++)
        out.turn[k] = a->turn[k] + t * (b->turn[k] - a->turn[k]);
    return out;
}

mdm_status mdm_motion_alloc(mdm_motion *m, int count)
{
    size_t n = (size_t)count;
    memset(m, 0, sizeof *m);
    m->count = count;
    mdm_status status = mdm_alloc(&m->pose, n, sizeof *m->pose, "motion");
    if (!status)
        status = mdm_alloc(&m->shape, n, sizeof *m->shape, "motion");
    if (!status)
        status = mdm_alloc(&m->eyes, n, sizeof *m->eyes, "motion");
    if (!status)
        status = mdm_alloc(&m->gaze, n, sizeof *m->gaze, "motion");
    if (!status)
        status = mdm_alloc(&m->lips, n, sizeof *m->lips, "motion");
    if (!status)
        status = mdm_alloc(&m->light, n, sizeof *m->light, "motion");
    if (!status)
        status = mdm_alloc(&m->teeth, n, sizeof *m->teeth, "motion");
    if (!status)
        status = mdm_alloc(&m->valid, n, 1, "motion");
    m->correction.eye_gain = m->correction.lip_gain = 1;
    for (int k = 0; k < MDM_REST_MOVES; k++)
        m->correction.gain[k] = 1;
    m->look.contrast = 1;
    m->look.depth = MDM_USUAL_DEPTH;
    if (status)
        mdm_motion_free(m);
    return status;
}

void mdm_motion_free(mdm_motion *m)
{
    if (m->shape)
        mdm_wipe(m->shape, (size_t)m->count * sizeof *m->shape);
    mdm_free(&m->pose);
    mdm_free(&m->shape);
    mdm_free(&m->eyes);
    mdm_free(&m->gaze);
    mdm_free(&m->lips);
    mdm_free(&m->light);
    mdm_free(&m->teeth);
    mdm_free(&m->valid);
    memset(m, 0, sizeof *m);
}

/* The track's mesh at `index`, in a straight line between the nearest frames that have one. false: none at all. */
static bool mesh_at(float (*out)[3], const mdm_track *track, int index, int *distance)
{
    int before = index, after = index;
    while (before >= 0 && !track->frame[before].has_mesh)
        before--;
    while (after < track->count && !track->frame[after].has_mesh)
        after++;
    if (before < 0 && after >= track->count)
        return false;
    if (before < 0)
        before = after;
    if (after >= track->count)
        after = before;
    float t = after > before ? (float)(index - before) / (float)(after - before) : 0;
    for (int p = 0; p < MDM_MESH_POINTS; p++)
        for (int k = 0; k < 3; k++)
            out[p][k] = track->point[before][p][k] + t * (track->point[after][p][k] - track->point[before][p][k]);
    int near = abs(index - before), far = abs(after - index);
    *distance = near < far ? near : far;
    return true;
}

static mdm_status smooth_pose(mdm_motion *m, const mdm_canonical *canonical)
{
    enum { SCALE, ROTATION = 1, CENTRE = 10, WIDTH = 13 };
    double *scale = NULL, *rotation = NULL, *centre = NULL, c[3] = {0};
    size_t n = (size_t)m->count;
    for (int i = 0; i < MDM_RIGID; i++)
        for (int k = 0; k < 3; k++)
            c[k] += (double)canonical->vertex[mdm_rigid[i]][k] / MDM_RIGID;
    mdm_status status = mdm_alloc(&scale, n, sizeof *scale, "pose");
    if (!status)
        status = mdm_alloc(&rotation, n * 9, sizeof *rotation, "pose");
    if (!status)
        status = mdm_alloc(&centre, n * 3, sizeof *centre, "pose");
    for (size_t i = 0; i < n && !status; i++) {
        const mdm_pose *p = &m->pose[i];
        scale[i] = log(p->scale);
        memcpy(rotation + 9 * i, p->rotation, sizeof p->rotation);
        /* the rigid points' centre is smoothed, never the raw shift: that mixes rotation and scale */
        for (int r = 0; r < 3; r++)
            centre[3 * i + (size_t)r] =
                p->shift[r] +
                p->scale * (p->rotation[3 * r] * c[0] + p->rotation[3 * r + 1] * c[1] + p->rotation[3 * r + 2] * c[2]);
    }
    if (!status)
        status = mdm_savgol(scale, m->count, 1, SCALE_WINDOW, 2);
    if (!status)
        status = mdm_savgol(rotation, m->count, 9, POSE_WINDOW, 2);
    if (!status)
        status = mdm_savgol(centre, m->count, 3, POSE_WINDOW, 2);
    for (size_t i = 0; i < n && !status; i++) {
        mdm_pose *p = &m->pose[i];
        p->scale = exp(scale[i]);
        memcpy(p->rotation, rotation + 9 * i, sizeof p->rotation);
        mdm_rotation_nearest(p->rotation);
        for (int r = 0; r < 3; r++)
            p->shift[r] =
                centre[3 * i + (size_t)r] -
                p->scale * (p->rotation[3 * r] * c[0] + p->rotation[3 * r + 1] * c[1] + p->rotation[3 * r + 2] * c[2]);
    }
    mdm_free(&scale);
    mdm_free(&rotation);
    mdm_free(&centre);
    return status;
}

/* Linear-interpolated quantile; sorts `values`. */
static float quantile(float *values, int count, float q)
{
    mdm_sort(values, (size_t)count);
    float at = q * (float)(count - 1);
    int i = (int)at;
    return i + 1 < count ? values[i] + (at - (float)i) * (values[i + 1] - values[i]) : values[i];
}

/* Median, over the frames marked, of one number a frame. */
static float median_of(const float *numbers, size_t stride, const uint8_t *marked, int count, float *buffer)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (marked[i])
            buffer[n++] = numbers[(size_t)i * stride];
    return quantile(buffer, n, 0.5f);
}

static int count_marked(const uint8_t *marked, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += marked[i];
    return n;
}

/* The neutral: median of frames that look ahead, with eyes as usual and lips closed, over the whole track. */
static mdm_status find_neutral(mdm_motion *m)
{
    float *buffer = NULL, *yaw = NULL, *open = NULL;
    uint8_t *front = NULL, *good = NULL;
    size_t n = (size_t)m->count;
    mdm_status status = mdm_alloc(&buffer, n, sizeof *buffer, "neutral");
    if (!status)
        status = mdm_alloc(&yaw, n, sizeof *yaw, "neutral");
    if (!status)
        status = mdm_alloc(&open, n, sizeof *open, "neutral");
    if (!status)
        status = mdm_alloc(&front, n, 1, "neutral");
    if (!status)
        status = mdm_alloc(&good, n, 1, "neutral");
    if (!status) {
        for (int i = 0; i < m->count; i++) {
            double angles[3];
            mdm_pose_angles(angles, &m->pose[i]);
            yaw[i] = (float)angles[0];
            open[i] = (m->eyes[i][0] + m->eyes[i][1]) / 2;
        }
        /* a head that is mostly turned away still shows its shape best where it is turned least */
        int seen = 0;
        for (int i = 0; i < m->count; i++)
            if (m->valid[i])
                buffer[seen++] = fabsf(yaw[i]);
        float least = quantile(buffer, seen, 0.2f);
        for (int i = 0; i < m->count; i++)
            front[i] = m->valid[i] && fabsf(yaw[i]) < least + 12;
        if (count_marked(front, m->count) < 5)
            memcpy(front, m->valid, n);
        int k = 0;
        for (int i = 0; i < m->count; i++)
            if (front[i])
                buffer[k++] = open[i];
        float low = quantile(buffer, k, 0.35f), high = quantile(buffer, k, 0.75f);
        k = 0;
        for (int i = 0; i < m->count; i++)
            if (front[i])
                buffer[k++] = m->lips[i];
        float closed = quantile(buffer, k, 0.4f);
        for (int i = 0; i < m->count; i++)
            good[i] = front[i] && open[i] >= low && open[i] <= high && m->lips[i] <= closed;
        if (count_marked(good, m->count) < 3)
            memcpy(good, front, n);
        const size_t stride = MDM_MESH_VERTICES * 3;
        for (size_t v = 0; v < stride; v++)
            (&m->neutral[0][0])[v] = median_of(&m->shape[0][0][0] + v, stride, good, m->count, buffer);
        for (int e = 0; e < 2; e++)
            m->eye_neutral[e] = fmaxf(median_of(&m->eyes[0][0] + e, 2, good, m->count, buffer), 1e-3f);
    }
    mdm_free(&buffer);
    mdm_free(&yaw);
    mdm_free(&open);
    mdm_free(&front);
    mdm_free(&good);
    return status;
}

/* Eyes move together: where one is hardly seen it follows the other, at the distance they usually keep. seen[count]. */
static mdm_status couple_eyes(mdm_motion *m, const float (*seen)[2])
{
    float *buffer = NULL, apart[2] = {0};
    MDM_TRY(mdm_alloc(&buffer, (size_t)m->count, sizeof *buffer, "gaze"));
    for (int k = 0; k < 2; k++) {
        int n = 0; /* their outer-to-inner axes point at each other */
        for (int i = 0; i < m->count; i++)
            if (seen[i][0] >= 1 && seen[i][1] >= 1)
                buffer[n++] = m->gaze[i][1][k] + (k ? -1.0f : 1.0f) * m->gaze[i][0][k];
        apart[k] = n ? quantile(buffer, n, 0.5f) : 0;
    }
    for (int i = 0; i < m->count; i++)
        for (int k = 0; k < 2; k++) {
            const float both[2] = {m->gaze[i][0][k], m->gaze[i][1][k]};
            for (int e = 0; e < 2; e++) {
                float follows = k ? both[!e] + (e ? 1.0f : -1.0f) * apart[k] : apart[k] - both[!e];
                m->gaze[i][e][k] = follows + seen[i][e] * (both[e] - follows);
            }
        }
    mdm_free(&buffer);
    return MDM_OK;
}

/* Gaze from corners and irises that are smoothed as the shape is, in the head's own frame: raw irises tremble visibly, and a
 * look from side to side (a few tenths of a cm) stays as quick as it was. Reads the poses before they are smoothed. */
static mdm_status smooth_gaze(mdm_motion *m, const mdm_track *track)
{
    enum { OUTER, INNER, IRIS, EYE, POINTS = 2 * EYE };
    float(*place)[POINTS][3] = NULL, points[MDM_MESH_POINTS][3], (*seen)[2] = NULL;
    int distance;
    mdm_status status = mdm_alloc(&place, (size_t)m->count, sizeof *place, "gaze");
    if (!status)
        status = mdm_alloc(&seen, (size_t)m->count, sizeof *seen, "gaze");
    for (int i = 0; i < m->count && !status; i++) {
        mesh_at(points, track, i, &distance);
        for (int e = 0; e < 2; e++) {
            const int which[EYE] = {mdm_eyes[e].outer, mdm_eyes[e].inner, mdm_eyes[e].iris};
            for (int k = 0; k < EYE; k++)
                memcpy(place[i][e * EYE + k], points[which[k]], sizeof points[0]);
        }
        mdm_to_head(place[i], (const float(*)[3])place[i], POINTS, &m->pose[i]);
    }
    if (!status)
        status = mdm_bilateral(&place[0][0][0], m->count, POINTS, JITTER);
    for (int i = 0; i < m->count && !status; i++) {
        mdm_to_image(place[i], (const float(*)[3])place[i], POINTS, &m->pose[i]);
        for (int e = 0; e < 2; e++) {
            memcpy(points[mdm_eyes[e].outer], place[i][e * EYE + OUTER], sizeof points[0]);
            memcpy(points[mdm_eyes[e].inner], place[i][e * EYE + INNER], sizeof points[0]);
            memcpy(points[mdm_eyes[e].iris], place[i][e * EYE + IRIS], sizeof points[0]);
            mdm_gaze_of(m->gaze[i][e], (const float(*)[3])points, e);
        }
        mdm_eyes_seen(seen[i], (const float(*)[3])points);
    }
    if (!status)
        status = couple_eyes(m, (const float(*)[2])seen);
    mdm_free(&seen);
    mdm_free(&place);
    return status;
}

mdm_status mdm_motion_from_track(mdm_motion *out, const mdm_track *track, const mdm_canonical *canonical, double fps)
{
    float points[MDM_MESH_POINTS][3];
    int distance;
    memset(out, 0, sizeof *out);
    if (track->count < 1 || !mesh_at(points, track, 0, &distance))
        return mdm_fail(MDM_ERR_INPUT, "track %d has no frame with a mesh", track->id);
    MDM_TRY(mdm_motion_alloc(out, track->count));
    mdm_motion *m = out;
    m->track = track->id;
    m->first = track->first;
    m->fps = fps;
    for (int i = 0; i < m->count; i++) {
        mesh_at(points, track, i, &distance);
        m->valid[i] = distance <= LOST_AFTER;
        mdm_pose_fit(&m->pose[i], (const float(*)[3])points, canonical);
        mdm_to_head(m->shape[i], (const float(*)[3])points, MDM_MESH_VERTICES, &m->pose[i]);
    }
    mdm_status status = smooth_gaze(m, track);
    if (!status)
        status = smooth_pose(m, canonical);
    if (!status)
        status = mdm_bilateral(&m->shape[0][0][0], m->count, MDM_MESH_VERTICES, JITTER);
    for (int i = 0; i < m->count && !status; i++) {
        mdm_eye_opening(m->eyes[i], (const float(*)[3])m->shape[i]);
        m->lips[i] = mdm_lip_gap((const float(*)[3])m->shape[i]);
    }
    if (!status)
        status = find_neutral(m);
    if (status)
        mdm_motion_free(m);
    return status;
}

void mdm_motion_rest(mdm_motion *m, const float (*standin)[3])
{
    float person[MDM_RESTS], own[MDM_RESTS];
    mdm_rest_measure(person, (const float(*)[3])m->neutral);
    mdm_rest_measure(own, standin);
    m->rests = true;
    memset(m->correction.rest, 0, sizeof m->correction.rest);
    mdm_rest_add(m->correction.rest, person, own, 1);
}

void mdm_motion_image(float (*out)[3], const mdm_motion *motion, int index)
{
    mdm_to_image(out, (const float(*)[3])motion->shape[index], MDM_MESH_VERTICES, &motion->pose[index]);
}
