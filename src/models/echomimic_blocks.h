/* The blocks that EchoMimic's U-nets have beside Stable Diffusion's: a transformer that attends to a reference's features and to a
 * voice, and the motion module, which attends from frame to frame. Source: Hu et al., 2024 (reference attention), Guo et al., 2024
 * (motion modules); names of weights as published. */
#ifndef MDM_MODELS_ECHOMIMIC_BLOCKS_H
#define MDM_MODELS_ECHOMIMIC_BLOCKS_H

#include "models/layers.h"

/* Pictures [N,C,H,W] of a window in one batch: N is `frames`, or twice that, where those in front are the unconditional half, which
 * sees neither reference nor voice. */
typedef struct mdm_block_window {
    int frames, heads, groups;
    mdm_node *audio;  /* [frames,tokens,D], or NULL: no attention to a voice, and no weights for it */
    float audio_gain; /* what is attended of the voice is multiplied by that */
    bool guided;      /* N is twice `frames` */
} mdm_block_window;

/* Keys and values [1,M,C] of a reference's features: the same in every picture and at every time, so they are made once. */
typedef struct mdm_block_reference {
    mdm_node *key, *value;
} mdm_block_reference;

/* Of the features `seen` [1,M,C] by the transformer `prefix`. */
mdm_block_reference mdm_block_reference_of(const mdm_layers *l, mdm_node *seen, const char *prefix);

/* x [N,C,H,W] -> x's shape. `reference`: keys and values beside each picture's own, or NULL. What the self-attention sees,
 * [N,H*W,C], goes to *seen where that is not NULL. */
mdm_node *mdm_block_reference_transformer(const mdm_layers *l, mdm_node *x, const mdm_block_reference *reference,
                                          const char *prefix, const mdm_block_window *w, mdm_node **seen);

/* x [N,C,H,W] -> x's shape: each pixel attends to itself in all frames of its half, twice. */
mdm_node *mdm_block_motion_module(const mdm_layers *l, mdm_node *x, const char *prefix, const mdm_block_window *w);

#endif
