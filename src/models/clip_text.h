/* The text side of CLIP: what Stable Diffusion reads of a prompt. One network for both encoders, OpenAI's CLIP-L and OpenCLIP's
 * bigG, which differ by a table. Source: Radford et al., 2021; names of weights as in transformers' CLIPTextModel. */
#ifndef MDM_MODELS_CLIP_TEXT_H
#define MDM_MODELS_CLIP_TEXT_H

#include <stdint.h>

#include "nn/nn.h"
#include "nn/weights.h"

typedef struct mdm_clip_text_sizes {
    int layers, width, heads, hidden; /* hidden: of the two-layer network in each block */
    int vocabulary, positions;
    int end_token;  /* at which the pooled vector is taken; 0: the largest number of a text */
    int projection; /* width of the pooled vector's projection; 0: there is none, it is pooled as it is */
    mdm_activation activation;
    float epsilon;
} mdm_clip_text_sizes;

extern const mdm_clip_text_sizes mdm_clip_text_l;     /* 123,060,480 parameters */
extern const mdm_clip_text_sizes mdm_clip_text_big_g; /* 694,659,840 parameters */

typedef struct mdm_clip_text mdm_clip_text;

/* Takes every tensor of `weights`, which must outlive the encoder (token embeddings are read from it). `threads` >= 1. */
mdm_status mdm_clip_text_new(mdm_clip_text **out, const mdm_clip_text_sizes *sizes, mdm_weights *weights,
                             mdm_store store, int threads);
void mdm_clip_text_free(mdm_clip_text **clip);

/* What one text gives; any of them may be NULL. */
typedef struct mdm_clip_text_states {
    float *last;        /* [positions][width]: after the last block and the final norm (what SD 1.5 takes) */
    float *penultimate; /* [positions][width]: before the last block, no norm (what SDXL takes) */
    float *pooled;      /* [projection, or width]: `last` at the end token, projected */
} mdm_clip_text_states;

/* ids [positions] as mdm_clip_tokenizer_encode gives them. The first end token counts. */
mdm_status mdm_clip_text_run(mdm_clip_text *clip, const mdm_clip_text_states *states, const int32_t *ids);

#endif
