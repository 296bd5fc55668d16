/* Where the stand-in shows: rendered front-facing skin with a soft rim, and hair of the recording left over the forehead.
 * Step 12 of standins.md 2.1. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/order.h"
#include "face/pose.h"
#include "face/render_internal.h"

/* Of the face's width. A wider rim looks better and keeps more of the person: at .06, .08 and .10 MobileFaceNet's likeness is .17, .20
 * and .21 (intel female). */
#define FEATHER 0.08f
#define RAGGED  0.7f  /* px: the mesh's outermost pixels come and go */
#define BRIDGE  6     /* of the nose */
#define TEMPLE  0.22f /* of the face's width under the brows: how far hair is kept beside the eyes */
#define WIDEST  4096  /* px, of a face */

/* The library's own are calls, and take the NaNs' part. */
static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

/* Distance in pixels to the nearest 0, by two passes with steps 1 and 1.4142 (within 4 % of the true one). */
static void distances(float *d, int width, int height)
{
    const float diagonal = 1.4142f;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float *at = d + (size_t)y * (size_t)width + (size_t)x, least = *at;
            if (least == 0)
                continue;
            if (x == 0 || y == 0 || x == width - 1 || y == height - 1) {
                *at = 1;
                continue;
            }
            const float *above = at - width;
            least = smaller(at[-1] + 1, smaller(above[0] + 1, smaller(above[-1], above[1]) + diagonal));
            *at = least;
        }
    for (int y = height - 2; y >= 1; y--)
        for (int x = width - 2; x >= 1; x--) {
            float *at = d + (size_t)y * (size_t)width + (size_t)x;
            const float *below = at + width;
            if (*at > 1)
                *at = smaller(*at, smaller(at[1] + 1, smaller(below[0] + 1, smaller(below[-1], below[1]) + diagonal)));
        }
}

/* One direction of a 3x3 maximum (grow) or minimum: each value with its neighbours `step` away; the ends have one only. */
static void widen(float *restrict out, const float *restrict in, size_t count, size_t step, bool grow)
{
    for (size_t i = 0; i < step; i++) {
        float a = in[i], b = in[i + step], c = in[count - step + i], d = in[count - 2 * step + i];
        out[i] = (a < b) == grow ? b : a;
        out[count - step + i] = (c < d) == grow ? d : c;
    }
    if (grow)
        for (size_t i = step; i < count - step; i++)
            out[i] = larger(in[i], larger(in[i - step], in[i + step]));
    else
        for (size_t i = step; i < count - step; i++)
            out[i] = smaller(in[i], smaller(in[i - step], in[i + step]));
}

/* Fills single-pixel holes: a 3x3 closing, direction by direction. */
static void close_holes(float *mask, float *spare, int width, int height)
{
    const size_t w = (size_t)width, n = w * (size_t)height;
    for (int pass = 0; pass < 2; pass++) {
        const bool grow = pass == 0;
        for (size_t y = 0; y < (size_t)height; y++)
            widen(spare + y * w, mask + y * w, w, 1, grow);
        widen(mask, spare, n, w, grow);
    }
}

mdm_status mdm_face_mask(mdm_render_frame *f)
{
    mdm_renderer *r = f->r;
    int width = r->canvas.width, height = r->canvas.height;
    float brows = (f->local[70][1] + f->local[300][1]) / 2, corner[MDM_LIP_INNER][2];
    for (int i = 0; i < MDM_LIP_INNER; i++)
        memcpy(corner[i], f->local[mdm_lip_inner[i]], sizeof corner[i]);
    mdm_fill_polygon(r->plane, width, height, (const float(*)[2])corner, MDM_LIP_INNER);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            float core = r->canvas.covered[i] == 1 ? r->canvas.value[i * AT_COUNT + AT_CORE] : 0;
            /* below the brows the mesh alone; above them a part of the ring, for the forehead */
            r->alpha[i] = core > 0.999f || (core > 0.35f && (float)y < brows) || r->plane[i] > 0.5f ? 1e6f : 0;
        }
    close_holes(r->alpha, r->scratch, width, height);
    distances(r->alpha, width, height);
    /* the far edge of a turned face is its profile, against the background: a wide feather would leave the person's own */
    double angles[3];
    mdm_pose_angles(angles, &r->motion->pose[f->index]);
    float turned = mdm_pose_turned(&r->motion->pose[f->index]);
    for (int x = 0; x < width; x++) {
        float far = ((float)x - f->local[BRIDGE][0]) / f->width * (angles[0] > 0 ? 1.0f : -1.0f);
        r->scratch[x] = fmaxf(2, FEATHER * f->width * (1 - 0.75f * turned * mdm_smoothstep(far, -0.15f, 0.05f)));
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float *alpha = r->alpha + (size_t)y * (size_t)width + (size_t)x;
            *alpha = mdm_smoothstep(*alpha - RAGGED, 0, r->scratch[x]);
        }
    return MDM_OK;
}

