/* parquet: clips/<part>-00000-of-00001.parquet, a row a clip with the video inside as Hugging Face's Video (or Image) wants it, and
 * faces/<part>-... with a row a face of a frame. Shards of clips are of about half a gigabyte. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "dataset/export_card.h"
#include "dataset/parquet.h"

#define SHARD_BYTES ((uint64_t)512 << 20)

#define TEXT(name)                                                                                                     \
    {                                                                                                                  \
        name, MDM_PARQUET_BYTES, MDM_PARQUET_OPTIONAL, MDM_PARQUET_TEXT, 0                                             \
    }
#define VALUE(name, t)                                                                                                 \
    {                                                                                                                  \
        name, t, MDM_PARQUET_OPTIONAL, MDM_PARQUET_PLAIN, 0                                                            \
    }
#define LIST(name)                                                                                                     \
    {name, MDM_PARQUET_GROUP, MDM_PARQUET_OPTIONAL, MDM_PARQUET_LIST, 1},                                              \
    {                                                                                                                  \
        "list", MDM_PARQUET_GROUP, MDM_PARQUET_REPEATED, MDM_PARQUET_PLAIN, 1                                          \
    }

/* ---- clips ------------------------------------------------------------------------------------------------------------------------- */

/* persons: a list of groups of 10, of which `kept` is a list again. */
static const mdm_parquet_node clip_schema[] = {
    {"video", MDM_PARQUET_GROUP, MDM_PARQUET_OPTIONAL, MDM_PARQUET_PLAIN, 2},
    VALUE("bytes", MDM_PARQUET_BYTES),
    TEXT("path"),
    TEXT("clip_id"),
    VALUE("frames", MDM_PARQUET_INT64),
    VALUE("fps", MDM_PARQUET_DOUBLE),
    VALUE("width", MDM_PARQUET_INT64),
    VALUE("height", MDM_PARQUET_INT64),
    TEXT("sound"),
    TEXT("transcript"),
    LIST("persons"),
    {"element", MDM_PARQUET_GROUP, MDM_PARQUET_OPTIONAL, MDM_PARQUET_PLAIN, 10},
    TEXT("standin"),
    TEXT("action"),
    TEXT("age"),
    TEXT("gender"),
    TEXT("race"),
    VALUE("glasses", MDM_PARQUET_BOOL),
    LIST("kept"),
    TEXT("element"),
    VALUE("frames_face", MDM_PARQUET_INT64),
    VALUE("frames_replaced", MDM_PARQUET_INT64),
    VALUE("frames_covered", MDM_PARQUET_INT64),
    VALUE("synthetic", MDM_PARQUET_BOOL),
};
enum {
    VIDEO,
    PATH,
    CLIP_ID,
    FRAMES,
    FPS,
    WIDTH,
    HEIGHT,
    SOUND,
    TRANSCRIPT,
    PERSONS,
    KEPT = PERSONS + 6,
    SYNTHETIC = PERSONS + 10
};

