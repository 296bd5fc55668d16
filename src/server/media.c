/* Files of a job as the browser asks for them: videos by ranges, pictures, the reports. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "server/web.h"

/* The reports are pages of their own, with their styles and pictures inside: they may do nothing. */
static const char report_policy[] =
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'";

web_result web_file(web_request *request, const char *path, const char *type, const char *policy)
{
    struct stat info;
    uint64_t first = 0, last = 0;
    char range[80];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0)
            close(fd);
        return web_fail(request, 404, "That is not there (any more).");
    }
    const uint64_t size = (uint64_t)info.st_size;
    const char *asked = web_header(request, "Range");
    const bool part = asked && web_parse_range(&first, &last, asked, size);
    if (asked && !part) {
        close(fd);
        return web_fail(request, 416, "That part of the file cannot be had.");
    }
    if (!part)
        last = size ? size - 1 : 0;
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(size ? last - first + 1 : 0, fd, first);
    if (!response) {
        close(fd);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Accept-Ranges", "bytes");
    if (policy)
        MHD_add_response_header(response, "Content-Security-Policy", policy);
    if (part) {
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
                 (unsigned long long)size);
        MHD_add_response_header(response, "Content-Range", range);
    }
    return web_send(request, part ? 206 : 200, response);
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".mp4", "video/mp4"},        {".m4v", "video/mp4"},   {".mov", "video/quicktime"}, {".webm", "video/webm"},
        {".mkv", "video/x-matroska"}, {".jpg", "image/jpeg"},  {".jpeg", "image/jpeg"},     {".png", "image/png"},
        {".gif", "image/gif"},        {".webp", "image/webp"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* FOLDER/private/work/CLIP/a/b as a reply; `b` may be NULL. */
static web_result work_file(web_request *request, const char *a, const char *b)
{
    char *folder, *path = NULL;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = web_path(&path, folder, "private", "work", request->id[1], a, b, NULL);
    web_result result = status == MDM_OK ? web_file(request, path, type_of(path), NULL) : web_status(request, status);
    mdm_free(&path);
    mdm_free(&folder);
    return result;
}

/* Where the clip's recording lies, as ingest wrote it down. */
static web_result source_file(web_request *request)
{
    char *folder, *path = NULL;
    json_t *clip = NULL;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = web_path(&path, folder, "private", "work", request->id[1], "clip.json", NULL);
    if (status == MDM_OK)
        status = mdm_file_exists(path) ? mdm_json_load(&clip, path, 0)
                                       : mdm_fail(MDM_ERR_INPUT, "That is not there any more.");
    const char *source = json_string_value(json_object_get(json_object_get(clip, "source"), "path"));
    if (status == MDM_OK && !source)
        status = mdm_fail(MDM_ERR_INPUT, "That is not there any more.");
    web_result result =
        status == MDM_OK ? web_file(request, source, type_of(source), NULL) : web_status(request, status);
    json_decref(clip);
    mdm_free(&path);
    mdm_free(&folder);
    return result;
}

web_result web_clip_media(web_request *request)
{
    const char *which = request->id[2];
    if (strcmp(which, "masked") == 0)
        return work_file(request, "masked.mp4", NULL);
    if (strcmp(which, "still") == 0)
        return work_file(request, "masked.png", NULL);
    if (strcmp(which, "source") == 0)
        return source_file(request);
    return web_fail(request, 404, "There is nothing of that name here.");
}

/* "before-2" or "after-2": the small pictures of the reports. */
web_result web_clip_picture(web_request *request)
{
    char name[16], folder[16];
    const char *dash = strchr(request->id[2], '-');
    if (!dash || (strncmp(request->id[2], "before-", 7) != 0 && strncmp(request->id[2], "after-", 6) != 0))
        return web_fail(request, 404, "There is nothing of that name here.");
    snprintf(folder, sizeof folder, "%.*s", (int)(dash - request->id[2]), request->id[2]);
    snprintf(name, sizeof name, "%.8s.jpg", dash + 1);
    return work_file(request, folder, name);
}

/* A stand-in shared by clips lies in work/stand-ins, one of a single clip beside it. */
web_result web_standin_picture(web_request *request)
{
    char *folder, *path = NULL, name[48];
    snprintf(name, sizeof name, "%s.png", request->id[1]);
    const char *clip = web_query(request, "clip");
    char ignored[WEB_IDS][WEB_SECRET];
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK && clip && web_match(ignored, "*", clip))
        status = web_path(&path, folder, "private", "work", clip, "portraits", name, NULL);
    else if (status == MDM_OK)
        status = web_path(&path, folder, "private", "work", "stand-ins", name, NULL);
    web_result result = status == MDM_OK ? web_file(request, path, "image/png", NULL) : web_status(request, status);
    mdm_free(&path);
    mdm_free(&folder);
    return result;
}

web_result web_job_file(web_request *request)
{
    static const struct {
        const char *id, *folder, *inner, *name, *type, *policy;
    } files[] = {
        {"report", "dataset", "audit", "report.html", "text/html; charset=utf-8", report_policy},
        {"card", "dataset", NULL, "README.md", "text/plain; charset=utf-8", NULL},
        {"private-report", "private", NULL, "report.html", "text/html; charset=utf-8", report_policy},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *folder, *path = NULL;
        if (strcmp(files[i].id, request->id[1]) != 0)
            continue;
        mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
        if (status == MDM_OK)
            status = files[i].inner ? web_path(&path, folder, files[i].folder, files[i].inner, files[i].name, NULL)
                                    : web_path(&path, folder, files[i].folder, files[i].name, NULL);
        web_result result =
            status == MDM_OK ? web_file(request, path, files[i].type, files[i].policy) : web_status(request, status);
        mdm_free(&path);
        mdm_free(&folder);
        return result;
    }
    return web_fail(request, 404, "There is nothing of that name here.");
}
