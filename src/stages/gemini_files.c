/* Gemini's Files API: a resumable upload under a name of ours, waiting until it can be used, and its deletion. The name is written into the
 * ledger before the first byte goes out, so that whoever comes next can delete what a killed process left. */
#define _DEFAULT_SOURCE /* getentropy */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "stages/gemini_internal.h"

enum { PIECE = 512 << 10, PIECE_TRIES = 4, MOST_POLLS = 120, MAX_LEDGER = 1 << 20 };

/* ---- the ledger: one name a line ---- */

static bool is_file_name(const char *name)
{
    return name && !strncmp(name, "files/", 6) && strlen(name) > 6 && strlen(name) <= 46 &&
           strspn(name + 6, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name) - 6;
}

static mdm_status read_ledger(char **text, const char *path)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    *text = NULL;
    if (!mdm_file_exists(path))
        return mdm_strdup(text, "");
    MDM_TRY(mdm_file_read(&bytes, &size, path, MAX_LEDGER));
    *text = (char *)bytes;
    return MDM_OK;
}

/* Writes the ledger anew with a name more or one less; an empty one goes. */
static mdm_status change_ledger(const char *path, const char *more, const char *less)
{
    char *text = NULL, *rest;
    mdm_buffer lines = {0};
    mdm_status status = read_ledger(&text, path);
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line && !status; line = strtok_r(NULL, "\n", &rest))
        if (!less || strcmp(line, less) != 0)
            status = mdm_buffer_printf(&lines, "%s\n", line);
    if (!status && more)
        status = mdm_buffer_printf(&lines, "%s\n", more);
    if (!status && lines.size)
        status = mdm_file_write(path, lines.data, lines.size);
    if (!status && !lines.size)
        unlink(path);
    mdm_buffer_free(&lines);
    mdm_free(&text);
    return status;
}

static mdm_status new_name(char **name)
{
    unsigned char random[12];
    if (getentropy(random, sizeof random) != 0)
        return mdm_fail(MDM_ERR_INTERNAL, "the system gives no random numbers");
    MDM_TRY(mdm_strdup(name, "files/mmdm-000000000000000000000000"));
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(*name + 11 + 2 * i, 3, "%02x", random[i]);
    return MDM_OK;
}

/* ---- uploading ---- */

