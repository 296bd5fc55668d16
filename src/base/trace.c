/* The file of trace.h: an event a line, each written at once to the end, so that processes need not wait for each other. */
#define _XOPEN_SOURCE 700
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int file = -1; /* workers inherit it */
static char *temporary, *name;

static mdm_status put(const char *line, size_t size)
{
    const ssize_t written = write(file, line, size);
    return written == (ssize_t)size
               ? MDM_OK
               : mdm_fail(MDM_ERR_WRITE, "%s: cannot be written: %s; check free space", name, strerror(errno));
}

mdm_status mdm_trace_open(const char *path)
{
    static const char begin[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
    mdm_status status = mdm_strdup(&name, path);
    if (status == MDM_OK)
        status = mdm_temp_name(&temporary, path);
    if (status == MDM_OK && (file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)) < 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be created: %s", path, strerror(errno));
    if (status == MDM_OK)
        status = put(begin, sizeof begin - 1);
    if (status != MDM_OK)
        mdm_trace_discard();
    return status;
}

bool mdm_trace_is_on(void)
{
    return file >= 0;
}

void mdm_trace_span(const char *what, double from, double to, int waiting)
{
    static atomic_int threads;
    static _Thread_local int thread;
    char line[256], queue[32] = "";
    if (file < 0)
        return;
    if (!thread)
        thread = atomic_fetch_add(&threads, 1) + 1;
    if (waiting >= 0)
        snprintf(queue, sizeof queue, "\"waiting\":%d", waiting);
    const int size = snprintf(line, sizeof line,
                              "{\"ph\":\"X\",\"name\":\"%.60s\",\"pid\":%ld,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,"
                              "\"args\":{%s}},\n",
                              what, (long)getpid(), thread, from * 1e6, (to - from) * 1e6, queue);
    put(line, (size_t)size); /* a trace that cannot be written costs no clip: closing it tells */
}

mdm_status mdm_trace_close(void)
{
    char line[128];
    const int size =
        snprintf(line, sizeof line,
                 "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%ld,\"tid\":0,\"args\":{\"name\":\"mmdm\"}}\n]}\n",
                 (long)getpid());
    mdm_status status = put(line, (size_t)size);
    if (close(file) != 0 && status == MDM_OK)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be written: %s", name, strerror(errno));
    file = -1;
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, name);
    if (status == MDM_OK)
        mdm_free(&temporary);
    mdm_trace_discard();
    return status;
}

void mdm_trace_discard(void)
{
    if (file >= 0)
        close(file);
    file = -1;
    if (temporary)
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    mdm_free(&name);
}
