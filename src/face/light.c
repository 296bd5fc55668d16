/* Fitting light, step 11 of standins.md 2.1. */
#include "face/light.h"

#include <math.h>
#include <string.h>

#include "base/order.h"

#define RIDGE  2.0
#define ROUNDS 4

void mdm_vertex_colour(float (*out)[3], const mdm_image *image, const float (*points)[3], int count, float sigma)
{
    int reach = (int)lroundf(1.6f * sigma);
    reach = reach < 1 ? 1 : reach > 24 ? 24 : reach;
    for (int i = 0; i < count; i++) {
        int x = (int)lroundf(fminf(fmaxf(points[i][0], 0), (float)image->width - 1));
        int y = (int)lroundf(fminf(fmaxf(points[i][1], 0), (float)image->height - 1));
        int x0 = x - reach < 0 ? 0 : x - reach, x1 = x + reach >= image->width ? image->width - 1 : x + reach;
        int y0 = y - reach < 0 ? 0 : y - reach, y1 = y + reach >= image->height ? image->height - 1 : y + reach;
        unsigned sum[3] = {0};
        for (int v = y0; v <= y1; v++) {
            const uint8_t *p = image->data + (size_t)v * image->stride + 3 * (size_t)x0;
            for (int u = x0; u <= x1; u++, p += 3)
                sum[0] += p[0], sum[1] += p[1], sum[2] += p[2];
        }
        float n = (float)((x1 - x0 + 1) * (y1 - y0 + 1));
        for (int k = 0; k < 3; k++)
            out[i][k] = logf((float)sum[k] / n + MDM_LOG_FLOOR);
    }
}

void mdm_light_at(float out[3], const float (*coefficients)[3], const float *terms)
{
    for (int k = 0; k < 3; k++) {
        out[k] = 0;
        for (int t = 0; t < MDM_LIGHT_TERMS; t++)
            out[k] += terms[t] * coefficients[t][k];
    }
}

float mdm_robust_spread(float *values, int count)
{
    float middle = mdm_median(values, (size_t)count);
    for (int i = 0; i < count; i++)
        values[i] = fabsf(values[i] - middle);
    return 1.48f * mdm_median(values, (size_t)count) + 1e-4f;
}

/* Solves the symmetric positive system a x = b for three right sides. */
static void solve(double a[MDM_LIGHT_TERMS][MDM_LIGHT_TERMS], double b[MDM_LIGHT_TERMS][3])
{
    for (int i = 0; i < MDM_LIGHT_TERMS; i++) {
        double pivot = a[i][i];
        for (int r = 0; r < MDM_LIGHT_TERMS; r++) {
            double factor = r == i ? 0 : a[r][i] / pivot;
            for (int c = 0; c < MDM_LIGHT_TERMS; c++)
                a[r][c] -= factor * a[i][c];
            for (int c = 0; c < 3; c++)
                b[r][c] -= factor * b[i][c];
        }
    }
    for (int i = 0; i < MDM_LIGHT_TERMS; i++)
        for (int c = 0; c < 3; c++)
            b[i][c] /= a[i][i];
}

bool mdm_light_fit(float coefficients[MDM_LIGHT_TERMS][3], const float (*y)[3], const float *weight,
                   const mdm_canonical *canonical)
{
    float robust[MDM_MESH_VERTICES], residual[MDM_MESH_VERTICES], sorted[MDM_MESH_VERTICES];
    int positive = 0;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        positive += (robust[i] = weight[i]) > 0;
    if (positive < 10)
        return false;
    for (int round = 0; round < ROUNDS; round++) {
        double a[MDM_LIGHT_TERMS][MDM_LIGHT_TERMS] = {{0}}, b[MDM_LIGHT_TERMS][3] = {{0}};
        for (int i = 0; i < MDM_LIGHT_TERMS; i++)
            a[i][i] = i ? RIDGE : 1e-6;
        for (int v = 0; v < MDM_MESH_VERTICES; v++)
            for (int i = 0; robust[v] > 0 && i < MDM_LIGHT_TERMS; i++) {
                double scaled = (double)robust[v] * (double)canonical->light[v][i];
                for (int j = 0; j < MDM_LIGHT_TERMS; j++)
                    a[i][j] += scaled * (double)canonical->light[v][j];
                for (int k = 0; k < 3; k++)
                    b[i][k] += scaled * (double)y[v][k];
            }
        solve(a, b);
        for (int i = 0; i < MDM_LIGHT_TERMS; i++)
            for (int k = 0; k < 3; k++)
                coefficients[i][k] = (float)b[i][k];
        int n = 0;
        for (int v = 0; v < MDM_MESH_VERTICES; v++) {
            float fit[3], sum = 0;
            mdm_light_at(fit, (const float(*)[3])coefficients, canonical->light[v]);
            for (int k = 0; k < 3; k++)
                sum += (y[v][k] - fit[k]) * (y[v][k] - fit[k]);
            residual[v] = sqrtf(sum);
            if (weight[v] > 0)
                sorted[n++] = residual[v];
        }
        float usual = 1.5f * (mdm_median(sorted, (size_t)n) + 1e-6f);
        for (int v = 0; v < MDM_MESH_VERTICES; v++)
            robust[v] = weight[v] / (1 + residual[v] / usual * (residual[v] / usual));
    }
    return true;
}
