/* The pool: forks workers, reads their messages, notices their deaths. */
#define _GNU_SOURCE
#include "pipeline/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define MAX_PAYLOAD ((uint32_t)1 << 20)

#if defined(__SANITIZE_ADDRESS__)
#define LIMIT_MEMORY 0 /* the sanitizer's shadow is larger than any limit */
#else
#define LIMIT_MEMORY 1
#endif

typedef enum message_kind { M_STARTED = 1, M_DONE, M_PROGRESS, M_EMBEDDING, M_NUMBERS, M_LOG, M_RESULT } message_kind;

typedef struct message_head {
    uint32_t kind, size;
    int32_t stage; /* or track, or log level, or status */
    float value;   /* fraction or weight */
} message_head;

struct mdm_worker {
    int fd;
    int stage;
    double last_progress;
};

/* One running child as the parent sees it. */
typedef struct child {
    pid_t pid;
    int fd;
    size_t task;
    int stage;
    bool has_result;
    double heard; /* time of the last message */
    mdm_buffer inbox;
} child;

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    if (stop_asked)
        _exit(128 + number);
    stop_asked = 1;
}

bool mdm_pool_stop_asked(void)
{
    return stop_asked != 0;
}

void mdm_pool_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_stop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL); /* Slurm's notice that the time is nearly up */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* ---- the child's side -------------------------------------------------------------------------------------------- */

static mdm_status send_message(mdm_worker *worker, message_head head, const void *payload, size_t size)
{
    head.size = (uint32_t)size;
    const void *parts[2] = {&head, payload};
    size_t sizes[2] = {sizeof head, size};
    for (int p = 0; p < 2; p++) {
        const char *at = parts[p];
        for (size_t left = sizes[p]; left;) {
            ssize_t n = write(worker->fd, at, left);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return mdm_fail(MDM_ERR_CANCELLED, "the parent process is gone");
            at += n;
            left -= (size_t)n;
        }
    }
    return MDM_OK;
}

mdm_status mdm_worker_stage_started(mdm_worker *worker, int stage)
{
    worker->stage = stage;
    worker->last_progress = 0;
    return send_message(worker, (message_head){.kind = M_STARTED, .stage = stage}, NULL, 0);
}

mdm_status mdm_worker_stage_done(mdm_worker *worker, int stage)
{
    return send_message(worker, (message_head){.kind = M_DONE, .stage = stage}, NULL, 0);
}

static bool progress_update(void *user, double done, double total)
{
    mdm_worker *worker = user;
    double t = mdm_now();
    if (t - worker->last_progress < 0.2)
        return true;
    worker->last_progress = t;
    float fraction = total > 0 ? (float)(done / total) : 0;
    message_head head = {.kind = M_PROGRESS, .stage = worker->stage, .value = fraction};
    return send_message(worker, head, NULL, 0) == MDM_OK;
}

mdm_progress mdm_worker_progress(mdm_worker *worker)
{
    return (mdm_progress){progress_update, worker};
}

mdm_status mdm_worker_embedding(void *user, int track, const float *values, int count, float weight)
{
    if (count <= 0 || (size_t)count > MAX_PAYLOAD / sizeof *values)
        return mdm_fail(MDM_ERR_INTERNAL, "an embedding of %d values", count);
    message_head head = {.kind = M_EMBEDDING, .stage = track, .value = weight};
    return send_message(user, head, values, (size_t)count * sizeof *values);
}

mdm_status mdm_worker_numbers(mdm_worker *worker, const double *values, size_t count)
{
    if (count > MAX_PAYLOAD / sizeof *values)
        return mdm_fail(MDM_ERR_INTERNAL, "%zu numbers in one message", count);
    return send_message(worker, (message_head){.kind = M_NUMBERS}, values, count * sizeof *values);
}

static void log_to_parent(void *user, mdm_log_level level, const char *text)
{
    size_t size = strlen(text);
    (void)send_message(user, (message_head){.kind = M_LOG, .stage = (int32_t)level}, text, size);
}

/* Never returns. */
static void be_worker(const mdm_task *task, int fd, const mdm_pool_limits *limits, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);            /* the parent died before the line above */
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group: the parent decides */
    signal(SIGTERM, SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core); /* a core file would hold faces */
    if (limits->memory_mib > 0 && LIMIT_MEMORY) {
        struct rlimit data = {(rlim_t)limits->memory_mib << 20, (rlim_t)limits->memory_mib << 20};
        setrlimit(RLIMIT_DATA, &data);
    }
    mdm_worker worker = {.fd = fd};
    mdm_log_to(log_to_parent, &worker);
    mdm_status status = task->work(&worker, task->user);
    const char *message = status == MDM_OK ? "" : mdm_error_message();
    (void)send_message(&worker, (message_head){.kind = M_RESULT, .stage = (int32_t)status}, message, strlen(message));
    _exit(0); /* not exit(): buffers and handlers belong to the parent */
}

