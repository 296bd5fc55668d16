/* Shape transfer, step 6 of standins.md 2.1. */
#include "face/transfer.h"

#include <math.h>
#include <string.h>

#include "base/order.h"
#include "face/pose.h"

#define OUTLINE   0.5f  /* cosine to the camera under which skin counts as the edge of a turned face */
#define LIP_EDGE  0.8f  /* of the inner lip's step that the outer edge takes */
#define EYE_FLOOR 0.15f /* the mesh never reports a shut eye as 0 */

static float extent(const float (*p)[3], int a, int b)
{
    float d[3] = {p[a][0] - p[b][0], p[a][1] - p[b][1], p[a][2] - p[b][2]};
    return fmaxf(sqrtf(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), 1e-6f);
}

/* Upper lids are placed over the moved lower lids at the stand-in's own gap, scaled by how far the person's are open. */
static void move_lids(float (*out)[3], const mdm_motion *m, int index, const float (*standin)[3], const float *scale)
{
    float ratio[2], mean;
    for (int e = 0; e < 2; e++)
        ratio[e] = m->eyes[index][e] / fmaxf(m->eye_neutral[e], 1e-3f);
    mean = (ratio[0] + ratio[1]) / 2;
    for (int e = 0; e < 2; e++) {
        const mdm_eye_index *eye = &mdm_eyes[e];
        float r = 0.5f * ratio[e] + 0.5f * mean; /* half coupled: the network's two eyes differ more than people's do */
        r = 1 + (r - 1) * m->correction.eye_gain;
        r = mdm_clampf((r - EYE_FLOOR) / (1 - EYE_FLOOR), 0, 1.5f) * (1 + m->correction.rest[MDM_REST_EYES]);
        for (int i = 0; i < MDM_LID_ROW; i++) {
            int u = eye->up[i], l = eye->lo[i], w = eye->skin[i];
            for (int k = 0; k < 3; k++) {
                float moved = standin[l][k] + scale[l] * (m->shape[index][l][k] - m->neutral[l][k]);
                float target = moved + (standin[u][k] - standin[l][k]) * r, step = target - out[u][k];
                out[u][k] = target;
                out[w][k] += 0.55f * step; /* the row of skin above follows by about half */
            }
        }
    }
}

static void shift(float *point, const float by[3], float share)
{
    for (int k = 0; k < 3; k++)
        point[k] += share * by[k];
}

/* A column of a lip, `at` counted along mdm_lip_inner: the whole lip goes with its inner edge, so that it keeps its height. */
static void move_lip(float (*out)[3], int at, const float by[3])
{
    for (int ring = 0; ring < MDM_LIP_RINGS; ring++)
        shift(out[mdm_lip_ring[ring][at]], by, 1 - 0.05f * (float)ring);
    shift(out[mdm_lip_outer[at]], by, LIP_EDGE);
}

/* The lip gap is the person's own, scaled: a portrait may part its lips. Lips never cross. */
static void move_lips(float (*out)[3], const mdm_motion *m, int index, float mouth_scale)
{
    for (int i = 0; i < MDM_LIP_ROW; i++) {
        int u = mdm_lip_upper[i], l = mdm_lip_lower[i];
        float gap[3], up[3], down[3];
        for (int k = 0; k < 3; k++)
            gap[k] = mouth_scale * (m->shape[index][u][k] - m->shape[index][l][k]) * m->correction.lip_gain;
        gap[1] = fminf(gap[1], -0.01f);
        for (int k = 0; k < 3; k++) {
            up[k] = (gap[k] - (out[u][k] - out[l][k])) / 2;
            down[k] = -up[k];
        }
        move_lip(out, 1 + i, up);
        move_lip(out, MDM_LIP_INNER - 1 - i, down);
    }
}

