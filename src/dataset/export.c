/* The export as a whole (export.h): the table of formats, the parts, and putting the result in place. */
#define _GNU_SOURCE
#include "dataset/export.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "dataset/pack.h"

static const mdm_export_format table[] = {
    {"hf", "Hugging Face VideoFolder: videos with metadata.jsonl", mdm_export_hf},
    {"parquet", "Parquet: clips with their videos inside, and faces", mdm_export_parquet},
    {"webdataset", "WebDataset: tar shards", mdm_export_webdataset},
    {"croissant", "the VideoFolder with Croissant 1.1 metadata", mdm_export_croissant},
    {"coco", "COCO: frames as pictures; boxes, keypoints, tracks", mdm_export_coco},
    {"cvat", "CVAT for video 1.1", mdm_export_cvat},
    {"labelstudio", "Label Studio tasks", mdm_export_labelstudio},
    {"openlabel", "OpenLABEL 1.0, as the Driver Monitoring Dataset has it", mdm_export_openlabel},
    {"csv", "plain CSV: a table of clips and one of faces", mdm_export_csv},
};
enum { FORMATS = sizeof table / sizeof *table };

const mdm_export_format *mdm_export_formats(size_t *count)
{
    *count = FORMATS;
    return table;
}

/* ---- what the formats share ------------------------------------------------------------------------------------------------ */

void mdm_export_leave_out(mdm_export *e, const char *format, ...)
{
    char text[512], line[560];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    snprintf(line, sizeof line, "%s: %s", e->format, text);
    e->left_out++;
    if (e->tell)
        e->tell(e->user, true, line);
}

mdm_status mdm_export_path(char **out, const mdm_export *e, const char *format, ...)
{
    char name[256];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    MDM_TRY(mdm_join_path(out, e->folder, name));
    char *slash = strrchr(*out, '/');
    *slash = '\0';
    mdm_status status = mdm_make_folder(*out, 0755);
    *slash = '/';
    if (status != MDM_OK)
        mdm_free(out);
    return status;
}

mdm_status mdm_export_media(const mdm_export *e, const mdm_export_clip *clip)
{
    char *path;
    MDM_TRY(mdm_export_path(&path, e, "%s/%s", mdm_part_names[clip->part], clip->file));
    mdm_status status = mdm_copy_file(clip->media, path);
    mdm_free(&path);
    return status;
}

bool mdm_export_has_part(const mdm_export *e, int part)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->clips[i].part == part)
            return true;
    return false;
}

mdm_status mdm_export_text(const mdm_export *e, const char *name, const char *text)
{
    char *path;
    MDM_TRY(mdm_export_path(&path, e, "%s", name));
    mdm_status status = mdm_file_write(path, text, strlen(text));
    mdm_free(&path);
    return status;
}

mdm_status mdm_export_json(const mdm_export *e, const char *name, const json_t *value)
{
    char *path;
    MDM_TRY(mdm_export_path(&path, e, "%s", name));
    mdm_status status = mdm_json_save(value, path);
    mdm_free(&path);
    return status;
}

/* ---- which formats ------------------------------------------------------------------------------------------------------------ */

