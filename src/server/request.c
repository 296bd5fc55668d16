/* A request from its head to its end: guarded, matched with the table of routes, its body taken, handled once. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "server/web.h"

static const web_route routes[] = {
    {"GET", "/open", BODY_NONE, web_open, NULL, NULL, NULL},
    {"GET", "/api/form", BODY_NONE, web_form, NULL, NULL, NULL},
    {"POST", "/api/command", BODY_JSON, web_command, NULL, NULL, NULL},
    {"GET", "/api/uploads", BODY_NONE, web_uploads_list, NULL, NULL, NULL},
    {"POST", "/api/uploads", BODY_JSON, web_uploads_new, NULL, NULL, NULL},
    {"PUT", "/api/uploads/*", BODY_STREAM, web_upload_end, web_upload_begin, web_upload_piece, web_upload_dropped},
    {"DELETE", "/api/uploads/*", BODY_NONE, web_upload_delete, NULL, NULL, NULL},
    {"GET", "/api/uploads/*/picture", BODY_NONE, web_upload_picture, NULL, NULL, NULL},
    {"GET", "/api/roots", BODY_NONE, web_roots_list, NULL, NULL, NULL},
    {"GET", "/api/folders/*", BODY_NONE, web_folder_list, NULL, NULL, NULL},
    {"GET", "/api/jobs", BODY_NONE, web_jobs_list, NULL, NULL, NULL},
    {"POST", "/api/jobs", BODY_JSON, web_jobs_new, NULL, NULL, NULL},
    {"GET", "/api/jobs/*", BODY_NONE, web_job_show, NULL, NULL, NULL},
    {"DELETE", "/api/jobs/*", BODY_NONE, web_job_delete, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/start", BODY_JSON, web_job_start, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/cancel", BODY_JSON, web_job_cancel, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/finish", BODY_JSON, web_job_finish, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/events", BODY_NONE, web_job_events, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/download", BODY_NONE, web_job_download, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/files/*", BODY_NONE, web_job_file, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/persons/*", BODY_JSON, web_person_edit, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/standins/*", BODY_NONE, web_standin_picture, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/cover", BODY_JSON, web_cover_edit, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/clips/*", BODY_NONE, web_clip_show, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/clips/*/decide", BODY_JSON, web_clip_decide, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/clips/*/motion", BODY_NONE, web_motion_show, NULL, NULL, NULL},
    {"POST", "/api/jobs/*/clips/*/motion", BODY_JSON, web_motion_edit, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/clips/*/media/*", BODY_NONE, web_clip_media, NULL, NULL, NULL},
    {"GET", "/api/jobs/*/clips/*/picture/*", BODY_NONE, web_clip_picture, NULL, NULL, NULL},
};

double web_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* "/api/jobs/job-12/clips/clip-0001" fits "/api/jobs/" "*" "/clips/" "*". */
bool web_match(char id[WEB_IDS][WEB_SECRET], const char *pattern, const char *url)
{
    int ids = 0;
    while (*pattern && *url) {
        if (*pattern != '*') {
            if (*pattern++ != *url++)
                return false;
            continue;
        }
        size_t length = strspn(url, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (!length || length >= WEB_SECRET || ids == WEB_IDS)
            return false;
        memcpy(id[ids], url, length);
        id[ids++][length] = '\0';
        url += length;
        pattern++;
    }
    return !*pattern && !*url;
}

static const web_route *find_route(bool *other_method, web_request *request)
{
    *other_method = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!web_match(request->id, routes[i].pattern, request->url))
            continue;
        if (strcmp(routes[i].method, request->method) == 0)
            return &routes[i];
        *other_method = true;
    }
    return NULL;
}

/* The length of the body, as its head says it; chunked bodies have none and are not taken. */
static web_result check_body(bool *refused, web_request *request)
{
    const char *length = web_header(request, "Content-Length"), *type = web_header(request, "Content-Type");
    const web_body body = request->route ? request->route->body : BODY_NONE;
    const char *wanted = body == BODY_JSON ? "application/json" : "application/octet-stream";
    const uint64_t most = body == BODY_JSON ? WEB_BODY : body == BODY_STREAM ? WEB_CHUNK : 0;
    *refused = true;
    if (web_header(request, "Transfer-Encoding"))
        return web_fail(request, 411, "The length of what is sent has to be said beforehand.");
    if (length && !web_parse_number(&request->expected, length, INT64_MAX))
        return web_fail(request, 400, "The length of what is sent is not a number.");
    if (request->expected > most)
        return web_fail(request, 413, "That is too much at once: at most %llu bytes are taken here.",
                        (unsigned long long)most);
    if (body != BODY_NONE && (!type || strcmp(type, wanted) != 0))
        return web_fail(request, 415, "Only %s is taken here.", wanted);
    *refused = false;
    return MHD_YES;
}

/* The head has arrived. */
static web_result begin(web_request *request)
{
    bool refused, other_method;
    web_result result = web_guard(&refused, request);
    if (refused)
        return result;
    request->route = find_route(&other_method, request);
    if (!request->route && other_method)
        return web_fail(request, 405, "That cannot be done there.");
    result = check_body(&refused, request);
    if (refused)
        return result;
    return request->route && request->route->begin ? request->route->begin(request) : MHD_YES;
}

static web_result take_piece(web_request *request, const char *data, size_t size)
{
    /* A browser on a poor line gets on; one byte now and then does not hold a place for ever. */
    if (web_now() - request->started > 30 + (double)request->expected / 16384)
        return MHD_NO;
    if (request->route && request->route->body == BODY_STREAM)
        return request->route->piece(request, data, size);
    if (request->body.size + size > WEB_BODY || mdm_buffer_append(&request->body, data, size) != MDM_OK)
        return MHD_NO;
    return MHD_YES;
}

/* The body is here. */
static web_result finish(web_request *request)
{
    web_result result;
    if (!request->route) {
        if (web_asset_handle(&result, request))
            return result;
        return web_fail(request, 404, "There is nothing of that name here.");
    }
    if (request->route->body == BODY_JSON) {
        if (web_parse_json(&request->json, (const char *)request->body.data, request->body.size, 64) != MDM_OK)
            return web_fail(request, 400, "%s", mdm_last_error());
        if (!json_is_object(request->json))
            return web_fail(request, 400, "An object { ... } is expected.");
    }
    return request->route->handle(request);
}

web_result web_handle(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                      const char *version, const char *data, size_t *size, void **state)
{
    web_request *request = *state;
    (void)version;
    if (!request) {
        if (mdm_alloc(&request, 1, sizeof *request, "request") != MDM_OK)
            return MHD_NO;
        request->web = user;
        request->connection = connection;
        request->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
        request->url = url;
        request->started = web_now();
        request->body.max = WEB_BODY;
        *state = request;
        web_head_arrived(user, connection);
        return begin(request);
    }
    if (request->replied) {
        *size = 0;
        return MHD_YES;
    }
    if (*size) {
        web_result result = take_piece(request, data, *size);
        *size = 0;
        return result;
    }
    return finish(request);
}

void web_completed(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    web_request *request = *state;
    (void)code;
    web_request_ended(user, connection);
    if (!request)
        return;
    if (request->taking && request->route && request->route->dropped)
        request->route->dropped(request);
    mdm_buffer_free(&request->body);
    json_decref(request->json);
    mdm_free(&request);
    *state = NULL;
}
