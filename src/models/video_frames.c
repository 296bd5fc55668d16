/* Frame numbers, PIL's bicubic, PLLaVA's two sizes and CLIP's normalisation. */
#include "models/video_frames.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define SHRUNK 640 /* px of the long side after the first step */
#define BITS   22  /* of the fraction of PIL's whole-number weights */

static const double mean[3] = {0.48145466, 0.4578275, 0.40821073}, deviation[3] = {0.26862954, 0.26130258, 0.27577711};

void mdm_sample_frames(int64_t *out, int count, int64_t first, int64_t last)
{
    const double step = (double)(last - first) / count;
    for (int i = 0; i < count; i++) {
        const int64_t at = first + (int64_t)floor(step / 2) + (int64_t)rint(step * i); /* half to even, as Python */
        out[i] = at > last ? last : at;
    }
}

/* ---- bicubic ---- */

static double cubic(double x) /* Keys, 1981, with a = -0.5 */
{
    const double a = -0.5;
    x = fabs(x);
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* For each of `out` values: the first of `in` it is made from, how many, and their weights (`most` a value). */
typedef struct taps {
    int most, *first, *count;
    int32_t *weight;
} taps;

static void free_taps(taps *t)
{
    mdm_free(&t->first);
    mdm_free(&t->count);
    mdm_free(&t->weight);
}

static mdm_status make_taps(taps *t, int out, int in)
{
    const double scale = (double)in / out, wide = scale > 1 ? scale : 1, reach = 2 * wide;
    double *row = NULL;
    *t = (taps){.most = (int)ceil(reach) * 2 + 1};
    mdm_status status = mdm_alloc(&t->first, (size_t)out, sizeof *t->first, "resampling");
    if (!status)
        status = mdm_alloc(&t->count, (size_t)out, sizeof *t->count, "resampling");
    if (!status)
        status = mdm_alloc(&t->weight, (size_t)out * (size_t)t->most, sizeof *t->weight, "resampling");
    if (!status)
        status = mdm_alloc(&row, (size_t)t->most, sizeof *row, "resampling");
    for (int i = 0; i < out && !status; i++) {
        const double centre = (i + 0.5) * scale;
        int from = (int)(centre - reach + 0.5), to = (int)(centre + reach + 0.5);
        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        double sum = 0;
        for (int k = from; k < to; k++)
            sum += row[k - from] = cubic((k - centre + 0.5) / wide);
        t->first[i] = from;
        t->count[i] = to - from;
        for (int k = 0; k < to - from; k++) {
            const double w = (sum != 0 ? row[k] / sum : row[k]) * (1 << BITS);
            t->weight[i * t->most + k] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
        }
    }
    mdm_free(&row);
    return status;
}

static uint8_t rounded(int32_t sum)
{
    const int32_t value = sum >> BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One line of `out` values that are `step` bytes apart, from values that are `from_step` bytes apart. */
static void resample(uint8_t *out, size_t step, int count, const uint8_t *from, size_t from_step, const taps *t)
{
    for (int i = 0; i < count; i++) {
        const int32_t *w = t->weight + (size_t)i * (size_t)t->most;
        const uint8_t *at = from + (size_t)t->first[i] * from_step;
        int32_t sum = 1 << (BITS - 1);
        for (int k = 0; k < t->count[i]; k++)
            sum += at[(size_t)k * from_step] * w[k];
        out[(size_t)i * step] = rounded(sum);
    }
}

/* Across: *out is new, of `width`. */
static mdm_status resize_across(mdm_image *out, const mdm_image *image, int width)
{
    taps t;
    const int channels = image->channels;
    mdm_status status = make_taps(&t, width, image->width);
    if (!status)
        status = mdm_image_new(out, width, image->height, channels);
    for (int y = 0; y < image->height && !status; y++)
        for (int c = 0; c < channels; c++)
            resample(out->data + (size_t)y * out->stride + c, (size_t)channels, width,
                     image->data + (size_t)y * image->stride + c, (size_t)channels, &t);
    free_taps(&t);
    return status;
}

static mdm_status resize_down(mdm_image *out, const mdm_image *image, int height)
{
    taps t;
    mdm_status status = make_taps(&t, height, image->height);
    if (!status)
        status = mdm_image_new(out, image->width, height, image->channels);
    for (int x = 0; x < image->width * image->channels && !status; x++)
        resample(out->data + x, out->stride, height, image->data + x, image->stride, &t);
    free_taps(&t);
    return status;
}

mdm_status mdm_image_resize_bicubic(mdm_image *out, const mdm_image *image, int out_width, int out_height)
{
    mdm_image across = {0};
    memset(out, 0, sizeof *out);
    if (out_width < 1 || out_height < 1)
        return mdm_fail(MDM_ERR_INPUT, "a picture of %d x %d px cannot be made %d x %d", image->width, image->height,
                        out_width, out_height);
    if (image->width == out_width && image->height == out_height)
        return mdm_image_copy(out, image);
    if (image->height == out_height)
        return resize_across(out, image, out_width);
    if (image->width == out_width)
        return resize_down(out, image, out_height);
    mdm_status status = resize_across(&across, image, out_width);
    if (!status)
        status = resize_down(out, &across, out_height);
    mdm_image_free(&across);
    return status;
}

/* ---- squares ---- */

/* Lays the middle of `image` into the middle of `out`; what is larger is cut. */
static void lay_middle(mdm_image *out, const mdm_image *image)
{
    const int wide = image->width < out->width ? image->width : out->width,
              high = image->height < out->height ? image->height : out->height;
    /* transformers rounds down where it cuts, and up where it fills */
    const int to_x = (out->width - wide + 1) / 2, to_y = (out->height - high + 1) / 2,
              from_x = (image->width - wide) / 2, from_y = (image->height - high) / 2;
    for (int y = 0; y < high; y++)
        memcpy(out->data + (size_t)(to_y + y) * out->stride + (size_t)(to_x * out->channels),
               image->data + (size_t)(from_y + y) * image->stride + (size_t)(from_x * image->channels),
               (size_t)(wide * image->channels));
}

/* Both sides so that the short (or, `by_long`, the long) one is `side`. */
static mdm_status resize_to(mdm_image *out, const mdm_image *image, int side, bool by_long)
{
    const int w = image->width, h = image->height, edge = (w < h) != by_long ? w : h;
    const int width = (int)((int64_t)side * w / edge), height = (int)((int64_t)side * h / edge);
    return mdm_image_resize_bicubic(out, image, width < 1 ? 1 : width, height < 1 ? 1 : height);
}

mdm_status mdm_frame_shrink(mdm_image *out, const mdm_image *frame, int side)
{
    const bool wide = frame->width > frame->height;
    const int longer = wide ? frame->width : frame->height, shorter = wide ? frame->height : frame->width;
    const double ratio = (double)longer / shorter;
    const int fitted = (int)((longer < SHRUNK ? longer : SHRUNK) / ratio);
    const int target = shorter < fitted ? shorter : fitted, edge = target < side ? side : target;
    const int other = (int)(edge * ratio);
    mdm_image resized = {0};
    memset(out, 0, sizeof *out);
    if (other > 16384)
        return mdm_fail(MDM_ERR_INPUT, "a picture of %d x %d px is too long and narrow to be described", frame->width,
                        frame->height);
    MDM_TRY(resize_to(&resized, frame, edge, false));
    if (other >= (wide ? resized.width : resized.height)) {
        *out = resized;
        return MDM_OK;
    }
    mdm_status status = mdm_image_new(out, wide ? other : edge, wide ? edge : other, resized.channels);
    if (!status)
        lay_middle(out, &resized);
    mdm_image_free(&resized);
    return status;
}

mdm_status mdm_frame_square(mdm_image *out, const mdm_image *frame, int side, bool letterbox)
{
    mdm_image resized = {0};
    memset(out, 0, sizeof *out);
    MDM_TRY(resize_to(&resized, frame, side, letterbox));
    mdm_status status = mdm_image_new(out, side, side, resized.channels);
    if (!status) {
        for (size_t i = 0; letterbox && i < (size_t)(side * side * out->channels); i++)
            out->data[i / (size_t)(side * out->channels) * out->stride + i % (size_t)(side * out->channels)] =
                (uint8_t)lrint(mean[i % (size_t)out->channels] * 255);
        lay_middle(out, &resized);
    }
    mdm_image_free(&resized);
    return status;
}

void mdm_clip_normalise(float *planes, const mdm_image *square)
{
    const size_t count = (size_t)square->width * (size_t)square->height;
    for (int y = 0; y < square->height; y++)
        for (int x = 0; x < square->width; x++)
            for (int c = 0; c < 3; c++) {
                const double value = square->data[(size_t)y * square->stride + (size_t)(x * 3 + c)] / 255.0;
                planes[(size_t)c * count + (size_t)(y * square->width + x)] = (float)((value - mean[c]) / deviation[c]);
            }
}
