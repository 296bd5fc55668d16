/* The portrait gate's look at hair over the forehead and at glasses. */
#include <math.h>

#include "base/order.h"
#include "face/portrait_gate.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* Bilinear, edges repeated. */
static void sample(float out[3], const float *log, int width, int height, float x, float y)
{
    x = fminf(fmaxf(x, 0), (float)width - 1.001f);
    y = fminf(fmaxf(y, 0), (float)height - 1.001f);
    int x0 = (int)x, y0 = (int)y;
    float u = x - (float)x0, v = y - (float)y0;
    const float *p = log + 3 * ((size_t)y0 * (size_t)width + (size_t)x0), *q = p + 3 * (size_t)width;
    for (int c = 0; c < 3; c++)
        out[c] = (p[c] * (1 - u) + p[c + 3] * u) * (1 - v) + (q[c] * (1 - u) + q[c + 3] * u) * v;
}

#define MOST 16

/* Medians over some points of luminance, red less green, green less blue (all of logarithms). */
static void colour_of(float out[3], const short *index, int count, const float *log, int width, int height,
                      const float (*points)[3])
{
    float value[3][MOST];
    for (int i = 0; i < count; i++) {
        float p[3];
        sample(p, log, width, height, points[index[i]][0], points[index[i]][1]);
        value[0][i] = (p[0] + p[1] + p[2]) / 3;
        value[1][i] = p[0] - p[1];
        value[2][i] = p[1] - p[2];
    }
    for (int k = 0; k < 3; k++)
        out[k] = mdm_median(value[k], (size_t)count);
}

static const short cheeks[] = {50, 280, 205, 425, 101, 330, 117, 346, 118, 347, 36, 266};

/* How far a colour lies from the cheeks' may be explained by a highlight, which is brighter and greyer. */
static float tint(float difference, float highlight)
{
    return difference < 0 ? fminf(difference + 0.5f * highlight, 0) : difference;
}

float mdm_portrait_fringe(const float *log, int width, int height, const float (*points)[3])
{
    /* a brow point and the point of the oval above it; columns lie on and halfway between them */
    static const short columns[][2] = {{63, 54},   {105, 103}, {66, 67},   {107, 109}, {9, 10},
                                       {336, 338}, {296, 297}, {334, 332}, {293, 284}};
    static const float up[] = {0.15f, 0.3f, 0.45f, 0.6f, 0.75f}; /* above that the hairline begins on many */
    float skin[3];
    int bad = 0, all = 0;
    colour_of(skin, cheeks, COUNT(cheeks), log, width, height, points);
    for (int i = 0; i <= 2 * (COUNT(columns) - 1); i++) {
        const short *a = columns[i / 2], *b = columns[(i + 1) / 2];
        for (int k = 0; k < COUNT(up); k++, all++) {
            float at[2], p[3];
            for (int axis = 0; axis < 2; axis++) {
                float brow = (points[a[0]][axis] + points[b[0]][axis]) / 2;
                float top = (points[a[1]][axis] + points[b[1]][axis]) / 2;
                at[axis] = brow + (top - brow) * up[k];
            }
            sample(p, log, width, height, at[0], at[1]);
            float light = (p[0] + p[1] + p[2]) / 3 - skin[0], highlight = fmaxf(light, 0);
            float warm = tint(p[0] - p[1] - skin[1], highlight), yellow = tint(p[1] - p[2] - skin[2], highlight);
            bad += light < -0.45f || light > 1 || hypotf(warm, yellow) > 0.28f;
        }
    }
    return (float)bad / (float)all;
}

float mdm_portrait_knit(const float *log, int width, int height, const float (*points)[3])
{
    enum { ROWS = 5, ALONG = 17 };
    float depth = 0;
    for (int r = 0; r < ROWS;
         r++) { /* from between the lower to between the upper ends of the brows, and a little above */
        const float up = 1.3f * (float)r / (ROWS - 1);
        float light[ALONG], least = INFINITY;
        for (int i = 0; i < ALONG; i++) {
            const float u = 0.2f + 0.6f * (float)i / (ALONG - 1);
            float at[2], p[3];
            for (int axis = 0; axis < 2; axis++) {
                const float low = points[55][axis] + u * (points[285][axis] - points[55][axis]),
                            high = points[107][axis] + u * (points[336][axis] - points[107][axis]);
                at[axis] = low + up * (high - low);
            }
            sample(p, log, width, height, at[0], at[1]);
            light[i] = (p[0] + p[1] + p[2]) / 3;
            least = fminf(least, light[i]);
        }
        depth += (mdm_median(light, ALONG) - least) / ROWS;
    }
    return depth;
}

