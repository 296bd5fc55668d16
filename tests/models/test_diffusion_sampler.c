/* The samplers against diffusers' schedulers (tools/make_diffusion_goldens.py), with a formula in place of a network. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "models/diffusion_sampler.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion/sampler.safetensors"

enum { COUNT = 32 };

static mdm_status formula(void *user, float *noise, const float *input, float time)
{
    (void)user;
    for (int i = 0; i < COUNT; i++)
        noise[i] = 0.9f * tanhf(1.3f * input[i] + 0.2f) + 0.1f * sinf(time / 100);
    return MDM_OK;
}

static void compare(const mdm_tensor_file *file, const char *name, const char *what, const float *got, double limit)
{
    char key[64];
    size_t count = 0;
    snprintf(key, sizeof key, "%s.%s", name, what);
    if (!mdm_tensor_file_find(file, key)) {
        assert_string_equal(what, "sigmas"); /* diffusers' DDIM keeps none */
        return;
    }
    float *want = golden(file, key, NULL, &count);
    double error = relative_error(got, want, count);
    if (!(error < limit))
        fail_msg("%s: %.2g relative, expected below %g", key, error, limit);
    mdm_free(&want);
}

static void check(const mdm_tensor_file *file, const char *name, mdm_sampler_kind kind,
                  const mdm_noise_schedule *schedule, int steps)
{
    float times[32], sigmas[32];
    mdm_sampler *s = NULL;
    mdm_random random;
    ok(mdm_sampler_new(&s, kind, schedule, steps));
    assert_int_equal(mdm_sampler_steps(s), steps);
    for (int i = 0; i <= steps; i++) {
        times[i] = mdm_sampler_time(s, i);
        sigmas[i] = (float)mdm_sampler_sigma(s, i);
    }
    compare(file, name, "times", times, 1e-6);
    compare(file, name, "sigmas", sigmas, 2e-6); /* diffusers adds up in f32 */
    mdm_random_seed(&random, 1, "ancestral");
    const mdm_sampler_run run = {.predict = formula, .random = &random};
    float *latent = random_normals(1, "noise", COUNT), *picture = random_normals(1, "picture", COUNT);
    ok(mdm_sampler_draw(s, latent, NULL, COUNT, 0, &run));
    compare(file, name, "drawn", latent, 2e-5);
    mdm_free(&latent);
    latent = random_normals(1, "noise", COUNT);
    ok(mdm_sampler_draw(s, latent, picture, COUNT, mdm_sampler_first_step(s, 0.4), &run));
    compare(file, name, "changed", latent, 2e-5);
    ok(mdm_sampler_draw(s, latent, picture, COUNT, mdm_sampler_first_step(s, 0), &run));
    assert_memory_equal(latent, picture, COUNT * sizeof *latent);
    mdm_free(&latent);
    mdm_free(&picture);
    mdm_sampler_free(&s);
    assert_null(s);
}

static void samplers_agree(void **state)
{
    (void)state;
    mdm_tensor_file *file = NULL;
    const mdm_noise_schedule leading = mdm_noise_schedule_sd;
    mdm_noise_schedule linspace = leading, trailing = leading, to_clean, clipped = leading, linear = leading;
    linspace.spacing = MDM_SPACING_LINSPACE;
    trailing.spacing = MDM_SPACING_TRAILING;
    to_clean = trailing;
    to_clean.end_clean = true;
    clipped.clip = 1;
    linear.scaled = false;
    linear.end_clean = true;
    ok(mdm_tensor_file_open(&file, GOLDEN));
    check(file, "euler.leading", MDM_SAMPLER_EULER, &leading, 10);
    check(file, "euler.linspace", MDM_SAMPLER_EULER, &linspace, 7);
    check(file, "euler.trailing", MDM_SAMPLER_EULER, &trailing, 12);
    check(file, "euler-a.leading", MDM_SAMPLER_EULER_ANCESTRAL, &leading, 10);
    check(file, "ddim.leading", MDM_SAMPLER_DDIM, &leading, 10);
    check(file, "ddim.trailing", MDM_SAMPLER_DDIM, &to_clean, 13);
    check(file, "ddim.clipped", MDM_SAMPLER_DDIM, &clipped, 10);
    check(file, "ddim.linear", MDM_SAMPLER_DDIM, &linear, 10);
    check(file, "dpm++2m.leading", MDM_SAMPLER_DPMPP_2M, &leading, 10);
    check(file, "dpm++2m.linspace", MDM_SAMPLER_DPMPP_2M, &linspace, 20);
    mdm_noise_schedule karras = leading, velocity = leading, fast = trailing;
    karras.karras = true;
    fast.velocity = velocity.velocity = true;
    check(file, "euler.karras", MDM_SAMPLER_EULER, &karras, 10);
    check(file, "dpm++2m.karras", MDM_SAMPLER_DPMPP_2M, &karras, 20);
    check(file, "euler.velocity", MDM_SAMPLER_EULER, &fast, 10);
    check(file, "euler-a.velocity", MDM_SAMPLER_EULER_ANCESTRAL, &velocity, 10);
    check(file, "dpm++2m.velocity", MDM_SAMPLER_DPMPP_2M, &velocity, 10);
    velocity.clip = 1;
    check(file, "ddim.velocity", MDM_SAMPLER_DDIM, &velocity, 10);
    mdm_tensor_file_free(&file);
}

