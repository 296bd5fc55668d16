/* The end of a job: evidence decides, the dataset is packed aside and put in place at once, the rest is quarantined. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "dataset/pack.h"
#include "mmdm.h"
#include "pipeline/catalog.h"
#include "pipeline/export.h"
#include "pipeline/job.h"
#include "stages/plan.h"

/* The artefacts of a clip that packing reads; freed together. */
typedef struct delivery {
    char *media, *labels;
    json_t *carried, *changes;
    json_t *clip, *plan, *evidence, *transcript;
    char **pictures;
    size_t picture_count;
} delivery;

static json_t *load_if_there(const mdm_job_clip *clip, const char *name)
{
    json_t *value = NULL;
    if (clip->folder)
        (void)mdm_json_load_if_there(&value, clip->folder, name, (size_t)512 << 20);
    return value;
}

/* private/review.json, where a person decides: {"clips": {"clip-0001": "rejected", ...}}. What is rejected is not delivered; what did
 * not pass its checks is not either, whatever anybody says. */
static bool is_rejected(const json_t *review, const char *clip_id)
{
    const char *decision = json_string_value(json_object_get(json_object_get(review, "clips"), clip_id));
    return decision && strcmp(decision, "rejected") == 0;
}

static mdm_status find_media(char **out, const mdm_job_clip *clip)
{
    const mdm_stage_entry *compose = mdm_stage_at(MDM_STAGE_COMPOSE);
    const char *names[2] = {compose->stage.artefact, compose->artefact_still};
    for (int i = 0; i < 2; i++) {
        MDM_TRY(mdm_join_path(out, clip->folder, names[i]));
        if (mdm_file_exists(*out))
            return MDM_OK;
        mdm_free(out);
    }
    return mdm_fail(MDM_ERR_INTERNAL, "%s: compose left no result", clip->input->clip_id);
}

static mdm_status find_pictures(delivery *d, const mdm_job_clip *clip)
{
    char *folder, **names = NULL;
    size_t count = 0;
    MDM_TRY(mdm_join_path(&folder, clip->folder, "after"));
    mdm_status status = mdm_file_exists(folder) ? mdm_list_folder(&names, &count, folder) : MDM_OK;
    if (status == MDM_OK)
        status = mdm_alloc(&d->pictures, count, sizeof *d->pictures, "pictures");
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        if (strstr(names[i], ".jpg") && !strstr(names[i], ".tmp"))
            status = mdm_join_path(&d->pictures[d->picture_count++], folder, names[i]);
    mdm_names_free(&names, count);
    mdm_free(&folder);
    return status;
}

static mdm_status open_delivery(delivery *d, mdm_pack_clip *pack, const mdm_job *job, mdm_job_clip *clip,
                                const json_t *review)
{
    memset(d, 0, sizeof *d);
    memset(pack, 0, sizeof *pack);
    if (clip->status == MDM_OK) {
        d->evidence = load_if_there(clip, "evidence.json");
        clip->passed = json_is_true(json_object_get(d->evidence, "pass")) && !is_rejected(review, clip->input->clip_id);
        d->clip = load_if_there(clip, "clip.json");
        d->plan = load_if_there(clip, "plan.json");
        d->transcript = load_if_there(clip, "transcript.json");
        if (clip->passed) {
            MDM_TRY(find_media(&d->media, clip));
            MDM_TRY(find_pictures(d, clip));
            MDM_TRY(mdm_join_path(&d->labels, clip->folder, "labels.jsonl"));
            if (!mdm_file_exists(d->labels))
                mdm_free(&d->labels);
            MDM_TRY(mdm_job_carried(&d->carried, &d->changes, job, clip, d->clip, d->labels));
        }
    }
    *pack = (mdm_pack_clip){
        .clip_id = clip->input->clip_id[0] ? clip->input->clip_id : "unreadable",
        .media = d->media,
        .labels = d->labels,
        .carried = d->carried,
        .clip = d->clip,
        .plan = d->plan,
        .evidence = d->evidence,
        .transcript = d->transcript,
        .pictures = (const char *const *)d->pictures,
        .picture_count = d->picture_count,
        .passed = clip->passed,
        .failure = clip->status == MDM_OK ? NULL : mdm_status_name(clip->status),
    };
    return MDM_OK;
}

static void close_delivery(delivery *d)
{
    mdm_free(&d->media);
    mdm_free(&d->labels);
    json_decref(d->carried);
    json_decref(d->changes);
    json_decref(d->clip);
    json_decref(d->plan);
    json_decref(d->evidence);
    json_decref(d->transcript);
    for (size_t i = 0; i < d->picture_count; i++)
        mdm_free(&d->pictures[i]);
    mdm_free(&d->pictures);
}

/* ---- how often what was drawn anew agrees with the source ------------------------------------------------------------------ */

