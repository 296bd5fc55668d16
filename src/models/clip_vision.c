/* CLIP's vision transformer: patches by a convolution, the class token before them, positions, a norm, blocks. */
#include "models/clip_vision.h"

#include <stdio.h>

#include "base/memory.h"

const mdm_clip_vision_sizes mdm_clip_vision_l_336 = {
    .layers = 24,
    .taken = 23,
    .width = 1024,
    .heads = 16,
    .hidden = 4096,
    .side = 336,
    .patch = 14,
    .activation = MDM_GELU_QUICK,
    .epsilon = 1e-5f,
};

int mdm_clip_vision_grid(const mdm_clip_vision_sizes *sizes)
{
    return sizes->side / sizes->patch;
}

/* [N,3,side,side] -> [N,patches,width] */
static mdm_node *patches(const mdm_layers *l, mdm_node *pixels, const mdm_clip_vision_sizes *s, const char *prefix)
{
    const int64_t kernel[4] = {s->width, 3, s->patch, s->patch};
    const int grid = mdm_clip_vision_grid(s);
    mdm_node *w = mdm_layer_tensor(l, prefix, "embeddings.patch_embedding.weight", mdm_nn_kernel_store(l->nn, l->store),
                                   4, kernel);
    if (!pixels || !w)
        return NULL;
    const int64_t n = mdm_nn_dim(pixels, 3);
    mdm_node *x = mdm_nn_conv2d(l->nn, pixels, w, NULL, &(mdm_conv){.stride = {s->patch, s->patch}});
    x = mdm_nn_reshape(l->nn, x, 4, (int64_t[]){1, n, s->width, grid * grid});
    x = mdm_nn_permute(l->nn, x, (const int[]){0, 1, 3, 2});
    return mdm_nn_reshape(l->nn, x, 3, (int64_t[]){n, grid * grid, s->width});
}

/* The class token of each of n pictures: [n,1,width]. */
static mdm_node *class_tokens(const mdm_layers *l, int64_t n, const mdm_clip_vision_sizes *s, const char *prefix)
{
    const int64_t shape[3] = {n, 1, s->width};
    float *zeros = NULL;
    mdm_node *one = mdm_layer_tensor(l, prefix, "embeddings.class_embedding", MDM_STORE_F32, 1, &shape[2]);
    if (!one || mdm_alloc(&zeros, (size_t)(n * s->width), sizeof *zeros, "class tokens"))
        return NULL;
    mdm_node *all = mdm_nn_constant(l->nn, "class tokens", zeros, MDM_STORE_F32, 3, shape);
    mdm_free(&zeros);
    return mdm_nn_add(l->nn, all, mdm_nn_reshape(l->nn, one, 3, (int64_t[]){1, 1, s->width}));
}

/* x [N,L,C] */
static mdm_node *block(const mdm_layers *l, mdm_node *x, const mdm_clip_vision_sizes *s, const char *prefix, int index)
{
    char p[MDM_LAYER_NAME];
    mdm_nn *nn = l->nn;
    snprintf(p, sizeof p, "%sencoder.layers.%d.", prefix, index);
    mdm_node *h = mdm_layer_norm(l, x, p, "layer_norm1", s->epsilon);
    mdm_node *q = mdm_layer_linear(l, h, p, "self_attn.q_proj", s->width, true);
    mdm_node *k = mdm_layer_linear(l, h, p, "self_attn.k_proj", s->width, true);
    mdm_node *v = mdm_layer_linear(l, h, p, "self_attn.v_proj", s->width, true);
    h = mdm_nn_attention(nn, q, k, v, s->heads, 0);
    x = mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "self_attn.out_proj", s->width, true));

    h = mdm_layer_norm(l, x, p, "layer_norm2", s->epsilon);
    h = mdm_nn_activate(nn, mdm_layer_linear(l, h, p, "mlp.fc1", s->hidden, true), s->activation);
    return mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "mlp.fc2", s->width, true));
}

mdm_node *mdm_clip_vision_features(const mdm_layers *l, mdm_node *pixels, const mdm_clip_vision_sizes *s,
                                   const char *prefix)
{
    mdm_nn *nn = l->nn;
    const int64_t count = mdm_clip_vision_grid(s) * mdm_clip_vision_grid(s);
    mdm_node *x = patches(l, pixels, s, prefix);
    if (!x)
        return NULL;
    x = mdm_nn_concat(nn, class_tokens(l, mdm_nn_dim(x, 2), s, prefix), x, 1);
    mdm_node *place = mdm_layer_tensor(l, prefix, "embeddings.position_embedding.weight", MDM_STORE_F32, 2,
                                       (int64_t[]){count + 1, s->width});
    x = mdm_nn_add(nn, x, mdm_nn_reshape(nn, place, 3, (int64_t[]){1, count + 1, s->width}));
    x = mdm_layer_norm(l, x, prefix, "pre_layrnorm", s->epsilon); /* so it is spelled in every checkpoint */
    for (int i = 0; i < s->taken; i++)
        x = block(l, x, s, prefix, i);
    return mdm_nn_slice(nn, x, 1, 1, count + 1);
}
