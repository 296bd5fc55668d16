/* What every request has to pass before its body is read: sizes, Host, where it comes from, the session; and the end of clients that
 * keep a connection without sending. */
#define _GNU_SOURCE
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/web.h"

typedef struct header_sum {
    size_t bytes, count, hosts;
} header_sum;

static web_result add_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    header_sum *sum = user;
    (void)kind;
    sum->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
    sum->count++;
    sum->hosts += !strcasecmp(name, "Host");
    return MHD_YES;
}

/* The whole value, not its start: "127.0.0.1.example" is somebody's. */
static bool known_host(const mdm_web *web, const char *host)
{
    for (int i = 0; i < web->host_count; i++)
        if (strcasecmp(web->hosts[i], host) == 0)
            return true;
    return false;
}

static bool same_origin(const mdm_web *web, const char *origin, const char *host)
{
    const char *scheme = web->tls ? "https://" : "http://";
    const size_t length = strlen(scheme);
    return strncmp(origin, scheme, length) == 0 && strcasecmp(origin + length, host) == 0;
}

static bool reads_only(const web_request *request)
{
    return strcmp(request->method, "GET") == 0;
}

/* Requests that other pages make for a browser that is logged in here: a wrong Origin, or Sec-Fetch-Site that says so. What changes
 * something needs one of both, and a header that forms and simple requests cannot have. */
static bool from_elsewhere(const web_request *request, const char *host)
{
    const char *origin = web_header(request, "Origin"), *site = web_header(request, "Sec-Fetch-Site");
    if (origin && !same_origin(request->web, origin, host))
        return true;
    if (site && strcmp(site, "same-origin") != 0 && !(reads_only(request) && strcmp(site, "none") == 0))
        return true;
    if (reads_only(request))
        return false;
    return (!origin && !site) || !web_header(request, "X-Mmdm");
}

web_result web_guard(bool *refused, web_request *request)
{
    header_sum sum = {0};
    const char *host = web_header(request, "Host");
    *refused = true;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header, &sum);
    if (sum.bytes > WEB_HEADERS || sum.count > 100 || strlen(request->url) > 400)
        return web_fail(request, 431, "The head of the request is too long.");
    if (sum.hosts != 1 || !host || !known_host(request->web, host))
        return web_fail(request, 403, "This page is not served under that name (--host adds one).");
    if (from_elsewhere(request, host))
        return web_fail(request, 403, "Only the page itself may ask for that.");
    *refused = false;
    if (strcmp(request->url, "/open") == 0 && reads_only(request))
        return MHD_YES;
    if (web_has_session(request))
        return MHD_YES;
    *refused = true;
    if (strncmp(request->url, "/api/", 5) == 0)
        return web_fail(request, 401, "Open the link that mmdm serve shows in its terminal.");
    static const char words[] = "<!doctype html><html lang=en><meta charset=utf-8><title>mmdm</title><h1>Not open "
                                "yet</h1><p>Open the link that "
                                "<code>mmdm serve</code> shows in its terminal.</p></html>";
    return web_bytes(request, 401, "text/html; charset=utf-8", words, sizeof words - 1);
}

/* ---- slow clients ------------------------------------------------------------------------------------------------------ */

enum { PLACES = sizeof((mdm_web *)0)->waiting / sizeof(web_waiting) };

/* The mutex is held. */
static web_waiting *find_waiting(mdm_web *web, const struct MHD_Connection *connection)
{
    for (int i = 0; i < PLACES; i++)
        if (web->waiting[i].connection == connection)
            return &web->waiting[i];
    return NULL;
}

void web_connection(void *user, struct MHD_Connection *connection, void **socket_user,
                    enum MHD_ConnectionNotificationCode code)
{
    mdm_web *web = user;
    (void)socket_user;
    pthread_mutex_lock(&web->mutex);
    web_waiting *place = find_waiting(web, code == MHD_CONNECTION_NOTIFY_STARTED ? NULL : connection);
    if (place && code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *place = (web_waiting){connection, info ? info->connect_fd : -1, web_now()};
    } else if (place) {
        memset(place, 0, sizeof *place);
    }
    pthread_mutex_unlock(&web->mutex);
}

static void set_since(mdm_web *web, const struct MHD_Connection *connection, double since)
{
    pthread_mutex_lock(&web->mutex);
    web_waiting *place = find_waiting(web, connection);
    if (place)
        place->since = since;
    pthread_mutex_unlock(&web->mutex);
}

void web_head_arrived(mdm_web *web, struct MHD_Connection *connection)
{
    set_since(web, connection, 0);
}

/* A browser keeps connections open and idle: the server's own time limit ends those. A head that has begun is the same to us. */
void web_request_ended(mdm_web *web, struct MHD_Connection *connection)
{
    set_since(web, connection, web_now());
}

void web_end_slow(mdm_web *web)
{
    const double now = web_now();
    pthread_mutex_lock(&web->mutex);
    for (int i = 0; i < PLACES; i++) {
        web_waiting *place = &web->waiting[i];
        if (place->connection && place->fd >= 0 && place->since > 0 && now - place->since > WEB_HEADER_TIME) {
            shutdown(place->fd, SHUT_RDWR);
            place->since = 0;
        }
    }
    pthread_mutex_unlock(&web->mutex);
}
