/* Measuring fine-band energy, and applying what was chosen. */
#include "face/sharpness.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/share.h"
#include "face/render_internal.h"

#define TRIED 8 /* probes */

static const float blur_of[MDM_BLUR_TRIALS] = {0, 0.35f, 0.5f, 0.65f, 0.8f, 1.0f, 1.2f, 1.5f};

/* Grain (robust spread) and energy of a grey picture's finest band where the mask is 1. */
static mdm_status fine_band(double out[2], const float *grey, const float *alpha, int width, int height, float *band,
                            float *sizes)
{
    size_t n = (size_t)width * (size_t)height, count = 0;
    memcpy(band, grey, n * sizeof *band);
    MDM_TRY(mdm_blur_float(band, width, height, 1, 1.2f));
    double sum = 0, capped = 0, capped_sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (alpha[i] <= 0.95f)
            continue;
        float d = grey[i] - band[i], c = fminf(fabsf(d), 6);
        sum += (double)d * (double)d;
        capped += (double)c * (double)c;
        capped_sum += (double)c;
        sizes[count++] = fabsf(d);
    }
    double m = capped_sum / (double)count;
    out[0] = 1.48 * (double)mdm_select(sizes, count, count / 2);
    out[1] = sqrt(fmax(0, capped / (double)count - m * m)) + 0.3 * sqrt(sum / (double)count);
    return MDM_OK;
}

static void to_grey(float *out, const mdm_image *image, const int rect[4])
{
    for (int y = 0; y < rect[3]; y++) {
        const uint8_t *p = image->data + (size_t)(rect[1] + y) * image->stride + 3 * (size_t)rect[0];
        for (int x = 0; x < rect[2]; x++, p += 3)
            *out++ = 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
    }
}

mdm_status mdm_sharpness_add(mdm_sharpness *sums, const mdm_image *source, const mdm_image *drawn, const float *alpha,
                             const int rect[4])
{
    size_t n = (size_t)rect[2] * (size_t)rect[3], solid = 0;
    float *grey = NULL, *trial = NULL, *band = NULL, *sizes = NULL;
    double value[2];
    for (size_t i = 0; i < n; i++)
        solid += alpha[i] > 0.95f;
    if (solid < 50)
        return MDM_OK;
    mdm_status status = mdm_alloc(&grey, n, sizeof *grey, "sharpness");
    if (!status)
        status = mdm_alloc(&trial, n, sizeof *trial, "sharpness");
    if (!status)
        status = mdm_alloc(&band, n, sizeof *band, "sharpness");
    if (!status)
        status = mdm_alloc(&sizes, n, sizeof *sizes, "sharpness");
    if (!status) {
        to_grey(grey, source, rect);
        status = fine_band(value, grey, alpha, rect[2], rect[3], band, sizes);
    }
    if (!status) {
        for (int k = 0; k < 2; k++)
            sums->source[k] += value[k];
        sums->frames++;
        to_grey(grey, drawn, rect);
    }
    for (int t = 0; t < MDM_BLUR_TRIALS && !status; t++) {
        memcpy(trial, grey, n * sizeof *trial);
        if (blur_of[t] > 0)
            status = mdm_blur_float(trial, rect[2], rect[3], 1, blur_of[t]);
        if (!status)
            status = fine_band(value, trial, alpha, rect[2], rect[3], band, sizes);
        for (int k = 0; k < 2 && !status; k++)
            sums->trial[t][k] += value[k];
    }
    mdm_free(&grey);
    mdm_free(&trial);
    mdm_free(&band);
    mdm_free(&sizes);
    return status;
}

void mdm_sharpness_choose(mdm_motion_look *look, const mdm_sharpness *sums)
{
    if (!sums->frames || sums->source[1] <= 0)
        return;
    int best = 0;
    double least = INFINITY, frames = sums->frames;
    for (int t = 0; t < MDM_BLUR_TRIALS; t++) {
        double off = fabs(log(fmax(sums->trial[t][1], 1e-6) / sums->source[1]));
        if (off < least)
            least = off, best = t;
    }
    look->blur = blur_of[best];
    look->unsharp =
        best ? 0 : mdm_clampf((float)(0.8 * (sums->source[1] / fmax(sums->trial[0][1], 1e-6) - 1)), 0, 0.9f);
    double s = sums->source[0] / frames, d = sums->trial[best][0] / frames;
    look->grain = (float)sqrt(fmax(0, s * s - d * d));
}

/* Probes that are tried, each with sums of its own: added up in their order whoever did them. */
typedef struct trials {
    const mdm_probe *probes;
    int step;
    mdm_renderer *renderer[MDM_SHARERS];
    mdm_sharpness *sums;
} trials;

static mdm_status try_probe(void *user, int item, int sharer)
{
    trials *t = user;
    const mdm_probe *probe = &t->probes[item * t->step];
    mdm_image drawn = {0};
    int rect[4];
    MDM_TRY(mdm_image_copy(&drawn, &probe->image));
    mdm_status status = mdm_renderer_draw(t->renderer[sharer], &drawn, probe->index);
    if (!status) {
        const float *alpha = mdm_renderer_alpha(t->renderer[sharer], rect);
        if (rect[2])
            status = mdm_sharpness_add(&t->sums[item], &probe->image, &drawn, alpha, rect);
    }
    mdm_image_free(&drawn);
    return status;
}

