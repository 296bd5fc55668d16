/* Pictures in memory: allocation, affine sampling, resizing and Gaussian blur (contract in image.h).
 * Sampling is on the way of every network crop, so each row is split into a middle whose four taps are all inside the
 * picture (no clamping, coordinates in 32.32 fixed point) and the two ends that need care. */
#include "media/image.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

#include "base/memory.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3") /* the loops over bytes only become vector code at -O3 */
#endif

enum { MAX_SIDE = 16384 };

/* 32.32 fixed point: coordinates stay exact to far below a network's tolerance along a row of any length. */
#define FIXED_ONE   4294967296.0
#define START_LIMIT 1e7 /* pixels; a wilder map samples the border everywhere. Both keep the fixed point in range */
#define STEP_LIMIT  1e4

mdm_status mdm_image_new(mdm_image *out, int width, int height, int channels)
{
    memset(out, 0, sizeof *out);
    if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE)
        return mdm_fail(MDM_ERR_INPUT, "picture of %d x %d pixels: 1 to %d a side are supported; scale it down first",
                        width, height, MAX_SIDE);
    if (channels != 1 && channels != 3)
        return mdm_fail(MDM_ERR_INTERNAL, "picture with %d channels: expected 1 or 3", channels);
    size_t stride, size;
    if (!mdm_mul_size(&stride, (size_t)width, (size_t)channels) || !mdm_mul_size(&size, stride, (size_t)height))
        return mdm_fail(MDM_ERR_MEMORY, "picture of %d x %d pixels is too large", width, height);
    MDM_TRY(mdm_alloc(&out->data, size, 1, "a picture"));
    out->width = width;
    out->height = height;
    out->channels = channels;
    out->stride = stride;
    return MDM_OK;
}

void mdm_image_free(mdm_image *image)
{
    if (!image)
        return;
    mdm_free(&image->data);
    memset(image, 0, sizeof *image);
}

mdm_status mdm_image_copy(mdm_image *out, const mdm_image *image)
{
    MDM_TRY(mdm_image_new(out, image->width, image->height, image->channels));
    for (int y = 0; y < image->height; y++)
        memcpy(out->data + (size_t)y * out->stride, image->data + (size_t)y * image->stride, out->stride);
    return MDM_OK;
}

/* --- affine sampling ------------------------------------------------------------------------------------------- */

static int64_t to_fixed(double value, double limit)
{
    if (!(value > -limit)) /* also NaN */
        value = -limit;
    if (value > limit)
        value = limit;
    return (int64_t)floor(value * FIXED_ONE + 0.5);
}

/* Narrows [*begin, *end) to the x for which 0 <= start + x * step < limit (fixed point). */
static void narrow_span(int *begin, int *end, int64_t start, int64_t step, int64_t limit)
{
    if (*begin >= *end)
        return;
    if (step == 0) {
        if (start < 0 || start >= limit)
            *end = *begin;
        return;
    }
    /* Estimate in double, then settle on the exact integers: the estimate is off by at most a step or two. */
    double at_zero = -(double)start / (double)step, at_limit = (double)(limit - start) / (double)step;
    double low = step > 0 ? at_zero : at_limit, high = step > 0 ? at_limit : at_zero;
    double from = ceil(low) + 1.0, to = floor(high) - 1.0; /* inclusive, one pixel on the safe side */
    if (from > *begin)
        *begin = from < *end ? (int)from : *end;
    if (to + 1.0 < *end)
        *end = to + 1.0 > *begin ? (int)(to + 1.0) : *begin;
    while (*begin < *end && (start + *begin * step < 0 || start + *begin * step >= limit))
        ++*begin;
    while (*end > *begin && (start + (*end - 1) * step < 0 || start + (*end - 1) * step >= limit))
        --*end;
}

#if defined(__SSE4_1__)
static __m128 bytes_to_floats(int four)
{
    return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}

/* p[0..2] in the low three lanes; p[3] is the pixel to the right, which exists. */
static __m128 load_pixel(const uint8_t *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    return bytes_to_floats(four);
}

/* p[3..5], read as p[2..5] so that nothing behind the picture is touched. */
static __m128 load_next_pixel(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p + 2, sizeof four);
    return bytes_to_floats((int)(four >> 8));
}
#endif

