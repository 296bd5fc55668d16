/* The table of published PLLaVAs. */
#include "models/pllava_models.h"

#include <string.h>

#include "models/hub_cache.h"

#define LLAMA "none stated by the authors; made of Vicuna (Llama 2 community licence) and CLIP (MIT)"
#define YI    "none stated by the authors; made of Nous-Hermes-2-Yi-34B (Apache-2.0) and CLIP (MIT)"

static const mdm_pllava_model table[] = {
    {"pllava-7b", "ermu2001/pllava-7b", LLAMA, 14.3},
    {"pllava-13b", "ermu2001/pllava-13b", LLAMA, 27.0},
    {"pllava-34b", "ermu2001/pllava-34b", YI, 69.9},
};

const mdm_pllava_model *mdm_pllava_models(int *count)
{
    *count = (int)(sizeof table / sizeof *table);
    return table;
}

const mdm_pllava_model *mdm_pllava_model_named(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

mdm_status mdm_pllava_model_folder(char **out)
{
    const mdm_pllava_model *m = &table[0];
    if (mdm_hub_snapshot(out, m->repository) == MDM_OK)
        return MDM_OK;
    return mdm_fail(
        MDM_ERR_DEVICE,
        "%s needs %s, which is not in the hub's cache. `mmdm models pull %s` gets it: %.1f GB, licence: %s. "
        "A folder, or a pair made of one by `mmdm models convert`, may be given: --model",
        m->name, m->repository, m->name, m->gigabytes, m->licence);
}
