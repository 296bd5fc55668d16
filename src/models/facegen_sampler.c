/* From noise to a face: DPM-Solver++(2M) (Lu et al., 2022) over the noise levels of Karras et al. (2022), guidance in an interval
 * of them (Kynkaanniemi et al., 2024), and the steering that makes a portrait one that can be driven. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models/facegen_internal.h"

#define SIGMA_DATA 0.5f /* deviation of the pictures in training */
#define SIGMA_MAX  60.0
#define SIGMA_MIN  0.02
#define RHO        6.0
#define LIMIT      1.3f /* of the estimate of the picture */

mdm_facegen_sampler mdm_facegen_sampler_default(void)
{
    return (mdm_facegen_sampler){
        .steps = 8, /* 3 of them guided: 11 evaluations of the network */
        .guidance = 1.5f,
        .low = 0.5f,
        .high = 8,
        .even_light = 0.5f,
        .bare_forehead = 0.6f,
    };
}

static double noise_level(int i, int steps)
{
    if (i >= steps)
        return 0;
    double from = pow(SIGMA_MAX, 1 / RHO), to = pow(SIGMA_MIN, 1 / RHO);
    return pow(from + (to - from) * i / (steps - 1), RHO);
}

/* Buffers of one draw, each of 3*S*S floats. */
typedef struct draw {
    mdm_facegen *facegen;
    size_t count;
    int side;
    float *scaled, *estimate, *other, *previous, *work;
    const mdm_progress *progress;
    int done, total; /* evaluations */
} draw;

/* The network's estimate of the clean picture (its output F under EDM's preconditioning, written for z = t x + (1 - t) e). */
static mdm_status denoise(draw *d, float *out, const float *z, float t, const mdm_facegen_conditions *conditions)
{
    float q = t * t * SIGMA_DATA * SIGMA_DATA + (1 - t) * (1 - t);
    float skip = t * SIGMA_DATA * SIGMA_DATA / q, gain = (1 - t) * SIGMA_DATA / sqrtf(q), in = 1 / sqrtf(q);
    for (size_t i = 0; i < d->count; i++)
        d->scaled[i] = in * z[i];
    MDM_TRY(mdm_facegen_forward(d->facegen, out, d->scaled, t, conditions));
    for (size_t i = 0; i < d->count; i++)
        out[i] = skip * z[i] + gain * out[i];
    d->done++;
    if (!mdm_progress_update(d->progress, d->done, d->total))
        return mdm_fail(MDM_ERR_CANCELLED, "drawing a portrait was cancelled after %d of %d evaluations", d->done,
                        d->total);
    return MDM_OK;
}

static float step(float x) /* soft 0 to 1 */
{
    return 1 / (1 + expf(-x));
}

/* Where the forehead lies in an aligned picture of side 128: between an arch and the brows, 36 px to either side. */
static float forehead(float x, float y)
{
    float across = fabsf(x - 64), top = 12.5f + 10 * powf(across / 40, 2.5f);
    return step((y - top) / 1.2f) * step((29 - y) / 1.2f) * step((36 - across) / 1.5f);
}

static bool is_cheek(float x, float y)
{
    return (fabsf(x - 34) < 7 || fabsf(x - 94) < 7) && fabsf(y - 69) < 7;
}

/* Steers the estimate while the noise is high, that is while light and hair are decided and the details are not. Both work on
 * its low frequencies only; what the network draws later hides the hand. Plane by plane. */
static mdm_status steer(draw *d, float *x, bool light, bool bare)
{
    const int s = d->side;
    const float k = 128.0f / (float)s, light_blur = 6 / k, skin_blur = 3 / k, strength = 0.7f;
    const size_t area = (size_t)s * (size_t)s;
    for (int channel = 0; channel < 3; channel++) {
        float *plane = x + (size_t)channel * area, *low = d->work;
        if (light) { /* half of the blurred left-right difference goes to each side */
            memcpy(low, plane, area * sizeof *low);
            MDM_TRY(mdm_blur_float(low, s, s, 1, light_blur));
            for (int y = 0; y < s; y++)
                for (int i = 0; i < s; i++)
                    plane[y * s + i] -= 0.5f * (low[y * s + i] - low[y * s + s - 1 - i]);
        }
        if (bare) { /* the forehead's blurred colour goes towards the cheeks' */
            double sum = 0;
            int n = 0;
            for (int y = 0; y < s; y++)
                for (int i = 0; i < s; i++)
                    if (is_cheek((float)i * k, (float)y * k)) {
                        sum += plane[y * s + i];
                        n++;
                    }
            float skin = n ? (float)(sum / n) : 0;
            memcpy(low, plane, area * sizeof *low);
            MDM_TRY(mdm_blur_float(low, s, s, 1, skin_blur));
            for (int y = 0; y < s && n; y++)
                for (int i = 0; i < s; i++)
                    plane[y * s + i] += strength * forehead((float)i * k, (float)y * k) * (skin - low[y * s + i]);
        }
    }
    return MDM_OK;
}

