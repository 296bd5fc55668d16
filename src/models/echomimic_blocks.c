/* Reference attention and the motion module. */
#include "models/echomimic_blocks.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "models/unet_blocks.h"

static const float norm_epsilon = 1e-5f, group_epsilon = 1e-6f;

/* ---- reference attention ---- */

/* Behind x, along the axis, where there is an x. */
static mdm_node *append(mdm_nn *nn, mdm_node *x, mdm_node *more, int from_last)
{
    return x ? mdm_nn_concat(nn, x, more, from_last) : more;
}

mdm_block_reference mdm_block_reference_of(const mdm_layers *l, mdm_node *seen, const char *prefix)
{
    char p[MDM_LAYER_NAME];
    const int width = seen ? (int)mdm_nn_dim(seen, 0) : 0;
    snprintf(p, sizeof p, "%stransformer_blocks.0.attn1.", prefix);
    return (mdm_block_reference){mdm_layer_linear(l, seen, p, "to_k", width, false),
                                 mdm_layer_linear(l, seen, p, "to_v", width, false)};
}

/* Pictures [from, to) of x [N,L,C]. */
static mdm_node *pictures_of(mdm_nn *nn, mdm_node *x, int from, int to)
{
    return from || to < mdm_nn_dim(x, 2) ? mdm_nn_slice(nn, x, 2, from, to) : x;
}

/* seen [N,L,C] -> [N,L,C]. On a CPU the pictures go one by one: the scores of a whole window would take gigabytes. */
static mdm_node *self_attention(const mdm_layers *l, mdm_node *seen, const mdm_block_reference *reference,
                                const char *prefix, const mdm_block_window *w)
{
    mdm_nn *nn = l->nn;
    if (!seen)
        return NULL;
    const int width = (int)mdm_nn_dim(seen, 0), pictures = (int)mdm_nn_dim(seen, 2);
    const int alone = w->guided ? w->frames : 0, each = mdm_nn_on_gpu(nn) ? w->frames : 1;
    mdm_node *q = mdm_layer_linear(l, seen, prefix, "to_q", width, false), *out = NULL;
    mdm_node *k = mdm_layer_linear(l, seen, prefix, "to_k", width, false);
    mdm_node *v = mdm_layer_linear(l, seen, prefix, "to_v", width, false);
    for (int i = 0; i < pictures; i += each) {
        mdm_node *ki = pictures_of(nn, k, i, i + each), *vi = pictures_of(nn, v, i, i + each);
        if (reference && i >= alone) {
            ki = mdm_nn_concat(nn, ki, mdm_nn_repeat(nn, reference->key, 2, each), 1);
            vi = mdm_nn_concat(nn, vi, mdm_nn_repeat(nn, reference->value, 2, each), 1);
        }
        out = append(nn, out, mdm_nn_attention(nn, pictures_of(nn, q, i, i + each), ki, vi, w->heads, 0), 2);
    }
    return mdm_layer_linear(l, out, prefix, "to_out.0", width, true);
}

/* x [N,L,C] -> what is added to it. A silent voice gives nothing but the bias of the last map. */
static mdm_node *audio_attention(const mdm_layers *l, mdm_node *x, const char *block, const mdm_block_window *w)
{
    char p[MDM_LAYER_NAME];
    mdm_nn *nn = l->nn;
    mdm_node *silent = NULL;
    const int64_t width = mdm_nn_dim(x, 0), length = mdm_nn_dim(x, 1), frames = w->frames;
    snprintf(p, sizeof p, "%sattn2.", block);
    if (w->guided) {
        mdm_node *bias = mdm_layer_tensor(l, p, "to_out.0.bias", MDM_STORE_F32, 1, &width);
        mdm_node *none = mdm_nn_scale(nn, mdm_nn_slice(nn, x, 2, 0, frames), 0, 0);
        silent = mdm_nn_add(nn, none, mdm_nn_reshape(nn, bias, 3, (int64_t[]){1, 1, width}));
        x = mdm_nn_slice(nn, x, 2, frames, 2 * frames);
    }
    if (!x)
        return NULL;
    mdm_node *h = mdm_layer_norm(l, x, block, "norm2", norm_epsilon);
    h = mdm_block_attention(l, h, w->audio, p, w->heads, false);
    if (silent)
        h = mdm_nn_concat(nn, mdm_nn_reshape(nn, silent, 3, (int64_t[]){frames, length, width}), h, 2);
    return mdm_nn_scale(nn, h, w->audio_gain, 0);
}