/* L (0..255), a, b of one RGB pixel: CIE Lab under D65, by the cube root of linear light. */
static void to_lab(float out[3], const float rgb[3])
{
    float c[3], f[3];
    for (int k = 0; k < 3; k++) {
        float v = mdm_clampf(rgb[k] / 255, 0, 1);
        c[k] = v * v * (0.68f + 0.32f * v) + 0.0006f * v; /* sRGB's curve, within 0.01 */
    }
    const float xyz[3] = {(0.4125f * c[0] + 0.3576f * c[1] + 0.1804f * c[2]) / 0.9505f,
                          0.2127f * c[0] + 0.7152f * c[1] + 0.0722f * c[2],
                          (0.0193f * c[0] + 0.1192f * c[1] + 0.9503f * c[2]) / 1.089f};
    for (int k = 0; k < 3; k++)
        f[k] = xyz[k] > 0.008856f ? cbrtf(xyz[k]) : 7.787f * xyz[k] + 16.0f / 116;
    out[0] = 2.55f * (116 * f[1] - 16);
    out[1] = 500 * (f[0] - f[1]);
    out[2] = 200 * (f[1] - f[2]);
}

mdm_status mdm_keep_fringe(float *alpha, const int rect[4], const mdm_render_frame *f)
{
    static const int cheeks[8] = {205, 425, 50, 280, 195, 5, 117, 346};
    const mdm_image *image = f->image;
    mdm_renderer *r = f->r;
    const float(*p)[3] = (const float(*)[3])f->point;
    float down[2] = {p[152][0] - p[10][0], p[152][1] - p[10][1]}, length = fmaxf(hypotf(down[0], down[1]), 1),
          sample[3][8], skin[3];
    down[0] /= length, down[1] /= length;
    for (int i = 0; i < 8; i++) {
        int x = (int)mdm_clampf(p[cheeks[i]][0], 0, (float)image->width - 1),
            y = (int)mdm_clampf(p[cheeks[i]][1], 0, (float)image->height - 1);
        const uint8_t *at = image->data + (size_t)y * image->stride + 3 * (size_t)x;
        float rgb[3] = {at[0], at[1], at[2]}, lab[3];
        to_lab(lab, rgb);
        for (int k = 0; k < 3; k++)
            sample[k][i] = lab[k];
    }
    for (int k = 0; k < 3; k++)
        skin[k] = mdm_median(sample[k], 8);
    /* only the rows that can lie above the brows, or beside the eyes */
    int rows = 0;
    for (int y = 0; y < rect[3]; y++)
        for (int x = 0; x < rect[2]; x += 4) {
            float s = ((float)(rect[0] + x) - p[9][0]) * down[0] + ((float)(rect[1] + y) - p[9][1]) * down[1];
            if (s < TEMPLE * f->width)
                rows = y + 1;
        }
    if (rows < 3 || rect[2] > WIDEST)
        return MDM_OK;
    float hanging[WIDEST]; /* of each column: how far hair has come down without a gap */
    for (int x = 0; x < rect[2]; x++)
        hanging[x] = 1;
    const float brow = 0.5f * hypotf(p[70][0] - p[300][0], p[70][1] - p[300][1]);
    float *hair = r->plane, *rgb = r->scratch;
    size_t n = (size_t)rows * (size_t)rect[2];
    for (int y = 0; y < rows; y++) {
        const uint8_t *in = image->data + (size_t)(rect[1] + y) * image->stride + 3 * (size_t)rect[0];
        for (int x = 0; x < 3 * rect[2]; x++)
            rgb[(size_t)y * 3 * (size_t)rect[2] + (size_t)x] = (float)in[x];
    }
    MDM_TRY(mdm_blur_float(rgb, rect[2], rows, 3, fmaxf(0.6f, 0.006f * f->width)));
    for (size_t i = 0; i < n; i++) {
        float x = (float)(rect[0] + (int)(i % (size_t)rect[2])), y = (float)(rect[1] + (int)(i / (size_t)rect[2]));
        float s = ((x - p[9][0]) * down[0] + (y - p[9][1]) * down[1]) / f->width, lab[3];
        float beside = (fabsf((x - p[9][0]) * down[1] - (y - p[9][1]) * down[0]) - brow) / f->width;
        float *hangs = &hanging[i % (size_t)rect[2]];
        hair[i] = 0;
        /* loose strands well above the brows; what hangs down in one piece to just above them, and beside the eyes */
        float place = mdm_clampf((-s - 0.05f) / 0.06f, 0, 1);
        float low = TEMPLE * mdm_smoothstep(beside, 0, 0.06f), reach = mdm_clampf((low - 0.01f - s) / 0.03f, 0, 1);
        if (alpha[i] <= 0 || (place <= 0 && reach * *hangs <= 0))
            continue;
        to_lab(lab, rgb + 3 * i);
        float dark = mdm_clampf((skin[0] - lab[0] - 52) / 22, 0, 1),
              other = mdm_clampf((hypotf(lab[1] - skin[1], lab[2] - skin[2]) - 26) / 10, 0, 1);
        *hangs = fminf(*hangs, dark);
        hair[i] = fmaxf(fmaxf(dark, other) * place, *hangs * reach);
    }
    MDM_TRY(mdm_blur_float(hair, rect[2], rows, 1, fmaxf(0.7f, 0.010f * f->width)));
    for (size_t i = 0; i < n; i++)
        alpha[i] *= 1 - mdm_clampf(1.25f * hair[i] - 0.12f, 0, 1); /* lone specks do not count as hair */
    return MDM_OK;
}