/* A strip over the eyes, 1.7 eye distances wide and 0.7 high, in 48 x 20 samples, averaged in cells of 4 x 4, its halves
 * folded together. The score is linear in the cells' light and change; its weights were fitted to 911 AI-made faces, 99 of
 * them with glasses or sunglasses (area under the curve .93 on faces of other sources left out of the fit). */
#define ACROSS 48
#define DOWN   20
#define CELL   4

static const float weights[3][DOWN / CELL][ACROSS / CELL / 2] = {
    {
        /* change across */
        {6.260f, -5.113f, -10.524f, -9.664f, 10.484f, -2.422f},
        {-4.102f, -0.666f, 2.987f, 3.013f, 6.129f, -4.007f},
        {2.966f, 3.633f, -9.990f, -2.287f, 2.676f, 4.580f},
        {-1.212f, -8.141f, -2.501f, -7.605f, 0.223f, 2.918f},
        {-1.170f, -2.604f, -11.880f, 4.160f, -1.530f, 4.312f},
    },
    {
        /* change down */
        {3.391f, 3.538f, 0.682f, -7.314f, 3.376f, -2.871f},
        {12.956f, 10.525f, -6.321f, 0.422f, -1.078f, 13.344f},
        {-5.959f, 6.236f, 3.299f, -1.508f, -6.664f, 7.986f},
        {6.144f, 10.980f, -6.834f, 0.463f, 1.762f, -2.024f},
        {5.987f, -7.522f, 7.283f, 13.484f, -8.778f, -5.743f},
    },
    {
        /* light */
        {0.169f, 0.009f, 0.932f, 0.630f, -1.910f, -0.949f},
        {1.008f, 2.274f, 0.857f, 1.469f, 0.234f, 1.641f},
        {0.474f, 0.489f, -2.444f, -3.427f, 1.033f, 0.164f},
        {0.115f, -0.898f, 1.999f, -3.470f, -1.179f, -0.835f},
        {-0.093f, -0.244f, -1.657f, 3.868f, 0.206f, -1.628f},
    },
};
static const float weight_constant = -2.1911f;

void mdm_portrait_glasses(float *score, float *shade, const float *log, int width, int height, const float (*points)[3])
{
    static const short under_eyes[] = {23, 253, 110, 339, 229, 449, 230, 450, 22, 252, 24, 254};
    float grid[DOWN][ACROSS], skin[3], under[3];
    float ux = points[263][0] - points[33][0], uy = points[263][1] - points[33][1];
    colour_of(skin, cheeks, COUNT(cheeks), log, width, height, points);
    colour_of(under, under_eyes, COUNT(under_eyes), log, width, height, points);
    *shade = under[0] - skin[0];
    for (int y = 0; y < DOWN; y++)
        for (int x = 0; x < ACROSS; x++) {
            float u = -0.35f + 1.7f * ((float)x + 0.5f) / ACROSS, v = -0.25f + 0.7f * ((float)y + 0.5f) / DOWN, p[3];
            sample(p, log, width, height, points[33][0] + u * ux - v * uy, points[33][1] + u * uy + v * ux);
            grid[y][x] = (p[0] + p[1] + p[2]) / 3 - skin[0];
        }
    float sum = 0;
    for (int y = 0; y < DOWN; y++)
        for (int x = 0; x < ACROSS; x++) {
            float across = x + 1 < ACROSS ? fabsf(grid[y][x + 1] - grid[y][x]) : 0;
            float down = y + 1 < DOWN ? fabsf(grid[y + 1][x] - grid[y][x]) : 0;
            int row = y / CELL, column = x / CELL,
                folded = column < ACROSS / CELL / 2 ? column : ACROSS / CELL - 1 - column;
            sum += weights[0][row][folded] * fminf(across, 0.5f) + weights[1][row][folded] * fminf(down, 0.5f) +
                   weights[2][row][folded] * fminf(fmaxf(grid[y][x], -1.5f), 1);
        }
    *score = sum / (2 * CELL * CELL) + weight_constant;
}
