/* cvat: CVAT for video 1.1, <part>/<clip>.xml beside each video: a track of boxes and one of points for each face. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "dataset/export.h"

/* Titles and names may hold anything; XML forbids control characters. */
static mdm_status escaped(mdm_out *out, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '&'   ? "&amp;"
                         : *text == '<' ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
        if (as)
            MDM_TRY(mdm_out_printf(out, "%s", as));
        else
            MDM_TRY(mdm_out_write(out, (unsigned char)*text < 0x20 ? " " : text, 1));
    }
    return MDM_OK;
}

static const char *const attributes[] = {"person",     "state",    "yaw",       "pitch", "roll",      "gaze_yaw",
                                         "gaze_pitch", "eye_left", "eye_right", "mouth", "expression"};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

static mdm_status head(mdm_out *out, const mdm_export_clip *clip)
{
    MDM_TRY(mdm_out_printf(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n"
                                "  <meta>\n    <task>\n      <name>"));
    MDM_TRY(escaped(out, clip->id));
    MDM_TRY(
        mdm_out_printf(out,
                       "</name>\n      <size>%d</size>\n      <mode>interpolation</mode>\n      <overlap>0</overlap>\n"
                       "      <start_frame>0</start_frame>\n      <stop_frame>%d</stop_frame>\n      <labels>\n",
                       clip->frames, clip->frames - 1));
    static const char *const labels[] = {"face", "landmarks"};
    for (int l = 0; l < 2; l++) {
        MDM_TRY(mdm_out_printf(out, "        <label>\n          <name>%s</name>\n          <attributes>\n", labels[l]));
        for (int a = 0; a < ATTRIBUTES && l == 0; a++)
            MDM_TRY(
                mdm_out_printf(out,
                               "            <attribute>\n              <name>%s</name>\n"
                               "              <mutable>True</mutable>\n              <input_type>text</input_type>\n"
                               "              <default_value></default_value>\n              <values></values>\n"
                               "            </attribute>\n",
                               attributes[a]));
        MDM_TRY(mdm_out_printf(out, "          </attributes>\n        </label>\n"));
    }
    return mdm_out_printf(
        out,
        "      </labels>\n      <original_size>\n        <width>%d</width>\n        <height>%d</height>\n"
        "      </original_size>\n      <source>%s</source>\n    </task>\n  </meta>\n",
        clip->width, clip->height, clip->file);
}

static mdm_status number(mdm_out *out, const char *name, float value)
{
    if (!isfinite(value))
        return MDM_OK;
    return mdm_out_printf(out, "      <attribute name=\"%s\">%.7g</attribute>\n", name, (double)value);
}

static mdm_status box(mdm_out *out, const mdm_face_label *l)
{
    MDM_TRY(
        mdm_out_printf(out,
                       "    <box frame=\"%d\" outside=\"0\" occluded=\"0\" keyframe=\"1\" xtl=\"%.2f\" ytl=\"%.2f\" "
                       "xbr=\"%.2f\" ybr=\"%.2f\" z_order=\"0\">\n",
                       l->frame, (double)l->box[0], (double)l->box[1], (double)(l->box[0] + l->box[2]),
                       (double)(l->box[1] + l->box[3])));
    MDM_TRY(mdm_out_printf(out, "      <attribute name=\"person\">"));
    MDM_TRY(escaped(out, l->person));
    MDM_TRY(mdm_out_printf(out, "</attribute>\n      <attribute name=\"state\">replaced</attribute>\n"));
    const float values[] = {l->head[0], l->head[1], l->head[2], l->gaze[0],
                            l->gaze[1], l->eyes[0], l->eyes[1], l->mouth};
    for (int i = 0; i < 8; i++)
        MDM_TRY(number(out, attributes[2 + i], values[i]));
    if (l->expression[0]) {
        MDM_TRY(mdm_out_printf(out, "      <attribute name=\"expression\">"));
        MDM_TRY(escaped(out, l->expression));
        MDM_TRY(mdm_out_printf(out, "</attribute>\n"));
    }
    return mdm_out_printf(out, "    </box>\n");
}

