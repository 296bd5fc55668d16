/* Convolutions as custom operations of ggml: an implicit matrix product (a tile of the unfolded picture at a time, times the
 * packed kernel), and a direct loop for depthwise kernels, both with bias and activation in the same pass. ggml's own path
 * unfolds the whole picture and adds bias and activation in passes of their own: 2-4 times slower at our sizes. */
#include <math.h>
#include <string.h>

#include "nn/kernel.h"
#include "nn/nn_internal.h"

#define MAX_TAPS    81           /* of a depthwise kernel */
#define TILE_FLOATS (160 * 1024) /* of a thread's unfolded tile: stays in the second-level cache */

typedef struct conv_call {
    int in_channels, out_channels, groups, kernel[2], stride[2], pad[2], dilation[2];
    int in_size[2], out_size[2]; /* height, width */
    int tile;                    /* columns of a tile, a multiple of MDM_GEMM_COLUMNS */
    float *weights;              /* dense: packed panels a group; depthwise: [C][kh*kw] */
    float *bias, *slope;         /* [out_channels] or NULL */
    mdm_activation activation;
    float alpha;
    const mdm_nn *nn; /* whose scratch is allocated at build */
} conv_call;

/* out[i] = source[x + i * stride] for i < run, 0 outside the row of `width`; all 0 when there is no row. */
static void unfold_run(float *out, const float *source, int x, int width, int stride, int run)
{
    int i = 0, inside = source && x < width ? (width - x + stride - 1) / stride : 0;
    inside = inside < run ? inside : run;
    for (; i < inside && x + i * stride < 0; i++)
        out[i] = 0;
    if (stride == 1 && inside - i == MDM_GEMM_COLUMNS) {
        memcpy(out + i, source + x + i, sizeof(float) * MDM_GEMM_COLUMNS);
        i = inside;
    } else if (stride == 2) {
        for (; i < inside; i++)
            out[i] = source[x + 2 * i];
    }
    for (; i < inside; i++)
        out[i] = source[x + i * stride];
    for (; i < run; i++)
        out[i] = 0;
}

/* Unfolds output columns [from, from + count) of one group: panels of MDM_GEMM_COLUMNS columns, k rows each. */
static void unfold(float *out, const conv_call *c, const float *in, int from, int count)
{
    const int columns = MDM_GEMM_COLUMNS, channels = c->in_channels / c->groups;
    const int height = c->in_size[0], width = c->in_size[1], out_width = c->out_size[1];
    const size_t k_total = (size_t)channels * (size_t)(c->kernel[0] * c->kernel[1]);
    for (int panel = 0; panel * columns < count; panel++) {
        int base = from + panel * columns, live = count - panel * columns < columns ? count - panel * columns : columns;
        float *row = out + (size_t)panel * k_total * (size_t)columns;
        if (c->kernel[0] == 1 && c->kernel[1] == 1 && c->stride[0] == 1 && c->stride[1] == 1 && !c->pad[0] &&
            !c->pad[1]) {
            for (int ch = 0; ch < channels; ch++, row += columns) {
                const float *source = in + (size_t)ch * (size_t)(height * width) + base;
                if (live == columns) {
                    memcpy(row, source, sizeof(float) * MDM_GEMM_COLUMNS);
                } else {
                    memcpy(row, source, sizeof(float) * (size_t)live);
                    memset(row + live, 0, sizeof(float) * (size_t)(columns - live));
                }
            }
            continue;
        }
        /* a panel's columns lie in one output row, or in a few; in one, with unit stride, sources are neighbours */
        const int x_first = base % out_width, y_first = base / out_width;
        const bool row_only = live == columns && out_width - x_first >= columns && c->stride[1] == 1;
        for (int ch = 0; ch < channels; ch++) {
            const float *plane = in + (size_t)ch * (size_t)(height * width);
            for (int ky = 0; ky < c->kernel[0]; ky++) {
                const int y_shift = ky * c->dilation[0] - c->pad[0], y_only = y_first * c->stride[0] + y_shift;
                const float *source = y_only >= 0 && y_only < height ? plane + y_only * width : NULL;
                for (int kx = 0; kx < c->kernel[1]; kx++, row += columns) {
                    const int x_shift = kx * c->dilation[1] - c->pad[1], x_only = x_first + x_shift;
                    if (row_only && source && x_only >= 0 && x_only + columns <= width) {
                        memcpy(row, source + x_only, sizeof(float) * MDM_GEMM_COLUMNS);
                        continue;
                    }
                    for (int i = 0, x = x_first, y = y_first; i < live; y++, x = 0) {
                        int run = out_width - x < live - i ? out_width - x : live - i;
                        int sy = y * c->stride[0] + y_shift;
                        unfold_run(row + i, sy >= 0 && sy < height ? plane + sy * width : NULL,
                                   x * c->stride[1] + x_shift, width, c->stride[1], run);
                        i += run;
                    }
                    for (int i = live; i < columns; i++)
                        row[i] = 0;
                }
            }
        }
    }
}

