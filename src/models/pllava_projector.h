/* From CLIP's features of a clip's frames to the vectors a language model reads: PLLaVA's projector with its pooling over time and
 * space. Source: Xu et al., 2024 (arXiv 2404.16994). */
#ifndef MDM_MODELS_PLLAVA_PROJECTOR_H
#define MDM_MODELS_PLLAVA_PROJECTOR_H

#include "models/layers.h"

typedef struct mdm_pllava_projector_sizes {
    int frames, grid; /* of the features: frames of grid x grid patches */
    int pooled[3];    /* frames, rows and columns after pooling */
    int width;        /* of the language model */
} mdm_pllava_projector_sizes;

/* Tokens of a clip: pooled[0] * pooled[1] * pooled[2]. */
int mdm_pllava_tokens(const mdm_pllava_projector_sizes *sizes);

/* features [frames, grid * grid, C] -> [tokens, width], frame by frame, row by row. Weights are PREFIX "linear_1" and "linear_2".
 * Pooling is adaptive: bin i of `out` over `in` is the mean of floor(i in / out) to ceil((i + 1) in / out). It is done before the second
 * linear layer, which gives the same as after it (both are linear, and a mean's weights sum to 1) for a quarter of the work. */
mdm_node *mdm_pllava_project(const mdm_layers *l, mdm_node *features, const mdm_pllava_projector_sizes *sizes,
                             const char *prefix);

#endif
