/* Files: capped reading, mapping, atomic writing (temporary, fsync, rename, fsync of the folder), hashing. */
#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"

static mdm_status input_error(const char *path, const char *what)
{
    int code = errno;
    return mdm_fail(MDM_ERR_INPUT, "%s: %s: %s", path, what, strerror(code));
}

static mdm_status write_error(const char *path, const char *what)
{
    int code = errno;
    return mdm_fail(MDM_ERR_WRITE, "%s: %s: %s", path, what, strerror(code));
}

/* Opens a regular file for reading. Not blocking on a FIFO is why O_NONBLOCK is there. */
static mdm_status open_regular(int *out, uint64_t *size, const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *out = -1;
    if (fd < 0)
        return input_error(path, "cannot open");
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return mdm_fail(MDM_ERR_INPUT, "%s: not a regular file", path);
    }
    *size = (uint64_t)info.st_size;
    *out = fd;
    return MDM_OK;
}

mdm_status mdm_file_read(unsigned char **data, size_t *size, const char *path, size_t max)
{
    int fd;
    uint64_t bytes;
    *data = NULL;
    *size = 0;
    MDM_TRY(open_regular(&fd, &bytes, path));
    if (bytes > max) {
        close(fd);
        return mdm_fail(MDM_ERR_INPUT, "%s: %llu bytes, at most %zu are allowed here", path, (unsigned long long)bytes,
                        max);
    }
    mdm_status status = mdm_alloc(data, (size_t)bytes + 1, 1, path);
    size_t got = 0;
    while (status == MDM_OK && got < (size_t)bytes) {
        ssize_t n = read(fd, *data + got, (size_t)bytes - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = input_error(path, "cannot read");
        if (n <= 0)
            break; /* a file that shrinks while it is read is simply shorter */
        got += (size_t)n;
    }
    close(fd);
    if (status != MDM_OK) {
        mdm_free(data);
        return status;
    }
    *size = got;
    return MDM_OK;
}

mdm_status mdm_map_file(mdm_mapping *out, const char *path)
{
    int fd;
    uint64_t bytes;
    out->data = NULL;
    out->size = 0;
    MDM_TRY(open_regular(&fd, &bytes, path));
    if (bytes == 0 || bytes > PTRDIFF_MAX) {
        close(fd);
        return mdm_fail(MDM_ERR_INPUT, "%s: %s", path, bytes ? "too large to map" : "the file is empty");
    }
    void *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    mdm_status status = MDM_OK;
    if (data == MAP_FAILED) {
        status = input_error(path, "cannot map");
    } else {
        out->data = data;
        out->size = (size_t)bytes;
    }
    close(fd);
    return status;
}

void mdm_unmap_file(mdm_mapping *mapping)
{
    if (mapping->data)
        munmap((void *)mapping->data, mapping->size);
    mapping->data = NULL;
    mapping->size = 0;
}

/* The folder of `path`, "." when it has none. Caller frees. */
static mdm_status folder_of(char **out, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mdm_strdup(out, ".");
    if (slash == path)
        return mdm_strdup(out, "/");
    return mdm_format(out, "%.*s", (int)(slash - path), path);
}

mdm_status mdm_temp_name(char **temporary, const char *path)
{
    static atomic_uint counter, token; /* process numbers alone are the same in many containers */
    unsigned mine = atomic_load(&token), none = 0;
    if (!mine && getrandom(&mine, sizeof mine, 0) == sizeof mine &&
        !atomic_compare_exchange_strong(&token, &none, mine))
        mine = none;
    return mdm_format(temporary, "%s.%ld-%u-%08x.tmp", path, (long)getpid(), atomic_fetch_add(&counter, 1u), mine);
}

static mdm_status sync_folder(const char *path)
{
    char *folder;
    MDM_TRY(folder_of(&folder, path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mdm_status status = MDM_OK;
    /* Some file systems cannot sync a folder (EINVAL): the rename is then as safe as they make it. */
    if (fd < 0)
        status = write_error(folder, "cannot open the folder");
    else if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        status = write_error(folder, "cannot sync the folder");
    if (fd >= 0)
        close(fd);
    mdm_free(&folder);
    return status;
}

mdm_status mdm_temp_commit(const char *temporary, const char *path)
{
    int fd = open(temporary, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return write_error(temporary, "cannot open what was written");
    if (fsync(fd) != 0) {
        mdm_status status = write_error(path, "cannot bring it to the disk");
        close(fd);
        mdm_temp_discard(temporary);
        return status;
    }
    close(fd);
    if (rename(temporary, path) != 0) {
        mdm_status status = write_error(path, "cannot rename the finished file into place");
        mdm_temp_discard(temporary);
        return status;
    }
    return sync_folder(path);
}

void mdm_temp_discard(const char *temporary)
{
    if (temporary)
        unlink(temporary);
}

static mdm_status write_all(int fd, const unsigned char *data, size_t size, const char *path)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return write_error(path, "cannot write");
        data += n;
        size -= (size_t)n;
    }
    return MDM_OK;
}

/* Fills a temporary beside `path`; the caller commits or discards and frees it. NULL in *temporary on failure. */
static mdm_status write_temporary(char **temporary, const char *path, const void *data, size_t size)
{
    MDM_TRY(mdm_temp_name(temporary, path));
    int fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    mdm_status status = fd < 0 ? write_error(path, "cannot create") : write_all(fd, data, size, path);
    if (fd >= 0 && close(fd) != 0 && status == MDM_OK)
        status = write_error(path, "cannot write");
    if (status != MDM_OK && fd >= 0)
        mdm_temp_discard(*temporary);
    if (status != MDM_OK)
        mdm_free(temporary);
    return status;
}

mdm_status mdm_file_write(const char *path, const void *data, size_t size)
{
    char *temporary;
    MDM_TRY(write_temporary(&temporary, path, data, size));
    mdm_status status = mdm_temp_commit(temporary, path);
    mdm_free(&temporary);
    return status;
}

/* A link is made or not, also over NFS; its name never shows a file that is not whole. */
mdm_status mdm_file_write_new(bool *made, const char *path, const void *data, size_t size)
{
    char *temporary;
    *made = false;
    MDM_TRY(write_temporary(&temporary, path, data, size));
    mdm_status status = MDM_OK;
    if (link(temporary, path) == 0)
        *made = true;
    else if (errno != EEXIST)
        status = write_error(path, "cannot make it (links are needed here)");
    mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status == MDM_OK && *made ? sync_folder(path) : status;
}

bool mdm_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool mdm_file_exists_in(const char *folder, const char *name)
{
    char *path;
    if (mdm_join_path(&path, folder, name) != MDM_OK)
        return false;
    const bool there = mdm_file_exists(path);
    mdm_free(&path);
    return there;
}

mdm_status mdm_file_size(uint64_t *size, const char *path)
{
    struct stat info;
    *size = 0;
    if (stat(path, &info) != 0)
        return input_error(path, "cannot look at");
    *size = (uint64_t)info.st_size;
    return MDM_OK;
}

/* Calls `take` on each piece of the file. */
typedef mdm_status (*take_piece)(void *user, const unsigned char *data, size_t size);

static mdm_status for_each_piece(const char *path, take_piece take, void *user)
{
    enum { piece = 1 << 18 };
    int fd;
    uint64_t bytes;
    unsigned char *data;
    MDM_TRY(open_regular(&fd, &bytes, path));
    mdm_status status = mdm_alloc(&data, piece, 1, path);
    while (status == MDM_OK) {
        ssize_t n = read(fd, data, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = input_error(path, "cannot read");
        if (n <= 0)
            break;
        status = take(user, data, (size_t)n);
    }
    mdm_free(&data);
    close(fd);
    return status;
}

typedef struct copy_target {
    int fd;
    const char *path;
} copy_target;

static mdm_status take_for_copy(void *user, const unsigned char *data, size_t size)
{
    copy_target *target = user;
    return write_all(target->fd, data, size, target->path);
}

mdm_status mdm_copy_file(const char *from, const char *to)
{
    char *temporary;
    MDM_TRY(mdm_temp_name(&temporary, to));
    copy_target target = {open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), to};
    mdm_status status = target.fd < 0 ? write_error(to, "cannot create") : for_each_piece(from, take_for_copy, &target);
    if (target.fd >= 0 && close(target.fd) != 0 && status == MDM_OK)
        status = write_error(to, "cannot write");
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, to);
    else if (target.fd >= 0)
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}

static mdm_status take_for_hash(void *user, const unsigned char *data, size_t size)
{
    mdm_sha256_add(user, data, size);
    return MDM_OK;
}

void mdm_sha256_hex(char out[65], const void *data, size_t size)
{
    mdm_sha256 hash;
    unsigned char digest[32];
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, data, size);
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
}

mdm_status mdm_sha256_file(char out[65], const char *path)
{
    mdm_sha256 hash;
    unsigned char digest[32];
    out[0] = '\0';
    mdm_sha256_start(&hash);
    MDM_TRY(for_each_piece(path, take_for_hash, &hash));
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
    return MDM_OK;
}
