/* Layers that find their own weights. */
#include "models/layers.h"

#include <stdio.h>

mdm_node *mdm_layer_tensor(const mdm_layers *l, const char *prefix, const char *name, mdm_store store, int rank,
                           const int64_t *shape)
{
    char full[MDM_LAYER_NAME];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const mdm_array *array = mdm_weights_take(l->weights, full);
    if (!array)
        return mdm_nn_fail(l->nn, MDM_ERR_INPUT, "no tensor \"%s\"; the file is not complete, or of another network",
                           full);
    return mdm_nn_array(l->nn, array, store, rank, shape);
}

static mdm_node *vector(const mdm_layers *l, const char *prefix, const char *name, const char *end, int64_t count)
{
    char full[MDM_LAYER_NAME];
    snprintf(full, sizeof full, "%s%s", name, end);
    return mdm_layer_tensor(l, prefix, full, MDM_STORE_F32, 1, &count);
}

mdm_node *mdm_layer_linear(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int out, bool bias)
{
    char full[MDM_LAYER_NAME];
    if (!x)
        return NULL;
    snprintf(full, sizeof full, "%s.weight", name);
    mdm_node *w = mdm_layer_tensor(l, prefix, full, l->store, 2, (int64_t[]){out, mdm_nn_dim(x, 0)});
    return mdm_nn_linear(l->nn, x, w, bias ? vector(l, prefix, name, ".bias", out) : NULL);
}

mdm_node *mdm_layer_conv(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int out, int side,
                         int stride)
{
    char full[MDM_LAYER_NAME];
    const int pad = side / 2;
    if (!x)
        return NULL;
    snprintf(full, sizeof full, "%s.weight", name);
    const mdm_store store = mdm_nn_kernel_store(l->nn, l->store);
    mdm_node *w = mdm_layer_tensor(l, prefix, full, store, 4, (int64_t[]){out, mdm_nn_dim(x, 2), side, side});
    const mdm_conv conv = {.stride = {stride, stride}, .pad = {pad, pad, pad, pad}};
    return mdm_nn_conv2d(l->nn, x, w, vector(l, prefix, name, ".bias", out), &conv);
}

mdm_node *mdm_layer_norm(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, float epsilon)
{
    if (!x)
        return NULL;
    const int64_t count = mdm_nn_dim(x, 0);
    mdm_node *gain = vector(l, prefix, name, ".weight", count), *shift = vector(l, prefix, name, ".bias", count);
    return gain && shift ? mdm_nn_layer_norm(l->nn, x, gain, shift, epsilon) : NULL;
}

mdm_node *mdm_layer_group_norm(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int groups,
                               float epsilon)
{
    if (!x)
        return NULL;
    const int64_t count = mdm_nn_dim(x, 2);
    mdm_node *gain = vector(l, prefix, name, ".weight", count), *shift = vector(l, prefix, name, ".bias", count);
    return gain && shift ? mdm_nn_group_norm(l->nn, x, groups, gain, shift, epsilon) : NULL;
}

mdm_status mdm_layers_build(const mdm_layers *l, const char *prefix)
{
    mdm_status status = mdm_nn_build(l->nn);
    if (status)
        return mdm_fail_context(status, "%s", mdm_weights_path(l->weights));
    return mdm_weights_all_taken(l->weights, prefix);
}
