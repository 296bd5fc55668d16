/* Fuzz target: the config.json files of text-to-picture networks; each input goes through all readers. */
#include "fuzz.h"

#include "models/diffusion_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size, "config.json");
    mdm_clip_text_sizes text;
    mdm_unet_sizes unet;
    mdm_vae_sizes vae;
    mdm_noise_schedule schedule;
    mdm_sampler_kind kind = MDM_SAMPLER_EULER;
    (void)mdm_config_clip_text(&text, path);
    (void)mdm_config_unet(&unet, path);
    (void)mdm_config_vae(&vae, path);
    (void)mdm_config_sampler(&kind, path);
    if (mdm_config_schedule(&schedule, kind, path) == MDM_OK) {
        mdm_sampler *sampler = NULL;
        (void)mdm_sampler_new(&sampler, kind, &schedule, 10);
        mdm_sampler_free(&sampler);
    }
    return 0;
}
