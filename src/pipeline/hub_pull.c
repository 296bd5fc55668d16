/* Downloading from the Hugging Face Hub: the repository's list of files with sizes and checksums, then each file, resumed until it is
 * whole, into the cache's blobs, with links from the snapshot's folder. */
#define _XOPEN_SOURCE 700 /* symlink, fseeko, sleep, strnlen */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/sha1.h"
#include "models/hub_cache.h"
#include "pipeline/hub_pull.h"

#define MAX_LIST ((size_t)16 << 20)
#define MAX_FILE ((uint64_t)64 << 30)

mdm_hub_settings mdm_hub_settings_default(void)
{
    return (mdm_hub_settings){.tries = 6, .stall_seconds = 30, .pause = 1};
}

/* One pull. */
typedef struct pull {
    const char *repository;
    const mdm_hub_settings *settings;
    char *endpoint, *token, *folder; /* folder: of the repository in the cache; token NULL: none */
    char revision[41];
    json_t *list; /* "siblings" of the repository */
    uint64_t done, total;
} pull;

/* A file of the list. */
typedef struct remote {
    const char *path;
    uint64_t size;
    char hash[65]; /* SHA-256, or git's name of a small file */
    bool sha256;
} remote;

/* ---- settings of the user's ---- */

static mdm_status find_endpoint(char **out)
{
    const char *set = getenv("HF_ENDPOINT");
    MDM_TRY(mdm_strdup(out, set && *set ? set : "https://huggingface.co"));
    size_t n = strlen(*out);
    while (n && (*out)[n - 1] == '/')
        (*out)[--n] = '\0';
    if (strncmp(*out, "https://", 8) != 0 && strncmp(*out, "http://", 7) != 0)
        return mdm_fail(MDM_ERR_CONFIG, "HF_ENDPOINT is \"%s\", expected an address that begins with https://", *out);
    return MDM_OK;
}

static void trim(char *text)
{
    size_t n = strlen(text);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        text[--n] = '\0';
}

static mdm_status find_token(char **out)
{
    const char *set = getenv("HF_TOKEN"), *home = getenv("HF_HOME"), *user = getenv("HOME");
    char *path = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    if (set && *set)
        return mdm_strdup(out, set);
    if (home && *home)
        MDM_TRY(mdm_join_path(&path, home, "token"));
    else if (user && *user)
        MDM_TRY(mdm_format(&path, "%s/.cache/huggingface/token", user));
    mdm_status status = MDM_OK;
    if (path && mdm_file_exists(path))
        status = mdm_file_read(&text, &size, path, 4096);
    if (!status && text && size) {
        trim((char *)text);
        status = mdm_strdup(out, (char *)text);
        mdm_wipe(text, size);
    }
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

/* ---- one request ---- */

typedef struct body {
    FILE *file;
    mdm_buffer *text; /* one of the two */
    uint64_t most, got;
    const pull *pull;
    bool cancelled;
} body;

static size_t take(char *data, size_t size, size_t count, void *user)
{
    body *b = user;
    const size_t bytes = size * count;
    if (bytes > b->most - b->got)
        return 0; /* more than there can be */
    b->got += bytes;
    if (b->text)
        return mdm_buffer_append(b->text, data, bytes) ? 0 : bytes;
    if (!mdm_progress_update(b->pull->settings->progress, (double)(b->pull->done + b->got), (double)b->pull->total)) {
        b->cancelled = true;
        return 0;
    }
    return fwrite(data, 1, bytes, b->file);
}

/* GET, following redirects; the token goes to the first host only. *code: of the answer, 0 when there was none. */
static CURLcode get(const pull *p, const char *address, uint64_t from, body *b, long *code)
{
    CURL *curl = curl_easy_init();
    const bool secure = !strncmp(p->endpoint, "https://", 8);
    *code = 0;
    if (!curl)
        return CURLE_FAILED_INIT;
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mmdm");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)p->settings->stall_seconds);
    if (p->token) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, p->token);
    }
    if (from)
        curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)from);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, b);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, code);
    curl_easy_cleanup(curl);
    return result;
}

