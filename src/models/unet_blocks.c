/* The blocks of diffusion's U-nets and picture autoencoders. */
#include "models/unet_blocks.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

mdm_node *mdm_block_residual(const mdm_layers *l, mdm_node *x, mdm_node *time, const char *prefix, int out, int groups,
                             float epsilon)
{
    mdm_nn *nn = l->nn;
    mdm_node *h = mdm_layer_group_norm(l, x, prefix, "norm1", groups, epsilon);
    h = mdm_layer_conv(l, mdm_nn_activate(nn, h, MDM_SILU), prefix, "conv1", out, 3, 1);
    if (time) {
        mdm_node *shift = mdm_layer_linear(l, time, prefix, "time_emb_proj", out, true);
        h = mdm_nn_add(nn, h, mdm_nn_reshape(nn, shift, 4, (int64_t[]){mdm_nn_dim(shift, 1), out, 1, 1}));
    }
    h = mdm_layer_group_norm(l, h, prefix, "norm2", groups, epsilon);
    h = mdm_layer_conv(l, mdm_nn_activate(nn, h, MDM_SILU), prefix, "conv2", out, 3, 1);
    if (mdm_nn_dim(x, 2) != out)
        x = mdm_layer_conv(l, x, prefix, "conv_shortcut", out, 1, 1);
    return mdm_nn_add(nn, x, h);
}

mdm_node *mdm_block_to_sequence(mdm_nn *nn, mdm_node *x)
{
    const int64_t n = mdm_nn_dim(x, 3), c = mdm_nn_dim(x, 2), positions = mdm_nn_dim(x, 1) * mdm_nn_dim(x, 0);
    x = mdm_nn_reshape(nn, x, 4, (int64_t[]){n, 1, c, positions});
    return mdm_nn_reshape(nn, mdm_nn_permute(nn, x, (const int[]){0, 1, 3, 2}), 3, (int64_t[]){n, positions, c});
}

mdm_node *mdm_block_to_picture(mdm_nn *nn, mdm_node *x, int64_t height, int64_t width)
{
    const int64_t n = mdm_nn_dim(x, 2), positions = mdm_nn_dim(x, 1), c = mdm_nn_dim(x, 0);
    x = mdm_nn_reshape(nn, x, 4, (int64_t[]){n, 1, positions, c});
    return mdm_nn_reshape(nn, mdm_nn_permute(nn, x, (const int[]){0, 1, 3, 2}), 4, (int64_t[]){n, c, height, width});
}

mdm_node *mdm_block_attention(const mdm_layers *l, mdm_node *x, mdm_node *from, const char *prefix, int heads,
                              bool bias)
{
    const int width = (int)mdm_nn_dim(x, 0);
    mdm_node *q = mdm_layer_linear(l, x, prefix, "to_q", width, bias);
    mdm_node *k = mdm_layer_linear(l, from, prefix, "to_k", width, bias);
    mdm_node *v = mdm_layer_linear(l, from, prefix, "to_v", width, bias);
    return mdm_layer_linear(l, mdm_nn_attention(l->nn, q, k, v, heads, 0), prefix, "to_out.0", width, true);
}

mdm_node *mdm_block_feed_forward(const mdm_layers *l, mdm_node *x, const char *prefix, const char *norm, float epsilon)
{
    const int width = (int)mdm_nn_dim(x, 0);
    mdm_node *h = mdm_layer_norm(l, x, prefix, norm, epsilon);
    h = mdm_nn_geglu(l->nn, mdm_layer_linear(l, h, prefix, "ff.net.0.proj", 8 * width, true));
    return mdm_nn_add(l->nn, x, mdm_layer_linear(l, h, prefix, "ff.net.2", width, true));
}

/* x [N,L,C] */
static mdm_node *transformer(const mdm_layers *l, mdm_node *x, mdm_node *context, const char *prefix, int index,
                             int heads)
{
    char p[MDM_LAYER_NAME];
    mdm_nn *nn = l->nn;
    const float epsilon = 1e-5f;

    snprintf(p, sizeof p, "%stransformer_blocks.%d.", prefix, index);
    mdm_node *h1 = mdm_layer_norm(l, x, p, "norm1", epsilon);
    snprintf(p, sizeof p, "%stransformer_blocks.%d.attn1.", prefix, index);
    x = mdm_nn_add(nn, x, mdm_block_attention(l, h1, h1, p, heads, false));

    snprintf(p, sizeof p, "%stransformer_blocks.%d.", prefix, index);
    mdm_node *h2 = mdm_layer_norm(l, x, p, "norm2", epsilon);
    snprintf(p, sizeof p, "%stransformer_blocks.%d.attn2.", prefix, index);
    x = mdm_nn_add(nn, x, mdm_block_attention(l, h2, context, p, heads, false));

    snprintf(p, sizeof p, "%stransformer_blocks.%d.", prefix, index);
    return mdm_block_feed_forward(l, x, p, "norm3", epsilon);
}

mdm_node *mdm_block_spatial_transformer(const mdm_layers *l, mdm_node *x, mdm_node *context, const char *prefix,
                                        const mdm_block_transformer *t)
{
    mdm_nn *nn = l->nn;
    if (!x || !context)
        return NULL;
    const int64_t height = mdm_nn_dim(x, 1), width = mdm_nn_dim(x, 0);
    const int channels = (int)mdm_nn_dim(x, 2);
    mdm_node *h = mdm_block_to_sequence(nn, mdm_layer_group_norm(l, x, prefix, "norm", t->groups, 1e-6f));
    h = mdm_layer_linear(l, h, prefix, "proj_in", channels, true); /* a 1x1 convolution in SD 1.5: the same */
    for (int i = 0; i < t->depth; i++)
        h = transformer(l, h, context, prefix, i, t->heads);
    h = mdm_layer_linear(l, h, prefix, "proj_out", channels, true);
    return mdm_nn_add(nn, x, mdm_block_to_picture(nn, h, height, width));
}

mdm_node *mdm_block_double(const mdm_layers *l, mdm_node *x, const char *prefix)
{
    if (!x)
        return NULL;
    const int height = (int)mdm_nn_dim(x, 1), width = (int)mdm_nn_dim(x, 0), channels = (int)mdm_nn_dim(x, 2);
    x = mdm_nn_resize(l->nn, x, 2 * height, 2 * width, MDM_NEAREST);
    return mdm_layer_conv(l, x, prefix, "conv", channels, 3, 1);
}

void mdm_block_waves(float *out, int count, double value)
{
    const int half = count / 2;
    for (int i = 0; i < half; i++) {
        double angle = value * exp(-log(10000) * i / half);
        out[i] = (float)cos(angle);
        out[half + i] = (float)sin(angle);
    }
}

mdm_node *mdm_block_embed(const mdm_layers *l, mdm_node *x, const char *prefix, int out)
{
    x = mdm_nn_activate(l->nn, mdm_layer_linear(l, x, prefix, "linear_1", out, true), MDM_SILU);
    return mdm_layer_linear(l, x, prefix, "linear_2", out, true);
}

mdm_status mdm_block_set_time(mdm_nn *nn, float time)
{
    const size_t width = mdm_nn_count(nn, "time");
    float *wave = NULL;
    MDM_TRY(mdm_alloc(&wave, width, sizeof *wave, "time"));
    mdm_block_waves(wave, (int)width, (double)time);
    mdm_status status = mdm_nn_set(nn, "time", wave, width);
    mdm_free(&wave);
    return status;
}
