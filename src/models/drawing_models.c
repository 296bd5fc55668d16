/* The table of published text-to-picture models. */
#include "models/drawing_models.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/hub_cache.h"

static const mdm_drawing_model table[] = {
    {
        .name = "cosmicman-sdxl",
        .base = "stabilityai/stable-diffusion-xl-base-1.0",
        .unet = "cosmicman/CosmicMan-SDXL",
        .licence = "CreativeML Open RAIL++-M (base); see the repository's page for CosmicMan's weights",
        .gigabytes = 13.9,
        .two_encoders = true,
        .side = 1024,
        .sampler = MDM_SAMPLER_EULER,
        .steps = 30,
        .guidance = 7.5f,
        .second_steps = 50,
        .second_guidance = 5,
    },
    {
        .name = "cosmicman-sd",
        .base = "stable-diffusion-v1-5/stable-diffusion-v1-5",
        .unet = "cosmicman/CosmicMan-SD",
        .licence = "CreativeML Open RAIL-M (base); see the repository's page for CosmicMan's weights",
        .gigabytes = 4.3,
        .side = 768,
        .sampler = MDM_SAMPLER_DDIM,
        .steps = 50,
        .guidance = 7.5f,
        .second_steps = 50,
        .second_guidance = 5,
    },
};

const mdm_drawing_model *mdm_drawing_models(int *count)
{
    *count = (int)(sizeof table / sizeof *table);
    return table;
}

mdm_status mdm_drawing_model_find(const mdm_drawing_model **out, const char *name)
{
    char names[128] = "";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t used = strlen(names);
        if (!strcmp(table[i].name, name)) {
            *out = &table[i];
            return MDM_OK;
        }
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", table[i].name);
    }
    return mdm_fail(MDM_ERR_USAGE, "--backend %s: expected one of %s", name, names);
}

mdm_status mdm_drawing_model_folder(char **out, const mdm_drawing_model *model, const char *repository)
{
    if (mdm_hub_snapshot(out, repository) == MDM_OK)
        return MDM_OK;
    return mdm_fail(
        MDM_ERR_DEVICE,
        "%s needs %s, which is not in the hub's cache. `mmdm models pull %s` gets it and what belongs to it: %.1f GB, "
        "licence %s. For `mmdm portrait` folders may be given: --model for %s, --unet for %s",
        model->name, repository, model->name, model->gigabytes, model->licence, model->base, model->unet);
}

mdm_status mdm_drawing_model_open(mdm_text_to_image **out, const mdm_drawing_model *model, mdm_store store, int threads)
{
    char *base = NULL, *unet = NULL;
    *out = NULL;
    mdm_status status = mdm_drawing_model_folder(&base, model, model->base);
    if (!status && model->unet)
        status = mdm_drawing_model_folder(&unet, model, model->unet);
    if (!status)
        status = mdm_text_to_image_open(
            out, &(mdm_text_to_image_options){.base = base, .unet = unet, .store = store, .threads = threads});
    mdm_free(&base);
    mdm_free(&unet);
    return status;
}
