/* The verify stage: reads the recording and the result side by side, measures both with networks that took no part in making
 * the result, and decides. What is measured: verify_faces.c, verify_scene.c; how it adds up: verify_person.c, verify_motion.c,
 * verify_identity.c, verify_pulse.c; the sound: verify_sound.c. */
#include "stages/verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "stages/verify_sound.h"
#include "stages/visit.h"

#define JUDGED_PER_SECOND 6   /* frames whose identity is compared */
#define SCENE_EVERY       1.0 /* seconds between looks at the whole scene */

/* What compose did with each frame of each track. */
static mdm_status read_states(mdm_verifier *v)
{
    json_t *tracks, *track;
    size_t i;
    MDM_TRY(mdm_json_array(&tracks, v->compose, "tracks", "compose.json"));
    if ((int)json_array_size(tracks) != v->found.tracks.count)
        return mdm_fail(MDM_ERR_INPUT, "%s/compose.json: %zu tracks, tracks.json has %d; run `mmdm compose` again",
                        v->work->folder, json_array_size(tracks), v->found.tracks.count);
    MDM_TRY(mdm_alloc(&v->track, (size_t)v->found.tracks.count, sizeof *v->track, "evidence"));
    json_array_foreach(tracks, i, track)
    {
        const mdm_track *t = &v->found.tracks.track[i];
        const json_t *states = json_object_get(track, "state");
        MDM_TRY(mdm_alloc(&v->track[i].reading, (size_t)t->count, sizeof *v->track[i].reading, "evidence"));
        MDM_TRY(mdm_alloc(&v->track[i].face, (size_t)t->count, sizeof *v->track[i].face, "labels"));
        for (int k = 0; k < t->count; k++) {
            const char *state = json_string_value(json_array_get(states, (size_t)k));
            v->track[i].reading[k].state = !state                       ? MDM_VERIFY_NONE
                                           : !strcmp(state, "replaced") ? MDM_VERIFY_REPLACED
                                           : !strcmp(state, "covered")  ? MDM_VERIFY_COVERED
                                                                        : MDM_VERIFY_NONE;
        }
    }
    return MDM_OK;
}

static mdm_status open_networks(mdm_verifier *v)
{
    const char *models = v->work->models;
    MDM_TRY(mdm_canonical_load(&v->canonical, models));
    for (int side = 0; side < 2; side++)
        MDM_TRY(mdm_face_mesh_new(&v->mesher[side], models, 1));
    for (int j = 0; j < MDM_JUDGES; j++)
        MDM_TRY(mdm_recogniser_new(&v->judge[j], mdm_judge_kind((mdm_judge)j), models, 1));
    mdm_status status = mdm_head_pose_new(&v->head_pose, models, 1);
    if (status == MDM_ERR_DEVICE) { /* its origin is undisclosed, so that not everybody has it */
        mdm_log(MDM_LOG_INFO,
                "head pose is compared by the driving mesh only: fr_pose.onnx, whose origin is undisclosed, is "
                "not installed; `./setup check` gets it");
        status = MDM_OK;
    }
    MDM_TRY(status);
    MDM_TRY(mdm_attributes_new(&v->attributes, v->work->weights, MDM_ATTRIBUTES_B, 1));
    MDM_TRY(mdm_expression_new(&v->expression, models, 1));
    if (v->work->settings->mode == MDM_MODE_SCENE)
        MDM_TRY(mdm_centerface_new(&v->detector, models, v->clip.width, v->clip.height, v->work->threads));
    if (v->found.region_count > 0) {
        MDM_TRY(mdm_text_detector_new(&v->text_detector, models, v->work->threads));
        MDM_TRY(mdm_text_reader_new(&v->text_reader, models, 1));
    }
    return MDM_OK;
}

/* Both videos, side by side. */
typedef struct comparison {
    mdm_verifier *v;
    mdm_decode_node side[2]; /* the recording and the result */
    mdm_packet *before[2];   /* the frames before these */
    double start;            /* of the result, seconds */
} comparison;

