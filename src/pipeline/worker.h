/* Worker processes: one fork per task, results over a pipe. A worker that dies costs its own task only; workers die
 * with their parent. */
#ifndef MDM_PIPELINE_WORKER_H
#define MDM_PIPELINE_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

typedef struct mdm_worker mdm_worker; /* the child's end */

typedef struct mdm_task {
    const char *name;                                   /* clip id, for messages */
    mdm_status (*work)(mdm_worker *worker, void *user); /* runs in the child process */
    void *user;
    mdm_status status;  /* result, set by mdm_pool_run */
    char message[1024]; /* of a failure */
} mdm_task;

typedef enum mdm_next { MDM_NEXT_TASK, MDM_NEXT_LATER, MDM_NEXT_NONE } mdm_next;

/* What the parent hears; every callback may be NULL. A failing callback stops the pool with its status. */
typedef struct mdm_pool_events {
    mdm_status (*stage_started)(void *user, size_t task, int stage);
    mdm_status (*stage_done)(void *user, size_t task, int stage);
    mdm_status (*progress)(void *user, size_t task, int stage, double fraction);
    mdm_status (*embedding)(void *user, size_t task, int track, const float *values, int count, float weight);
    mdm_status (*numbers)(void *user, size_t task, const double *values, size_t count);
    mdm_status (*finished)(void *user, size_t task);
    mdm_status (*idle)(void *user); /* about ten times a second, to redraw */
    /* Which task a free worker does: *task is set for MDM_NEXT_TASK; LATER: none at this moment; NONE: none any more. NULL: each in
     * order. */
    mdm_next (*next)(void *user, size_t *task);
    void *user;
} mdm_pool_events;

typedef struct mdm_pool_limits {
    int jobs;       /* workers at a time, >= 1 */
    int memory_mib; /* per worker, 0 = none */
    double stall;   /* seconds without a sign of life after which a worker is ended; 0 = never */
} mdm_pool_limits;

/* Runs all tasks, at most limits->jobs at a time, starting them in order. A task's failure is in the task; the return
 * value is only about the pool itself (MDM_ERR_CANCELLED after SIGINT or SIGTERM). */
mdm_status mdm_pool_run(mdm_task *tasks, size_t count, const mdm_pool_limits *limits, const mdm_pool_events *events);

/* For the child. Progress is thinned out to a few messages a second. */
mdm_status mdm_worker_stage_started(mdm_worker *worker, int stage);
mdm_status mdm_worker_stage_done(mdm_worker *worker, int stage);
mdm_progress mdm_worker_progress(mdm_worker *worker);
mdm_status mdm_worker_embedding(void *worker, int track, const float *values, int count, float weight);
mdm_status mdm_worker_numbers(mdm_worker *worker, const double *values, size_t count);

/* SIGINT, SIGTERM and SIGUSR1 ask the pool to stop (a second one ends the process); SIGPIPE is ignored. */
void mdm_pool_catch_signals(void);
bool mdm_pool_stop_asked(void); /* one of them came */

#endif
