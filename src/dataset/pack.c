/* Writing the dataset's folder: media, metadata, checksums. The card and the report have files of their own. */
#include "dataset/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

/* Percent held out where nothing else is asked for: groups too few give nothing to test. */
static const int usual_shares[MDM_PARTS] = {80, 0, 20};

static bool is_still(const mdm_pack_clip *clip)
{
    size_t length = clip->media ? strlen(clip->media) : 0;
    return length > 4 && strcmp(clip->media + length - 4, ".png") == 0;
}

/* Which part each delivered clip goes to: clips that share a person stay together. */
static mdm_status choose_parts(int **part, const mdm_settings *settings, const mdm_pack_clip *clips, size_t count)
{
    int shares[MDM_PARTS], *of_passed = NULL;
    mdm_split_clip *passed = NULL;
    size_t n = 0;
    const bool asked = settings->exporting.split[0] != '\0';
    memcpy(shares, usual_shares, sizeof shares);
    if (asked)
        MDM_TRY(mdm_split_shares(shares, settings->exporting.split));
    MDM_TRY(mdm_alloc(part, count, sizeof **part, "parts"));
    mdm_status status = mdm_alloc(&passed, count, sizeof *passed, "parts");
    if (status == MDM_OK)
        status = mdm_alloc(&of_passed, count, sizeof *of_passed, "parts");
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        if (clips[i].passed)
            passed[n++] = (mdm_split_clip){clips[i].clip_id, json_object_get(clips[i].plan, "persons"), "id"};
    if (status == MDM_OK)
        status = mdm_split(of_passed, passed, n, shares, asked ? settings->seed : 0, asked);
    for (size_t i = 0, k = 0; i < count && status == MDM_OK; i++)
        if (clips[i].passed)
            (*part)[i] = of_passed[k++];
    mdm_free(&of_passed);
    mdm_free(&passed);
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

/* labels/PART/CLIP.jsonl: not beside the media, where a VideoFolder would take it for data. */
static mdm_status add_labels(const char *folder, int part, const mdm_pack_clip *clip)
{
    char *labels, *path = NULL;
    if (!clip->labels)
        return MDM_OK;
    MDM_TRY(mdm_format(&labels, "%s/labels/%s", folder, mdm_part_names[part]));
    mdm_status status = mdm_make_folder(labels, 0755);
    if (status == MDM_OK)
        status = mdm_format(&path, "%s/%.40s.jsonl", labels, clip->clip_id);
    if (status == MDM_OK)
        status = mdm_copy_file(clip->labels, path);
    mdm_free(&path);
    mdm_free(&labels);
    return status;
}

/* carried/PART/CLIP.json: labels people had of the recording. */
static mdm_status add_carried(const char *folder, int part, const mdm_pack_clip *clip)
{
    char *inner, *path = NULL;
    if (!json_array_size(clip->carried))
        return MDM_OK;
    MDM_TRY(mdm_format(&inner, "%s/carried/%s", folder, mdm_part_names[part]));
    mdm_status status = mdm_make_folder(inner, 0755);
    if (status == MDM_OK)
        status = mdm_format(&path, "%s/%.40s.json", inner, clip->clip_id);
    json_t *value = json_pack("{s:i, s:s, s:O}", "version", 1, "clip_id", clip->clip_id, "items", clip->carried);
    if (status == MDM_OK)
        status = mdm_json_save(value, path);
    json_decref(value);
    mdm_free(&path);
    mdm_free(&inner);
    return status;
}

static void note_language(mdm_pack_content *content, const mdm_pack_clip *clip)
{
    const char *language = json_string_value(json_object_get(clip->transcript, "language"));
    if (language && !content->language[0] && json_array_size(json_object_get(clip->transcript, "words")))
        snprintf(content->language, sizeof content->language, "%s", language);
}

static mdm_status write_media(mdm_pack_content *content, const char *folder, const mdm_pack_info *info,
                              const mdm_pack_clip *clips, size_t count)
{
    int *of = NULL;
    bool mixed = false;
    part parts[2 * MDM_PARTS] = {
        {.folder = "train"},        {.folder = "validation"},        {.folder = "test"},
        {.folder = "stills/train"}, {.folder = "stills/validation"}, {.folder = "stills/test"}};
    mdm_status status = choose_parts(&of, info->settings, clips, count);
    /* Videos and pictures cannot be one folder-dataset: pictures get their own beside it, unless there is nothing else. */
    for (size_t i = 0; i < count; i++)
        mixed = mixed || (clips[i].passed && !is_still(&clips[i]));
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        if (!clips[i].passed)
            continue;
        status = add_clip(&parts[(mixed && is_still(&clips[i]) ? MDM_PARTS : 0) + of[i]], folder, &clips[i]);
        if (status == MDM_OK)
            status = add_labels(folder, of[i], &clips[i]);
        if (status == MDM_OK)
            status = add_carried(folder, of[i], &clips[i]);
        note_language(content, &clips[i]);
        if (status == MDM_OK)
            status = mdm_pack_sidecar(folder, info, &clips[i]);
    }
    for (size_t p = 0; p < 2 * MDM_PARTS && status == MDM_OK; p++)
        status = write_rows(&parts[p], folder);
    for (size_t p = 0; p < 2 * MDM_PARTS; p++)
        mdm_buffer_free(&parts[p].rows);
    for (size_t p = 0; p < MDM_PARTS; p++) {
        content->has[p] = parts[p].made;
        content->stills = content->stills || parts[MDM_PARTS + p].made;
    }
    mdm_free(&of);
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
static mdm_status open_inner(const char *folder, int depth)
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
                status = open_inner(path, depth + 1);
        }
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}

mdm_status mdm_open_permissions(const char *folder)
{
    return open_inner(folder, 0);
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
                             const mdm_pack_content *content)
{
    char *path;
    size_t delivered = 0;
    for (size_t i = 0; i < count; i++)
        delivered += clips[i].passed;
    MDM_TRY(mdm_join_path(&path, folder, "README.md"));
    mdm_status status = mdm_pack_card(path, info, delivered, count - delivered, content);
    mdm_free(&path);
    return status;
}

static mdm_status write_report(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count)
{
    char *audit = NULL, *json_path = NULL, *html_path = NULL, *models = NULL;
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
    if (status == MDM_OK)
        status = mdm_join_path(&models, audit, "models.cdx.json");
    if (status == MDM_OK)
        status = mdm_pack_models(models, info);
    mdm_buffer_free(&page);
    json_decref(report);
    mdm_free(&models);
    mdm_free(&html_path);
    mdm_free(&json_path);
    mdm_free(&audit);
    return status;
}

mdm_status mdm_pack(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count)
{
    mdm_pack_content content = {0};
    MDM_TRY(write_media(&content, folder, info, clips, count));
    MDM_TRY(write_report(folder, info, clips, count));
    MDM_TRY(write_card(folder, info, clips, count, &content));
    MDM_TRY(write_licence(folder, info->settings));
    MDM_TRY(mdm_pack_checksums(folder));
    return mdm_open_permissions(folder);
}
