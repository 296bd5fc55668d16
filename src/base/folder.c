/* Folders: making, listing and removing them, and joining paths (declared in base/file.h). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define MAX_NAMES ((size_t)1 << 20)
#define MAX_DEPTH 64

mdm_status mdm_make_folder(const char *path, unsigned mode)
{
    char *copy;
    MDM_TRY(mdm_strdup(&copy, path));
    mdm_status status = MDM_OK;
    for (char *at = copy + 1; *copy && status == MDM_OK; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        /* Only the last folder gets the asked mode: parents are ordinary ones. */
        if (mkdir(copy, end ? 0777 : (mode_t)mode) != 0 && errno != EEXIST)
            status = mdm_fail(MDM_ERR_WRITE, "%s: cannot make the folder: %s", copy, strerror(errno));
        *at = end;
        if (!end)
            break;
    }
    mdm_free(&copy);
    if (status != MDM_OK)
        return status;
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return mdm_fail(MDM_ERR_WRITE, "%s: exists and is not a folder", path);
    return MDM_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mdm_status collect_names(char ***names, size_t *count, DIR *dir)
{
    size_t capacity = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == capacity) {
            if (capacity >= MAX_NAMES)
                return mdm_fail(MDM_ERR_INPUT, "more than %zu names in one folder", MAX_NAMES);
            capacity = capacity ? capacity * 2 : 32;
            MDM_TRY(mdm_realloc(names, capacity, sizeof **names, "names"));
        }
        MDM_TRY(mdm_strdup(&(*names)[*count], entry->d_name));
        ++*count;
    }
    return MDM_OK;
}

mdm_status mdm_list_folder(char ***names, size_t *count, const char *path)
{
    *names = NULL;
    *count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return mdm_fail(MDM_ERR_INPUT, "%s: cannot list the folder: %s", path, strerror(errno));
    mdm_status status = collect_names(names, count, dir);
    closedir(dir);
    if (status != MDM_OK) {
        mdm_names_free(names, *count);
        *count = 0;
        return mdm_fail_context(status, "%s", path);
    }
    if (*count)
        qsort(*names, *count, sizeof **names, by_name);
    return MDM_OK;
}

void mdm_names_free(char ***names, size_t count)
{
    if (!*names)
        return;
    for (size_t i = 0; i < count; i++)
        mdm_free(&(*names)[i]);
    mdm_free(names);
}

static mdm_status link_entry(const char *from, const char *to, int depth);

static mdm_status link_folder(const char *from, const char *to, int depth)
{
    char **names;
    size_t count;
    if (depth > MAX_DEPTH)
        return mdm_fail(MDM_ERR_INPUT, "%s: folders nested deeper than %d", from, MAX_DEPTH);
    if (mkdir(to, 0700) != 0)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot make the folder: %s", to, strerror(errno));
    MDM_TRY(mdm_list_folder(&names, &count, from));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        const size_t length = strlen(names[i]);
        char *inner = NULL, *target = NULL;
        if (length > 4 && strcmp(names[i] + length - 4, ".tmp") == 0)
            continue;
        status = mdm_join_path(&inner, from, names[i]);
        if (status == MDM_OK)
            status = mdm_join_path(&target, to, names[i]);
        if (status == MDM_OK)
            status = link_entry(inner, target, depth + 1);
        mdm_free(&inner);
        mdm_free(&target);
    }
    mdm_names_free(&names, count);
    return status;
}

static mdm_status link_entry(const char *from, const char *to, int depth)
{
    struct stat info;
    if (lstat(from, &info) != 0)
        return errno == ENOENT ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: %s", from, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return link_folder(from, to, depth);
    if (!S_ISREG(info.st_mode))
        return MDM_OK;
    if (!strstr(from, ".run/") && (link(from, to) == 0 || errno == ENOENT)) /* gone: it was replaced at this moment */
        return MDM_OK;
    return mdm_copy_file(from, to);
}

mdm_status mdm_link_tree(const char *from, const char *to)
{
    return link_folder(from, to, 0);
}

/* Overwriting is a courtesy, not a promise: journalling and flash storage may keep old blocks. */
static void wipe_file(int folder, const char *name)
{
    static const char zeros[1 << 16];
    struct stat info;
    int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    /* A file with a second name is someone else's too, and is left as it is. */
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1) {
        for (off_t left = info.st_size; left > 0;) {
            ssize_t n = write(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros);
            if (n <= 0)
                break;
            left -= n;
        }
        fdatasync(fd);
    }
    close(fd);
}

static mdm_status remove_entry(int folder, const char *name, bool wipe, int depth)
{
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? MDM_OK : mdm_fail(MDM_ERR_WRITE, "%s: cannot look at: %s", name, strerror(errno));
    if (!S_ISDIR(info.st_mode)) {
        if (wipe && S_ISREG(info.st_mode))
            wipe_file(folder, name);
        if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
            return mdm_fail(MDM_ERR_WRITE, "%s: cannot remove: %s", name, strerror(errno));
        return MDM_OK;
    }
    if (depth >= MAX_DEPTH)
        return mdm_fail(MDM_ERR_WRITE, "%s: folders nested deeper than %d", name, MAX_DEPTH);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot open the folder: %s", name, strerror(errno));
    }
    char **names = NULL;
    size_t count = 0;
    mdm_status status = collect_names(&names, &count, dir);
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        status = remove_entry(fd, names[i], wipe, depth + 1);
    mdm_names_free(&names, count);
    closedir(dir);
    if (status == MDM_OK && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot remove the folder: %s", name, strerror(errno));
    return status;
}

mdm_status mdm_remove_tree(const char *path, bool wipe)
{
    mdm_status status = remove_entry(AT_FDCWD, path, wipe, 0);
    return status == MDM_OK ? MDM_OK : mdm_fail_context(status, "removing %s", path);
}

mdm_status mdm_join_path(char **out, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] != '/' ? "/" : "";
    return mdm_format(out, "%s%s%s", folder, slash, name);
}
