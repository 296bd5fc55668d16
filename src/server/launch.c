/* Other processes: jobs, which are this program's own `run` and outlive the server, and short questions about a recording. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "server/web.h"

mdm_status web_path(char **out, const char *folder, ...)
{
    va_list names;
    mdm_status status = mdm_strdup(out, folder);
    va_start(names, folder);
    for (const char *name = va_arg(names, const char *); name && status == MDM_OK; name = va_arg(names, const char *)) {
        char *longer = NULL;
        status = mdm_join_path(&longer, *out, name);
        mdm_free(out);
        *out = longer;
    }
    va_end(names);
    return status;
}

/* ---- whether a job runs ------------------------------------------------------------------------------------------------ */

/* The process holds a record lock on private/page.lock from before its first instruction to its end, however that comes; the kernel says
 * whose it is. */
static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

bool web_job_runs(const char *folder, long *pid)
{
    char *path;
    if (web_path(&path, folder, "private", "page.lock", NULL) != MDM_OK)
        return false;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = whole_file(F_WRLCK);
    const bool runs = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    if (pid)
        *pid = runs ? (long)lock.l_pid : 0;
    mdm_free(&path);
    return runs;
}

/* ---- starting a job ---------------------------------------------------------------------------------------------------- */

/* What the child needs, made before the fork: after it, in a process of many threads, only plain calls of the system are allowed. */
typedef struct start_plan {
    const char *program;
    char *const *argv;
    char *lock, *events, *errors;
    int report; /* pipe: errno of what failed */
} start_plan;

static void calm_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void tell_and_end(int report, int problem)
{
    (void)!write(report, &problem, sizeof problem);
    _exit(1);
}

/* In the grandchild; never returns. */
static void become_job(const start_plan *plan)
{
    setsid();
    calm_signals();
    struct flock lock = whole_file(F_WRLCK);
    const int held = open(plan->lock, O_RDWR | O_CREAT, 0600);
    if (held < 0)
        tell_and_end(plan->report, errno);
    if (fcntl(held, F_SETLK, &lock) != 0)
        tell_and_end(plan->report, EAGAIN);
    const int input = open("/dev/null", O_RDONLY),
              events = open(plan->events, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600),
              errors = open(plan->errors, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (input < 0 || events < 0 || errors < 0 || dup2(input, 0) < 0 || dup2(events, 1) < 0 || dup2(errors, 2) < 0)
        tell_and_end(plan->report, errno);
    /* Nothing else of the server's goes along. */
    for (int fd = 3; fd < 4096; fd++)
        if (fd != held && fd != plan->report)
            close(fd);
    execv(plan->program, plan->argv);
    tell_and_end(plan->report, errno);
}

static mdm_status wait_for_report(int report)
{
    int problem = 0;
    const ssize_t n = read(report, &problem, sizeof problem);
    if (n == 0)
        return MDM_OK;
    if (problem == EAGAIN)
        return mdm_fail(MDM_ERR_AGAIN, "This job is being worked on already.");
    return mdm_fail(problem == ENOSPC ? MDM_ERR_WRITE : MDM_ERR_INTERNAL, "The job could not be started: %s.",
                    strerror(problem));
}

static mdm_status fork_job(const start_plan *plan)
{
    const pid_t child = fork();
    if (child < 0)
        return mdm_fail(MDM_ERR_AGAIN, "no process for the job: %s", strerror(errno));
    if (child == 0) { /* in between, so that the job is nobody's child and nobody has to wait for it */
        const pid_t job = fork();
        if (job == 0)
            become_job(plan);
        if (job < 0)
            tell_and_end(plan->report, errno);
        _exit(0);
    }
    int ignored;
    while (waitpid(child, &ignored, 0) < 0 && errno == EINTR)
        ;
    return MDM_OK;
}

mdm_status web_launch(const mdm_web *web, const char *folder, char *const *words)
{
    enum { MOST = 4096 };
    const char *argv[MOST] = {"mmdm", words[0], "--json", "--keep-work"};
    size_t count = 4;
    int ends[2];
    start_plan plan = {.program = web->program, .argv = (char *const *)argv};
    for (char *const *word = words + 1; *word && count < MOST - 1; word++)
        argv[count++] = *word;
    argv[count] = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return mdm_fail(MDM_ERR_AGAIN, "no pipe for the job: %s", strerror(errno));
    plan.report = ends[1];
    mdm_status status = web_path(&plan.lock, folder, "private", "page.lock", NULL);
    if (status == MDM_OK)
        status = web_path(&plan.events, folder, "private", "events.jsonl", NULL);
    if (status == MDM_OK)
        status = web_path(&plan.errors, folder, "private", "errors.txt", NULL);
    if (status == MDM_OK)
        status = fork_job(&plan);
    close(ends[1]);
    if (status == MDM_OK)
        status = wait_for_report(ends[0]);
    close(ends[0]);
    mdm_free(&plan.lock);
    mdm_free(&plan.events);
    mdm_free(&plan.errors);
    return status;
}

/* ---- a question -------------------------------------------------------------------------------------------------------- */

static void become_answer(const mdm_web *web, char *const *argv, int out, int seconds, int memory)
{
    const struct rlimit cpu = {(rlim_t)seconds, (rlim_t)seconds}, data = {(rlim_t)memory << 20, (rlim_t)memory << 20};
    calm_signals();
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_DATA, &data);
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(70);
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
    execv(web->program, argv);
    _exit(70);
}

static void read_answer(mdm_buffer *out, int fd, double until)
{
    char piece[4096];
    while (web_now() < until) {
        struct pollfd polled = {fd, POLLIN, 0};
        if (poll(&polled, 1, 200) <= 0)
            continue;
        const ssize_t n = read(fd, piece, sizeof piece);
        if (n <= 0 || mdm_buffer_append(out, piece, (size_t)n) != MDM_OK)
            return;
    }
}

mdm_status web_ask(mdm_buffer *out, const mdm_web *web, char *const *words, int seconds, int memory)
{
    enum { MOST = 16 };
    const char *argv[MOST] = {"mmdm"};
    int ends[2], state = 0;
    for (size_t i = 0; words[i] && i + 2 < MOST; i++)
        argv[i + 1] = words[i];
    out->max = 65536;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return mdm_fail(MDM_ERR_AGAIN, "no pipe: %s", strerror(errno));
    const pid_t child = fork();
    if (child == 0)
        become_answer(web, (char *const *)argv, ends[1], seconds, memory);
    close(ends[1]);
    if (child > 0) {
        read_answer(out, ends[0], web_now() + 2 * seconds);
        kill(child, SIGKILL); /* it has said what it says, or never will */
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    if (child < 0)
        return mdm_fail(MDM_ERR_AGAIN, "no process: %s", strerror(errno));
    return MDM_OK;
}
