/* Persons over all clips, the plan, and each clip's part of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "face/cluster.h"
#include "pipeline/job.h"
#include "stages/plan.h"

/* dlib's distance under which two clusters of tracks are one person (face/cluster.h says why it is not 0.6). */
#define SAME_PERSON 0.5f

static mdm_status load_artefact(json_t **out, const mdm_job_clip *clip, const char *name)
{
    return mdm_json_load_from(out, clip->folder, name, (size_t)512 << 20);
}

static bool is_alive(const mdm_job_clip *clip)
{
    return clip->status == MDM_OK;
}

/* ---- persons ------------------------------------------------------------------------------------------------------- */

typedef struct sample_list {
    mdm_identity_sample *items;
    size_t count;
} sample_list;

/* The mean embedding of a track, into the sample; dim stays 0 when no embedding came. */
static void mean_embedding(mdm_identity_sample *sample, const mdm_job *job)
{
    float total = 0;
    for (size_t i = 0; i < job->embedding_count; i++) {
        const mdm_job_embedding *e = &job->embeddings[i];
        if (e->clip != sample->clip || e->track != sample->track || e->count > MDM_EMBEDDING_MAX || e->weight <= 0)
            continue;
        if (sample->dim && sample->dim != e->count)
            continue;
        sample->dim = e->count;
        for (int k = 0; k < e->count; k++)
            sample->embedding[k] += e->weight * e->values[k];
        total += e->weight;
    }
    for (int k = 0; k < sample->dim; k++)
        sample->embedding[k] /= total;
}

static mdm_status add_clip_tracks(sample_list *list, const mdm_job *job, int clip)
{
    json_t *file, *track, *tracks;
    size_t i;
    MDM_TRY(load_artefact(&file, &job->clips[clip], "tracks.json"));
    mdm_status status = mdm_json_array(&tracks, file, "tracks", "tracks.json");
    json_array_foreach(tracks, i, track)
    {
        long long id, first, last;
        if (status == MDM_OK)
            status = mdm_json_int(&id, track, "id", 0, 1000000, "tracks.json");
        if (status == MDM_OK)
            status = mdm_json_int(&first, track, "first", 0, INT32_MAX, "tracks.json");
        if (status == MDM_OK)
            status = mdm_json_int(&last, track, "last", 0, INT32_MAX, "tracks.json");
        if (status == MDM_OK)
            status = mdm_realloc(&list->items, list->count + 1, sizeof *list->items, "tracks");
        if (status != MDM_OK)
            break;
        mdm_identity_sample *sample = &list->items[list->count++];
        memset(sample, 0, sizeof *sample);
        sample->clip = clip;
        sample->track = (int)id;
        sample->first = (int)first;
        sample->last = (int)last;
        mean_embedding(sample, job);
    }
    json_decref(file);
    return status;
}

/* A cluster that holds a track seen in an earlier run keeps that run's id; others get the next number. Tracks come in
 * clip order, so numbers do not depend on the order of the command line. */
static mdm_status name_persons(mdm_job *job, const int *person, const sample_list *list)
{
    char(*names)[32];
    MDM_TRY(mdm_alloc(&names, list->count, sizeof *names, "persons"));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < list->count; i++) {
        const char *known =
            mdm_journal_person(job->journal, job->clips[list->items[i].clip].input->clip_id, list->items[i].track);
        if (!known || names[person[i]][0])
            continue;
        bool taken = false; /* two clusters that once were one: the first keeps the name */
        for (size_t k = 0; k < list->count && !taken; k++)
            taken = strcmp(names[k], known) == 0;
        if (!taken)
            snprintf(names[person[i]], sizeof names[0], "%.31s", known);
    }
    for (size_t i = 0; i < list->count && status == MDM_OK; i++) {
        const char *clip_id = job->clips[list->items[i].clip].input->clip_id;
        char *name = names[person[i]];
        if (!name[0])
            snprintf(name, sizeof names[0], "person-%02d", mdm_journal_next_person(job->journal));
        const char *known = mdm_journal_person(job->journal, clip_id, list->items[i].track);
        if (!known || strcmp(known, name) != 0)
            status = mdm_journal_add_person(job->journal, clip_id, list->items[i].track, name);
        mdm_job_track *track = &job->tracks[job->track_count++];
        track->clip = list->items[i].clip;
        track->track = list->items[i].track;
        memcpy(track->person, name, sizeof track->person);
    }
    mdm_free(&names);
    return status;
}

