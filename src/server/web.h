/* What the files of the page's server share: the server, a request, replies, and the handlers of the table in request.c. */
#ifndef MDM_SERVER_WEB_H
#define MDM_SERVER_WEB_H

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/memory.h"
#include "base/status.h"
#include "mmdm.h"

#define WEB_SECRET      33 /* 128 bits in hexadecimal, and the NUL */
#define WEB_SESSIONS    32
#define WEB_CONNECTIONS 160
#define WEB_HOSTS       24
#define WEB_ROOTS       32
#define WEB_BODY        ((size_t)1 << 20) /* of JSON */
#define WEB_CHUNK       ((uint64_t)16 << 20)
#define WEB_HEADERS     16384
#define WEB_UPLOADS     10000
#define WEB_HEADER_TIME 15 /* seconds for a request's head */
#define WEB_IDS         3

/* A folder that --root names, held open: what is under it is opened beneath it (roots.c). */
typedef struct web_root {
    int fd;
    char *path; /* absolute */
} web_root;

/* A connection that has not sent a whole head yet (guard.c ends those that take too long). */
typedef struct web_waiting {
    struct MHD_Connection *connection;
    int fd;
    double since; /* 0: its head is here */
} web_waiting;

typedef struct web_session {
    char secret[WEB_SECRET];
    double used;
} web_session;

typedef struct web_places web_places; /* ids of files and folders (roots.c) */

typedef struct mdm_web {
    char *home, *uploads, *jobs; /* folders, absolute, 0700 */
    int lock;
    int port;
    bool tls;
    uint64_t quota, largest; /* bytes */
    char *hosts[WEB_HOSTS];  /* exact values of Host: "localhost:8417" */
    int host_count;
    char cookie[24]; /* its name: cookies do not tell ports apart */
    web_root roots[WEB_ROOTS];
    int root_count;
    char *program; /* this executable, for jobs */

    pthread_mutex_t mutex; /* of all below */
    char token[WEB_SECRET];
    web_session sessions[WEB_SESSIONS];
    double failed_since;
    int failed;
    web_waiting waiting[WEB_CONNECTIONS * 2];
    web_places *places;
    char busy[WEB_CONNECTIONS][WEB_SECRET]; /* uploads that a request is writing to */

    atomic_bool stopping;
    void (*say)(void *user, const char *line);
    void *user;
} mdm_web;

typedef struct web_request {
    mdm_web *web;
    struct MHD_Connection *connection;
    const struct web_route *route;
    const char *method, *url;
    char id[WEB_IDS][WEB_SECRET]; /* what stood for the route's '*'s */
    mdm_buffer body;
    json_t *json;      /* of a body of JSON; borrowed by handlers */
    uint64_t expected; /* Content-Length */
    double started;
    bool replied;
    int code;
    void *taking; /* of a route that takes its body piece by piece */
} web_request;

typedef enum MHD_Result web_result;

/* How a route wants its body. */
typedef enum web_body { BODY_NONE, BODY_JSON, BODY_STREAM } web_body;

typedef struct web_route {
    const char *method, *pattern; /* in the pattern a star is one id */
    web_body body;
    web_result (*handle)(web_request *request);
    /* BODY_STREAM: the head is here; a piece came; the connection ended early. The first two reply when they fail. */
    web_result (*begin)(web_request *request);
    web_result (*piece)(web_request *request, const char *data, size_t size);
    void (*dropped)(web_request *request);
} web_route;

/* ---- reply.c ---- */
web_result web_json(web_request *request, int code, json_t *value); /* takes the reference */
web_result web_fail(web_request *request, int code, const char *format, ...) MDM_PRINTF(3, 4);
web_result web_status(web_request *request, mdm_status status); /* this thread's message, with the fitting code */
web_result web_send(web_request *request, int code,
                    struct MHD_Response *response); /* takes it; adds the headers of all */
web_result web_bytes(web_request *request, int code, const char *type, const void *data, size_t size);
const char *web_header(const web_request *request, const char *name);
const char *web_query(const web_request *request, const char *name);

/* ---- guard.c: what every request has to pass, before its body is read ---- */
web_result web_guard(bool *refused, web_request *request);
void web_connection(void *user, struct MHD_Connection *connection, void **socket_user,
                    enum MHD_ConnectionNotificationCode code);
void web_head_arrived(mdm_web *web, struct MHD_Connection *connection);
void web_request_ended(mdm_web *web, struct MHD_Connection *connection);
void web_end_slow(mdm_web *web); /* called once a second */

/* ---- session.c ---- */
void web_secret(char out[WEB_SECRET]);
bool web_same_secret(const char *a, const char *b); /* takes the same time wherever they differ */
bool web_has_session(web_request *request);
web_result web_open(web_request *request); /* GET /open?token= */

