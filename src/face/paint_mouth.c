/* The inside of the mouth: where teeth, tongue and dark are is taken from the person's mouth, warped lips to lips, as three
 * soft masks; their colours are the model's under the scene's light. No pixel of the person's mouth is used. Step 10. */
#include <math.h>
#include <string.h>

#include "face/render_internal.h"

static const float usual_skin[3] = {190, 136, 112}, cavity[3] = {36, 20, 20}, tongue[3] = {112, 54, 52},
                   tooth[3] = {0.90f, 1.04f, 1.06f}; /* hue, over the skin's */

/* Where the gaps between the upper teeth are, from the middle out, in widths of the mouth; the outer ones are seen aslant. */
static const float tooth_gap[] = {0, 0.115f, 0.205f, 0.285f, 0.35f};

/* Lips to lips in the recording, and where the mouth lies on the canvas. */
typedef struct mouth_look {
    float skin[3], light[3];
    float tooth[3]; /* colour of teeth as bright as the skin */
    float dry;      /* 1 where bright spots are teeth, less where they may be a wet tongue */
    float wide;     /* 0..1: between lips that are hardly parted the blur has brought in the lips' own light */
    float middle[2], across[2]; /* of the mouth, canvas px; along it, in widths of the mouth a px */
    float lines;                /* 0..1: how plainly gaps between teeth are seen */
} mouth_look;

static const uint8_t *pixel(const mdm_image *image, float x, float y)
{
    int u = (int)mdm_clampf(roundf(x), 0, (float)image->width - 1),
        v = (int)mdm_clampf(roundf(y), 0, (float)image->height - 1);
    return image->data + (size_t)v * image->stride + 3 * (size_t)u;
}

/* Median of four cheek and brow samples of the recording. */
static void skin_of(float out[3], const mdm_render_frame *f)
{
    static const int where[4] = {205, 425, 50, 280};
    for (int k = 0; k < 3; k++) {
        float v[4];
        for (int i = 0; i < 4; i++) {
            v[i] = (float)pixel(f->image, f->source[where[i]][0], f->source[where[i]][1])[k];
            for (int j = i; j > 0 && v[j] < v[j - 1]; j--) {
                float swap = v[j];
                v[j] = v[j - 1], v[j - 1] = swap;
            }
        }
        out[k] = (v[1] + v[2]) / 2 + 1;
    }
}

/* A grey recording has grey teeth: how far they part from the skin's hue follows how far the skin is from grey. */
static void tooth_of(float out[3], const float skin[3])
{
    const float usual = logf(usual_skin[0] / usual_skin[2]),
                colour = mdm_clampf(logf(skin[0] / fmaxf(skin[2], 1)) / usual, 0, 1);
    for (int k = 0; k < 3; k++)
        out[k] = skin[k] * powf(tooth[k], colour);
}

/* 0..1 of the light that a row of teeth throws back at (x, y): gaps between them, and the shade of the cheeks at its ends. */
static float row_of_teeth(const mouth_look *look, float x, float y)
{
    const float u = fabsf((x - look->middle[0]) * look->across[0] + (y - look->middle[1]) * look->across[1]);
    float shade = 1 - 0.35f * mdm_smoothstep(u, 0.22f, 0.45f);
    for (size_t i = 0; i < sizeof tooth_gap / sizeof *tooth_gap; i++) {
        const float off = (u - tooth_gap[i]) / 0.010f;
        shade *= 1 - 0.22f * look->lines * expf(-off * off / 2);
    }
    return shade;
}

/* Colour of the mouth's inside at (x, y) of the canvas, for one blurred pixel of the recording. */
static void model_colour(float out[3], const float source[3], const mouth_look *look, float x, float y)
{
    const float *skin = look->skin, dry = look->dry, wide = look->wide;
    float lum = (source[0] + source[1] + source[2]) / (skin[0] + skin[1] + skin[2]);
    float red = source[0] / (source[1] + 4) / (skin[0] / (skin[1] + 4));
    float teeth =
        dry * mdm_smoothstep(lum, 0.38f - 0.10f * wide, 0.72f - 0.14f * wide) * (1 - mdm_smoothstep(red, 1.02f, 1.25f));
    float flesh = mdm_smoothstep(lum, 0.22f - 0.06f * wide, 0.5f) * fmaxf(mdm_smoothstep(red, 0.98f, 1.2f), 1 - dry) *
                  (1 - teeth);
    float bright = mdm_clampf(0.2f + 0.8f * lum, 0.45f, 1.08f) * row_of_teeth(look, x, y),
          round = 1 + wide * (mdm_clampf(0.5f + 1.1f * lum, 0.6f, 1.3f) - 1);
    for (int k = 0; k < 3; k++)
        out[k] = look->light[k] * (cavity[k] * (1 - teeth - flesh) + tongue[k] * round * flesh) +
                 look->tooth[k] * bright * teeth;
}

/* Teeth are rows, read from the lip down: in a wide open mouth without any, what shines is the tongue. */
static float dryness(const mdm_motion *m, int index)
{
    return 1 - 0.8f * mdm_smoothstep(m->lips[index], 0.3f, 0.45f) * (1 - mdm_smoothstep(m->teeth[index], 0, 0.12f));
}

