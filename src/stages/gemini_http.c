/* Exchanges with Google over libcurl: what is tried again, how long is waited, what is said when nothing helps. The key is in a header, never in
 * an address, a message or a log. */
#define _DEFAULT_SOURCE /* clock_gettime, nanosleep, strcasecmp */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <jansson.h>

#include "stages/gemini_internal.h"

#define MAX_REPLY  ((size_t)16 << 20)
#define MOST_TRIES 5
#define MOST_WAIT  300.0 /* s in all for one piece */

/* ---- opening ---- */

static bool is_loopback(const char *base)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        const char *rest = base + strlen(hosts[i]);
        if (!strncmp(base, hosts[i], strlen(hosts[i])) && (*rest == ':' || *rest == '/' || !*rest))
            return true;
    }
    return false;
}

static mdm_status find_base(mdm_gemini *g)
{
    const char *set = getenv("MMDM_GEMINI_BASE");
    MDM_TRY(mdm_strdup(&g->base, set && *set ? set : "https://generativelanguage.googleapis.com"));
    size_t n = strlen(g->base);
    while (n && g->base[n - 1] == '/')
        g->base[--n] = '\0';
    const char *host = strstr(g->base, "://");
    if (!host || strchr(g->base, '@') || (strncmp(g->base, "https://", 8) != 0 && !is_loopback(g->base)))
        return mdm_fail(MDM_ERR_CONFIG, "MMDM_GEMINI_BASE is \"%s\", expected https://HOST (http only to this machine)",
                        g->base);
    snprintf(g->host, sizeof g->host, "%.*s", (int)strcspn(host + 3, "/"), host + 3);
    return MDM_OK;
}

static mdm_status find_key(mdm_gemini *g)
{
    const char *key = getenv("GEMINI_API_KEY");
    if (!key || !*key)
        return mdm_fail(MDM_ERR_CONFIG, "GEMINI_API_KEY is not set: the gemini backend needs a key of yours there");
    for (const char *c = key; *c; c++)
        if (!isgraph((unsigned char)*c))
            return mdm_fail(MDM_ERR_CONFIG, "GEMINI_API_KEY holds characters that no key has");
    return mdm_strdup(&g->key, key);
}

static bool is_model_name(const char *name)
{
    return *name && strlen(name) < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == strlen(name);
}

static mdm_status fill(mdm_gemini *g, const mdm_gemini_settings *settings)
{
    const char *timeout = getenv("MMDM_GEMINI_TIMEOUT");
    if (!is_model_name(settings->model))
        return mdm_fail(MDM_ERR_CONFIG, "--gemini-model %s: expected a name such as gemini-3.5-transcribe",
                        settings->model);
    MDM_TRY(find_base(g));
    MDM_TRY(find_key(g));
    MDM_TRY(mdm_strdup(&g->model, settings->model));
    MDM_TRY(mdm_strdup(&g->language, settings->language));
    MDM_TRY(mdm_strdup(&g->ledger, settings->ledger));
    g->progress = settings->progress;
    g->timeout = timeout ? strtol(timeout, NULL, 10) : 0;
    g->timeout = g->timeout > 0 && g->timeout <= 3600 ? g->timeout : 300;
    g->curl = curl_easy_init();
    return g->curl ? MDM_OK : mdm_fail(MDM_ERR_INTERNAL, "libcurl does not start");
}

mdm_status mdm_gemini_open(mdm_gemini **out, const mdm_gemini_settings *settings)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "Gemini"));
    mdm_status status = fill(*out, settings);
    if (status)
        mdm_gemini_free(out);
    return status;
}

void mdm_gemini_free(mdm_gemini **gemini)
{
    mdm_gemini *g = *gemini;
    if (!g)
        return;
    if (g->curl)
        curl_easy_cleanup(g->curl);
    if (g->key)
        mdm_wipe(g->key, strlen(g->key));
    mdm_free(&g->key);
    mdm_free(&g->base);
    mdm_free(&g->model);
    mdm_free(&g->language);
    mdm_free(&g->ledger);
    mdm_free(gemini);
}

const char *mdm_gemini_host(const mdm_gemini *gemini)
{
    return gemini->host;
}

/* ---- one exchange ---- */

void mdm_gemini_reply_free(mdm_gemini_reply *reply)
{
    if (reply->body.data)
        mdm_wipe(reply->body.data, reply->body.size);
    mdm_buffer_free(&reply->body);
}

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    mdm_gemini_reply *reply = user;
    return mdm_buffer_append(&reply->body, data, size * count) ? 0 : size * count;
}

