/* The rehearsal. */
#include "stages/rehearsal.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "face/best_frames.h"
#include "face/closed_loop.h"
#include "face/pose.h"
#include "face/scene_light.h"
#include "face/sharpness.h"
#include "stages/visit.h"

#define FRAMES_OF_A_TRACK 6     /* compared with the portraits, those it shows best */
#define SMALLEST          24.0f /* px, of those */
#define DRAWN             8     /* frames of a person that are drawn in, at most */
#define SCENES            4     /* tracks of a person they come from, at most */
#define PICTURE_BYTES     ((size_t)200 << 20)

/* A track of the person whose frames are drawn in. */
typedef struct scene {
    const mdm_track *track;
    mdm_motion motion;
    int count;
    mdm_probe probe[DRAWN];
    int face[DRAWN]; /* the person there, in faces[] */
} scene;

struct mdm_rehearsal {
    mdm_casting *casting;
    mdm_face_mesh *mesher;
    mdm_canonical canonical;
    const mdm_found *found;
    const int *tracks;
    int track_count;
    mdm_casting_face *faces; /* [MDM_CASTING_FACES] */
    int face_count;
    scene scene[SCENES];
    bool rests; /* as the person does */
    int scene_count, drawn, drawn_most, drawn_of_a_track;
};

static int frames_of(int frames[FRAMES_OF_A_TRACK], const mdm_track *track)
{
    return mdm_best_frames(frames, FRAMES_OF_A_TRACK, track, SMALLEST);
}

static scene *scene_of(mdm_rehearsal *r, const mdm_track *track)
{
    for (int i = 0; i < r->scene_count; i++)
        if (r->scene[i].track == track)
            return &r->scene[i];
    return NULL;
}

static mdm_status keep_picture(mdm_rehearsal *r, const mdm_track *track, const mdm_frame *frame, int number, int face)
{
    scene *s = scene_of(r, track);
    const int index = number - track->first;
    double angles[3];
    if (!s || s->count == r->drawn_of_a_track || r->drawn == r->drawn_most || !s->motion.valid[index])
        return MDM_OK;
    mdm_pose_angles(angles, &s->motion.pose[index]);
    if (fabs(angles[0]) > MDM_LARGEST_YAW)
        return MDM_OK;
    MDM_TRY(mdm_image_copy(&s->probe[s->count].image, &frame->rgb));
    s->probe[s->count].index = index;
    s->face[s->count++] = face;
    r->drawn++;
    return MDM_OK;
}

static mdm_status read_frame(void *user, mdm_frame *frame, int number)
{
    mdm_rehearsal *r = user;
    for (int i = 0; i < r->track_count && r->face_count < MDM_CASTING_FACES; i++) {
        const mdm_track *track = &r->found->tracks.track[r->tracks[i]];
        int frames[FRAMES_OF_A_TRACK], count = frames_of(frames, track);
        for (int k = 0; k < count; k++) {
            mdm_mesh mesh = {.presence = 1};
            if (frames[k] != number)
                continue;
            memcpy(mesh.point, track->point[number - track->first], sizeof mesh.point);
            MDM_TRY(mdm_casting_embed(&r->faces[r->face_count], r->casting, &frame->rgb, &mesh));
            MDM_TRY(keep_picture(r, track, frame, number, r->face_count++));
        }
    }
    return MDM_OK;
}

/* The longest tracks are drawn in. */
static mdm_status open_scenes(mdm_rehearsal *r, const mdm_clip *clip)
{
    int frames[FRAMES_OF_A_TRACK];
    for (int n = 0; n < SCENES; n++) {
        const mdm_track *longest = NULL;
        for (int i = 0; i < r->track_count; i++) {
            const mdm_track *track = &r->found->tracks.track[r->tracks[i]];
            if (!scene_of(r, track) && frames_of(frames, track) && (!longest || track->count > longest->count))
                longest = track;
        }
        if (!longest)
            break;
        r->scene[r->scene_count].track = longest;
        MDM_TRY(mdm_motion_from_track(&r->scene[r->scene_count++].motion, longest, &r->canonical, clip->fps));
    }
    size_t bytes = (size_t)clip->width * (size_t)clip->height * 3, room = PICTURE_BYTES / (bytes ? bytes : 1);
    r->drawn_most = room < DRAWN ? (int)room : DRAWN;
    r->drawn_of_a_track = r->scene_count ? (r->drawn_most + r->scene_count - 1) / r->scene_count : 0;
    return MDM_OK;
}

