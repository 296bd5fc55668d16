/* Linear layers, norms, attention and activations of the ggml executor. */
#include <math.h>

#include "nn/kernel.h"
#include "nn/nn_internal.h"

#define CTX nn->nodes

enum { MANY_ROWS = 32 }; /* from which on a card multiplies f16 by f16; fewer it does one by one */

mdm_node *mdm_nn_linear(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias)
{
    if (!(x = mdm_nn_contiguous(nn, x)) || !weight)
        return NULL;
    if (weight->ne[0] != x->ne[0] || weight->ne[2] != 1 || weight->ne[3] != 1 || (bias && bias->ne[0] != weight->ne[1]))
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "linear layer of %lld -> %lld on %lld values", (long long)weight->ne[0],
                           (long long)weight->ne[1], (long long)x->ne[0]);
    mdm_node *rows = x;
    if (nn->gpu) /* one product, not one a picture */
        rows = weight->type == GGML_TYPE_F16 && ggml_nrows(x) >= MANY_ROWS
                   ? mdm_gpu_rounded_rows(nn, x)
                   : ggml_reshape_2d(CTX, x, x->ne[0], ggml_nrows(x));
    mdm_node *y = ggml_mul_mat(CTX, weight, rows);
    if (rows != x)
        y = ggml_reshape_4d(CTX, y, y->ne[0], x->ne[1], x->ne[2], x->ne[3]);
    return bias ? ggml_add(CTX, y, bias) : y;
}

typedef struct activation_call {
    mdm_activation activation;
    const float *slope; /* one a channel, or NULL */
    int64_t channel_size, channels;
} activation_call;

static void run_activation(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const activation_call *call = user;
    int64_t rows = ggml_nrows(dst), width = dst->ne[0];
    for (int64_t r = ith; r < rows; r += nth) {
        const float *in = (const float *)dst->src[0]->data + r * width;
        float *out = (float *)dst->data + r * width;
        for (int64_t i = 0; i < width; i++)
            out[i] = in[i];
        float slope = call->slope ? call->slope[r * width / call->channel_size % call->channels] : 0.01f;
        mdm_activate_row(out, (int)width, call->activation, slope);
    }
}

mdm_node *mdm_nn_activate(mdm_nn *nn, mdm_node *x, mdm_activation activation)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    switch (activation) { /* what ggml has, vectorised */
    case MDM_LINEAR:
        return x;
    case MDM_RELU:
        return ggml_relu(CTX, x);
    case MDM_SILU:
        return ggml_silu(CTX, x);
    case MDM_GELU:
        return ggml_gelu(CTX, x);
    case MDM_GELU_ERF:
        return ggml_gelu_erf(CTX, x);
    case MDM_SQRT:
        return ggml_sqrt(CTX, x);
    case MDM_GELU_QUICK:
        if (nn->gpu)
            return ggml_gelu_quick(CTX, x);
        break;
    case MDM_EXP:
        if (nn->gpu)
            return ggml_exp(CTX, x);
        break;
    default:
        break;
    }
    activation_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    call->activation = activation;
    return mdm_nn_custom(nn, x->ne, &x, 1, run_activation, call, false);
}

mdm_node *mdm_nn_prelu(mdm_nn *nn, mdm_node *x, mdm_node *slope)
{
    if (!(x = mdm_nn_contiguous(nn, x)) || !slope)
        return NULL;
    mdm_leaf *leaf = mdm_nn_leaf_of(nn, slope);
    const float *values = mdm_nn_leaf_values(nn, leaf);
    if (values && ((int64_t)leaf->count == x->ne[2] || leaf->count == 1)) {
        activation_call *call = mdm_nn_own(nn, 1, sizeof *call);
        float *copy = mdm_nn_own(nn, leaf->count, sizeof *copy);
        if (!call || !copy)
            return NULL;
        for (size_t i = 0; i < leaf->count; i++)
            copy[i] = values[i];
        *call = (activation_call){MDM_PRELU, copy, x->ne[0] * x->ne[1], (int64_t)leaf->count};
        return mdm_nn_custom(nn, x->ne, &x, 1, run_activation, call, false);
    }
    /* any other shape: max(x,0) - slope * max(-x,0) */
    mdm_node *negative = ggml_relu(CTX, ggml_neg(CTX, x));
    return mdm_nn_sub(nn, ggml_relu(CTX, x), mdm_nn_mul(nn, negative, slope));
}

