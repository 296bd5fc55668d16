/* Collecting, hashing, ordering and naming the recordings of a job. */
#define _GNU_SOURCE
#include "pipeline/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "mmdm.h"

#define MAX_DEPTH 32

static const char *const media_endings[] = {
    "mp4", "m4v", "mov",  "mkv", "webm", "avi", "ts",   "mts",  "m2ts", "mpg",  "mpeg", "vob",
    "3gp", "flv", "wmv",  "asf", "ogv",  "mxf", "h264", "264",  "hevc", "h265", "265",  "ivf",
    "y4m", "jpg", "jpeg", "png", "webp", "bmp", "tif",  "tiff", "gif",  "avif", "heic",
};

/* Starts of media files: bytes expected at an offset. */
static const struct {
    int offset, size;
    const char *bytes;
} signatures[] = {
    {4, 4, "ftyp"},         {4, 4, "moov"},         {4, 4, "mdat"},         {0, 4, "\x1a\x45\xdf\xa3"},
    {8, 4, "AVI "},         {8, 4, "WEBP"},         {0, 3, "\xff\xd8\xff"}, {0, 4, "\x89PNG"},
    {0, 4, "\0\0\x01\xba"}, {0, 4, "\0\0\x01\xb3"}, {0, 3, "FLV"},          {0, 4, "\x30\x26\xb2\x75"},
    {0, 4, "OggS"},         {0, 3, "GIF"},          {0, 4, "DKIF"},         {0, 9, "YUV4MPEG2"},
};

bool mdm_looks_like_recording(const char *path, const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    for (size_t i = 0; dot && i < sizeof media_endings / sizeof media_endings[0]; i++)
        if (strcasecmp(dot + 1, media_endings[i]) == 0)
            return true;
    unsigned char head[16] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        if (n >= signatures[i].offset + signatures[i].size &&
            memcmp(head + signatures[i].offset, signatures[i].bytes, (size_t)signatures[i].size) == 0)
            return true;
    return false;
}

/* Makes room for `more` items. */
static mdm_status reserve(mdm_inputs *inputs, size_t more)
{
    if (inputs->count + more > MDM_MAX_INPUTS)
        return mdm_fail(MDM_ERR_USAGE, "more than %d recordings in one job", MDM_MAX_INPUTS);
    return mdm_realloc(&inputs->items, inputs->count + more, sizeof *inputs->items, "inputs");
}

mdm_status mdm_inputs_add(mdm_inputs *inputs, const mdm_input *item)
{
    MDM_TRY(reserve(inputs, 1));
    inputs->items[inputs->count] = *item;
    MDM_TRY(mdm_strdup(&inputs->items[inputs->count].path, item->path));
    inputs->count++;
    return MDM_OK;
}

static mdm_status add_file(mdm_inputs *inputs, const char *path)
{
    MDM_TRY(reserve(inputs, 1));
    mdm_input *item = &inputs->items[inputs->count];
    memset(item, 0, sizeof *item);
    char *absolute = realpath(path, NULL);
    mdm_status status = mdm_strdup(&item->path, absolute ? absolute : path);
    free(absolute);
    if (status == MDM_OK)
        inputs->count++;
    return status;
}

static mdm_status add_path(mdm_inputs *inputs, const char *path, const struct stat *except, int depth);

static mdm_status add_folder(mdm_inputs *inputs, const char *path, const struct stat *except, int depth)
{
    char **names;
    size_t count;
    if (depth > MAX_DEPTH)
        return mdm_fail(MDM_ERR_INPUT, "%s: folders nested deeper than %d", path, MAX_DEPTH);
    if (mdm_list_folder(&names, &count, path) != MDM_OK) {
        if (depth == 0)
            return MDM_ERR_INPUT;
        mdm_log(MDM_LOG_WARN, "%s", mdm_error_message()); /* one closed folder does not stop the others */
        return MDM_OK;
    }
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        char *inner;
        if (names[i][0] == '.')
            continue;
        status = mdm_join_path(&inner, path, names[i]);
        if (status == MDM_OK)
            status = add_path(inputs, inner, except, depth + 1);
        mdm_free(&inner);
    }
    mdm_names_free(&names, count);
    return status;
}

