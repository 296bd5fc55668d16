/* Linear, GELU, pooling as a product with a matrix of weights for space and one for time, linear. */
#include "models/pllava_projector.h"

#include "base/memory.h"

int mdm_pllava_tokens(const mdm_pllava_projector_sizes *sizes)
{
    return sizes->pooled[0] * sizes->pooled[1] * sizes->pooled[2];
}

/* What value `from` of `in` counts in bin `to` of `out`. */
static float share(int to, int out, int from, int in)
{
    const int begin = to * in / out, end = ((to + 1) * in + out - 1) / out;
    return from >= begin && from < end ? 1.0f / (float)(end - begin) : 0;
}

/* [rows out * columns out, grid * grid] */
static mdm_node *space_weights(mdm_nn *nn, const mdm_pllava_projector_sizes *s)
{
    const int rows = s->pooled[1], columns = s->pooled[2], grid = s->grid;
    const int64_t shape[2] = {rows * columns, grid * grid};
    float *w = NULL;
    if (mdm_alloc(&w, (size_t)(shape[0] * shape[1]), sizeof *w, "pooling"))
        return NULL;
    for (int64_t i = 0; i < shape[0] * shape[1]; i++) {
        const int to = (int)(i / shape[1]), from = (int)(i % shape[1]);
        w[i] = share(to / columns, rows, from / grid, grid) * share(to % columns, columns, from % grid, grid);
    }
    mdm_node *out = mdm_nn_constant(nn, "pooling over space", w, MDM_STORE_F32, 2, shape);
    mdm_free(&w);
    return out;
}

/* [frames out, frames] */
static mdm_node *time_weights(mdm_nn *nn, const mdm_pllava_projector_sizes *s)
{
    const int64_t shape[2] = {s->pooled[0], s->frames};
    float *w = NULL;
    if (mdm_alloc(&w, (size_t)(shape[0] * shape[1]), sizeof *w, "pooling"))
        return NULL;
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        w[i] = share((int)(i / shape[1]), s->pooled[0], (int)(i % shape[1]), s->frames);
    mdm_node *out = mdm_nn_constant(nn, "pooling over time", w, MDM_STORE_F32, 2, shape);
    mdm_free(&w);
    return out;
}

/* x [A,B,C] with B pooled by weights [b,B] -> [A,b,C] */
static mdm_node *pool_middle(mdm_nn *nn, mdm_node *x, mdm_node *weights)
{
    static const int turned[4] = {0, 1, 3, 2};
    x = mdm_nn_permute(nn, x, turned);
    x = mdm_nn_linear(nn, x, weights, NULL);
    return mdm_nn_permute(nn, x, turned);
}

mdm_node *mdm_pllava_project(const mdm_layers *l, mdm_node *features, const mdm_pllava_projector_sizes *s,
                             const char *prefix)
{
    mdm_nn *nn = l->nn;
    const int64_t bins = s->pooled[1] * s->pooled[2], tokens = mdm_pllava_tokens(s), width = s->width;
    mdm_node *x = mdm_layer_linear(l, features, prefix, "linear_1", s->width, true);
    x = mdm_nn_activate(nn, x, MDM_GELU_ERF);
    x = pool_middle(nn, x, space_weights(nn, s));
    if (s->pooled[0] != s->frames) {
        x = mdm_nn_reshape(nn, x, 3, (int64_t[]){1, s->frames, bins * width});
        x = pool_middle(nn, x, time_weights(nn, s));
    }
    x = mdm_nn_reshape(nn, x, 2, (int64_t[]){tokens, width});
    return mdm_layer_linear(l, x, prefix, "linear_2", s->width, true);
}
