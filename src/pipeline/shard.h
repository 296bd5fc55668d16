/* Which part of a job is this process's: "--shard i/n", or what the engine that started it says in its environment. */
#ifndef MDM_PIPELINE_SHARD_H
#define MDM_PIPELINE_SHARD_H

#include <stddef.h>

#include "base/status.h"

typedef struct mdm_shard {
    int index, count; /* index from 0, under count; count 0: not sharded */
} mdm_shard;

/* Reads "1/4", "auto" or "". MDM_ERR_USAGE names what is expected; "auto" where no engine says anything is one, too. */
mdm_status mdm_shard_parse(mdm_shard *out, const char *text);

/* Deals items of these weights (>= 0) out to `count` shards, the heaviest first, each to the shard that has least: shard_of[i] is
 * item i's. Depends on nothing else, so that every process deals alike. */
mdm_status mdm_shard_deal(int *shard_of, const double *weights, size_t items, int count);

/* order[0..items): the items from the heaviest to the lightest, ties as they stand. */
mdm_status mdm_shard_order(size_t *order, const double *weights, size_t items);

#endif
