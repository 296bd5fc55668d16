/* The animate stage: the person's motion told apart from the face, the scene's light on it, and the
 * corrections that rendering a few frames teaches. Frames of the new face are not written, compose draws them; but those of
 * large networks (talking_face.c), which come last, from the motion that is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "face/closed_loop.h"
#include "face/motion_file.h"
#include "face/scene_light.h"
#include "face/sharpness.h"
#include "face/skin_tone.h"
#include "stages/animate.h"
#include "stages/talking_face.h"
#include "stages/visit.h"

#define PROBE_BYTES ((size_t)300 << 20) /* of kept frames, over all persons */

static void read_stretches(mdm_role *role, const json_t *person)
{
    size_t i;
    json_t *stretch;
    json_array_foreach(json_object_get(person, "cover_frames"), i, stretch)
    {
        if (role->cover_count == MDM_PLAN_STRETCHES)
            break;
        for (size_t k = 0; k < 2; k++)
            role->cover[role->cover_count][k] = (int)json_integer_value(json_array_get(stretch, k));
        role->cover_count++;
    }
}

mdm_status mdm_cast_load(mdm_cast *out, const mdm_clip_work *work)
{
    char *path = NULL;
    json_t *plan = NULL, *persons = NULL;
    memset(out, 0, sizeof *out);
    mdm_status status = mdm_join_path(&path, work->folder, "plan.json");
    if (!status)
        status = mdm_json_load(&plan, path, 0);
    if (!status)
        status = mdm_json_array(&persons, plan, "persons", path);
    size_t i, k;
    json_t *person, *track;
    json_array_foreach(persons, i, person)
    {
        const char *id = json_string_value(json_object_get(person, "id")),
                   *action = json_string_value(json_object_get(person, "action"));
        if (status || !id || strlen(id) >= sizeof out->role[0].person || strchr(id, '/') || !action ||
            strcmp(action, "replace"))
            continue;
        char *portrait = NULL;
        status = mdm_format(&portrait, "%s/portraits/%s.png", work->folder, id);
        if (!status && mdm_file_exists(portrait)) {
            json_array_foreach(json_object_get(person, "tracks"), k, track)
            {
                if (out->count == MDM_CAST_MAX || !json_is_integer(track))
                    break;
                mdm_role *role = &out->role[out->count++];
                snprintf(role->person, sizeof role->person, "%s", id);
                role->track = (int)json_integer_value(track);
                role->attempt = (int)json_integer_value(json_object_get(json_object_get(person, "standin"), "attempt"));
                mdm_motion_policy_of(&role->policy, plan, person);
                read_stretches(role, person);
            }
        }
        mdm_free(&portrait);
    }
    json_decref(plan);
    mdm_free(&path);
    return status;
}

mdm_status mdm_portrait_read(mdm_image *image, mdm_mesh *mesh, const char *person, const mdm_clip_work *work,
                             mdm_face_detector *detector, mdm_face_mesh *mesher)
{
    char *path = NULL;
    mdm_face_detection found[8];
    mdm_face_roi roi;
    int count = 0;
    MDM_TRY(mdm_format(&path, "%s/portraits/%s.png", work->folder, person));
    mdm_status status = mdm_image_read(image, path, 3);
    if (!status) {
        float region[4] = {0, 0, (float)image->width, (float)image->height};
        status = mdm_face_detector_run(found, 8, &count, detector, image, region, 0.4f);
    }
    if (!status && count < 1)
        status = mdm_fail(MDM_ERR_INPUT,
                          "%s: no face in the portrait; draw another (mmdm portrait) or give one by hand", path);
    if (!status) {
        mdm_face_roi_from_detection(&roi, &found[0]);
        status = mdm_face_mesh_settle(mesh, mesher, image, &roi, 3);
    }
    if (status)
        mdm_image_free(image);
    mdm_free(&path);
    return status;
}

mdm_status mdm_portrait_load(mdm_standin *out, const char *person, const mdm_clip_work *work,
                             mdm_face_detector *detector, mdm_face_mesh *mesher, const mdm_canonical *canonical)
{
    mdm_image image = {0};
    mdm_mesh mesh;
    MDM_TRY(mdm_portrait_read(&image, &mesh, person, work, detector, mesher));
    mdm_status status = mdm_standin_make(out, &image, &mesh, canonical);
    if (status)
        mdm_fail_context(status, "portrait of %s", person);
    mdm_image_free(&image);
    return status;
}

