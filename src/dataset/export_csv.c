/* csv: clips.csv, a line a clip, faces.csv, a line a face of a frame, and the media. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dataset/export.h"

/* RFC 4180: quoted where it has to be; a leading '=', '+', '-' or '@' of a text is kept from being a formula. */
static mdm_status field(mdm_out *out, const char *text)
{
    const bool formula = *text && strchr("=+-@", *text);
    if (!formula && !strpbrk(text, ",\"\n\r"))
        return mdm_out_write(out, text, strlen(text));
    MDM_TRY(mdm_out_write(out, formula ? "\"'" : "\"", formula ? 2 : 1));
    for (const char *c = text; *c; c++)
        MDM_TRY(mdm_out_write(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1));
    return mdm_out_write(out, "\"", 1);
}

static mdm_status text_field(mdm_out *out, const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    MDM_TRY(mdm_out_write(out, ",", 1));
    return field(out, text ? text : "");
}

static mdm_status clip_line(mdm_out *out, const mdm_export_clip *clip)
{
    MDM_TRY(mdm_out_printf(out, "%s,%s/%s,%s,%d,%.9g,%d,%d", clip->id, mdm_part_names[clip->part], clip->file,
                           mdm_part_names[clip->part], clip->frames, clip->fps, clip->width, clip->height));
    MDM_TRY(text_field(out, clip->row, "sound"));
    MDM_TRY(text_field(out, clip->row, "transcript"));
    char *persons = json_dumps(json_object_get(clip->row, "persons"), JSON_COMPACT | JSON_PRESERVE_ORDER);
    mdm_status status = mdm_out_write(out, ",", 1);
    if (status == MDM_OK)
        status = field(out, persons ? persons : "[]");
    free(persons);
    return status == MDM_OK ? mdm_out_write(out, "\r\n", 2) : status;
}

/* Empty where it was not measured. */
static mdm_status numbers(mdm_out *out, const float *value, int count, bool known)
{
    for (int i = 0; i < count; i++) {
        MDM_TRY(mdm_out_write(out, ",", 1));
        if (known && isfinite(value[i]))
            MDM_TRY(mdm_out_printf(out, "%.7g", (double)value[i]));
    }
    return MDM_OK;
}

static mdm_status face_line(mdm_out *out, const mdm_export_clip *clip, const mdm_face_label *l)
{
    MDM_TRY(mdm_out_printf(out, "%s,%s,%d,%.9g,%d,%s,%s", clip->id, mdm_part_names[clip->part], l->frame, l->time,
                           l->track, l->person, l->covered ? "covered" : "replaced"));
    MDM_TRY(numbers(out, l->box, 4, l->seen));
    MDM_TRY(numbers(out, l->head, 3, l->seen));
    MDM_TRY(numbers(out, l->gaze, 2, l->seen));
    MDM_TRY(numbers(out, l->eyes, 2, l->seen));
    MDM_TRY(numbers(out, &l->mouth, 1, l->seen));
    MDM_TRY(mdm_out_printf(out, ",%s", l->expression));
    MDM_TRY(numbers(out, &l->points[0][0], 2 * MDM_LABEL_POINTS, l->seen));
    return mdm_out_write(out, "\r\n", 2);
}

static mdm_status faces_of(mdm_out *out, const mdm_export_clip *clip)
{
    mdm_face_labels labels;
    MDM_TRY(mdm_export_labels(&labels, clip));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < labels.count && status == MDM_OK; i++)
        status = face_line(out, clip, &labels.item[i]);
    mdm_labels_free(&labels);
    return status;
}

static mdm_status faces_head(mdm_out *out)
{
    MDM_TRY(mdm_out_printf(out, "clip_id,split,frame,time,track,person,state,x,y,width,height,yaw,pitch,roll,gaze_yaw,"
                                "gaze_pitch,eye_left,eye_right,mouth,expression"));
    for (int i = 0; i < MDM_LABEL_POINTS; i++)
        MDM_TRY(mdm_out_printf(out, ",x%d,y%d", i, i));
    return mdm_out_write(out, "\r\n", 2);
}

static mdm_status write_clips(mdm_export *e)
{
    mdm_out out = {0};
    char *path;
    MDM_TRY(mdm_export_path(&path, e, "clips.csv"));
    mdm_status status = mdm_out_open(&out, path);
    if (status == MDM_OK)
        status = mdm_out_printf(&out, "clip_id,file,split,frames,fps,width,height,sound,transcript,persons\r\n");
    for (size_t i = 0; i < e->count && status == MDM_OK; i++) {
        status = clip_line(&out, &e->clips[i]);
        if (status == MDM_OK)
            status = mdm_export_media(e, &e->clips[i]);
    }
    mdm_free(&path);
    return mdm_out_close(&out, status);
}

mdm_status mdm_export_csv(mdm_export *e)
{
    mdm_out out = {0};
    char *path;
    MDM_TRY(write_clips(e));
    MDM_TRY(mdm_export_path(&path, e, "faces.csv"));
    mdm_status status = mdm_out_open(&out, path);
    if (status == MDM_OK)
        status = faces_head(&out);
    for (size_t i = 0; i < e->count && status == MDM_OK; i++)
        status = faces_of(&out, &e->clips[i]);
    mdm_free(&path);
    return mdm_out_close(&out, status);
}
