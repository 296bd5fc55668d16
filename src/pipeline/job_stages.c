/* Taking clips through stages in worker processes, skipping what is finished. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/trace.h"
#include "face/motion_edit.h"
#include "pipeline/job.h"

/* Raised when a stage's result changes for the same input, so that old work is not taken for new. */
#define WORK_VERSION "3"

/* Threads of ggml and of the codecs in one clip: a constant, so that results do not depend on --jobs. */
enum { THREADS = 2 };

void mdm_job_clip_failed(mdm_job_clip *clip, mdm_status status, const char *message)
{
    if (clip->status != MDM_OK)
        return;
    clip->status = status;
    snprintf(clip->message, sizeof clip->message, "%s", message);
}

/* Hash of what a stage reads of the clip's plan. Portraits and their motion depend on the persons, not on what is covered beside them. */
static mdm_status plan_hash(char out[65], const json_t *plan, mdm_stage_id stage)
{
    static const char *const beside[] = {"regions", "words", "voice", "metadata", "cover"};
    size_t i;
    json_t *part = json_copy((json_t *)plan), *persons = json_array(), *person;
    if (stage == MDM_STAGE_PORTRAIT || stage == MDM_STAGE_ANIMATE) {
        for (size_t k = 0; k < sizeof beside / sizeof beside[0]; k++)
            json_object_del(part, beside[k]);
        json_array_foreach(json_object_get(plan, "persons"), i, person)
        {
            json_t *copy = json_copy(person);
            if (stage == MDM_STAGE_PORTRAIT)
                json_object_del(copy, "cover_frames");
            json_array_append_new(persons, copy);
        }
        json_object_set(part, "persons", persons);
    }
    json_decref(persons);
    char *text = json_dumps(part, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    json_decref(part);
    if (!text)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for a plan's hash");
    mdm_sha256_hex(out, text, strlen(text));
    free(text);
    return MDM_OK;
}

static mdm_status edit_hash(char out[65], const mdm_job_clip *clip)
{
    char *path;
    out[0] = '\0';
    MDM_TRY(mdm_join_path(&path, clip->folder, MDM_MOTION_EDIT));
    mdm_status status = mdm_file_exists(path) ? mdm_sha256_file(out, path) : MDM_OK;
    mdm_free(&path);
    return status;
}

void mdm_job_clip_settings(mdm_settings *out, const mdm_job *job, const mdm_job_clip *clip)
{
    *out = job->settings;
    if (clip->input->start > 0 || clip->input->end > 0) {
        out->start = clip->input->start;
        out->end = clip->input->end;
    }
}

static mdm_status make_keys(mdm_job_clip *clip, const mdm_settings *settings, const json_t *plan, const char *edit)
{
    char hashed[65] = "", options[65];
    for (int s = 0; s < MDM_STAGE_COUNT; s++) {
        const mdm_stage_entry *entry = mdm_stage_at((mdm_stage_id)s);
        mdm_sha256 hash;
        unsigned char digest[32];
        MDM_TRY(mdm_settings_key(options, settings, entry->stale));
        mdm_sha256_start(&hash);
        mdm_sha256_add(&hash, WORK_VERSION, sizeof WORK_VERSION);
        mdm_sha256_add(&hash, entry->stage.name, strlen(entry->stage.name) + 1);
        mdm_sha256_add(&hash, clip->input->sha256, 64);
        mdm_sha256_add(&hash, options, 64);
        if (entry->needs_plan && plan) {
            MDM_TRY(plan_hash(hashed, plan, (mdm_stage_id)s));
            mdm_sha256_add(&hash, hashed, 64);
        }
        if (s == MDM_STAGE_COMPOSE)
            mdm_sha256_add(&hash, edit, strlen(edit));
        for (int n = 0; n < s; n++)
            if (entry->needs >> n & 1)
                mdm_sha256_add(&hash, clip->key[n], 64);
        mdm_sha256_end(&hash, digest);
        mdm_sha256_text(clip->key[s], digest);
    }
    return MDM_OK;
}

mdm_status mdm_job_keys(mdm_job *job, mdm_job_clip *clip)
{
    char edit[65];
    json_t *plan;
    mdm_settings settings;
    mdm_job_clip_settings(&settings, job, clip);
    MDM_TRY(edit_hash(edit, clip));
    MDM_TRY(mdm_json_load_if_there(&plan, clip->folder, "plan.json", 0));
    mdm_status status = make_keys(clip, &settings, plan, edit);
    json_decref(plan);
    return status;
}

/* ---- in the worker ------------------------------------------------------------------------------------------------- */

typedef struct clip_task {
    mdm_job *job;
    mdm_job_clip *clip;
    unsigned todo; /* bit per stage */
    bool embed;
} clip_task;

static mdm_status run_stages(mdm_worker *worker, void *user)
{
    clip_task *task = user;
    mdm_job_clip *clip = task->clip;
    mdm_progress progress = mdm_worker_progress(worker);
    const mdm_embedding_sink sink = {mdm_worker_embedding, worker};
    mdm_settings settings;
    mdm_job_clip_settings(&settings, task->job, clip);
    mdm_clip_work work = {
        .clip_id = clip->input->clip_id,
        .source = clip->input->path,
        .folder = clip->folder,
        .models = task->job->models,
        .weights = task->job->weights,
        .settings = &settings,
        .progress = &progress,
        .standins = task->job->layout.standins,
        .threads = THREADS,
    };
    for (int s = 0; s < MDM_STAGE_COUNT; s++) {
        const mdm_stage *stage = &mdm_stage_at((mdm_stage_id)s)->stage;
        if (task->todo >> s & 1) {
            MDM_TRY(mdm_worker_stage_started(worker, s));
            const double from = mdm_now();
            mdm_status status = stage->run(&work);
            mdm_trace_span(stage->name, from, mdm_now(), -1);
            if (status != MDM_OK)
                return mdm_fail_context(status, "%s", stage->name);
            MDM_TRY(mdm_worker_stage_done(worker, s));
        }
        if (s == MDM_STAGE_FIND && task->embed) {
            work.embeddings = &sink;
            mdm_status status = mdm_stage_embed(&work);
            work.embeddings = NULL;
            if (status != MDM_OK)
                return mdm_fail_context(status, "embed");
        }
    }
    return MDM_OK;
}

/* ---- in the parent --------------------------------------------------------------------------------------------------- */

typedef struct pool_state {
    mdm_job *job;
    clip_task *items; /* per task */
    mdm_task *tasks;
    const mdm_job_source *source; /* of claimed work; NULL: all of `tasks`, in order */
} pool_state;

static const char *stage_name(int stage)
{
    return stage >= 0 && stage < MDM_STAGE_COUNT ? mdm_stage_at((mdm_stage_id)stage)->stage.name : "?";
}

static double stage_weight(int stage)
{
    return stage >= 0 && stage < MDM_STAGE_COUNT ? mdm_stage_at((mdm_stage_id)stage)->weight : 0;
}

static mdm_status on_started(void *user, size_t task, int stage)
{
    pool_state *pool = user;
    mdm_display_started(pool->job->display, pool->tasks[task].name, stage_name(stage), stage_weight(stage));
    return MDM_OK;
}

static mdm_status on_progress(void *user, size_t task, int stage, double fraction)
{
    pool_state *pool = user;
    mdm_display_moved(pool->job->display, pool->tasks[task].name, stage_name(stage), stage_weight(stage), fraction);
    return MDM_OK;
}

static mdm_status on_done(void *user, size_t task, int stage)
{
    pool_state *pool = user;
    if (stage < 0 || stage >= MDM_STAGE_COUNT)
        return MDM_OK;
    pool->items[task].todo &= ~(1u << stage);
    mdm_display_ended(pool->job->display, pool->tasks[task].name, stage_name(stage), stage_weight(stage), "done");
    return mdm_job_stage_note(pool->job, pool->items[task].clip, (mdm_stage_id)stage);
}

static mdm_status on_embedding(void *user, size_t task, int track, const float *values, int count, float weight)
{
    pool_state *pool = user;
    mdm_job *job = pool->job;
    MDM_TRY(mdm_realloc(&job->embeddings, job->embedding_count + 1, sizeof *job->embeddings, "embeddings"));
    mdm_job_embedding *e = &job->embeddings[job->embedding_count];
    *e = (mdm_job_embedding){(int)(pool->items[task].clip - job->clips), track, count, weight, NULL};
    MDM_TRY(mdm_alloc(&e->values, (size_t)count, sizeof *values, "embedding"));
    memcpy(e->values, values, (size_t)count * sizeof *values);
    job->embedding_count++;
    return MDM_OK;
}

static mdm_status on_finished(void *user, size_t index)
{
    pool_state *pool = user;
    mdm_task *task = &pool->tasks[index];
    if (pool->source)
        MDM_TRY(pool->source->ended(pool->source->user, index, task->status, task->message));
    if (task->status == MDM_OK)
        return MDM_OK;
    mdm_job_clip_failed(pool->items[index].clip, task->status, task->message);
    for (int s = 0; s < MDM_STAGE_COUNT; s++) /* what will not be done now counts as over */
        if (pool->items[index].todo >> s & 1)
            mdm_display_ended(pool->job->display, task->name, stage_name(s), stage_weight(s), "failed");
    mdm_log(MDM_LOG_ERROR, "%s (%s): %s", pool->items[index].clip->input->path, task->name, task->message);
    /* Without room on the disk the next clip would fail as well: stop while everything is in order. */
    if (task->status == MDM_ERR_WRITE)
        return mdm_fail(MDM_ERR_WRITE, "%s", task->message);
    return MDM_OK;
}

static mdm_status on_idle(void *user)
{
    const pool_state *pool = user;
    mdm_display_draw(pool->job->display);
    if (pool->job->claim)
        MDM_TRY(mdm_claim_renew(pool->job->claim));
    return pool->source ? pool->source->idle(pool->source->user) : MDM_OK;
}

/* What a task has to do appears on the display. */
static void set_task(pool_state *pool, size_t task, mdm_job_clip *clip, unsigned todo, bool embed)
{
    pool->items[task] = (clip_task){pool->job, clip, todo, embed};
    pool->tasks[task] = (mdm_task){.name = clip->input->clip_id, .work = run_stages, .user = &pool->items[task]};
    for (int s = 0; s < MDM_STAGE_COUNT; s++)
        if (pool->job->display && todo >> s & 1)
            mdm_display_add_total(pool->job->display, stage_weight(s));
}

static mdm_next on_next(void *user, size_t *task)
{
    pool_state *pool = user;
    unsigned todo = 0;
    const mdm_next next = pool->source->next(pool->source->user, task, &todo);
    if (next == MDM_NEXT_TASK)
        set_task(pool, *task, &pool->job->clips[*task], todo, false);
    return next;
}

static mdm_status run_pool(pool_state *pool, size_t count, bool serial)
{
    mdm_pool_events events = {.stage_started = on_started,
                              .stage_done = on_done,
                              .progress = on_progress,
                              .embedding = on_embedding,
                              .finished = on_finished,
                              .idle = on_idle,
                              .user = pool};
    if (pool->source)
        events.next = on_next;
    int jobs = serial ? 1 : pool->job->settings.jobs;
    const mdm_pool_limits limits = {jobs > 0 ? jobs : 1, pool->job->settings.memory, 1800};
    return mdm_pool_run(pool->tasks, count, &limits, &events);
}

static mdm_status new_pool(pool_state *pool, mdm_job *job)
{
    *pool = (pool_state){.job = job};
    MDM_TRY(mdm_make_folder(job->layout.work, 0700));
    MDM_TRY(mdm_alloc(&pool->items, job->clip_count, sizeof *pool->items, "tasks"));
    mdm_status status = mdm_alloc(&pool->tasks, job->clip_count, sizeof *pool->tasks, "tasks");
    if (status != MDM_OK)
        mdm_free(&pool->items);
    return status;
}

static void free_pool(pool_state *pool)
{
    mdm_free(&pool->tasks);
    mdm_free(&pool->items);
}

mdm_status mdm_job_stages(mdm_job *job, mdm_stage_id first, mdm_stage_id last, bool serial, bool embed)
{
    pool_state pool;
    size_t count = 0;
    MDM_TRY(new_pool(&pool, job));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (clip->status != MDM_OK)
            continue;
        status = mdm_job_keys(job, clip);
        unsigned todo = 0;
        for (int s = first; s <= (int)last && status == MDM_OK; s++) {
            if (mdm_job_stage_done(job, clip, (mdm_stage_id)s))
                continue;
            todo |= 1u << s;
            status = mdm_job_stage_forget(job, clip, (mdm_stage_id)s);
        }
        if (!todo && !embed)
            continue;
        if (status == MDM_OK)
            status = mdm_make_folder(clip->folder, 0700);
        set_task(&pool, count++, clip, todo, embed);
    }
    if (status == MDM_OK)
        status = run_pool(&pool, count, serial);
    free_pool(&pool);
    return status;
}