/* A small rotation of the whole head about its rigid points' centre. */
static void turn(float (*out)[3], const float by[3])
{
    double angle = sqrt((double)(by[0] * by[0] + by[1] * by[1] + by[2] * by[2])), centre[3] = {0};
    if (angle < 1e-6)
        return;
    double x = (double)by[0] / angle, y = (double)by[1] / angle, z = (double)by[2] / angle, c = cos(angle),
           s = sin(angle), t = 1 - c;
    double r[9] = {c + t * x * x,     t * x * y - s * z, t * x * z + s * y, t * x * y + s * z, c + t * y * y,
                   t * y * z - s * x, t * x * z - s * y, t * y * z + s * x, c + t * z * z};
    for (int i = 0; i < MDM_RIGID; i++)
        for (int k = 0; k < 3; k++)
            centre[k] += (double)out[mdm_rigid[i]][k] / MDM_RIGID;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        double d[3];
        for (int k = 0; k < 3; k++)
            d[k] = (double)out[i][k] - centre[k];
        for (int k = 0; k < 3; k++)
            out[i][k] = (float)(centre[k] + r[3 * k] * d[0] + r[3 * k + 1] * d[1] + r[3 * k + 2] * d[2]);
    }
}

/* How near a vertex is to the outline of the head as the camera sees it, 0..1. On a turned head the outline is the profile:
 * another one would leave the person's own skin beside it. */
static float outline(const mdm_pose *pose, const float normal[3])
{
    return mdm_clampf((OUTLINE - mdm_pose_towards(pose, normal)) / OUTLINE, 0, 1);
}

/* The stand-in's shape, `by` centimetres of each expression further. */
static void express(float (*out)[3], const float (*shape)[3], const float by[MDM_REST_MOVES],
                    const mdm_canonical *canonical)
{
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 3; k++) {
            out[i][k] = shape[i][k];
            for (int r = 0; r < MDM_REST_MOVES; r++)
                out[i][k] += by[r] * canonical->rest[r][i][k];
        }
}

/* What the gains add to the person's movement of a frame: a warped face is read as moving less than it was moved. */
static void gained(float by[MDM_REST_MOVES], const mdm_motion *m, int index)
{
    float now[MDM_RESTS], neutral[MDM_RESTS];
    mdm_rest_measure(now, (const float(*)[3])m->shape[index]);
    mdm_rest_measure(neutral, (const float(*)[3])m->neutral);
    for (int r = 0; r < MDM_REST_MOVES; r++)
        by[r] = (m->correction.gain[r] - 1) * (now[r] - neutral[r]);
}

void mdm_transfer(float (*out)[3], const mdm_motion *m, int index, const float (*portrait)[3],
                  const mdm_canonical *canonical)
{
    float rested[MDM_MESH_VERTICES][3], more[MDM_REST_MOVES];
    express(rested, portrait, m->correction.rest, canonical);
    const float(*standin)[3] = (const float(*)[3])rested;
    const float(*now)[3] = (const float(*)[3])m->shape[index], (*neutral)[3] = (const float(*)[3])m->neutral;
    /* one scale a region: a mouth twice as wide opens twice as far */
    float mouth = mdm_clampf(extent(standin, 61, 291) / extent(neutral, 61, 291), 0.7f, 1.4f);
    float face = mdm_clampf(extent(standin, 10, 152) / extent(neutral, 10, 152), 0.8f, 1.25f), scale[MDM_MESH_VERTICES];
    float free[MDM_MESH_VERTICES]; /* of the outline: lips that are held on one side only are torn */
    float lips[2] = {(neutral[13][0] + neutral[14][0]) / 2, (neutral[13][1] + neutral[14][1]) / 2};
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        float away = hypotf(neutral[i][0] - lips[0], neutral[i][1] - lips[1]);
        scale[i] = face + (mouth - face) * mdm_clampf(1 - (away - 2) / 3, 0, 1);
        free[i] = mdm_clampf(1 - (away - 2) / 2, 0, 1);
        for (int k = 0; k < 3; k++)
            out[i][k] = standin[i][k] + scale[i] * (now[i][k] - neutral[i][k]);
    }
    gained(more, m, index);
    express(out, (const float(*)[3])out, more, canonical);
    move_lids(out, m, index, standin, scale);
    move_lips(out, m, index, mouth);
    turn(out, mdm_motion_correct(m, index).turn);
    const float turned = mdm_pose_turned(&m->pose[index]);
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        float edge = turned * (1 - free[i]) * outline(&m->pose[index], canonical->normal[i]);
        float pinned = fmaxf(canonical->border[i], edge);
        for (int k = 0; k < 3; k++)
            out[i][k] += pinned * (now[i][k] - out[i][k]);
    }
}