static bool guided(const mdm_facegen_sampler *sampler, double sigma)
{
    return sampler->guidance != 1 && sigma >= (double)sampler->low && sigma <= (double)sampler->high;
}

static mdm_status solve(draw *d, float *x, const mdm_facegen_conditions *conditions, const mdm_facegen_sampler *sampler)
{
    mdm_facegen_conditions nothing =
        mdm_facegen_unknown(); /* but the domain: else guidance exaggerates its looks too */
    nothing.domain = conditions->domain;
    double before = 0; /* noise level of the step before */
    for (int i = 0; i < sampler->steps; i++) {
        double sigma = noise_level(i, sampler->steps), next = noise_level(i + 1, sampler->steps);
        float t = (float)(1 / (1 + sigma)), *z = d->work; /* x = picture + sigma e; z = t x */
        for (size_t k = 0; k < d->count; k++)
            z[k] = t * x[k];
        MDM_TRY(denoise(d, d->estimate, z, t, conditions));
        if (guided(sampler, sigma)) {
            MDM_TRY(denoise(d, d->other, z, t, &nothing));
            for (size_t k = 0; k < d->count; k++)
                d->estimate[k] = d->other[k] + sampler->guidance * (d->estimate[k] - d->other[k]);
        }
        bool light = sampler->even_light > 0 && sigma > (double)sampler->even_light;
        bool bare = sampler->bare_forehead > 0 && sigma > (double)sampler->bare_forehead;
        MDM_TRY(steer(d, d->estimate, light, bare));
        for (size_t k = 0; k < d->count; k++)
            d->estimate[k] = fminf(fmaxf(d->estimate[k], -LIMIT), LIMIT);
        if (i + 1 == sampler->steps) {
            memcpy(x, d->estimate, d->count * sizeof *x);
            break;
        }
        double h = log(sigma / next), r = i ? log(before / sigma) / h : 0;
        float keep = (float)(next / sigma), go = (float)-expm1(-h);
        float now = i ? (float)(1 + 0.5 / r) : 1, old = i ? (float)(-0.5 / r) : 0;
        for (size_t k = 0; k < d->count; k++)
            x[k] = keep * x[k] + go * (now * d->estimate[k] + old * d->previous[k]);
        memcpy(d->previous, d->estimate, d->count * sizeof *x);
        before = sigma;
    }
    for (size_t k = 0; k < d->count; k++)
        x[k] = fminf(fmaxf(x[k], -1), 1);
    return MDM_OK;
}

mdm_status mdm_facegen_sample(mdm_facegen *facegen, float *picture, const float *noise,
                              const mdm_facegen_conditions *conditions, const mdm_facegen_sampler *sampler,
                              const mdm_progress *progress)
{
    if (sampler->steps < 2 || sampler->steps > 100)
        return mdm_fail(MDM_ERR_INTERNAL, "face generator: %d steps, expected 2..100", sampler->steps);
    const int side = facegen->sizes.picture;
    draw d = {.facegen = facegen, .side = side, .count = 3 * (size_t)side * (size_t)side, .progress = progress};
    for (int i = 0; i < sampler->steps; i++)
        d.total += guided(sampler, noise_level(i, sampler->steps)) ? 2 : 1;
    float *memory = NULL;
    MDM_TRY(mdm_alloc(&memory, 5 * d.count, sizeof *memory, "portrait"));
    d.scaled = memory;
    d.estimate = memory + d.count;
    d.other = memory + 2 * d.count;
    d.previous = memory + 3 * d.count;
    d.work = memory + 4 * d.count;
    for (size_t i = 0; i < d.count; i++)
        picture[i] = noise[i] * (float)SIGMA_MAX;
    mdm_status status = solve(&d, picture, conditions, sampler);
    mdm_free(&memory);
    return status;
}

mdm_status mdm_facegen_draw(mdm_facegen *facegen, mdm_image *out, const mdm_facegen_conditions *conditions,
                            const mdm_facegen_sampler *sampler, mdm_random *random, const mdm_progress *progress)
{
    const int side = facegen->sizes.picture;
    const size_t area = (size_t)side * (size_t)side, count = 3 * area;
    float *noise = NULL;
    MDM_TRY(mdm_alloc(&noise, 2 * count, sizeof *noise, "noise"));
    for (size_t i = 0; i < count; i++)
        noise[i] = mdm_random_normal(random);
    float *picture = noise + count;
    mdm_status status = mdm_facegen_sample(facegen, picture, noise, conditions, sampler, progress);
    if (!status)
        status = mdm_image_new(out, side, side, 3);
    for (size_t i = 0; i < count && !status; i++)
        out->data[i / 3 / (size_t)side * out->stride + i / 3 % (size_t)side * 3 + i % 3] =
            (uint8_t)lrintf((picture[i % 3 * area + i / 3] + 1) * 127.5f);
    mdm_free(&noise);
    return status;
}
