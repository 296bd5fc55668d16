/* The weights of one network, by name, from one file or from the several files it was split over. Each is taken once by the
 * network that is built from them, so that a file with too many or too few of them is found out. */
#ifndef MDM_NN_WEIGHTS_H
#define MDM_NN_WEIGHTS_H

#include <stdbool.h>

#include "base/status.h"
#include "nn/nn.h"
#include "nn/tensor_file.h"

typedef struct mdm_weights mdm_weights;

/* `path`: a tensor file (tensor_file.h), or the NAME.safetensors.index.json of one that is split over files beside it. Two
 * tensors of one name are MDM_ERR_INPUT. The files stay mapped until mdm_weights_free. */
mdm_status mdm_weights_open(mdm_weights **out, const char *path);

/* The same of a file whose tensors have other names: `rename` is called for each and adds it under the name the network gives it, as several, or not at all, where it belongs to another network. */
typedef mdm_status (*mdm_weights_rename)(mdm_weights *weights, const mdm_array *array, void *user);
mdm_status mdm_weights_open_as(mdm_weights **out, const char *path, mdm_weights_rename rename, void *user);
/* For `rename`. The array's data stays where it is; the name is copied. */
mdm_status mdm_weights_add(mdm_weights *weights, const char *name, const mdm_array *array);
/* The same of the matrix [n, m] turned to [m, n]. */
mdm_status mdm_weights_add_turned(mdm_weights *weights, const char *name, const mdm_array *array);
void mdm_weights_free(mdm_weights **weights);

/* For messages: what was opened. */
const char *mdm_weights_path(const mdm_weights *weights);

/* All of them, by number in the order of their names; looking takes none. */
size_t mdm_weights_count(const mdm_weights *weights);
const mdm_array *mdm_weights_at(const mdm_weights *weights, size_t index);

/* Bytes of memory that a network on the CPU takes for them: its matrices as `store`, all else (kernels, norms) as f32. */
size_t mdm_weights_memory(const mdm_weights *weights, mdm_store store);

/* The tensor of that name, which then counts as taken; NULL when there is none. It belongs to `weights`. */
const mdm_array *mdm_weights_take(mdm_weights *weights, const char *name);
bool mdm_weights_has(const mdm_weights *weights, const char *name);
/* MDM_ERR_INPUT naming a tensor nobody took, of those whose names begin with `prefix`; position_ids are no weights and may
 * stay. */
mdm_status mdm_weights_all_taken(const mdm_weights *weights, const char *prefix);

#endif
