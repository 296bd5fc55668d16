/* Who may come in: a token that is printed once and works once, then a cookie, each of 128 random bits. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "server/web.h"

enum { PATIENCE = 20, WINDOW = 60 }; /* wrong tokens in so many seconds before no more are looked at */

void web_secret(char out[WEB_SECRET])
{
    unsigned char bytes[(WEB_SECRET - 1) / 2];
    for (size_t got = 0; got < sizeof bytes;) {
        const ssize_t n = getrandom(bytes + got, sizeof bytes - got, 0);
        if (n < 0)
            abort(); /* without random numbers there is no page */
        got += (size_t)n;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

bool web_same_secret(const char *a, const char *b)
{
    unsigned char difference = (unsigned char)(strlen(b) != WEB_SECRET - 1);
    for (int i = 0; i < WEB_SECRET - 1; i++) {
        difference |= (unsigned char)(a[i] ^ *b);
        b += *b != '\0';
    }
    return !difference;
}

/* The cookie, or "Authorization: Bearer" of programs. */
static const char *shown_secret(const web_request *request)
{
    const char *bearer = web_header(request, "Authorization");
    if (bearer && strncmp(bearer, "Bearer ", 7) == 0)
        return bearer + 7;
    return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, request->web->cookie);
}

bool web_has_session(web_request *request)
{
    mdm_web *web = request->web;
    const char *secret = shown_secret(request);
    bool found = false;
    if (!secret)
        return false;
    pthread_mutex_lock(&web->mutex);
    for (int i = 0; i < WEB_SESSIONS; i++) {
        if (!web->sessions[i].secret[0] || !web_same_secret(web->sessions[i].secret, secret))
            continue;
        web->sessions[i].used = web_now();
        found = true;
    }
    pthread_mutex_unlock(&web->mutex);
    return found;
}

/* The mutex is held. The session not used for longest makes room. */
static const char *new_session(mdm_web *web)
{
    web_session *oldest = &web->sessions[0];
    for (int i = 1; i < WEB_SESSIONS; i++)
        if (web->sessions[i].used < oldest->used)
            oldest = &web->sessions[i];
    web_secret(oldest->secret);
    oldest->used = web_now();
    return oldest->secret;
}

/* Counts a wrong token; true when there were too many lately. The mutex is held. */
static bool too_many(mdm_web *web)
{
    const double now = web_now();
    if (now - web->failed_since > WINDOW) {
        web->failed_since = now;
        web->failed = 0;
    }
    return ++web->failed > PATIENCE;
}

static web_result no_entry(web_request *request, int code)
{
    static const char words[] =
        "<!doctype html><html lang=en><meta charset=utf-8><title>mmdm</title><h1>This link does not work</h1>"
        "<p>A link opens the page once. The terminal in which <code>mmdm serve</code> runs shows the next "
        "one.</p></html>";
    return web_bytes(request, code, "text/html; charset=utf-8", words, sizeof words - 1);
}

web_result web_open(web_request *request)
{
    mdm_web *web = request->web;
    const char *token = web_query(request, "token");
    char cookie[160] = "";
    bool many = false;
    pthread_mutex_lock(&web->mutex);
    const bool right = web_same_secret(web->token, token ? token : "");
    if (right) {
        snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", web->cookie, new_session(web),
                 web->tls ? "; Secure" : "");
        web_secret(web->token);
        char line[200];
        snprintf(line, sizeof line, "opened; for another browser: %s://%s/open?token=%s", web->tls ? "https" : "http",
                 web->hosts[0], web->token);
        web->say(web->user, line);
    } else {
        many = too_many(web);
    }
    pthread_mutex_unlock(&web->mutex);
    if (!right)
        return no_entry(request, many ? 429 : 401);
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (response) {
        MHD_add_response_header(response, "Set-Cookie", cookie);
        MHD_add_response_header(response, "Location", "/");
    }
    return web_send(request, 303, response);
}
