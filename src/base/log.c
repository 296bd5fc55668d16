/* Log lines on standard error, or JSON events on standard output when --json asks for them. */
#define _GNU_SOURCE
#include "base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mdm_log_level threshold = MDM_LOG_INFO;
static bool json_events;
static mdm_log_sink log_sink;
static void *log_user;

void mdm_log_to(mdm_log_sink sink, void *user)
{
    log_sink = sink;
    log_user = user;
}

void mdm_log_set(mdm_log_level level, bool events)
{
    threshold = level;
    json_events = events;
}

bool mdm_log_is_json(void)
{
    return json_events;
}

/* One write per line, so that lines of several processes do not mix. */
static void write_line(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n <= 0)
            return;
        text += n;
        size -= (size_t)n;
    }
}

void mdm_event(json_t *event)
{
    if (json_events && event) {
        char *text = json_dumps(event, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
        if (text) {
            size_t size = strlen(text);
            text[size] = '\n';
            write_line(STDOUT_FILENO, text, size + 1);
            free(text);
        }
    }
    json_decref(event);
}

void mdm_log(mdm_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char text[2200];
    if (level > threshold)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (log_sink) {
        log_sink(log_user, level, text);
        return;
    }
    if (json_events) {
        /* "s" refuses broken UTF-8 (a file name may hold any bytes): then only the fact is told. */
        json_t *event = json_pack("{s:s, s:s, s:s}", "event", "log", "level", names[level], "text", text);
        if (!event)
            event = json_pack("{s:s, s:s, s:s}", "event", "log", "level", names[level], "text",
                              "(a message that is not UTF-8)");
        mdm_event(event);
        return;
    }
    char line[2300];
    int size = level >= MDM_LOG_INFO ? snprintf(line, sizeof line, "%s\n", text)
                                     : snprintf(line, sizeof line, "mmdm: %s: %s\n", names[level], text);
    if (size > 0)
        write_line(STDERR_FILENO, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

bool mdm_progress_update(const mdm_progress *progress, double done, double total)
{
    return !progress || !progress->update || progress->update(progress->user, done, total);
}
