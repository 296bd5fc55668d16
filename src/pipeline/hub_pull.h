/* Downloading repositories from the Hugging Face Hub into its cache (models/hub_cache.h). */
#ifndef MDM_PIPELINE_HUB_PULL_H
#define MDM_PIPELINE_HUB_PULL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

/* Part of a repository: FOLDER/NAME ("" for the top folder), where NAME is a file, or with `weights` the beginning of one: then the
 * first there is of NAME.safetensors, one split over several files, NAME.bin. `optional`: may be missing. */
typedef struct mdm_hub_file {
    const char *folder, *name;
    bool weights, optional;
} mdm_hub_file;

typedef struct mdm_hub_settings {
    int tries;                    /* of one file, each going on where the last one stopped */
    int stall_seconds;            /* without a byte, after which a try is given up */
    unsigned pause;               /* s before the second try; twice as long before each one after it */
    const mdm_progress *progress; /* bytes of all files; may cancel */
} mdm_hub_settings;

mdm_hub_settings mdm_hub_settings_default(void); /* 6 tries, 30 s, 1 s */

/* Downloads `files` of "main" of the repository into the cache, from HF_ENDPOINT with HF_TOKEN (or the token file of the hub's own
 * tools). What is there already stays; what was begun is gone on with; every file is compared with the size and checksum of the
 * repository's list before it gets its name. MDM_ERR_AGAIN: the network failed (go on later); MDM_ERR_INPUT: what came is not what
 * the list says; MDM_ERR_CONFIG: not allowed (token, licence). The token goes to the endpoint's host only, and into no message. */
mdm_status mdm_hub_pull(const char *repository, const mdm_hub_file *files, size_t count,
                        const mdm_hub_settings *settings);

#endif
