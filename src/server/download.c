/* The dataset as one ZIP file, made while it is sent: a thread packs, the connection reads from a pipe. */
#define _GNU_SOURCE
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "server/web.h"

enum { DEEPEST = 16 };

typedef struct packing {
    char *dataset;
    int out;
    struct archive *zip;
} packing;

static bool copy_bytes(struct archive *zip, int fd)
{
    char piece[65536];
    for (;;) {
        const ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        if (archive_write_data(zip, piece, (size_t)n) != n)
            return false;
    }
}

/* One file; names in the archive begin with "dataset/". */
static bool add_file(packing *p, const char *path, const char *name)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (good) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_size(entry, info.st_size);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        good = archive_write_header(p->zip, entry) == ARCHIVE_OK && copy_bytes(p->zip, fd);
        archive_entry_free(entry);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static bool add_tree(packing *p, const char *path, const char *name, int depth)
{
    char **names;
    size_t count;
    if (depth > DEEPEST || mdm_list_folder(&names, &count, path) != MDM_OK)
        return false;
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        char *inner = NULL, *called = NULL;
        struct stat info;
        good = mdm_join_path(&inner, path, names[i]) == MDM_OK && mdm_join_path(&called, name, names[i]) == MDM_OK &&
               lstat(inner, &info) == 0;
        if (good && S_ISDIR(info.st_mode))
            good = add_tree(p, inner, called, depth + 1);
        else if (good && S_ISREG(info.st_mode))
            good = add_file(p, inner, called);
        mdm_free(&inner);
        mdm_free(&called);
    }
    mdm_names_free(&names, count);
    return good;
}

static void *pack(void *user)
{
    packing *p = user;
    p->zip = archive_write_new();
    archive_write_set_format_zip(p->zip);
    archive_write_zip_set_compression_store(p->zip); /* videos do not get smaller */
    archive_write_set_bytes_in_last_block(p->zip, 1);
    /* An archive that cannot be finished has no directory at its end: no program takes it for whole. */
    if (archive_write_open_fd(p->zip, p->out) == ARCHIVE_OK && add_tree(p, p->dataset, "dataset", 0))
        archive_write_close(p->zip);
    else
        archive_write_fail(p->zip);
    archive_write_free(p->zip);
    close(p->out);
    mdm_free(&p->dataset);
    mdm_free(&p);
    return NULL;
}

static mdm_status start_packing(int *in, const char *folder)
{
    packing *p;
    int ends[2];
    pthread_t thread;
    MDM_TRY(mdm_alloc(&p, 1, sizeof *p, "download"));
    mdm_status status = web_path(&p->dataset, folder, "dataset", NULL);
    if (status == MDM_OK && !mdm_file_exists(p->dataset))
        status = mdm_fail(MDM_ERR_INPUT, "There is no dataset yet.");
    if (status == MDM_OK && pipe2(ends, O_CLOEXEC) != 0)
        status = mdm_fail(MDM_ERR_AGAIN, "no pipe: %s", strerror(errno));
    if (status == MDM_OK) {
        p->out = ends[1];
        *in = ends[0];
        if (pthread_create(&thread, NULL, pack, p) == 0) {
            pthread_detach(thread);
            return MDM_OK;
        }
        status = mdm_fail(MDM_ERR_AGAIN, "no thread for the download");
        close(ends[0]);
        close(ends[1]);
    }
    mdm_free(&p->dataset);
    mdm_free(&p);
    return status;
}

web_result web_job_download(web_request *request)
{
    char *folder;
    int in;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = start_packing(&in, folder);
    mdm_free(&folder);
    if (status != MDM_OK)
        return web_status(request, status);
    struct MHD_Response *response = MHD_create_response_from_pipe(in);
    if (response) {
        MHD_add_response_header(response, "Content-Type", "application/zip");
        MHD_add_response_header(response, "Content-Disposition", "attachment; filename=\"dataset.zip\"");
    } else {
        close(in);
    }
    return web_send(request, 200, response);
}