/* What Hugging Face's datasets takes the columns for. */
#define FEATURE(name, type) "\"" name "\": {\"dtype\": \"" type "\", \"_type\": \"Value\"}"
#define CLIP_FEATURES(media)                                                                                                                                                                                         \
    "{\"info\": {\"features\": {\"video\": {\"_type\": \"" media                                                                                                                                                     \
    "\"}, " FEATURE("clip_id", "string") ", " FEATURE("frames", "int64") ", " FEATURE("fps", "float64") ", " FEATURE("width", "int64") ", " FEATURE("height", "int64") ", " FEATURE("sound", "string") ", " FEATURE( \
        "transcript",                                                                                                                                                                                                \
        "string") ", "                                                                                                                                                                                               \
                  "\"persons\": {\"feature\": {" FEATURE("standin", "string") ", " FEATURE(                                                                                                                          \
                      "action",                                                                                                                                                                                      \
                      "s"                                                                                                                                                                                            \
                      "t"                                                                                                                                                                                            \
                      "r"                                                                                                                                                                                            \
                      "i"                                                                                                                                                                                            \
                      "n"                                                                                                                                                                                            \
                      "g") ", " FEATURE("age",                                                                                                                                                                       \
                                        "string") ", " FEATURE("gender",                                                                                                                                             \
                                                               "string") ", " FEATURE("race",                                                                                                                        \
                                                                                      "string") ", " FEATURE("glasse"                                                                                                \
                                                                                                             "s",                                                                                                    \
                                                                                                             "bool") ", \"kept\": {\"feature\": {\"dtype\": "                                                        \
                                                                                                                     "\"string\", \"_type\": \"Value\"}, "                                                           \
                                                                                                                     "\"_type\": \"List\"}, " FEATURE(                                                               \
                                                                                                                         "frames_face",                                                                              \
                                                                                                                         "i"                                                                                         \
                                                                                                                         "n"                                                                                         \
                                                                                                                         "t"                                                                                         \
                                                                                                                         "6"                                                                                         \
                                                                                                                         "4") ", " FEATURE("frames_replaced",                                                        \
                                                                                                                                           "int64") ", " FEATURE("frames_covered",                                   \
                                                                                                                                                                 "int64") "}, \"_type\": "                           \
                                                                                                                                                                          "\"List\"},"                               \
                                                                                                                                                                          " " FEATURE(                               \
                                                                                                                                                                              "sy"                                   \
                                                                                                                                                                              "nt"                                   \
                                                                                                                                                                              "he"                                   \
                                                                                                                                                                              "ti"                                   \
                                                                                                                                                                              "c",                                   \
                                                                                                                                                                              "bo"                                   \
                                                                                                                                                                              "o"                                    \
                                                                                                                                                                              "l") "}}}"

/* A value of a row, or null one level under the column's own. */
static mdm_status put_json(mdm_parquet *p, int column, int repetition, const json_t *value)
{
    const mdm_parquet_column *c = &p->column[column];
    const int full = c->max_definition;
    const int64_t whole = json_integer_value(value);
    const double real = json_number_value(value);
    const unsigned char yes = json_is_true(value);
    switch (c->node->type) {
    case MDM_PARQUET_BOOL:
        return mdm_parquet_put(p, column, full - !json_is_boolean(value), repetition, &yes, 1);
    case MDM_PARQUET_INT64:
        return mdm_parquet_put(p, column, full - !json_is_integer(value), repetition, &whole, 8);
    case MDM_PARQUET_DOUBLE:
        return mdm_parquet_put(p, column, full - !json_is_number(value), repetition, &real, 8);
    default:
        return mdm_parquet_put(p, column, full - !json_is_string(value), repetition, json_string_value(value),
                               json_string_length(value));
    }
}

static mdm_status put_kept(mdm_parquet *p, int repetition, const json_t *kept)
{
    /* levels of definition: persons 1, list 2, element 3, kept 4, list 5, element 6 */
    if (!json_array_size(kept))
        return mdm_parquet_put(p, KEPT, 4, repetition, NULL, 0);
    for (size_t i = 0; i < json_array_size(kept); i++)
        MDM_TRY(put_json(p, KEPT, i ? 2 : repetition, json_array_get(kept, i)));
    return MDM_OK;
}

static mdm_status put_persons(mdm_parquet *p, const json_t *persons)
{
    static const char *const names[] = {"standin", "action", "age",         "gender",          "race",
                                        "glasses", "kept",   "frames_face", "frames_replaced", "frames_covered"};
    size_t i;
    json_t *person;
    for (int k = 0; k < 10 && !json_array_size(persons); k++)
        MDM_TRY(mdm_parquet_put(p, PERSONS + k, 1, 0, NULL, 0)); /* the list is there, and empty */
    json_array_foreach((json_t *)persons, i, person)
    {
        for (int k = 0; k < 10; k++) {
            const json_t *value = json_object_get(person, names[k]);
            MDM_TRY(PERSONS + k == KEPT ? put_kept(p, i > 0, value) : put_json(p, PERSONS + k, i > 0, value));
        }
    }
    return MDM_OK;
}

static mdm_status put_clip(mdm_parquet *p, const mdm_export_clip *clip)
{
    static const char *const names[] = {"clip_id", "frames", "fps", "width", "height", "sound", "transcript"};
    mdm_mapping map;
    MDM_TRY(mdm_map_file(&map, clip->media));
    mdm_status status = mdm_parquet_put(p, VIDEO, 2, 0, map.data, map.size);
    mdm_unmap_file(&map);
    MDM_TRY(status);
    MDM_TRY(mdm_parquet_put(p, PATH, 2, 0, clip->file, strlen(clip->file)));
    for (int i = 0; i < 7; i++)
        MDM_TRY(put_json(p, CLIP_ID + i, 0, json_object_get(clip->row, names[i])));
    MDM_TRY(put_persons(p, json_object_get(clip->row, "persons")));
    MDM_TRY(put_json(p, SYNTHETIC, 0, json_object_get(clip->row, "synthetic")));
    return mdm_parquet_end_row(p);
}

