/* Y'CbCr to RGB and back (yuv.h). Integers only, so that the bytes are the same on every machine. */
#include "media/yuv.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3") /* the row conversion only becomes vector code at -O3 */
#endif

enum { BITS = 14, HALF = 1 << (BITS - 1) };

static int fixed(double value)
{
    return (int)lrint(value * (1 << BITS));
}

void mdm_yuv_matrix_set(mdm_yuv_matrix *out, double kr, double kb, bool full_range)
{
    const double kg = 1.0 - kr - kb;
    const double ys = full_range ? 1.0 : 255.0 / 219.0, cs = full_range ? 1.0 : 255.0 / 224.0;
    out->y_offset = full_range ? 0 : 16;
    out->y_scale = fixed(ys);
    out->rv = fixed(cs * 2.0 * (1.0 - kr));
    out->bu = fixed(cs * 2.0 * (1.0 - kb));
    out->gu = fixed(-cs * 2.0 * (1.0 - kb) * kb / kg);
    out->gv = fixed(-cs * 2.0 * (1.0 - kr) * kr / kg);
    out->yr = fixed(kr / ys);
    out->yg = fixed(kg / ys);
    out->yb = fixed(kb / ys);
    const double us = 0.5 / (1.0 - kb) / cs, vs = 0.5 / (1.0 - kr) / cs;
    out->ur = fixed(-us * kr);
    out->ug = fixed(-us * kg);
    out->ub = -out->ur - out->ug; /* grey stays exactly neutral */
    out->vb = fixed(-vs * kb);
    out->vg = fixed(-vs * kg);
    out->vr = -out->vb - out->vg;
}

static inline uint8_t clamp_byte(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void convert(uint8_t *restrict rgb, const uint8_t *restrict luma, const uint8_t *restrict u,
                    const uint8_t *restrict v, const mdm_yuv_matrix *matrix, int count)
{
    const int offset = matrix->y_offset, scale = matrix->y_scale;
    const int rv = matrix->rv, gu = matrix->gu, gv = matrix->gv, bu = matrix->bu;
    for (int i = 0; i < count; i++) {
        const int y = (luma[i] - offset) * scale + HALF, cu = u[i] - 128, cv = v[i] - 128;
        rgb[3 * i] = clamp_byte((y + rv * cv) >> BITS);
        rgb[3 * i + 1] = clamp_byte((y + gu * cu + gv * cv) >> BITS);
        rgb[3 * i + 2] = clamp_byte((y + bu * cu) >> BITS);
    }
}

static void repeat_twice(uint8_t *restrict out, const uint8_t *restrict in, int pairs)
{
    for (int i = 0; i < pairs; i++) {
        out[2 * i] = in[i];
        out[2 * i + 1] = in[i];
    }
}

void mdm_yuv_row_to_rgb(uint8_t *rgb, const mdm_yuv_planes *planes, const mdm_yuv_matrix *matrix, int x, int y,
                        int count, uint8_t *chroma)
{
    const uint8_t *luma = planes->data[0] + (size_t)y * planes->stride[0] + x;
    const size_t at = (size_t)(x >> planes->sub);
    const uint8_t *u = planes->data[1] + (size_t)(y >> planes->sub) * planes->stride[1] + at;
    const uint8_t *v = planes->data[2] + (size_t)(y >> planes->sub) * planes->stride[2] + at;
    if (planes->sub) {
        const int pairs = (count + 1) / 2;
        repeat_twice(chroma, u, pairs);
        repeat_twice(chroma + 2 * pairs, v, pairs);
        u = chroma;
        v = chroma + 2 * pairs;
    }
    convert(rgb, luma, u, v, matrix, count);
}

void mdm_yuv_update_rows(const mdm_yuv_planes *planes, const mdm_yuv_matrix *matrix, int x, int y, int count,
                         const uint8_t *const now[2], const uint8_t *const was[2])
{
    const int block = 1 << planes->sub;
    const int rows = y + block <= planes->height ? block : 1;
    const mdm_yuv_matrix *m = matrix;
    for (int i = 0; i < count; i += block) {
        const int columns = i + block <= count ? block : 1;
        const size_t bytes = (size_t)columns * 3;
        bool changed = false;
        for (int r = 0; r < rows; r++)
            changed |= memcmp(now[r] + 3 * i, was[r] + 3 * i, bytes) != 0;
        if (!changed)
            continue;
        int red = 0, green = 0, blue = 0;
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) {
                const uint8_t *p = now[r] + 3 * (i + c);
                red += p[0];
                green += p[1];
                blue += p[2];
                if (memcmp(p, was[r] + 3 * (i + c), 3) != 0)
                    planes->data[0][(size_t)(y + r) * planes->stride[0] + (size_t)(x + i + c)] =
                        clamp_byte(((m->yr * p[0] + m->yg * p[1] + m->yb * p[2] + HALF) >> BITS) + m->y_offset);
            }
        const int n = rows * columns, round = n * HALF; /* n is 1, 2 or 4 */
        const int shift = BITS + (n == 4 ? 2 : n == 2 ? 1 : 0);
        const size_t cx = (size_t)((x + i) >> planes->sub), cy = (size_t)(y >> planes->sub);
        planes->data[1][cy * planes->stride[1] + cx] =
            clamp_byte(((m->ur * red + m->ug * green + m->ub * blue + round) >> shift) + 128);
        planes->data[2][cy * planes->stride[2] + cx] =
            clamp_byte(((m->vr * red + m->vg * green + m->vb * blue + round) >> shift) + 128);
    }
}