/* The value of a header "name: value", without the line's end; NULL for another header. */
static const char *header_value(char *room, size_t size, const char *line, size_t length, const char *name)
{
    const size_t n = strlen(name);
    if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    size_t from = n + 1, to = length;
    while (from < to && isspace((unsigned char)line[from]))
        from++;
    while (to > from && isspace((unsigned char)line[to - 1]))
        to--;
    if (to - from >= size)
        return NULL;
    memcpy(room, line + from, to - from);
    room[to - from] = '\0';
    return room;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    mdm_gemini_reply *reply = user;
    char number[24];
    const size_t length = size * count;
    (void)header_value(reply->upload_url, sizeof reply->upload_url, data, length, "x-goog-upload-url");
    (void)header_value(reply->upload_status, sizeof reply->upload_status, data, length, "x-goog-upload-status");
    if (header_value(number, sizeof number, data, length, "x-goog-upload-size-received"))
        reply->upload_received = strtoll(number, NULL, 10);
    return length;
}

static int watch(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const mdm_gemini *g = user;
    (void)a, (void)b, (void)c, (void)d;
    return mdm_progress_update(g->progress, -1, -1) ? 0 : 1;
}

static mdm_status add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (!longer)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for a request");
    *list = longer;
    return MDM_OK;
}

static mdm_status make_headers(struct curl_slist **list, const mdm_gemini *g, const mdm_gemini_request *r)
{
    char *key = NULL;
    MDM_TRY(mdm_format(&key, "x-goog-api-key: %s", g->key));
    mdm_status status = add_header(list, key);
    mdm_wipe(key, strlen(key));
    mdm_free(&key);
    if (!status)
        status = add_header(list, "Expect:"); /* no asking beforehand */
    for (size_t i = 0; i < r->header_count && !status; i++)
        status = add_header(list, r->headers[i]);
    return status;
}

static void set_up(CURL *curl, mdm_gemini *g, const mdm_gemini_request *r, mdm_gemini_reply *out)
{
    const bool local = is_loopback(g->base);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mmdm");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes to nobody else */
    if (local)
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, g->timeout);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
    if (r->body || !strcmp(r->method, "POST")) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body ? r->body : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->size);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, out);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, g);
}

mdm_status mdm_gemini_exchange(mdm_gemini_reply *out, mdm_gemini *g, const mdm_gemini_request *request)
{
    struct curl_slist *headers = NULL;
    char *address = NULL;
    mdm_gemini_reply_free(out);
    *out = (mdm_gemini_reply){.body.max = MAX_REPLY, .upload_received = -1};
    MDM_TRY(mdm_format(&address, "%s%s", g->base, request->path));
    mdm_status status = make_headers(&headers, g, request);
    if (!status) {
        set_up(g->curl, g, request, out);
        curl_easy_setopt(g->curl, CURLOPT_URL, address);
        curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, headers);
        out->result = curl_easy_perform(g->curl);
        curl_easy_getinfo(g->curl, CURLINFO_RESPONSE_CODE, &out->code);
        if (out->result == CURLE_ABORTED_BY_CALLBACK)
            status = mdm_fail(MDM_ERR_CANCELLED, "transcription stopped");
    }
    if (headers && headers->data)
        mdm_wipe(headers->data, strlen(headers->data)); /* the key */
    curl_slist_free_all(headers);
    mdm_free(&address);
    return status;
}

/* ---- what a refusal says ---- */

/* The "error" of a reply, which may be the one element of an array; NULL for other texts. */
static json_t *read_error(json_t **root, const mdm_gemini_reply *reply)
{
    json_error_t ignored;
    *root = json_loadb((const char *)reply->body.data, reply->body.size, 0, &ignored);
    return json_object_get(json_is_array(*root) ? json_array_get(*root, 0) : *root, "error");
}

/* "38s" or "1.5s"; negative when it is no duration. */
static double duration(const char *text)
{
    char *end;
    const double seconds = text ? strtod(text, &end) : -1;
    return text && end != text && *end == 's' && seconds >= 0 && seconds < 1e6 ? seconds : -1;
}

