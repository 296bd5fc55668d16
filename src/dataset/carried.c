/* Reading labels that people already have (carried.h). */
#include "dataset/carried.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MOST_BYTES ((size_t)1 << 30)
#define MOST_ITEMS 100000
#define LARGEST    1e6 /* px */

bool mdm_carried_names(const char *name, const char *stem)
{
    const char *slash = name ? strrchr(name, '/') : NULL;
    const char *base = slash ? slash + 1 : name;
    size_t n = strlen(stem);
    return base && strncmp(base, stem, n) == 0 && !isalnum((unsigned char)base[n]);
}

/* ---- items --------------------------------------------------------------------------------------------------------------- */

/* Classes are words; what has other characters may be a sentence about somebody. */
static bool is_label(const char *text)
{
    if (!text || !*text || strlen(text) > 63)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_/ .-", *text))
            return false;
    return true;
}

/* A new item of a kind, NULL when the label cannot be carried or there are too many. Belongs to `items`. */
static json_t *add_item(json_t *items, const char *label, const char *kind, const char *list)
{
    if (!is_label(label) || json_array_size(items) >= MOST_ITEMS)
        return NULL;
    json_array_append_new(items, json_pack("{s:s, s:s, s:[]}", "label", label, "kind", kind, list));
    return json_array_get(items, json_array_size(items) - 1);
}

static void add_box(json_t *item, long long frame, const double box[4], const mdm_carried_clip *clip)
{
    bool good = frame >= 0 && frame < clip->frames && box[2] > 0 && box[3] > 0;
    for (int i = 0; i < 4; i++)
        good = good && isfinite(box[i]) && fabs(box[i]) <= LARGEST;
    if (good)
        json_array_append_new(json_object_get(item, "boxes"),
                              json_pack("[I, o, o, o, o]", frame, mdm_json_rounded(box[0], 2),
                                        mdm_json_rounded(box[1], 2), mdm_json_rounded(box[2], 2),
                                        mdm_json_rounded(box[3], 2)));
}

static bool four(double out[4], const json_t *value)
{
    for (size_t i = 0; i < 4; i++) {
        if (!json_is_number(json_array_get(value, i)))
            return false;
        out[i] = json_number_value(json_array_get(value, i));
    }
    return true;
}

/* ---- OpenLABEL, VCD ------------------------------------------------------------------------------------------------------------ */

static void read_frame_boxes(json_t *tracks, const char *number, const json_t *frame, const mdm_carried_clip *clip)
{
    const char *uid;
    json_t *object, *box;
    size_t i;
    char *end;
    const long long at = strtoll(number, &end, 10);
    json_object_foreach(json_object_get(frame, "objects"), uid, object)
    {
        json_t *item = json_object_get(tracks, uid);
        json_array_foreach(json_object_get(json_object_get(object, "object_data"), "bbox"), i, box)
        {
            double b[4];
            if (item && !*end && i == 0 && four(b, json_object_get(box, "val"))) {
                b[0] -= b[2] / 2, b[1] -= b[3] / 2; /* the centre comes first */
                add_box(item, at, b, clip);
            }
        }
    }
}

static void read_intervals(json_t *item, const json_t *intervals, const mdm_carried_clip *clip)
{
    size_t i;
    json_t *interval;
    json_array_foreach((json_t *)intervals, i, interval)
    {
        json_int_t first = json_integer_value(json_object_get(interval, "frame_start")),
                   last = json_integer_value(json_object_get(interval, "frame_end"));
        if (first >= 0 && first <= last && last < clip->frames)
            json_array_append_new(json_object_get(item, "frame_intervals"), json_pack("[I, I]", first, last));
    }
}

static void read_openlabel(json_t *items, const json_t *root, const mdm_carried_clip *clip)
{
    const char *uid;
    json_t *value, *tracks = json_object();
    json_object_foreach(json_object_get(root, "objects"), uid, value)
    {
        json_t *item = add_item(items, json_string_value(json_object_get(value, "type")), "track", "boxes");
        if (item)
            json_object_set(tracks, uid, item);
    }
    json_object_foreach(json_object_get(root, "frames"), uid, value) read_frame_boxes(tracks, uid, value, clip);
    json_object_foreach(json_object_get(root, "actions"), uid, value)
    {
        json_t *item = add_item(items, json_string_value(json_object_get(value, "type")), "action", "frame_intervals");
        if (item)
            read_intervals(item, json_object_get(value, "frame_intervals"), clip);
    }
    json_decref(tracks);
}

/* ---- COCO ---------------------------------------------------------------------------------------------------------------------------- */

/* A value by its `id`, which may be a number or a text; NULL when there is none. */
static char *key_of(const json_t *id)
{
    return json_is_integer(id) || json_is_string(id) ? json_dumps(id, JSON_ENCODE_ANY) : NULL;
}

static json_t *by_id(const json_t *list)
{
    size_t i;
    json_t *value, *out = json_object();
    json_array_foreach((json_t *)list, i, value)
    {
        char *key = key_of(json_object_get(value, "id"));
        if (key)
            json_object_set(out, key, value);
        free(key);
    }
    return out;
}

static json_t *look_up(const json_t *table, const json_t *id)
{
    char *key = key_of(id);
    json_t *out = key ? json_object_get(table, key) : NULL;
    free(key);
    return out;
}

