/* Pooling, resizing and pixel shuffles of the ggml executor. */
#include <math.h>
#include <string.h>

#include "nn/nn_internal.h"

typedef struct pool_call {
    mdm_pool_kind kind;
    int kernel[2], stride[2], pad[2];
    bool count_pad;
} pool_call;

static float pool_one(const pool_call *c, const float *plane, int height, int width, int oy, int ox)
{
    int y0 = oy * c->stride[0] - c->pad[0], x0 = ox * c->stride[1] - c->pad[1], seen = 0;
    float sum = 0, largest = -INFINITY;
    for (int y = y0 < 0 ? 0 : y0; y < y0 + c->kernel[0] && y < height; y++)
        for (int x = x0 < 0 ? 0 : x0; x < x0 + c->kernel[1] && x < width; x++) {
            float v = plane[y * width + x];
            sum += v;
            largest = v > largest ? v : largest;
            seen++;
        }
    if (c->kind == MDM_POOL_MAX)
        return largest;
    int count = c->count_pad ? c->kernel[0] * c->kernel[1] : seen;
    return count ? sum / (float)count : 0;
}

static void run_pool(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const pool_call *c = user;
    const struct ggml_tensor *x = dst->src[0];
    int64_t planes = dst->ne[2] * dst->ne[3];
    for (int64_t p = ith; p < planes; p += nth) {
        const float *in = (const float *)x->data + p * x->ne[0] * x->ne[1];
        float *out = (float *)dst->data + p * dst->ne[0] * dst->ne[1];
        if (c->kind == MDM_POOL_MAX && c->kernel[0] == 2 && c->kernel[1] == 2 && c->stride[0] == 2 &&
            c->stride[1] == 2 && !c->pad[0] && !c->pad[1] && 2 * dst->ne[0] <= x->ne[0] &&
            2 * dst->ne[1] <= x->ne[1]) { /* the usual one */
            for (int64_t oy = 0; oy < dst->ne[1]; oy++, out += dst->ne[0]) {
                const float *top = in + 2 * oy * x->ne[0], *bottom = top + x->ne[0];
                for (int64_t ox = 0; ox < dst->ne[0]; ox++) {
                    float a = top[2 * ox] > top[2 * ox + 1] ? top[2 * ox] : top[2 * ox + 1];
                    float b = bottom[2 * ox] > bottom[2 * ox + 1] ? bottom[2 * ox] : bottom[2 * ox + 1];
                    out[ox] = a > b ? a : b;
                }
            }
            continue;
        }
        for (int oy = 0; oy < dst->ne[1]; oy++)
            for (int ox = 0; ox < dst->ne[0]; ox++)
                *out++ = pool_one(c, in, (int)x->ne[1], (int)x->ne[0], oy, ox);
    }
}

mdm_node *mdm_nn_pool(mdm_nn *nn, mdm_node *x, mdm_pool_kind kind, const int kernel[2], const int stride[2],
                      const int pad[4], bool count_pad)
{
    if (!x || nn->status)
        return NULL;
    pool_call *c = mdm_nn_own(nn, 1, sizeof *c);
    if (!c)
        return NULL;
    int64_t ne[4] = {0, 0, x->ne[2], x->ne[3]};
    c->kind = kind;
    c->count_pad = count_pad;
    for (int i = 0; i < 2; i++) {
        c->kernel[i] = kernel[i], c->stride[i] = stride[i], c->pad[i] = pad[i];
        int64_t room = x->ne[1 - i] + pad[i] + pad[i + 2] - kernel[i];
        if (kernel[i] < 1 || stride[i] < 1 || pad[i] < 0 || pad[i + 2] < 0 || pad[i] >= kernel[i] || room < 0)
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "pooling by %d on %lld pixels", kernel[i], (long long)x->ne[1 - i]);
        ne[1 - i] = room / stride[i] + 1;
    }
    return mdm_nn_custom(nn, ne, &x, 1, run_pool, c, false);
}

mdm_node *mdm_nn_global_mean(mdm_nn *nn, mdm_node *x)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    mdm_node *flat = ggml_reshape_4d(nn->nodes, x, x->ne[0] * x->ne[1], 1, x->ne[2], x->ne[3]);
    return ggml_mean(nn->nodes, flat);
}

typedef struct resize_call {
    mdm_resize how;
} resize_call;

static float source_of(mdm_resize how, int64_t i, int64_t out, int64_t in)
{
    switch (how) {
    case MDM_BILINEAR_ALIGN_CORNERS:
        return out > 1 ? (float)i * (float)(in - 1) / (float)(out - 1) : 0;
    case MDM_BILINEAR_ASYMMETRIC:
        return (float)i * (float)in / (float)out;
    case MDM_NEAREST:
        return floorf((float)i * (float)in / (float)out);
    case MDM_BILINEAR:
        break;
    }
    float at = ((float)i + 0.5f) * (float)in / (float)out - 0.5f;
    return at < 0 ? 0 : at;
}

