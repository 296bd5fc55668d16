/* Dealing clips out into parts by person (split.h). */
#include "dataset/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

const char *const mdm_part_names[MDM_PARTS] = {"train", "validation", "test"};

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* Persons seen so far, each with the first clip that has them: later clips join that clip's group. */
static mdm_status join_groups(size_t *parent, const mdm_split_clip *clips, size_t count)
{
    json_t *first = json_object(), *person;
    size_t k;
    for (size_t i = 0; i < count; i++) {
        parent[i] = i;
        json_array_foreach((json_t *)clips[i].persons, k, person)
        {
            const char *id = json_string_value(json_object_get(person, clips[i].key));
            const json_t *known = id ? json_object_get(first, id) : NULL;
            if (id && !known)
                json_object_set_new(first, id, json_integer((json_int_t)i));
            if (!known)
                continue;
            size_t a = root_of(parent, i), b = root_of(parent, (size_t)json_integer_value(known));
            parent[a > b ? a : b] = a > b ? b : a; /* the first clip is the root */
        }
    }
    json_decref(first);
    return MDM_OK;
}

/* A group of clips, and its place in the draw. */
typedef struct group {
    size_t first;
    double place;
} group;

static int by_place(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place ? 1 : x->first < y->first ? -1 : x->first > y->first;
}

/* The lowest places are the test part's, the next the validation's. */
static void deal(int *part, size_t *parent, size_t count, const group *groups, size_t n, const int shares[MDM_PARTS],
                 bool at_least_one)
{
    size_t next = 0;
    for (int p = MDM_PARTS - 1; p > MDM_PART_TRAIN; p--) {
        size_t take = n * (size_t)shares[p] / 100;
        if (!take && shares[p] && at_least_one && n - next > (shares[MDM_PART_TRAIN] ? 1 : 0))
            take = 1;
        for (; take && next < n; take--, next++)
            for (size_t i = 0; i < count; i++)
                if (root_of(parent, i) == groups[next].first)
                    part[i] = p;
    }
    if (shares[MDM_PART_TRAIN])
        return;
    for (; next < n; next++) /* what rounding left over is not for a part nobody asked for */
        for (size_t i = 0; i < count; i++)
            if (root_of(parent, i) == groups[next].first)
                part[i] = shares[MDM_PART_TEST] ? MDM_PART_TEST : MDM_PART_VALIDATION;
}

mdm_status mdm_split(int *part, const mdm_split_clip *clips, size_t count, const int shares[MDM_PARTS], uint64_t seed,
                     bool at_least_one)
{
    size_t *parent = NULL, n = 0;
    group *groups = NULL;
    mdm_status status = mdm_alloc(&parent, count, sizeof *parent, "parts");
    if (status == MDM_OK)
        status = mdm_alloc(&groups, count, sizeof *groups, "parts");
    if (status == MDM_OK)
        status = join_groups(parent, clips, count);
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        mdm_random random;
        part[i] = MDM_PART_TRAIN;
        if (root_of(parent, i) != i)
            continue;
        mdm_random_seed(&random, seed, clips[i].clip_id);
        groups[n++] = (group){i, mdm_random_uniform(&random)};
    }
    if (status == MDM_OK) {
        qsort(groups, n, sizeof *groups, by_place);
        deal(part, parent, count, groups, n, shares, at_least_one);
    }
    mdm_free(&groups);
    mdm_free(&parent);
    return status;
}
