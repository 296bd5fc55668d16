/* Before what many processes made becomes a dataset: every clip has a record, and its files are still what the record says. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "pipeline/job.h"

static mdm_status check_files(const mdm_job_clip *clip, const json_t *record)
{
    const char *name;
    json_t *sum;
    json_object_foreach(json_object_get(record, "files"), name, sum)
    {
        char *path, hash[65];
        const char *expected = json_string_value(sum);
        if (strchr(name, '/') || !expected)
            return mdm_fail(MDM_ERR_INPUT, "%s: a damaged record of what was made", clip->input->clip_id);
        MDM_TRY(mdm_join_path(&path, clip->folder, name));
        mdm_status status = mdm_sha256_file(hash, path);
        if (status == MDM_OK && strcmp(hash, expected) != 0)
            status = mdm_fail(MDM_ERR_INPUT,
                              "%s: is not what its maker wrote; remove its record in private/claims "
                              "and run its shard again",
                              path);
        mdm_free(&path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

/* *proven: ended, by whomever, with files that are still the same, or failed for good. */
static mdm_status check_clip(bool *proven, mdm_job *job, mdm_job_clip *clip)
{
    char unit[64];
    json_t *record = NULL;
    MDM_TRY(mdm_job_use_result(proven, job, clip));
    mdm_job_unit_name(unit, clip, MDM_UNIT_RESULT);
    MDM_TRY(mdm_claim_record(&record, job->layout.claims, unit));
    mdm_status status = *proven ? check_files(clip, record) : MDM_OK;
    *proven = mdm_job_take_failure(clip, record) || *proven;
    json_decref(record);
    return status;
}

mdm_status mdm_job_check_merge(mdm_job *job)
{
    char key[65];
    size_t missing = 0;
    const char *first = NULL;
    MDM_TRY(mdm_job_plan_key(key, job));
    if (mdm_journal_is_done(job->journal, "job", "merge", key))
        return MDM_OK; /* begun before: its own rounds are in the journal */
    for (size_t i = 0; i < job->clip_count; i++) {
        bool proven = true;
        if (job->clips[i].status == MDM_OK)
            MDM_TRY(check_clip(&proven, job, &job->clips[i]));
        if (!proven && !first)
            first = job->clips[i].input->clip_id;
        missing += !proven;
    }
    if (missing)
        return mdm_fail(MDM_ERR_AGAIN,
                        "%zu of %zu clips are not done, %s the first: run the shards that ended early "
                        "again, then merge",
                        missing, job->clip_count, first);
    return mdm_journal_add_done(job->journal, "job", "merge", key);
}
