/* Linear prediction: Levinson-Durbin, and roots by Aberth's method (every root at once, no deflation error). */
#include "media/lpc.h"

#include <math.h>
#include <string.h>

bool mdm_lpc_fit(double *a, int order, const float *samples, size_t count)
{
    double r[MDM_LPC_MAX + 1];
    for (int lag = 0; lag <= order; lag++) {
        double sum = 0;
        for (size_t n = (size_t)lag; n < count; n++)
            sum += (double)samples[n] * samples[n - (size_t)lag];
        r[lag] = sum;
    }
    if (r[0] < 1e-9)
        return false;
    r[0] *= 1.0 + 1e-6; /* a little white noise keeps the recursion well conditioned */
    double error = r[0];
    memset(a, 0, (size_t)(order + 1) * sizeof *a);
    a[0] = 1;
    for (int i = 1; i <= order; i++) {
        double sum = r[i];
        for (int j = 1; j < i; j++)
            sum += a[j] * r[i - j];
        double k = -sum / error;
        for (int j = 1; j <= i / 2; j++) {
            double low = a[j] + k * a[i - j], high = a[i - j] + k * a[j];
            a[j] = low;
            a[i - j] = high;
        }
        a[i] = k;
        error *= 1 - k * k;
        if (error <= 0)
            return false;
    }
    return true;
}

typedef struct complex_number {
    double re, im;
} complex_number;

static complex_number multiply(complex_number a, complex_number b)
{
    return (complex_number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static complex_number divide(complex_number a, complex_number b)
{
    double scale = b.re * b.re + b.im * b.im;
    if (scale < 1e-300)
        return (complex_number){0, 0};
    return (complex_number){(a.re * b.re + a.im * b.im) / scale, (a.im * b.re - a.re * b.im) / scale};
}

bool mdm_lpc_poles(double (*poles)[2], const double *a, int order)
{
    /* z^order A(z) = sum a[k] z^(order-k); speech poles lie near the unit circle: start a little inside it */
    for (int i = 0; i < order; i++) {
        double angle = 2 * 3.14159265358979 * (i + 0.25) / order;
        poles[i][0] = 0.9 * cos(angle);
        poles[i][1] = 0.9 * sin(angle);
    }
    for (int round = 0; round < 60; round++) {
        double moved = 0;
        for (int i = 0; i < order; i++) {
            complex_number z = {poles[i][0], poles[i][1]}, value = {a[0], 0}, slope = {0, 0};
            for (int k = 1; k <= order; k++) {
                slope = multiply(slope, z);
                slope.re += value.re;
                slope.im += value.im;
                value = multiply(value, z);
                value.re += a[k];
            }
            complex_number newton = divide(value, slope), repel = {0, 0};
            for (int j = 0; j < order; j++) {
                if (j == i)
                    continue;
                complex_number gap = {z.re - poles[j][0], z.im - poles[j][1]};
                complex_number one = divide((complex_number){1, 0}, gap);
                repel.re += one.re;
                repel.im += one.im;
            }
            complex_number below = multiply(newton, repel);
            complex_number step = divide(newton, (complex_number){1 - below.re, -below.im});
            poles[i][0] -= step.re;
            poles[i][1] -= step.im;
            moved = fmax(moved, fabs(step.re) + fabs(step.im));
        }
        if (moved < 1e-9)
            return true;
    }
    return false;
}

void mdm_lpc_from_poles(double *a, const double (*poles)[2], int order)
{
    complex_number c[MDM_LPC_MAX + 1] = {{1, 0}};
    for (int i = 0; i < order; i++)
        for (int k = i + 1; k >= 1; k--) {
            complex_number term = multiply(c[k - 1], (complex_number){poles[i][0], poles[i][1]});
            c[k].re -= term.re;
            c[k].im -= term.im;
        }
    for (int k = 0; k <= order; k++)
        a[k] = c[k].re;
}