/* The taps of one output pixel, with edges replicated. */
typedef struct taps {
    const uint8_t *a, *b, *c, *d; /* top left, top right, bottom left, bottom right */
    float fx, fy;
} taps;

static taps edge_taps(const mdm_image *image, int64_t fixed_x, int64_t fixed_y)
{
    int64_t x_max = (int64_t)(image->width - 1) << 32, y_max = (int64_t)(image->height - 1) << 32;
    fixed_x = fixed_x < 0 ? 0 : fixed_x > x_max ? x_max : fixed_x;
    fixed_y = fixed_y < 0 ? 0 : fixed_y > y_max ? y_max : fixed_y;
    int x = (int)(fixed_x >> 32), y = (int)(fixed_y >> 32);
    size_t right = x + 1 < image->width ? (size_t)image->channels : 0, down = y + 1 < image->height ? image->stride : 0;
    taps t;
    t.a = image->data + (size_t)y * image->stride + (size_t)x * (size_t)image->channels;
    t.b = t.a + right;
    t.c = t.a + down;
    t.d = t.c + right;
    t.fx = (float)(uint32_t)fixed_x * (float)(1.0 / FIXED_ONE);
    t.fy = (float)(uint32_t)fixed_y * (float)(1.0 / FIXED_ONE);
    return t;
}

static float blend(const taps *t, int c)
{
    float top = (float)t->a[c] + t->fx * (float)(t->b[c] - t->a[c]);
    float bottom = (float)t->c[c] + t->fx * (float)(t->d[c] - t->c[c]);
    return top + t->fy * (bottom - top);
}

/* `count` RGB pixels whose four taps all lie inside. */
static void sample_rgb_span(float *at, size_t channel_step, size_t pixel_step, const mdm_image *image, int64_t sx,
                            int64_t sy, int64_t dx, int64_t dy, int count, float scale, const float offset[3])
{
    const uint8_t *data = image->data;
    const size_t stride = image->stride;
    const float to_unit = (float)(1.0 / FIXED_ONE);
    const float o0 = offset ? offset[0] : 0.0f, o1 = offset ? offset[1] : 0.0f, o2 = offset ? offset[2] : 0.0f;
#if defined(__SSE4_1__)
    /* The three channels of a pixel side by side in one register: twice as fast as one after the other. */
    const __m128 scales = _mm_set1_ps(scale), offsets = _mm_set_ps(0.0f, o2, o1, o0);
    for (int i = 0; i < count; i++, sx += dx, sy += dy, at += pixel_step) {
        const uint8_t *p = data + (size_t)(sy >> 32) * stride + (size_t)(sx >> 32) * 3, *q = p + stride;
        const __m128 fx = _mm_set1_ps((float)(uint32_t)sx * to_unit), fy = _mm_set1_ps((float)(uint32_t)sy * to_unit);
        const __m128 a = load_pixel(p), b = load_next_pixel(p), c = load_pixel(q), d = load_next_pixel(q);
        const __m128 top = _mm_add_ps(a, _mm_mul_ps(fx, _mm_sub_ps(b, a)));
        const __m128 bottom = _mm_add_ps(c, _mm_mul_ps(fx, _mm_sub_ps(d, c)));
        const __m128 mix = _mm_add_ps(top, _mm_mul_ps(fy, _mm_sub_ps(bottom, top)));
        const __m128 value = _mm_add_ps(_mm_mul_ps(mix, scales), offsets);
        _mm_store_ss(at, value);
        _mm_store_ss(at + channel_step, _mm_shuffle_ps(value, value, 1));
        _mm_store_ss(at + 2 * channel_step, _mm_movehl_ps(value, value));
    }
#else
    for (int i = 0; i < count; i++, sx += dx, sy += dy, at += pixel_step) {
        const uint8_t *p = data + (size_t)(sy >> 32) * stride + (size_t)(sx >> 32) * 3, *q = p + stride;
        const float fx = (float)(uint32_t)sx * to_unit, fy = (float)(uint32_t)sy * to_unit;
        float value[3];
        for (int c = 0; c < 3; c++) {
            const float top = p[c] + fx * (float)(p[c + 3] - p[c]), bottom = q[c] + fx * (float)(q[c + 3] - q[c]);
            value[c] = (top + fy * (bottom - top)) * scale;
        }
        at[0] = value[0] + o0;
        at[channel_step] = value[1] + o1;
        at[2 * channel_step] = value[2] + o2;
    }
#endif
}

