/* Measuring the faces of a frame, recording against result (verify.h). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "face/best_frames.h"
#include "face/motion.h"
#include "face/pose.h"
#include "stages/verify.h"

#define LOOKS 10 /* frames of a track on which attributes are compared */

static void read_mesh(mdm_track_reading *r, int side, const mdm_mesh *mesh, const mdm_canonical *canonical)
{
    mdm_pose pose;
    double angles[3];
    float shape[MDM_MESH_VERTICES][3], eyes[2];
    const float(*points)[3] = (const float(*)[3])mesh->point;
    mdm_pose_fit(&pose, points, canonical);
    mdm_pose_angles(angles, &pose);
    mdm_to_head(shape, points, MDM_MESH_VERTICES, &pose);
    mdm_eye_opening(eyes, (const float(*)[3])shape);
    for (int k = 0; k < 3; k++)
        r->angles[side][k] = (float)angles[k];
    for (int e = 0; e < 2; e++)
        mdm_gaze_of(r->gaze[side][e], points, e);
    r->eyes[side] = (eyes[0] + eyes[1]) / 2;
    r->lips[side] = mdm_lip_gap((const float(*)[3])shape);
}

static mdm_status keep_source(mdm_track_evidence *t, const float *embedding, int number)
{
    if (t->source_count == t->source_capacity) {
        int capacity = t->source_capacity ? t->source_capacity * 2 : 64;
        MDM_TRY(mdm_realloc(&t->source, (size_t)capacity, sizeof *t->source, "embeddings"));
        MDM_TRY(mdm_realloc(&t->source_frame, (size_t)capacity, sizeof *t->source_frame, "embeddings"));
        t->source_capacity = capacity;
    }
    memcpy(t->source[t->source_count], embedding, sizeof *t->source);
    t->source_frame[t->source_count++] = number;
    return MDM_OK;
}

static mdm_status judge_identity(mdm_verifier *v, mdm_track_evidence *t, mdm_track_reading *r, const mdm_image *source,
                                 const mdm_image *result, const mdm_mesh mesh[2], int number)
{
    float a[MDM_JUDGE_SIZE], b[MDM_JUDGE_SIZE];
    MDM_TRY(mdm_recogniser_embed(v->judge, source, &mesh[0], a));
    MDM_TRY(mdm_recogniser_embed(v->judge, result, &mesh[1], b));
    r->likeness = 1 - mdm_recogniser_distance(MDM_RECOGNISER_MOBILEFACENET, a, b);
    r->judged = 1;
    for (int i = 0; i < MDM_JUDGE_SIZE; i++)
        t->mean_source[i] += a[i], t->mean_result[i] += b[i];
    mdm_status status = keep_source(t, a, number);
    mdm_wipe(a, sizeof a);
    mdm_wipe(b, sizeof b);
    return status;
}

static mdm_status judge_attributes(mdm_verifier *v, mdm_track_evidence *t, const mdm_image *picture[2],
                                   const mdm_mesh mesh[2])
{
    for (int side = 0; side < 2; side++) {
        mdm_attributes_result seen;
        MDM_TRY(mdm_attributes_run(v->attributes, picture[side], &mesh[side], &seen));
        for (int i = 0; i < MDM_ATTRIBUTES_AGES; i++)
            t->age[side][i] += (double)seen.age_prob[i];
        for (int i = 0; i < MDM_ATTRIBUTES_GENDERS; i++)
            t->gender[side][i] += (double)seen.gender_prob[i];
        for (int i = 0; i < MDM_ATTRIBUTES_RACES; i++)
            t->race[side][i] += (double)seen.race_prob[i];
    }
    t->looks++;
    return MDM_OK;
}

static mdm_status judge_expression(mdm_verifier *v, mdm_track_evidence *t, const mdm_image *picture[2],
                                   const mdm_mesh mesh[2])
{
    int best[2] = {0};
    for (int side = 0; side < 2; side++) {
        mdm_expression_result seen;
        MDM_TRY(mdm_expression_run(v->expression, &seen, picture[side], (const float(*)[3])mesh[side].point));
        for (int i = 0; i < MDM_EXPRESSIONS; i++) {
            t->expression[side][i] += (double)seen.prob[i];
            best[side] = seen.prob[i] > seen.prob[best[side]] ? i : best[side];
        }
    }
    t->expressions++;
    t->expressions_agree += best[0] == best[1];
    return MDM_OK;
}

/* Mean absolute change of green inside the middle of the face's box. */
static float change(const mdm_image *now, const mdm_image *before, const float box[4])
{
    int x0 = (int)fmaxf(0, box[0] + 0.15f * box[2]), x1 = (int)fminf((float)now->width, box[0] + 0.85f * box[2]);
    int y0 = (int)fmaxf(0, box[1] + 0.1f * box[3]), y1 = (int)fminf((float)now->height, box[1] + 0.9f * box[3]);
    double sum = 0;
    int n = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++, n++)
            sum += fabs((double)now->data[(size_t)y * now->stride + 3 * (size_t)x + 1] -
                        (double)before->data[(size_t)y * before->stride + 3 * (size_t)x + 1]);
    return n ? (float)(sum / n) : 0;
}

static bool is_look(const mdm_track *track, int number)
{
    int frames[LOOKS], count = mdm_best_frames(frames, LOOKS, track, 24);
    for (int i = 0; i < count; i++)
        if (frames[i] == number)
            return true;
    return false;
}

static mdm_status verify_track(mdm_verifier *v, int index, const mdm_image *source, const mdm_image *result,
                               const mdm_image *source_before, const mdm_image *result_before, int number)
{
    mdm_track *track = &v->found.tracks.track[index];
    mdm_track_evidence *t = &v->track[index];
    const mdm_track_frame *at = mdm_track_at(track, number);
    const mdm_image *picture[2] = {source, result};
    mdm_face_roi roi;
    mdm_mesh mesh[2] = {{.presence = 1}, {.presence = 0}};
    if (!at || !at->has_mesh)
        return MDM_OK;
    mdm_track_reading *r = &t->reading[number - track->first];
    if (r->state != MDM_VERIFY_REPLACED)
        return MDM_OK;
    memcpy(mesh[0].point, track->point[number - track->first], sizeof mesh[0].point);
    mdm_face_roi_from_mesh(&roi, &mesh[0]); /* the same crop on both sides: the mesh differs by degrees between crops */
    for (int side = 0; side < 2; side++)
        MDM_TRY(mdm_face_mesh_run(&mesh[side], v->mesher, picture[side], &roi));
    r->ok = mesh[0].presence > 0.5f && mesh[1].presence > 0.5f;
    for (int side = 0; side < 2; side++)
        read_mesh(r, side, &mesh[side], &v->canonical);
    if (source_before && result_before) {
        r->motion[0] = change(source, source_before, at->box);
        r->motion[1] = change(result, result_before, at->box);
    }
    if (number % v->judge_every == 0 && at->box[2] >= 20) {
        MDM_TRY(judge_identity(v, t, r, source, result, mesh, number));
        MDM_TRY(judge_expression(v, t, picture, mesh));
    }
    return is_look(track, number) ? judge_attributes(v, t, picture, mesh) : MDM_OK;
}

mdm_status mdm_verify_faces(mdm_verifier *v, const mdm_image *source, const mdm_image *result,
                            const mdm_image *source_before, const mdm_image *result_before, int number)
{
    for (int i = 0; i < v->found.tracks.count; i++)
        MDM_TRY(verify_track(v, i, source, result, source_before, result_before, number));
    return MDM_OK;
}
