/* A form about one person that a language model fills in: a field has one of the words of captions (person_caption.h) or "unknown", and a
 * grammar leaves it no other way. */
#ifndef MDM_MODELS_PERSON_FORM_H
#define MDM_MODELS_PERSON_FORM_H

#include <jansson.h>

#include "base/memory.h"
#include "models/person_caption.h"

#define MDM_FORM_TOKENS 600 /* enough for a filled form */

/* What is asked, and the grammar of the answer (GBNF). */
mdm_status mdm_form_question(mdm_buffer *out);
mdm_status mdm_form_grammar(mdm_buffer *out);

/* The answer as a caption of what is known. MDM_ERR_INPUT when it is no filled form: the model stopped in the middle. */
mdm_status mdm_form_read(mdm_caption *out, const char *answer);
/* The fields of which something is known: {"age": "adult", ...}. */
json_t *mdm_form_fields(const mdm_caption *caption);

/* What a form says of a context ("age", "gender", "race", "glasses") when it contradicts the networks' value (a plan's class: "30-39",
 * "female", "White", "yes" or "no"); NULL when it agrees, says nothing or more roughly. Neighbouring ages do
 * not count. */
const char *mdm_form_contradicts(const mdm_caption *caption, const char *context, const char *value);

#endif
