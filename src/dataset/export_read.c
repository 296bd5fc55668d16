/* Reading a finished dataset for export: rows of its parts, where their files lie, title and licence of its card. */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "dataset/export.h"

#define MOST_CLIPS 1000000

/* Ids and names become names of files: letters, digits, '-' and '_', and for files one dot before the ending. */
static bool is_plain(const char *text, size_t room, bool dot)
{
    if (!text || !*text || strlen(text) >= room)
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_' && !(dot && *c == '.' && c != text))
            return false;
    return true;
}

static mdm_status read_clip(mdm_export_clip *clip, const mdm_export *e, const char *folder, json_t *row,
                            const char *where)
{
    const char *file = json_string_value(json_object_get(row, "file_name")),
               *id = json_string_value(json_object_get(row, "clip_id"));
    long long frames, width, height;
    if (!is_plain(id, sizeof clip->id, false) || !is_plain(file, sizeof clip->file, true) ||
        !json_is_array(json_object_get(row, "persons")))
        return mdm_fail(MDM_ERR_INPUT, "%s: a row without clip_id, file_name (plain names) or persons", where);
    MDM_TRY(mdm_json_int(&frames, row, "frames", 1, 100000000, where));
    MDM_TRY(mdm_json_int(&width, row, "width", 1, 65536, where));
    MDM_TRY(mdm_json_int(&height, row, "height", 1, 65536, where));
    clip->row = json_incref(row);
    clip->frames = (int)frames, clip->width = (int)width, clip->height = (int)height;
    clip->fps = json_number_value(json_object_get(row, "fps"));
    if (!isfinite(clip->fps) || clip->fps < 0 || clip->fps > 10000)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s: fps %g, expected 0..10000", where, id, clip->fps);
    clip->still = strlen(file) > 4 && strcmp(file + strlen(file) - 4, ".png") == 0;
    snprintf(clip->id, sizeof clip->id, "%s", id);
    snprintf(clip->file, sizeof clip->file, "%s", file);
    MDM_TRY(mdm_join_path(&clip->media, folder, file));
    if (!mdm_file_exists(clip->media))
        return mdm_fail(MDM_ERR_INPUT, "%s: there is no such file, but %s names it", clip->media, where);
    MDM_TRY(mdm_format(&clip->labels, "%s/labels/%s/%s.jsonl", e->dataset, mdm_part_names[clip->part], id));
    if (!mdm_file_exists(clip->labels))
        mdm_free(&clip->labels);
    return MDM_OK;
}

static mdm_status add_row(mdm_export *e, const char *folder, int part, const char *text, size_t size, const char *where)
{
    json_t *row = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(row)) {
        json_decref(row);
        return mdm_fail(MDM_ERR_INPUT, "%s: a line that is not a JSON object", where);
    }
    mdm_status status = e->count < MOST_CLIPS ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: too many clips", where);
    if (status == MDM_OK && (e->count & (e->count - 1)) == 0) /* room is the next power of two */
        status = mdm_realloc(&e->clips, e->count ? 2 * e->count : 1, sizeof *e->clips, "clips");
    if (status == MDM_OK) {
        mdm_export_clip *clip = &e->clips[e->count++];
        memset(clip, 0, sizeof *clip);
        clip->part = clip->packed_part = part;
        status = read_clip(clip, e, folder, row, where);
    }
    json_decref(row);
    return status;
}

static mdm_status read_part(mdm_export *e, const char *name, int part)
{
    char *folder, *path = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    MDM_TRY(mdm_join_path(&folder, e->dataset, name));
    mdm_status status = mdm_join_path(&path, folder, "metadata.jsonl");
    if (status == MDM_OK && mdm_file_exists(path))
        status = mdm_file_read(&text, &size, path, (size_t)512 << 20);
    for (const char *at = (const char *)text, *end = at + size; at < end && status == MDM_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        if (stop > at)
            status = add_row(e, folder, part, at, (size_t)(stop - at), path);
        at = stop + 1;
    }
    mdm_free(&text);
    mdm_free(&path);
    mdm_free(&folder);
    return status;
}

/* "name: value" of the card's YAML head, as mmdm writes it: one line, perhaps quoted. */
static void read_head(char *out, size_t room, const char *card, const char *name)
{
    const char *at = strstr(card, name);
    size_t n = 0;
    if (!at)
        return;
    at += strlen(name);
    const bool quoted = *at == '"';
    for (at += quoted; *at && *at != '\n' && !(quoted && *at == '"') && n + 1 < room; at++) {
        at += quoted && *at == '\\' && at[1];
        out[n++] = *at;
    }
    out[n] = '\0';
}

static mdm_status read_card(mdm_export *e)
{
    char *path;
    unsigned char *text = NULL;
    size_t size;
    snprintf(e->title, sizeof e->title, "Masked recordings");
    snprintf(e->licence, sizeof e->licence, "other");
    MDM_TRY(mdm_join_path(&path, e->dataset, "README.md"));
    mdm_status status = mdm_file_exists(path) ? mdm_file_read(&text, &size, path, (size_t)4 << 20) : MDM_OK;
    if (status == MDM_OK && text) {
        read_head(e->title, sizeof e->title, (const char *)text, "\npretty_name: ");
        read_head(e->licence, sizeof e->licence, (const char *)text, "\nlicense: ");
    }
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const mdm_export_clip *)a)->id, ((const mdm_export_clip *)b)->id);
}

mdm_status mdm_export_read(mdm_export *e)
{
    for (int p = 0; p < MDM_PARTS; p++) {
        char stills[32];
        snprintf(stills, sizeof stills, "stills/%s", mdm_part_names[p]);
        MDM_TRY(read_part(e, mdm_part_names[p], p));
        MDM_TRY(read_part(e, stills, p));
    }
    if (!e->count)
        return mdm_fail(MDM_ERR_INPUT, "%s: there is no dataset: no row in train/metadata.jsonl", e->dataset);
    qsort(e->clips, e->count, sizeof *e->clips, by_id);
    for (size_t i = 1; i < e->count; i++)
        if (strcmp(e->clips[i - 1].id, e->clips[i].id) == 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: two rows are of %s", e->dataset, e->clips[i].id);
    return read_card(e);
}

void mdm_export_free(mdm_export *e)
{
    for (size_t i = 0; i < e->count; i++) {
        mdm_free(&e->clips[i].media);
        mdm_free(&e->clips[i].labels);
        json_decref(e->clips[i].row);
    }
    mdm_free(&e->clips);
    mdm_free(&e->folder);
    e->count = 0;
}

mdm_status mdm_export_labels(mdm_face_labels *out, const mdm_export_clip *clip)
{
    memset(out, 0, sizeof *out);
    return clip->labels ? mdm_labels_read(out, clip->labels, clip->frames) : MDM_OK;
}

int mdm_export_next_track(const mdm_face_labels *labels, int track)
{
    int next = -1;
    for (size_t i = 0; i < labels->count; i++)
        if (labels->item[i].track > track && (next < 0 || labels->item[i].track < next))
            next = labels->item[i].track;
    return next;
}

const char *mdm_export_person(const mdm_face_labels *labels, int track)
{
    for (size_t i = 0; i < labels->count; i++)
        if (labels->item[i].track == track)
            return labels->item[i].person;
    return "";
}