static void run_dense(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const conv_call *c = user;
    const int columns = MDM_GEMM_COLUMNS, rows = MDM_GEMM_ROWS;
    const int n_total = c->out_size[0] * c->out_size[1], batch = (int)dst->ne[3];
    const int out_channels = c->out_channels / c->groups, in_channels = c->in_channels / c->groups;
    const int k = in_channels * c->kernel[0] * c->kernel[1];
    const int blocks = (out_channels + rows - 1) / rows;
    const int tiles = (n_total + c->tile - 1) / c->tile;
    /* few tiles: threads share a tile's output channels, each unfolding for itself */
    int split = tiles * batch * c->groups >= 2 * nth ? 1 : nth < blocks ? nth : blocks;
    const int units = tiles * batch * c->groups * split;
    float *scratch = c->nn->scratch[ith];
    for (int unit = ith; unit < units; unit += nth) {
        int part = unit % split, tile = unit / split % tiles, image = unit / split / tiles / c->groups;
        int group = unit / split / tiles % c->groups;
        int from = tile * c->tile, count = n_total - from < c->tile ? n_total - from : c->tile;
        const float *in = (const float *)dst->src[0]->data +
                          ((size_t)image * (size_t)c->in_channels + (size_t)(group * in_channels)) *
                              (size_t)(c->in_size[0] * c->in_size[1]);
        float *out = (float *)dst->data +
                     ((size_t)image * (size_t)c->out_channels + (size_t)(group * out_channels)) * (size_t)n_total;
        const float *weights = c->weights + (size_t)group * (size_t)blocks * (size_t)(rows * k);
        unfold(scratch, c, in, from, count);
        int block_from = blocks * part / split, block_to = blocks * (part + 1) / split;
        for (int b = block_from; b < block_to; b++) {
            int live_rows = out_channels - b * rows < rows ? out_channels - b * rows : rows;
            for (int p = 0; p * columns < count; p++) {
                int live = count - p * columns < columns ? count - p * columns : columns;
                mdm_gemm_block(out + (size_t)(b * rows) * (size_t)n_total + from + p * columns, (size_t)n_total,
                               weights + (size_t)b * (size_t)(rows * k), scratch + (size_t)p * (size_t)(k * columns), k,
                               c->bias ? c->bias + group * out_channels + b * rows : NULL, live_rows, live);
            }
            if (c->activation != MDM_LINEAR)
                for (int r = 0; r < live_rows; r++) {
                    int channel = group * out_channels + b * rows + r;
                    mdm_activate_row(out + (size_t)(b * rows + r) * (size_t)n_total + from, count, c->activation,
                                     c->slope ? c->slope[channel] : c->alpha);
                }
        }
    }
}

/* Row `y` of a plane with its padding, sorted by phase (x mod stride), so that every tap reads neighbours. */
static void lay_out_row(float *row, const conv_call *c, const float *plane, int y, int reach, int phase_w)
{
    const int width = c->in_size[1], stride = c->stride[1], pad = c->pad[1];
    const int last = reach - pad < width ? reach - pad : width;
    const size_t row_floats = (size_t)phase_w * (size_t)stride;
    if (y < 0 || y >= c->in_size[0] || last <= 0) {
        memset(row, 0, row_floats * sizeof *row);
        return;
    }
    const float *source = plane + (size_t)y * (size_t)width;
    if (stride == 1) {
        for (int x = 0; x < pad; x++)
            row[x] = 0;
        memcpy(row + pad, source, sizeof *row * (size_t)last);
        for (int x = pad + last; x < phase_w; x++)
            row[x] = 0;
        return;
    }
    memset(row, 0, row_floats * sizeof *row);
    for (int phase = 0; phase < stride; phase++) {
        float *to = row + (size_t)phase * (size_t)phase_w;
        int i = pad > phase ? (pad - phase + stride - 1) / stride : 0; /* first with i * stride + phase >= pad */
        for (int x = i * stride + phase - pad; x < last; x += stride)
            to[i++] = source[x];
    }
}

