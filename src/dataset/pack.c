/* Writing the dataset's folder: media, metadata, checksums. The card and the report have files of their own. */
#include "dataset/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"

/* Fewer subjects than this and a held-out part would be too small to mean anything. */
enum { SPLIT_FROM_SUBJECTS = 5 };

static bool is_still(const mdm_pack_clip *clip)
{
    size_t length = clip->media ? strlen(clip->media) : 0;
    return length > 4 && strcmp(clip->media + length - 4, ".png") == 0;
}

/* ---- subject-disjoint parts --------------------------------------------------------------------------------------------- */

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static bool share_person(const mdm_pack_clip *a, const mdm_pack_clip *b)
{
    size_t i, k;
    json_t *x, *y;
    json_array_foreach(json_object_get(a->plan, "persons"), i, x)
    {
        json_array_foreach(json_object_get(b->plan, "persons"), k, y)
        {
            if (json_equal(json_object_get(x, "id"), json_object_get(y, "id")))
                return true;
        }
    }
    return false;
}

/* A group of clips that share persons, and its place in a draw that depends on its first clip's id only. */
typedef struct group {
    size_t first;
    double place;
} group;

static int by_place(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place ? 1 : x->first < y->first ? -1 : x->first > y->first;
}

/* The fifth of the groups with the lowest places is held out as test/. */
static mdm_status hold_out(bool *test, size_t *parent, const mdm_pack_clip *clips, size_t count)
{
    group *groups;
    size_t n = 0;
    MDM_TRY(mdm_alloc(&groups, count, sizeof *groups, "parts"));
    for (size_t i = 0; i < count; i++) {
        if (!clips[i].passed || root_of(parent, i) != i)
            continue;
        mdm_random random;
        mdm_random_seed(&random, 0, clips[i].clip_id);
        groups[n++] = (group){i, mdm_random_uniform(&random)};
    }
    if (n >= SPLIT_FROM_SUBJECTS) {
        qsort(groups, n, sizeof *groups, by_place);
        for (size_t g = 0; g < n / 5; g++)
            for (size_t i = 0; i < count; i++)
                test[i] = test[i] || (clips[i].passed && root_of(parent, i) == groups[g].first);
    }
    mdm_free(&groups);
    return MDM_OK;
}

/* Which clips go to test/: clips that share a person stay together. */
static mdm_status choose_parts(bool **test, const mdm_pack_clip *clips, size_t count)
{
    size_t *parent;
    MDM_TRY(mdm_alloc(test, count, sizeof **test, "parts"));
    MDM_TRY(mdm_alloc(&parent, count, sizeof *parent, "parts"));
    for (size_t i = 0; i < count; i++) {
        parent[i] = i;
        for (size_t k = 0; k < i && clips[i].passed; k++)
            if (clips[k].passed && share_person(&clips[i], &clips[k])) {
                size_t a = root_of(parent, i), b = root_of(parent, k);
                parent[a > b ? a : b] = a > b ? b : a; /* the first clip is the root */
            }
    }
    mdm_status status = hold_out(*test, parent, clips, count);
    mdm_free(&parent);
    return status;
}

/* ---- media and metadata ------------------------------------------------------------------------------------------------- */

typedef struct part {
    const char *folder; /* "train", "test", "stills/train" ... */
    mdm_buffer rows;
    bool made;
} part;