/* ---- shards of clips ---------------------------------------------------------------------------------------------------------------- */

/* Which clips a table has: those of a part that are videos, or pictures. */
typedef struct table {
    mdm_export *e;
    int part;
    bool stills;
    const char *folder; /* "clips", "stills" */
} table;

static bool belongs(const table *t, const mdm_export_clip *clip)
{
    return clip->part == t->part && clip->still == t->stills;
}

/* shard[i] of every clip of the table, -1 of the others; how many there are. */
static mdm_status plan_shards(int *shard, int *shards, const table *t)
{
    uint64_t filled = 0;
    *shards = 0;
    for (size_t i = 0; i < t->e->count; i++) {
        uint64_t size = 0;
        shard[i] = -1;
        if (!belongs(t, &t->e->clips[i]))
            continue;
        MDM_TRY(mdm_file_size(&size, t->e->clips[i].media));
        if (size > MDM_PARQUET_MAX_VALUE) {
            mdm_export_leave_out(t->e, "%s has %.1f GB, and a value of Parquet holds 1: cut it with --segment",
                                 t->e->clips[i].id, (double)size / 1e9);
            continue;
        }
        if (!*shards || filled + size > SHARD_BYTES)
            ++*shards, filled = 0;
        filled += size;
        shard[i] = *shards - 1;
    }
    return MDM_OK;
}

static mdm_status write_shard(const table *t, const int *shard, int number, int shards)
{
    static const char *const key[] = {"huggingface"}, *const video[] = {CLIP_FEATURES("Video")},
                             *const image[] = {CLIP_FEATURES("Image")};
    mdm_parquet p;
    char *path;
    MDM_TRY(
        mdm_export_path(&path, t->e, "%s/%s-%05d-of-%05d.parquet", t->folder, mdm_part_names[t->part], number, shards));
    mdm_status status = mdm_parquet_open(&p, path, clip_schema, sizeof clip_schema / sizeof *clip_schema);
    for (size_t i = 0; i < t->e->count && status == MDM_OK; i++)
        if (shard[i] == number)
            status = put_clip(&p, &t->e->clips[i]);
    mdm_free(&path);
    return mdm_parquet_close(&p, status, key, t->stills ? image : video, 1);
}

static mdm_status write_clips(const table *t)
{
    int *shard, shards;
    MDM_TRY(mdm_alloc(&shard, t->e->count, sizeof *shard, "shards"));
    mdm_status status = plan_shards(shard, &shards, t);
    for (int s = 0; status == MDM_OK && s < shards; s++)
        status = write_shard(t, shard, s, shards);
    mdm_free(&shard);
    return status;
}

/* ---- faces ------------------------------------------------------------------------------------------------------------------------------ */

static const mdm_parquet_node face_schema[] = {
    TEXT("clip_id"),
    VALUE("frame", MDM_PARQUET_INT32),
    VALUE("time", MDM_PARQUET_DOUBLE),
    VALUE("track", MDM_PARQUET_INT32),
    TEXT("person"),
    TEXT("state"),
    TEXT("expression"),
    VALUE("mouth", MDM_PARQUET_FLOAT),
    LIST("box"),
    VALUE("element", MDM_PARQUET_FLOAT),
    LIST("points"),
    VALUE("element", MDM_PARQUET_FLOAT),
    LIST("head_pose"),
    VALUE("element", MDM_PARQUET_FLOAT),
    LIST("gaze"),
    VALUE("element", MDM_PARQUET_FLOAT),
    LIST("eyes"),
    VALUE("element", MDM_PARQUET_FLOAT),
};

static mdm_status put_text(mdm_parquet *p, int column, const char *text)
{
    return mdm_parquet_put(p, column, *text != '\0', 0, text, strlen(text));
}