/* One row of samples into `row`: channels-last when plane == 0, else channel c starts at row + c * plane. */
static void sample_row(float *row, int width, size_t plane, const mdm_image *image, int64_t x0, int64_t y0, int64_t dx,
                       int64_t dy, float scale, const float offset[3])
{
    const int channels = image->channels;
    const size_t pixel_step = plane ? 1 : (size_t)channels, channel_step = plane ? plane : 1;
    int begin = 0, end = width;
    narrow_span(&begin, &end, x0, dx, (int64_t)(image->width - 1) << 32);
    narrow_span(&begin, &end, y0, dy, (int64_t)(image->height - 1) << 32);

    for (int x = 0; x < width; x++) {
        if (x == begin && end > begin) {
            x = end - 1; /* the middle is done below */
            continue;
        }
        taps t = edge_taps(image, x0 + x * dx, y0 + x * dy);
        for (int c = 0; c < channels; c++)
            row[(size_t)x * pixel_step + (size_t)c * channel_step] = blend(&t, c) * scale + (offset ? offset[c] : 0.0f);
    }

    const uint8_t *data = image->data;
    const size_t stride = image->stride;
    const float to_unit = (float)(1.0 / FIXED_ONE);
    int64_t sx = x0 + begin * dx, sy = y0 + begin * dy;
    float *at = row + (size_t)begin * pixel_step;
    if (channels == 3) {
        sample_rgb_span(at, channel_step, pixel_step, image, sx, sy, dx, dy, end - begin, scale, offset);
    } else {
        const float o0 = offset ? offset[0] : 0.0f;
        for (int x = begin; x < end; x++, sx += dx, sy += dy, at += pixel_step) {
            const uint8_t *p = data + (size_t)(sy >> 32) * stride + (size_t)(sx >> 32), *q = p + stride;
            const float fx = (float)(uint32_t)sx * to_unit, fy = (float)(uint32_t)sy * to_unit;
            const float top = p[0] + fx * (float)(p[1] - p[0]), bottom = q[0] + fx * (float)(q[1] - q[0]);
            at[0] = (top + fy * (bottom - top)) * scale + o0;
        }
    }
}

void mdm_image_sample(float *out, int out_width, int out_height, int planar, const mdm_image *image, const double m[6],
                      float scale, const float offset[3])
{
    const size_t plane = planar ? (size_t)out_width * (size_t)out_height : 0;
    const size_t row_step = (size_t)out_width * (planar ? 1 : (size_t)image->channels);
    const int64_t dx = to_fixed(m[0], STEP_LIMIT), dy = to_fixed(m[3], STEP_LIMIT);
    for (int y = 0; y < out_height; y++)
        sample_row(out + (size_t)y * row_step, out_width, plane, image, to_fixed(m[1] * y + m[2], START_LIMIT),
                   to_fixed(m[4] * y + m[5], START_LIMIT), dx, dy, scale, offset);
}

static int inside(const mdm_image *image, int x, int y)
{
    return x >= 0 && y >= 0 && x < image->width && y < image->height;
}

/* A pixel whose taps may lie outside: those count as `outside`. */
static void warp_border_pixel(uint8_t *out, const mdm_image *image, int64_t sx, int64_t sy, int outside)
{
    const int x = (int)(sx >> 32), y = (int)(sy >> 32);
    const float fx = (float)(uint32_t)sx * (float)(1.0 / FIXED_ONE),
                fy = (float)(uint32_t)sy * (float)(1.0 / FIXED_ONE);
    for (int c = 0; c < image->channels; c++) {
        float v[4];
        for (int i = 0; i < 4; i++) {
            const int tx = x + (i & 1), ty = y + (i >> 1);
            v[i] = inside(image, tx, ty)
                       ? image->data[(size_t)ty * image->stride + (size_t)tx * (size_t)image->channels + (size_t)c]
                       : (float)outside;
        }
        const float top = v[0] + fx * (v[1] - v[0]), bottom = v[2] + fx * (v[3] - v[2]);
        out[c] = (uint8_t)(top + fy * (bottom - top) + 0.5f);
    }
}

