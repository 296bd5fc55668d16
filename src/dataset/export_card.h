/* README.md of exports that Hugging Face reads. */
#ifndef MDM_DATASET_EXPORT_CARD_H
#define MDM_DATASET_EXPORT_CARD_H

#include "dataset/export.h"

/* The dataset's card with other `configs:` in its head; `configs` is YAML, indented by nothing. */
mdm_status mdm_export_card(const mdm_export *e, const char *configs);

#endif
