/* The blocks that diffusion's U-nets and picture autoencoders are drawn with: residual block, transformer over a picture's
 * positions, half and double size. Source: Rombach et al., 2022; names of weights as in diffusers. */
#ifndef MDM_MODELS_UNET_BLOCKS_H
#define MDM_MODELS_UNET_BLOCKS_H

#include "models/layers.h"

/* x [N,C,H,W], time [1,T] (through SiLU already) or NULL -> [N,out,H,W]. Norm, SiLU, convolution; the time is added; norm, SiLU,
 * convolution; x is added, through a 1x1 convolution where out != C. */
mdm_node *mdm_block_residual(const mdm_layers *l, mdm_node *x, mdm_node *time, const char *prefix, int out, int groups,
                             float epsilon);

/* What a transformer over a picture's positions is sized by. */
typedef struct mdm_block_transformer {
    int depth, heads, groups;
} mdm_block_transformer;

/* x [N,C,H,W], context [N,L,D] -> x's shape. Norm, a linear map, `depth` times (self-attention, attention to the context,
 * GEGLU), a linear map; x is added. */
mdm_node *mdm_block_spatial_transformer(const mdm_layers *l, mdm_node *x, mdm_node *context, const char *prefix,
                                        const mdm_block_transformer *t);

/* One attention: queries of x [N,L,C], keys and values of `from` [N,M,D] -> [N,L,C]. bias: q, k and v have one too. */
mdm_node *mdm_block_attention(const mdm_layers *l, mdm_node *x, mdm_node *from, const char *prefix, int heads,
                              bool bias);

/* x [N,L,C] -> x's shape: norm (named `norm`), a linear map to 8C, GEGLU, a linear map back to C; x is added. */
mdm_node *mdm_block_feed_forward(const mdm_layers *l, mdm_node *x, const char *prefix, const char *norm, float epsilon);

/* [N,C,H,W] -> [N,C,2H,2W]: nearest pixels, then a convolution */
mdm_node *mdm_block_double(const mdm_layers *l, mdm_node *x, const char *prefix);

/* [N,C,H,W] <-> [N,H*W,C] */
mdm_node *mdm_block_to_sequence(mdm_nn *nn, mdm_node *x);
mdm_node *mdm_block_to_picture(mdm_nn *nn, mdm_node *x, int64_t height, int64_t width);

/* Cosines, then sines, of `value` at `count` / 2 frequencies from 1 down to nearly 1/10000. */
void mdm_block_waves(float *out, int count, double value);

/* The two layers that make an embedding of waves: x [N,W] -> [N,out] */
mdm_node *mdm_block_embed(const mdm_layers *l, mdm_node *x, const char *prefix, int out);

/* Sets the input "time" of a built network to the waves of `time`. */
mdm_status mdm_block_set_time(mdm_nn *nn, float time);

#endif