static void add_up(mdm_sharpness *sums, const mdm_sharpness *one)
{
    sums->frames += one->frames;
    for (int k = 0; k < 2; k++) {
        sums->source[k] += one->source[k];
        for (int t = 0; t < MDM_BLUR_TRIALS; t++)
            sums->trial[t][k] += one->trial[t][k];
    }
}

mdm_status mdm_sharpness_fit(mdm_motion *m, const mdm_standin *standin, const mdm_canonical *canonical,
                             const mdm_probe *probes, int count)
{
    trials t = {.probes = probes, .step = count > TRIED ? count / TRIED : 1};
    mdm_sharpness sums = {0};
    const int tried = (count + t.step - 1) / t.step;
    m->look.blur = m->look.unsharp = m->look.grain = 0; /* as drawn */
    mdm_status status = mdm_alloc(&t.sums, (size_t)tried, sizeof *t.sums, "sharpness");
    for (int i = 0; i < MDM_SHARERS && !status; i++)
        status = mdm_renderer_new(&t.renderer[i], canonical, m, standin);
    if (!status)
        status = mdm_share(tried, try_probe, &t);
    for (int i = 0; i < tried && !status; i++)
        add_up(&sums, &t.sums[i]);
    if (!status)
        mdm_sharpness_choose(&m->look, &sums);
    for (int i = 0; i < MDM_SHARERS; i++)
        mdm_renderer_free(&t.renderer[i]);
    mdm_free(&t.sums);
    return status;
}

/* A number in about -1..1 from a frame's and a pixel's number: the same grain in every run. */
static float grain_at(uint32_t frame, uint32_t pixel)
{
    uint32_t h = pixel * 2654435761u ^ frame * 2246822519u;
    h = (h ^ h >> 15) * 2246822519u;
    h = (h ^ h >> 13) * 3266489917u;
    h ^= h >> 16;
    /* the sum of four bytes is nearly normal */
    return ((float)(h & 255) + (float)(h >> 8 & 255) + (float)(h >> 16 & 255) + (float)(h >> 24) - 510) / 147.8f;
}

/* A turning head smears in the exposure: half of the path from frame to frame. */
static void motion_blur(float *rgb, float *copy, int width, int height, const mdm_render_frame *f)
{
    static const int probes[5] = {4, 168, 152, 234, 454};
    const mdm_motion *m = f->r->motion;
    int before = f->index > 0 ? f->index - 1 : 0, after = f->index + 1 < m->count ? f->index + 1 : f->index;
    float a[MDM_MESH_VERTICES][3], b[MDM_MESH_VERTICES][3], d[2] = {0};
    if (after == before)
        return;
    mdm_motion_image(a, m, before);
    mdm_motion_image(b, m, after);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++)
            d[k] += (b[probes[i]][k] - a[probes[i]][k]) / (5.0f * (float)(after - before));
    float path = 0.5f * hypotf(d[0], d[1]), limit = fminf(path, 0.2f * f->width);
    if (path <= 2.5f)
        return;
    int steps = (int)ceilf(limit);
    float step[2] = {0.5f * d[0] / path * limit / (float)steps, 0.5f * d[1] / path * limit / (float)steps};
    memcpy(copy, rgb, (size_t)width * (size_t)height * 3 * sizeof *copy);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float sum[3] = {0};
            for (int s = 0; s <= steps; s++) {
                float t = (float)s - (float)steps / 2;
                int u = (int)mdm_clampf((float)x + t * step[0] + 0.5f, 0, (float)width - 1),
                    v = (int)mdm_clampf((float)y + t * step[1] + 0.5f, 0, (float)height - 1);
                for (int k = 0; k < 3; k++)
                    sum[k] += copy[3 * (v * width + u) + k];
            }
            for (int k = 0; k < 3; k++)
                rgb[3 * (y * width + x) + k] = sum[k] / (float)(steps + 1);
        }
}

mdm_status mdm_match_sharpness(float *rgb, int width, int height, const mdm_render_frame *f)
{
    const mdm_motion_look *look = &f->r->motion->look;
    size_t n = (size_t)width * (size_t)height;
    float *copy = f->r->scratch;
    if (look->blur > 0)
        MDM_TRY(mdm_blur_float(rgb, width, height, 3, look->blur));
    if (look->unsharp > 0.02f) {
        memcpy(copy, rgb, 3 * n * sizeof *copy);
        MDM_TRY(mdm_blur_float(copy, width, height, 3, 1));
        for (size_t i = 0; i < 3 * n; i++)
            rgb[i] += look->unsharp * (rgb[i] - copy[i]);
    }
    if (look->grain > 0.25f) {
        float *grain = f->r->plane;
        for (size_t i = 0; i < n; i++)
            grain[i] = grain_at((uint32_t)(f->r->motion->first + f->index), (uint32_t)i);
        MDM_TRY(mdm_blur_float(grain, width, height, 1, 0.7f));
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 3; k++)
                rgb[3 * i + k] += look->grain * 2.48f * grain[i]; /* the blur leaves 1 / 2.48 of the spread */
    }
    motion_blur(rgb, copy, width, height, f);
    return MDM_OK;
}
