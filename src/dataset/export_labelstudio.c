/* labelstudio: tasks of videos with a videorectangle for each face, <part>.json, and the labelling interface they fit, config.xml.
 * Boxes in percent of the picture, frames from 1, as Label Studio has them. Keypoints have no place there. */
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "dataset/export.h"

static const char config[] = "<View>\n"
                             "  <Header value=\"$clip_id\"/>\n"
                             "  <Labels name=\"label\" toName=\"video\">\n"
                             "    <Label value=\"face\"/>\n"
                             "  </Labels>\n"
                             "  <Video name=\"video\" value=\"$video\" framerate=\"$fps\"/>\n"
                             "  <VideoRectangle name=\"box\" toName=\"video\"/>\n"
                             "</View>\n";

static json_t *keyframe(const mdm_export_clip *clip, const mdm_face_label *l, int frame, double time, bool enabled)
{
    const double w = clip->width, h = clip->height;
    return json_pack("{s:i, s:b, s:i, s:o, s:o, s:o, s:o, s:o}", "frame", frame + 1, "enabled", enabled, "rotation", 0,
                     "x", mdm_json_rounded(100 * (double)l->box[0] / w, 5), "y",
                     mdm_json_rounded(100 * (double)l->box[1] / h, 5), "width",
                     mdm_json_rounded(100 * (double)l->box[2] / w, 5), "height",
                     mdm_json_rounded(100 * (double)l->box[3] / h, 5), "time", mdm_json_rounded(time, 6));
}

/* Every frame is a key frame; the last one of a stretch says that the face is gone after it. */
static json_t *sequence_of(const mdm_export_clip *clip, const mdm_face_labels *labels, int track)
{
    json_t *out = json_array();
    const mdm_face_label *last = NULL;
    for (size_t i = 0; i < labels->count; i++) {
        const mdm_face_label *l = &labels->item[i];
        if (l->track != track || !l->seen)
            continue;
        if (last)
            json_array_append_new(out, keyframe(clip, last, last->frame, last->time, l->frame == last->frame + 1));
        last = l;
    }
    if (last)
        json_array_append_new(out, keyframe(clip, last, last->frame, last->time, false));
    return out;
}

static json_t *results_of(const mdm_export_clip *clip, const mdm_face_labels *labels)
{
    json_t *out = json_array();
    for (int t = mdm_export_next_track(labels, -1); t >= 0; t = mdm_export_next_track(labels, t)) {
        json_t *sequence = sequence_of(clip, labels, t);
        char id[32];
        snprintf(id, sizeof id, "track-%d", t);
        if (!json_array_size(sequence)) {
            json_decref(sequence);
            continue;
        }
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:i, s:o, s:[s], s:o}}", "id", id,
                                             "type", "videorectangle", "from_name", "box", "to_name", "video", "origin",
                                             "prediction", "meta", "text", mdm_export_person(labels, t), "value",
                                             "framesCount", clip->frames, "duration",
                                             mdm_json_rounded(clip->fps > 0 ? clip->frames / clip->fps : 0, 6),
                                             "labels", "face", "sequence", sequence));
    }
    return out;
}

static mdm_status write_task(mdm_out *out, const mdm_export *e, const mdm_export_clip *clip)
{
    mdm_face_labels labels;
    char url[160];
    MDM_TRY(mdm_export_media(e, clip));
    MDM_TRY(mdm_export_labels(&labels, clip));
    snprintf(url, sizeof url, "/data/local-files/?d=%s/%s", mdm_part_names[clip->part], clip->file);
    json_t *task = json_pack("{s:{s:s, s:s, s:s, s:f, s:O}, s:[{s:s, s:o}]}", "data", "video", url, "clip_id", clip->id,
                             "split", mdm_part_names[clip->part], "fps", clip->fps, "row", clip->row, "predictions",
                             "model_version", "mmdm", "result", results_of(clip, &labels));
    mdm_labels_free(&labels);
    return mdm_out_json(out, task);
}

static mdm_status write_part(mdm_export *e, int part)
{
    mdm_out out = {0};
    char *path;
    const char *comma = "\n";
    MDM_TRY(mdm_export_path(&path, e, "%s.json", mdm_part_names[part]));
    mdm_status status = mdm_out_open(&out, path);
    if (status == MDM_OK)
        status = mdm_out_write(&out, "[", 1);
    for (size_t i = 0; i < e->count && status == MDM_OK; i++) {
        if (e->clips[i].part != part || e->clips[i].still)
            continue;
        status = mdm_out_printf(&out, "%s", comma);
        if (status == MDM_OK)
            status = write_task(&out, e, &e->clips[i]);
        comma = ",\n";
    }
    if (status == MDM_OK)
        status = mdm_out_write(&out, "\n]\n", 3);
    mdm_free(&path);
    return mdm_out_close(&out, status);
}

mdm_status mdm_export_labelstudio(mdm_export *e)
{
    bool points = false;
    for (size_t i = 0; i < e->count; i++) {
        points = points || e->clips[i].labels;
        if (e->clips[i].still)
            mdm_export_leave_out(e, "%s is a picture, and these tasks are of videos", e->clips[i].id);
    }
    if (points)
        mdm_export_leave_out(e, "key points, head pose, gaze, eyes and mouth: its video tasks have rectangles only");
    for (int p = 0; p < MDM_PARTS; p++)
        if (mdm_export_has_part(e, p))
            MDM_TRY(write_part(e, p));
    return mdm_export_text(e, "config.xml", config);
}
