/* Measuring the resting expression and moving a face by it. */
#include "face/rest.h"

#include <math.h>
#include <string.h>

#include "face/mesh_index.h"

/* Where the moves happen on the canonical face, cm; the other side is the mirror image. */
static const float corner[2] = {2.46f, 4.34f}, upper_lip[2] = {0, 3.55f}, lower_lip[2] = {0, 5.25f},
                   cheek[2] = {3.6f, 1.6f}, fold[2] = {2.2f, 2.7f}, brow_in[2] = {1.35f, -4.6f},
                   brow_out[2] = {4.3f, -5.0f}, forehead[2] = {0, -6.5f};

static const struct {
    float low, high;
} limits[MDM_RESTS] = {{-0.5f, 0.7f}, {-0.35f, 0.35f}, {-0.1f, 0.4f}, {-0.1f, 0.4f}, {-0.3f, 0.35f}};

/* Means of AI-made faces with closed lips; of those that read happy the lift is LIFT_HAPPY. */
const float mdm_rest_neutral[MDM_RESTS] = {-0.11f, 5.16f, 1.98f, 2.51f, 0.32f};
#define LIFT_HAPPY 0.24f
#define LIP_STILL                                                                                                      \
    0.22f /* of the way from the upper to the lower lip: as the mouth opens, its corners go down with this point */

static float distance(const float *a, const float *b)
{
    float d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    return sqrtf(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
}

/* Mean height of `count` vertices; y points down. */
static float height(const float (*shape)[3], const int *vertices, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum -= shape[vertices[i]][1] / (float)count;
    return sum;
}

void mdm_rest_measure(float out[MDM_RESTS], const float (*shape)[3])
{
    static const int corners[2] = {61, 291}, eyes[4] = {33, 133, 362, 263}, inner[4] = {55, 107, 285, 336},
                     outer[4] = {63, 105, 293, 334};
    const float line = height(shape, eyes, 4);
    const float middle = (1 - LIP_STILL) * shape[13][1] + LIP_STILL * shape[14][1];
    float open = 0;
    for (int e = 0; e < 2; e++)
        for (int i = 2; i < 5; i++)
            open += distance(shape[mdm_eyes[e].up[i]], shape[mdm_eyes[e].lo[i]]) /
                    fmaxf(distance(shape[mdm_eyes[e].outer], shape[mdm_eyes[e].inner]), 1e-6f) / 6;
    out[MDM_REST_LIFT] = height(shape, corners, 2) + middle;
    out[MDM_REST_WIDTH] = distance(shape[61], shape[291]);
    out[MDM_REST_BROW_IN] = height(shape, inner, 4) - line;
    out[MDM_REST_BROW_OUT] = height(shape, outer, 4) - line;
    out[MDM_REST_EYES] = open;
}

/* A soft bump around a place: widths to the side, upwards and downwards. */
static float bump(float x, float y, const float at[2], float aside, float up, float down)
{
    float u = (x - at[0]) / aside, v = (y - at[1]) / (y < at[1] ? up : down);
    return expf(-(u * u + v * v) / 2);
}

void mdm_rest_fields(float (*moves)[MDM_MESH_VERTICES][3], float (*shade)[MDM_MESH_VERTICES], const float (*vertex)[3],
                     const float skin[MDM_MESH_VERTICES])
{
    memset(moves, 0, MDM_REST_MOVES * sizeof *moves);
    memset(shade, 0, MDM_REST_MOVES * sizeof *shade);
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        const float x = fabsf(vertex[i][0]), y = vertex[i][1], side = vertex[i][0] < 0 ? -1.0f : 1.0f;
        /* corners rise and go back, lips get thinner, the cheek rises and rounds over a fold beside the nose */
        const float lift = bump(x, y, corner, x < corner[0] ? 0.8f : 1.1f, 1.1f, 1.1f),
                    round = bump(x, y, cheek, 1.3f, 1.1f, 1.3f);
        moves[MDM_REST_LIFT][i][1] = -lift - 0.15f * round + 0.25f * bump(x, y, upper_lip, 1.2f, 0.4f, 0.3f) -
                                     0.3f * bump(x, y, lower_lip, 1.2f, 0.3f, 0.4f);
        moves[MDM_REST_LIFT][i][2] = 0.25f * lift - 0.17f * round;
        shade[MDM_REST_LIFT][i] = 0.1f * skin[i] * round - 0.5f * bump(x, y, fold, 0.9f, 0.75f, 0.75f);
        /* lips stretch evenly and lie further back where the teeth do */
        const float across = x < corner[0] ? x / corner[0] : bump(x, corner[1], corner, 1.1f, 1, 1);
        const float stretch = across * bump(corner[0], y, corner, 1, 1.2f, 1.2f);
        moves[MDM_REST_WIDTH][i][0] = side * stretch;
        moves[MDM_REST_WIDTH][i][2] = 0.3f * stretch * across;
        /* brows take the forehead along, and hardly the lids; creases appear over brows that rise */
        moves[MDM_REST_BROW_IN][i][1] = -bump(x, y, brow_in, 1.0f, 1.3f, 0.75f);
        moves[MDM_REST_BROW_OUT][i][1] = -bump(x, y, brow_out, 1.3f, 1.3f, 0.8f);
        shade[MDM_REST_BROW_IN][i] = -0.1f * skin[i] * bump(x, y, forehead, 2, 0.9f, 0.9f);
    }
    for (int k = 0; k < MDM_REST_MOVES; k++) { /* so that each adds 1 cm to its measure */
        const float step = 0.1f;
        float moved[MDM_MESH_VERTICES][3], before[MDM_RESTS], after[MDM_RESTS];
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            for (int a = 0; a < 3; a++)
                moved[i][a] = vertex[i][a] + step * moves[k][i][a];
        mdm_rest_measure(before, vertex);
        mdm_rest_measure(after, (const float(*)[3])moved);
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            for (int a = 0; a < 3; a++)
                moves[k][i][a] *= step / (after[k] - before[k]);
    }
}

float mdm_rest_smile(const float rest[MDM_RESTS])
{
    const float none = mdm_rest_neutral[MDM_REST_LIFT];
    return fminf(1, fmaxf(0, (rest[MDM_REST_LIFT] - none) / (LIFT_HAPPY - none)));
}

void mdm_rest_add(float rest[MDM_RESTS], const float person[MDM_RESTS], const float standin[MDM_RESTS], float share)
{
    for (int k = 0; k < MDM_RESTS; k++) {
        float step = person[k] - standin[k];
        if (k == MDM_REST_EYES)
            step = (1 + rest[k]) * (person[k] / fmaxf(standin[k], 1e-3f) - 1);
        rest[k] = fminf(limits[k].high, fmaxf(limits[k].low, rest[k] + share * step));
    }
}
