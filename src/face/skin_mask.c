/* Geodesic growing of skin over the person's matte (skin_mask.h). */
#include "face/skin_mask.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "base/order.h"
#include "face/light.h"

#define SIDE    MDM_MATTE_SIDE
#define CELLS   (SIDE * SIDE)
#define HUE     2.0f   /* differences of colours against brightness: shadow changes the latter */
#define TREMBLE 0.03f  /* change between neighbours that noise makes */
#define STEP    0.002f /* of a way over no change at all */
#define NOBODY  0.3f   /* of the matte: no way leads there */
#define BODY    0.85f
#define UNLIKE  0.5f  /* from the face's and the neck's colours: what is surely something else */
#define BESIDE  0.80f /* of the face's width from its axis, under the chin: shoulders */
#define BELOW   1.0f  /* under the chin */
#define ABOVE   0.22f /* over the mesh */
#define FADE    0.25f /* over the square's lower border */
#define SOFT    0.2f  /* where both ways are about as long */
#define DARK    1.1f  /* log, under the face: hair and what is not seen */
#define FAR     1e9f
#define SWEEPS  2
#define NECK    12
#define EARS    12
#define RELATED 0.7f /* colours of a neck or an ear, to the face's middle */

const short mdm_skin_vertices[MDM_SKIN_SAMPLES] = {50,  280, 205, 425, 187, 411, 101, 330, 118, 347, 36,  266,
                                                   123, 352, 207, 427, 151, 9,   108, 337, 69,  299, 216, 436};

typedef struct ground {
    float (*at)[3];      /* [CELLS] log brightness, HUE times two differences of log colours */
    float *skin, *other; /* [CELLS] the shortest way from what surely is either */
    const float *person;
    float palette[MDM_SKIN_SAMPLES + NECK + EARS][3], face[3], brightest; /* colours of skin; the face's middle */
    int colours;
    float chin[2], middle[2], down[2], width,
        length; /* chin, between the ears, and face's width, cells; its length in widths */
} ground;

