/* Linear prediction of speech: coefficients, the poles behind them, and back. */
#ifndef MDM_MEDIA_LPC_H
#define MDM_MEDIA_LPC_H

#include <stdbool.h>
#include <stddef.h>

enum { MDM_LPC_MAX = 24 };

/* Levinson-Durbin on the autocorrelation of `samples` (windowed by the caller). a[0] = 1, a[1..order]: the signal is
 * predicted by -sum a[k] x[n-k]. False when the frame is silent. order <= MDM_LPC_MAX. */
bool mdm_lpc_fit(double *a, int order, const float *samples, size_t count);

/* Poles of 1/A as (re, im) pairs, `order` of them, by Aberth's simultaneous iteration. False when it does not settle. */
bool mdm_lpc_poles(double (*poles)[2], const double *a, int order);

/* a[0..order] from poles (conjugates included; the small imaginary rest is dropped). */
void mdm_lpc_from_poles(double *a, const double (*poles)[2], int order);

#endif
