/* webdataset: tar shards of about a gigabyte, <part>-000000.tar. A sample is CLIP.mp4 (or .png), CLIP.json (the clip's row) and
 * CLIP.faces.json (its labels). index.json has counts and checksums. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/export.h"

#define SHARD_BYTES ((uint64_t)1 << 30)

typedef struct shard {
    mdm_export *e;
    mdm_out out;
    struct archive *tar;
    char name[64];
    int number, samples;
    json_t *index;
} shard;

/* ---- libarchive writes into our own file, which is hashed ---------------------------------------------------------------- */

static la_ssize_t take(struct archive *tar, void *user, const void *data, size_t size)
{
    shard *s = user;
    if (mdm_out_write(&s->out, data, size) == MDM_OK)
        return (la_ssize_t)size;
    archive_set_error(tar, ARCHIVE_FATAL, "%s", mdm_error_message());
    return -1;
}

static mdm_status tar_failed(const shard *s)
{
    return mdm_fail(MDM_ERR_WRITE, "%s: %s", s->name, archive_error_string(s->tar));
}

static mdm_status add_member(shard *s, const char *name, const void *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for %s", name);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 0, 0);
    bool good = archive_write_header(s->tar, entry) == ARCHIVE_OK;
    for (size_t at = 0; good && at < size;) { /* it may take less than it is given */
        la_ssize_t n = archive_write_data(s->tar, (const char *)data + at, size - at);
        good = n > 0;
        at += good ? (size_t)n : 0;
    }
    archive_entry_free(entry);
    return good ? MDM_OK : tar_failed(s);
}

/* ---- shards -------------------------------------------------------------------------------------------------------------------- */

static mdm_status begin(shard *s, int part)
{
    char *path;
    snprintf(s->name, sizeof s->name, "%s-%06d.tar", mdm_part_names[part], s->number++);
    s->samples = 0;
    MDM_TRY(mdm_export_path(&path, s->e, "%s", s->name));
    mdm_status status = mdm_out_open(&s->out, path);
    mdm_free(&path);
    MDM_TRY(status);
    s->tar = archive_write_new();
    if (!s->tar)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for %s", s->name);
    archive_write_set_format_pax_restricted(s->tar);
    archive_write_set_bytes_per_block(s->tar, 10240);
    return archive_write_open(s->tar, s, NULL, take, NULL) == ARCHIVE_OK ? MDM_OK : tar_failed(s);
}

static mdm_status end(shard *s, mdm_status status)
{
    if (s->tar && archive_write_close(s->tar) != ARCHIVE_OK && status == MDM_OK)
        status = tar_failed(s);
    if (s->tar)
        archive_write_free(s->tar);
    s->tar = NULL;
    const uint64_t bytes = s->out.bytes;
    status = mdm_out_close(&s->out, status);
    if (status == MDM_OK)
        json_array_append_new(s->index, json_pack("{s:s, s:i, s:I, s:s}", "file", s->name, "samples", s->samples,
                                                  "bytes", (json_int_t)bytes, "sha256", s->out.sha256));
    return status;
}

/* ---- samples --------------------------------------------------------------------------------------------------------------------- */

/* The lines of a JSONL file as one array. */
static mdm_status lines_as_array(mdm_buffer *out, const char *path)
{
    mdm_mapping map;
    bool first = true;
    out->max = (size_t)3 << 30;
    MDM_TRY(mdm_map_file(&map, path));
    mdm_status status = mdm_buffer_append(out, "[", 1);
    for (const char *at = (const char *)map.data, *stop, *last = at + map.size; at < last && status == MDM_OK;
         at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(last - at));
        stop = stop ? stop : last;
        if (!first)
            status = mdm_buffer_append(out, ",", 1);
        first = false;
        if (status == MDM_OK)
            status = mdm_buffer_append(out, at, (size_t)(stop - at));
    }
    mdm_unmap_file(&map);
    return status == MDM_OK ? mdm_buffer_append(out, "]", 1) : status;
}

static mdm_status add_row(shard *s, const mdm_export_clip *clip)
{
    char name[96];
    char *text = json_dumps(clip->row, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    snprintf(name, sizeof name, "%s.json", clip->id);
    mdm_status status = text ? add_member(s, name, text, strlen(text)) : mdm_fail(MDM_ERR_MEMORY, "no memory");
    free(text);
    return status;
}

static mdm_status add_labels(shard *s, const mdm_export_clip *clip)
{
    char name[96];
    mdm_face_labels check;
    mdm_buffer faces = {0};
    MDM_TRY(mdm_export_labels(&check, clip)); /* a bad file is found before it is copied */
    mdm_labels_free(&check);
    snprintf(name, sizeof name, "%s.faces.json", clip->id);
    mdm_status status = clip->labels ? lines_as_array(&faces, clip->labels) : mdm_buffer_append(&faces, "[]", 2);
    if (status == MDM_OK)
        status = add_member(s, name, faces.data, faces.size);
    mdm_buffer_free(&faces);
    return status;
}

static mdm_status add_sample(shard *s, const mdm_export_clip *clip)
{
    mdm_mapping map;
    MDM_TRY(mdm_map_file(&map, clip->media));
    mdm_status status = add_member(s, clip->file, map.data, map.size);
    mdm_unmap_file(&map);
    if (status == MDM_OK)
        status = add_row(s, clip);
    if (status == MDM_OK)
        status = add_labels(s, clip);
    s->samples++;
    return status;
}

static mdm_status write_part(shard *s, int part)
{
    mdm_status status = MDM_OK;
    s->number = 0;
    for (size_t i = 0; i < s->e->count && status == MDM_OK; i++) {
        uint64_t size = 0;
        if (s->e->clips[i].part != part)
            continue;
        status = mdm_file_size(&size, s->e->clips[i].media);
        if (status == MDM_OK && s->tar && s->samples && s->out.bytes + size > SHARD_BYTES)
            status = end(s, status);
        if (status == MDM_OK && !s->tar)
            status = begin(s, part);
        if (status == MDM_OK)
            status = add_sample(s, &s->e->clips[i]);
    }
    return s->tar || s->out.path ? end(s, status) : status;
}

mdm_status mdm_export_webdataset(mdm_export *e)
{
    shard s = {.e = e, .index = json_array()};
    mdm_status status = MDM_OK;
    for (int p = 0; p < MDM_PARTS && status == MDM_OK; p++)
        status = write_part(&s, p);
    json_t *index = json_pack("{s:o}", "shards", s.index);
    if (status == MDM_OK)
        status = mdm_export_json(e, "index.json", index);
    json_decref(index);
    return status;
}
