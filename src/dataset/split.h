/* Parts of a dataset that no person is in two of. */
#ifndef MDM_DATASET_SPLIT_H
#define MDM_DATASET_SPLIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum mdm_part { MDM_PART_TRAIN, MDM_PART_VALIDATION, MDM_PART_TEST, MDM_PARTS } mdm_part;
extern const char *const mdm_part_names[MDM_PARTS]; /* "train", ... */

typedef struct mdm_split_clip {
    const char *clip_id;
    const json_t *persons; /* array of objects that have `key` */
    const char *key;
} mdm_split_clip;

/* part[i] of every clip: clips that share a person stay together, and such groups are dealt out by a draw that depends on the
 * seed and the group's first clip only. shares: percent, adding up to 100. Groups too few for a share leave that part empty,
 * unless `at_least_one`, which fills every part that has a share while there are groups left for training. */
mdm_status mdm_split(int *part, const mdm_split_clip *clips, size_t count, const int shares[MDM_PARTS], uint64_t seed,
                     bool at_least_one);

#endif