/* The path of the address that Google gave: the host stays ours. */
static const char *path_of(const char *address)
{
    const char *host = strstr(address, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    return path ? path : "";
}

static mdm_status start(char **address, mdm_gemini *g, const char *name, size_t size)
{
    mdm_gemini_reply reply = {0};
    mdm_buffer body = {0};
    char length[80];
    snprintf(length, sizeof length, "X-Goog-Upload-Header-Content-Length: %zu", size);
    const char *const headers[] = {"Content-Type: application/json", "X-Goog-Upload-Protocol: resumable",
                                   "X-Goog-Upload-Command: start", length,
                                   "X-Goog-Upload-Header-Content-Type: audio/flac"};
    MDM_TRY(mdm_buffer_printf(&body, "{\"file\":{\"name\":\"%s\",\"displayName\":\"sound\"}}", name));
    const mdm_gemini_request request = {
        "POST", "/upload/v1beta/files", headers, sizeof headers / sizeof *headers, body.data, body.size};
    mdm_status status = mdm_gemini_send(&reply, g, &request);
    if (!status && !path_of(reply.upload_url)[0])
        status = mdm_fail(MDM_ERR_AGAIN, "%s takes an upload but does not say where", g->host);
    if (!status)
        status = mdm_strdup(address, path_of(reply.upload_url));
    mdm_buffer_free(&body);
    mdm_gemini_reply_free(&reply);
    return status;
}

/* One command to the upload's address, whatever comes of it. */
static mdm_status command(mdm_gemini_reply *reply, mdm_gemini *g, const char *address, const char *what, size_t offset,
                          const unsigned char *bytes, size_t size)
{
    char order[64], place[64];
    snprintf(order, sizeof order, "X-Goog-Upload-Command: %s", what);
    snprintf(place, sizeof place, "X-Goog-Upload-Offset: %zu", offset);
    const char *const headers[] = {order, "Content-Type:", place};
    const mdm_gemini_request request = {"POST", address, headers, bytes ? 3 : 2, bytes, size};
    return mdm_gemini_exchange(reply, g, &request);
}

static bool went_well(const mdm_gemini_reply *reply)
{
    return reply->result == CURLE_OK && reply->code == 200 && reply->upload_status[0];
}

/* Asks how much has come after a break; *done when all has. */
static mdm_status resume(size_t *offset, bool *done, mdm_gemini *g, const char *address, size_t size)
{
    mdm_gemini_reply reply = {0};
    mdm_status status = command(&reply, g, address, "query", 0, NULL, 0);
    if (!status && went_well(&reply)) {
        *done = !strcmp(reply.upload_status, "final");
        if (reply.upload_received >= 0 && (unsigned long long)reply.upload_received <= size)
            *offset = (size_t)reply.upload_received;
    }
    mdm_gemini_reply_free(&reply);
    return status;
}

static mdm_status send_pieces(mdm_gemini *g, const char *address, const mdm_buffer *flac)
{
    mdm_gemini_reply reply = {0};
    mdm_status status = MDM_OK;
    size_t offset = 0;
    bool done = false;
    for (int failures = 0; !status && !done;) {
        const size_t left = flac->size - offset, size = left < PIECE ? left : PIECE;
        status = command(&reply, g, address, size == left ? "upload, finalize" : "upload", offset, flac->data + offset,
                         size);
        if (!status && went_well(&reply)) {
            offset += size;
            done = size == left;
            failures = 0;
        } else if (!status && ++failures == PIECE_TRIES) {
            status = mdm_gemini_refusal(g, &reply);
        } else if (!status) {
            status = mdm_gemini_wait(g, 1 << (failures - 1));
            if (!status)
                status = resume(&offset, &done, g, address, flac->size);
        }
    }
    mdm_gemini_reply_free(&reply);
    return status;
}

/* Asks until the file can be used. */
static mdm_status wait_for(char **uri, mdm_gemini *g, const char *name)
{
    char path[80];
    mdm_gemini_reply reply = {0};
    mdm_status status = MDM_OK;
    snprintf(path, sizeof path, "/v1beta/%s", name);
    for (int poll = 0; !status && !*uri; poll++) {
        json_error_t ignored;
        status = mdm_gemini_send(&reply, g, &(mdm_gemini_request){.method = "GET", .path = path});
        json_t *file = status ? NULL : json_loadb((const char *)reply.body.data, reply.body.size, 0, &ignored);
        const char *state = json_string_value(json_object_get(file, "state"));
        const char *where = json_string_value(json_object_get(file, "uri"));
        if (!status && state && !strcmp(state, "ACTIVE") && where)
            status = mdm_strdup(uri, where);
        else if (!status && state && !strcmp(state, "FAILED"))
            status = mdm_fail(MDM_ERR_INPUT, "%s could not read the sound it was sent", g->host);
        else if (!status && poll == MOST_POLLS)
            status = mdm_fail(MDM_ERR_AGAIN, "%s does not get ready with an upload", g->host);
        else if (!status)
            status = mdm_gemini_wait(g, 1);
        json_decref(file);
    }
    mdm_gemini_reply_free(&reply);
    return status;
}

mdm_status mdm_gemini_upload(char **uri, char **name, mdm_gemini *g, const mdm_buffer *flac)
{
    char *address = NULL;
    *uri = *name = NULL;
    MDM_TRY(new_name(name));
    mdm_status status = change_ledger(g->ledger, *name, NULL);
    if (!status)
        status = start(&address, g, *name, flac->size);
    if (!status)
        status = send_pieces(g, address, flac);
    if (!status)
        status = wait_for(uri, g, *name);
    mdm_free(&address);
    return status;
}

/* ---- deleting ---- */

mdm_status mdm_gemini_delete(mdm_gemini *g, const char *name)
{
    char path[80];
    mdm_gemini_reply reply = {0};
    const mdm_progress *progress = g->progress;
    g->progress = NULL; /* a wish to stop does not stop this */
    snprintf(path, sizeof path, "/v1beta/%s", name);
    mdm_status status = mdm_gemini_send(&reply, g, &(mdm_gemini_request){.method = "DELETE", .path = path});
    if (reply.code == 404) /* there is none: it was never begun, or is gone */
        status = MDM_OK;
    if (!status)
        status = change_ledger(g->ledger, NULL, name);
    g->progress = progress;
    mdm_gemini_reply_free(&reply);
    return status;
}

mdm_status mdm_gemini_sweep(const char *ledger)
{
    mdm_gemini *g = NULL;
    char *text = NULL, *rest;
    if (!mdm_file_exists(ledger))
        return MDM_OK;
    MDM_TRY(mdm_gemini_open(&g, &(mdm_gemini_settings){.model = "none", .language = "auto", .ledger = ledger}));
    mdm_status status = read_ledger(&text, ledger);
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line && !status; line = strtok_r(NULL, "\n", &rest))
        status = is_file_name(line) ? mdm_gemini_delete(g, line) : change_ledger(ledger, NULL, line);
    mdm_free(&text);
    mdm_gemini_free(&g);
    return status;
}