mdm_status mdm_job_stages_of(mdm_job *job, const mdm_job_source *source)
{
    pool_state pool;
    MDM_TRY(new_pool(&pool, job));
    pool.source = source;
    mdm_status status = run_pool(&pool, job->clip_count, false);
    free_pool(&pool);
    return status;
}

static bool not_stopped(void *user, double done, double total)
{
    (void)user, (void)done, (void)total;
    return !mdm_pool_stop_asked();
}

mdm_status mdm_stage_on_folder(mdm_stage_id stage, const char *folder, const char *source, const mdm_settings *settings)
{
    const mdm_progress progress = {not_stopped, NULL};
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
    MDM_TRY(mdm_job_find_folders(models, weights, settings));
    const char *slash = strrchr(folder, '/');
    const char *name = slash && slash[1] ? slash + 1 : folder;
    mdm_clip_work work = {.clip_id = name,
                          .source = source ? source : "",
                          .folder = folder,
                          .models = models,
                          .weights = weights,
                          .settings = settings,
                          .progress = &progress,
                          .threads = THREADS};
    mdm_status status = mdm_stage_at(stage)->stage.run(&work);
    return status == MDM_OK ? MDM_OK : mdm_fail_context(status, "%s", mdm_stage_at(stage)->stage.name);
}
