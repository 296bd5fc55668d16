/* Finding the dataset that is meant, and the folder it goes to (export.h). */
#include "pipeline/export.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"

/* OUT has the dataset in it; else the folder is taken for the dataset itself. */
static mdm_status find_dataset(char **out, const char *folder)
{
    char *card;
    MDM_TRY(mdm_join_path(out, folder, "dataset"));
    mdm_status status = mdm_join_path(&card, *out, "README.md");
    if (status == MDM_OK && !mdm_file_exists(card)) {
        mdm_free(out);
        status = mdm_strdup(out, folder);
    }
    mdm_free(&card);
    return status;
}

mdm_status mdm_export_folder(size_t *left_out, const mdm_settings *settings, const char *folder, mdm_export_tell tell,
                             void *user)
{
    char *dataset, *to = NULL;
    *left_out = 0;
    if (!settings->output[0])
        return mdm_fail(MDM_ERR_USAGE, "--output is missing: the folder the export goes to");
    MDM_TRY(find_dataset(&dataset, folder));
    mdm_status status = mdm_strdup(&to, settings->output);
    for (size_t n = to ? strlen(to) : 0; n > 1 && to[n - 1] == '/'; n--)
        to[n - 1] = '\0'; /* a temporary name stands beside it, not in it */
    if (status == MDM_OK)
        status = mdm_export_dataset(left_out, settings, dataset, to, tell, user);
    mdm_free(&to);
    mdm_free(&dataset);
    return status;
}

mdm_status mdm_export_folder_to(size_t *left_out, const mdm_settings *settings, const char *dataset, const char *to,
                                mdm_export_tell tell, void *user)
{
    mdm_settings own = *settings;
    own.exporting.split[0] = '\0';
    own.exporting.stride = 1;
    return mdm_export_dataset(left_out, &own, dataset, to, tell, user);
}