void mdm_image_warp(mdm_image *out, const mdm_image *image, const double m[6], int outside)
{
    assert(out->channels == image->channels);
    const size_t channels = (size_t)image->channels, stride = image->stride;
    const int64_t dx = to_fixed(m[0], STEP_LIMIT), dy = to_fixed(m[3], STEP_LIMIT);
    if (outside > 255)
        outside = 255;
    for (int y = 0; y < out->height; y++) {
        const int64_t x0 = to_fixed(m[1] * y + m[2], START_LIMIT), y0 = to_fixed(m[4] * y + m[5], START_LIMIT);
        uint8_t *row = out->data + (size_t)y * out->stride;
        int begin = 0, end = out->width;
        narrow_span(&begin, &end, x0, dx, (int64_t)(image->width - 1) << 32);
        narrow_span(&begin, &end, y0, dy, (int64_t)(image->height - 1) << 32);
        for (int x = 0; x < out->width; x++) {
            if (x == begin && end > begin) {
                x = end - 1;
                continue;
            }
            uint8_t *at = row + (size_t)x * channels;
            if (outside >= 0) {
                warp_border_pixel(at, image, x0 + x * dx, y0 + x * dy, outside);
            } else {
                taps t = edge_taps(image, x0 + x * dx, y0 + x * dy);
                for (size_t c = 0; c < channels; c++)
                    at[c] = (uint8_t)(blend(&t, (int)c) + 0.5f);
            }
        }
        int64_t sx = x0 + begin * dx, sy = y0 + begin * dy;
        for (int x = begin; x < end; x++, sx += dx, sy += dy) {
            /* 8-bit weights would band; 11 bits keep the products in 32 and the result exact to half a step. */
            const int fx = (int)((uint32_t)sx >> 21), fy = (int)((uint32_t)sy >> 21);
            const uint8_t *p = image->data + (size_t)(sy >> 32) * stride + (size_t)(sx >> 32) * channels;
            const uint8_t *q = p + stride;
            uint8_t *at = row + (size_t)x * channels;
            for (size_t c = 0; c < channels; c++) {
                const int top = p[c] * (2048 - fx) + p[c + channels] * fx;
                const int bottom = q[c] * (2048 - fx) + q[c + channels] * fx;
                at[c] =
                    (uint8_t)(((unsigned)top * (unsigned)(2048 - fy) + (unsigned)bottom * (unsigned)fy + (1u << 21)) >>
                              22);
            }
        }
    }
}

/* --- resizing ---------------------------------------------------------------------------------------------------- */

/* The source samples that make output sample `i` of one axis: area when shrinking, two taps when enlarging. */
typedef struct axis_span {
    int first, count;
    float head, middle, tail; /* weights of the first, the ones between and the last sample; they sum to 1 */
} axis_span;

static axis_span axis_at(int source, int target, int i)
{
    const double ratio = (double)source / target;
    axis_span s;
    if (ratio <= 1.0) {
        double at = (i + 0.5) * ratio - 0.5;
        at = at < 0.0 ? 0.0 : at > source - 1 ? source - 1 : at;
        s.first = (int)at;
        const double part = at - s.first;
        s.count = part > 0.0 ? 2 : 1;
        s.head = (float)(1.0 - part);
        s.middle = 0.0f;
        s.tail = (float)part;
        return s;
    }
    const double low = i * ratio, high = (i + 1) * ratio < source ? (i + 1) * ratio : source;
    s.first = (int)low;
    int last = (int)ceil(high - 1e-9) - 1;
    last = last < s.first ? s.first : last >= source ? source - 1 : last;
    s.count = last - s.first + 1;
    const double total = high - low;
    s.head = (float)((s.count == 1 ? total : s.first + 1 - low) / total);
    s.middle = (float)(1.0 / total);
    s.tail = (float)((high - last) / total);
    return s;
}

static float span_weight(const axis_span *s, int k)
{
    return k == 0 ? s->head : k == s->count - 1 ? s->tail : s->middle;
}

