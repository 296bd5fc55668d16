/* What is finished of a clip, and in which folder. A job alone writes it into its journal; processes that share a job write done.json
 * into the folder they work in, beside what it speaks of, so that folders can be given on and taken over whole. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "pipeline/job.h"

static const char *stage_name(mdm_stage_id stage)
{
    return mdm_stage_at(stage)->stage.name;
}

static bool has_file(const mdm_job_clip *clip, const char *name)
{
    return name && mdm_file_exists_in(clip->folder, name);
}

static bool folder_says(const mdm_job_clip *clip, mdm_stage_id stage)
{
    const char *key = json_string_value(json_object_get(clip->done, stage_name(stage)));
    return key && strcmp(key, clip->key[stage]) == 0;
}

bool mdm_job_stage_done(const mdm_job *job, const mdm_job_clip *clip, mdm_stage_id stage)
{
    const mdm_stage_entry *entry = mdm_stage_at(stage);
    const bool said =
        folder_says(clip, stage) ||
        (job->journal && mdm_journal_is_done(job->journal, clip->input->clip_id, entry->stage.name, clip->key[stage]));
    return said && (has_file(clip, entry->stage.artefact) || has_file(clip, entry->artefact_still));
}

static mdm_status save_done(const mdm_job_clip *clip)
{
    char *path;
    MDM_TRY(mdm_join_path(&path, clip->folder, "done.json"));
    mdm_status status = mdm_json_save(clip->done, path);
    mdm_free(&path);
    return status;
}

mdm_status mdm_job_stage_note(mdm_job *job, mdm_job_clip *clip, mdm_stage_id stage)
{
    if (job->journal)
        return mdm_journal_add_done(job->journal, clip->input->clip_id, stage_name(stage), clip->key[stage]);
    if (!clip->done)
        clip->done = json_object();
    json_object_set_new(clip->done, stage_name(stage), json_string(clip->key[stage]));
    return save_done(clip);
}

mdm_status mdm_job_stage_forget(mdm_job *job, mdm_job_clip *clip, mdm_stage_id stage)
{
    if (job->journal)
        MDM_TRY(mdm_journal_forget(job->journal, clip->input->clip_id, stage_name(stage)));
    return json_object_del(clip->done, stage_name(stage)) == 0 ? save_done(clip) : MDM_OK;
}

/* ---- folders ---- */

mdm_status mdm_job_enter(mdm_job_clip *clip, const char *folder)
{
    char *entered; /* `folder` may be the clip's own string */
    json_decref(clip->done);
    clip->done = NULL;
    MDM_TRY(mdm_strdup(&entered, folder));
    mdm_status status = mdm_json_load_if_there(&clip->done, folder, "done.json", 0);
    if (status == MDM_OK && clip->done && !json_is_object(clip->done))
        status = mdm_fail(MDM_ERR_INPUT, "%s/done.json: expected an object of stages and keys", folder);
    if (status == MDM_OK) {
        mdm_free(&clip->folder);
        clip->folder = entered;
    } else {
        mdm_free(&entered);
    }
    return status;
}

void mdm_job_unit_name(char out[64], const mdm_job_clip *clip, mdm_job_unit unit)
{
    char hash[65];
    const mdm_stage_id first = MDM_STAGE_INGEST, last = MDM_STAGE_TRANSCRIBE;
    if (unit == MDM_UNIT_ANALYSIS) /* which are not all of one another */
        mdm_sha256_hex(hash, clip->key[first], sizeof clip->key[0] * (size_t)(last - first + 1));
    else
        memcpy(hash, clip->key[MDM_STAGE_VERIFY], sizeof hash);
    snprintf(out, 64, "%s.%c.%.16s", clip->input->clip_id, unit == MDM_UNIT_ANALYSIS ? 'a' : 'r', hash);
}

bool mdm_job_take_failure(mdm_job_clip *clip, const json_t *record)
{
    const int status = (int)json_integer_value(json_object_get(record, "status"));
    const char *message = json_string_value(json_object_get(record, "message"));
    if (status)
        mdm_job_clip_failed(clip, (mdm_status)status, message ? message : "");
    return status != 0;
}

/* Folder of a claimed unit that ended well, NULL where there is none. A record names a folder beside the others, nothing else. */
static mdm_status claimed_folder(char **out, const mdm_job *job, const mdm_job_clip *clip, mdm_job_unit unit)
{
    char name[64];
    json_t *record;
    *out = NULL;
    mdm_job_unit_name(name, clip, unit);
    MDM_TRY(mdm_claim_record(&record, job->layout.claims, name));
    const char *folder = json_string_value(json_object_get(record, "folder"));
    mdm_status status = MDM_OK;
    if (folder && *folder && !strchr(folder, '/') && folder[0] != '.')
        status = mdm_join_path(out, job->layout.work, folder);
    json_decref(record);
    if (status == MDM_OK && *out && !mdm_file_exists(*out))
        mdm_free(out);
    return status;
}

mdm_status mdm_job_use_base(mdm_job *job, mdm_job_clip *clip)
{
    char *claimed = NULL;
    mdm_free(&clip->base);
    MDM_TRY(mdm_layout_clip(&clip->base, &job->layout, clip->input->clip_id));
    MDM_TRY(mdm_job_enter(clip, clip->base));
    if (!mdm_file_exists(job->layout.claims))
        return MDM_OK;
    MDM_TRY(mdm_job_keys(job, clip));
    MDM_TRY(claimed_folder(&claimed, job, clip, MDM_UNIT_ANALYSIS));
    if (!claimed)
        return MDM_OK;
    mdm_free(&clip->base);
    clip->base = claimed;
    return mdm_job_enter(clip, clip->base);
}

mdm_status mdm_job_use_result(bool *there, mdm_job *job, mdm_job_clip *clip)
{
    char *folder = NULL;
    MDM_TRY(mdm_job_enter(clip, clip->base));
    if (mdm_file_exists(job->layout.claims)) {
        MDM_TRY(mdm_job_keys(job, clip));
        MDM_TRY(claimed_folder(&folder, job, clip, MDM_UNIT_RESULT));
    }
    *there = folder != NULL;
    mdm_status status = folder ? mdm_job_enter(clip, folder) : MDM_OK;
    mdm_free(&folder);
    return status;
}
