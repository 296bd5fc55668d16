/* Measuring the faces of a frame, recording against result (verify.h). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "face/motion.h"
#include "face/pose.h"
#include "stages/verify.h"

#define SMALLEST_LOOK 24 /* px, of those on which attributes are compared */

/* eyes: opening over width of each */
static void read_mesh(mdm_track_reading *r, float eyes[2], int side, const mdm_mesh *mesh,
                      const mdm_canonical *canonical)
{
    mdm_pose pose;
    double angles[3];
    float shape[MDM_MESH_VERTICES][3];
    const float(*points)[3] = (const float(*)[3])mesh->point;
    mdm_pose_fit(&pose, points, canonical);
    mdm_pose_angles(angles, &pose);
    mdm_to_head(shape, points, MDM_MESH_VERTICES, &pose);
    mdm_eye_opening(eyes, (const float(*)[3])shape);
    for (int k = 0; k < 3; k++)
        r->angles[side][k] = (float)angles[k];
    for (int e = 0; e < 2; e++)
        mdm_gaze_of(r->gaze[side][e], points, e);
    r->eyes[side] = (eyes[0] + eyes[1]) / 2; /* by the nearer alone a head that turns away blinks */
    r->lips[side] = mdm_lip_gap((const float(*)[3])shape);
}

/* A replaced face in one frame, on both sides. */
typedef struct face_pair {
    mdm_verifier *v;
    mdm_track_evidence *evidence;
    mdm_track_reading *reading;
    mdm_result_face *face;
    const mdm_image *picture[2];
    mdm_face_roi roi;
    mdm_mesh mesh[2];
    float eyes[2][2];
    int number;
    bool judged, looked_at; /* by the judges; and for the attributes */
} face_pair;

static mdm_status judge_identity(face_pair *p, mdm_judge judge)
{
    mdm_judge_series *seen = &p->evidence->seen[judge];
    float vector[2][MDM_RECOGNISER_MAX];
    mdm_status status = MDM_OK;
    if (p->number / p->v->judge_every % mdm_judge_every(judge) != 0 && seen->count)
        return MDM_OK;
    for (int side = 0; side < 2 && !status; side++)
        status = mdm_recogniser_embed(p->v->judge[judge], p->picture[side], &p->mesh[side], vector[side]);
    if (!status)
        status = mdm_judge_keep(seen, judge, vector[0], vector[1], p->reading->angles[0], p->number);
    mdm_wipe(vector, sizeof vector);
    return status;
}

static mdm_status judge_head(face_pair *p)
{
    double angles[3];
    if (!p->v->head_pose)
        return MDM_OK;
    for (int side = 0; side < 2; side++) {
        MDM_TRY(mdm_head_pose_run(p->v->head_pose, angles, p->picture[side], &p->mesh[0])); /* the same square */
        for (int k = 0; k < 3; k++)
            p->reading->head[side][k] = (float)angles[k];
    }
    p->reading->posed = 1;
    return MDM_OK;
}