static mdm_status look_at_frames(comparison *c, mdm_packet *const now[2], size_t n)
{
    mdm_verifier *v = c->v;
    const mdm_frame *a = mdm_packet_frame(now[0]), *b = mdm_packet_frame(now[1]);
    const bool scene = v->work->settings->mode == MDM_MODE_SCENE;
    const int *tb = mdm_reader_video(c->side[1].reader)->time_base;
    double at_a = (double)(a->pts - v->clip.pts[0]) * v->clip.time_base[0] / v->clip.time_base[1],
           at_b = (double)b->pts * tb[0] / tb[1];
    if (n == 0)
        c->start = at_b;
    double shift = fabs(at_b - c->start - at_a);
    long long units = (long long)llround(shift * v->clip.time_base[1] / v->clip.time_base[0]);
    v->max_pts_diff = units > v->max_pts_diff ? units : v->max_pts_diff;
    if (scene && (a->rgb.width != b->rgb.width || a->rgb.height != b->rgb.height))
        return mdm_fail(MDM_ERR_INTERNAL, "%s: the result is %d x %d, the recording %d x %d", v->work->clip_id,
                        b->rgb.width, b->rgb.height, a->rgb.width, a->rgb.height);
    if (scene)
        MDM_TRY(mdm_verify_faces(v, &a->rgb, &b->rgb, n ? &mdm_packet_frame(c->before[0])->rgb : NULL,
                                 n ? &mdm_packet_frame(c->before[1])->rgb : NULL, (int)n));
    return mdm_verify_scene(v, &a->rgb, &b->rgb, (int)n);
}

static mdm_status verify_turn(void *user, mdm_turn *turn)
{
    comparison *c = user;
    turn->done = turn->last || !turn->in[1]; /* the result's end */
    if (turn->done)
        return MDM_OK;
    const size_t n = c->v->frames_out++;
    if (turn->in[0])
        MDM_TRY(look_at_frames(c, turn->in, n));
    for (int side = 0; side < 2; side++) {
        mdm_packet_drop(&c->before[side]);
        c->before[side] = turn->in[side] ? mdm_packet_keep(turn->in[side]) : NULL;
    }
    return mdm_tour_tell(&c->v->clip, c->v->work, (int64_t)n);
}

static mdm_status join_nodes(mdm_flow *flow, comparison *c)
{
    int decode[2], verify;
    for (int side = 0; side < 2; side++) {
        const mdm_flow_node node = {.name = "decode", .work = mdm_decode_turn, .user = &c->side[side]};
        MDM_TRY(mdm_flow_add(&decode[side], flow, &node));
    }
    MDM_TRY(
        mdm_flow_add(&verify, flow, &(mdm_flow_node){.name = "verify", .work = verify_turn, .user = c, .queue = 1}));
    MDM_TRY(mdm_flow_join(flow, decode[0], 0, verify, 0));
    return mdm_flow_join(flow, decode[1], 0, verify, 1);
}

static mdm_status compare(comparison *c)
{
    mdm_flow *flow;
    MDM_TRY(mdm_flow_new(&flow));
    mdm_status status = join_nodes(flow, c);
    if (status == MDM_OK)
        status = mdm_flow_run(flow, 0);
    mdm_flow_free(&flow);
    return status;
}

static mdm_status look(mdm_verifier *v, const char *media)
{
    comparison c = {.v = v, .side = {{.rgb = true, .most = v->clip.frames}, {.rgb = true}}};
    mdm_status status = mdm_clip_open_video(&c.side[0].reader, &v->clip, v->work->threads);
    if (!status)
        status = mdm_reader_open(&c.side[1].reader, media, &(mdm_reader_options){.threads = v->work->threads});
    for (int side = 0; side < 2 && !status; side++)
        status = mdm_frames_new(&c.side[side].frames);
    if (!status)
        status = compare(&c);
    for (int side = 0; side < 2; side++) {
        mdm_packet_drop(&c.before[side]);
        mdm_frames_free(&c.side[side].frames);
        mdm_reader_free(&c.side[side].reader);
    }
    return status;
}

MDM_PRINTF(3, 4)
static void complain(json_t *reasons, const char *code, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    json_array_append_new(reasons, json_pack("{s:s, s:s}", "code", code, "text", text));
}