/* An answer that no further try will change. */
static mdm_status refused(const pull *p, const char *what, long code)
{
    if (code == 401 || code == 403)
        return mdm_fail(
            MDM_ERR_CONFIG,
            "%s of %s: not allowed (%ld). Accept its licence on its page at %s and set HF_TOKEN to a token of yours",
            what, p->repository, code, p->endpoint);
    return mdm_fail(MDM_ERR_INPUT, "%s of %s: there is none at %s (%ld)", what, p->repository, p->endpoint, code);
}

static bool is_final(long code)
{
    return code >= 400 && code < 500 && code != 408 && code != 416 && code != 429;
}

static void wait_after(const pull *p, int attempt)
{
    sleep(p->settings->pause << (attempt < 5 ? attempt : 5));
}

/* ---- the list ---- */

static bool is_hexadecimal(const char *text, size_t length)
{
    return text && strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static mdm_status read_list(pull *p, const mdm_buffer *text)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)text->data, text->size, JSON_REJECT_DUPLICATES, &error);
    const char *revision = json_string_value(json_object_get(root, "sha"));
    p->list = json_incref(json_object_get(root, "siblings"));
    mdm_status status = MDM_OK;
    if (!is_hexadecimal(revision, 40) || !json_is_array(p->list))
        status = mdm_fail(MDM_ERR_INPUT, "%s: what %s answers is no list of a repository's files", p->repository,
                          p->endpoint);
    else
        memcpy(p->revision, revision, sizeof p->revision);
    json_decref(root);
    return status;
}

static mdm_status get_list(pull *p)
{
    char *address = NULL;
    mdm_status status = mdm_format(&address, "%s/api/models/%s/revision/main?blobs=true", p->endpoint, p->repository);
    for (int attempt = 0; !status && !p->list; attempt++) {
        mdm_buffer text = {.max = MAX_LIST};
        body b = {.text = &text, .most = MAX_LIST, .pull = p};
        long code;
        CURLcode result = get(p, address, 0, &b, &code);
        if (result == CURLE_OK)
            status = read_list(p, &text);
        else if (is_final(code))
            status = refused(p, "the list", code);
        else if (attempt + 1 >= p->settings->tries)
            status = mdm_fail(MDM_ERR_AGAIN, "%s: %s", address, curl_easy_strerror(result));
        else
            wait_after(p, attempt);
        mdm_buffer_free(&text);
    }
    mdm_free(&address);
    return status;
}

/* The list's entry for a path; false when there is none, or none that can be believed. */
static bool find_remote(remote *out, const pull *p, const char *path)
{
    size_t i;
    json_t *file;
    json_array_foreach(p->list, i, file)
    {
        const char *name = json_string_value(json_object_get(file, "rfilename"));
        if (!name || strcmp(name, path) != 0)
            continue;
        const json_t *lfs = json_object_get(file, "lfs"), *size = json_object_get(lfs ? lfs : file, "size");
        const char *hash = json_string_value(json_object_get(lfs ? lfs : file, lfs ? "sha256" : "blobId"));
        if (!is_hexadecimal(hash, lfs ? 64 : 40) || !json_is_integer(size) || json_integer_value(size) < 0 ||
            (uint64_t)json_integer_value(size) > MAX_FILE)
            return false;
        *out = (remote){.path = name, .size = (uint64_t)json_integer_value(size), .sha256 = lfs != NULL};
        memcpy(out->hash, hash, strlen(hash) + 1);
        return true;
    }
    return false;
}

/* ---- one file ---- */

static mdm_status check_file(const pull *p, const remote *r, const char *path)
{
    char hash[65];
    uint64_t size = 0;
    MDM_TRY(mdm_file_size(&size, path));
    MDM_TRY(r->sha256 ? mdm_sha256_file(hash, path) : mdm_git_name_of_file(hash, path));
    if (size == r->size && !strcmp(hash, r->hash))
        return MDM_OK;
    unlink(path); /* going on with it would not help */
    return mdm_fail(MDM_ERR_INPUT,
                    "%s of %s: what came is not what the repository lists (%" PRIu64
                    " bytes with checksum %.12s..., expected "
                    "%" PRIu64 " with %.12s...)",
                    r->path, p->repository, size, hash, r->size, r->hash);
}

