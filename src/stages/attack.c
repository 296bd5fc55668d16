/* Face vectors for the audit's attacks: a few good frames of every replaced person, of the recording and of the result, by the
 * three recognisers of verify_identity.h. They go through the worker's pipe to the parent and are never written. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "face/best_frames.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "stages/attack.h"
#include "stages/verify_identity.h"

#define FRAMES_PER_TRACK 8
#define MOST_TRACKS      6 /* of a person, the first ones */

/* Of one track: whose it is in plan.json, or -1, and the frames that are looked at. */
typedef struct looks {
    int person, frame[FRAMES_PER_TRACK], count;
} looks;

typedef struct attacker {
    const mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    json_t *plan, *compose;
    mdm_face_mesh *mesher;
    mdm_recogniser *net[MDM_JUDGES];
    looks *of; /* each track */
} attacker;

static bool is_replaced(const attacker *a, int track, int index)
{
    const json_t *states =
        json_object_get(json_array_get(json_object_get(a->compose, "tracks"), (size_t)track), "state");
    const char *state = json_string_value(json_array_get(states, (size_t)index));
    return state && strcmp(state, "replaced") == 0;
}

static mdm_status read_plan(attacker *a)
{
    size_t i, k;
    json_t *person, *track, *persons = json_object_get(a->plan, "persons");
    MDM_TRY(mdm_alloc(&a->of, (size_t)a->found.tracks.count + 1, sizeof *a->of, "attack"));
    for (int t = 0; t < a->found.tracks.count; t++)
        a->of[t].person = -1;
    json_array_foreach(persons, i, person)
    {
        int taken = 0;
        json_array_foreach(json_object_get(person, "tracks"), k, track)
        {
            json_int_t t = json_integer_value(track);
            if (t < 0 || t >= a->found.tracks.count || taken++ >= MOST_TRACKS)
                continue;
            a->of[t].person = (int)i;
            a->of[t].count =
                mdm_best_frames(a->of[t].frame, FRAMES_PER_TRACK, &a->found.tracks.track[t], MDM_JUDGE_SMALLEST);
        }
    }
    return MDM_OK;
}

/* {recogniser, side, frame, vector...} of one face. */
static mdm_status give(const attacker *a, int person, const mdm_image *picture[2], const mdm_mesh *source, int number)
{
    float values[3 + MDM_RECOGNISER_MAX];
    mdm_face_roi roi;
    mdm_mesh mesh[2];
    mdm_status status = MDM_OK;
    mdm_face_roi_from_mesh(&roi, source);
    for (int side = 0; side < 2; side++)
        MDM_TRY(mdm_face_mesh_run(&mesh[side], a->mesher, picture[side], &roi));
    if (mesh[0].presence < 0.5f)
        return MDM_OK;
    for (int j = 0; j < MDM_JUDGES; j++)
        for (int side = 0; side < 2 && !status; side++) {
            mdm_recogniser_kind kind = mdm_judge_kind((mdm_judge)j);
            values[0] = (float)kind, values[1] = (float)side, values[2] = (float)number;
            status = mdm_recogniser_embed(a->net[j], picture[side], &mesh[side], values + 3);
            if (!status)
                status = a->work->embeddings->give(a->work->embeddings->user, person, values,
                                                   3 + mdm_recogniser_size(kind), 1);
        }
    mdm_wipe(values, sizeof values);
    return status;
}

static mdm_status look(const attacker *a, mdm_frame frame[2], int number)
{
    for (int t = 0; t < a->found.tracks.count; t++) {
        const mdm_track *track = &a->found.tracks.track[t];
        for (int i = 0; i < a->of[t].count; i++) {
            if (a->of[t].frame[i] != number || !is_replaced(a, t, number - track->first))
                continue;
            mdm_mesh mesh = {.presence = 1};
            memcpy(mesh.point, track->point[number - track->first], sizeof mesh.point);
            for (int side = 0; side < 2; side++)
                MDM_TRY(mdm_frame_rgb(&frame[side], 0, 0, 0, 0));
            MDM_TRY(give(a, a->of[t].person, (const mdm_image *[]){&frame[0].rgb, &frame[1].rgb}, &mesh, number));
        }
    }
    return MDM_OK;
}

static mdm_status watch(attacker *a)
{
    mdm_reader *reader[2] = {NULL, NULL};
    mdm_frame frame[2] = {{0}, {0}};
    char *media = NULL;
    mdm_status status = mdm_join_path(&media, a->work->folder, a->clip.still ? "masked.png" : "masked.mp4");
    if (!status)
        status = mdm_clip_open_video(&reader[0], &a->clip, a->work->threads);
    if (!status)
        status = mdm_reader_open(&reader[1], media, &(mdm_reader_options){.threads = a->work->threads});
    for (size_t n = 0; n < a->clip.frames && !status; n++) {
        bool more = true;
        for (int side = 0; side < 2 && !status && more; side++)
            status = mdm_reader_next(&more, reader[side], &frame[side]);
        if (status || !more)
            break;
        status = look(a, frame, (int)n);
        if (!status && !mdm_progress_update(a->work->progress, (double)n, (double)a->clip.frames))
            status = mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", a->clip.source);
    }
    for (int side = 0; side < 2; side++) {
        mdm_frame_free(&frame[side]);
        mdm_reader_free(&reader[side]);
    }
    mdm_free(&media);
    return status;
}

static mdm_status attack(attacker *a)
{
    const mdm_clip_work *work = a->work;
    MDM_TRY(mdm_clip_read(&a->clip, work->folder));
    if (work->settings->mode != MDM_MODE_SCENE)
        return MDM_OK; /* the stand-in's own portrait: there is nothing of the recording in the picture */
    MDM_TRY(mdm_found_read(&a->found, work->folder));
    MDM_TRY(mdm_json_load_from(&a->plan, work->folder, "plan.json", 0));
    MDM_TRY(mdm_json_load_from(&a->compose, work->folder, "compose.json", 0));
    MDM_TRY(read_plan(a));
    MDM_TRY(mdm_face_mesh_new(&a->mesher, work->models, 1));
    for (int j = 0; j < MDM_JUDGES; j++)
        MDM_TRY(mdm_recogniser_new(&a->net[j], mdm_judge_kind((mdm_judge)j), work->models, 1));
    return watch(a);
}

mdm_status mdm_stage_attack(mdm_clip_work *work)
{
    attacker a = {.work = work};
    mdm_status status = attack(&a);
    for (int j = 0; j < MDM_JUDGES; j++)
        mdm_recogniser_free(&a.net[j]);
    mdm_face_mesh_free(&a.mesher);
    mdm_free(&a.of);
    json_decref(a.plan);
    json_decref(a.compose);
    mdm_found_free(&a.found);
    mdm_clip_free(&a.clip);
    return status;
}
