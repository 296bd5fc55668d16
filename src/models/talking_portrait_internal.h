/* What the files of the talking portrait share: folder, sizes, and the parts that are in memory. */
#ifndef MDM_MODELS_TALKING_PORTRAIT_INTERNAL_H
#define MDM_MODELS_TALKING_PORTRAIT_INTERNAL_H

#include "models/echomimic.h"
#include "models/talking_portrait.h"
#include "models/vae.h"
#include "models/voice_tokens.h"
#include "models/window_sampler.h"

struct mdm_talking {
    const mdm_talking_recipe *recipe;
    mdm_store store;
    int threads;
    char *folder;
    mdm_echomimic_sizes sizes;
    mdm_whisper_encoder_sizes whisper;
    mdm_vae_sizes vae;

    int trained; /* side of pictures, px */

    int side; /* of the latent; 0 before the portrait was looked at */
    mdm_echomimic_bank bank;
    mdm_heard_voice *voice;
    mdm_window_sampler *sampler;
    int frames; /* of the clip in it */
    mdm_vae *decoder;
};

/* Files of the folder, by what they are of. */
typedef enum mdm_talking_part {
    MDM_TALKING_DENOISING,
    MDM_TALKING_MOTION,
    MDM_TALKING_REFERENCE,
    MDM_TALKING_LOCATOR,
    MDM_TALKING_WHISPER,
    MDM_TALKING_VAE,
    MDM_TALKING_PARTS
} mdm_talking_part;

/* Fills the sizes, and looks for every file. */
mdm_status mdm_talking_find(mdm_talking *talking);
mdm_status mdm_talking_weights(mdm_weights **out, const mdm_talking *talking, mdm_talking_part part);

#endif