/* One try: goes on with `path` where it ends. *again: another may help. */
static mdm_status try_file(pull *p, const remote *r, const char *address, const char *path, bool *again)
{
    uint64_t have = 0;
    long code;
    *again = false;
    if (mdm_file_exists(path))
        MDM_TRY(mdm_file_size(&have, path));
    if (have == r->size && have)
        return MDM_OK;
    FILE *file = fopen(path, have < r->size ? "ab" : "wb");
    have = have < r->size ? have : 0;
    if (!file)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot be written", path);
    body b = {.file = file, .most = r->size, .got = have, .pull = p};
    CURLcode result = get(p, address, have, &b, &code);
    bool written = fflush(file) == 0 && !ferror(file);
    if (result == CURLE_RANGE_ERROR || code == 416) /* the server begins anew, so do we */
        written = ftruncate(fileno(file), 0) == 0 && written;
    written = fclose(file) == 0 && written;
    if (b.cancelled)
        return mdm_fail(MDM_ERR_CANCELLED, "%s: cancelled after %" PRIu64 " bytes; another pull goes on from there",
                        r->path, b.got);
    if (!written)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot be written; is the disk full?", path);
    if (is_final(code))
        return refused(p, r->path, code);
    *again = result != CURLE_OK || b.got != r->size;
    return !*again ? MDM_OK
                   : mdm_fail(MDM_ERR_AGAIN, "%s of %s: %s after %" PRIu64 " of %" PRIu64 " bytes", r->path,
                              p->repository, result ? curl_easy_strerror(result) : "the answer ended", b.got, r->size);
}

static mdm_status get_blob(pull *p, const remote *r, const char *blob)
{
    char *address = NULL, *partial = NULL;
    mdm_status status = mdm_format(&address, "%s/%s/resolve/%s/%s", p->endpoint, p->repository, p->revision, r->path);
    if (!status)
        status = mdm_format(&partial, "%s.incomplete", blob);
    bool again = !status;
    for (int attempt = 0; again && attempt < p->settings->tries; attempt++) {
        if (attempt)
            wait_after(p, attempt - 1);
        status = try_file(p, r, address, partial, &again);
    }
    if (!status)
        status = check_file(p, r, partial);
    if (!status && rename(partial, blob) != 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot get its name (%s)", blob, strerror(errno));
    mdm_free(&address);
    mdm_free(&partial);
    return status;
}

/* snapshots/REVISION/a/b -> ../../../blobs/HASH, as many steps up as the path has folders. */
static mdm_status link_blob(const pull *p, const remote *r)
{
    char *path = NULL, *target = NULL, up[64] = "../../";
    for (const char *c = r->path; *c; c++)
        if (*c == '/' && strlen(up) + 4 < sizeof up)
            snprintf(up + strlen(up), sizeof up - strlen(up), "../");
    mdm_status status = mdm_format(&path, "%s/snapshots/%s/%s", p->folder, p->revision, r->path);
    if (!status)
        status = mdm_format(&target, "%sblobs/%s", up, r->hash);
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash && !status) {
        *slash = '\0';
        status = mdm_make_folder(path, 0755);
        *slash = '/';
    }
    if (!status && symlink(target, path) != 0 && errno != EEXIST)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be made (%s)", path, strerror(errno));
    mdm_free(&path);
    mdm_free(&target);
    return status;
}

static mdm_status get_file(pull *p, const remote *r)
{
    char *blob = NULL;
    MDM_TRY(mdm_format(&blob, "%s/blobs/%s", p->folder, r->hash));
    mdm_status status = mdm_file_exists(blob) ? MDM_OK : get_blob(p, r, blob);
    if (!status)
        status = link_blob(p, r);
    p->done += r->size;
    mdm_free(&blob);
    return status;
}

/* ---- what is wanted ---- */

typedef struct wanted {
    remote *file;
    size_t count;
} wanted;

static mdm_status want(wanted *w, const remote *r)
{
    MDM_TRY(mdm_realloc(&w->file, w->count + 1, sizeof *w->file, "files"));
    w->file[w->count++] = *r;
    return MDM_OK;
}

