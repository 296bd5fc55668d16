/* Stable Diffusion's autoencoder: pictures to latents an eighth their size and back. Computed in f32 throughout, so that large
 * values never become infinite (the published weights overflow fp16: black pictures). Source: Rombach et al., 2022; names of
 * weights as in diffusers' AutoencoderKL. */
#ifndef MDM_MODELS_VAE_H
#define MDM_MODELS_VAE_H

#include "base/log.h"
#include "nn/nn.h"
#include "nn/weights.h"

#define MDM_VAE_LEVELS 4 /* at most */

typedef struct mdm_vae_sizes {
    int latent; /* channels */
    int levels; /* each but the first halves the picture: 8 pixels a latent pixel with 4 of them */
    int channels[MDM_VAE_LEVELS];
    int residuals; /* residual blocks a level when encoding, one more when decoding */
    int groups;
    float scale; /* the diffusion's latents are the autoencoder's times this */
} mdm_vae_sizes;

extern const mdm_vae_sizes mdm_vae_sd15; /* 83,653,863 parameters */
extern const mdm_vae_sizes mdm_vae_sdxl; /* the same but for its scale */

typedef struct mdm_vae mdm_vae;

typedef enum mdm_vae_direction { MDM_VAE_DECODER, MDM_VAE_ENCODER } mdm_vae_direction;

/* One half of the autoencoder for latents of height x width. It also takes larger ones, in tiles of this size that share at
 * least `overlap` latent pixels and fade into one another there. `weights` may be freed afterwards. Of F16, a GPU multiplies in
 * f16 (SD 1.5's stays within its range, SDXL's does not); a CPU computes in f32. */
mdm_status mdm_vae_new(mdm_vae **out, const mdm_vae_sizes *sizes, mdm_weights *weights, mdm_vae_direction direction,
                       mdm_store store, int height, int width, int overlap, int threads);
void mdm_vae_free(mdm_vae **vae);

int mdm_vae_factor(const mdm_vae *vae); /* pixels in a latent pixel, each way */

/* picture [3][F height][F width], about -1..1 and not clipped, from latent [latent][height][width] of the diffusion; F is
 * mdm_vae_factor. `progress` counts tiles and may cancel. */
mdm_status mdm_vae_decode(mdm_vae *vae, float *picture, const float *latent, int height, int width,
                          const mdm_progress *progress);
/* The mean and standard deviation [2 * latent][height][width] of the latents that stand for `picture`. */
mdm_status mdm_vae_encode(mdm_vae *vae, float *moments, const float *picture, int height, int width,
                          const mdm_progress *progress);

#endif