/* Noise levels of SDXL's published recipe, 30 steps of Euler. */
static void levels_are_the_published_ones(void **state)
{
    (void)state;
    static const double sigma[31] = {11.4768, 9.5436, 8.0043, 6.7684, 5.7678, 4.9510, 4.2790, 3.7216,
                                     3.2556,  2.8629, 2.5295, 2.2441, 1.9980, 1.7841, 1.5968, 1.4316,
                                     1.2846,  1.1530, 1.0342, 0.9261, 0.8270, 0.7353, 0.6499, 0.5693,
                                     0.4924,  0.4179, 0.3439, 0.2677, 0.1822, 0.0413, 0};
    mdm_sampler *s = NULL;
    ok(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &mdm_noise_schedule_sd, 30));
    for (int i = 0; i <= 30; i++)
        assert_true(fabs(mdm_sampler_sigma(s, i) - sigma[i]) < 6e-5);
    assert_true(mdm_sampler_time(s, 0) == 958 && mdm_sampler_time(s, 29) == 1);
    mdm_sampler_free(&s);
    ok(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &mdm_noise_schedule_sd, 50));
    int first = mdm_sampler_first_step(s, 0.3); /* CosmicMan's second pass */
    assert_int_equal(first, 35);
    assert_true(mdm_sampler_time(s, first) == 281 && fabs(mdm_sampler_sigma(s, first) - 0.7789) < 6e-5);
    mdm_sampler_free(&s);
}

static bool stop_at_three(void *user, double done, double total)
{
    (void)total;
    *(int *)user = (int)done;
    return done < 3;
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    mdm_sampler *s = NULL;
    float latent[COUNT] = {0};
    int done = 0;
    mdm_noise_schedule schedule = mdm_noise_schedule_sd;
    for (int kind = 0; kind < MDM_SAMPLER_KINDS; kind++) {
        assert_int_equal(mdm_sampler_new(&s, kind, &schedule, 0), MDM_ERR_USAGE);
        assert_int_equal(mdm_sampler_new(&s, kind, &schedule, 1001), MDM_ERR_USAGE);
        ok(mdm_sampler_new(&s, kind, &schedule, 1)); /* the fewest */
        mdm_random random;
        mdm_random_seed(&random, 1, "");
        ok(mdm_sampler_draw(s, latent, NULL, COUNT, 0, &(mdm_sampler_run){.predict = formula, .random = &random}));
        assert_true(isfinite(latent[0]));
        mdm_sampler_free(&s);
    }
    ok(mdm_sampler_new(&s, MDM_SAMPLER_EULER_ANCESTRAL, &schedule, 5));
    assert_int_equal(mdm_sampler_draw(s, latent, NULL, COUNT, 0, &(mdm_sampler_run){.predict = formula}),
                     MDM_ERR_INTERNAL);
    mdm_sampler_free(&s);
    const mdm_progress progress = {stop_at_three, &done};
    ok(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &schedule, 5));
    assert_int_equal(
        mdm_sampler_draw(s, latent, NULL, COUNT, 0, &(mdm_sampler_run){.predict = formula, .progress = &progress}),
        MDM_ERR_CANCELLED);
    assert_int_equal(done, 3);
    mdm_sampler_free(&s);
    schedule.karras = true;
    ok(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &schedule, 1));
    mdm_sampler_free(&s);
    assert_int_equal(mdm_sampler_new(&s, MDM_SAMPLER_DDIM, &schedule, 5), MDM_ERR_USAGE);
    schedule.beta_end = 1;
    assert_int_equal(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &schedule, 5), MDM_ERR_INPUT);
    schedule = mdm_noise_schedule_sd;
    schedule.train_steps = 1;
    assert_int_equal(mdm_sampler_new(&s, MDM_SAMPLER_EULER, &schedule, 1), MDM_ERR_INPUT);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samplers_agree),
        cmocka_unit_test(levels_are_the_published_ones),
        cmocka_unit_test(mistakes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
