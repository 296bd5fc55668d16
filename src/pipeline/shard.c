/* Reading a shard's number, and dealing clips out to shards. */
#include "pipeline/shard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MAX_SHARDS 1000000

/* Engines, in the order in which they are asked. `least` is the variable with the number of the first task, or NULL, which is
 * `base`. Kubernetes says only the index: the manifest that `mmdm submit` writes adds the count. */
static const struct {
    const char *index, *count, *least;
    long base;
} engines[] = {
    {"MMDM_SHARD_INDEX", "MMDM_SHARD_COUNT", NULL, 0},
    {"JOB_COMPLETION_INDEX", "MMDM_SHARD_COUNT", NULL, 0},
    {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", 0},
    {"SLURM_PROCID", "SLURM_NTASKS", NULL, 0},
    {"PBS_ARRAY_INDEX", "MMDM_SHARD_COUNT", NULL, 0},
    {"SGE_TASK_ID", "SGE_TASK_LAST", "SGE_TASK_FIRST", 1},
    {"AWS_BATCH_JOB_ARRAY_INDEX", "MMDM_SHARD_COUNT", NULL, 0},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", NULL, 0},
    {"RANK", "WORLD_SIZE", NULL, 0},
};

/* A whole number >= 0; false for anything else, also what engines write for "none" ("undefined"). */
static bool whole(long *out, const char *text, const char **end)
{
    char *stop;
    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtol(text, &stop, 10);
    if (end)
        *end = stop;
    return errno == 0 && *out <= MAX_SHARDS * 10L && (end || !*stop);
}

static mdm_status check(mdm_shard *out, long index, long count, const char *where)
{
    if (count < 1 || count > MAX_SHARDS || index < 0 || index >= count)
        return mdm_fail(MDM_ERR_USAGE, "%s: shard %ld of %ld: expected a count of 1 to %d and an index from 0 under it",
                        where, index, count, MAX_SHARDS);
    *out = (mdm_shard){(int)index, (int)count};
    return MDM_OK;
}

static mdm_status ask_engines(mdm_shard *out)
{
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++) {
        long index, count, least = engines[e].base;
        if (!whole(&index, getenv(engines[e].index), NULL))
            continue;
        if (!whole(&count, getenv(engines[e].count), NULL))
            return mdm_fail(MDM_ERR_USAGE, "--shard auto: there is %s, but how many there are is not: set %s",
                            engines[e].index, engines[e].count);
        if (engines[e].least)
            (void)whole(&least, getenv(engines[e].least), NULL);
        if (strcmp(engines[e].count, "SGE_TASK_LAST") == 0) /* a number, not a count */
            count -= least - 1;
        return check(out, index - least, count, engines[e].index);
    }
    return mdm_fail(MDM_ERR_USAGE, "--shard auto: no engine says which part this is: set MMDM_SHARD_INDEX and "
                                   "MMDM_SHARD_COUNT, or give --shard INDEX/COUNT");
}

mdm_status mdm_shard_parse(mdm_shard *out, const char *text)
{
    long index, count;
    const char *slash;
    *out = (mdm_shard){0, 0};
    if (!*text)
        return MDM_OK;
    if (strcmp(text, "auto") == 0)
        return ask_engines(out);
    if (!whole(&index, text, &slash) || *slash != '/' || !whole(&count, slash + 1, NULL))
        return mdm_fail(MDM_ERR_USAGE, "--shard %s: expected INDEX/COUNT, the first is 0/COUNT, or auto", text);
    return check(out, index, count, "--shard");
}

/* ---- dealing ---- */

typedef struct item {
    double weight;
    size_t index;
} item;

static int heaviest_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

mdm_status mdm_shard_order(size_t *order, const double *weights, size_t items)
{
    item *sorted;
    MDM_TRY(mdm_alloc(&sorted, items, sizeof *sorted, "shards"));
    for (size_t i = 0; i < items; i++)
        sorted[i] = (item){weights[i], i};
    if (items)
        qsort(sorted, items, sizeof *sorted, heaviest_first);
    for (size_t i = 0; i < items; i++)
        order[i] = sorted[i].index;
    mdm_free(&sorted);
    return MDM_OK;
}

typedef struct load {
    double weight;
    int shard;
} load;

static bool lighter(load a, load b)
{
    return a.weight != b.weight ? a.weight < b.weight : a.shard < b.shard;
}

/* Lets the heap's top, which has grown, sink. */
static void sink(load *heap, int count)
{
    for (int at = 0;;) {
        int child = 2 * at + 1;
        if (child + 1 < count && lighter(heap[child + 1], heap[child]))
            child++;
        if (child >= count || !lighter(heap[child], heap[at]))
            return;
        const load swapped = heap[at];
        heap[at] = heap[child];
        heap[child] = swapped;
        at = child;
    }
}

mdm_status mdm_shard_deal(int *shard_of, const double *weights, size_t items, int count)
{
    load *heap;
    size_t *order = NULL;
    MDM_TRY(mdm_alloc(&heap, (size_t)count, sizeof *heap, "shards"));
    for (int s = 0; s < count; s++)
        heap[s] = (load){0, s};
    mdm_status status = mdm_alloc(&order, items, sizeof *order, "shards");
    if (status == MDM_OK)
        status = mdm_shard_order(order, weights, items);
    for (size_t i = 0; i < items && status == MDM_OK; i++) {
        shard_of[order[i]] = heap[0].shard;
        heap[0].weight += weights[order[i]];
        sink(heap, count);
    }
    mdm_free(&order);
    mdm_free(&heap);
    return status;
}