static mdm_status cluster(mdm_job *job)
{
    sample_list list = {0};
    int *person = NULL;
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++) {
        if (!is_alive(&job->clips[i]))
            continue;
        status = add_clip_tracks(&list, job, (int)i);
        if (status == MDM_ERR_INPUT) { /* one clip's bad artefact is that clip's failure */
            mdm_job_clip_failed(&job->clips[i], status, mdm_error_message());
            while (list.count && list.items[list.count - 1].clip == (int)i)
                list.count--;
            status = MDM_OK;
        }
    }
    mdm_free(&job->tracks);
    job->track_count = 0;
    if (status == MDM_OK)
        status = mdm_alloc(&person, list.count, sizeof *person, "persons");
    if (status == MDM_OK)
        status = mdm_alloc(&job->tracks, list.count, sizeof *job->tracks, "tracks");
    if (status == MDM_OK && list.count)
        status = mdm_cluster_persons(person, list.items, (int)list.count, SAME_PERSON);
    if (status == MDM_OK)
        status = name_persons(job, person, &list);
    if (list.items)
        mdm_wipe(list.items, list.count * sizeof *list.items);
    mdm_free(&list.items);
    mdm_free(&person);
    return status;
}

/* ---- the plan ------------------------------------------------------------------------------------------------------- */

/* Key of everything the plan is made from: while it stands in the journal, the plan on disk (edited or not) is used. */
mdm_status mdm_job_plan_key(char out[65], mdm_job *job)
{
    mdm_sha256 hash;
    unsigned char digest[32];
    char options[65];
    MDM_TRY(mdm_settings_key(options, &job->settings, MDM_STALE_PLAN));
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, options, 64);
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (!is_alive(clip))
            continue;
        MDM_TRY(mdm_job_keys(job, clip));
        mdm_sha256_add(&hash, clip->input->clip_id, strlen(clip->input->clip_id));
        mdm_sha256_add(&hash, clip->key[MDM_STAGE_FIND], 64);
        mdm_sha256_add(&hash, clip->key[MDM_STAGE_DESCRIBE], 64);
    }
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
    return MDM_OK;
}

static mdm_status make_plan(mdm_job *job)
{
    mdm_plan_clip *clips = NULL;
    json_t **contexts = NULL;
    mdm_plan_track *tracks = NULL;
    size_t count = 0;
    MDM_TRY(cluster(job));
    mdm_status status = mdm_alloc(&clips, job->clip_count, sizeof *clips, "plan");
    if (status == MDM_OK)
        status = mdm_alloc(&contexts, job->clip_count, sizeof *contexts, "plan");
    if (status == MDM_OK)
        status = mdm_alloc(&tracks, job->track_count, sizeof *tracks, "plan");
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++) {
        if (!is_alive(&job->clips[i]))
            continue;
        status = load_artefact(&contexts[count], &job->clips[i], "context.json");
        clips[count] = (mdm_plan_clip){job->clips[i].input->clip_id, contexts[count]};
        count++;
    }
    for (size_t i = 0; i < job->track_count && status == MDM_OK; i++)
        tracks[i] = (mdm_plan_track){job->clips[job->tracks[i].clip].input->clip_id, job->tracks[i].track,
                                     job->tracks[i].person};
    json_decref(job->plan);
    job->plan = NULL;
    if (status == MDM_OK)
        status = mdm_plan_make(&job->plan, &job->settings, clips, count, tracks, job->track_count);
    for (size_t i = 0; i < count; i++)
        json_decref(contexts[i]);
    mdm_free(&contexts);
    mdm_free(&clips);
    mdm_free(&tracks);
    return status;
}

mdm_status mdm_job_plan(mdm_job *job, mdm_job_goal goal)
{
    char key[65];
    MDM_TRY(mdm_job_plan_key(key, job));
    bool there = mdm_file_exists(job->layout.plan);
    if (goal == MDM_GOAL_APPLY || goal == MDM_GOAL_MERGE) {
        if (!there)
            return mdm_fail(MDM_ERR_USAGE, "%s: there is no plan: `mmdm analyze` makes it", job->layout.plan);
    } else if (!there || !mdm_journal_is_done(job->journal, "job", "plan", key)) {
        MDM_TRY(make_plan(job));
        MDM_TRY(mdm_journal_forget(job->journal, "job", "plan"));
        MDM_TRY(mdm_json_save(job->plan, job->layout.plan));
        MDM_TRY(mdm_journal_add_done(job->journal, "job", "plan", key));
    }
    /* Read back even when just made, so that a resumed job sees the very same thing (down to the order of names). */
    return mdm_job_load_plan(job);
}

mdm_status mdm_job_load_plan(mdm_job *job)
{
    json_decref(job->plan);
    job->plan = NULL;
    MDM_TRY(mdm_plan_load(&job->plan, job->layout.plan));
    return mdm_plan_settings(&job->settings, job->plan);
}

/* Is the plan on disk the one that would be made from what is there now? */
bool mdm_job_plan_done(mdm_job *job)
{
    char key[65];
    return mdm_file_exists(job->layout.plan) && mdm_job_plan_key(key, job) == MDM_OK &&
           mdm_journal_is_done(job->journal, "job", "plan", key);
}

/* ---- a clip's part --------------------------------------------------------------------------------------------------- */