/* `gap`: mdm_mouth_gap. */
static void look_at(mouth_look *look, const mdm_render_frame *f, float gap)
{
    const float *left = f->local[78], *right = f->local[308];
    const float along[2] = {right[0] - left[0], right[1] - left[1]},
                width2 = fmaxf(along[0] * along[0] + along[1] * along[1], 1);
    skin_of(look->skin, f);
    tooth_of(look->tooth, look->skin);
    look->dry = dryness(f->r->motion, f->index);
    look->wide = mdm_smoothstep(gap / f->width, 0.03f, 0.08f);
    look->lines = mdm_smoothstep(sqrtf(width2), 25, 60);
    for (int k = 0; k < 3; k++)
        look->light[k] = look->skin[k] / usual_skin[k];
    for (int k = 0; k < 2; k++) {
        look->middle[k] = (left[k] + right[k]) / 2;
        look->across[k] = along[k] / width2;
    }
}

float mdm_mouth_gap(const mdm_render_frame *f)
{
    float area = 0;
    for (int i = 0; i < MDM_LIP_INNER; i++) {
        const float *a = f->local[mdm_lip_inner[i]], *b = f->local[mdm_lip_inner[(i + 1) % MDM_LIP_INNER]];
        area += (a[0] * b[1] - b[0] * a[1]) / 2;
    }
    return area / fmaxf(hypotf(f->local[78][0] - f->local[308][0], f->local[78][1] - f->local[308][1]), 1);
}

mdm_status mdm_paint_mouth(mdm_render_frame *f)
{
    mdm_renderer *r = f->r;
    float corner[MDM_LIP_INNER][2], low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    const float gap = mdm_mouth_gap(f);
    float on =
        mdm_clampf((gap / f->width - 0.004f) / 0.016f, 0, 1); /* fades in: a threshold here is a pop in the video */
    if (on <= 0)
        return MDM_OK;
    for (int i = 0; i < MDM_LIP_INNER; i++)
        for (int k = 0; k < 2; k++) {
            corner[i][k] = f->local[mdm_lip_inner[i]][k];
            low[k] = fminf(low[k], corner[i][k]), high[k] = fmaxf(high[k], corner[i][k]);
        }
    int x0 = (int)mdm_clampf(low[0] - 2, 0, (float)r->canvas.width),
        x1 = (int)mdm_clampf(high[0] + 3, 0, (float)r->canvas.width);
    int y0 = (int)mdm_clampf(low[1] - 2, 0, (float)r->canvas.height),
        y1 = (int)mdm_clampf(high[1] + 3, 0, (float)r->canvas.height);
    int w = x1 - x0, h = y1 - y0;
    if (w < 3 || h < 3)
        return MDM_OK;
    /* the recording's mouth, lips to lips */
    float where[MDM_MESH_VERTICES][2];
    mouth_look look;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        memcpy(where[i], f->source[i], sizeof where[i]);
    MDM_TRY(mdm_canvas_begin(&r->mouth, x0, y0, w, h, 2));
    mdm_raster(&r->mouth, (const float(*)[3])f->local, &where[0][0], (const int(*)[3])r->canonical->mouth,
               r->canonical->mouth_count);
    look_at(&look, f, gap);
    size_t n = (size_t)w * (size_t)h;
    float *source = r->scratch, *known = r->window_alpha, *inside = r->plane; /* all free until the mask is made */
    for (size_t i = 0; i < n; i++) {
        known[i] = r->mouth.covered[i] != 0;
        const uint8_t *p = pixel(f->image, r->mouth.value[2 * i], r->mouth.value[2 * i + 1]);
        for (size_t k = 0; k < 3; k++)
            source[3 * i + k] = known[i] != 0 ? (float)p[k] : 0;
    }
    float sigma = fmaxf(0.5f, 0.008f * f->width);
    MDM_TRY(mdm_blur_float(source, w, h, 3, sigma));
    MDM_TRY(mdm_blur_float(known, w, h, 1, sigma));
    for (int i = 0; i < MDM_LIP_INNER; i++)
        corner[i][0] -= (float)x0, corner[i][1] -= (float)y0;
    mdm_fill_polygon(inside, w, h, (const float(*)[2])corner, MDM_LIP_INNER);
    MDM_TRY(mdm_blur_float(inside, w, h, 1, fmaxf(0.5f, 0.006f * f->width)));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t i = (size_t)y * (size_t)w + (size_t)x;
            float alpha = inside[i] * on * mdm_clampf(known[i] * 2, 0, 1), colour[3], mean[3];
            if (alpha <= 0)
                continue;
            for (size_t k = 0; k < 3; k++)
                mean[k] = source[3 * i + k] / fmaxf(known[i], 0.05f);
            model_colour(colour, mean, &look, (float)(x0 + x), (float)(y0 + y));
            float *out = r->face + 3 * ((size_t)(y0 + y) * (size_t)r->canvas.width + (size_t)(x0 + x));
            for (int k = 0; k < 3; k++)
                out[k] += alpha * (colour[k] - out[k]);
        }
    return MDM_OK;
}