/* ---- the parent's side ------------------------------------------------------------------------------------------- */

/* Of the cards the process may use (CUDA_VISIBLE_DEVICES, what schedulers set), a worker sees one: worker `place` of those that run
 * at a time. */
static void take_card(int place)
{
    const char *cards = getenv("CUDA_VISIBLE_DEVICES");
    char mine[64];
    int count = cards && *cards ? 1 : 0;
    for (const char *at = cards; at && (at = strchr(at, ',')); at++)
        count++;
    if (count < 2)
        return;
    for (int skip = place % count; skip > 0; skip--)
        cards = strchr(cards, ',') + 1;
    snprintf(mine, sizeof mine, "%.*s", (int)strcspn(cards, ","), cards);
    setenv("CUDA_VISIBLE_DEVICES", mine, 1);
}

static mdm_status start_child(child *slot, mdm_task *tasks, size_t task, int place, const mdm_pool_limits *limits)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return mdm_fail(MDM_ERR_INTERNAL, "no pipe for a worker: %s", strerror(errno));
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        mdm_status status = mdm_fail(MDM_ERR_AGAIN, "no process for a worker: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        return status;
    }
    if (pid == 0) {
        close(ends[0]);
        take_card(place);
        be_worker(&tasks[task], ends[1], limits, parent);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *slot = (child){.pid = pid, .fd = ends[0], .task = task, .stage = -1, .heard = mdm_now()};
    slot->inbox.max = (size_t)MAX_PAYLOAD * 2;
    return MDM_OK;
}

static mdm_status call(mdm_status (*callback)(void *, size_t, int), const mdm_pool_events *events, size_t task,
                       int value)
{
    return callback ? callback(events->user, task, value) : MDM_OK;
}

/* Payloads are copied first: the inbox is not aligned for numbers. */
static mdm_status take_embedding(const child *from, const mdm_pool_events *events, const message_head *head,
                                 const unsigned char *payload)
{
    size_t count = head->size / sizeof(float);
    float *values;
    if (!events->embedding || !count)
        return MDM_OK;
    MDM_TRY(mdm_alloc(&values, count, sizeof *values, "embedding"));
    memcpy(values, payload, count * sizeof *values);
    mdm_status status = events->embedding(events->user, from->task, head->stage, values, (int)count, head->value);
    mdm_wipe(values, count * sizeof *values);
    mdm_free(&values);
    return status;
}

static mdm_status take_numbers(const child *from, const mdm_pool_events *events, const message_head *head,
                               const unsigned char *payload)
{
    size_t count = head->size / sizeof(double);
    double *values;
    if (!events->numbers)
        return MDM_OK;
    MDM_TRY(mdm_alloc(&values, count, sizeof *values, "numbers"));
    if (count)
        memcpy(values, payload, count * sizeof *values);
    mdm_status status = events->numbers(events->user, from->task, values, count);
    mdm_free(&values);
    return status;
}

static mdm_status take_message(child *from, mdm_task *task, const mdm_pool_events *events, const message_head *head,
                               const unsigned char *payload)
{
    mdm_buffer text = {0};
    switch ((message_kind)head->kind) {
    case M_STARTED:
        from->stage = head->stage;
        return call(events->stage_started, events, from->task, head->stage);
    case M_DONE:
        return call(events->stage_done, events, from->task, head->stage);
    case M_PROGRESS:
        return events->progress ? events->progress(events->user, from->task, head->stage, head->value) : MDM_OK;
    case M_EMBEDDING:
        return take_embedding(from, events, head, payload);
    case M_NUMBERS:
        return take_numbers(from, events, head, payload);
    case M_LOG:
        MDM_TRY(mdm_buffer_append(&text, payload, head->size));
        mdm_log((mdm_log_level)head->stage, "%s: %s", task->name, (const char *)text.data);
        mdm_buffer_free(&text);
        return MDM_OK;
    case M_RESULT:
        from->has_result = true;
        task->status = (mdm_status)head->stage;
        snprintf(task->message, sizeof task->message, "%.*s", (int)head->size, (const char *)payload);
        return MDM_OK;
    }
    return mdm_fail(MDM_ERR_INTERNAL, "%s: a message of an unknown kind from its worker", task->name);
}

/* Takes whole messages out of the inbox. */
static mdm_status take_messages(child *from, mdm_task *task, const mdm_pool_events *events)
{
    size_t at = 0;
    mdm_status status = MDM_OK;
    while (status == MDM_OK && from->inbox.size - at >= sizeof(message_head)) {
        message_head head;
        memcpy(&head, from->inbox.data + at, sizeof head);
        if (head.size > MAX_PAYLOAD)
            return mdm_fail(MDM_ERR_INTERNAL, "%s: a message of %u bytes from its worker", task->name, head.size);
        if (from->inbox.size - at - sizeof head < head.size)
            break;
        status = take_message(from, task, events, &head, from->inbox.data + at + sizeof head);
        at += sizeof head + head.size;
    }
    if (at) { /* embeddings pass through here: leave none behind */
        memmove(from->inbox.data, from->inbox.data + at, from->inbox.size - at);
        mdm_wipe(from->inbox.data + from->inbox.size - at, at);
        from->inbox.size -= at;
    }
    return status;
}

