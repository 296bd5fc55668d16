/* The sizes of text-to-image networks from the config.json files of a diffusers folder. What a file says must be what our
 * networks do: a field that asks for something else is an error that names it. */
#ifndef MDM_MODELS_DIFFUSION_CONFIG_H
#define MDM_MODELS_DIFFUSION_CONFIG_H

#include "models/clip_text.h"
#include "models/diffusion_sampler.h"
#include "models/unet.h"
#include "models/vae.h"

/* Each reads one file; MDM_ERR_INPUT names file, field, what it says and what was expected. */
mdm_status mdm_config_clip_text(mdm_clip_text_sizes *out, const char *path);
mdm_status mdm_config_unet(mdm_unet_sizes *out, const char *path);
mdm_status mdm_config_vae(mdm_vae_sizes *out, const char *path);

/* The sampler that a scheduler_config.json is of; DDIM where it is of one we do not have (PNDM, SD 1.5's own). */
mdm_status mdm_config_sampler(mdm_sampler_kind *out, const char *path);
/* The noise schedule in it as sampler `kind` takes it: what the file leaves out has that sampler's own default. */
mdm_status mdm_config_schedule(mdm_noise_schedule *out, mdm_sampler_kind kind, const char *path);

#endif
