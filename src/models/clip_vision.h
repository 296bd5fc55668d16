/* The picture side of CLIP as language models are shown pictures: the features of its patches before the last blocks, without the
 * class token. Source: Radford et al., 2021; names of weights as in transformers' CLIPVisionModel. */
#ifndef MDM_MODELS_CLIP_VISION_H
#define MDM_MODELS_CLIP_VISION_H

#include "models/layers.h"

typedef struct mdm_clip_vision_sizes {
    int layers;       /* blocks the checkpoint has */
    int taken;        /* blocks whose output is taken: layers - 1 for the penultimate layer (transformers' "-2") */
    int width, heads; /* of a patch's vector, and of attention */
    int hidden;       /* of the two-layer network in each block */
    int side, patch;  /* px of a picture and of a patch, each way */
    mdm_activation activation;
    float epsilon;
} mdm_clip_vision_sizes;

extern const mdm_clip_vision_sizes mdm_clip_vision_l_336; /* ViT-L/14 at 336 px: 303,507,456 parameters */

/* Patches of a picture along one side. */
int mdm_clip_vision_grid(const mdm_clip_vision_sizes *sizes);

/* pixels [N,3,side,side], normalised -> [N, grid * grid, width], rows from the top, left to right. Weights are PREFIX
 * "embeddings.class_embedding" and so on, of the first `taken` blocks. A NULL input gives NULL, as in nn.h. */
mdm_node *mdm_clip_vision_features(const mdm_layers *l, mdm_node *pixels, const mdm_clip_vision_sizes *sizes,
                                   const char *prefix);

#endif
