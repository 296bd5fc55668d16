/* Agglomerative clustering with average linkage and cannot-link pairs, O(n^3) at worst: n is tracks, some hundreds. */
#include "face/cluster.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

#define MAX_SAMPLES 4096
#define NEVER       INFINITY

static float distance(const mdm_identity_sample *a, const mdm_identity_sample *b)
{
    if (a->dim == 0 || a->dim != b->dim)
        return NEVER;
    if (a->clip == b->clip && a->first <= b->last && b->first <= a->last)
        return NEVER; /* seen at the same time */
    double sum = 0;
    for (int i = 0; i < a->dim; i++) {
        double d = (double)a->embedding[i] - (double)b->embedding[i];
        sum += d * d;
    }
    return (float)sqrt(sum);
}

static bool earlier(const mdm_identity_sample *a, const mdm_identity_sample *b)
{
    if (a->clip != b->clip)
        return a->clip < b->clip;
    return a->first != b->first ? a->first < b->first : a->track < b->track;
}

/* Joins the nearest pair of groups until none is under the threshold. link[i*n+k] is the mean distance of groups i, k. */
static void join(int *group, int *size, float *link, int n, float threshold)
{
    for (;;) {
        int a = -1, b = -1;
        float best = threshold;
        for (int i = 0; i < n; i++)
            for (int k = i + 1; k < n && size[i]; k++)
                if (size[k] && link[i * n + k] < best)
                    best = link[i * n + k], a = i, b = k;
        if (a < 0)
            return;
        for (int k = 0; k < n; k++) {
            if (k == a || k == b || !size[k])
                continue;
            float d =
                (link[a * n + k] * (float)size[a] + link[b * n + k] * (float)size[b]) / (float)(size[a] + size[b]);
            link[a * n + k] = link[k * n + a] = d;
        }
        size[a] += size[b];
        size[b] = 0;
        for (int k = 0; k < n; k++)
            if (group[k] == b)
                group[k] = a;
    }
}

mdm_status mdm_cluster_persons(int *person, const mdm_identity_sample *samples, int count, float threshold)
{
    if (count > MAX_SAMPLES)
        return mdm_fail(MDM_ERR_MEMORY, "%d face tracks in one job, at most %d can be told apart; split the job", count,
                        MAX_SAMPLES);
    int *order = NULL, *group = NULL, *size = NULL;
    float *link = NULL;
    mdm_status status = mdm_alloc(&order, (size_t)count + 1, sizeof *order, "clusters");
    if (!status)
        status = mdm_alloc(&group, (size_t)count + 1, sizeof *group, "clusters");
    if (!status)
        status = mdm_alloc(&size, (size_t)count + 1, sizeof *size, "clusters");
    if (!status)
        status = mdm_alloc(&link, (size_t)count * (size_t)count + 1, sizeof *link, "clusters");
    if (!status) {
        /* sorted by first appearance, so that neither the joins nor the numbers depend on the caller's order */
        for (int i = 0; i < count; i++) {
            int k = i;
            for (; k > 0 && earlier(&samples[i], &samples[order[k - 1]]); k--)
                order[k] = order[k - 1];
            order[k] = i;
        }
        for (int i = 0; i < count; i++) {
            group[i] = i;
            size[i] = 1;
            for (int k = 0; k < count; k++)
                link[i * count + k] = distance(&samples[order[i]], &samples[order[k]]);
        }
        join(group, size, link, count, threshold);
        int next = 0;
        for (int i = 0; i < count; i++) {
            int leader = -1;
            for (int k = 0; k < i && leader < 0; k++)
                if (group[k] == group[i])
                    leader = k;
            person[order[i]] = leader < 0 ? next++ : person[order[leader]];
        }
    }
    mdm_free(&order);
    mdm_free(&group);
    mdm_free(&size);
    mdm_free(&link);
    return status;
}
