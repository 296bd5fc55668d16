/* What the engines that start processes on many machines need: text, made from the manifest of a planned job. */
#ifndef MDM_PIPELINE_SUBMIT_H
#define MDM_PIPELINE_SUBMIT_H

#include "base/memory.h"
#include "base/settings.h"

/* Appends the batch script, manifest or program for "slurm", "k8s" or "ray". */
mdm_status mdm_submit(mdm_buffer *out, const mdm_settings *settings, const char *engine);

#endif
