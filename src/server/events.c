/* A job's events as they come (server-sent events): the lines its process writes to private/events.jsonl, from where the reader left off. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/web.h"

enum { PIECE = 32768, LONGEST = 1 << 20, QUIET = 10 }; /* seconds without an event before a sign of life */

typedef struct stream {
    mdm_web *web;
    char *folder, *path;
    uint64_t offset;
    mdm_buffer ready; /* to be sent */
    size_t sent;
    bool over;
} stream;

/* Whole lines from `offset` on. A new run begins the file anew. */
static mdm_status read_lines(stream *s)
{
    struct stat info;
    char *piece;
    const int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return MDM_OK;
    mdm_status status = mdm_alloc(&piece, PIECE, 1, "events");
    if (status == MDM_OK && fstat(fd, &info) == 0 && (uint64_t)info.st_size < s->offset)
        s->offset = 0;
    const ssize_t n = status == MDM_OK ? pread(fd, piece, PIECE, (off_t)s->offset) : 0;
    close(fd);
    for (ssize_t at = 0; at < n && status == MDM_OK;) {
        const char *end = memchr(piece + at, '\n', (size_t)(n - at));
        if (!end) {
            if (at == 0 && n == PIECE) /* no event of ours is that long: it is passed over */
                s->offset += (uint64_t)n;
            break;
        }
        const size_t length = (size_t)(end - (piece + at));
        s->offset += length + 1;
        status = mdm_buffer_printf(&s->ready, "id: %llu\ndata: %.*s\n\n", (unsigned long long)s->offset, (int)length,
                                   piece + at);
        at += (ssize_t)length + 1;
    }
    mdm_free(&piece);
    return status;
}

/* Waits until there is something to send. */
static mdm_status fill(stream *s)
{
    const struct timespec pause = {0, 200000000};
    const double since = web_now();
    s->ready.size = s->sent = 0;
    while (!s->ready.size) {
        const bool runs = web_job_runs(s->folder, NULL); /* before reading: what it wrote last is seen */
        MDM_TRY(read_lines(s));
        if (s->ready.size)
            break;
        if (!runs || atomic_load(&s->web->stopping)) {
            s->over = true;
            return runs ? MDM_OK : mdm_buffer_printf(&s->ready, "event: end\ndata: {}\n\n");
        }
        if (web_now() - since > QUIET)
            return mdm_buffer_printf(&s->ready, ": still here\n\n");
        nanosleep(&pause, NULL);
    }
    return MDM_OK;
}

static ssize_t next_bytes(void *user, uint64_t position, char *out, size_t room)
{
    stream *s = user;
    (void)position;
    if (s->sent == s->ready.size) {
        if (s->over || fill(s) != MDM_OK || !s->ready.size)
            return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t size = s->ready.size - s->sent;
    size = size < room ? size : room;
    memcpy(out, s->ready.data + s->sent, size);
    s->sent += size;
    return (ssize_t)size;
}

static void close_stream(void *user)
{
    stream *s = user;
    mdm_free(&s->folder);
    mdm_free(&s->path);
    mdm_buffer_free(&s->ready);
    mdm_free(&s);
}

web_result web_job_events(web_request *request)
{
    stream *s;
    const char *last = web_header(request, "Last-Event-ID");
    mdm_status status = mdm_alloc(&s, 1, sizeof *s, "events");
    if (status != MDM_OK)
        return web_status(request, status);
    s->web = request->web;
    s->ready.max = LONGEST;
    if (last)
        (void)web_parse_number(&s->offset, last, INT64_MAX);
    status = web_job_folder(&s->folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = web_path(&s->path, s->folder, "private", "events.jsonl", NULL);
    if (status != MDM_OK) {
        close_stream(s);
        return web_status(request, status);
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, next_bytes, s, close_stream);
    if (!response)
        close_stream(s);
    else
        MHD_add_response_header(response, "Content-Type", "text/event-stream");
    return web_send(request, 200, response);
}