/* A list, or null where it was not measured. */
static mdm_status put_floats(mdm_parquet *p, int column, const float *value, int count, bool known)
{
    if (!known || !isfinite(value[0]))
        return mdm_parquet_put(p, column, 0, 0, NULL, 0);
    for (int i = 0; i < count; i++)
        MDM_TRY(mdm_parquet_put(p, column, 3, i > 0, &value[i], 0));
    return MDM_OK;
}

static mdm_status put_face(mdm_parquet *p, const char *clip_id, const mdm_face_label *l)
{
    const int32_t frame = l->frame, track = l->track;
    MDM_TRY(put_text(p, 0, clip_id));
    MDM_TRY(mdm_parquet_put(p, 1, 1, 0, &frame, 0));
    MDM_TRY(mdm_parquet_put(p, 2, 1, 0, &l->time, 0));
    MDM_TRY(mdm_parquet_put(p, 3, 1, 0, &track, 0));
    MDM_TRY(put_text(p, 4, l->person));
    MDM_TRY(put_text(p, 5, l->covered ? "covered" : "replaced"));
    MDM_TRY(put_text(p, 6, l->expression));
    MDM_TRY(mdm_parquet_put(p, 7, l->seen && isfinite(l->mouth), 0, &l->mouth, 0));
    MDM_TRY(put_floats(p, 8, l->box, 4, l->seen));
    MDM_TRY(put_floats(p, 9, &l->points[0][0], 2 * MDM_LABEL_POINTS, l->seen));
    MDM_TRY(put_floats(p, 10, l->head, 3, l->seen));
    MDM_TRY(put_floats(p, 11, l->gaze, 2, l->seen));
    MDM_TRY(put_floats(p, 12, l->eyes, 2, l->seen));
    return mdm_parquet_end_row(p);
}

static mdm_status write_faces(mdm_export *e, int part)
{
    mdm_parquet p;
    char *path;
    MDM_TRY(mdm_export_path(&path, e, "faces/%s-00000-of-00001.parquet", mdm_part_names[part]));
    mdm_status status = mdm_parquet_open(&p, path, face_schema, sizeof face_schema / sizeof *face_schema);
    for (size_t i = 0; i < e->count && status == MDM_OK; i++) {
        mdm_face_labels labels = {0};
        if (e->clips[i].part != part)
            continue;
        status = mdm_export_labels(&labels, &e->clips[i]);
        for (size_t k = 0; k < labels.count && status == MDM_OK; k++)
            status = put_face(&p, e->clips[i].id, &labels.item[k]);
        mdm_labels_free(&labels);
    }
    mdm_free(&path);
    return mdm_parquet_close(&p, status, NULL, NULL, 0);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------------------------- */

static bool has_kind(const mdm_export *e, int part, bool stills)
{
    for (size_t i = 0; i < e->count; i++)
        if ((part < 0 || e->clips[i].part == part) && e->clips[i].still == stills)
            return true;
    return false;
}

static mdm_status add_config(mdm_buffer *out, const mdm_export *e, const char *name, int kind)
{
    MDM_TRY(mdm_buffer_printf(out, "- config_name: %s\n  data_files:\n", name));
    for (int p = 0; p < MDM_PARTS; p++)
        if (kind < 0 ? mdm_export_has_part(e, p) : has_kind(e, p, kind))
            MDM_TRY(mdm_buffer_printf(out, "  - split: %s\n    path: %s/%s-*.parquet\n", mdm_part_names[p], name,
                                      mdm_part_names[p]));
    return MDM_OK;
}

mdm_status mdm_export_parquet(mdm_export *e)
{
    mdm_buffer configs = {0};
    mdm_status status = MDM_OK;
    for (int p = 0; p < MDM_PARTS && status == MDM_OK; p++) {
        status = write_clips(&(table){e, p, false, "clips"});
        if (status == MDM_OK)
            status = write_clips(&(table){e, p, true, "stills"});
        if (status == MDM_OK && mdm_export_has_part(e, p))
            status = write_faces(e, p);
    }
    if (status == MDM_OK && has_kind(e, -1, false))
        status = add_config(&configs, e, "clips", 0);
    if (status == MDM_OK && has_kind(e, -1, true))
        status = add_config(&configs, e, "stills", 1);
    if (status == MDM_OK)
        status = add_config(&configs, e, "faces", -1);
    if (status == MDM_OK)
        status = mdm_export_card(e, (const char *)configs.data);
    mdm_buffer_free(&configs);
    return status;
}
