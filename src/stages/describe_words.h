/* The describe backend `pllava`: beside what the embedded networks measured, a caption of the clip and a filled form about each person, and
 * where forms and networks disagree. */
#ifndef MDM_STAGES_DESCRIBE_WORDS_H
#define MDM_STAGES_DESCRIBE_WORDS_H

#include <jansson.h>

#include "face/track_file.h"
#include "media/clip_file.h"
#include "stages/stage.h"

/* Whether --describe asks for it. */
bool mdm_describe_words_wanted(const mdm_settings *settings);
/* MDM_ERR_DEVICE says what to pull where the model is neither given nor in the hub's cache. */
mdm_status mdm_describe_words_ready(const mdm_settings *settings);

/* Adds to context.json: "scene" gets "dense" (scrubbed of personal data) and "taken_out"; every track that was seen gets "form", the
 * caption it makes ("words"), and "disagreements" [{"context", "networks", "form"}]. */
mdm_status mdm_describe_words(json_t *context, const mdm_clip_work *work, const mdm_clip *clip, const mdm_found *found);

#endif
