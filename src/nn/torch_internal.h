/* What the readers of PyTorch's two kinds of checkpoints share. */
#ifndef MDM_NN_TORCH_INTERNAL_H
#define MDM_NN_TORCH_INTERNAL_H

#include <stdbool.h>

#include "nn/pickle.h"
#include "nn/tensor_file_internal.h"
#include "nn/zip.h"

/* The type of the elements of a storage's class ("torch.HalfStorage"); false when it is not known. */
bool mdm_torch_dtype(mdm_dtype *out, const char *name);

/* The old kind as what the new one would hold: the object's pickle, and a member "data/KEY" for each storage, which borrow from `data`.
 * The caller frees both, also after an error. MDM_ERR_INPUT names the byte where it stops being a checkpoint. */
mdm_status mdm_torch_legacy_read(mdm_zip *members, mdm_pickle *object, const unsigned char *data, size_t size,
                                 const char *path);

#endif
