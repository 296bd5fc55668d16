/* The sampler of networks that predict velocity: DDIM over a schedule whose last time is noise alone ("zero terminal SNR"), where the
 * noise level of diffusion_sampler.h is infinite. Source: Song et al., 2021 (DDIM); Salimans and Ho, 2022 (velocity); Lin et al.,
 * 2023 (the schedule and its trailing times). */
#ifndef MDM_MODELS_VELOCITY_SAMPLER_H
#define MDM_MODELS_VELOCITY_SAMPLER_H

#include <stddef.h>

#include "base/status.h"

#define MDM_VELOCITY_TIMES 1000 /* of the training */

typedef struct mdm_velocity_sampler {
    int steps;
    float kept[MDM_VELOCITY_TIMES]; /* share of the picture's power at each time, from nearly 1 down to 0 */
} mdm_velocity_sampler;

/* `steps` from 1 to MDM_VELOCITY_TIMES. The schedule is EchoMimic's: betas evenly from 0.00085 to 0.012. */
mdm_status mdm_velocity_sampler_init(mdm_velocity_sampler *out, int steps);

/* The time of step i: what the network is told. */
int mdm_velocity_time(const mdm_velocity_sampler *sampler, int i);
/* Takes x [count] over step i, given the velocity that was predicted for it. */
void mdm_velocity_step(const mdm_velocity_sampler *sampler, int i, float *x, const float *velocity, size_t count);

#endif