/* ---- the parsers of what clients send (fuzz/fuzz_http.c) ---- */
/* JSON text of at most `depth` brackets within one another; MDM_ERR_INPUT otherwise. */
mdm_status web_parse_json(json_t **out, const char *text, size_t size, int depth);
/* "bytes=first-last", "bytes=first-", "bytes=-count" of a file of `size` bytes. False: not one range that can be had. */
bool web_parse_range(uint64_t *first, uint64_t *last, const char *text, uint64_t size);
/* Digits only, at most `max`. */
bool web_parse_number(uint64_t *out, const char *text, uint64_t max);
/* A file's name as people may have it: UTF-8 without '/', control characters, not "." or "..", at most 255 bytes. */
bool web_is_name(const char *text);
/* Fits `url` to a route's pattern, ids ([a-z0-9-], at most 32) into `id`. */
bool web_match(char id[WEB_IDS][WEB_SECRET], const char *pattern, const char *url);

/* ---- request.c ---- */
web_result web_handle(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                      const char *version, const char *data, size_t *size, void **state);
void web_completed(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code);
double web_now(void); /* seconds, steady */

/* ---- handlers ---- */
bool web_asset_handle(web_result *out, web_request *request); /* assets.c: false when there is no such file */

web_result web_form(web_request *request);    /* form.c: GET /api/form */
web_result web_command(web_request *request); /* POST /api/command */

web_result web_uploads_list(web_request *request); /* uploads.c */
web_result web_uploads_new(web_request *request);
web_result web_upload_begin(web_request *request);
web_result web_upload_piece(web_request *request, const char *data, size_t size);
web_result web_upload_end(web_request *request);
void web_upload_dropped(web_request *request);
web_result web_upload_delete(web_request *request);
web_result web_upload_picture(web_request *request);

web_result web_roots_list(web_request *request); /* roots.c */
web_result web_folder_list(web_request *request);

web_result web_jobs_list(web_request *request); /* jobs.c */
web_result web_jobs_new(web_request *request);
web_result web_job_show(web_request *request);
web_result web_job_start(web_request *request);
web_result web_job_cancel(web_request *request);
web_result web_job_finish(web_request *request);
web_result web_job_delete(web_request *request);
web_result web_job_events(web_request *request); /* events.c */

web_result web_clip_show(web_request *request); /* review.c */
web_result web_clip_decide(web_request *request);
web_result web_person_edit(web_request *request);
web_result web_cover_edit(web_request *request);
web_result web_motion_show(web_request *request); /* motion.c */
web_result web_motion_edit(web_request *request);

/* media.c: a file, or the range of it that was asked for; `policy` in place of the usual Content-Security-Policy, or NULL */
web_result web_file(web_request *request, const char *path, const char *type, const char *policy);
web_result web_clip_media(web_request *request);
web_result web_clip_picture(web_request *request);
web_result web_standin_picture(web_request *request);
web_result web_job_file(web_request *request);
web_result web_job_download(web_request *request); /* download.c */

/* ---- between handlers ---- */
/* The recording of an upload that is ready; MDM_ERR_INPUT otherwise. Caller frees. */
mdm_status web_upload_path(char **out, const mdm_web *web, const char *id);
mdm_status web_upload_name(char **out, const mdm_web *web, const char *id);      /* as it was called; caller frees */
mdm_status web_upload_give(const mdm_web *web, const char *id, const char *job); /* it is the job's from now on */
mdm_status web_upload_remove(const mdm_web *web, const char *id);
mdm_status web_uploads_sweep(mdm_web *web); /* at start: what a killed server left */
/* What an id of the roots' listing stands for: a path beneath a root, looked up again. Caller frees. */
mdm_status web_place_path(char **out, mdm_web *web, const char *id);
mdm_status web_roots_open(mdm_web *web, const char *list);
void web_roots_close(mdm_web *web);

/* Options of a job from {"keep": "age,gaze", ...}; MDM_ERR_USAGE names the one that cannot be. */
mdm_status web_options(mdm_options **out, const json_t *values);
/* The words of the command that does the same, from "run" on; NULL-terminated, caller: web_words_free. */
mdm_status web_words(char ***out, const json_t *values, const char *output, const char *const *inputs, size_t count);
void web_words_free(char ***words);

/* A job's folder (OUT) when there is one of that id; MDM_ERR_INPUT otherwise. Caller frees. */
mdm_status web_job_folder(char **out, const mdm_web *web, const char *id);
/* FOLDER/a/b ...; NULL ends the names. Caller frees. */
mdm_status web_path(char **out, const char *folder, ...);
bool web_job_runs(const char *folder, long *pid); /* a process works on it; pid may be NULL */
mdm_status web_launch(const mdm_web *web, const char *folder, char *const *words);
/* Runs this program with `words` and limits on time (s) and memory (MiB); its standard output, at most 64 KiB, goes to `out`. */
mdm_status web_ask(mdm_buffer *out, const mdm_web *web, char *const *words, int seconds, int memory);
mdm_status web_job_go(mdm_web *web, const char *folder); /* starts or goes on with a job */

#endif