/* "NAME-00002-of-00005.safetensors" in `folder` */
static bool is_shard(const char *path, const char *start)
{
    const char *rest = strncmp(path, start, strlen(start)) ? NULL : path + strlen(start);
    return rest && strlen(rest) == strlen("-00002-of-00005.safetensors") && !strncmp(rest + 6, "-of-", 4) &&
           !strcmp(rest + 15, ".safetensors") && strspn(rest + 1, "0123456789") == 5;
}

static mdm_status want_shards(wanted *w, const pull *p, const char *start)
{
    size_t i;
    json_t *file;
    json_array_foreach(p->list, i, file)
    {
        remote r;
        const char *name = json_string_value(json_object_get(file, "rfilename"));
        if (name && is_shard(name, start) && find_remote(&r, p, name))
            MDM_TRY(want(w, &r));
    }
    return MDM_OK;
}

static mdm_status want_file(wanted *w, const pull *p, const mdm_hub_file *file)
{
    static const char *const endings[] = {".safetensors", ".safetensors.index.json", ".bin"};
    const size_t count = file->weights ? sizeof endings / sizeof *endings : 1;
    for (size_t i = 0; i < count; i++) {
        char path[512], start[512];
        remote r;
        const bool torch = file->weights && i == 2 && !strcmp(file->name, "model");
        snprintf(start, sizeof start, "%s%s%s", file->folder, *file->folder ? "/" : "", file->name);
        snprintf(path, sizeof path, "%s%s%s%s%s", file->folder, *file->folder ? "/" : "", torch ? "pytorch_" : "",
                 file->name, file->weights ? endings[i] : "");
        if (!find_remote(&r, p, path))
            continue;
        MDM_TRY(want(w, &r));
        return file->weights && i == 1 ? want_shards(w, p, start) : MDM_OK;
    }
    return file->optional
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "%s: the repository lists no %s%s%s%s with size and checksum", p->repository,
                          file->folder, *file->folder ? "/" : "", file->name, file->weights ? ".safetensors" : "");
}

static mdm_status check_room(const pull *p)
{
    struct statvfs disk;
    if (statvfs(p->folder, &disk) != 0)
        return MDM_OK;
    const uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    return room > p->total ? MDM_OK
                           : mdm_fail(MDM_ERR_WRITE, "%s: %" PRIu64 " MB are free, %s takes %" PRIu64, p->folder,
                                      room / 1000000, p->repository, p->total / 1000000);
}

static mdm_status write_ref(const pull *p)
{
    char *path = NULL;
    MDM_TRY(mdm_format(&path, "%s/refs", p->folder));
    mdm_status status = mdm_make_folder(path, 0755);
    mdm_free(&path);
    if (!status)
        status = mdm_format(&path, "%s/refs/main", p->folder);
    if (!status)
        status = mdm_file_write(path, p->revision, 40);
    mdm_free(&path);
    return status;
}

static mdm_status pull_all(pull *p, const mdm_hub_file *files, size_t count)
{
    wanted w = {0};
    char *blobs = NULL;
    MDM_TRY(get_list(p));
    mdm_status status = mdm_format(&blobs, "%s/blobs", p->folder);
    if (!status)
        status = mdm_make_folder(blobs, 0755);
    mdm_free(&blobs);
    for (size_t i = 0; i < count && !status; i++)
        status = want_file(&w, p, &files[i]);
    for (size_t i = 0; i < w.count; i++)
        p->total += w.file[i].size;
    if (!status)
        status = check_room(p);
    for (size_t i = 0; i < w.count && !status; i++)
        status = get_file(p, &w.file[i]);
    mdm_free(&w.file);
    return status ? status : write_ref(p); /* last: a snapshot that "main" points to is whole */
}

mdm_status mdm_hub_pull(const char *repository, const mdm_hub_file *files, size_t count,
                        const mdm_hub_settings *settings)
{
    pull p = {.repository = repository, .settings = settings};
    mdm_status status = mdm_hub_folder(&p.folder, repository);
    if (!status)
        status = find_endpoint(&p.endpoint);
    if (!status)
        status = find_token(&p.token);
    if (!status)
        status = pull_all(&p, files, count);
    if (p.token)
        mdm_wipe(p.token, strlen(p.token));
    mdm_free(&p.token);
    mdm_free(&p.endpoint);
    mdm_free(&p.folder);
    json_decref(p.list);
    return status;
}
