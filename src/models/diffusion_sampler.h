/* Samplers of diffusion networks that predict noise, or noise and picture mixed: which noise levels a picture goes through, and the step from one to the
 * next. All of them keep the picture as x = picture + sigma * noise; only the steps and the levels differ. Checked against the
 * schedulers of diffusers. */
#ifndef MDM_MODELS_DIFFUSION_SAMPLER_H
#define MDM_MODELS_DIFFUSION_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"

typedef enum mdm_sampler_kind {
    MDM_SAMPLER_EULER,           /* Karras et al., 2022, algorithm 2 without churn */
    MDM_SAMPLER_EULER_ANCESTRAL, /* the same, with fresh noise after each step */
    MDM_SAMPLER_DDIM,            /* Song et al., 2021, eta = 0 */
    MDM_SAMPLER_DPMPP_2M,        /* DPM-Solver++(2M): Lu et al., 2022 */
    MDM_SAMPLER_KINDS,
} mdm_sampler_kind;

/* "euler", "euler-a", "ddim", "dpm++2m" */
extern const char *const mdm_sampler_names[MDM_SAMPLER_KINDS];

/* How the times of the steps are spread over those of the training (Lin et al., 2023, table 2). */
typedef enum mdm_spacing { MDM_SPACING_LEADING, MDM_SPACING_TRAILING, MDM_SPACING_LINSPACE } mdm_spacing;

/* The noise of a network's training, as its scheduler_config.json says it. */
typedef struct mdm_noise_schedule {
    int train_steps; /* 2..100000 */
    double beta_start, beta_end;
    bool scaled; /* betas are squares of evenly spaced numbers ("scaled_linear"), else evenly spaced themselves */
    mdm_spacing spacing;
    int offset;     /* added to the times of LEADING */
    bool end_clean; /* DDIM's last step goes to no noise at all, else to that of time 0 */
    float clip;     /* DDIM's estimate of the picture is cut to +-clip; 0: it is not */
    /* Euler and DPM++: levels evenly spaced in their 7th root (Karras et al., 2022, equation 5), between the first and the last that
     * `spacing` gives Euler, and over all of the training for DPM++; times are those of the levels. */
    bool karras;
    bool velocity; /* the network says v (Salimans and Ho, 2022, appendix D), not the noise */
} mdm_noise_schedule;

extern const mdm_noise_schedule mdm_noise_schedule_sd; /* of SD 1.5 and SDXL */

typedef struct mdm_sampler mdm_sampler;

/* `steps` from 1 to train_steps. */
mdm_status mdm_sampler_new(mdm_sampler **out, mdm_sampler_kind kind, const mdm_noise_schedule *schedule, int steps);
void mdm_sampler_free(mdm_sampler **sampler);

int mdm_sampler_steps(const mdm_sampler *sampler);
/* Step i's time of the training and noise level; i = steps: the level after the last one (its time is 0). */
float mdm_sampler_time(const mdm_sampler *sampler, int i);
double mdm_sampler_sigma(const mdm_sampler *sampler, int i);
/* The first step of a picture that is to change by `strength` (0..1); `steps` when none is needed. */
int mdm_sampler_first_step(const mdm_sampler *sampler, double strength);

/* The network: `noise` in `input` (already scaled as in training) at `time`; or v of it. */
typedef mdm_status (*mdm_predict_noise)(void *user, float *noise, const float *input, float time);

/* What a run needs besides the sampler. */
typedef struct mdm_sampler_run {
    mdm_predict_noise predict;
    void *user;
    mdm_random *random;           /* of MDM_SAMPLER_EULER_ANCESTRAL */
    const mdm_progress *progress; /* told of every step; may cancel (MDM_ERR_CANCELLED) */
    /* Shown the network's estimate of the finished latent [count] after every step, `done` of them; may be NULL. */
    mdm_status (*watch)(void *watcher, const float *clean, int done);
    void *watcher;
} mdm_sampler_run;

/* From noise to a latent. latent [count]: standard normal noise, or with `from` noise to be added to `from` [count] at step
 * `first`; then the finished latent. `first`: 0, or mdm_sampler_first_step. */
mdm_status mdm_sampler_draw(const mdm_sampler *sampler, float *latent, const float *from, size_t count, int first,
                            const mdm_sampler_run *run);

#endif