static mdm_status read_clip(mdm_rehearsal *r, const mdm_clip *clip, const mdm_clip_work *work)
{
    unsigned char *wanted = NULL;
    bool any = false;
    mdm_clip_work quiet = *work;
    quiet.progress = NULL;
    MDM_TRY(mdm_alloc(&wanted, clip->frames, 1, "frames to look at"));
    for (int i = 0; i < r->track_count; i++) {
        int frames[FRAMES_OF_A_TRACK], count = frames_of(frames, &r->found->tracks.track[r->tracks[i]]);
        for (int k = 0; k < count; k++)
            wanted[frames[k]] = 1, any = true;
    }
    mdm_status status = any ? mdm_visit_frames(clip, wanted, &quiet, read_frame, r) : MDM_OK;
    mdm_free(&wanted);
    return status;
}

mdm_status mdm_rehearsal_new(mdm_rehearsal **out, const int *tracks, int count, const mdm_clip *clip,
                             const mdm_found *found, const mdm_clip_work *work, mdm_casting *casting,
                             mdm_face_mesh *mesher)
{
    mdm_rehearsal *r = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&r, 1, sizeof *r, "rehearsal"));
    *r = (mdm_rehearsal){.casting = casting, .mesher = mesher, .found = found, .tracks = tracks, .track_count = count};
    mdm_status status = mdm_canonical_load(&r->canonical, work->models);
    if (!status)
        status = mdm_alloc(&r->faces, MDM_CASTING_FACES, sizeof *r->faces, "casting");
    if (!status)
        status = open_scenes(r, clip);
    if (!status)
        status = read_clip(r, clip, work);
    if (status)
        mdm_rehearsal_free(&r);
    *out = r;
    return status;
}

void mdm_rehearsal_free(mdm_rehearsal **rehearsal)
{
    mdm_rehearsal *r = *rehearsal;
    if (!r)
        return;
    if (r->faces)
        mdm_wipe(r->faces, MDM_CASTING_FACES * sizeof *r->faces);
    mdm_free(&r->faces);
    for (int i = 0; i < r->scene_count; i++) {
        mdm_motion_free(&r->scene[i].motion);
        for (int k = 0; k < r->scene[i].count; k++)
            mdm_image_free(&r->scene[i].probe[k].image);
    }
    mdm_free(rehearsal);
}

const mdm_casting_face *mdm_rehearsal_person(const mdm_rehearsal *r, int *count)
{
    *count = r->face_count;
    return r->faces;
}

void mdm_rehearsal_keep_rest(float rest[MDM_RESTS], mdm_rehearsal *r)
{
    r->rests = r->scene_count > 0;
    if (r->rests) /* the first is the longest */
        mdm_rest_measure(rest, (const float(*)[3])r->scene[0].motion.neutral);
}

mdm_status mdm_rehearsal_pitch(float *out, const mdm_rehearsal *r)
{
    float *pitch;
    size_t n = 0;
    *out = 0;
    if (!r->scene_count)
        return MDM_OK;
    const mdm_motion *m = &r->scene[0].motion;
    MDM_TRY(mdm_alloc(&pitch, (size_t)m->count, sizeof *pitch, "pitches"));
    for (int i = 0; i < m->count; i++) {
        double angles[3];
        mdm_pose_angles(angles, &m->pose[i]);
        if (m->valid[i] && fabs(angles[0]) <= MDM_LARGEST_YAW)
            pitch[n++] = (float)angles[1];
    }
    if (n)
        *out = mdm_median(pitch, n);
    mdm_free(&pitch);
    return MDM_OK;
}