static mdm_node *affine(mdm_nn *nn, mdm_node *x, mdm_node *gain, mdm_node *shift)
{
    if (gain)
        x = mdm_nn_mul(nn, x, gain);
    return shift ? mdm_nn_add(nn, x, shift) : x;
}

mdm_node *mdm_nn_layer_norm(mdm_nn *nn, mdm_node *x, mdm_node *gain, mdm_node *shift, float epsilon)
{
    x = mdm_nn_contiguous(nn, x);
    return x ? affine(nn, ggml_norm(CTX, x, epsilon), gain, shift) : NULL;
}

mdm_node *mdm_nn_rms_norm(mdm_nn *nn, mdm_node *x, mdm_node *gain, float epsilon)
{
    x = mdm_nn_contiguous(nn, x);
    return x ? affine(nn, ggml_rms_norm(CTX, x, epsilon), gain, NULL) : NULL;
}

typedef struct channel_norm_call {
    const float *gain;
    float epsilon;
} channel_norm_call;

/* Threads share the pixels; sums of squares go plane by plane, so that reads stay in order. */
static void run_channel_norm(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const channel_norm_call *call = user;
    int64_t pixels = dst->ne[0] * dst->ne[1], channels = dst->ne[2];
    enum { CHUNK = 256 };
    int64_t chunks = (pixels + CHUNK - 1) / CHUNK;
    for (int64_t u = ith; u < chunks * dst->ne[3]; u += nth) {
        int64_t from = u % chunks * CHUNK, count = pixels - from < CHUNK ? pixels - from : CHUNK;
        const float *in = (const float *)dst->src[0]->data + u / chunks * channels * pixels + from;
        float *out = (float *)dst->data + u / chunks * channels * pixels + from;
        float scale[CHUNK] = {0};
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < count; i++)
                scale[i] += in[c * pixels + i] * in[c * pixels + i];
        for (int64_t i = 0; i < count; i++)
            scale[i] = 1 / sqrtf(scale[i] / (float)channels + call->epsilon);
        for (int64_t c = 0; c < channels; c++) {
            float gain = call->gain ? call->gain[c] : 1;
            for (int64_t i = 0; i < count; i++)
                out[c * pixels + i] = in[c * pixels + i] * scale[i] * gain;
        }
    }
}

mdm_node *mdm_nn_rms_norm_channels(mdm_nn *nn, mdm_node *x, mdm_node *gain, float epsilon)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    channel_norm_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    call->epsilon = epsilon;
    if (gain) {
        mdm_leaf *leaf = mdm_nn_leaf_of(nn, gain);
        float *copy;
        const float *values = mdm_nn_leaf_values(nn, leaf);
        if (!values || (int64_t)leaf->count != x->ne[2])
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "the gain of a channel norm must be a weight of %lld values",
                               (long long)x->ne[2]);
        if (!(copy = mdm_nn_own(nn, leaf->count, sizeof *copy)))
            return NULL;
        for (size_t i = 0; i < leaf->count; i++)
            copy[i] = values[i];
        call->gain = copy;
    }
    return mdm_nn_custom(nn, x->ne, &x, 1, run_channel_norm, call, false);
}

mdm_node *mdm_nn_group_norm(mdm_nn *nn, mdm_node *x, int groups, mdm_node *gain, mdm_node *shift, float epsilon)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    if (groups < 1 || x->ne[2] % groups)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "group norm of %lld channels in %d groups", (long long)x->ne[2], groups);
    int64_t channel[4] = {1, x->ne[2], 1, 1};
    x = ggml_group_norm(CTX, x, groups, epsilon);
    return affine(nn, x, gain ? mdm_nn_reshape(nn, gain, 4, channel) : NULL,
                  shift ? mdm_nn_reshape(nn, shift, 4, channel) : NULL);
}

