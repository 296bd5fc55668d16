/* Uploaded recordings: a folder each, with the bytes, what is known of them, and how far they have come. Pieces come in order, each with
 * its checksum; what is not known to be right is cut off again. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "server/web.h"

#define HEADROOM ((uint64_t)1 << 30) /* of the disk stays free */

/* A piece that is coming in. */
typedef struct taking {
    int fd;
    json_t *record;
    uint64_t offset, got;
    mdm_sha256 hash;
} taking;

/* upload.json: {name, size, modified, received, state: "coming" | "ready" | "refused", problem, kind, width, height, seconds, job} */
static mdm_status record_path(char **out, const mdm_web *web, const char *id)
{
    return web_path(out, web->uploads, id, "upload.json", NULL);
}

static mdm_status load_record(json_t **out, const mdm_web *web, const char *id)
{
    char *path;
    *out = NULL;
    MDM_TRY(record_path(&path, web, id));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(out, path, 65536)
                                              : mdm_fail(MDM_ERR_INPUT, "There is no such upload; add the file again.");
    mdm_free(&path);
    return status;
}

static mdm_status save_record(const mdm_web *web, const char *id, const json_t *record)
{
    char *path;
    MDM_TRY(record_path(&path, web, id));
    mdm_status status = mdm_json_save(record, path);
    mdm_free(&path);
    return status;
}

static uint64_t number(const json_t *record, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(record, key));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *text(const json_t *record, const char *key)
{
    const char *value = json_string_value(json_object_get(record, key));
    return value ? value : "";
}

