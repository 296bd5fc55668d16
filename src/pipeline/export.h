/* Exports for the public interface and for jobs: which folder is meant, and where it goes. */
#ifndef MDM_PIPELINE_EXPORT_H
#define MDM_PIPELINE_EXPORT_H

#include "dataset/export.h"

/* `folder`: OUT or OUT/dataset; goes to settings->output. */
mdm_status mdm_export_folder(size_t *left_out, const mdm_settings *settings, const char *folder, mdm_export_tell tell,
                             void *user);
/* The same of a dataset's own folder, to `to`. The split it was packed with is kept. */
mdm_status mdm_export_folder_to(size_t *left_out, const mdm_settings *settings, const char *dataset, const char *to,
                                mdm_export_tell tell, void *user);

#endif