/* [B,L,heads*d] -> ggml's [d, L, heads, B], the width padded to `width`. */
static mdm_node *split_heads(mdm_nn *nn, mdm_node *x, int heads, int64_t width)
{
    int64_t d = x->ne[0] / heads;
    x = ggml_reshape_4d(CTX, x, d, heads, x->ne[1], x->ne[2]);
    x = ggml_cont(CTX, ggml_permute(CTX, x, 0, 2, 1, 3));
    return width == d ? x : ggml_pad(CTX, x, (int)(width - d), 0, 0, 0);
}

static mdm_node *attend(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale, bool causal)
{
    q = mdm_nn_contiguous(nn, q);
    k = mdm_nn_contiguous(nn, k);
    v = mdm_nn_contiguous(nn, v);
    if (!q || !k || !v)
        return NULL;
    if (heads < 1 || q->ne[0] % heads || k->ne[0] != q->ne[0] || v->ne[0] != q->ne[0] || k->ne[1] != v->ne[1] ||
        q->ne[3] != 1 || k->ne[3] != 1)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "attention of %d heads on widths %lld, %lld, %lld", heads,
                           (long long)q->ne[0], (long long)k->ne[0], (long long)v->ne[0]);
    int64_t d = q->ne[0] / heads, length = q->ne[1], batch = q->ne[2], all = q->ne[0];
    if (scale == 0)
        scale = 1 / sqrtf((float)d);
    mdm_node *fast = causal    ? NULL
                     : nn->gpu ? mdm_gpu_attention(nn, q, k, v, heads, scale)
                               : mdm_nn_attention_tiled(nn, q, k, v, heads, scale);
    if (fast)
        return fast;
    /* f32 scores by two matrix products: exact, and as fast as the f16 kernel */
    mdm_node *scores =
        ggml_mul_mat(CTX, split_heads(nn, k, heads, d), split_heads(nn, q, heads, d)); /* [Lk, Lq, heads, B] */
    if (causal)
        scores = ggml_diag_mask_inf(CTX, scores, 0);
    scores = ggml_soft_max_ext(CTX, scores, NULL, scale, 0);
    mdm_node *values = ggml_reshape_4d(CTX, v, d, heads, v->ne[1], v->ne[2]);
    values = ggml_cont(CTX, ggml_permute(CTX, values, 1, 2, 0, 3)); /* [Lk, d, heads, B] */
    mdm_node *out = ggml_mul_mat(CTX, values, scores);              /* [d, Lq, heads, B] */
    out = ggml_cont(CTX, ggml_permute(CTX, out, 0, 2, 1, 3));       /* [d, heads, Lq, B] */
    return ggml_reshape_3d(CTX, out, all, length, batch);
}

mdm_node *mdm_nn_attention(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale)
{
    return attend(nn, q, k, v, heads, scale, false);
}

mdm_node *mdm_nn_attention_causal(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale)
{
    return attend(nn, q, k, v, heads, scale, true);
}

static mdm_node *gate(mdm_nn *nn, mdm_node *x, bool swiglu)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    int64_t half = x->ne[0] / 2;
    if (x->ne[0] % 2)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "a gate on %lld values", (long long)x->ne[0]);
    if (nn->gpu && !swiglu)
        return ggml_geglu_erf_swapped(CTX, x);
    mdm_node *a = mdm_nn_slice(nn, x, 0, 0, half), *b = mdm_nn_slice(nn, x, 0, half, 2 * half);
    return swiglu ? mdm_nn_mul(nn, mdm_nn_activate(nn, a, MDM_SILU), b)
                  : mdm_nn_mul(nn, a, mdm_nn_activate(nn, b, MDM_GELU_ERF));
}

mdm_node *mdm_nn_geglu(mdm_nn *nn, mdm_node *x)
{
    return gate(nn, x, false);
}

mdm_node *mdm_nn_swiglu(mdm_nn *nn, mdm_node *x)
{
    return gate(nn, x, true);
}

mdm_node *mdm_nn_softmax(mdm_nn *nn, mdm_node *x)
{
    x = mdm_nn_contiguous(nn, x);
    return x ? ggml_soft_max(CTX, x) : NULL;
}
