/* A quick look at a latent without the decoder: a colour for each latent pixel, by a linear map that is read off the decoder once. */
#ifndef MDM_MODELS_LATENT_PREVIEW_H
#define MDM_MODELS_LATENT_PREVIEW_H

#include "media/image.h"
#include "models/vae.h"

#define MDM_PREVIEW_CHANNELS 16 /* of a latent, at most */

typedef struct mdm_latent_preview {
    int channels;
    float base[3]; /* red, green, blue of a latent of zeros, about -1..1 */
    float slope[MDM_PREVIEW_CHANNELS][3];
} mdm_latent_preview;

/* Decodes a chart of flat patches, one for each channel at 1 and one at -1: half of what lies between their colours is the channel's
 * slope, the mean of all is the base. `weights` may be freed afterwards. MDM_ERR_INPUT: the latent has more channels. */
mdm_status mdm_latent_preview_read(mdm_latent_preview *out, const mdm_vae_sizes *sizes, mdm_weights *weights,
                                   int threads);

/* out [height][width] 8-bit RGB (mdm_image_free): a pixel for each of latent [channels][height][width]. */
mdm_status mdm_latent_preview_draw(mdm_image *out, const mdm_latent_preview *preview, const float *latent, int height,
                                   int width);

#endif