/* A judge's line: its rate over everybody in the clip. Who decided about whom stands with the persons. */
static mdm_status add_recogniser(json_t *out, const mdm_verifier *v, mdm_judge judge)
{
    const mdm_judge_series **all = NULL;
    mdm_judge_figures f;
    MDM_TRY(mdm_alloc(&all, (size_t)v->found.tracks.count + 1, sizeof *all, "evidence"));
    for (int i = 0; i < v->found.tracks.count; i++)
        all[i] = &v->track[i].seen[judge];
    mdm_status status = mdm_judge_measure(&f, judge, all, v->found.tracks.count, mdm_verify_apart(v));
    mdm_free(&all);
    bool known = isfinite(f.true_rate), blind = known && f.true_rate < MDM_JUDGE_TRUE_RATE;
    json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:b, s:b, s:s}", "name", mdm_judge_name(judge), "measures",
                                         "reidentification", "true_match_rate", mdm_json_rounded(f.true_rate, 4),
                                         "used", !blind, "independent", mdm_judge_is_independent(judge), "note",
                                         blind ? "knows too few of the recording's own frames to decide"
                                         : !mdm_judge_is_independent(judge)
                                             ? "chose the stand-in: decides only where MobileFaceNet is blind"
                                         : !known ? "too few pairs of frames two seconds apart to know its rate here"
                                                  : ""));
    return status;
}

static mdm_status judges_json(json_t *out, const mdm_verifier *v)
{
    static const struct {
        const char *name, *measures;
        bool independent;
        const char *note;
    } others[] = {
        {"CenterFace", "uncovered faces", true, ""},
        {"attributes-b", "age, gender, race", true, ""},
        {"face-api expression", "expression", true,
         "also describes the recording; takes no part in drawing. Read beside how often it agrees with itself"},
        {"fr_pose", "head pose", true, "compared with itself only; its origin is undisclosed"},
        {"face mesh", "gaze, eyes, mouth", false, "not independent: it drives the stand-in"}};
    for (int j = 0; j < MDM_JUDGES; j++)
        MDM_TRY(add_recogniser(out, v, (mdm_judge)j));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (v->head_pose || strcmp(others[i].name, "fr_pose") != 0)
            json_array_append_new(out, json_pack("{s:s, s:s, s:n, s:b, s:b, s:s}", "name", others[i].name, "measures",
                                                 others[i].measures, "true_match_rate", "used", 1, "independent",
                                                 others[i].independent, "note", others[i].note));
    return MDM_OK;
}

static mdm_status write_evidence(mdm_verifier *v, mdm_sound_evidence *sound)
{
    json_t *reasons = json_array(), *persons = json_array(), *judges = json_array(), *person, *root;
    mdm_status status = judges_json(judges, v);
    double flicker = 0, frames = 0;
    size_t i;
    json_array_foreach(json_object_get(v->plan, "persons"), i, person)
    {
        json_t *entry = mdm_verify_person(v, person, reasons);
        if (!entry) {
            json_decref(reasons);
            json_decref(persons);
            json_decref(judges);
            return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for the evidence of a person", v->work->clip_id);
        }
        double ratio = json_number_value(json_object_get(entry, "flicker_ratio"));
        double n = (double)json_integer_value(json_object_get(json_object_get(entry, "frames"), "replaced"));
        if (ratio > 0)
            flicker += ratio * n, frames += n;
        if (json_integer_value(json_object_get(json_object_get(entry, "frames"), "none")) > 0)
            json_array_append_new(reasons, json_pack("{s:s, s:s, s:s}", "code", "uncovered", "person",
                                                     json_string_value(json_object_get(entry, "id")), "text",
                                                     "a tracked face was neither replaced nor covered in some frames"));
        json_array_append_new(persons, entry);
    }
    if (v->uncovered_faces)
        complain(reasons, "uncovered", "CenterFace finds %d faces in %d frames that nobody replaced or covered",
                 v->uncovered_faces, v->uncovered_frames);
    if (v->frames_out != v->clip.frames || v->max_pts_diff > 1)
        complain(reasons, "timing", "%zu frames became %zu, times differ by up to %lld units", v->clip.frames,
                 v->frames_out, v->max_pts_diff);
    if (v->readable)
        complain(reasons, "text", "PP-OCRv4 can still read %d strings where text was to be covered", v->readable);
    double mse = v->untouched_pixels > 0 ? v->untouched_error / v->untouched_pixels : -1;
    json_t *untouched = mse < 0 ? json_null()
                                : json_pack("{s:f, s:i}", "psnr", mse > 0 ? fmin(99, 10 * log10(65025 / mse)) : 99.0,
                                            "max_diff", v->untouched_max);
    json_t *text = v->found.region_count
                       ? json_pack("{s:i, s:i, s:i, s:[s]}", "regions", v->found.region_count, "looks", v->text_looks,
                                   "readable_after", v->readable, "readers", "PP-OCRv4")
                       : json_null();
    root = json_pack(
        "{s:i, s:s, s:b, s:o, s:o, s:o, s:{s:i, s:i, s:s, s:[]}, s:o, s:{s:I, s:I, s:I, s:f}, s:o, s:o, s:o, s:o}",
        "version", 1, "clip_id", v->work->clip_id, "pass", json_array_size(reasons) == 0, "reasons", reasons, "judges",
        judges, "persons", persons, "uncovered", "frames", v->uncovered_frames, "faces", v->uncovered_faces, "detector",
        "CenterFace", "examples", "untouched", untouched, "timing", "frames_in", (json_int_t)v->clip.frames,
        "frames_out", (json_int_t)v->frames_out, "max_pts_diff", (json_int_t)v->max_pts_diff, "audio_shift_ms",
        sound->shift_ms, "flicker_ratio", frames > 0 ? json_real(flicker / frames) : json_null(), "voice",
        sound->voice ? json_incref(sound->voice) : json_null(), "words",
        sound->words ? json_incref(sound->words) : json_null(), "text", text);
    char *path = NULL;
    if (!root)
        status = mdm_fail(MDM_ERR_INTERNAL, "evidence.json cannot be made");
    if (!status)
        status = mdm_join_path(&path, v->work->folder, "evidence.json");
    if (!status)
        status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    return status;
}

