/* Savitzky-Golay and bilateral smoothing. */
#include "face/smooth.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define MAX_WINDOW 15
#define REACH      4 /* frames, of the bilateral filter */

/* weight[at][k]: share of the window's k-th sample in the value at position `at` of the fitted polynomial. */
static void fit_weights(double weight[MAX_WINDOW][MAX_WINDOW], int window, int order)
{
    double normal[3][3] = {{0}}, inverse[3][3] = {{0}};
    const int terms = order + 1, half = window / 2;
    for (int k = 0; k < window; k++)
        for (int i = 0; i < terms; i++)
            for (int j = 0; j < terms; j++)
                normal[i][j] += pow(k - half, i + j);
    for (int i = 0; i < terms; i++)
        inverse[i][i] = 1;
    for (int i = 0; i < terms; i++) { /* Gauss-Jordan; symmetric positive, the pivots are fine */
        double pivot = normal[i][i];
        for (int j = 0; j < terms; j++)
            normal[i][j] /= pivot, inverse[i][j] /= pivot;
        for (int r = 0; r < terms; r++) {
            double factor = normal[r][i];
            for (int j = 0; r != i && j < terms; j++)
                normal[r][j] -= factor * normal[i][j], inverse[r][j] -= factor * inverse[i][j];
        }
    }
    for (int at = 0; at < window; at++)
        for (int k = 0; k < window; k++) {
            weight[at][k] = 0;
            for (int i = 0; i < terms; i++)
                for (int j = 0; j < terms; j++)
                    weight[at][k] += pow(at - half, i) * inverse[i][j] * pow(k - half, j);
        }
}

mdm_status mdm_savgol(double *rows, int count, int width, int window, int order)
{
    double weight[MAX_WINDOW][MAX_WINDOW], *out = NULL;
    if (window < 1 || window > MAX_WINDOW || window % 2 == 0 || order < 0 || order > 2 || order >= window)
        return mdm_fail(MDM_ERR_INTERNAL, "Savitzky-Golay: window %d, order %d", window, order);
    if (count < window)
        return MDM_OK;
    MDM_TRY(mdm_alloc(&out, (size_t)count * (size_t)width, sizeof *out, "smoothing"));
    fit_weights(weight, window, order);
    for (int i = 0; i < count; i++) {
        int from = i - window / 2;
        from = from < 0 ? 0 : from > count - window ? count - window : from;
        for (int k = 0; k < window; k++)
            for (int c = 0; c < width; c++)
                out[(size_t)i * (size_t)width + (size_t)c] +=
                    weight[i - from][k] * rows[(size_t)(from + k) * (size_t)width + (size_t)c];
    }
    memcpy(rows, out, (size_t)count * (size_t)width * sizeof *out);
    mdm_free(&out);
    return MDM_OK;
}

mdm_status mdm_bilateral(float *shapes, int count, int points, float sigma)
{
    const size_t frame = (size_t)points * 3;
    float *ring = NULL; /* the last REACH frames as they were, since the filter runs in place */
    MDM_TRY(mdm_alloc(&ring, (REACH + 1) * frame, sizeof *ring, "smoothing"));
    const float space = 1 / (2 * sigma * sigma);
    for (int i = 0; i < count; i++) {
        float *now = ring + (size_t)(i % (REACH + 1)) * frame, *out = shapes + (size_t)i * frame;
        memcpy(now, out, frame * sizeof *now);
        for (int p = 0; p < points; p++) {
            const float *x = now + 3 * p;
            float sum[3] = {0}, total = 0;
            for (int d = -REACH; d <= REACH; d++) {
                int j = i + d < 0 ? 0 : i + d >= count ? count - 1 : i + d;
                /* frames before this one only live in the ring */
                const float *y =
                    (j <= i ? ring + (size_t)(j % (REACH + 1)) * frame : shapes + (size_t)j * frame) + 3 * p;
                float e[3] = {y[0] - x[0], y[1] - x[1], y[2] - x[2]};
                float w = expf(-(e[0] * e[0] + e[1] * e[1] + e[2] * e[2]) * space - (float)(d * d) / 8);
                for (int k = 0; k < 3; k++)
                    sum[k] += w * y[k];
                total += w;
            }
            for (int k = 0; k < 3; k++)
                out[3 * p + k] = sum[k] / total;
        }
    }
    mdm_free(&ring);
    return MDM_OK;
}