/* Pictures of this recording: of a video of its name, or named after it, with the frame's number in frame_index or at their end. */
static long long frame_of_image(const json_t *image, const json_t *videos, const mdm_carried_clip *clip)
{
    const json_t *video = look_up(videos, json_object_get(image, "video_id")),
                 *index = json_object_get(image, "frame_index");
    const char *name = json_string_value(json_object_get(image, "file_name"));
    const char *of = video ? json_string_value(json_object_get(video, "name")) : name;
    if (video && !of)
        of = json_string_value(json_object_get(video, "file_name"));
    if (!mdm_carried_names(of, clip->stem))
        return -1;
    if (json_is_integer(index))
        return json_integer_value(index);
    const char *dot = name ? strrchr(name, '.') : NULL, *at = dot;
    while (at && at > name && isdigit((unsigned char)at[-1]))
        at--;
    return at && at < dot && dot - at < 10 ? strtoll(at, NULL, 10) : -1;
}

static void read_coco(json_t *items, const json_t *root, const mdm_carried_clip *clip)
{
    json_t *images = by_id(json_object_get(root, "images")), *videos = by_id(json_object_get(root, "videos")),
           *classes = by_id(json_object_get(root, "categories")), *tracks = json_object(), *a;
    size_t i;
    json_array_foreach(json_object_get(root, "annotations"), i, a)
    {
        const json_t *image = look_up(images, json_object_get(a, "image_id")),
                     *class = look_up(classes, json_object_get(a, "category_id"));
        const json_t *track = json_object_get(a, "track_id");
        const char *label = json_string_value(json_object_get(class, "name"));
        double box[4];
        long long frame = image ? frame_of_image(image, videos, clip) : -1;
        if (!track)
            track = json_object_get(json_object_get(a, "attributes"), "track_id");
        if (frame < 0 || !is_label(label) || !four(box, json_object_get(a, "bbox")))
            continue;
        char *key = key_of(track ? track : json_object_get(a, "category_id")); /* without tracks, a class is one */
        json_t *item = key ? json_object_get(tracks, key) : NULL;
        if (key && !item && (item = add_item(items, label, "track", "boxes")))
            json_object_set(tracks, key, item);
        if (item)
            add_box(item, frame, box, clip);
        free(key);
    }
    json_decref(images), json_decref(videos), json_decref(classes), json_decref(tracks);
}

/* ---- Label Studio ------------------------------------------------------------------------------------------------------------------------ */

static bool keyframe(long long *frame, double box[4], const json_t *k, const mdm_carried_clip *clip)
{
    static const char *const names[] = {"x", "y", "width", "height"};
    *frame = json_integer_value(json_object_get(k, "frame")) - 1; /* frames count from 1 */
    for (int i = 0; i < 4; i++) {
        const json_t *value = json_object_get(k, names[i]);
        if (!json_is_number(value))
            return false;
        box[i] = json_number_value(value) / 100 * (i % 2 ? clip->height : clip->width);
    }
    return *frame >= 0 && *frame < clip->frames;
}

/* In a straight line from one key frame to the next, unless the first says that it ends there. */
static void read_sequence(json_t *item, const json_t *sequence, const mdm_carried_clip *clip)
{
    for (size_t i = 0; i < json_array_size(sequence); i++) {
        const json_t *k = json_array_get(sequence, i);
        long long frame, next = -1;
        double box[4], to[4];
        if (!keyframe(&frame, box, k, clip))
            continue;
        add_box(item, frame, box, clip);
        if (json_is_false(json_object_get(k, "enabled")) || !keyframe(&next, to, json_array_get(sequence, i + 1), clip))
            continue;
        for (long long f = frame + 1; f < next; f++) {
            double at[4], share = (double)(f - frame) / (double)(next - frame);
            for (int c = 0; c < 4; c++)
                at[c] = box[c] + share * (to[c] - box[c]);
            add_box(item, f, at, clip);
        }
    }
}

static void read_task(json_t *items, const json_t *task, const mdm_carried_clip *clip)
{
    const char *video = json_string_value(json_object_get(json_object_get(task, "data"), "video"));
    const json_t *from = json_object_get(task, "annotations");
    size_t i, k;
    json_t *annotation, *result;
    if (!mdm_carried_names(video, clip->stem))
        return;
    if (!json_array_size(from))
        from = json_object_get(task, "predictions");
    json_array_foreach((json_t *)from, i, annotation)
    {
        json_array_foreach(json_object_get(annotation, "result"), k, result)
        {
            const json_t *value = json_object_get(result, "value");
            const json_t *label = json_array_get(json_object_get(value, "labels"), 0);
            json_t *item =
                json_object_get(value, "sequence") ? add_item(items, json_string_value(label), "track", "boxes") : NULL;
            if (item)
                read_sequence(item, json_object_get(value, "sequence"), clip);
        }
    }
}

/* ---- the file -------------------------------------------------------------------------------------------------------------------------------- */

mdm_status mdm_carried_read(json_t *items, const char *path, const mdm_carried_clip *clip)
{
    json_t *root, *task;
    size_t i;
    MDM_TRY(mdm_json_load(&root, path, MOST_BYTES));
    const json_t *openlabel = json_object_get(root, "openlabel");
    const json_t *vcd = json_object_get(root, "vcd");
    mdm_status status = MDM_OK;
    if (json_is_object(openlabel) || json_is_object(vcd))
        read_openlabel(items, json_is_object(openlabel) ? openlabel : vcd, clip);
    else if (json_is_array(json_object_get(root, "images")) && json_is_array(json_object_get(root, "annotations")))
        read_coco(items, root, clip);
    else if (json_is_array(root) && json_is_object(json_object_get(json_array_get(root, 0), "data")))
        json_array_foreach(root, i, task) read_task(items, task, clip);
    else
        status = mdm_fail(
            MDM_ERR_INPUT,
            "%s: neither OpenLABEL or VCD (a root of that name), COCO (images and annotations) nor Label Studio (a "
            "list of tasks with data)",
            path);
    json_decref(root);
    return status;
}
