/* openlabel: ASAM OpenLABEL 1.0, <part>/<clip>_ann_face.json beside each clip. Faces are objects with a box, key points and numbers a
 * frame; eyes and blinks are also actions of the Driver Monitoring Dataset's names (its "drowsiness" files). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/order.h"
#include "dataset/export.h"

#define CLOSED 0.5f /* of the track's usual opening, as in verify's blinks */

/* ---- objects ------------------------------------------------------------------------------------------------------------------ */

static void add_number(json_t *list, const char *name, float value)
{
    if (isfinite(value))
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", name, "val", mdm_json_rounded((double)value, 4)));
}

/* Object data of one frame. Boxes are [centre x, centre y, width, height]. */
static json_t *object_data(const mdm_face_label *l)
{
    static const char *const names[] = {"head_yaw",   "head_pitch",       "head_roll",         "gaze_yaw",
                                        "gaze_pitch", "eye_opening_left", "eye_opening_right", "mouth_opening"};
    const float values[] = {l->head[0], l->head[1], l->head[2], l->gaze[0],
                            l->gaze[1], l->eyes[0], l->eyes[1], l->mouth};
    json_t *points = json_array(), *numbers = json_array(), *texts = json_array();
    for (int i = 0; i < MDM_LABEL_POINTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "point_%02d", i);
        json_array_append_new(points, json_pack("{s:s, s:[o, o]}", "name", name, "val",
                                                mdm_json_rounded((double)l->points[i][0], 2),
                                                mdm_json_rounded((double)l->points[i][1], 2)));
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        add_number(numbers, names[i], values[i]);
    if (l->expression[0])
        json_array_append_new(texts, json_pack("{s:s, s:s}", "name", "expression", "val", l->expression));
    json_t *out =
        json_pack("{s:[{s:s, s:[o, o, o, o]}], s:o}", "bbox", "name", "face", "val",
                  mdm_json_rounded((double)(l->box[0] + l->box[2] / 2), 2),
                  mdm_json_rounded((double)(l->box[1] + l->box[3] / 2), 2), mdm_json_rounded((double)l->box[2], 2),
                  mdm_json_rounded((double)l->box[3], 2), "point2d", points);
    if (json_array_size(numbers))
        json_object_set(out, "num", numbers);
    if (json_array_size(texts))
        json_object_set(out, "text", texts);
    json_decref(numbers);
    json_decref(texts);
    return out;
}

static void add_interval(json_t *intervals, int first, int last)
{
    json_array_append_new(intervals, json_pack("{s:i, s:i}", "frame_start", first, "frame_end", last));
}

static json_t *frame_of(json_t *frames, int number)
{
    char key[16];
    snprintf(key, sizeof key, "%d", number);
    json_t *frame = json_object_get(frames, key);
    if (!frame) {
        frame = json_object();
        json_object_set_new(frames, key, frame);
    }
    return frame;
}

static void set_in(json_t *frame, const char *kind, const char *uid, json_t *value)
{
    json_t *all = json_object_get(frame, kind);
    if (!all) {
        all = json_object();
        json_object_set_new(frame, kind, all);
    }
    json_object_set_new(all, uid, value);
}

/* Stretches of frames in a row in which the track's face is seen. */
static json_t *seen_intervals(const mdm_face_labels *labels, int track)
{
    json_t *out = json_array();
    int first = -1, last = -2;
    for (size_t i = 0; i < labels->count; i++) {
        const mdm_face_label *l = &labels->item[i];
        if (l->track != track || !l->seen)
            continue;
        if (l->frame != last + 1 && first >= 0)
            add_interval(out, first, last);
        first = l->frame != last + 1 ? l->frame : first;
        last = l->frame;
    }
    if (first >= 0)
        add_interval(out, first, last);
    return out;
}

static bool add_object(json_t *objects, json_t *frames, const mdm_face_labels *labels, int track, const char *uid)
{
    json_t *intervals = seen_intervals(labels, track);
    char name[64];
    if (!json_array_size(intervals)) {
        json_decref(intervals);
        return false;
    }
    snprintf(name, sizeof name, "%s", mdm_export_person(labels, track));
    json_object_set_new(objects, uid,
                        json_pack("{s:s, s:s, s:o}", "name", name, "type", "face", "frame_intervals", intervals));
    for (size_t i = 0; i < labels->count; i++)
        if (labels->item[i].track == track && labels->item[i].seen)
            set_in(frame_of(frames, labels->item[i].frame), "objects", uid,
                   json_pack("{s:o}", "object_data", object_data(&labels->item[i])));
    return true;
}

/* ---- actions of eyes ------------------------------------------------------------------------------------------------------------ */

/* A reading of the eyes as one of DMD's states; -1 where it was not measured. */
enum { EYE_OPEN, EYE_CLOSE, EYE_STATES };

static float usual_opening(const mdm_face_labels *labels, int track, int eye, float *buffer)
{
    size_t n = 0;
    for (size_t i = 0; i < labels->count; i++)
        if (labels->item[i].track == track && labels->item[i].seen && isfinite(labels->item[i].eyes[eye]))
            buffer[n++] = labels->item[i].eyes[eye];
    if (!n)
        return NAN;
    mdm_sort(buffer, n);
    return buffer[n / 2];
}

