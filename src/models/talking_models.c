/* The one talking portrait there is. */
#include "models/talking_models.h"

#include "base/memory.h"
#include "models/hub_cache.h"

/* The sizes are those of the files' parameters in f32: four U-nets of 3.40 GB and four times motion modules of 1.82, two reference U-nets of
 * 3.26, the autoencoder's 0.33, and little else. */
const mdm_talking_model mdm_echomimic = {
    .name = "echomimic",
    .repository = "BadToBest/EchoMimic",
    .licence = "Apache-2.0 as its page has it; its U-nets come from Stable Diffusion's (CreativeML Open RAIL-M)",
    .gigabytes = 27.8,
};

mdm_status mdm_talking_model_folder(char **out, const mdm_talking_model *model)
{
    if (mdm_hub_snapshot(out, model->repository) == MDM_OK)
        return MDM_OK;
    return mdm_fail(MDM_ERR_DEVICE,
                    "%s needs %s, which is not in the hub's cache. `mmdm models pull %s` gets it: %.1f GB, licence %s. "
                    "For `mmdm animate` "
                    "a folder with its files may be given: --model",
                    model->name, model->repository, model->name, model->gigabytes, model->licence);
}