/* How long Google asks to wait, negative when it does not say; *daily: the quota does not come back today. */
static double asked_to_wait(const mdm_gemini_reply *reply, bool *daily)
{
    json_t *root, *detail, *violation;
    size_t i, k;
    double wait = -1;
    *daily = false;
    json_array_foreach(json_object_get(read_error(&root, reply), "details"), i, detail)
    {
        const double said = duration(json_string_value(json_object_get(detail, "retryDelay")));
        wait = said >= 0 ? said : wait;
        json_array_foreach(json_object_get(detail, "violations"), k, violation)
        {
            const char *id = json_string_value(json_object_get(violation, "quotaId"));
            *daily = *daily || (id && strstr(id, "PerDay"));
        }
    }
    json_decref(root);
    return wait;
}

/* Google's own words, on one line, without the key should it be in them. */
static void google_says(char *out, size_t room, const mdm_gemini *g, const mdm_gemini_reply *reply)
{
    json_t *root, *error = read_error(&root, reply);
    const char *status = json_string_value(json_object_get(error, "status"));
    const char *message = json_string_value(json_object_get(error, "message"));
    snprintf(out, room, "%s%s%.200s", status ? status : "no reason given", message ? ": " : "", message ? message : "");
    for (char *c = out; *c; c++)
        *c = iscntrl((unsigned char)*c) ? ' ' : *c;
    for (char *found; (found = strstr(out, g->key)) != NULL;)
        memset(found, '*', strlen(g->key));
    json_decref(root);
}

mdm_status mdm_gemini_refusal(const mdm_gemini *g, const mdm_gemini_reply *reply)
{
    static const struct {
        long code;
        mdm_status status;
        const char *hint;
    } known[] = {
        {400, MDM_ERR_CONFIG, "the request does not suit the model; is --gemini-model right?"},
        {401, MDM_ERR_CONFIG, "the key in GEMINI_API_KEY is not taken"},
        {403, MDM_ERR_CONFIG, "the key in GEMINI_API_KEY may not do this, or not from here"},
        {404, MDM_ERR_CONFIG, "there is no such model, or it is not open to this key"},
        {413, MDM_ERR_INPUT, "the piece is too large"},
        {429, MDM_ERR_AGAIN, "the quota is used up; wait, or use --transcribe whisper"},
    };
    char said[320];
    google_says(said, sizeof said, g, reply);
    if (!reply->code)
        return mdm_fail(MDM_ERR_AGAIN, "%s: no answer (%s)", g->host, curl_easy_strerror(reply->result));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == reply->code)
            return mdm_fail(known[i].status, "%s answers %ld: %s (%s)", g->host, reply->code, known[i].hint, said);
    return mdm_fail(reply->code >= 500 || reply->code == 408 ? MDM_ERR_AGAIN : MDM_ERR_INPUT, "%s answers %ld (%s)%s",
                    g->host, reply->code, said, reply->result ? ", and not all of it came" : "");
}

/* ---- trying again ---- */

mdm_status mdm_gemini_wait(mdm_gemini *g, double seconds)
{
    const struct timespec tenth = {.tv_nsec = 100000000};
    for (double left = seconds; left > 0; left -= 0.1) {
        if (!mdm_progress_update(g->progress, -1, -1))
            return mdm_fail(MDM_ERR_CANCELLED, "transcription stopped");
        nanosleep(&tenth, NULL);
    }
    return MDM_OK;
}

/* Whether another try may help. */
static bool may_pass(const mdm_gemini_reply *reply)
{
    static const long codes[] = {408, 429, 500, 502, 503, 504};
    if (reply->result != CURLE_OK)
        return reply->result != CURLE_WRITE_ERROR; /* longer than any answer is */
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == reply->code)
            return true;
    return false;
}

/* 0..1, so that workers that were turned away together do not come back together. */
static double jitter(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_nsec / 1000 % 1000) / 1000;
}

mdm_status mdm_gemini_send(mdm_gemini_reply *out, mdm_gemini *g, const mdm_gemini_request *request)
{
    double pause = 1;
    for (int attempt = 1;; attempt++) {
        bool daily;
        MDM_TRY(mdm_gemini_exchange(out, g, request));
        if (out->result == CURLE_OK && out->code >= 200 && out->code < 300)
            return MDM_OK;
        const double asked = asked_to_wait(out, &daily);
        const double wait = asked >= 0 ? asked : pause + jitter();
        if (!may_pass(out) || daily || attempt == MOST_TRIES || g->waited + wait > MOST_WAIT)
            return mdm_gemini_refusal(g, out);
        mdm_log(MDM_LOG_DEBUG, "%s: %ld, again in %.1f s", g->host, out->code, wait);
        MDM_TRY(mdm_gemini_wait(g, wait));
        g->waited += wait;
        pause = pause < 30 ? pause * 2 : 60;
    }
}
