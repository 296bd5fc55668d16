/* Published weights made smaller: a file of tensors, or one split over several, becomes a GGUF file whose matrices have 16, 8 or 4
 * bits a value. */
#ifndef MDM_MODELS_CONVERT_WEIGHTS_H
#define MDM_MODELS_CONVERT_WEIGHTS_H

#include "nn/nn.h"
#include "nn/weights.h"

/* Writes `to` from `from`, tensor by tensor, atomically. Matrices are kept as `store` where their rows are whole blocks, other tensors of
 * two and more axes as F16 (F32 with MDM_STORE_F32), vectors as F32; integers, which are no weights, are left out. Names stay, but for
 * long words (models/short_names.h). */
mdm_status mdm_convert_weights(const char *to, const char *from, mdm_store store);
/* The same of weights that are open, with texts for the head: `meta` is a NULL-terminated list of key, value, ... or NULL. */
mdm_status mdm_convert_opened(const char *to, mdm_weights *from, mdm_store store, const char *const *meta);

#endif
