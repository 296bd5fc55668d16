/* What ggml's CUDA backend needs said otherwise than the CPU: convolutions as products with the unfolded picture, attention as
 * one operation, and ggml's own operations where the CPU has custom ones. */
#include <math.h>

#include "nn/nn_internal.h"

#define CTX nn->nodes

mdm_node *mdm_gpu_conv2d(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, const mdm_conv *conv)
{
    const int across = conv->stride[1] > 0 ? conv->stride[1] : 1, down = conv->stride[0] > 0 ? conv->stride[0] : 1;
    const int *pad = conv->pad, wide = conv->dilation[1] > 0 ? conv->dilation[1] : 1,
              high = conv->dilation[0] > 0 ? conv->dilation[0] : 1;
    if (conv->groups > 1 || weight->ne[2] != x->ne[2] || x->ne[0] + pad[1] + pad[3] < (weight->ne[0] - 1) * wide + 1 ||
        x->ne[1] + pad[0] + pad[2] < (weight->ne[1] - 1) * high + 1)
        return mdm_nn_fail(nn, MDM_ERR_INPUT,
                           "a convolution of %lld -> %lld channels in %d groups on %lld, for the GPU",
                           (long long)weight->ne[2], (long long)weight->ne[3], conv->groups, (long long)x->ne[2]);
    const bool even = pad[0] == pad[2] && pad[1] == pad[3];
    if (!even)
        x = ggml_pad_ext(CTX, x, pad[1], pad[3], pad[0], pad[2], 0, 0, 0, 0);
    /* [K, W, H, N] with K = C*kh*kw */
    mdm_node *columns =
        ggml_im2col(CTX, weight, x, across, down, even ? pad[1] : 0, even ? pad[0] : 0, wide, high, true, weight->type);
    const int64_t k = columns->ne[0], w = columns->ne[1], h = columns->ne[2], out = weight->ne[3];
    const int64_t n = columns->ne[3];
    mdm_node *y = ggml_mul_mat(CTX, ggml_reshape_2d(CTX, columns, k, w * h * n), ggml_reshape_2d(CTX, weight, k, out));
    y = ggml_reshape_4d(CTX, y, w, h, n, out);
    if (n > 1)
        y = ggml_permute(CTX, y, 0, 1, 3, 2); /* the sum with the bias puts it in order on its way */
    else
        y = ggml_reshape_4d(CTX, y, w, h, out, 1);
    if (n > 1 && !bias)
        y = ggml_cont(CTX, y);
    if (bias)
        y = ggml_add(CTX, y, ggml_reshape_4d(CTX, bias, 1, 1, out, 1));
    return mdm_nn_activate(nn, y, conv->activation);
}

mdm_node *mdm_gpu_rounded_rows(mdm_nn *nn, mdm_node *x)
{
    enum { KEPT = sizeof nn->rounded / sizeof *nn->rounded };
    for (int i = 0; i < KEPT; i++)
        if (nn->rounded[i].from == x)
            return nn->rounded[i].to;
    mdm_node *to = ggml_cast(CTX, ggml_reshape_2d(CTX, x, x->ne[0], ggml_nrows(x)), GGML_TYPE_F16);
    nn->rounded[nn->rounded_count++ % KEPT] = (mdm_rounded){x, to};
    return to;
}

/* x [d, heads, L, B] with zeros behind d, up to `width`. ggml's kernel takes at most 65535 rows of heads, so L * B is shared with `heads` beyond. */
static mdm_node *widen(mdm_nn *nn, mdm_node *x, int64_t width)
{
    const int64_t d = x->ne[0], heads = x->ne[1], length = x->ne[2], batch = x->ne[3];
    int64_t share = 1;
    while (length * batch / share > 65535 && length * batch % (2 * share) == 0)
        share *= 2;
    x = ggml_reshape_3d(CTX, x, d, heads * share, length * batch / share);
    x = ggml_pad(CTX, x, (int)(width - d), 0, 0, 0);
    return ggml_reshape_4d(CTX, x, width, heads, length, batch);
}

/* [B,L,heads*d] -> a view [d, L, heads, B], of f16 for keys and values; the width zero-padded to `width` */
static mdm_node *heads_of(mdm_nn *nn, mdm_node *x, int heads, int64_t width, bool half)
{
    const int64_t d = x->ne[0] / heads;
    x = ggml_reshape_4d(CTX, x, d, heads, x->ne[1], x->ne[2]);
    if (width != d)
        x = widen(nn, x, width);
    return ggml_permute(CTX, half ? ggml_cast(CTX, x, GGML_TYPE_F16) : x, 0, 2, 1, 3);
}

mdm_node *mdm_gpu_attention(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale)
{
    const int64_t all = q->ne[0], d = all / heads, length = q->ne[1], batch = q->ne[2];
    static const int kernels[] = {64, 80, 96, 128}; /* widths with a tensor core kernel */
    int64_t width = 0;
    for (int i = 3; i >= 0; i--)
        width = kernels[i] >= d ? kernels[i] : width;
    if (!width)
        return NULL;
    mdm_node *out =
        ggml_flash_attn_ext(CTX, heads_of(nn, q, heads, width, false), heads_of(nn, k, heads, width, true),
                            heads_of(nn, v, heads, width, true), NULL, scale, 0, 0); /* [width, heads, L, B] */
    if (width != d)
        out = ggml_cont(CTX, ggml_view_4d(CTX, out, d, heads, length, batch, out->nb[1], out->nb[2], out->nb[3], 0));
    return ggml_reshape_3d(CTX, out, all, length, batch);
}