static float apart(const float *a, const float *b)
{
    return sqrtf((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

static int cell(float x, float y)
{
    return (int)mdm_clampf(roundf(y), 0, SIDE - 1) * SIDE + (int)mdm_clampf(roundf(x), 0, SIDE - 1);
}

static mdm_status look(ground *g, const float *rgb)
{
    for (int i = 0; i < CELLS; i++) {
        float c[3];
        for (int k = 0; k < 3; k++)
            c[k] = logf(255 * rgb[k * CELLS + i] + MDM_LOG_FLOOR);
        g->at[i][0] = (c[0] + c[1] + c[2]) / 3;
        g->at[i][1] = HUE * (c[0] - c[1]);
        g->at[i][2] = HUE * (c[1] - c[2]);
    }
    return mdm_blur_float(&g->at[0][0], SIDE, SIDE, 3, 1);
}

static inline void relax(float *d, const ground *g, int i, int from, float length)
{
    if (d[from] + length * STEP >= d[i])
        return;
    const float change = apart(g->at[i], g->at[from]) - TREMBLE;
    const float way = d[from] + length * STEP + (change > 0 ? change : 0);
    if (way < d[i])
        d[i] = way;
}

/* Shortest ways from the cells that are 0, in raster order and back. */
static void grow(float *d, const ground *g)
{
    const float diagonal = 1.4142f;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int y = 1; y < SIDE; y++)
            for (int x = 1; x < SIDE - 1; x++) {
                const int i = y * SIDE + x;
                if (g->person[i] < NOBODY)
                    continue;
                relax(d, g, i, i - 1, 1), relax(d, g, i, i - SIDE, 1);
                relax(d, g, i, i - SIDE - 1, diagonal), relax(d, g, i, i - SIDE + 1, diagonal);
            }
        for (int y = SIDE - 2; y >= 0; y--)
            for (int x = SIDE - 2; x >= 1; x--) {
                const int i = y * SIDE + x;
                if (g->person[i] < NOBODY)
                    continue;
                relax(d, g, i, i + 1, 1), relax(d, g, i, i + SIDE, 1);
                relax(d, g, i, i + SIDE + 1, diagonal), relax(d, g, i, i + SIDE - 1, diagonal);
            }
    }
}

/* A cell off the mesh that is skin by its colour: it may lie behind a beard or hair that no way leads through. */
static void try_seed(ground *g, float x, float y)
{
    const int at = cell(x, y);
    const float *look = g->at[at], bright = look[0] - g->face[0];
    if (g->person[at] < BODY || bright < -DARK || bright > DARK ||
        hypotf(look[1] - g->face[1], look[2] - g->face[2]) > RELATED)
        return;
    g->skin[at] = 0;
    for (int k = 0; k < 3; k++)
        g->palette[g->colours][k] = look[k];
    g->colours++;
}

/* From the nearest of the colours of skin. */
static float unlike(const ground *g, int i)
{
    float least = FAR;
    for (int c = 0; c < g->colours; c++) {
        const float *a = g->palette[c], *b = g->at[i];
        const float d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
        least = fminf(least, d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    }
    return sqrtf(least);
}

/* A cell's place, in widths of the face: under the chin, and from the head's axis, which runs between the ears. */
static void place(float *under, float *beside, const ground *g, float x, float y)
{
    *under = ((x - g->chin[0]) * g->down[0] + (y - g->chin[1]) * g->down[1]) / g->width;
    *beside = fabsf((x - g->middle[0]) * g->down[1] - (y - g->middle[1]) * g->down[0]) / g->width;
}

static void sow(ground *g, const float (*p)[3])
{
    static const short ears[2][3] = {{127, 234, 93}, {356, 454, 323}};
    float value[3][MDM_SKIN_SAMPLES];
    for (int i = 0; i < CELLS; i++)
        g->skin[i] = g->other[i] = FAR;
    for (int i = 0; i < MDM_SKIN_SAMPLES; i++)
        for (int k = 0; k < 3; k++)
            value[k][i] = g->palette[i][k] = g->at[cell(p[mdm_skin_vertices[i]][0], p[mdm_skin_vertices[i]][1])][k];
    for (int k = 0; k < 3; k++)
        g->face[k] = mdm_median(value[k], MDM_SKIN_SAMPLES);
    g->colours = MDM_SKIN_SAMPLES;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) { /* not the fringe over a forehead */
        const int at = cell(p[i][0], p[i][1]);
        if (g->at[at][0] > g->face[0] - DARK)
            g->skin[at] = 0;
    }
    /* a turned head's chin stands beside its neck */
    const float aside = ((g->middle[0] - g->chin[0]) * g->down[1] - (g->middle[1] - g->chin[1]) * g->down[0]) / 2;
    for (int i = 0; i < NECK; i++) {
        const float beside = 0.15f * g->width * (float)(i % 3 - 1), under = g->width * (0.04f + 0.08f * (float)(i / 3));
        try_seed(g, g->chin[0] + under * g->down[0] + (aside - beside) * g->down[1],
                 g->chin[1] + under * g->down[1] - (aside - beside) * g->down[0]);
    }
    for (int i = 0; i < EARS; i++) {
        const short *edge = ears[i % 2];
        const float out = (i % 2 ? 1.0f : -1.0f) * g->width * (0.05f + 0.03f * (float)(i / 6));
        const float *at = p[edge[i / 2 % 3]];
        try_seed(g, at[0] + out * g->down[1], at[1] - out * g->down[0]);
    }
    for (int i = 0; i < CELLS; i++) {
        float under, beside;
        if (g->person[i] < BODY)
            continue;
        place(&under, &beside, g, (float)(i % SIDE), (float)(i / SIDE));
        const bool far = (under > 0 && beside > BESIDE) || under > BELOW || under < -g->length - ABOVE;
        if (far && unlike(g, i) > UNLIKE)
            g->other[i] = 0;
    }
}

/* How far a cell can be skin: by its colour, redder than grey where the face is and not far from all skin that was seen; and by its
 * place, for a neck widens downwards and a hood or long hair stands out to its sides. */
static float can_be_skin(const ground *g, int i)
{
    const float red = g->face[1] / HUE, bright = g->at[i][0] - g->brightest;
    const float redder = red > 0.1f ? mdm_smoothstep(g->at[i][1] / HUE / red, 0, 0.15f) : 1;
    float under, beside;
    place(&under, &beside, g, (float)(i % SIDE), (float)(i / SIDE));
    const float widest =
        0.55f + 0.6f * fmaxf(under, 0) + (under < -0.1f ? 0.25f : 0.25f * mdm_smoothstep(-under, 0, 0.1f));
    return redder * (1 - mdm_smoothstep(bright, 0.2f, 0.5f)) * (1 - mdm_smoothstep(beside, widest, widest + 0.1f)) *
           (1 - mdm_smoothstep(unlike(g, i), 0.5f, 0.8f));
}

static mdm_status fill(float *mask, ground *g, const float *rgb, const float (*points)[3])
{
    MDM_TRY(look(g, rgb));
    sow(g, points);
    g->brightest = g->palette[0][0];
    for (int c = 1; c < g->colours; c++)
        g->brightest = fmaxf(g->brightest, g->palette[c][0]);
    grow(g->skin, g);
    grow(g->other, g);
    for (int i = 0; i < CELLS; i++) {
        const float s = g->skin[i], o = g->other[i], low = (float)(SIDE - 1 - i / SIDE) / g->width;
        mask[i] = o < FAR / 2 ? mdm_smoothstep((o - s) / (o + s + 1e-6f), -SOFT, SOFT) : 1;
        mask[i] *= mdm_smoothstep(g->person[i], NOBODY, BODY) * mdm_smoothstep(low, 0, FADE);
        if (mask[i] > 0)
            mask[i] *= can_be_skin(g, i);
    }
    return mdm_blur_float(mask, SIDE, SIDE, 1, 0.8f);
}

mdm_status mdm_skin_mask(float *mask, const float *person, const float *rgb, const float (*points)[3], float width)
{
    const float *top = points[10], *chin = points[152], length = fmaxf(hypotf(chin[0] - top[0], chin[1] - top[1]), 1);
    ground g = {.person = person,
                .chin = {chin[0], chin[1]},
                .middle = {(points[234][0] + points[454][0]) / 2, (points[234][1] + points[454][1]) / 2},
                .down = {(chin[0] - top[0]) / length, (chin[1] - top[1]) / length},
                .width = width,
                .length = length / width};
    mdm_status status = mdm_alloc(&g.at, CELLS, sizeof *g.at, "skin");
    if (!status)
        status = mdm_alloc(&g.skin, CELLS, sizeof *g.skin, "skin");
    if (!status)
        status = mdm_alloc(&g.other, CELLS, sizeof *g.other, "skin");
    if (!status)
        status = fill(mask, &g, rgb, points);
    mdm_free(&g.at);
    mdm_free(&g.skin);
    mdm_free(&g.other);
    return status;
}
