/* The pulse of both sides by POS, and their correlation (verify_pulse.h). */
#include "stages/verify_pulse.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"

#define WINDOW 1.6 /* seconds: one heartbeat at 38 a minute */
#define FEWEST 5.0 /* seconds of signal */

/* POS of one window of one side, added to `out`. */
static void add_window(double *out, const float (*rgb)[2][3], int count, int side)
{
    double mean[3] = {0}, s[2][2] = {{0}}; /* sums and squares of the two projections */
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            mean[c] += (double)rgb[i][side][c] / count;
    if (!(mean[0] > 1 && mean[1] > 1 && mean[2] > 1))
        return;
    for (int pass = 0; pass < 2; pass++) {
        double spread[2], sx = s[0][1] / count - s[0][0] * s[0][0] / count / count,
                          sy = s[1][1] / count - s[1][0] * s[1][0] / count / count;
        spread[0] = sqrt(fmax(0, sx)), spread[1] = sqrt(fmax(0, sy));
        double ratio = spread[1] > 1e-12 ? spread[0] / spread[1] : 0;
        for (int i = 0; i < count; i++) {
            double r = (double)rgb[i][side][0] / mean[0], g = (double)rgb[i][side][1] / mean[1],
                   b = (double)rgb[i][side][2] / mean[2], x = g - b, y = g + b - 2 * r;
            if (pass)
                out[i] += x - s[0][0] / count + ratio * (y - s[1][0] / count);
            else
                s[0][0] += x, s[0][1] += x * x, s[1][0] += y, s[1][1] += y * y;
        }
    }
}

mdm_status mdm_pulse_correlation(double *out, const float (*rgb)[2][3], int count, double fps)
{
    const int window = (int)ceil(WINDOW * fps);
    double *pulse[2] = {NULL, NULL}, n = 0, s[2] = {0}, ss[2] = {0}, both = 0;
    *out = NAN;
    if (count < window || window < 8)
        return MDM_OK;
    mdm_status status = mdm_alloc(&pulse[0], (size_t)count, sizeof(double), "pulse");
    if (!status)
        status = mdm_alloc(&pulse[1], (size_t)count, sizeof(double), "pulse");
    for (int from = 0; from + window <= count && !status; from++) {
        int i = from;
        while (i < from + window && rgb[i][0][0] >= 0 && rgb[i][1][0] >= 0)
            i++;
        if (i < from + window) {
            from = i;
            continue;
        }
        for (int side = 0; side < 2; side++)
            add_window(pulse[side] + from, rgb + from, window, side);
    }
    for (int i = 0; i < count && !status; i++) {
        if (pulse[0][i] == 0 && pulse[1][i] == 0)
            continue;
        n += 1;
        for (int k = 0; k < 2; k++)
            s[k] += pulse[k][i], ss[k] += pulse[k][i] * pulse[k][i];
        both += pulse[0][i] * pulse[1][i];
    }
    if (n >= FEWEST * fps) {
        double va = ss[0] - s[0] * s[0] / n, vb = ss[1] - s[1] * s[1] / n;
        *out = va > 0 && vb > 0 ? (both - s[0] * s[1] / n) / sqrt(va * vb) : NAN;
    }
    mdm_free(&pulse[0]);
    mdm_free(&pulse[1]);
    return status;
}
