/* The files of a dataset: are they the ones that were made, does every clip have its row and its mark, and no tags? */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/tags.h"
#include "pipeline/audit.h"

#define MOST_SAID 5 /* files of a kind that are named */

/* ---- SHA256SUMS ----------------------------------------------------------------------------------------------------------- */

/* A line is 64 digits, two spaces, a relative path. */
static mdm_status check_line(mdm_auditor *audit, json_t *known, char *line, size_t number)
{
    char *path, hash[65];
    const char *name = line + 66;
    if (strlen(line) < 67 || strncmp(line + 64, "  ", 2) != 0 || name[0] == '/' || strstr(name, "..")) {
        mdm_audit_say(audit, true, "SHA256SUMS:%zu: not a checksum, two spaces and a file's name", number);
        return MDM_OK;
    }
    json_object_set_new(known, name, json_true());
    MDM_TRY(mdm_join_path(&path, audit->folder, name));
    if (!mdm_file_exists(path))
        mdm_audit_say(audit, true, "%s is not there", name);
    else if (mdm_sha256_file(hash, path) != MDM_OK || strncmp(hash, line, 64) != 0)
        mdm_audit_say(audit, true, "%s is not what was made: its checksum differs from SHA256SUMS", name);
    mdm_free(&path);
    return MDM_OK;
}

/* Files that no line names. */
static mdm_status find_strangers(size_t *found, mdm_auditor *audit, const json_t *known, const char *inner, int depth)
{
    char *folder, **names;
    size_t count;
    MDM_TRY(mdm_join_path(&folder, audit->folder, inner));
    mdm_status status = mdm_list_folder(&names, &count, folder);
    mdm_free(&folder);
    MDM_TRY(status);
    for (size_t i = 0; i < count && !status && depth < 8; i++) {
        char *name = NULL, *path = NULL;
        struct stat info;
        status = inner[0] ? mdm_join_path(&name, inner, names[i]) : mdm_strdup(&name, names[i]);
        if (!status)
            status = mdm_join_path(&path, audit->folder, name);
        if (!status && lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            status = find_strangers(found, audit, known, name, depth + 1);
        else if (!status && strcmp(name, "SHA256SUMS") != 0 && !json_object_get(known, name) && ++*found <= MOST_SAID)
            mdm_audit_say(audit, true, "%s is not in SHA256SUMS: it was added later", name);
        mdm_free(&path);
        mdm_free(&name);
    }
    mdm_names_free(&names, count);
    return status;
}

mdm_status mdm_audit_checksums(mdm_auditor *audit)
{
    unsigned char *text = NULL;
    char *path, *save = NULL;
    size_t size, number = 0, strangers = 0, before = audit->faults;
    json_t *known = json_object();
    MDM_TRY(mdm_join_path(&path, audit->folder, "SHA256SUMS"));
    mdm_status status = mdm_file_read(&text, &size, path, (size_t)64 << 20);
    for (char *line = text ? strtok_r((char *)text, "\n", &save) : NULL; line && !status;
         line = strtok_r(NULL, "\n", &save))
        status = check_line(audit, known, line, ++number);
    if (!status)
        status = find_strangers(&strangers, audit, known, "", 0);
    if (strangers > MOST_SAID)
        mdm_audit_say(audit, true, "and %zu more files that are not in SHA256SUMS", strangers - MOST_SAID);
    if (!status && audit->faults == before)
        mdm_audit_say(audit, false, "%zu files are as they were made (SHA256SUMS)", number);
    json_decref(known);
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

static mdm_status check_media(mdm_auditor *audit, const char *path, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "clip_id"));
    bool marked = false;
    mdm_buffer tags = {0};
    if (!json_is_true(json_object_get(row, "synthetic")))
        mdm_audit_say(audit, true, "%s: its row does not say that it is synthetic", id);
    mdm_status status = mdm_has_synthetic_mark(&marked, path);
    if (!status)
        status = mdm_foreign_tags(&tags, path);
    if (status == MDM_ERR_INPUT) {
        mdm_audit_say(audit, true, "%s: %s", id, mdm_error_message());
        status = MDM_OK;
    } else if (!status && !marked) {
        mdm_audit_say(audit, true, "%s: the file does not carry the mark that it is synthetic", id);
    }
    if (!status && tags.size)
        mdm_audit_say(audit, true, "%s: the file carries tags that mmdm does not write: %s", id,
                      (const char *)tags.data);
    mdm_buffer_free(&tags);
    return status;
}

static mdm_status check_row(mdm_auditor *audit, json_t *rows, const char *part, const json_t *row,
                            mdm_status (*look)(mdm_auditor *audit, const char *path, const json_t *row))
{
    const char *name = json_string_value(json_object_get(row, "file_name")),
               *id = json_string_value(json_object_get(row, "clip_id"));
    char *path;
    if (!name || !id || strchr(name, '/') || name[0] == '.') {
        mdm_audit_say(audit, true, "%s/metadata.jsonl: a row without clip_id, or whose file_name is not a plain name",
                      part);
        return MDM_OK;
    }
    json_object_set_new(rows, name, json_true());
    MDM_TRY(mdm_format(&path, "%s/%s/%s", audit->folder, part, name));
    mdm_status status = MDM_OK;
    if (!mdm_file_exists(path)) {
        mdm_audit_say(audit, true, "%s: %s/%s is not there", id, part, name);
    } else {
        audit->clips++;
        status = check_media(audit, path, row);
        if (!status)
            status = look(audit, path, row);
        if (status == MDM_ERR_INPUT) {
            mdm_audit_say(audit, true, "%s: %s", id, mdm_error_message());
            status = MDM_OK;
        }
    }
    mdm_free(&path);
    return status;
}

static mdm_status check_part(mdm_auditor *audit, const char *part,
                             mdm_status (*look)(mdm_auditor *audit, const char *path, const json_t *row))
{
    char *path, *save = NULL, **names = NULL;
    unsigned char *text = NULL;
    size_t size, count = 0;
    json_t *rows = json_object();
    MDM_TRY(mdm_format(&path, "%s/%s/metadata.jsonl", audit->folder, part));
    mdm_status status = MDM_OK;
    bool there = mdm_file_exists(path);
    if (there)
        status = mdm_file_read(&text, &size, path, (size_t)512 << 20);
    for (char *line = text ? strtok_r((char *)text, "\n", &save) : NULL; line && !status;
         line = strtok_r(NULL, "\n", &save)) {
        json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (json_is_object(row))
            status = check_row(audit, rows, part, row, look);
        else
            mdm_audit_say(audit, true, "%s/metadata.jsonl: a line that is not a JSON object", part);
        json_decref(row);
    }
    mdm_free(&path);
    MDM_TRY(mdm_format(&path, "%s/%s", audit->folder, part));
    if (there && !status)
        status = mdm_list_folder(&names, &count, path);
    for (size_t i = 0; i < count; i++)
        if ((strstr(names[i], ".mp4") || strstr(names[i], ".png")) && !json_object_get(rows, names[i]))
            mdm_audit_say(audit, true, "%s/%s has no row in metadata.jsonl", part, names[i]);
    mdm_names_free(&names, count);
    json_decref(rows);
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

mdm_status mdm_audit_rows(mdm_auditor *audit,
                          mdm_status (*look)(mdm_auditor *audit, const char *path, const json_t *row))
{
    static const char *const parts[] = {"train", "test", "stills/train", "stills/test"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        MDM_TRY(check_part(audit, parts[i], look));
    if (!audit->clips)
        mdm_audit_say(audit, true, "there is no clip in it");
    return MDM_OK;
}