static mdm_status parse_formats(bool wanted[FORMATS], int *count, const char *list)
{
    const char *names[FORMATS];
    *count = 0;
    for (int f = 0; f < FORMATS; f++)
        names[f] = table[f].name, wanted[f] = false;
    for (const char *at = list; *at;) {
        char name[32];
        size_t length = strcspn(at, ", ");
        int found = -1;
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        for (int f = 0; f < FORMATS; f++)
            if (strcmp(name, names[f]) == 0)
                found = f;
        const char *near = length ? mdm_nearest_name(name, names, FORMATS) : NULL;
        if (length && found < 0)
            return mdm_fail(MDM_ERR_USAGE,
                            "unknown format '%s'%s%s%s; there are hf, parquet, webdataset, croissant, coco, cvat, "
                            "labelstudio, openlabel, csv",
                            name, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
        if (length && !wanted[found])
            wanted[found] = true, ++*count;
        at += length + (at[length] != '\0');
    }
    return *count ? MDM_OK : mdm_fail(MDM_ERR_USAGE, "--format: name at least one, as in --format parquet,coco");
}

/* ---- parts ---------------------------------------------------------------------------------------------------------------------- */

static mdm_status split(mdm_export *e)
{
    int shares[MDM_PARTS], *part = NULL;
    mdm_split_clip *clips = NULL;
    MDM_TRY(mdm_split_shares(shares, e->settings->exporting.split));
    mdm_status status = mdm_alloc(&part, e->count, sizeof *part, "parts");
    if (status == MDM_OK)
        status = mdm_alloc(&clips, e->count, sizeof *clips, "parts");
    for (size_t i = 0; i < e->count && status == MDM_OK; i++)
        clips[i] = (mdm_split_clip){e->clips[i].id, json_object_get(e->clips[i].row, "persons"), "standin"};
    if (status == MDM_OK)
        status = mdm_split(part, clips, e->count, shares, e->settings->seed, true);
    for (size_t i = 0; i < e->count && status == MDM_OK; i++)
        e->clips[i].part = part[i];
    for (int p = 0; p < MDM_PARTS && status == MDM_OK; p++)
        if (shares[p] && !mdm_export_has_part(e, p))
            mdm_export_leave_out(e, "no clip for %s: clips that share a person stay together, and there are too few",
                                 mdm_part_names[p]);
    mdm_free(&clips);
    mdm_free(&part);
    return status;
}

/* ---- one format ------------------------------------------------------------------------------------------------------------------- */

/* A file of the dataset, where it has it. */
static mdm_status copy_one(const mdm_export *e, const char *from, const char *to)
{
    char *source, *target = NULL;
    MDM_TRY(mdm_join_path(&source, e->dataset, from));
    mdm_status status = MDM_OK;
    if (mdm_file_exists(source))
        status = mdm_export_path(&target, e, "%s", to);
    if (status == MDM_OK && target)
        status = mdm_copy_file(source, target);
    mdm_free(&target);
    mdm_free(&source);
    return status;
}

/* Card, licence, audit, marks and carried labels of the dataset go with every export. */
static mdm_status copy_along(const mdm_export *e)
{
    static const struct {
        const char *from, *to;
    } files[] = {{"README.md", "CARD.md"},
                 {"LICENSE", "LICENSE"},
                 {"audit/report.json", "audit/report.json"},
                 {"audit/models.cdx.json", "audit/models.cdx.json"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        MDM_TRY(copy_one(e, files[i].from, files[i].to));
    for (size_t i = 0; i < e->count; i++) {
        const mdm_export_clip *clip = &e->clips[i];
        char from[128], to[128];
        snprintf(from, sizeof from, "provenance/%s.json", clip->id);
        MDM_TRY(copy_one(e, from, from));
        snprintf(from, sizeof from, "carried/%s/%s.json", mdm_part_names[clip->packed_part], clip->id);
        snprintf(to, sizeof to, "carried/%s/%s.json", mdm_part_names[clip->part], clip->id);
        MDM_TRY(copy_one(e, from, to));
    }
    return MDM_OK;
}

/* export.json: what this is, and which clips are in which part. */
static mdm_status write_index(const mdm_export *e, size_t left_out)
{
    json_t *parts = json_object();
    for (int p = 0; p < MDM_PARTS; p++) {
        json_t *ids = json_array();
        for (size_t i = 0; i < e->count; i++)
            if (e->clips[i].part == p)
                json_array_append_new(ids, json_string(e->clips[i].id));
        json_object_set_new(parts, mdm_part_names[p], ids);
    }
    json_t *index = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:o}", "version", 1, "format", e->format, "title",
                              e->title, "split", e->settings->exporting.split, "seed", (json_int_t)e->settings->seed,
                              "left_out", (json_int_t)left_out, "parts", parts);
    mdm_status status = mdm_export_json(e, "export.json", index);
    json_decref(index);
    return status;
}

static mdm_status write_format(mdm_export *e, const mdm_export_format *format, const char *folder)
{
    const size_t before = e->left_out;
    e->format = format->name;
    mdm_free(&e->folder);
    MDM_TRY(mdm_strdup(&e->folder, folder));
    MDM_TRY(mdm_make_folder(folder, 0755));
    MDM_TRY(copy_along(e));
    MDM_TRY(format->write(e));
    MDM_TRY(write_index(e, e->left_out - before));
    return mdm_pack_checksums(folder);
}

/* ---- putting it in place --------------------------------------------------------------------------------------------------------- */

/* An earlier export has its index in the folder or in one of its folders. */
static bool is_export(const char *folder)
{
    for (int f = -1; f < FORMATS; f++) {
        char path[MDM_MAX_PATH];
        snprintf(path, sizeof path, "%s/%s%sexport.json", folder, f < 0 ? "" : table[f].name, f < 0 ? "" : "/");
        if (mdm_file_exists(path))
            return true;
    }
    return false;
}

mdm_status mdm_export_remove(const char *folder)
{
    return is_export(folder) ? mdm_remove_tree(folder, false) : MDM_OK;
}

static mdm_status check_target(const char *folder)
{
    char **names = NULL;
    size_t count = 0;
    if (!mdm_file_exists(folder))
        return MDM_OK;
    MDM_TRY(mdm_list_folder(&names, &count, folder));
    mdm_names_free(&names, count);
    if (count && !is_export(folder))
        return mdm_fail(MDM_ERR_WRITE, "%s: something else lies there; choose another --output or move it away",
                        folder);
    return MDM_OK;
}

static mdm_status put_in_place(const char *fresh, const char *folder)
{
    MDM_TRY(mdm_remove_tree(folder, false));
    if (rename(fresh, folder) != 0)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot put the export in place: %s", folder, strerror(errno));
    return MDM_OK;
}

static mdm_status write_all(mdm_export *e, const bool wanted[FORMATS], int count, const char *fresh)
{
    MDM_TRY(mdm_make_folder(fresh, 0755));
    for (int f = 0; f < FORMATS; f++) {
        char *folder;
        if (!wanted[f])
            continue;
        MDM_TRY(count == 1 ? mdm_strdup(&folder, fresh) : mdm_join_path(&folder, fresh, table[f].name));
        mdm_status status = write_format(e, &table[f], folder);
        mdm_free(&folder);
        if (status != MDM_OK)
            return mdm_fail_context(status, "export %s", table[f].name);
    }
    return mdm_open_permissions(fresh);
}

mdm_status mdm_export_dataset(size_t *left_out, const mdm_settings *settings, const char *dataset, const char *folder,
                              mdm_export_tell tell, void *user)
{
    bool wanted[FORMATS];
    int count;
    char *fresh = NULL;
    mdm_export e = {.settings = settings, .dataset = dataset, .format = "split", .tell = tell, .user = user};
    *left_out = 0;
    MDM_TRY(parse_formats(wanted, &count, settings->exporting.formats));
    MDM_TRY(check_target(folder));
    MDM_TRY(mdm_format(&fresh, "%s.tmp", folder));
    mdm_status status = mdm_export_read(&e);
    if (status == MDM_OK && settings->exporting.split[0])
        status = split(&e);
    if (status == MDM_OK)
        status = mdm_remove_tree(fresh, false);
    if (status == MDM_OK)
        status = write_all(&e, wanted, count, fresh);
    if (status == MDM_OK)
        status = put_in_place(fresh, folder);
    else
        (void)mdm_remove_tree(fresh, false);
    *left_out = e.left_out;
    mdm_export_free(&e);
    mdm_free(&fresh);
    return status;
}