void mdm_rehearsal_rest_of(float rest[MDM_RESTS], const mdm_rehearsal *r, const mdm_mesh *mesh)
{
    float shape[MDM_MESH_VERTICES][3];
    mdm_pose pose;
    mdm_pose_fit(&pose, (const float(*)[3])mesh->point, &r->canonical);
    mdm_to_head(shape, (const float(*)[3])mesh->point, MDM_MESH_VERTICES, &pose);
    mdm_rest_measure(rest, (const float(*)[3])shape);
}

/* ---- trying on ---- */

static mdm_status fit_look(scene *s, const mdm_standin *standin, const mdm_canonical *canonical)
{
    mdm_scene_light light = {0};
    mdm_status status = MDM_OK;
    for (int i = 0; i < s->count && !status; i++)
        status = mdm_scene_light_read(&light, &s->motion, s->probe[i].index, &s->probe[i].image, standin, canonical);
    if (!status)
        status = mdm_scene_light_finish(&light, &s->motion, standin);
    mdm_scene_light_free(&light);
    return status ? status : mdm_sharpness_fit(&s->motion, standin, canonical, s->probe, s->count);
}

static mdm_status draw_and_compare(float sum[MDM_CASTING_NETS], mdm_rehearsal *r, scene *s, int at,
                                   mdm_renderer *renderer)
{
    const mdm_probe *probe = &s->probe[at];
    mdm_mesh mesh = {.presence = 1};
    mdm_face_roi roi;
    mdm_casting_face face;
    mdm_image drawn = {0};
    memcpy(mesh.point, s->track->point[probe->index], sizeof mesh.point);
    mdm_face_roi_from_mesh(&roi, &mesh);
    mdm_status status = mdm_image_copy(&drawn, &probe->image);
    if (!status)
        status = mdm_renderer_draw(renderer, &drawn, probe->index);
    if (!status)
        status = mdm_face_mesh_run(&mesh, r->mesher, &drawn, &roi);
    if (!status)
        status = mdm_casting_embed(&face, r->casting, &drawn, &mesh);
    if (!status) {
        float apart[MDM_CASTING_NETS];
        mdm_casting_apart(apart, r->casting, &face, &r->faces[s->face[at]]);
        for (int i = 0; i < MDM_CASTING_NETS; i++)
            sum[i] += apart[i];
    }
    mdm_image_free(&drawn);
    return status;
}

static mdm_status try_in(float sum[MDM_CASTING_NETS], mdm_rehearsal *r, scene *s, const mdm_standin *standin)
{
    mdm_renderer *renderer;
    if (r->rests)
        mdm_motion_rest(&s->motion, (const float(*)[3])standin->shape);
    MDM_TRY(fit_look(s, standin, &r->canonical));
    MDM_TRY(mdm_renderer_new(&renderer, &r->canonical, &s->motion, standin));
    mdm_status status = MDM_OK;
    for (int i = 0; i < s->count && !status; i++)
        status = draw_and_compare(sum, r, s, i, renderer);
    mdm_renderer_free(&renderer);
    return status;
}

mdm_status mdm_rehearsal_try(float *room, mdm_rehearsal *r, const mdm_image *portrait, const mdm_mesh *mesh)
{
    mdm_standin standin;
    float sum[MDM_CASTING_NETS] = {0};
    *room = INFINITY;
    if (!r->drawn)
        return MDM_OK;
    MDM_TRY(mdm_standin_make(&standin, portrait, mesh, &r->canonical));
    mdm_status status = MDM_OK;
    for (int i = 0; i < r->scene_count && !status; i++)
        if (r->scene[i].count)
            status = try_in(sum, r, &r->scene[i], &standin);
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        *room = fminf(*room, sum[i] / (float)r->drawn);
    mdm_standin_free(&standin);
    return status;
}