static void add_action(json_t *actions, json_t *frames, int *next, const char *type, int first, int last)
{
    char uid[16];
    json_t *action = NULL, *value;
    const char *key;
    json_object_foreach(actions, key, value)
    {
        if (strcmp(json_string_value(json_object_get(value, "type")), type) == 0) {
            action = value;
            snprintf(uid, sizeof uid, "%s", key);
        }
    }
    if (!action) {
        snprintf(uid, sizeof uid, "%d", (*next)++);
        action = json_pack("{s:s, s:s, s:[]}", "name", "", "type", type, "frame_intervals");
        json_object_set_new(actions, uid, action);
    }
    add_interval(json_object_get(action, "frame_intervals"), first, last);
    for (int f = first; f <= last; f++)
        set_in(frame_of(frames, f), "actions", uid, json_object());
}

static void eye_actions(json_t *actions, json_t *frames, int *next, const mdm_face_labels *labels, int track, int eye,
                        float usual)
{
    static const char *const types[2][EYE_STATES] = {{"eyes_state_right/open", "eyes_state_right/close"},
                                                     {"eyes_state_left/open", "eyes_state_left/close"}};
    int state = -1, first = 0, last = -2;
    for (size_t i = 0; i <= labels->count; i++) {
        const mdm_face_label *l = i < labels->count ? &labels->item[i] : NULL;
        if (l && (l->track != track || !l->seen))
            continue;
        int now = !l || !isfinite(l->eyes[eye]) ? -1 : l->eyes[eye] < CLOSED * usual ? EYE_CLOSE : EYE_OPEN;
        if (l && now == state && l->frame == last + 1) {
            last = l->frame;
            continue;
        }
        if (state >= 0) /* the person's right eye is image left */
            add_action(actions, frames, next, types[eye][state], first, last);
        state = now;
        first = last = l ? l->frame : 0;
    }
}

/* Only the first face's: DMD's actions are of one driver, and OpenLABEL's actions do not say whose they are. */
static mdm_status add_actions(json_t *actions, json_t *frames, const mdm_face_labels *labels, int track)
{
    float *buffer;
    int next = 0;
    MDM_TRY(mdm_alloc(&buffer, labels->count, sizeof *buffer, "eyes"));
    for (int eye = 0; eye < 2; eye++) {
        float usual = usual_opening(labels, track, eye, buffer);
        if (isfinite(usual))
            eye_actions(actions, frames, &next, labels, track, eye, usual);
    }
    mdm_free(&buffer);
    return MDM_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------- */

static mdm_status build(json_t **out, const mdm_export_clip *clip, const mdm_face_labels *labels)
{
    json_t *objects = json_object(), *actions = json_object(), *frames = json_object();
    int faces = 0, first = -1;
    mdm_status status = MDM_OK;
    for (int t = mdm_export_next_track(labels, -1); t >= 0; t = mdm_export_next_track(labels, t)) {
        char uid[16];
        snprintf(uid, sizeof uid, "%d", faces);
        if (add_object(objects, frames, labels, t, uid) && faces++ == 0)
            first = t;
    }
    if (first >= 0)
        status = add_actions(actions, frames, labels, first);
    json_t *root = json_pack("{s:{s:s, s:s, s:s}, s:{s:{s:s, s:s, s:s}}, s:[{s:i, s:i}]}", "metadata", "schema_version",
                             "1.0.0", "annotator", "mmdm", "comment", "measured on the synthetic result", "streams",
                             "camera", "type", "camera", "uri", clip->file, "description", "", "frame_intervals",
                             "frame_start", 0, "frame_end", clip->frames - 1);
    if (json_object_size(objects))
        json_object_set(root, "objects", objects);
    if (json_object_size(actions))
        json_object_set(root, "actions", actions);
    if (json_object_size(frames))
        json_object_set(root, "frames", frames);
    json_decref(objects);
    json_decref(actions);
    json_decref(frames);
    *out = json_pack("{s:o}", "openlabel", root);
    return *out || status ? status : mdm_fail(MDM_ERR_MEMORY, "no memory for the labels of %s", clip->id);
}

static mdm_status write_clip(mdm_export *e, const mdm_export_clip *clip)
{
    mdm_face_labels labels;
    mdm_out out = {0};
    json_t *root = NULL;
    char *path = NULL;
    MDM_TRY(mdm_export_media(e, clip));
    MDM_TRY(mdm_export_labels(&labels, clip));
    mdm_status status = build(&root, clip, &labels);
    mdm_labels_free(&labels);
    if (status == MDM_OK)
        status = mdm_export_path(&path, e, "%s/%s_ann_face.json", mdm_part_names[clip->part], clip->id);
    if (status == MDM_OK)
        status = mdm_out_open(&out, path);
    if (status == MDM_OK)
        status = mdm_out_json(&out, json_incref(root));
    json_decref(root);
    mdm_free(&path);
    return out.path ? mdm_out_close(&out, status) : status;
}

mdm_status mdm_export_openlabel(mdm_export *e)
{
    for (size_t i = 0; i < e->count; i++)
        MDM_TRY(write_clip(e, &e->clips[i]));
    return MDM_OK;
}
