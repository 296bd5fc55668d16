/* models/catalog.json: downloadable models with their checksums, licences and users. */
#ifndef MDM_PIPELINE_CATALOG_H
#define MDM_PIPELINE_CATALOG_H

#include <jansson.h>

#include "pipeline/job.h"

typedef struct mdm_catalog {
    json_t *root, *files; /* files is borrowed from root */
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
} mdm_catalog;

mdm_status mdm_catalog_load(mdm_catalog *out, const mdm_settings *settings);
void mdm_catalog_free(mdm_catalog *catalog);

/* Where a file of the catalogue lies or would lie. Caller frees. */
mdm_status mdm_catalog_path(char **out, const mdm_catalog *catalog, const json_t *file);

#endif