mdm_node *mdm_block_reference_transformer(const mdm_layers *l, mdm_node *x, const mdm_block_reference *reference,
                                          const char *prefix, const mdm_block_window *w, mdm_node **seen)
{
    char block[MDM_LAYER_NAME], p[MDM_LAYER_NAME];
    mdm_nn *nn = l->nn;
    if (!x)
        return NULL;
    const int64_t height = mdm_nn_dim(x, 1), width = mdm_nn_dim(x, 0);
    const int channels = (int)mdm_nn_dim(x, 2);
    snprintf(block, sizeof block, "%stransformer_blocks.0.", prefix);
    snprintf(p, sizeof p, "%stransformer_blocks.0.attn1.", prefix);
    mdm_node *h = mdm_block_to_sequence(nn, mdm_layer_group_norm(l, x, prefix, "norm", w->groups, group_epsilon));
    h = mdm_layer_linear(l, h, prefix, "proj_in", channels, true); /* 1x1 convolutions, both */
    mdm_node *normed = mdm_layer_norm(l, h, block, "norm1", norm_epsilon);
    if (seen)
        *seen = normed;
    h = mdm_nn_add(nn, h, self_attention(l, normed, reference, p, w));
    if (w->audio)
        h = mdm_nn_add(nn, h, audio_attention(l, h, block, w));
    h = mdm_block_feed_forward(l, h, block, "norm3", norm_epsilon);
    h = mdm_layer_linear(l, h, prefix, "proj_out", channels, true);
    return mdm_nn_add(nn, x, mdm_block_to_picture(nn, h, height, width));
}

/* ---- the motion module ---- */

/* Sines and cosines in turn of a frame's place in the window, at frequencies from 1 down to nearly 1/10000: [1,frames,width].
 * Published files have the table as well, of any length; it counts as taken and is not read. */
static mdm_node *places(const mdm_layers *l, const char *prefix, int frames, int64_t width)
{
    char name[MDM_LAYER_NAME];
    float *table = NULL;
    snprintf(name, sizeof name, "%spos_encoder.pe", prefix);
    const mdm_array *stored = mdm_weights_take(l->weights, name);
    if (stored && (stored->rank < 1 || stored->shape[stored->rank - 1] != width)) /* GGUF drops extents of 1 in front */
        return mdm_nn_fail(l->nn, MDM_ERR_INPUT, "\"%s\" is no table of places of width %lld", name, (long long)width);
    if (mdm_alloc(&table, (size_t)(frames * width), sizeof *table, "places") != MDM_OK)
        return mdm_nn_fail(l->nn, MDM_ERR_MEMORY, "no memory for the places of frames");
    for (int i = 0; i < frames; i++)
        for (int64_t c = 0; c < width; c++) {
            const double angle = i * exp(-log(10000) * (double)(c - c % 2) / (double)width);
            table[i * width + c] = (float)(c % 2 ? cos(angle) : sin(angle));
        }
    mdm_node *node = mdm_nn_constant(l->nn, name, table, MDM_STORE_F32, 3, (int64_t[]){1, frames, width});
    mdm_free(&table);
    return node;
}

/* [halves * a,b,C] -> [halves * b,a,C] */
static mdm_node *turn(mdm_nn *nn, mdm_node *x, int64_t halves, int64_t a)
{
    const int64_t b = mdm_nn_dim(x, 1), c = mdm_nn_dim(x, 0);
    x = mdm_nn_reshape(nn, x, 4, (int64_t[]){halves, a, b, c});
    return mdm_nn_reshape(nn, mdm_nn_permute(nn, x, (const int[]){0, 2, 1, 3}), 3, (int64_t[]){halves * b, a, c});
}

mdm_node *mdm_block_motion_module(const mdm_layers *l, mdm_node *x, const char *prefix, const mdm_block_window *w)
{
    char root[MDM_LAYER_NAME], block[MDM_LAYER_NAME], p[MDM_LAYER_NAME], norm[16];
    mdm_nn *nn = l->nn;
    if (!x)
        return NULL;
    const int64_t height = mdm_nn_dim(x, 1), width = mdm_nn_dim(x, 0), halves = w->guided ? 2 : 1;
    const int channels = (int)mdm_nn_dim(x, 2);
    snprintf(root, sizeof root, "%stemporal_transformer.", prefix);
    snprintf(block, sizeof block, "%stemporal_transformer.transformer_blocks.0.", prefix);
    mdm_node *h = mdm_block_to_sequence(nn, mdm_layer_group_norm(l, x, root, "norm", w->groups, group_epsilon));
    h = turn(nn, mdm_layer_linear(l, h, root, "proj_in", channels, true), halves, w->frames);
    for (int i = 0; i < 2; i++) {
        snprintf(norm, sizeof norm, "norms.%d", i);
        snprintf(p, sizeof p, "%stemporal_transformer.transformer_blocks.0.attention_blocks.%d.", prefix, i);
        mdm_node *n = mdm_layer_norm(l, h, block, norm, norm_epsilon);
        n = mdm_nn_add(nn, n, places(l, p, w->frames, channels));
        h = mdm_nn_add(nn, h, mdm_block_attention(l, n, n, p, w->heads, false));
    }
    h = mdm_block_feed_forward(l, h, block, "ff_norm", norm_epsilon);
    h = mdm_layer_linear(l, turn(nn, h, halves, height * width), root, "proj_out", channels, true);
    return mdm_nn_add(nn, x, mdm_block_to_picture(nn, h, height, width));
}
