/* Takes personal data out of what a model writes about a picture. */
#ifndef MDM_MODELS_CAPTION_SCRUB_H
#define MDM_MODELS_CAPTION_SCRUB_H

#include "base/status.h"
#include "models/name_lists.h"

/* *out = `text` in one line with placeholders ([NAME], [PLATE], ...) for what mdm_personal_find finds, and [TEXT] for what stands in
 * quotation marks: that was read in the picture. *found (may be NULL): how many placeholders. `lists` may be NULL. Caller frees. */
mdm_status mdm_caption_scrub(char **out, int *found, const char *text, const mdm_name_lists *lists);

#endif