typedef struct actor {
    mdm_motion *motion;
    mdm_standin standin;
    mdm_scene_light light;
    int index[MDM_PROBES], wanted, kept;
    mdm_probe probe[MDM_PROBES];
} actor;

typedef struct animator {
    mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    mdm_cast cast;
    mdm_canonical canonical;
    mdm_face_detector *detector;
    mdm_face_mesh *mesher[MDM_SHARERS];
    mdm_motions motions;
    actor *actors; /* one a motion */
} animator;

static bool wants(const actor *a, int index)
{
    for (int i = 0; i < a->wanted; i++)
        if (a->index[i] == index)
            return true;
    return false;
}

static mdm_status read_frame(void *user, mdm_frame *frame, int number)
{
    animator *a = user;
    for (int i = 0; i < a->motions.count; i++) {
        actor *actor = &a->actors[i];
        mdm_motion *m = actor->motion;
        int index = number - m->first;
        if (index < 0 || index >= m->count)
            continue;
        if (m->valid[index])
            MDM_TRY(mdm_scene_light_read(&actor->light, m, index, &frame->rgb, &actor->standin, &a->canonical));
        if (wants(actor, index)) {
            mdm_probe *probe = &actor->probe[actor->kept];
            MDM_TRY(mdm_image_copy(&probe->image, &frame->rgb));
            probe->index = index;
            actor->kept++;
        }
    }
    return MDM_OK;
}

/* Motions and stand-ins of everyone who is replaced. A track that never shows its face to the mesh is covered instead. */
static mdm_status prepare(animator *a)
{
    size_t frame_bytes = (size_t)a->clip.width * (size_t)a->clip.height * 3;
    MDM_TRY(mdm_alloc(&a->motions.motion, (size_t)a->cast.count, sizeof *a->motions.motion, "motions"));
    MDM_TRY(mdm_alloc(&a->actors, (size_t)a->cast.count, sizeof *a->actors, "stand-ins"));
    for (int i = 0; i < a->cast.count; i++) {
        const mdm_role *role = &a->cast.role[i];
        if (role->track < 0 || role->track >= a->found.tracks.count)
            return mdm_fail(MDM_ERR_CONFIG, "%s/plan.json: %s has track %d, tracks.json has %d tracks", a->work->folder,
                            role->person, role->track, a->found.tracks.count);
        const mdm_track *track = &a->found.tracks.track[role->track];
        bool any = false;
        for (int k = 0; k < track->count; k++)
            any |= track->frame[k].has_mesh;
        if (!any)
            continue;
        int at = a->motions.count;
        mdm_motion *m = &a->motions.motion[at];
        actor *actor = &a->actors[at];
        MDM_TRY(mdm_motion_from_track(m, track, &a->canonical, a->clip.fps));
        a->motions.count++;
        actor->motion = m;
        MDM_TRY(mdm_portrait_load(&actor->standin, role->person, a->work, a->detector, a->mesher[0], &a->canonical));
        if (role->attempt < MDM_ATTEMPTS_REST)
            mdm_motion_rest(m, (const float(*)[3])actor->standin.shape);
        size_t room = PROBE_BYTES / (size_t)a->cast.count / frame_bytes;
        actor->wanted = mdm_probe_choose(actor->index, room < MDM_PROBES ? (int)room : MDM_PROBES, m);
    }
    return MDM_OK;
}

static void redraw(const animator *a, mdm_motion *motion, const mdm_motion_policy *policy, const mdm_standin *standin)
{
    float tone[3];
    mdm_motion_redraw(motion, policy, &a->canonical);
    if (policy->race)
        return;
    mdm_skin_tone(tone, standin);
    mdm_skin_tone_fit(tone, motion, standin);
    mdm_motion_retone(motion, tone);
    mdm_log(MDM_LOG_DEBUG, "track %d: skin changed by %.2f, %.2f, %.2f", motion->track, (double)tone[0],
            (double)tone[1], (double)tone[2]);
}

/* Frames without a valid motion are covered. */
static void cover(mdm_motion *motion, const mdm_role *role)
{
    for (int i = 0; i < role->cover_count; i++)
        for (int k = 0; k < motion->count; k++)
            if (motion->first + k >= role->cover[i][0] && motion->first + k <= role->cover[i][1])
                motion->valid[k] = 0;
}

