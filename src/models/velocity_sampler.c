/* DDIM over velocities. The table is computed in f32 in the order in which it was for the training: near the last time, where two nearly
 * equal numbers are subtracted, anything else would give another table. */
#include "models/velocity_sampler.h"

#include <math.h>

/* Products of 1 - beta, moved and stretched so that their root ends at 0 and begins where it did; then, as schedulers do, taken apart
 * into betas and multiplied again. */
static void fill(float *kept)
{
    enum { N = MDM_VELOCITY_TIMES };
    const double from = 0.00085, to = 0.012;
    float root[N];
    double product = 1;
    for (int i = 0; i < N; i++) {
        product *= (double)(1 - (float)(from + (to - from) * i / (N - 1)));
        root[i] = sqrtf((float)product);
    }
    const float first = root[0], last = root[N - 1];
    for (int i = 0; i < N; i++) {
        const float r = (root[i] - last) * (first / (first - last));
        root[i] = r * r;
    }
    product = 1;
    for (int i = 0; i < N; i++) {
        const float beta = 1 - (i ? root[i] / root[i - 1] : root[0]);
        product *= (double)(1 - beta);
        kept[i] = (float)product;
    }
}

mdm_status mdm_velocity_sampler_init(mdm_velocity_sampler *out, int steps)
{
    if (steps < 1 || steps > MDM_VELOCITY_TIMES)
        return mdm_fail(MDM_ERR_USAGE, "%d steps, expected 1 to %d", steps, MDM_VELOCITY_TIMES);
    out->steps = steps;
    fill(out->kept);
    return MDM_OK;
}

int mdm_velocity_time(const mdm_velocity_sampler *sampler, int i)
{
    return (int)rint(MDM_VELOCITY_TIMES - i * ((double)MDM_VELOCITY_TIMES / sampler->steps)) - 1;
}

void mdm_velocity_step(const mdm_velocity_sampler *sampler, int i, float *x, const float *velocity, size_t count)
{
    const int time = mdm_velocity_time(sampler, i), next = time - MDM_VELOCITY_TIMES / sampler->steps;
    const float now = sampler->kept[time], then = next >= 0 ? sampler->kept[next] : 1;
    const float a = sqrtf(now), b = sqrtf(1 - now), c = sqrtf(then), d = sqrtf(1 - then);
    for (size_t k = 0; k < count; k++) {
        const float picture = a * x[k] - b * velocity[k], noise = a * velocity[k] + b * x[k];
        x[k] = c * picture + d * noise;
    }
}