static mdm_status track_ids(int **out, size_t *count, const mdm_job_clip *clip)
{
    json_t *file, *track, *tracks;
    size_t i;
    *out = NULL;
    *count = 0;
    MDM_TRY(load_artefact(&file, clip, "tracks.json"));
    mdm_status status = mdm_json_array(&tracks, file, "tracks", "tracks.json");
    if (status == MDM_OK)
        status = mdm_alloc(out, json_array_size(tracks), sizeof **out, "tracks");
    if (status == MDM_OK) {
        json_array_foreach(tracks, i, track)(*out)[(*count)++] = (int)json_integer_value(json_object_get(track, "id"));
    }
    json_decref(file);
    return status;
}

static mdm_status plan_clip(const mdm_job *job, const mdm_job_clip *clip)
{
    int *ids;
    size_t count;
    char *path = NULL;
    json_t *part = NULL, *old = NULL;
    MDM_TRY(track_ids(&ids, &count, clip));
    mdm_status status = mdm_plan_for_clip(&part, job->plan, clip->input->clip_id, ids, count);
    mdm_free(&ids);
    if (status == MDM_OK)
        status = mdm_join_path(&path, clip->folder, "plan.json");
    /* An unchanged plan keeps its file, and with it everything made from it. */
    if (status == MDM_OK && mdm_file_exists(path))
        (void)mdm_json_load(&old, path, 0);
    if (status == MDM_OK && (!old || !json_equal(old, part)))
        status = mdm_json_save(part, path);
    json_decref(old);
    json_decref(part);
    mdm_free(&path);
    return status;
}

static bool plan_mentions(const json_t *plan, const char *clip_id)
{
    size_t i;
    json_t *person;
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        if (json_object_get(json_object_get(person, "clips"), clip_id))
            return true;
    }
    return false;
}

mdm_status mdm_job_plan_clips(mdm_job *job)
{
    for (size_t i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (!is_alive(clip))
            continue;
        mdm_status status = plan_clip(job, clip);
        /* A clip that could not be analysed when the plan was made: its failure, not the plan's. */
        if (status == MDM_ERR_CONFIG && !plan_mentions(job->plan, clip->input->clip_id)) {
            mdm_job_clip_failed(clip, status, "it is not in the plan: analyze again");
            mdm_log(MDM_LOG_ERROR, "%s (%s): %s", clip->input->path, clip->input->clip_id, clip->message);
            status = MDM_OK;
        }
        MDM_TRY(status);
    }
    return MDM_OK;
}

/* ---- after verify ---------------------------------------------------------------------------------------------------- */

/* No judge could tell: another stand-in would not help, the face is covered. */
static bool is_unjudged(const json_t *reason)
{
    const char *code = json_string_value(json_object_get(reason, "code"));
    return code && strcmp(code, "unjudged") == 0;
}

static bool asks_for_another(const json_t *reason)
{
    const char *code = json_string_value(json_object_get(reason, "code"));
    return code && (!strcmp(code, "reidentified") || !strcmp(code, "uncovered") || !strcmp(code, "faceless") ||
                    is_unjudged(reason));
}

/* Frames in which the person of `reason` was replaced. */
static json_int_t replaced_frames(const json_t *evidence, const char *person)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(evidence, "persons"), i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (id && !strcmp(id, person))
            return json_integer_value(json_object_get(json_object_get(entry, "frames"), "replaced"));
    }
    return 0;
}

mdm_status mdm_job_retry(size_t *changed, mdm_job *job)
{
    *changed = 0;
    /* One change per person and round, even when several clips ask: their plan entry may be shared. */
    json_t *asked = json_object();
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++) {
        json_t *evidence, *reason;
        size_t r;
        if (!is_alive(&job->clips[i]) || load_artefact(&evidence, &job->clips[i], "evidence.json") != MDM_OK)
            continue;
        json_array_foreach(json_object_get(evidence, "reasons"), r, reason)
        {
            const char *person = json_string_value(json_object_get(reason, "person"));
            const char *clip_id = job->clips[i].input->clip_id;
            char name[96];
            static const char *const told[] = {
                [MDM_PLAN_STRETCHES_COVERED] = "covered there",
                [MDM_PLAN_DRAWN_AGAIN] = "drawn again",
                [MDM_PLAN_COVERED] = "covered",
            };
            bool shared = job->settings.identity == MDM_IDENTITY_PER_PERSON;
            if (!person || !asks_for_another(reason))
                continue;
            snprintf(name, sizeof name, "%.31s/%s", person, shared ? "" : clip_id);
            if (json_object_get(asked, name))
                continue;
            json_object_set_new(asked, name, json_true());
            const mdm_plan_retried did =
                mdm_plan_retry(job->plan, person, clip_id, is_unjudged(reason) ? 0 : job->settings.attempts,
                               json_object_get(reason, "stretches"), replaced_frames(evidence, person));
            *changed += did != MDM_PLAN_NOTHING;
            if (did != MDM_PLAN_NOTHING)
                mdm_log(MDM_LOG_INFO, "%s: %s is %s: %s", clip_id, person, told[did],
                        json_string_value(json_object_get(reason, "text")));
        }
        json_decref(evidence);
    }
    json_decref(asked);
    if (status == MDM_OK && *changed)
        status = mdm_json_save(job->plan, job->layout.plan);
    return status;
}
