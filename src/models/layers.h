/* Layers that find their own weights: PREFIX NAME ".weight" and ".bias", in the shapes the input asks for. What CLIP, U-net and
 * VAE (and whatever else has a published checkpoint) are written in. */
#ifndef MDM_MODELS_LAYERS_H
#define MDM_MODELS_LAYERS_H

#include "nn/nn.h"
#include "nn/weights.h"

/* Where a network is being described. A weight that is missing or has another shape is recorded in `nn` with file, tensor and
 * both shapes (nn.h says how errors travel); a NULL input gives NULL. */
typedef struct mdm_layers {
    mdm_nn *nn;
    mdm_weights *weights;
    mdm_store store; /* of matrices; vectors are kept as f32, kernels as mdm_nn_kernel_store says */
} mdm_layers;

#define MDM_LAYER_NAME 192 /* longest name of a weight, with its prefix */

/* The tensor PREFIX NAME itself. */
mdm_node *mdm_layer_tensor(const mdm_layers *l, const char *prefix, const char *name, mdm_store store, int rank,
                           const int64_t *shape);

/* x [..,C] -> [..,out] */
mdm_node *mdm_layer_linear(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int out, bool bias);
/* x [N,C,H,W] -> [N,out,H/stride,W/stride]; a kernel of side 1 or 3, zeros around */
mdm_node *mdm_layer_conv(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int out, int side,
                         int stride);
/* x [..,C] */
mdm_node *mdm_layer_norm(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, float epsilon);
/* x [N,C,H,W] */
mdm_node *mdm_layer_group_norm(const mdm_layers *l, mdm_node *x, const char *prefix, const char *name, int groups,
                               float epsilon);

/* The last step of building: mdm_nn_build, and nothing of `weights` that begins with `prefix` may be left over. */
mdm_status mdm_layers_build(const mdm_layers *l, const char *prefix);

#endif