static void run_depthwise(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const conv_call *c = user;
    const int height = c->in_size[0], width = c->in_size[1], out_h = c->out_size[0], out_w = c->out_size[1];
    const int stride = c->stride[1], taps = c->kernel[0] * c->kernel[1];
    const int reach = (out_w - 1) * stride + (c->kernel[1] - 1) * c->dilation[1] + 1;
    const int phase_w = (reach + stride - 1) / stride;
    const size_t row_floats = (size_t)phase_w * (size_t)stride;
    float *padded = c->nn->scratch[ith];
    const int planes = c->out_channels * (int)dst->ne[3];
    size_t tap[MAX_TAPS]; /* where each tap reads, from the first row */
    for (int t = 0; t < taps; t++) {
        int ky = t / c->kernel[1], at = t % c->kernel[1] * c->dilation[1];
        tap[t] = (size_t)(ky * c->dilation[0]) * row_floats + (size_t)(at % stride) * (size_t)phase_w +
                 (size_t)(at / stride);
    }
    for (int plane = ith; plane < planes; plane += nth) {
        int channel = plane % c->out_channels;
        const float *in = (const float *)dst->src[0]->data + (size_t)plane * (size_t)(height * width);
        float *out = (float *)dst->data + (size_t)plane * (size_t)(out_h * out_w);
        const float *weight = c->weights + (size_t)channel * (size_t)taps;
        float bias = c->bias ? c->bias[channel] : 0;
        int ready = 0; /* rows are laid out just before they are read, while they are in the nearest cache */
        for (int y = 0; y < out_h; y++) {
            for (; ready <= y * c->stride[0] + (c->kernel[0] - 1) * c->dilation[0]; ready++)
                lay_out_row(padded + (size_t)ready * row_floats, c, in, ready - c->pad[0], reach, phase_w);
            float *row = out + (size_t)y * (size_t)out_w;
            const float *base = padded + (size_t)(y * c->stride[0]) * row_floats, *source[MAX_TAPS];
            for (int t = 0; t < taps; t++)
                source[t] = base + tap[t];
            mdm_taps_row(row, out_w, source, weight, taps, bias);
            if (c->activation != MDM_LINEAR)
                mdm_activate_row(row, out_w, c->activation, c->slope ? c->slope[channel] : c->alpha);
        }
    }
}

/* Kernel [out][k] -> panels of MDM_GEMM_ROWS output channels: [block][k][row]. */
static float *pack(mdm_nn *nn, const float *weights, int groups, int out_channels, int k)
{
    const int rows = MDM_GEMM_ROWS, blocks = (out_channels + rows - 1) / rows;
    float *packed = mdm_nn_own(nn, (size_t)groups * (size_t)blocks * (size_t)rows * (size_t)k, sizeof *packed);
    for (int g = 0; packed && g < groups; g++)
        for (int o = 0; o < out_channels; o++)
            for (int i = 0; i < k; i++)
                packed[(((size_t)g * (size_t)blocks + (size_t)(o / rows)) * (size_t)k + (size_t)i) * (size_t)rows +
                       (size_t)(o % rows)] =
                    weights[((size_t)g * (size_t)out_channels + (size_t)o) * (size_t)k + (size_t)i];
    return packed;
}

