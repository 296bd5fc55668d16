/* --segment: where long recordings are cut. Looking into a recording is a worker's work: its parsers may crash. */
#include <stdio.h>
#include <string.h>

#include "media/segment.h"
#include "pipeline/job.h"

typedef struct segment_task {
    const char *path;
    double seconds;
    double *cuts; /* in the parent */
    size_t count;
} segment_task;

static mdm_status find_cuts(mdm_worker *worker, void *user)
{
    segment_task *task = user;
    double *cuts;
    size_t count;
    MDM_TRY(mdm_segment_cuts(&cuts, &count, task->path, task->seconds));
    mdm_status status = mdm_worker_numbers(worker, cuts, count);
    mdm_free(&cuts);
    return status;
}

static mdm_status on_numbers(void *user, size_t index, const double *values, size_t count)
{
    segment_task *task = &((segment_task *)user)[index];
    MDM_TRY(mdm_alloc(&task->cuts, count, sizeof *values, "cuts"));
    if (count)
        memcpy(task->cuts, values, count * sizeof *values);
    task->count = count;
    return MDM_OK;
}

/* Only cuts inside --start ... --end count. */
static size_t inside(double *cuts, size_t count, const mdm_settings *settings)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (cuts[i] > settings->start && (settings->end <= 0 || cuts[i] < settings->end))
            cuts[kept++] = cuts[i];
    return kept;
}

static mdm_status split_all(mdm_job *job, const mdm_task *tasks, segment_task *items)
{
    for (size_t i = job->inputs.count; i-- > 0;) { /* from the end, so that earlier places stay valid */
        mdm_input *input = &job->inputs.items[i];
        if (input->status == MDM_OK && tasks[i].status != MDM_OK) {
            input->status = tasks[i].status;
            snprintf(input->message, sizeof input->message, "%.500s", tasks[i].message);
        }
        if (input->status != MDM_OK)
            continue;
        size_t count = inside(items[i].cuts, items[i].count, &job->settings);
        if (count) {
            input->start = job->settings.start;
            input->end = job->settings.end;
        }
        MDM_TRY(mdm_inputs_split(&job->inputs, i, items[i].cuts, count));
    }
    return MDM_OK;
}

mdm_status mdm_job_segment(mdm_job *job)
{
    size_t count = job->inputs.count;
    mdm_task *tasks = NULL;
    segment_task *items = NULL;
    mdm_status status = mdm_alloc(&tasks, count, sizeof *tasks, "segments");
    if (status == MDM_OK)
        status = mdm_alloc(&items, count, sizeof *items, "segments");
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        items[i] = (segment_task){job->inputs.items[i].path, job->settings.segment, NULL, 0};
        tasks[i] = (mdm_task){.name = job->inputs.items[i].path, .work = find_cuts, .user = &items[i]};
    }
    const mdm_pool_events events = {.numbers = on_numbers, .user = items};
    const mdm_pool_limits limits = {job->settings.jobs, job->settings.memory, 1800};
    if (status == MDM_OK)
        status = mdm_pool_run(tasks, count, &limits, &events);
    if (status == MDM_OK)
        status = split_all(job, tasks, items);
    for (size_t i = 0; items && i < count; i++)
        mdm_free(&items[i].cuts);
    mdm_free(&items);
    mdm_free(&tasks);
    return status;
}
