/* Folders that --root offers: listed and opened beneath the root only, never through a link, and named by ids. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"
#include "server/web.h"

enum { MOST_PLACES = 200000, MOST_LISTED = 5000 };

/* What an id stands for. */
typedef struct place {
    char id[WEB_SECRET];
    int root;
    char *path; /* beneath it; "." is the root */
} place;

struct web_places {
    char key[WEB_SECRET]; /* of the ids: they cannot be made up elsewhere */
    place *items;
    size_t count;
};

static int open_beneath(const web_root *root, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root->fd, path, &how, sizeof how);
}

static mdm_status add_root(mdm_web *web, const char *path)
{
    if (web->root_count == WEB_ROOTS)
        return mdm_fail(MDM_ERR_USAGE, "--root: at most %d folders", WEB_ROOTS);
    web_root *root = &web->roots[web->root_count];
    char *absolute = realpath(path, NULL);
    root->fd = absolute ? open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    mdm_status status = root->fd < 0 ? mdm_fail(MDM_ERR_USAGE, "--root %s: %s", path, strerror(errno))
                                     : mdm_strdup(&root->path, absolute);
    free(absolute);
    if (status == MDM_OK)
        web->root_count++;
    return status;
}

mdm_status web_roots_open(mdm_web *web, const char *list)
{
    char *copy;
    MDM_TRY(mdm_alloc(&web->places, 1, sizeof *web->places, "folders"));
    web_secret(web->places->key);
    MDM_TRY(mdm_strdup(&copy, list));
    mdm_status status = MDM_OK;
    char *rest = copy;
    for (char *path = strsep(&rest, ":"); path && status == MDM_OK; path = strsep(&rest, ":"))
        if (*path)
            status = add_root(web, path);
    mdm_free(&copy);
    return status;
}

void web_roots_close(mdm_web *web)
{
    for (int i = 0; i < web->root_count; i++) {
        close(web->roots[i].fd);
        mdm_free(&web->roots[i].path);
    }
    for (size_t i = 0; web->places && i < web->places->count; i++)
        mdm_free(&web->places->items[i].path);
    if (web->places)
        mdm_free(&web->places->items);
    mdm_free(&web->places);
}

/* ---- ids ------------------------------------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const place *)a)->id, ((const place *)b)->id);
}

/* Writes the id of a path and remembers it; the list stays sorted. */
static mdm_status remember(char id[WEB_SECRET], mdm_web *web, int root, const char *path)
{
    web_places *places = web->places;
    mdm_sha256 hash;
    unsigned char digest[32];
    char hex[65], number[16];
    snprintf(number, sizeof number, "/%d/", root);
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, places->key, WEB_SECRET - 1);
    mdm_sha256_add(&hash, number, strlen(number));
    mdm_sha256_add(&hash, path, strlen(path));
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(hex, digest);
    snprintf(id, WEB_SECRET, "%.32s", hex);
    place fresh = {.root = root};
    memcpy(fresh.id, id, WEB_SECRET);
    pthread_mutex_lock(&web->mutex);
    mdm_status status = MDM_OK;
    if (!places->count || !bsearch(&fresh, places->items, places->count, sizeof *places->items, by_id)) {
        if (places->count == MOST_PLACES)
            status = mdm_fail(MDM_ERR_AGAIN, "Too many folders were looked at; start mmdm serve again.");
        if (status == MDM_OK)
            status = mdm_realloc(&places->items, places->count + 1, sizeof *places->items, "folders");
        if (status == MDM_OK)
            status = mdm_strdup(&fresh.path, path);
        if (status == MDM_OK) {
            size_t at = places->count++;
            for (; at > 0 && by_id(&fresh, &places->items[at - 1]) < 0; at--)
                places->items[at] = places->items[at - 1];
            places->items[at] = fresh;
        }
    }
    pthread_mutex_unlock(&web->mutex);
    return status;
}

/* A copy of what the id stands for; caller frees *path. */
static mdm_status find_place(int *root, char **path, mdm_web *web, const char *id)
{
    place wanted = {.root = 0};
    *path = NULL;
    snprintf(wanted.id, sizeof wanted.id, "%s", id);
    pthread_mutex_lock(&web->mutex);
    const place *found =
        web->places->count ? bsearch(&wanted, web->places->items, web->places->count, sizeof *web->places->items, by_id)
                           : NULL;
    mdm_status status = found
                            ? mdm_strdup(path, found->path)
                            : mdm_fail(MDM_ERR_INPUT, "That folder is not known any more; open it again from the top.");
    *root = found ? found->root : 0;
    pthread_mutex_unlock(&web->mutex);
    return status;
}