mdm_node *mdm_nn_conv2d(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, const mdm_conv *conv)
{
    if (!(x = mdm_nn_contiguous(nn, x)) || !weight)
        return NULL;
    if (nn->gpu)
        return mdm_gpu_conv2d(nn, x, weight, bias, conv);
    mdm_leaf *kernel = mdm_nn_leaf_of(nn, weight);
    const float *values = mdm_nn_leaf_values(nn, kernel);
    if (!values)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "the kernel of a convolution must be a weight");
    conv_call *c = mdm_nn_own(nn, 1, sizeof *c);
    if (!c)
        return NULL;
    c->nn = nn;
    c->groups = conv->groups > 0 ? conv->groups : 1;
    c->in_channels = (int)x->ne[2];
    c->out_channels = (int)weight->ne[3];
    c->in_size[0] = (int)x->ne[1], c->in_size[1] = (int)x->ne[0];
    c->kernel[0] = (int)weight->ne[1], c->kernel[1] = (int)weight->ne[0];
    for (int i = 0; i < 2; i++) {
        c->stride[i] = conv->stride[i] > 0 ? conv->stride[i] : 1;
        c->dilation[i] = conv->dilation[i] > 0 ? conv->dilation[i] : 1;
        c->pad[i] = conv->pad[i];
        int64_t reach = (int64_t)(c->kernel[i] - 1) * c->dilation[i] + 1;
        int64_t room = (int64_t)c->in_size[i] + conv->pad[i] + conv->pad[i + 2] - reach;
        if (conv->pad[i] < 0 || conv->pad[i + 2] < 0 || conv->pad[i] > 4096 || conv->pad[i + 2] > 4096 || room < 0)
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "convolution \"%s\": a kernel of %d on %d pixels", kernel->name,
                               c->kernel[i], c->in_size[i]);
        c->out_size[i] = (int)(room / c->stride[i] + 1);
    }
    if (c->in_channels % c->groups || c->out_channels % c->groups || weight->ne[2] * c->groups != x->ne[2])
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "convolution \"%s\": %d channels in %d groups for a kernel of %lld",
                           kernel->name, c->in_channels, c->groups, (long long)weight->ne[2]);
    c->activation = conv->activation;
    c->alpha = conv->alpha;
    if (bias && !(c->bias = mdm_nn_copy_vector(nn, bias, c->out_channels, "the bias of a convolution")))
        return NULL;
    if (conv->activation == MDM_PRELU &&
        !(c->slope = mdm_nn_copy_vector(nn, conv->slope, c->out_channels, "the slope of a convolution")))
        return NULL;
    int64_t ne[4] = {c->out_size[1], c->out_size[0], c->out_channels, x->ne[3]};
    bool depthwise = c->groups > 1 && c->groups == c->in_channels && c->groups == c->out_channels;
    size_t scratch;
    if (depthwise && c->kernel[0] * c->kernel[1] > MAX_TAPS)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "depthwise kernel \"%s\" of %d x %d", kernel->name, c->kernel[0],
                           c->kernel[1]);
    if (depthwise) {
        size_t taps = (size_t)(c->kernel[0] * c->kernel[1]);
        if (!(c->weights = mdm_nn_own(nn, (size_t)c->out_channels * taps, sizeof(float))))
            return NULL;
        memcpy(c->weights, values, (size_t)c->out_channels * taps * sizeof(float));
        scratch =
            (size_t)((c->out_size[0] - 1) * c->stride[0] + (c->kernel[0] - 1) * c->dilation[0] + 1) *
            (size_t)((c->out_size[1] - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation[1] + 1 + c->stride[1]);
    } else {
        int k = c->in_channels / c->groups * c->kernel[0] * c->kernel[1];
        if (!(c->weights = pack(nn, values, c->groups, c->out_channels / c->groups, k)))
            return NULL;
        int tile = TILE_FLOATS / k / MDM_GEMM_COLUMNS * MDM_GEMM_COLUMNS;
        c->tile = tile < MDM_GEMM_COLUMNS ? MDM_GEMM_COLUMNS : tile > 512 ? 512 : tile;
        scratch = (size_t)c->tile * (size_t)k;
    }
    mdm_nn_leaf_release(kernel);
    if (scratch > nn->scratch_floats)
        nn->scratch_floats = scratch;
    mdm_node *out = mdm_nn_custom(nn, ne, &x, 1, depthwise ? run_depthwise : run_dense, c, false);
    return mdm_nn_can_fuse(nn, out, &c->activation, &c->slope);
}

mdm_node *mdm_nn_conv2d_transposed(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, int stride)
{
    if (!x || !weight || nn->status)
        return NULL;
    mdm_leaf *kernel = mdm_nn_leaf_of(nn, weight);
    int64_t in = weight->ne[3], out = weight->ne[2], side = weight->ne[0];
    const float *values = mdm_nn_leaf_values(nn, kernel);
    if (!values || side != stride || weight->ne[1] != side || in != x->ne[2] || stride < 1 || stride > 16)
        return mdm_nn_fail(nn, MDM_ERR_INPUT,
                           "a transposed convolution of %lld x %lld by %d: only kernel = stride is known",
                           (long long)weight->ne[1], (long long)side, stride);
    /* every output pixel comes from one input pixel: a 1x1 convolution to out*k*k channels, then a pixel shuffle */
    int64_t taps = side * side;
    float *turned = mdm_nn_own(nn, (size_t)(in * out * taps), sizeof *turned);
    if (!turned)
        return NULL;
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out * taps; o++)
            turned[o * in + i] = values[i * out * taps + o];
    mdm_node *flat = mdm_nn_constant(nn, kernel->name, turned, MDM_STORE_F32, 4, (int64_t[]){out * taps, in, 1, 1});
    x = mdm_nn_conv2d(nn, x, flat, NULL, &(mdm_conv){.groups = 1});
    x = mdm_nn_pixel_shuffle(nn, x, stride);
    return bias ? mdm_nn_add(nn, x, mdm_nn_reshape(nn, bias, 4, (int64_t[]){1, out, 1, 1})) : x;
}
