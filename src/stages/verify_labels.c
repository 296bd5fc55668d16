/* labels.jsonl: what the faces of the result show, frame by frame, read by the mesh from the result's own pixels. It goes into
 * the dataset, so that nothing of the recording may be in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/labels.h"
#include "stages/verify.h"

void mdm_verify_label(mdm_result_face *out, const mdm_mesh *mesh, const float eyes[2])
{
    out->seen = true;
    mdm_mesh_box(out->box, mesh);
    memcpy(out->eyes, eyes, sizeof out->eyes);
    for (int i = 0; i < MDM_LABEL_POINTS; i++)
        memcpy(out->points[i], mesh->point[mdm_label_mesh_points[i]], sizeof out->points[i]);
}

static bool told(const json_t *person, const char *context)
{
    const char *treatment = mdm_verify_treatment(person, context);
    return !treatment || strcmp(treatment, "remove") != 0;
}

static void fill(mdm_face_label *label, const json_t *person, const mdm_track_reading *r, const mdm_result_face *face)
{
    for (int k = 0; k < 3; k++)
        label->head[k] = told(person, "head_pose") ? r->angles[1][k] : NAN;
    double gaze[2];
    mdm_verify_direction(gaze, r, 1);
    for (int k = 0; k < 2; k++) {
        label->gaze[k] = told(person, "gaze") ? (float)gaze[k] : NAN;
        label->eyes[k] = told(person, "eyes") ? face->eyes[k] : NAN;
    }
    label->mouth = told(person, "mouth") ? r->lips[1] : NAN;
    memcpy(label->box, face->box, sizeof label->box);
    memcpy(label->points, face->points, sizeof label->points);
    if (face->expressed && told(person, "expression"))
        snprintf(label->expression, sizeof label->expression, "%s", mdm_expression_names[face->expression]);
    label->seen = true;
}

/* The person of the plan whose track this is, or NULL. */
static const json_t *person_of(const mdm_verifier *v, int track)
{
    size_t i, k;
    const json_t *person, *index;
    json_array_foreach(json_object_get(v->plan, "persons"), i, person)
    {
        json_array_foreach(json_object_get(person, "tracks"), k, index)
        {
            if (json_integer_value(index) == track)
                return person;
        }
    }
    return NULL;
}

static mdm_status write_frame(mdm_out *out, const mdm_verifier *v, const json_t *const *persons, int frame)
{
    for (int i = 0; i < v->found.tracks.count; i++) {
        const mdm_track *track = &v->found.tracks.track[i];
        const int at = frame - track->first;
        const char *id = json_string_value(json_object_get(persons[i], "id"));
        if (!id || at < 0 || at >= track->count)
            continue;
        const mdm_track_reading *r = &v->track[i].reading[at];
        const mdm_result_face *face = &v->track[i].face[at];
        mdm_face_label label = {.frame = frame,
                                .track = i,
                                .time = mdm_clip_time(&v->clip, (size_t)frame),
                                .covered = r->state == MDM_VERIFY_COVERED};
        snprintf(label.person, sizeof label.person, "%s", id);
        if (r->state == MDM_VERIFY_NONE)
            continue;
        if (face->seen)
            fill(&label, persons[i], r, face);
        MDM_TRY(mdm_label_write(out, v->work->clip_id, &label));
    }
    return MDM_OK;
}

mdm_status mdm_verify_labels(const mdm_verifier *v)
{
    mdm_out out = {0};
    char *path;
    const json_t **persons = NULL;
    MDM_TRY(mdm_join_path(&path, v->work->folder, "labels.jsonl"));
    mdm_status status = mdm_alloc(&persons, (size_t)v->found.tracks.count + 1, sizeof *persons, "labels");
    for (int i = 0; i < v->found.tracks.count && status == MDM_OK; i++)
        persons[i] = person_of(v, i);
    if (status == MDM_OK)
        status = mdm_out_open(&out, path);
    for (int frame = 0; frame < (int)v->clip.frames && status == MDM_OK; frame++)
        status = write_frame(&out, v, persons, frame);
    status = mdm_out_close(&out, status);
    mdm_free(&persons);
    mdm_free(&path);
    return status;
}