static int index_of(const mdm_context_values *values, const json_t *name)
{
    const char *text = json_string_value(name);
    for (int i = 0; text && i < values->count; i++)
        if (strcmp(values->names[i], text) == 0)
            return i;
    return -1;
}

static json_t *agreement(const mdm_pack_clip *clips, size_t count, mdm_context context)
{
    const mdm_context_values *values = mdm_plan_values(context);
    int persons = 0, agree = 0;
    double chance = 0, total = 0;
    for (int i = 0; i < values->count; i++)
        total += values->weights[i];
    for (size_t c = 0; c < count; c++) {
        size_t i;
        json_t *person;
        json_array_foreach(json_object_get(clips[c].evidence, "persons"), i, person)
        {
            const json_t *figures = json_object_get(json_object_get(person, "contexts"), mdm_context_name(context));
            const char *treatment = json_string_value(json_object_get(figures, "treatment"));
            int before = index_of(values, json_object_get(figures, "before"));
            int after = index_of(values, json_object_get(figures, "after"));
            if (!treatment || strcmp(treatment, "redraw") != 0 || before < 0 || after < 0)
                continue;
            persons++;
            agree += before == after;
            chance += values->weights[before] / total;
        }
    }
    if (!persons)
        return NULL;
    return json_pack("{s:i, s:f, s:f}", "persons", persons, "agreement", (double)agree / persons, "chance",
                     chance / persons);
}

static json_t *redrawn_figures(const mdm_pack_clip *clips, size_t count)
{
    json_t *out = json_object();
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        json_t *row = mdm_plan_values((mdm_context)c) ? agreement(clips, count, (mdm_context)c) : NULL;
        if (row)
            json_object_set_new(out, mdm_context_name((mdm_context)c), row);
    }
    return out;
}

/* ---- putting things in place ------------------------------------------------------------------------------------------------ */

/* The new dataset takes the old one's place in one step where the system can, else the old one goes first. */
static mdm_status swap_in(const mdm_job *job, const char *fresh)
{
    char *old;
    MDM_TRY(mdm_join_path(&old, job->layout.private_folder, "dataset-before.tmp"));
    mdm_status status = mdm_remove_tree(old, false);
    if (status == MDM_OK && mdm_file_exists(job->layout.dataset) && rename(job->layout.dataset, old) != 0)
        status =
            mdm_fail(MDM_ERR_WRITE, "%s: cannot move the old dataset away: %s", job->layout.dataset, strerror(errno));
    if (status == MDM_OK && rename(fresh, job->layout.dataset) != 0)
        status =
            mdm_fail(MDM_ERR_WRITE, "%s: cannot put the dataset in place: %s", job->layout.dataset, strerror(errno));
    if (status == MDM_OK)
        status = mdm_remove_tree(old, false);
    mdm_free(&old);
    return status;
}

static mdm_status pack(mdm_job *job, const mdm_pack_clip *clips, size_t count)
{
    char *fresh = NULL;
    json_t *attacks = NULL;
    MDM_TRY(mdm_job_attack(&attacks, job));
    json_t *redrawn = redrawn_figures(clips, count);
    mdm_catalog catalog;
    mdm_status status = mdm_catalog_load(&catalog, &job->settings);
    const mdm_pack_info info = {
        .settings = &job->settings,
        .policy = json_object_get(job->plan, "policy"),
        .channels = json_object_get(job->plan, "channels"),
        .redrawn = redrawn,
        .attacks = attacks,
        .models = status == MDM_OK ? catalog.files : NULL,
        .version = MDM_VERSION,
    };
    if (status == MDM_OK)
        status = mdm_join_path(&fresh, job->layout.private_folder, "dataset.tmp");
    if (status == MDM_OK)
        status = mdm_remove_tree(fresh, false);
    if (status == MDM_OK)
        status = mdm_make_folder(fresh, 0755);
    if (status == MDM_OK)
        status = mdm_pack(fresh, &info, clips, count);
    if (status == MDM_OK)
        status = swap_in(job, fresh);
    mdm_free(&fresh);
    mdm_catalog_free(&catalog);
    json_decref(redrawn);
    json_decref(attacks);
    return status;
}

/* Keeps what a person needs to see why a clip was held back. */
static mdm_status quarantine(const mdm_job *job, const mdm_job_clip *clip, const delivery *d)
{
    static const char *const kept[] = {"masked.mp4", "masked.png", "evidence.json", "plan.json"};
    char *folder;
    (void)d;
    MDM_TRY(mdm_make_folder(job->layout.quarantine, 0700));
    MDM_TRY(mdm_join_path(&folder, job->layout.quarantine, clip->input->clip_id));
    mdm_status status = mdm_make_folder(folder, 0700);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0] && status == MDM_OK; i++) {
        char *from = NULL, *to = NULL;
        status = mdm_join_path(&from, clip->folder, kept[i]);
        if (status == MDM_OK)
            status = mdm_join_path(&to, folder, kept[i]);
        if (status == MDM_OK && mdm_file_exists(from))
            status = mdm_copy_file(from, to);
        mdm_free(&from);
        mdm_free(&to);
    }
    mdm_free(&folder);
    return status;
}