static mdm_status add_clip(part *to, const char *folder, const mdm_pack_clip *clip)
{
    char *directory = NULL, *path = NULL, name[64];
    json_t *row = NULL;
    snprintf(name, sizeof name, "%.40s.%s", clip->clip_id, is_still(clip) ? "png" : "mp4");
    mdm_status status = mdm_join_path(&directory, folder, to->folder);
    if (status == MDM_OK && !to->made)
        status = mdm_make_folder(directory, 0755);
    to->made = true;
    if (status == MDM_OK)
        status = mdm_join_path(&path, directory, name);
    if (status == MDM_OK)
        status = mdm_copy_file(clip->media, path);
    if (status == MDM_OK && chmod(path, 0644) != 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot make it readable", path);
    if (status == MDM_OK)
        status = mdm_pack_row(&row, clip, name);
    char *text = row ? json_dumps(row, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;
    if (text)
        status = mdm_buffer_printf(&to->rows, "%s\n", text);
    free(text);
    json_decref(row);
    mdm_free(&path);
    mdm_free(&directory);
    return status;
}

static mdm_status write_rows(const part *from, const char *folder)
{
    char *path;
    if (!from->made)
        return MDM_OK;
    MDM_TRY(mdm_format(&path, "%s/%s/metadata.jsonl", folder, from->folder));
    mdm_status status = mdm_file_write(path, from->rows.data, from->rows.size);
    mdm_free(&path);
    return status;
}

static mdm_status write_media(bool *has_test, bool *has_stills, const char *folder, const mdm_pack_clip *clips,
                              size_t count)
{
    bool *test = NULL, mixed = false;
    part parts[4] = {{.folder = "train"}, {.folder = "test"}, {.folder = "stills/train"}, {.folder = "stills/test"}};
    mdm_status status = choose_parts(&test, clips, count);
    /* Videos and pictures cannot be one folder-dataset: pictures get their own beside it, unless there is nothing else. */
    for (size_t i = 0; i < count; i++)
        mixed = mixed || (clips[i].passed && !is_still(&clips[i]));
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        if (clips[i].passed)
            status = add_clip(&parts[(mixed && is_still(&clips[i]) ? 2 : 0) + (test[i] ? 1 : 0)], folder, &clips[i]);
    for (size_t p = 0; p < 4 && status == MDM_OK; p++)
        status = write_rows(&parts[p], folder);
    for (size_t p = 0; p < 4; p++)
        mdm_buffer_free(&parts[p].rows);
    *has_test = parts[1].made;
    *has_stills = parts[2].made || parts[3].made;
    mdm_free(&test);
    return status;
}

/* ---- checksums ------------------------------------------------------------------------------------------------------------ */

static mdm_status add_checksums(mdm_buffer *out, const char *folder, const char *prefix, int depth)
{
    char **names;
    size_t count;
    if (depth > 8)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: nested too deep", folder);
    MDM_TRY(mdm_list_folder(&names, &count, folder));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        char *path = NULL, *name = NULL, hash[65];
        struct stat info;
        status = mdm_join_path(&path, folder, names[i]);
        if (status == MDM_OK)
            status = mdm_format(&name, "%s%s", prefix, names[i]);
        if (status == MDM_OK && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            char *inner = NULL;
            status = mdm_format(&inner, "%s/", name);
            if (status == MDM_OK)
                status = add_checksums(out, path, inner, depth + 1);
            mdm_free(&inner);
        } else if (status == MDM_OK && strcmp(name, "SHA256SUMS") != 0) {
            status = mdm_sha256_file(hash, path);
            if (status == MDM_OK)
                status = mdm_buffer_printf(out, "%s  %s\n", hash, name);
        }
        mdm_free(&name);
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}

mdm_status mdm_pack_checksums(const char *folder)
{
    mdm_buffer text = {0};
    char *path = NULL;
    mdm_status status = add_checksums(&text, folder, "", 0);
    if (status == MDM_OK)
        status = mdm_join_path(&path, folder, "SHA256SUMS");
    if (status == MDM_OK)
        status = mdm_file_write(path, text.data ? (const void *)text.data : "", text.size);
    mdm_free(&path);
    mdm_buffer_free(&text);
    return status;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------- */

/* What is shared is for everybody to read; mdm_file_write makes private files. */
static mdm_status open_permissions(const char *folder, int depth)
{
    char **names;
    size_t count;
    MDM_TRY(mdm_list_folder(&names, &count, folder));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK && depth < 8; i++) {
        char *path;
        struct stat info;
        status = mdm_join_path(&path, folder, names[i]);
        if (status == MDM_OK && stat(path, &info) == 0) {
            bool inner = S_ISDIR(info.st_mode);
            if (chmod(path, inner ? 0755 : 0644) != 0)
                status = mdm_fail(MDM_ERR_WRITE, "%s: cannot make it readable", path);
            else if (inner)
                status = open_permissions(path, depth + 1);
        }
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}

static mdm_status write_licence(const char *folder, const mdm_settings *settings)
{
    char *path, *text;
    MDM_TRY(mdm_join_path(&path, folder, "LICENSE"));
    mdm_status status = mdm_format(
        &text,
        "Licence of this dataset: %s\n\n"
        "Whoever publishes it chooses the licence (`mmdm run --licence NAME`) and replaces this text by its full\n"
        "wording. Whatever the licence, nobody may try to find out who the recorded persons were.\n",
        settings->licence);
    if (status == MDM_OK)
        status = mdm_file_write(path, text, strlen(text));
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

static mdm_status write_card(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count,
                             bool has_test, bool has_stills)
{
    char *path;
    size_t delivered = 0;
    for (size_t i = 0; i < count; i++)
        delivered += clips[i].passed;
    MDM_TRY(mdm_join_path(&path, folder, "README.md"));
    mdm_status status = mdm_pack_card(path, info, delivered, count - delivered, has_test, has_stills);
    mdm_free(&path);
    return status;
}

static mdm_status write_report(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count)
{
    char *audit = NULL, *json_path = NULL, *html_path = NULL;
    json_t *report = NULL;
    mdm_buffer page = {0};
    mdm_status status = mdm_join_path(&audit, folder, "audit");
    if (status == MDM_OK)
        status = mdm_make_folder(audit, 0755);
    if (status == MDM_OK)
        status = mdm_join_path(&json_path, audit, "report.json");
    if (status == MDM_OK)
        status = mdm_join_path(&html_path, audit, "report.html");
    if (status == MDM_OK)
        status = mdm_report_json(&report, info, clips, count);
    if (status == MDM_OK)
        status = mdm_json_save(report, json_path);
    if (status == MDM_OK)
        status = mdm_report_html(&page, report, clips, count);
    if (status == MDM_OK)
        status = mdm_file_write(html_path, page.data, page.size);
    mdm_buffer_free(&page);
    json_decref(report);
    mdm_free(&html_path);
    mdm_free(&json_path);
    mdm_free(&audit);
    return status;
}

mdm_status mdm_pack(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count)
{
    bool has_test = false, has_stills = false;
    MDM_TRY(write_media(&has_test, &has_stills, folder, clips, count));
    MDM_TRY(write_report(folder, info, clips, count));
    MDM_TRY(write_card(folder, info, clips, count, has_test, has_stills));
    MDM_TRY(write_licence(folder, info->settings));
    MDM_TRY(mdm_pack_checksums(folder));
    return open_permissions(folder, 0);
}