void mdm_image_resize(mdm_image *out, const mdm_image *image)
{
    assert(out->channels == image->channels);
    const int channels = image->channels, values = image->width * channels;
    float sum[MAX_SIDE * 3]; /* the source rows under one output row, averaged; 192 KiB of stack, no failure path */
    for (int y = 0; y < out->height; y++) {
        const axis_span rows = axis_at(image->height, out->height, y);
        memset(sum, 0, (size_t)values * sizeof *sum);
        for (int k = 0; k < rows.count; k++) {
            const float weight = span_weight(&rows, k);
            const uint8_t *row = image->data + (size_t)(rows.first + k) * image->stride;
            for (int i = 0; i < values; i++)
                sum[i] += weight * row[i];
        }
        uint8_t *to = out->data + (size_t)y * out->stride;
        for (int x = 0; x < out->width; x++) {
            const axis_span columns = axis_at(image->width, out->width, x);
            for (int c = 0; c < channels; c++) {
                const float *at = sum + columns.first * channels + c;
                float value = at[0] * columns.head;
                for (int k = 1; k < columns.count - 1; k++)
                    value += at[k * channels] * columns.middle;
                if (columns.count > 1)
                    value += at[(columns.count - 1) * channels] * columns.tail;
                to[x * channels + c] = (uint8_t)(value + 0.5f > 255.0f ? 255.0f : value + 0.5f);
            }
        }
    }
}

/* --- blur -------------------------------------------------------------------------------------------------------- */

static int clamp_index(int i, int size)
{
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

mdm_status mdm_blur_float(float *data, int width, int height, int channels, float sigma)
{
    if (!(sigma > 0.05f) || width < 1 || height < 1)
        return MDM_OK;
    /* Four sigmas each way, as OpenCV and SciPy do for floats; the two passes share one copy of the picture. */
    const int radius = (int)(4.0f * (sigma < 4096.0f ? sigma : 4096.0f) + 0.5f) + (sigma < 0.125f);
    const size_t values = (size_t)width * (size_t)channels;
    size_t total, padded_size = values + 2 * (size_t)radius * (size_t)channels;
    if (!mdm_mul_size(&total, values, (size_t)height))
        return mdm_fail(MDM_ERR_MEMORY, "blur of %d x %d values is too large", width, height);
    float *kernel = NULL, *columns = NULL, *padded = NULL;
    mdm_status status = mdm_alloc(&kernel, (size_t)radius + 1, sizeof *kernel, "a blur kernel");
    if (status == MDM_OK)
        status = mdm_alloc(&columns, total, sizeof *columns, "a blur");
    if (status == MDM_OK)
        status = mdm_alloc(&padded, padded_size, sizeof *padded, "a blur row");
    if (status != MDM_OK)
        goto done;

    double sum = 0.0;
    for (int i = 0; i <= radius; i++)
        sum += (i ? 2.0 : 1.0) * exp(-0.5 * i * i / ((double)sigma * sigma));
    for (int i = 0; i <= radius; i++)
        kernel[i] = (float)(exp(-0.5 * i * i / ((double)sigma * sigma)) / sum);

    for (int y = 0; y < height; y++) {
        float *to = columns + (size_t)y * values;
        const float *middle = data + (size_t)y * values;
        for (size_t i = 0; i < values; i++)
            to[i] = kernel[0] * middle[i];
        for (int k = 1; k <= radius; k++) {
            const float *up = data + (size_t)clamp_index(y - k, height) * values;
            const float *down = data + (size_t)clamp_index(y + k, height) * values;
            const float weight = kernel[k];
            for (size_t i = 0; i < values; i++)
                to[i] += weight * (up[i] + down[i]);
        }
    }
    const size_t margin = (size_t)radius * (size_t)channels;
    for (int y = 0; y < height; y++) {
        const float *from = columns + (size_t)y * values;
        memcpy(padded + margin, from, values * sizeof *padded);
        for (size_t i = 0; i < margin; i++) {
            padded[i] = from[i % (size_t)channels];
            padded[margin + values + i] = from[values - (size_t)channels + i % (size_t)channels];
        }
        float *to = data + (size_t)y * values;
        const float *middle = padded + margin;
        for (size_t i = 0; i < values; i++)
            to[i] = kernel[0] * middle[i];
        for (int k = 1; k <= radius; k++) {
            const float *left = middle - (size_t)k * (size_t)channels, *right = middle + (size_t)k * (size_t)channels;
            const float weight = kernel[k];
            for (size_t i = 0; i < values; i++)
                to[i] += weight * (left[i] + right[i]);
        }
    }
done:
    mdm_free(&kernel);
    mdm_free(&columns);
    mdm_free(&padded);
    return status;
}