/* The new face by large networks, for every motion. */
static mdm_status talk(animator *a)
{
    mdm_status status = MDM_OK;
    for (int i = 0; i < a->motions.count && !status; i++) {
        const mdm_motion *motion = &a->motions.motion[i];
        const mdm_role *role = NULL;
        mdm_image portrait = {0};
        mdm_mesh mesh;
        for (int k = 0; k < a->cast.count && !role; k++)
            if (a->cast.role[k].track == motion->track)
                role = &a->cast.role[k];
        if (!role)
            continue;
        MDM_TRY(mdm_portrait_read(&portrait, &mesh, role->person, a->work, a->detector, a->mesher[0]));
        const mdm_talking_standin standin = {&portrait, &mesh, (const float(*)[3])a->actors[i].standin.shape};
        status = mdm_talking_face_make(a->work, &a->clip, motion, &role->policy, &standin, &a->canonical);
        mdm_image_free(&portrait);
    }
    return status;
}

static mdm_status animate(animator *a)
{
    unsigned char *wanted = NULL;
    mdm_talking_mode mode;
    const bool talking = mdm_talking_wanted(&mode, a->work->settings);
    MDM_TRY(mdm_canonical_load(&a->canonical, a->work->models));
    MDM_TRY(mdm_face_detector_new(&a->detector, a->work->models, 1));
    for (int i = 0; i < MDM_SHARERS; i++)
        MDM_TRY(mdm_face_mesh_new(&a->mesher[i], a->work->models, 1));
    MDM_TRY(prepare(a));
    MDM_TRY(mdm_alloc(&wanted, a->clip.frames, 1, "frames to look at"));
    bool any = false;
    for (int i = 0; i < a->motions.count; i++)
        for (int k = 0; k < a->motions.motion[i].count; k++)
            wanted[a->motions.motion[i].first + k] = 1, any = true;
    mdm_status status = any ? mdm_visit_frames(&a->clip, wanted, a->work, read_frame, a) : MDM_OK;
    mdm_free(&wanted);
    for (int i = 0; i < a->motions.count && !status; i++) {
        actor *actor = &a->actors[i];
        status = mdm_scene_light_finish(&actor->light, actor->motion, &actor->standin);
        if (!status)
            status = mdm_sharpness_fit(actor->motion, &actor->standin, &a->canonical, actor->probe, actor->kept);
        mdm_log(MDM_LOG_DEBUG, "track %d: %d of %d probe frames", actor->motion->track, actor->kept, actor->wanted);
        if (!status && !talking) /* it measures what the mesh draws */
            status =
                mdm_close_loop(actor->motion, &actor->standin, &a->canonical, a->mesher, actor->probe, actor->kept);
    }
    for (int i = 0; i < a->motions.count && !status; i++) /* last: light and corrections are read off the true motion */
        for (int k = 0; k < a->cast.count; k++)
            if (a->cast.role[k].track == a->motions.motion[i].track) {
                redraw(a, &a->motions.motion[i], &a->cast.role[k].policy, &a->actors[i].standin);
                cover(&a->motions.motion[i], &a->cast.role[k]);
            }
    if (!status && talking)
        status = talk(a);
    return status ? status : mdm_motions_write(&a->motions, a->work->folder);
}

mdm_status mdm_stage_animate(mdm_clip_work *work)
{
    animator *a = NULL;
    MDM_TRY(mdm_alloc(&a, 1, sizeof *a, "animate"));
    a->work = work;
    mdm_status status = mdm_clip_read(&a->clip, work->folder);
    if (!status)
        status = mdm_found_read(&a->found, work->folder);
    if (!status)
        status = mdm_cast_load(&a->cast, work);
    if (!status)
        status = animate(a);
    for (int i = 0; a->actors && i < a->cast.count; i++) {
        mdm_standin_free(&a->actors[i].standin);
        mdm_scene_light_free(&a->actors[i].light);
        for (int k = 0; k < a->actors[i].kept; k++)
            mdm_image_free(&a->actors[i].probe[k].image);
    }
    mdm_free(&a->actors);
    mdm_motions_free(&a->motions);
    mdm_face_detector_free(&a->detector);
    for (int i = 0; i < MDM_SHARERS; i++)
        mdm_face_mesh_free(&a->mesher[i]);
    mdm_found_free(&a->found);
    mdm_clip_free(&a->clip);
    mdm_free(&a);
    return status;
}