static void run_resize(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const resize_call *call = user;
    const struct ggml_tensor *x = dst->src[0];
    int64_t width = x->ne[0], height = x->ne[1], planes = dst->ne[2] * dst->ne[3];
    for (int64_t p = ith; p < planes; p += nth) {
        const float *in = (const float *)x->data + p * width * height;
        float *out = (float *)dst->data + p * dst->ne[0] * dst->ne[1];
        for (int64_t oy = 0; oy < dst->ne[1]; oy++) {
            float sy = source_of(call->how, oy, dst->ne[1], height);
            int64_t y0 = (int64_t)sy, y1;
            y0 = y0 > height - 1 ? height - 1 : y0;
            y1 = y0 + 1 < height ? y0 + 1 : y0;
            float ty = sy - (float)y0;
            if (call->how == MDM_BILINEAR && dst->ne[0] == 2 * width) { /* doubling: quarters and three quarters */
                const float *a = in + y0 * width, *b = in + y1 * width;
                for (int64_t sx = 0; sx < width; sx++) {
                    int64_t before = sx > 0 ? sx - 1 : 0, after = sx + 1 < width ? sx + 1 : sx;
                    float left = a[before] * (1 - ty) + b[before] * ty, mid = a[sx] * (1 - ty) + b[sx] * ty;
                    float right = a[after] * (1 - ty) + b[after] * ty;
                    *out++ = 0.25f * left + 0.75f * mid;
                    *out++ = 0.75f * mid + 0.25f * right;
                }
                continue;
            }
            if (call->how == MDM_NEAREST &&
                dst->ne[0] % width == 0) { /* a whole factor: repeated pixels, repeated rows */
                const int64_t factor = dst->ne[0] / width;
                if (oy > 0 && (int64_t)source_of(call->how, oy - 1, dst->ne[1], height) == y0) {
                    memcpy(out, out - dst->ne[0], sizeof *out * (size_t)dst->ne[0]);
                    out += dst->ne[0];
                    continue;
                }
                for (int64_t sx = 0; sx < width; sx++)
                    for (int64_t i = 0; i < factor; i++)
                        *out++ = in[y0 * width + sx];
                continue;
            }
            for (int64_t ox = 0; ox < dst->ne[0]; ox++) {
                float sx = source_of(call->how, ox, dst->ne[0], width);
                int64_t x0 = (int64_t)sx, x1;
                x0 = x0 > width - 1 ? width - 1 : x0;
                x1 = x0 + 1 < width ? x0 + 1 : x0;
                float tx = sx - (float)x0;
                float top = in[y0 * width + x0] * (1 - tx) + in[y0 * width + x1] * tx;
                float bottom = in[y1 * width + x0] * (1 - tx) + in[y1 * width + x1] * tx;
                *out++ = top * (1 - ty) + bottom * ty;
            }
        }
    }
}

mdm_node *mdm_nn_resize(mdm_nn *nn, mdm_node *x, int height, int width, mdm_resize how)
{
    if (!x || nn->status)
        return NULL;
    if (height < 1 || width < 1 || height > 65536 || width > 65536)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "resize to %d x %d", width, height);
    if (nn->gpu && how == MDM_NEAREST)
        return ggml_interpolate(nn->nodes, x, width, height, x->ne[2], x->ne[3], GGML_SCALE_MODE_NEAREST);
    resize_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    call->how = how;
    int64_t ne[4] = {width, height, x->ne[2], x->ne[3]};
    return mdm_nn_custom(nn, ne, &x, 1, run_resize, call, false);
}

typedef struct shuffle_call {
    int factor;
    bool inverse;
} shuffle_call;

/* Channel c*f*f + dy*f + dx at (y, x) of the deep picture is channel c at (y*f + dy, x*f + dx) of the wide one. */
static void run_shuffle(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const shuffle_call *call = user;
    const struct ggml_tensor *wide = call->inverse ? dst->src[0] : dst, *deep = call->inverse ? dst : dst->src[0];
    int64_t f = call->factor, width = deep->ne[0], height = deep->ne[1], planes = deep->ne[2] * deep->ne[3];
    for (int64_t p = ith; p < planes; p += nth) {
        int64_t dx = p % f, dy = p / f % f, c = p / (f * f);
        float *a = (float *)deep->data + p * width * height;
        for (int64_t y = 0; y < height; y++) {
            float *b = (float *)wide->data + (c * height * f + y * f + dy) * width * f + dx;
            if (call->inverse)
                for (int64_t x = 0; x < width; x++)
                    a[y * width + x] = b[x * f];
            else
                for (int64_t x = 0; x < width; x++)
                    b[x * f] = a[y * width + x];
        }
    }
}

static mdm_node *shuffle(mdm_nn *nn, mdm_node *x, int factor, bool inverse)
{
    if (!x || nn->status)
        return NULL;
    int64_t f = factor;
    if (f < 1 || f > 64 || (inverse ? x->ne[0] % f || x->ne[1] % f : x->ne[2] % (f * f) != 0))
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "pixel shuffle by %d of %lld x %lld x %lld", factor, (long long)x->ne[2],
                           (long long)x->ne[1], (long long)x->ne[0]);
    shuffle_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    *call = (shuffle_call){factor, inverse};
    int64_t ne[4] = {inverse ? x->ne[0] / f : x->ne[0] * f, inverse ? x->ne[1] / f : x->ne[1] * f,
                     inverse ? x->ne[2] * f * f : x->ne[2] / (f * f), x->ne[3]};
    return mdm_nn_custom(nn, ne, &x, 1, run_shuffle, call, false);
}

mdm_node *mdm_nn_pixel_shuffle(mdm_nn *nn, mdm_node *x, int factor)
{
    return shuffle(nn, x, factor, false);
}

mdm_node *mdm_nn_pixel_unshuffle(mdm_nn *nn, mdm_node *x, int factor)
{
    return shuffle(nn, x, factor, true);
}
