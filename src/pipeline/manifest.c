/* Writing and reading the manifest. It is a file others may have touched: every line is checked. */
#define _GNU_SOURCE
#include "pipeline/manifest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { MAX_LINE = 1 << 16 };

/* ---- writing ---- */

static bool write_line(FILE *file, json_t *line)
{
    const bool ok = line && json_dumpf(line, file, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) == 0 &&
                    fputc('\n', file) != EOF;
    json_decref(line);
    return ok;
}

/* A clip that could not be read has a status and a message in place of an id. */
static json_t *line_of(const mdm_input *item, double weight)
{
    json_t *path = json_string(item->path);
    if (!path)
        return NULL;
    if (item->status != MDM_OK)
        return json_pack("{s:o, s:i, s:s}", "path", path, "status", (int)item->status, "message", item->message);
    return json_pack("{s:s, s:s, s:o, s:f, s:f, s:f}", "id", item->clip_id, "sha256", item->sha256, "path", path,
                     "start", item->start, "end", item->end, "weight", weight);
}

mdm_status mdm_manifest_write(const char *path, const mdm_manifest_head *head, const mdm_input *items,
                              const double *weights, size_t count)
{
    char *temporary;
    MDM_TRY(mdm_temp_name(&temporary, path));
    FILE *file = fopen(temporary, "wxe");
    mdm_status status = MDM_OK;
    if (!file)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot create: %s", path, strerror(errno));
    bool ok = file && write_line(file, json_pack("{s:i, s:s, s:s, s:I}", "version", 1, "key", head->key, "measure",
                                                 head->seconds ? "seconds" : "bytes", "clips", (json_int_t)count));
    for (size_t i = 0; i < count && ok; i++) {
        json_t *line = line_of(&items[i], weights[i]);
        if (!line)
            status = mdm_fail(MDM_ERR_INPUT, "a recording whose name is not UTF-8 cannot be shared between machines: "
                                             "rename it");
        ok = line && write_line(file, line);
    }
    if (file && (fclose(file) != 0 || !ok) && status == MDM_OK)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot write: %s", path, strerror(errno));
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, path);
    else if (file)
        mdm_temp_discard(temporary);
    mdm_free(&temporary);
    return status;
}

/* ---- reading ---- */

struct mdm_manifest {
    FILE *file;
    char *path, *line;
    size_t room, lines, count, read;
    bool seconds;
};

static mdm_status bad_line(const mdm_manifest *manifest, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s:%zu: %s; `mmdm plan INPUT... -o OUT` makes it anew", manifest->path,
                    manifest->lines, what);
}

static mdm_status read_line(json_t **out, mdm_manifest *manifest)
{
    *out = NULL;
    const ssize_t n = getline(&manifest->line, &manifest->room, manifest->file);
    manifest->lines++;
    if (n <= 0 || n > MAX_LINE || manifest->line[n - 1] != '\n')
        return bad_line(manifest, n > MAX_LINE ? "a line too long" : "it ends here");
    *out = json_loadb(manifest->line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    return json_is_object(*out) ? MDM_OK : bad_line(manifest, "not a JSON object");
}

mdm_status mdm_manifest_open(mdm_manifest **out, const char *path)
{
    json_t *head = NULL;
    long long version, count;
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "manifest"));
    mdm_manifest *manifest = *out;
    mdm_status status = mdm_strdup(&manifest->path, path);
    if (status == MDM_OK && !(manifest->file = fopen(path, "re")))
        status = mdm_fail(MDM_ERR_USAGE, "%s: nothing planned there yet: `mmdm plan INPUT... -o OUT` first", path);
    if (status == MDM_OK)
        status = read_line(&head, manifest);
    if (status == MDM_OK)
        status = mdm_json_int(&version, head, "version", 1, 1, path);
    if (status == MDM_OK)
        status = mdm_json_int(&count, head, "clips", 0, MDM_MAX_INPUTS, path);
    if (status == MDM_OK) {
        const char *measure = json_string_value(json_object_get(head, "measure"));
        manifest->seconds = measure && strcmp(measure, "seconds") == 0;
        manifest->count = (size_t)count;
    }
    json_decref(head);
    if (status != MDM_OK)
        mdm_manifest_close(out);
    return status;
}

void mdm_manifest_close(mdm_manifest **manifest)
{
    if (!*manifest)
        return;
    if ((*manifest)->file)
        fclose((*manifest)->file);
    free((*manifest)->line);
    mdm_free(&(*manifest)->path);
    mdm_free(manifest);
}

bool mdm_manifest_in_seconds(const mdm_manifest *manifest)
{
    return manifest->seconds;
}

static bool is_hash(const char *text)
{
    return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Ids become names of folders. */
static bool is_id(const char *text)
{
    return text && strncmp(text, "clip-", 5) == 0 && strlen(text) < sizeof((mdm_input *)0)->clip_id && text[5] &&
           text[5 + strspn(text + 5, "0123456789")] == '\0';
}

static mdm_status take(mdm_input *item, double *weight, const json_t *line, const mdm_manifest *manifest)
{
    const char *path = json_string_value(json_object_get(line, "path"));
    const char *id = json_string_value(json_object_get(line, "id"));
    const char *hash = json_string_value(json_object_get(line, "sha256"));
    const char *message = json_string_value(json_object_get(line, "message"));
    const json_int_t failed = json_integer_value(json_object_get(line, "status"));
    if (!path || failed < 0 || failed > MDM_ERR_CANCELLED)
        return bad_line(manifest, "no path, or a status that is none");
    if (failed) {
        item->status = (mdm_status)failed;
        snprintf(item->message, sizeof item->message, "%s", message ? message : "");
        return mdm_strdup(&item->path, path);
    }
    item->start = json_number_value(json_object_get(line, "start"));
    item->end = json_number_value(json_object_get(line, "end"));
    *weight = json_number_value(json_object_get(line, "weight"));
    if (!is_id(id) || !is_hash(hash))
        return bad_line(manifest, "expected an id like clip-0001 and a SHA-256");
    if (!(item->start >= 0) || !(item->end >= 0) || !(*weight >= 0) || !isfinite(*weight))
        return bad_line(manifest, "expected start, end and weight of 0 or more");
    memcpy(item->clip_id, id, strlen(id) + 1);
    memcpy(item->sha256, hash, 65);
    return mdm_strdup(&item->path, path);
}

mdm_status mdm_manifest_next(bool *more, mdm_manifest *manifest, mdm_input *item, double *weight)
{
    json_t *line;
    memset(item, 0, sizeof *item);
    *weight = 0;
    *more = manifest->read < manifest->count;
    if (!*more)
        return MDM_OK;
    mdm_status status = read_line(&line, manifest);
    if (status == MDM_OK)
        status = take(item, weight, line, manifest);
    manifest->read++;
    json_decref(line);
    return status;
}

mdm_status mdm_manifest_weights(double **out, size_t *count, const char *path)
{
    mdm_manifest *manifest;
    bool more = true;
    *out = NULL;
    *count = 0;
    MDM_TRY(mdm_manifest_open(&manifest, path));
    mdm_status status = mdm_alloc(out, manifest->count, sizeof **out, "manifest");
    while (status == MDM_OK && more) {
        mdm_input item;
        double weight;
        status = mdm_manifest_next(&more, manifest, &item, &weight);
        if (status == MDM_OK && more)
            (*out)[(*count)++] = weight;
        mdm_free(&item.path);
    }
    mdm_manifest_close(&manifest);
    if (status != MDM_OK)
        mdm_free(out);
    return status;
}