static void tell_reasons(const mdm_job_clip *clip, const json_t *evidence)
{
    size_t i;
    json_t *reason;
    if (json_is_true(json_object_get(evidence, "pass")))
        mdm_log(MDM_LOG_INFO, "%s: left out: rejected in review", clip->input->clip_id);
    json_array_foreach(json_object_get(evidence, "reasons"), i, reason)
    {
        const char *text = json_string_value(json_object_get(reason, "text"));
        mdm_log(MDM_LOG_WARN, "%s (%s): held back: %s", clip->input->path, clip->input->clip_id, text ? text : "?");
    }
}

/* private/labels.json: what became of the labels people had, clip by clip. */
static mdm_status write_changes(const mdm_job *job, const delivery *deliveries)
{
    char *path;
    MDM_TRY(mdm_join_path(&path, job->layout.private_folder, "labels.json"));
    json_t *clips = json_object();
    for (size_t i = 0; i < job->clip_count; i++)
        if (deliveries[i].changes)
            json_object_set(clips, job->clips[i].input->clip_id, deliveries[i].changes);
    json_t *root = json_pack("{s:i, s:o}", "version", 1, "clips", clips);
    mdm_status status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    return status;
}

static void tell_export(void *user, bool left_out, const char *line)
{
    (void)user;
    mdm_log(left_out ? MDM_LOG_WARN : MDM_LOG_INFO, "%s%s", left_out ? "not in the export: " : "", line);
}

/* --export: OUT/export. What a format cannot hold makes the exit code 3, as what is held back does. */
static mdm_status export_all(mdm_job_result *result, const mdm_job *job)
{
    size_t left_out;
    MDM_TRY(mdm_export_folder_to(&left_out, &job->settings, job->layout.dataset, job->layout.export_folder, tell_export,
                                 NULL));
    if (left_out && !result->exit_code)
        result->exit_code = 3;
    return MDM_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------------- */

static int outcome_code(const mdm_job *job, const mdm_job_result *result)
{
    if (result->failed + result->quarantined == 0)
        return 0;
    if (result->delivered || result->quarantined)
        return 3;
    for (size_t i = 0; i < job->clip_count; i++)
        if (job->clips[i].status != MDM_OK)
            return mdm_exit_code(job->clips[i].status);
    return 70;
}

/* The quarantine shows this run only. */
static mdm_status reset_quarantine(const mdm_job *job)
{
    return mdm_remove_tree(job->layout.quarantine, true);
}

static mdm_status sort_out(mdm_job_result *result, mdm_job *job, const delivery *deliveries)
{
    MDM_TRY(reset_quarantine(job));
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (clip->status != MDM_OK) {
            result->failed++;
        } else if (clip->passed) {
            result->delivered++;
        } else {
            result->quarantined++;
            tell_reasons(clip, deliveries[i].evidence);
            MDM_TRY(quarantine(job, clip, &deliveries[i]));
        }
    }
    return MDM_OK;
}

mdm_status mdm_job_deliver(mdm_job_result *result, mdm_job *job)
{
    delivery *deliveries = NULL;
    mdm_pack_clip *clips = NULL;
    json_t *review;
    memset(result, 0, sizeof *result);
    result->clips = job->clip_count;
    MDM_TRY(mdm_json_load_if_there(&review, job->layout.private_folder, "review.json", 0));
    mdm_status status = mdm_alloc(&deliveries, job->clip_count, sizeof *deliveries, "deliveries");
    if (status == MDM_OK)
        status = mdm_alloc(&clips, job->clip_count, sizeof *clips, "deliveries");
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++)
        status = open_delivery(&deliveries[i], &clips[i], job, &job->clips[i], review);
    if (status == MDM_OK)
        status = sort_out(result, job, deliveries);
    result->exit_code = outcome_code(job, result);
    if (status == MDM_OK && result->delivered)
        status = pack(job, clips, job->clip_count);
    if (status == MDM_OK && job->settings.labels[0])
        status = write_changes(job, deliveries);
    if (status == MDM_OK && result->delivered && job->settings.exporting.formats[0])
        status = export_all(result, job);
    else if (status == MDM_OK) /* an older export is not of this dataset */
        status = mdm_export_remove(job->layout.export_folder);
    if (status == MDM_OK && !result->delivered) /* an older dataset is not what these recordings and options give */
        status = mdm_remove_tree(job->layout.dataset, false);
    for (size_t i = 0; deliveries && i < job->clip_count; i++)
        close_delivery(&deliveries[i]);
    mdm_free(&deliveries);
    mdm_free(&clips);
    json_decref(review);
    return status;
}