static mdm_status verify(mdm_verifier *v)
{
    mdm_sound_evidence sound = {0};
    char *media = NULL;
    double fps = v->clip.fps > 0 ? v->clip.fps : 25;
    v->judge_every = (int)fmax(1, round(fps / JUDGED_PER_SECOND));
    v->scene_every = (int)fmax(1, round(fps * SCENE_EVERY));
    MDM_TRY(mdm_json_load_from(&v->plan, v->work->folder, "plan.json", 0));
    MDM_TRY(mdm_json_load_from(&v->compose, v->work->folder, "compose.json", 0));
    MDM_TRY(read_states(v));
    MDM_TRY(open_networks(v));
    MDM_TRY(mdm_join_path(&media, v->work->folder, v->clip.still ? "masked.png" : "masked.mp4"));
    mdm_status status = look(v, media);
    if (!status)
        status = mdm_verify_sound(&sound, v->work, &v->clip, v->compose, media);
    if (!status)
        status = mdm_verify_labels(v);
    if (!status)
        status = write_evidence(v, &sound);
    json_decref(sound.voice);
    json_decref(sound.words);
    mdm_free(&media);
    return status;
}

mdm_status mdm_stage_verify(mdm_clip_work *work)
{
    mdm_verifier v = {.work = work};
    mdm_status status = mdm_clip_read(&v.clip, work->folder);
    if (!status)
        status = mdm_found_read(&v.found, work->folder);
    if (!status)
        status = verify(&v);
    for (int i = 0; v.track && i < v.found.tracks.count; i++) {
        for (int j = 0; j < MDM_JUDGES; j++)
            mdm_judge_forget(&v.track[i].seen[j], (mdm_judge)j);
        mdm_free(&v.track[i].reading);
        mdm_free(&v.track[i].face);
    }
    mdm_free(&v.track);
    mdm_text_reader_free(&v.text_reader);
    mdm_text_detector_free(&v.text_detector);
    mdm_centerface_free(&v.detector);
    mdm_expression_free(&v.expression);
    mdm_attributes_free(&v.attributes);
    for (int j = 0; j < MDM_JUDGES; j++)
        mdm_recogniser_free(&v.judge[j]);
    mdm_head_pose_free(&v.head_pose);
    for (int side = 0; side < 2; side++)
        mdm_face_mesh_free(&v.mesher[side]);
    json_decref(v.plan);
    json_decref(v.compose);
    mdm_found_free(&v.found);
    mdm_clip_free(&v.clip);
    return status;
}