static mdm_status points(mdm_out *out, const mdm_face_label *l, int frame, bool outside)
{
    MDM_TRY(mdm_out_printf(out, "    <points frame=\"%d\" outside=\"%d\" occluded=\"0\" keyframe=\"1\" points=\"",
                           frame, outside));
    for (int i = 0; i < MDM_LABEL_POINTS; i++)
        MDM_TRY(mdm_out_printf(out, "%s%.2f,%.2f", i ? ";" : "", (double)l->points[i][0], (double)l->points[i][1]));
    return mdm_out_printf(out, "\" z_order=\"0\">\n    </points>\n");
}

/* The box or the points that say the face is gone from `frame` on; CVAT shows the last one for ever without it. */
static mdm_status gone(mdm_out *out, const mdm_face_label *last, int frame, bool boxes)
{
    if (!boxes)
        return points(out, last, frame, true);
    return mdm_out_printf(out,
                          "    <box frame=\"%d\" outside=\"1\" occluded=\"0\" keyframe=\"1\" xtl=\"%.2f\" ytl=\"%.2f\" "
                          "xbr=\"%.2f\" ybr=\"%.2f\" z_order=\"0\">\n    </box>\n",
                          frame, (double)last->box[0], (double)last->box[1], (double)(last->box[0] + last->box[2]),
                          (double)(last->box[1] + last->box[3]));
}

static mdm_status track(mdm_out *out, int id, const mdm_face_labels *labels, int wanted, bool boxes)
{
    const mdm_face_label *last = NULL;
    MDM_TRY(
        mdm_out_printf(out, "  <track id=\"%d\" label=\"%s\" source=\"auto\">\n", id, boxes ? "face" : "landmarks"));
    for (size_t i = 0; i < labels->count; i++) {
        const mdm_face_label *l = &labels->item[i];
        if (l->track != wanted || !l->seen)
            continue;
        if (last && l->frame > last->frame + 1)
            MDM_TRY(gone(out, last, last->frame + 1, boxes));
        MDM_TRY(boxes ? box(out, l) : points(out, l, l->frame, false));
        last = l;
    }
    if (last)
        MDM_TRY(gone(out, last, last->frame + 1, boxes));
    return mdm_out_printf(out, "  </track>\n");
}

static bool is_seen(const mdm_face_labels *labels, int wanted)
{
    for (size_t i = 0; i < labels->count; i++)
        if (labels->item[i].track == wanted && labels->item[i].seen)
            return true;
    return false;
}

static mdm_status write_xml(mdm_out *out, const mdm_export_clip *clip, const mdm_face_labels *labels)
{
    int id = 0;
    MDM_TRY(head(out, clip));
    for (int t = mdm_export_next_track(labels, -1); t >= 0; t = mdm_export_next_track(labels, t)) {
        if (!is_seen(labels, t))
            continue;
        MDM_TRY(track(out, id++, labels, t, true));
        MDM_TRY(track(out, id++, labels, t, false));
    }
    return mdm_out_printf(out, "</annotations>\n");
}

static mdm_status write_clip(const mdm_export *e, const mdm_export_clip *clip)
{
    mdm_out out = {0};
    char *path;
    mdm_face_labels labels = {0};
    MDM_TRY(mdm_export_media(e, clip));
    MDM_TRY(mdm_export_path(&path, e, "%s/%s.xml", mdm_part_names[clip->part], clip->id));
    mdm_status status = mdm_out_open(&out, path);
    if (status == MDM_OK)
        status = mdm_export_labels(&labels, clip);
    if (status == MDM_OK)
        status = write_xml(&out, clip, &labels);
    mdm_labels_free(&labels);
    mdm_free(&path);
    return mdm_out_close(&out, status);
}

mdm_status mdm_export_cvat(mdm_export *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->clips[i].still)
            mdm_export_leave_out(e, "%s is a picture, and CVAT for video has videos only", e->clips[i].id);
        else
            MDM_TRY(write_clip(e, &e->clips[i]));
    }
    return MDM_OK;
}
