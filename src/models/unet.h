/* The conditional U-net of Stable Diffusion: noise in a latent picture, guided by the states of a text. SD 1.5, SDXL and SDXL's
 * refiner differ by their table only. Source: Rombach et al., 2022, Podell et al., 2023; names of weights as in diffusers'
 * UNet2DConditionModel. */
#ifndef MDM_MODELS_UNET_H
#define MDM_MODELS_UNET_H

#include "nn/nn.h"
#include "nn/weights.h"

#define MDM_UNET_LEVELS 4 /* at most */

/* The first level is the largest picture, each one after it half as wide. */
typedef struct mdm_unet_sizes {
    int in, out; /* channels of the latent */
    int levels;
    int channels[MDM_UNET_LEVELS];
    int depth[MDM_UNET_LEVELS]; /* transformer blocks after each residual block; 0: none */
    int heads[MDM_UNET_LEVELS];
    int middle_depth; /* of the transformer at the bottom, with the last level's heads */
    int residuals;    /* residual blocks a level on the way down; one more on the way up */
    int context;      /* width of the text's states */
    int groups;       /* of every group norm */
    float epsilon;    /* of the residual blocks' */
    int added;        /* width of the vector added to the time (mdm_unet_added); 0: none */
    int added_time;   /* width of the waves of one number in it */
} mdm_unet_sizes;

extern const mdm_unet_sizes mdm_unet_sd15;    /*   859,520,964 parameters */
extern const mdm_unet_sizes mdm_unet_sdxl;    /* 2,567,463,684 */
extern const mdm_unet_sizes mdm_unet_refiner; /* 2,259,526,660 */

typedef struct mdm_unet mdm_unet;

/* What one graph is built for: the latent's size in its own pixels, a multiple of 2^(levels - 1), and the text's tokens. */
typedef struct mdm_unet_shape {
    int height, width, tokens;
    int texts; /* asked about at once, 0 counts as 1; guidance asks about 2, which a GPU answers faster than one after the other */
} mdm_unet_shape;

/* Takes every tensor of `weights`, which may be freed afterwards. */
mdm_status mdm_unet_new(mdm_unet **out, const mdm_unet_sizes *sizes, mdm_weights *weights, mdm_store store,
                        const mdm_unet_shape *shape, int threads);
void mdm_unet_free(mdm_unet **unet);

/* noise [texts][out][H][W] from latent [in][H][W] at `time` (0..999, may be a fraction), context [texts][tokens][context], added
 * [texts][added] or NULL where there is none. */
mdm_status mdm_unet_run(mdm_unet *unet, float *noise, const float *latent, float time, const float *context,
                        const float *added);

/* The added vector: the pooled text, then waves of each of `count` numbers (SDXL: original height and width, crop's top and
 * left, target height and width; the refiner: the first four and an aesthetic score). MDM_ERR_INPUT when that is not
 * sizes->added wide. */
mdm_status mdm_unet_added(float *added, const mdm_unet_sizes *sizes, const float *pooled, int pooled_width,
                          const float *numbers, int count);

#endif