static mdm_status judge_attributes(face_pair *p)
{
    mdm_track_evidence *t = p->evidence;
    for (int side = 0; side < 2; side++) {
        mdm_attributes_result seen;
        MDM_TRY(mdm_attributes_run(p->v->attributes, p->picture[side], &p->mesh[side], &seen));
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

static int likeliest(const mdm_expression_result *seen)
{
    int best = 0;
    for (int i = 1; i < MDM_EXPRESSIONS; i++)
        best = seen->prob[i] > seen->prob[best] ? i : best;
    return best;
}

/* The judge changes its mind easily: its agreement is read beside the one with itself on the recording moved by a pixel. */
static mdm_status judge_expression(face_pair *p)
{
    mdm_expression *judge = p->v->expression;
    mdm_track_evidence *t = p->evidence;
    int best[2] = {0};
    double m[6];
    mdm_expression_result seen;
    for (int side = 0; side < 2; side++) {
        MDM_TRY(mdm_expression_run(judge, &seen, p->picture[side], (const float(*)[3])p->mesh[side].point));
        for (int i = 0; i < MDM_EXPRESSIONS; i++)
            t->expression[side][i] += (double)seen.prob[i];
        best[side] = likeliest(&seen);
    }
    mdm_expression_crop(m, (const float(*)[3])p->mesh[0].point);
    m[2] += 1, m[5] += 1;
    MDM_TRY(mdm_expression_run_crop(judge, &seen, p->picture[0], m));
    t->expressions++;
    t->expressions_agree += best[0] == best[1];
    p->face->expressed = true;
    p->face->expression = best[1];
    t->expressions_steady += best[0] == likeliest(&seen);
    return MDM_OK;
}

/* Mean colour of the middle of the face's box. */
static void read_colour(float colour[3], const mdm_image *image, const float box[4])
{
    int x0 = (int)fmaxf(0, box[0] + 0.2f * box[2]), x1 = (int)fminf((float)image->width, box[0] + 0.8f * box[2]);
    int y0 = (int)fmaxf(0, box[1] + 0.1f * box[3]), y1 = (int)fminf((float)image->height, box[1] + 0.75f * box[3]);
    double sum[3] = {0};
    int n = 0;
    for (int y = y0; y < y1; y++) {
        const uint8_t *row = image->data + (size_t)y * image->stride;
        for (int x = x0; x < x1; x++, n++)
            for (int c = 0; c < 3; c++)
                sum[c] += row[3 * x + c];
    }
    for (int c = 0; c < 3; c++)
        colour[c] = n ? (float)(sum[c] / n) : -1;
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

enum { EXPRESSION = MDM_JUDGES, HEAD, ATTRIBUTES, NETWORKS };

/* Each has a network, and a place to write to, of its own. */
static mdm_status judge_one(void *user, int item, int sharer)
{
    face_pair *p = user;
    (void)sharer;
    if (item == ATTRIBUTES)
        return p->looked_at ? judge_attributes(p) : MDM_OK;
    if (!p->judged)
        return MDM_OK;
    return item == EXPRESSION ? judge_expression(p) : item == HEAD ? judge_head(p) : judge_identity(p, (mdm_judge)item);
}

static mdm_status read_side(void *user, int side, int sharer)
{
    face_pair *p = user;
    (void)sharer;
    MDM_TRY(mdm_face_mesh_run(&p->mesh[side], p->v->mesher[side], p->picture[side], &p->roi));
    read_mesh(p->reading, p->eyes[side], side, &p->mesh[side], &p->v->canonical);
    return MDM_OK;
}

static mdm_status verify_track(mdm_verifier *v, int index, const mdm_image *source, const mdm_image *result,
                               const mdm_image *source_before, const mdm_image *result_before, int number)
{
    mdm_track *track = &v->found.tracks.track[index];
    mdm_track_evidence *t = &v->track[index];
    const mdm_track_frame *at = mdm_track_at(track, number);
    if (!at || !at->has_mesh)
        return MDM_OK;
    mdm_track_reading *r = &t->reading[number - track->first];
    if (r->state != MDM_VERIFY_REPLACED)
        return MDM_OK;
    face_pair p = {.v = v,
                   .evidence = t,
                   .reading = r,
                   .face = &t->face[number - track->first],
                   .picture = {source, result},
                   .number = number};
    memcpy(p.mesh[0].point, track->point[number - track->first], sizeof p.mesh[0].point);
    /* the same crop on both sides: the mesh differs by degrees between crops */
    mdm_face_roi_from_mesh(&p.roi, &p.mesh[0]);
    mdm_eyes_seen(r->seen, (const float(*)[3])p.mesh[0].point);
    MDM_TRY(mdm_share(2, read_side, &p));
    r->ok = p.mesh[0].presence > 0.5f && p.mesh[1].presence > 0.5f;
    if (r->ok)
        mdm_verify_label(p.face, &p.mesh[1], p.eyes[1]);
    r->told = r->ok && at->box[2] >= MDM_MOTION_SMALLEST;
    read_colour(r->colour[0], source, at->box);
    read_colour(r->colour[1], result, at->box);
    if (source_before && result_before) {
        r->motion[0] = change(source, source_before, at->box);
        r->motion[1] = change(result, result_before, at->box);
    }
    p.judged = (number % v->judge_every == 0 || !t->seen[MDM_JUDGE_HELD_OUT].count) && at->box[2] >= MDM_JUDGE_SMALLEST;
    p.looked_at = mdm_looks_has(&t->best, track, SMALLEST_LOOK, number);
    return p.judged || p.looked_at ? mdm_share(NETWORKS, judge_one, &p) : MDM_OK;
}

mdm_status mdm_verify_faces(mdm_verifier *v, const mdm_image *source, const mdm_image *result,
                            const mdm_image *source_before, const mdm_image *result_before, int number)
{
    for (int i = 0; i < v->found.tracks.count; i++)
        MDM_TRY(verify_track(v, i, source, result, source_before, result_before, number));
    return MDM_OK;
}
