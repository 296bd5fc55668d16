/* Labels of faces, as JSON lines (labels.h). */
#include "dataset/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define MOST_BYTES  ((size_t)2 << 30) /* of a file */
#define MOST_LABELS 4000000           /* of a clip */
#define LARGEST     1e6               /* of any number in a line */

/* jaw, brows, nose, eyes, outer lips, inner lips */
const short mdm_label_mesh_points[MDM_LABEL_POINTS] = {
    162, 234, 93,  58,  172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71,  63,  105, 66,  107, 336,
    296, 334, 293, 301, 168, 197, 5,   4,   75,  97,  2,   326, 305, 33,  160, 158, 133, 153, 144, 362, 385, 387, 263,
    373, 380, 61,  39,  37,  0,   267, 269, 291, 405, 314, 17,  84,  181, 78,  82,  13,  312, 308, 317, 14,  87};

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

/* null unless all are finite */
static json_t *numbers(const float *value, int count, int digits)
{
    json_t *out = json_array();
    for (int i = 0; i < count; i++) {
        if (!isfinite(value[i])) {
            json_decref(out);
            return json_null();
        }
        json_array_append_new(out, mdm_json_rounded((double)value[i], digits));
    }
    return out;
}

static json_t *points_of(const mdm_face_label *label)
{
    json_t *out = json_array();
    for (int i = 0; i < MDM_LABEL_POINTS; i++)
        json_array_append_new(out, numbers(label->points[i], 2, 2));
    return out;
}

mdm_status mdm_label_write(mdm_out *out, const char *clip_id, const mdm_face_label *label)
{
    json_t *line = json_pack("{s:s, s:i, s:o, s:i, s:s, s:s}", "clip_id", clip_id, "frame", label->frame, "time",
                             mdm_json_rounded(label->time, 6), "track", label->track, "person", label->person, "state",
                             label->covered ? "covered" : "replaced");
    json_object_set_new(line, "box", label->seen ? numbers(label->box, 4, 2) : json_null());
    json_object_set_new(line, "points", label->seen ? points_of(label) : json_null());
    json_object_set_new(line, "head_pose", label->seen ? numbers(label->head, 3, 2) : json_null());
    json_object_set_new(line, "gaze", label->seen ? numbers(label->gaze, 2, 2) : json_null());
    json_object_set_new(line, "eyes", label->seen ? numbers(label->eyes, 2, 4) : json_null());
    json_object_set_new(line, "mouth", label->seen ? mdm_json_rounded((double)label->mouth, 4) : json_null());
    json_object_set_new(line, "expression", label->expression[0] ? json_string(label->expression) : json_null());
    MDM_TRY(mdm_out_json(out, line));
    return mdm_out_write(out, "\n", 1);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static bool read_number(float *out, const json_t *value)
{
    const double v = json_number_value(value);
    *out = (float)v;
    return json_is_number(value) && isfinite(v) && fabs(v) <= LARGEST;
}

/* `count` numbers, or null, which leaves NANs. */
static bool read_numbers(float *out, int count, const json_t *value)
{
    if (!json_is_null(value) && (!json_is_array(value) || json_array_size(value) != (size_t)count))
        return false;
    for (int i = 0; i < count; i++) {
        out[i] = NAN;
        if (!json_is_null(value) && !read_number(&out[i], json_array_get(value, (size_t)i)))
            return false;
    }
    return true;
}

static bool read_text(char *out, size_t room, const json_t *value, bool needed)
{
    const char *text = json_string_value(value);
    out[0] = '\0';
    if (!text)
        return json_is_null(value) && !needed;
    if (strlen(text) >= room || (needed && !*text))
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_face(mdm_face_label *label, const json_t *line)
{
    const json_t *points = json_object_get(line, "points"), *mouth = json_object_get(line, "mouth");
    label->seen = json_is_array(points);
    if (!read_numbers(label->box, 4, json_object_get(line, "box")) ||
        !read_numbers(label->head, 3, json_object_get(line, "head_pose")) ||
        !read_numbers(label->gaze, 2, json_object_get(line, "gaze")) ||
        !read_numbers(label->eyes, 2, json_object_get(line, "eyes")) ||
        !read_text(label->expression, sizeof label->expression, json_object_get(line, "expression"), false))
        return false;
    label->mouth = NAN;
    if (!json_is_null(mouth) && !read_number(&label->mouth, mouth))
        return false;
    if (!label->seen)
        return json_is_null(points);
    for (size_t i = 0; i < MDM_LABEL_POINTS; i++)
        if (!read_numbers(label->points[i], 2, json_array_get(points, i)) || !isfinite(label->points[i][0]))
            return false;
    return isfinite(label->box[0]) && json_array_size(points) == MDM_LABEL_POINTS;
}

static bool read_line(mdm_face_label *label, const json_t *line, int frames)
{
    const json_t *frame = json_object_get(line, "frame"), *track = json_object_get(line, "track");
    const char *state = json_string_value(json_object_get(line, "state"));
    float time;
    if (!json_is_integer(frame) || !json_is_integer(track) || !state ||
        !read_number(&time, json_object_get(line, "time")) ||
        !read_text(label->person, sizeof label->person, json_object_get(line, "person"), true))
        return false;
    const json_int_t f = json_integer_value(frame), t = json_integer_value(track);
    if (f < 0 || f >= frames || t < 0 || t > 1000000)
        return false;
    label->frame = (int)f;
    label->track = (int)t;
    label->time = json_number_value(json_object_get(line, "time"));
    label->covered = strcmp(state, "covered") == 0;
    return (label->covered || strcmp(state, "replaced") == 0) && read_face(label, line);
}

static mdm_status add_line(mdm_face_labels *out, size_t *room, const char *text, size_t size, const char *path,
                           size_t number, int frames)
{
    mdm_face_label label = {0};
    json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const bool good = json_is_object(line) && read_line(&label, line, frames) &&
                      (!out->count || label.frame >= out->item[out->count - 1].frame);
    json_decref(line);
    if (!good)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s:%zu: not a face's label as mmdm writes it (docs/formats.md), or its frame is not one of %d "
                        "in rising order; pack the dataset again",
                        path, number, frames);
    if (out->count == MOST_LABELS)
        return mdm_fail(MDM_ERR_INPUT, "%s: more than %d faces; cut the recording (--segment)", path, MOST_LABELS);
    if (out->count == *room) {
        *room = *room ? 2 * *room : 64;
        MDM_TRY(mdm_realloc(&out->item, *room, sizeof *out->item, "labels"));
    }
    out->item[out->count++] = label;
    return MDM_OK;
}

mdm_status mdm_labels_read(mdm_face_labels *out, const char *path, int frames)
{
    unsigned char *text;
    size_t size, room = 0, number = 0;
    memset(out, 0, sizeof *out);
    MDM_TRY(mdm_file_read(&text, &size, path, MOST_BYTES));
    mdm_status status = MDM_OK;
    for (const char *at = (const char *)text, *end = at + size; at < end && status == MDM_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        status = add_line(out, &room, at, (size_t)(stop - at), path, ++number, frames);
        at = stop + 1;
    }
    mdm_free(&text);
    if (status != MDM_OK)
        mdm_labels_free(out);
    return status;
}

void mdm_labels_free(mdm_face_labels *labels)
{
    mdm_free(&labels->item);
    labels->count = 0;
}
