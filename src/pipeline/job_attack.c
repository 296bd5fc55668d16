/* Before the audit: workers hand over the face vectors of recordings and results, the attacks are counted here, and the vectors
 * are wiped. Nothing is written. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "dataset/attack.h"
#include "pipeline/job.h"
#include "stages/attack.h"

enum { THREADS = 2 };

typedef struct clip_task {
    const mdm_job *job;
    const mdm_job_clip *clip;
    int *person; /* of the clip's plan.json: number among the job's */
    size_t persons;
} clip_task;

typedef struct gathered {
    clip_task *items;
    mdm_attack_sample *sample;
    size_t count;
    const char **person; /* ids; borrowed from the job's plan */
    size_t person_count;
} gathered;

static mdm_status embed(mdm_worker *worker, void *user)
{
    const clip_task *task = user;
    const mdm_embedding_sink sink = {mdm_worker_embedding, worker};
    mdm_progress progress = mdm_worker_progress(worker);
    mdm_settings settings;
    mdm_job_clip_settings(&settings, task->job, task->clip);
    mdm_clip_work work = {.clip_id = task->clip->input->clip_id,
                          .source = task->clip->input->path,
                          .folder = task->clip->folder,
                          .models = task->job->models,
                          .weights = task->job->weights,
                          .settings = &settings,
                          .progress = &progress,
                          .embeddings = &sink,
                          .threads = THREADS};
    return mdm_stage_attack(&work);
}

/* A vector comes out of a pipe: everything in it is checked. */
static mdm_status on_embedding(void *user, size_t task, int person, const float *values, int count, float weight)
{
    gathered *g = user;
    const clip_task *from = &g->items[task];
    (void)weight;
    if (count < 4 || person < 0 || (size_t)person >= from->persons || from->person[person] < 0)
        return MDM_OK;
    int kind = (int)values[0],
        size = kind >= 0 && kind < MDM_RECOGNISER_COUNT ? mdm_recogniser_size((mdm_recogniser_kind)kind) : 0;
    if (size != count - 3)
        return MDM_OK;
    MDM_TRY(mdm_realloc(&g->sample, g->count + 1, sizeof *g->sample, "attack"));
    mdm_attack_sample *sample = &g->sample[g->count];
    *sample = (mdm_attack_sample){.kind = (mdm_recogniser_kind)kind,
                                  .side = values[1] > 0.5f,
                                  .clip = (int)task,
                                  .person = from->person[person],
                                  .frame = (int)values[2]};
    MDM_TRY(mdm_alloc(&sample->values, (size_t)size, sizeof(float), "attack"));
    memcpy(sample->values, values + 3, (size_t)size * sizeof(float));
    g->count++;
    return MDM_OK;
}

static int number_of(const gathered *g, const char *id)
{
    for (size_t i = 0; id && i < g->person_count; i++)
        if (strcmp(g->person[i], id) == 0)
            return (int)i;
    return -1;
}

static mdm_status read_persons(clip_task *task, const gathered *g)
{
    json_t *plan, *person;
    size_t i;
    mdm_status status = mdm_json_load_from(&plan, task->clip->folder, "plan.json", 0);
    const json_t *persons = json_object_get(plan, "persons");
    task->persons = json_array_size(persons);
    if (!status)
        status = mdm_alloc(&task->person, task->persons + 1, sizeof *task->person, "attack");
    json_array_foreach((json_t *)persons, i, person)
    {
        if (!status)
            task->person[i] = number_of(g, json_string_value(json_object_get(person, "id")));
    }
    json_decref(plan);
    return status;
}

static mdm_status attack(json_t **out, mdm_job *job, gathered *g, mdm_task *tasks)
{
    const json_t *persons = json_object_get(job->plan, "persons");
    size_t i, count = 0;
    json_t *person;
    MDM_TRY(mdm_alloc(&g->person, json_array_size(persons) + 1, sizeof *g->person, "attack"));
    json_array_foreach((json_t *)persons, i, person)
    {
        const char *id = json_string_value(json_object_get(person, "id"));
        if (id)
            g->person[g->person_count++] = id;
    }
    for (i = 0; i < job->clip_count; i++) {
        mdm_job_clip *clip = &job->clips[i];
        if (clip->status != MDM_OK || !clip->passed)
            continue;
        g->items[count] = (clip_task){.job = job, .clip = clip};
        MDM_TRY(read_persons(&g->items[count], g));
        tasks[count] = (mdm_task){.name = clip->input->clip_id, .work = embed, .user = &g->items[count]};
        count++;
    }
    const mdm_pool_events events = {.embedding = on_embedding, .user = g};
    const mdm_pool_limits limits = {job->settings.jobs, job->settings.memory, 1800};
    MDM_TRY(mdm_pool_run(tasks, count, &limits, &events));
    for (i = 0; i < count; i++)
        if (tasks[i].status != MDM_OK) {
            /* Figures without this clip would look better than they are. */
            mdm_log(MDM_LOG_WARN, "%s: the audit has no attacks over the whole dataset: %s", tasks[i].name,
                    tasks[i].message);
            return MDM_OK;
        }
    const mdm_attack_setting setting = {g->person, g->person_count, job->settings.identity == MDM_IDENTITY_PER_PERSON};
    return mdm_attack_report(out, &setting, g->sample, g->count);
}

mdm_status mdm_job_attack(json_t **out, mdm_job *job)
{
    gathered g = {0};
    mdm_task *tasks = NULL;
    *out = NULL;
    mdm_status status = mdm_alloc(&g.items, job->clip_count + 1, sizeof *g.items, "attack");
    if (!status)
        status = mdm_alloc(&tasks, job->clip_count + 1, sizeof *tasks, "attack");
    if (!status)
        status = attack(out, job, &g, tasks);
    for (size_t i = 0; i < g.count; i++) {
        mdm_wipe(g.sample[i].values, (size_t)mdm_recogniser_size(g.sample[i].kind) * sizeof(float));
        mdm_free(&g.sample[i].values);
    }
    for (size_t i = 0; g.items && i < job->clip_count; i++)
        mdm_free(&g.items[i].person);
    mdm_free(&g.sample);
    mdm_free(&g.person);
    mdm_free(&g.items);
    mdm_free(&tasks);
    return status;
}