/* Reads what has arrived; *closed when the worker's end is gone. */
static mdm_status hear_child(child *from, mdm_task *task, const mdm_pool_events *events, bool *closed)
{
    unsigned char piece[1 << 14];
    *closed = false;
    for (;;) {
        ssize_t n = read(from->fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return MDM_OK;
        if (n <= 0) {
            *closed = true;
            return MDM_OK;
        }
        from->heard = mdm_now();
        MDM_TRY(mdm_buffer_append(&from->inbox, piece, (size_t)n));
        MDM_TRY(take_messages(from, task, events));
    }
}

/* Collects a child that closed its pipe, and says what became of its task. */
static void end_child(child *gone, mdm_task *task)
{
    int wait_status = 0;
    close(gone->fd);
    while (waitpid(gone->pid, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    if (!gone->has_result) {
        task->status = MDM_ERR_INTERNAL;
        if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL)
            snprintf(task->message, sizeof task->message,
                     "its worker was killed (out of memory? try --jobs 1, or a smaller --segment)");
        else if (WIFSIGNALED(wait_status))
            snprintf(task->message, sizeof task->message, "its worker died of signal %d (%s)", WTERMSIG(wait_status),
                     strsignal(WTERMSIG(wait_status)));
        else
            snprintf(task->message, sizeof task->message, "its worker ended with code %d without a result",
                     WEXITSTATUS(wait_status));
    }
    mdm_buffer_free(&gone->inbox);
    gone->pid = 0;
}

static void kill_children(child *children, int jobs)
{
    for (int i = 0; i < jobs; i++) {
        if (!children[i].pid)
            continue;
        kill(children[i].pid, SIGKILL);
        close(children[i].fd);
        while (waitpid(children[i].pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        mdm_buffer_free(&children[i].inbox);
        children[i].pid = 0;
    }
}

/* Waits a tenth of a second for messages, and takes them. *running counts the living. */
static mdm_status serve_children(child *children, struct pollfd *polls, int *running, mdm_task *tasks,
                                 const mdm_pool_limits *limits, const mdm_pool_events *events)
{
    for (int i = 0; i < limits->jobs; i++)
        polls[i] = (struct pollfd){.fd = children[i].pid ? children[i].fd : -1, .events = POLLIN};
    (void)poll(polls, (nfds_t)limits->jobs, 100); /* EINTR: the loop comes round again */
    for (int i = 0; i < limits->jobs; i++) {
        child *c = &children[i];
        if (!c->pid)
            continue;
        bool closed;
        MDM_TRY(hear_child(c, &tasks[c->task], events, &closed));
        if (closed) {
            size_t task = c->task;
            end_child(c, &tasks[task]);
            --*running;
            if (events->finished)
                MDM_TRY(events->finished(events->user, task));
        } else if (limits->stall > 0 && mdm_now() - c->heard > limits->stall) {
            mdm_log(MDM_LOG_WARN, "%s: no sign of life for %.0f s, its worker is ended", tasks[c->task].name,
                    limits->stall);
            kill(c->pid, SIGKILL);
            c->heard = mdm_now();
        }
    }
    return MDM_OK;
}

mdm_status mdm_pool_run(mdm_task *tasks, size_t count, const mdm_pool_limits *limits, const mdm_pool_events *events)
{
    child *children = NULL;
    struct pollfd *polls = NULL;
    int running = 0;
    size_t next = 0;
    mdm_status status = mdm_alloc(&children, (size_t)limits->jobs, sizeof *children, "workers");
    if (status == MDM_OK)
        status = mdm_alloc(&polls, (size_t)limits->jobs, sizeof *polls, "workers");
    bool more = count > 0;
    while (status == MDM_OK && (more || running > 0)) {
        if (stop_asked) {
            status = mdm_fail(MDM_ERR_CANCELLED, "stopped; the same command goes on from here");
            break;
        }
        for (int i = 0; i < limits->jobs && more && status == MDM_OK; i++) {
            if (children[i].pid)
                continue;
            size_t task = next;
            const mdm_next asked = events->next ? events->next(events->user, &task) : MDM_NEXT_TASK;
            more = asked != MDM_NEXT_NONE && (events->next || next + 1 < count);
            if (asked != MDM_NEXT_TASK)
                break;
            status = start_child(&children[i], tasks, task, i, limits);
            next++;
            running += status == MDM_OK;
        }
        if (status == MDM_OK)
            status = serve_children(children, polls, &running, tasks, limits, events);
        if (status == MDM_OK && events->idle)
            status = events->idle(events->user);
    }
    if (children)
        kill_children(children, limits->jobs);
    mdm_free(&children);
    mdm_free(&polls);
    return status;
}
