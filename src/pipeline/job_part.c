/* How a process joins a job that it shares with others: what all need first is one file, the manifest, and of its clips a shard takes its
 * part. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "pipeline/job.h"
#include "pipeline/manifest.h"

/* Of the recordings and options as they were given: others with other ones would not be of the same job. */
static mdm_status options_key(char out[65], const mdm_settings *settings)
{
    return mdm_settings_key(out, settings, ~0u);
}

/* Seconds where analysis has been there; bytes otherwise, spread evenly over the parts of a recording that is cut. Only the ratio
 * counts, and all clips of a manifest have the same measure. */
static bool seconds_of(double *out, const mdm_job_clip *clip)
{
    json_t *file = NULL;
    if (clip->status != MDM_OK || mdm_json_load_from(&file, clip->base, "clip.json", (size_t)512 << 20) != MDM_OK)
        return false;
    const json_t *video = json_object_get(file, "video");
    const double frames = json_number_value(json_object_get(video, "frames"));
    const double fps = json_number_value(json_object_get(video, "fps"));
    *out = fps > 0 ? frames / fps : 1;
    json_decref(file);
    return isfinite(*out) && *out >= 0;
}

static double bytes_of(const mdm_job *job, size_t clip)
{
    struct stat info;
    const mdm_input *input = &job->inputs.items[clip];
    size_t parts = 0;
    if (stat(input->path, &info) != 0)
        return 0;
    for (size_t i = clip; i < job->inputs.count && !strcmp(job->inputs.items[i].sha256, input->sha256); i++)
        parts++;
    for (size_t i = clip; i-- > 0 && !strcmp(job->inputs.items[i].sha256, input->sha256);)
        parts++;
    return (double)info.st_size / (double)(parts ? parts : 1);
}

mdm_status mdm_job_write_manifest(mdm_job *job)
{
    double *weights;
    char key[65];
    bool seconds = true;
    MDM_TRY(options_key(key, &job->settings));
    MDM_TRY(mdm_alloc(&weights, job->clip_count, sizeof *weights, "manifest"));
    for (size_t i = 0; i < job->clip_count && seconds; i++)
        if (job->clips[i].status == MDM_OK)
            seconds = seconds_of(&weights[i], &job->clips[i]);
    for (size_t i = 0; i < job->clip_count && !seconds; i++)
        weights[i] = bytes_of(job, i);
    const mdm_manifest_head head = {key, seconds};
    mdm_status status = mdm_manifest_write(job->layout.manifest, &head, job->inputs.items, weights, job->clip_count);
    mdm_free(&weights);
    return status;
}

/* The first of all who come makes it; the others wait for the folder's lock meanwhile. */
static mdm_status set_up(mdm_job *job, const char *const *inputs, size_t count)
{
    if (mdm_file_exists(job->layout.manifest) || !count)
        return mdm_layout_share(&job->layout, false);
    MDM_TRY(mdm_layout_share(&job->layout, true));
    if (!mdm_file_exists(job->layout.manifest)) {
        MDM_TRY(mdm_layout_sweep(job->layout.private_folder));
        MDM_TRY(mdm_journal_open(&job->journal, job->layout.journal));
        mdm_status status = mdm_job_collect(job, inputs, count, true);
        if (status == MDM_OK)
            status = mdm_job_write_manifest(job);
        mdm_job_forget_clips(job);
        mdm_journal_free(&job->journal);
        MDM_TRY(status);
    }
    return mdm_layout_let_others(&job->layout);
}

static mdm_status take_part(mdm_job *job, mdm_manifest *manifest, const int *shard_of)
{
    bool more = true;
    double weight;
    for (size_t i = 0; more; i++) {
        mdm_input item;
        mdm_status status = mdm_manifest_next(&more, manifest, &item, &weight);
        if (status == MDM_OK && more && (!shard_of || shard_of[i] == job->shard.index)) {
            status = mdm_inputs_add(&job->inputs, &item);
            if (status == MDM_OK)
                status = mdm_realloc(&job->effort, job->inputs.count, sizeof *job->effort, "manifest");
            if (status == MDM_OK)
                job->effort[job->inputs.count - 1] = weight;
        }
        mdm_free(&item.path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

static mdm_status load_part(mdm_job *job)
{
    mdm_manifest *manifest;
    double *weights = NULL;
    int *shard_of = NULL;
    size_t count = 0;
    MDM_TRY(mdm_manifest_open(&manifest, job->layout.manifest));
    mdm_status status = MDM_OK;
    if (job->shard.count) {
        status = mdm_manifest_weights(&weights, &count, job->layout.manifest);
        if (status == MDM_OK)
            status = mdm_alloc(&shard_of, count, sizeof *shard_of, "shards");
        if (status == MDM_OK)
            status = mdm_shard_deal(shard_of, weights, count, job->shard.count);
    }
    if (status == MDM_OK)
        status = take_part(job, manifest, shard_of);
    mdm_free(&weights);
    mdm_free(&shard_of);
    mdm_manifest_close(&manifest);
    return status;
}

mdm_status mdm_job_join(mdm_job *job, const char *const *inputs, size_t count)
{
    json_t *file = NULL;
    char given[65], known[65];
    if (job->settings.force || job->settings.dry_run)
        return mdm_fail(MDM_ERR_USAGE, "--force and --dry-run are for a process alone, without --shard and --claim");
    if (job->shard.count && job->settings.claim)
        return mdm_fail(MDM_ERR_USAGE, "--shard takes a part, --claim whatever is left: choose one");
    if (!(job->settings.lease >= 1))
        return mdm_fail(MDM_ERR_USAGE, "--lease %g: expected a second or more", job->settings.lease);
    MDM_TRY(mdm_job_check(job, inputs, count));
    MDM_TRY(options_key(given, &job->settings));
    MDM_TRY(set_up(job, inputs, count));
    mdm_status status = mdm_job_load(job, &file);
    json_decref(file);
    MDM_TRY(status);
    MDM_TRY(options_key(known, &job->settings));
    if (count && strcmp(given, known) != 0)
        return mdm_fail(MDM_ERR_USAGE,
                        "%s: was begun with other options; give the same, or begin anew with `mmdm plan "
                        "INPUT... -o OUT`",
                        job->layout.out);
    MDM_TRY(load_part(job));
    MDM_TRY(mdm_make_folder(job->layout.claims, 0700));
    MDM_TRY(mdm_make_folder(job->layout.work, 0700));
    return mdm_job_name_clips(job);
}