mdm_status web_place_path(char **out, mdm_web *web, const char *id)
{
    int root;
    char *path, link[64], where[4096];
    *out = NULL;
    MDM_TRY(find_place(&root, &path, web, id));
    const int fd = open_beneath(&web->roots[root], path, O_RDONLY);
    mdm_free(&path);
    if (fd < 0)
        return mdm_fail(MDM_ERR_INPUT, "That folder or file is not there any more.");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, where, sizeof where - 1);
    close(fd);
    if (n <= 0)
        return mdm_fail(MDM_ERR_INPUT, "That folder or file is not there any more.");
    where[n] = '\0';
    return mdm_strdup(out, where);
}

/* ---- listings -------------------------------------------------------------------------------------------------------------- */

web_result web_roots_list(web_request *request)
{
    json_t *list = json_array();
    mdm_status status = MDM_OK;
    for (int i = 0; i < request->web->root_count && status == MDM_OK; i++) {
        char id[WEB_SECRET];
        const char *path = request->web->roots[i].path, *slash = strrchr(path, '/');
        status = remember(id, request->web, i, ".");
        json_t *entry = json_pack("{s:s, s:s}", "id", id, "name", slash && slash[1] ? slash + 1 : path);
        if (entry)
            json_array_append_new(list, entry);
    }
    if (status == MDM_OK)
        return web_json(request, 200, json_pack("{s:o}", "roots", list));
    json_decref(list);
    return web_status(request, status);
}

static mdm_status add_entry(json_t *list, web_request *request, int root, const char *path, int fd, const char *name)
{
    struct stat info;
    char *inner, id[WEB_SECRET];
    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)))
        return MDM_OK;
    const bool folder = S_ISDIR(info.st_mode);
    if (!folder && !mdm_looks_like_recording("", name))
        return MDM_OK;
    MDM_TRY(strcmp(path, ".") == 0 ? mdm_strdup(&inner, name) : mdm_join_path(&inner, path, name));
    mdm_status status = remember(id, request->web, root, inner);
    mdm_free(&inner);
    MDM_TRY(status);
    json_t *entry =
        json_pack("{s:s, s:s, s:b, s:I}", "id", id, "name", name, "folder", folder, "size", (json_int_t)info.st_size);
    if (entry) /* a name that is not UTF-8 cannot be shown; the command line takes it */
        json_array_append_new(list, entry);
    return MDM_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static mdm_status list_place(json_t *list, bool *cut, web_request *request, int root, const char *path)
{
    struct dirent **entries = NULL;
    const int fd = open_beneath(&request->web->roots[root], path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return mdm_fail(MDM_ERR_INPUT, "That folder cannot be opened: %s.", strerror(errno));
    const int count = scandirat(fd, ".", &entries, not_hidden, by_name);
    mdm_status status =
        count < 0 ? mdm_fail(MDM_ERR_INPUT, "That folder cannot be read: %s.", strerror(errno)) : MDM_OK;
    *cut = count > MOST_LISTED;
    for (int i = 0; i < count; i++) {
        if (status == MDM_OK && i < MOST_LISTED)
            status = add_entry(list, request, root, path, fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    close(fd);
    return status;
}

web_result web_folder_list(web_request *request)
{
    int root;
    char *path, parent[WEB_SECRET] = "";
    bool cut = false;
    json_t *list = json_array();
    mdm_status status = find_place(&root, &path, request->web, request->id[0]);
    if (status == MDM_OK)
        status = list_place(list, &cut, request, root, path);
    if (status == MDM_OK && strcmp(path, ".") != 0) {
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
        status = remember(parent, request->web, root, slash ? path : ".");
    }
    mdm_free(&path);
    if (status == MDM_OK)
        return web_json(request, 200, json_pack("{s:o, s:s, s:b}", "entries", list, "parent", parent, "cut", cut));
    json_decref(list);
    return web_status(request, status);
}
