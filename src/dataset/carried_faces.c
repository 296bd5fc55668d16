/* Labels that people already have, against the result (carried.h): faces are replaced by what was measured. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "dataset/carried.h"

#define INSIDE  0.8 /* of a box: it is of a part of a face, the recorded one */
#define OVERLAP 0.3 /* of two boxes that are of one face: intersection over union */

static bool is_face(const char *label)
{
    char lower[64] = "";
    for (size_t i = 0; label[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)label[i]);
    return strstr(lower, "face") || strstr(lower, "head") || strstr(lower, "eye") || strstr(lower, "mouth");
}

static double common_area(const double a[4], const float b[4])
{
    const double x = fmin(a[0] + a[2], (double)b[0] + (double)b[2]) - fmax(a[0], (double)b[0]),
                 y = fmin(a[1] + a[3], (double)b[1] + (double)b[3]) - fmax(a[1], (double)b[1]);
    return x > 0 && y > 0 ? x * y : 0;
}

static double overlap(const double a[4], const float b[4])
{
    const double both = common_area(a, b), all = a[2] * a[3] + (double)b[2] * (double)b[3] - both;
    return all > 0 ? both / all : 0;
}

/* Index of the first label of a frame, or of a later one. */
static size_t labels_from(const mdm_face_labels *faces, long long frame)
{
    size_t low = 0, high = faces->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (faces->item[middle].frame < frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The measured face of a frame that overlaps most, or NULL. */
static const mdm_face_label *measured(double *best, const mdm_face_labels *faces, long long frame, const double box[4])
{
    const mdm_face_label *found = NULL;
    *best = OVERLAP;
    for (size_t low = labels_from(faces, frame); low < faces->count && faces->item[low].frame == frame; low++) {
        double now = faces->item[low].seen ? overlap(box, faces->item[low].box) : 0;
        if (now >= *best)
            *best = now, found = &faces->item[low];
    }
    return found;
}

static void read_box(double out[4], const json_t *box)
{
    for (size_t k = 0; k < 4; k++)
        out[k] = json_number_value(json_array_get(box, k + 1));
}

static bool lies_in_face(const mdm_face_labels *faces, const json_t *box)
{
    const json_int_t frame = json_integer_value(json_array_get(box, 0));
    double b[4];
    read_box(b, box);
    for (size_t i = labels_from(faces, frame); i < faces->count && faces->item[i].frame == frame; i++)
        if (faces->item[i].seen && common_area(b, faces->item[i].box) > INSIDE * b[2] * b[3])
            return true;
    return false;
}

static json_t *measured_box(const mdm_face_label *l)
{
    json_t *out = json_pack("[i]", l->frame);
    for (int i = 0; i < 4; i++)
        json_array_append_new(out, mdm_json_rounded((double)l->box[i], 2));
    return out;
}

/* A track of a face: its boxes as measured, and how many frames of it could be. */
static json_t *remeasure(json_t **change, const json_t *item, const mdm_face_labels *faces)
{
    json_t *boxes = json_array(), *box;
    size_t i, before = json_array_size(json_object_get(item, "boxes"));
    double sum = 0;
    json_array_foreach(json_object_get(item, "boxes"), i, box)
    {
        double b[4], share;
        read_box(b, box);
        const mdm_face_label *l = measured(&share, faces, json_integer_value(json_array_get(box, 0)), b);
        if (!l)
            continue;
        sum += share;
        json_array_append_new(boxes, measured_box(l));
    }
    const size_t after = json_array_size(boxes);
    *change = json_pack("{s:O, s:I, s:I, s:o, s:s}", "label", json_object_get(item, "label"), "frames_before",
                        (json_int_t)before, "frames_after", (json_int_t)after, "mean_overlap",
                        mdm_json_rounded(after ? sum / (double)after : NAN, 4), "done",
                        after ? "measured again on the result" : "left out: no measured face overlaps it");
    return json_pack("{s:O, s:s, s:b, s:o}", "label", json_object_get(item, "label"), "kind", "track", "remeasured", 1,
                     "boxes", boxes);
}

static json_t *change_of(const json_t *item, size_t before, size_t after, const char *done)
{
    return json_pack("{s:O, s:I, s:I, s:s}", "label", json_object_get(item, "label"), "frames_before",
                     (json_int_t)before, "frames_after", (json_int_t)after, "done", done);
}

static json_t *carry_action(json_t **change, const json_t *item)
{
    json_t *out = json_deep_copy(item);
    const size_t count = json_array_size(json_object_get(item, "frame_intervals"));
    json_object_set_new(out, "remeasured", json_false());
    *change = change_of(item, count, count, "carried as it is: frames are those of the recording");
    return out;
}

static json_t *carry_track(json_t **change, const json_t *item, const mdm_face_labels *faces, bool scene)
{
    json_t *boxes = json_array(), *box;
    const json_t *before = json_object_get(item, "boxes");
    size_t i;
    json_array_foreach((json_t *)before, i, box)
    {
        if (scene && !lies_in_face(faces, box))
            json_array_append(boxes, box);
    }
    *change = change_of(item, json_array_size(before), json_array_size(boxes),
                        scene ? "carried as it is, but for boxes inside a face" : "left out: the picture is another");
    return json_pack("{s:O, s:s, s:b, s:o}", "label", json_object_get(item, "label"), "kind", "track", "remeasured", 0,
                     "boxes", boxes);
}

mdm_status mdm_carried_remeasure(json_t **out, json_t **changes, const json_t *items, const mdm_face_labels *faces,
                                 bool scene)
{
    size_t i;
    json_t *item;
    *out = json_array();
    *changes = json_array();
    json_array_foreach((json_t *)items, i, item)
    {
        const bool action = strcmp(json_string_value(json_object_get(item, "kind")), "action") == 0;
        json_t *change;
        json_t *now = action ? carry_action(&change, item)
                      : is_face(json_string_value(json_object_get(item, "label")))
                          ? remeasure(&change, item, faces)
                          : carry_track(&change, item, faces, scene);
        json_array_append_new(*changes, change);
        if (json_array_size(json_object_get(now, action ? "frame_intervals" : "boxes")))
            json_array_append(*out, now);
        json_decref(now);
    }
    return *out && *changes ? MDM_OK : mdm_fail(MDM_ERR_MEMORY, "no memory for labels");
}