/* The recording keeps its ending, by which some formats are known; nothing else of its name. */
static mdm_status data_path(char **out, const mdm_web *web, const char *id, const json_t *record)
{
    char name[32] = "recording";
    const char *dot = strrchr(text(record, "name"), '.');
    const size_t length = dot ? strspn(dot + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
    if (length > 0 && length < 8 && !dot[1 + length])
        snprintf(name, sizeof name, "recording.%s", dot + 1);
    return web_path(out, web->uploads, id, name, NULL);
}

/* ---- one writer an upload -------------------------------------------------------------------------------------------------- */

static bool claim(mdm_web *web, const char *id)
{
    char *place = NULL;
    pthread_mutex_lock(&web->mutex);
    bool taken = false;
    for (int i = 0; i < WEB_CONNECTIONS; i++) {
        taken |= strcmp(web->busy[i], id) == 0;
        if (!web->busy[i][0])
            place = web->busy[i];
    }
    if (!taken && place)
        snprintf(place, WEB_SECRET, "%s", id);
    pthread_mutex_unlock(&web->mutex);
    return !taken && place;
}

static void release(mdm_web *web, const char *id)
{
    pthread_mutex_lock(&web->mutex);
    for (int i = 0; i < WEB_CONNECTIONS; i++)
        if (strcmp(web->busy[i], id) == 0)
            web->busy[i][0] = '\0';
    pthread_mutex_unlock(&web->mutex);
}

/* ---- list ------------------------------------------------------------------------------------------------------------------ */

static json_t *shown(const char *id, const json_t *record)
{
    static const char *const keys[] = {"name", "size",  "modified", "received", "state", "problem",
                                       "kind", "width", "height",   "seconds",  "fps"};
    json_t *out = json_pack("{s:s}", "id", id);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (json_object_get(record, keys[i]))
            json_object_set(out, keys[i], json_object_get(record, keys[i]));
    return out;
}

/* Calls `visit` for every upload; stops when it returns false. */
typedef bool (*visit_record)(void *user, const char *id, json_t *record);

static mdm_status for_each(mdm_web *web, visit_record visit, void *user)
{
    char **names;
    size_t count;
    bool more = true;
    MDM_TRY(mdm_list_folder(&names, &count, web->uploads));
    for (size_t i = 0; i < count && more; i++) {
        json_t *record;
        if (load_record(&record, web, names[i]) != MDM_OK)
            continue;
        more = visit(user, names[i], record);
        json_decref(record);
    }
    mdm_names_free(&names, count);
    return MDM_OK;
}

static bool add_shown(void *user, const char *id, json_t *record)
{
    if (!*text(record, "job")) /* those of jobs are theirs */
        json_array_append_new(user, shown(id, record));
    return true;
}

web_result web_uploads_list(web_request *request)
{
    json_t *list = json_array();
    mdm_status status = for_each(request->web, add_shown, list);
    if (status == MDM_OK)
        return web_json(request, 200, json_pack("{s:o, s:I}", "uploads", list, "piece", (json_int_t)(WEB_CHUNK / 2)));
    json_decref(list);
    return web_status(request, status);
}

/* ---- a new one, or one that was begun before --------------------------------------------------------------------------------- */

typedef struct tally {
    const char *name;
    uint64_t size, modified;
    uint64_t bytes;
    size_t count;
    char found[WEB_SECRET];
    json_t *record;
} tally;

static bool count_one(void *user, const char *id, json_t *record)
{
    tally *t = user;
    t->bytes += number(record, "size");
    t->count++;
    if (!t->record && strcmp(text(record, "state"), "coming") == 0 && strcmp(text(record, "name"), t->name) == 0 &&
        number(record, "size") == t->size && number(record, "modified") == t->modified) {
        snprintf(t->found, sizeof t->found, "%s", id);
        t->record = json_incref(record);
    }
    return true;
}

static web_result refuse_size(bool *refused, web_request *request, const tally *t)
{
    struct statvfs disk;
    const mdm_web *web = request->web;
    *refused = true;
    if (t->size > web->largest)
        return web_fail(request, 413, "%s: larger than the %llu GiB that one recording may have (--largest).", t->name,
                        (unsigned long long)(web->largest >> 30));
    if (t->count >= WEB_UPLOADS || t->bytes > web->quota || t->size > web->quota - t->bytes)
        return web_fail(request, 413, "%s: the uploads together would be over %llu GiB (--quota); remove some first.",
                        t->name, (unsigned long long)(web->quota >> 30));
    if (statvfs(web->uploads, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < t->size + HEADROOM)
        return web_fail(request, 507, "%s: there is not enough room on the disk for it.", t->name);
    *refused = false;
    return MHD_YES;
}

static mdm_status make_upload(char id[WEB_SECRET], json_t **record, mdm_web *web, const tally *t)
{
    char *folder, *path = NULL;
    web_secret(id);
    *record = json_pack("{s:i, s:s, s:I, s:I, s:i, s:s}", "version", 1, "name", t->name, "size", (json_int_t)t->size,
                        "modified", (json_int_t)t->modified, "received", 0, "state", "coming");
    if (!*record)
        return mdm_fail(MDM_ERR_USAGE, "The file's name cannot be read.");
    MDM_TRY(web_path(&folder, web->uploads, id, NULL));
    mdm_status status = mdm_make_folder(folder, 0700);
    mdm_free(&folder);
    if (status == MDM_OK)
        status = data_path(&path, web, id, *record);
    const int fd = status == MDM_OK ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (status == MDM_OK && fd < 0)
        status = mdm_fail(MDM_ERR_WRITE, "No file can be made for the upload: %s.", strerror(errno));
    if (fd >= 0)
        close(fd);
    mdm_free(&path);
    return status == MDM_OK ? save_record(web, id, *record) : status;
}

web_result web_uploads_new(web_request *request)
{
    const char *name = json_string_value(json_object_get(request->json, "name"));
    tally t = {.name = name, .size = number(request->json, "size"), .modified = number(request->json, "modified")};
    bool refused;
    if (!name || !web_is_name(name))
        return web_fail(request, 422, "The file's name cannot be used.");
    if (!t.size)
        return web_fail(request, 422, "%s: the file is empty.", name);
    if (for_each(request->web, count_one, &t) != MDM_OK)
        return web_status(request, MDM_ERR_INTERNAL);
    if (t.record) {
        json_t *value = shown(t.found, t.record);
        json_decref(t.record);
        return web_json(request, 200, value);
    }
    web_result result = refuse_size(&refused, request, &t);
    if (refused)
        return result;
    char id[WEB_SECRET];
    mdm_status status = make_upload(id, &t.record, request->web, &t);
    result = status == MDM_OK ? web_json(request, 201, shown(id, t.record)) : web_status(request, status);
    json_decref(t.record);
    return result;
}

/* ---- a piece ------------------------------------------------------------------------------------------------------------------ */

static void end_taking(web_request *request, bool keep)
{
    taking *t = request->taking;
    if (!t)
        return;
    if (t->fd >= 0) {
        if (!keep) /* the record knows how far it was right */
            (void)!ftruncate(t->fd, (off_t)t->offset);
        close(t->fd);
    }
    json_decref(t->record);
    mdm_free(&request->taking);
    release(request->web, request->id[0]);
}

void web_upload_dropped(web_request *request)
{
    end_taking(request, false);
}

web_result web_upload_begin(web_request *request)
{
    const char *at = web_query(request, "offset");
    uint64_t offset;
    taking *t;
    char *path = NULL;
    if (!at || !web_parse_number(&offset, at, INT64_MAX))
        return web_fail(request, 400, "Where the piece belongs has to be said (?offset=).");
    if (!claim(request->web, request->id[0]))
        return web_fail(request, 409, "Another window is sending this file already.");
    if (mdm_alloc(&t, 1, sizeof *t, "upload") != MDM_OK) {
        release(request->web, request->id[0]);
        return web_status(request, MDM_ERR_MEMORY);
    }
    t->fd = -1;
    t->offset = offset;
    request->taking = t;
    mdm_sha256_start(&t->hash);
    mdm_status status = load_record(&t->record, request->web, request->id[0]);
    if (status != MDM_OK) {
        end_taking(request, false);
        return web_status(request, status);
    }
    const uint64_t received = number(t->record, "received"), size = number(t->record, "size");
    if (strcmp(text(t->record, "state"), "coming") != 0 || offset != received || request->expected > size - received ||
        !request->expected) {
        json_t *value =
            json_pack("{s:s, s:I}", "problem", "The piece does not belong there.", "received", (json_int_t)received);
        end_taking(request, true);
        return web_json(request, 409, value);
    }
    status = data_path(&path, request->web, request->id[0], t->record);
    if (status == MDM_OK)
        t->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (status == MDM_OK && (t->fd < 0 || ftruncate(t->fd, (off_t)offset) != 0))
        status = mdm_fail(MDM_ERR_WRITE, "The file cannot be written: %s.", strerror(errno));
    mdm_free(&path);
    if (status == MDM_OK)
        return MHD_YES;
    end_taking(request, true);
    return web_status(request, status);
}

web_result web_upload_piece(web_request *request, const char *data, size_t size)
{
    taking *t = request->taking;
    if (!t || t->got + size > request->expected)
        return MHD_NO;
    mdm_sha256_add(&t->hash, data, size);
    while (size) {
        const ssize_t n = pwrite(t->fd, data, size, (off_t)(t->offset + t->got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            const bool full = errno == ENOSPC || errno == EDQUOT;
            end_taking(request, false);
            return web_fail(request, 507, "The file cannot be written: %s.",
                            full ? "the disk is full" : strerror(errno));
        }
        data += n;
        size -= (size_t)n;
        t->got += (uint64_t)n;
    }
    return MHD_YES;
}

/* Asks a process with limits what the file is: it is a stranger's. */
static mdm_status look(mdm_web *web, const char *id, json_t *record, const char *path)
{
    char *picture;
    mdm_buffer answer = {0};
    json_t *info = NULL;
    static const char *const keys[] = {"kind", "width", "height", "seconds", "fps"};
    MDM_TRY(web_path(&picture, web->uploads, id, "picture.jpg", NULL));
    char *const words[] = {"look", "--json", "--", (char *)path, picture, NULL};
    mdm_status status = web_ask(&answer, web, words, 20, 2048);
    if (status == MDM_OK && web_parse_json(&info, (char *)answer.data, answer.size, 4) == MDM_OK &&
        json_is_object(info)) {
        json_object_set_new(record, "state", json_string("ready"));
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            json_object_set(record, keys[i], json_object_get(info, keys[i]));
    } else if (status == MDM_OK) {
        /* "mmdm: /where/it/lies: why": the file's own name is what people know. */
        const char *words_said = answer.data ? (const char *)answer.data : "", *at = strstr(words_said, path);
        char problem[400];
        snprintf(problem, sizeof problem, "%s",
                 at ? at + strlen(path) + strspn(at + strlen(path), ": ") : "it took too long to open");
        problem[strcspn(problem, "\n")] = '\0';
        json_object_set_new(record, "state", json_string("refused"));
        json_t *said = json_string(problem);
        json_object_set_new(record, "problem", said ? said : json_string("not a recording"));
    }
    json_decref(info);
    mdm_buffer_free(&answer);
    mdm_free(&picture);
    return status;
}

/* After the first piece: a clear word before gigabytes are sent for nothing. After the last: the whole file is looked at. */
static mdm_status judge(mdm_web *web, const char *id, json_t *record)
{
    char *path;
    MDM_TRY(data_path(&path, web, id, record));
    mdm_status status = MDM_OK;
    if (!mdm_looks_like_recording(path, text(record, "name"))) {
        json_object_set_new(record, "state", json_string("refused"));
        json_object_set_new(record, "problem", json_string("not a video or a picture"));
    } else if (number(record, "received") == number(record, "size")) {
        status = look(web, id, record, path);
    }
    if (strcmp(text(record, "state"), "refused") == 0)
        (void)!truncate(path, 0);
    mdm_free(&path);
    return status;
}

static bool right_checksum(taking *t, const char *expected)
{
    unsigned char digest[32];
    char hex[65];
    mdm_sha256_end(&t->hash, digest);
    mdm_sha256_text(hex, digest);
    return expected && strcmp(hex, expected) == 0;
}

web_result web_upload_end(web_request *request)
{
    taking *t = request->taking;
    if (!t || t->got != request->expected)
        return MHD_NO;
    if (!right_checksum(t, web_header(request, "X-Sha256"))) {
        end_taking(request, false);
        return web_fail(request, 422, "The piece was damaged on the way (X-Sha256).");
    }
    if (fdatasync(t->fd) != 0) {
        end_taking(request, false);
        return web_fail(request, 507, "The file cannot be brought to the disk.");
    }
    json_object_set_new(t->record, "received", json_integer((json_int_t)(t->offset + t->got)));
    mdm_status status = judge(request->web, request->id[0], t->record);
    if (status == MDM_OK)
        status = save_record(request->web, request->id[0], t->record);
    if (status != MDM_OK) {
        end_taking(request, false);
        return web_status(request, status);
    }
    json_t *value = shown(request->id[0], t->record);
    end_taking(request, true);
    return web_json(request, 200, value);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------------- */

web_result web_upload_delete(web_request *request)
{
    json_t *record;
    char *folder = NULL;
    mdm_status status = load_record(&record, request->web, request->id[0]);
    if (status == MDM_OK && *text(record, "job"))
        status = mdm_fail(MDM_ERR_AGAIN, "A job works on this recording; delete the job instead.");
    json_decref(record);
    if (status == MDM_OK && !claim(request->web, request->id[0]))
        status = mdm_fail(MDM_ERR_AGAIN, "The file is being sent at this moment.");
    if (status != MDM_OK)
        return web_status(request, status);
    status = web_path(&folder, request->web->uploads, request->id[0], NULL);
    if (status == MDM_OK)
        status = mdm_remove_tree(folder, true);
    mdm_free(&folder);
    release(request->web, request->id[0]);
    return status == MDM_OK ? web_json(request, 200, json_object()) : web_status(request, status);
}

web_result web_upload_picture(web_request *request)
{
    char *path;
    mdm_status status = web_path(&path, request->web->uploads, request->id[0], "picture.jpg", NULL);
    if (status != MDM_OK)
        return web_status(request, status);
    web_result result = web_file(request, path, "image/jpeg", NULL);
    mdm_free(&path);
    return result;
}

mdm_status web_upload_path(char **out, const mdm_web *web, const char *id)
{
    json_t *record;
    *out = NULL;
    MDM_TRY(load_record(&record, web, id));
    mdm_status status = strcmp(text(record, "state"), "ready") == 0
                            ? data_path(out, web, id, record)
                            : mdm_fail(MDM_ERR_AGAIN, "%s: not all of it is here yet.", text(record, "name"));
    json_decref(record);
    return status;
}

mdm_status web_upload_name(char **out, const mdm_web *web, const char *id)
{
    json_t *record;
    *out = NULL;
    MDM_TRY(load_record(&record, web, id));
    mdm_status status = mdm_strdup(out, text(record, "name"));
    json_decref(record);
    return status;
}

mdm_status web_upload_give(const mdm_web *web, const char *id, const char *job)
{
    json_t *record;
    MDM_TRY(load_record(&record, web, id));
    json_object_set_new(record, "job", json_string(job));
    mdm_status status = save_record(web, id, record);
    json_decref(record);
    return status;
}

mdm_status web_upload_remove(const mdm_web *web, const char *id)
{
    char *folder;
    MDM_TRY(web_path(&folder, web->uploads, id, NULL));
    mdm_status status = mdm_remove_tree(folder, true);
    mdm_free(&folder);
    return status;
}

/* Folders without a record: the server was killed while it made them. */
mdm_status web_uploads_sweep(mdm_web *web)
{
    char **names;
    size_t count;
    MDM_TRY(mdm_list_folder(&names, &count, web->uploads));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        json_t *record;
        if (load_record(&record, web, names[i]) != MDM_OK)
            status = web_upload_remove(web, names[i]);
        json_decref(record);
    }
    mdm_names_free(&names, count);
    return status;
}
