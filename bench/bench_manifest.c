/* A million clips: the manifest written, read and dealt out to shards, and the records that workers leave read as a merge does. Entries
 * are made up; nothing is decoded. Usage: bench_manifest FOLDER [CLIPS [SHARDS]], FOLDER an empty one on a disk */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "pipeline/claim.h"
#include "pipeline/manifest.h"
#include "pipeline/shard.h"

static double began;

static void tell(const char *what, size_t clips)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double seconds = mdm_now() - began;
    printf("%-28s %8.2f s %10.0f clips/s %6ld MiB at most so far\n", what, seconds, (double)clips / seconds,
           usage.ru_maxrss / 1024);
    fflush(stdout);
    began = mdm_now();
}

static void die(void)
{
    fprintf(stderr, "bench_manifest: %s\n", mdm_error_message());
    exit(1);
}

/* Ids, parts and lengths as a job would have them. */
static mdm_status make(mdm_input **items, double **weights, size_t count)
{
    mdm_random random;
    mdm_random_seed(&random, 1, "manifest");
    MDM_TRY(mdm_alloc(items, count, sizeof **items, "bench"));
    MDM_TRY(mdm_alloc(weights, count, sizeof **weights, "bench"));
    for (size_t i = 0; i < count; i++) {
        mdm_input *item = &(*items)[i];
        MDM_TRY(mdm_format(&item->path, "/recordings/%03zu/drive-%07zu.mp4", i % 997, i));
        snprintf(item->clip_id, sizeof item->clip_id, "clip-%04zu", i + 1);
        snprintf(item->sha256, sizeof item->sha256, "%064zx", i * 2654435761u);
        (*weights)[i] = 5 + 600 * mdm_random_uniform(&random);
    }
    return MDM_OK;
}

/* What workers leave: a record a clip, as mdm_claim_end makes it, without bringing each to the disk. */
static mdm_status write_records(const char *folder, size_t count)
{
    MDM_TRY(mdm_make_folder(folder, 0700));
    for (size_t i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/clip-%04zu.r.0123456789abcdef.done", folder, i + 1);
        FILE *file = fopen(path, "we");
        if (!file)
            return mdm_fail(MDM_ERR_WRITE, "%s: cannot create", path);
        fprintf(file,
                "{\"files\":{\"evidence.json\":\"%064zx\",\"masked.mp4\":\"%064zx\"},\"folder\":\"clip-%04zu.r.0123456789abcdef.1\","
                "\"message\":\"\",\"status\":0,\"version\":1}",
                i, i + 1, i + 1);
        fclose(file);
    }
    return MDM_OK;
}

static mdm_status read_records(const char *folder, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char unit[64];
        json_t *record;
        snprintf(unit, sizeof unit, "clip-%04zu.r.0123456789abcdef", i + 1);
        MDM_TRY(mdm_claim_record(&record, folder, unit));
        if (!record || json_integer_value(json_object_get(record, "status")) != 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: lost", unit);
        json_decref(record);
    }
    return MDM_OK;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    const size_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    const int shards = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 500;
    char path[1024], claims[1024];
    mdm_input *items;
    double *weights;
    int *shard_of;
    size_t *order, read = 0;
    snprintf(path, sizeof path, "%s/manifest.jsonl", folder);
    snprintf(claims, sizeof claims, "%s/claims", folder);
    if (make(&items, &weights, count))
        die();
    began = mdm_now();
    const double all = began;
    const mdm_manifest_head head = {"bench", true};
    if (mdm_manifest_write(path, &head, items, weights, count))
        die();
    tell("plan: manifest written", count);
    for (size_t i = 0; i < count; i++)
        mdm_free(&items[i].path);
    mdm_free(&items);
    mdm_free(&weights);
    if (mdm_manifest_weights(&weights, &read, path) || read != count)
        die();
    tell("a shard reads it", count);
    if (mdm_alloc(&shard_of, count, sizeof *shard_of, "bench") || mdm_alloc(&order, count, sizeof *order, "bench") ||
        mdm_shard_deal(shard_of, weights, count, shards) || mdm_shard_order(order, weights, count))
        die();
    tell("clips dealt to shards", count);
    const double before = mdm_now() - all;
    if (write_records(claims, count))
        die();
    tell("(workers leave records)", count);
    if (read_records(claims, count))
        die();
    const double merged = before + mdm_now() - began;
    tell("merge: records checked", count);
    printf("%-28s %8.2f s %10.0f clips/s\n", "all but the records' writing", merged, (double)count / merged);
    return 0;
}