static mdm_status add_path(mdm_inputs *inputs, const char *path, const struct stat *except, int depth)
{
    struct stat info, link;
    if (stat(path, &info) != 0 || lstat(path, &link) != 0) {
        if (depth == 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: %s", path, strerror(errno));
        mdm_log(MDM_LOG_WARN, "%s: skipped: %s", path, strerror(errno));
        return MDM_OK;
    }
    if (except && info.st_dev == except->st_dev && info.st_ino == except->st_ino)
        return MDM_OK;
    if (S_ISDIR(info.st_mode))
        return depth > 0 && S_ISLNK(link.st_mode) ? MDM_OK : add_folder(inputs, path, except, depth);
    if (!S_ISREG(info.st_mode))
        return depth > 0
                   ? MDM_OK
                   : mdm_fail(MDM_ERR_INPUT, "%s: neither a file nor a folder: save the stream to a file first", path);
    if (depth > 0 && !mdm_looks_like_recording(path, path)) {
        inputs->skipped++;
        mdm_log(MDM_LOG_WARN, "%s: skipped: not a video or a picture", path);
        return MDM_OK;
    }
    return add_file(inputs, path);
}

mdm_status mdm_inputs_collect(mdm_inputs *out, const char *const *paths, size_t count, const char *except)
{
    struct stat info;
    bool has_except = except && stat(except, &info) == 0;
    memset(out, 0, sizeof *out);
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        status = add_path(out, paths[i], has_except ? &info : NULL, 0);
    if (status == MDM_OK && out->count == 0)
        status = mdm_fail(MDM_ERR_INPUT, "%s: no video or picture found there", count ? paths[0] : "no input");
    if (status != MDM_OK)
        mdm_inputs_free(out);
    return status;
}

void mdm_inputs_free(mdm_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        mdm_free(&inputs->items[i].path);
    mdm_free(&inputs->items);
    inputs->count = 0;
}

static mdm_status hash_one(mdm_input *item, mdm_journal *journal)
{
    struct stat info;
    if (stat(item->path, &info) != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s", item->path, strerror(errno));
    if (info.st_size == 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: the file is empty; copy it again or leave it out", item->path);
    int64_t changed = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    const char *seen = mdm_journal_seen(journal, item->path, (uint64_t)info.st_size, changed);
    if (seen && strlen(seen) == 64) {
        memcpy(item->sha256, seen, 65);
        return MDM_OK;
    }
    if (access(item->path, R_OK) != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: cannot be read: %s; change its permissions (chmod +r) or leave it out",
                        item->path, strerror(errno));
    MDM_TRY(mdm_sha256_file(item->sha256, item->path));
    return mdm_journal_add_seen(journal, item->path, (uint64_t)info.st_size, changed, item->sha256);
}

/* By content; unreadable ones (no hash) last, by path. */
static int by_content(const void *a, const void *b)
{
    const mdm_input *x = a, *y = b;
    if (!x->sha256[0] != !y->sha256[0])
        return x->sha256[0] ? -1 : 1;
    int order = strcmp(x->sha256, y->sha256);
    return order ? order : strcmp(x->path, y->path);
}

mdm_status mdm_inputs_hash(mdm_inputs *inputs, mdm_journal *journal, const mdm_progress *progress)
{
    for (size_t i = 0; i < inputs->count; i++) {
        mdm_input *item = &inputs->items[i];
        item->status = hash_one(item, journal);
        if (item->status == MDM_ERR_WRITE || item->status == MDM_ERR_INTERNAL)
            return item->status;
        if (item->status != MDM_OK) {
            item->sha256[0] = '\0';
            snprintf(item->message, sizeof item->message, "%s", mdm_error_message());
        }
        if (!mdm_progress_update(progress, (double)(i + 1), (double)inputs->count))
            return mdm_fail(MDM_ERR_CANCELLED, "stopped");
    }
    qsort(inputs->items, inputs->count, sizeof *inputs->items, by_content);
    size_t kept = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        mdm_input *item = &inputs->items[i];
        const mdm_input *last = kept ? &inputs->items[kept - 1] : NULL;
        if (last && item->sha256[0] && strcmp(last->sha256, item->sha256) == 0) {
            if (strcmp(last->path, item->path) != 0)
                mdm_log(MDM_LOG_WARN, "%s: left out: the same content as %s", item->path, last->path);
            mdm_free(&item->path);
            continue;
        }
        inputs->items[kept++] = *item;
    }
    inputs->count = kept;
    return MDM_OK;
}

mdm_status mdm_inputs_name(mdm_inputs *inputs, mdm_journal *journal)
{
    for (size_t i = 0; i < inputs->count; i++) {
        mdm_input *item = &inputs->items[i];
        char content[160];
        const char *id;
        if (item->status != MDM_OK)
            continue;
        if (item->start > 0 || item->end > 0)
            snprintf(content, sizeof content, "%s@%.6f-%.6f", item->sha256, item->start, item->end);
        else
            snprintf(content, sizeof content, "%s", item->sha256);
        MDM_TRY(mdm_journal_clip_id(&id, journal, content));
        snprintf(item->clip_id, sizeof item->clip_id, "%s", id);
    }
    return MDM_OK;
}

mdm_status mdm_inputs_split(mdm_inputs *inputs, size_t index, const double *cuts, size_t cut_count)
{
    if (cut_count == 0)
        return MDM_OK;
    MDM_TRY(reserve(inputs, cut_count));
    mdm_input *items = inputs->items;
    mdm_input whole = items[index];
    memmove(&items[index + 1 + cut_count], &items[index + 1], (inputs->count - index - 1) * sizeof *items);
    memset(&items[index], 0, (cut_count + 1) * sizeof *items);
    mdm_status status = MDM_OK;
    for (size_t k = 0; k <= cut_count; k++) {
        mdm_input *part = &items[index + k];
        char *path = whole.path;
        *part = whole;
        part->path = NULL;
        if (status == MDM_OK)
            status = mdm_strdup(&part->path, path);
        part->start = k ? cuts[k - 1] : whole.start;
        part->end = k < cut_count ? cuts[k] : whole.end;
    }
    inputs->count += cut_count;
    mdm_free(&whole.path);
    return status;
}
