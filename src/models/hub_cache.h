/* The Hugging Face Hub's cache on this machine, in the layout its own tools use: $HF_HUB_CACHE, or $HF_HOME/hub, or
 * ~/.cache/huggingface/hub, with models--OWNER--NAME/refs/main and snapshots/REVISION/. */
#ifndef MDM_MODELS_HUB_CACHE_H
#define MDM_MODELS_HUB_CACHE_H

#include "base/status.h"

/* The cache's folder for a repository "OWNER/NAME". Caller frees. */
mdm_status mdm_hub_folder(char **out, const char *repository);
/* The folder of the snapshot that "main" points to; MDM_ERR_DEVICE when the repository is not in the cache. Caller frees. */
mdm_status mdm_hub_snapshot(char **out, const char *repository);

#endif
