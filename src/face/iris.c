/* Irises as eyes have them: a portrait of 128 px shows a few dozen pixels of each, flat and of two colours. */
#include "face/iris.h"

#include <math.h>

#include "base/order.h"
#include "face/light.h"

#define INNER   0.45f /* of the iris's radius: between these its colour is read, clear of pupil and lids */
#define OUTER   0.90f
#define DARKEST 1.5f /* log, under the skin */
#define FAIREST 0.6f
#define OWN     0.4f /* of what the portrait's pixels differ from their eye's colour: blotches more than pattern */
#define PUPIL   0.9f /* log, under the iris */
#define LIMBUS  0.5f
#define GLOW    0.2f /* over it, where light that came in from above falls */

static float radius_at(int x, int y)
{
    const float middle = MDM_IRIS_SIDE / 2 - 0.5f;
    return hypotf((float)x - middle, (float)y - middle) / MDM_IRIS_RADIUS;
}

/* Mean log colour of a sprite between INNER and OUTER. */
static void colour_of(float out[3], const float *sprite)
{
    float n = 0;
    out[0] = out[1] = out[2] = 0;
    for (int y = 0; y < MDM_IRIS_SIDE; y++)
        for (int x = 0; x < MDM_IRIS_SIDE; x++) {
            const float r = radius_at(x, y), *p = sprite + 3 * (y * MDM_IRIS_SIDE + x);
            if (r < INNER || r > OUTER)
                continue;
            for (int k = 0; k < 3; k++)
                out[k] += logf(p[k] + MDM_LOG_FLOOR);
            n++;
        }
    for (int k = 0; k < 3; k++)
        out[k] /= n;
}

void mdm_iris_dress(mdm_standin *standin)
{
    float own[2][3], colour[3], bright = 0, skin[MDM_MESH_VERTICES];
    for (int e = 0; e < 2; e++)
        colour_of(own[e], standin->iris[e]);
    for (int k = 0; k < 3; k++)
        colour[k] = (own[0][k] + own[1][k]) / 2, bright += colour[k] / 3;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        skin[i] = (standin->colour[i][0] + standin->colour[i][1] + standin->colour[i][2]) / 3;
    const float usual = mdm_median(skin, MDM_MESH_VERTICES);
    const float shift = mdm_clampf(bright, usual - DARKEST, usual - FAIREST) - bright;
    for (int e = 0; e < 2; e++)
        for (int y = 0; y < MDM_IRIS_SIDE; y++)
            for (int x = 0; x < MDM_IRIS_SIDE; x++) {
                const float r = radius_at(x, y), low = ((float)y / MDM_IRIS_SIDE - 0.5f) * 2;
                const float pupil = 1 - mdm_smoothstep(r, 0.30f, 0.44f), limbus = mdm_smoothstep(r, 0.72f, 0.98f);
                const float drawn = GLOW * (1 - pupil) * (1 - limbus) * low - PUPIL * pupil - LIMBUS * limbus;
                float *p = standin->iris[e] + 3 * (y * MDM_IRIS_SIDE + x);
                for (int k = 0; k < 3; k++) {
                    const float other = mdm_clampf(logf(p[k] + MDM_LOG_FLOOR) - own[e][k], -0.5f, 0.5f);
                    p[k] = fmaxf(expf(colour[k] + shift + OWN * other * (1 - pupil) + drawn) - MDM_LOG_FLOOR, 0);
                }
            }
}
