/* Pose, smoothing, neutral, transfer and light against tools/make_face_goldens.py, step by step; motion files read back. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "common/ok.h"
#include "face/closed_loop.h"
#include "face/light.h"
#include "face/motion_file.h"
#include "face/pose.h"
#include "face/standin_landmarks.h"
#include "face/transfer.h"
#include "nn/tensor_file.h"

enum { FRAMES = 16, LOOKED_AT = 3 };

static const int looked_at[LOOKED_AT] = {2, 8, 12};

static struct {
    bool ready;
    mdm_canonical canonical;
    mdm_tensor_file *golden;
    float points[FRAMES][MDM_MESH_POINTS][3];
    mdm_motion motion;
} world;

static int set_up(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS");
    if (mdm_canonical_load(&world.canonical, models ? models : MMDM_SOURCE_DIR "/.deps/models") != MDM_OK) {
        printf("skipped: %s\n", mdm_error_message());
        return 0;
    }
    ok(mdm_tensor_file_open(&world.golden, MMDM_SOURCE_DIR "/tests/face/golden/motion-golden.safetensors"));
    ok(mdm_array_to_f32(&world.points[0][0][0], sizeof world.points / sizeof(float),
                        mdm_tensor_file_find(world.golden, "points")));
    mdm_track_frame frame[FRAMES];
    memset(frame, 0, sizeof frame);
    for (int i = 0; i < FRAMES; i++)
        frame[i].has_mesh = 1, frame[i].state = MDM_TRACK_SEEN;
    mdm_track track = {.first = 100, .count = FRAMES, .frame = frame, .point = world.points};
    ok(mdm_motion_from_track(&world.motion, &track, &world.canonical, 25));
    world.ready = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mdm_motion_free(&world.motion);
    mdm_tensor_file_free(&world.golden);
    return 0;
}

/* Every number within `tolerance` of the golden ones. */
static void agrees(const float *got, size_t count, const char *name, double tolerance)
{
    float *want = NULL;
    ok(mdm_alloc(&want, count, sizeof *want, "golden"));
    ok(mdm_array_to_f32(want, count, mdm_tensor_file_find(world.golden, name)));
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= worst))
            worst = d, at = i;
    }
    float expected = want[at];
    mdm_free(&want);
    if (!(worst <= tolerance))
        fail_msg("%s[%zu]: %g, expected %g (within %g)", name, at, (double)got[at], (double)expected, tolerance);
}

static void flatten(float out[13], const mdm_pose *pose)
{
    out[0] = (float)pose->scale;
    for (int k = 0; k < 9; k++)
        out[1 + k] = (float)pose->rotation[k];
    for (int k = 0; k < 3; k++)
        out[10 + k] = (float)pose->shift[k];
}

#define NEEDS_MODELS()                                                                                                 \
    do {                                                                                                               \
        (void)state;                                                                                                   \
        if (!world.ready)                                                                                              \
            skip();                                                                                                    \
    } while (0)

static void canonical_tables_agree(void **state)
{
    NEEDS_MODELS();
    agrees(world.canonical.border, MDM_MESH_VERTICES, "border", 1e-5);
    agrees(world.canonical.skin, MDM_MESH_VERTICES, "skin", 0);
}

static void pose_agrees(void **state)
{
    NEEDS_MODELS();
    float raw[FRAMES][13], smooth[FRAMES][13], angles[FRAMES][3];
    for (int i = 0; i < FRAMES; i++) {
        mdm_pose pose;
        double degrees[3];
        mdm_pose_fit(&pose, (const float(*)[3])world.points[i], &world.canonical);
        flatten(raw[i], &pose);
        flatten(smooth[i], &world.motion.pose[i]);
        mdm_pose_angles(degrees, &world.motion.pose[i]);
        for (int k = 0; k < 3; k++)
            angles[i][k] = (float)degrees[k];
    }
    agrees(&raw[0][0], FRAMES * 13, "raw_pose", 1e-3);
    agrees(&smooth[0][0], FRAMES * 13, "pose", 1e-3);
    agrees(&angles[0][0], FRAMES * 3, "angles", 0.01);
}

static void motion_agrees(void **state)
{
    NEEDS_MODELS();
    const mdm_motion *m = &world.motion;
    float shape[LOOKED_AT][MDM_MESH_VERTICES][3];
    for (int i = 0; i < LOOKED_AT; i++)
        memcpy(shape[i], m->shape[looked_at[i]], sizeof shape[i]);
    agrees(&shape[0][0][0], sizeof shape / sizeof(float), "shape", 1e-3);
    agrees(&m->eyes[0][0], FRAMES * 2, "eyes", 1e-3);
    agrees(m->lips, FRAMES, "lips", 1e-3);
    agrees(&m->neutral[0][0], MDM_MESH_VERTICES * 3, "neutral", 1e-3);
    agrees(m->eye_neutral, 2, "eye_neutral", 1e-3);
    /* the reference takes gaze from the mesh in the smoothed pose, this from the unsmoothed one */
    agrees(&m->gaze[0][0][0], FRAMES * 4, "gaze", 4e-3);
    assert_true(m->eyes[7][0] < 0.5f * m->eye_neutral[0] &&
                m->eyes[8][0] < 0.5f * m->eye_neutral[0]); /* a two-frame blink survives */
}

static void transfer_agrees(void **state)
{
    NEEDS_MODELS();
    float standin[MDM_MESH_VERTICES][3], out[LOOKED_AT][MDM_MESH_VERTICES][3], ring[MDM_OVAL][3];
    mdm_motion *m = &world.motion;
    const mdm_motion_correction none = m->correction;
    ok(mdm_array_to_f32(&standin[0][0], MDM_MESH_VERTICES * 3, mdm_tensor_file_find(world.golden, "standin")));
    mdm_ring_points(ring, (const float(*)[3])standin);
    agrees(&ring[0][0], MDM_OVAL * 3, "ring", 1e-4);
    for (int i = 0; i < LOOKED_AT; i++)
        mdm_transfer(out[i], m, looked_at[i], (const float(*)[3])standin, &world.canonical);
    agrees(&out[0][0][0], sizeof out / sizeof(float), "transfer", 1e-3);
    m->correction.eye_gain = 1.3f, m->correction.lip_gain = 1.2f;
    for (int i = 0; i < MDM_YAW_NODES; i++)
        m->correction.view[i] = (mdm_view_correction){.turn = {0.05f, -0.08f, 0.03f}};
    for (int i = 0; i < LOOKED_AT; i++)
        mdm_transfer(out[i], m, looked_at[i], (const float(*)[3])standin, &world.canonical);
    m->correction = none;
    agrees(&out[0][0][0], sizeof out / sizeof(float), "corrected", 1e-3);
}

/* The resting expression: its measures, what it moves and shades, and a stand-in driven with it. */
static void rest_agrees(void **state)
{
    NEEDS_MODELS();
    float standin[MDM_MESH_VERTICES][3], rest[2][MDM_RESTS], out[LOOKED_AT][MDM_MESH_VERTICES][3];
    mdm_motion *m = &world.motion;
    const mdm_motion_correction none = m->correction;
    ok(mdm_array_to_f32(&standin[0][0], MDM_MESH_VERTICES * 3, mdm_tensor_file_find(world.golden, "standin")));
    mdm_rest_measure(rest[0], (const float(*)[3])m->neutral);
    mdm_rest_measure(rest[1], (const float(*)[3])standin);
    agrees(&rest[0][0], 2 * MDM_RESTS, "rest", 1e-3);
    agrees(&world.canonical.rest[0][0][0], MDM_REST_MOVES * MDM_MESH_VERTICES * 3, "moves", 2e-3);
    agrees(&world.canonical.shade[0][0], MDM_REST_MOVES * MDM_MESH_VERTICES, "shade", 1e-3);
    memcpy(m->correction.rest, (const float[MDM_RESTS]){0.3f, 0.2f, -0.1f, 0.25f, 0}, sizeof m->correction.rest);
    for (int i = 0; i < LOOKED_AT; i++)
        mdm_transfer(out[i], m, looked_at[i], (const float(*)[3])standin, &world.canonical);
    m->correction = none;
    agrees(&out[0][0][0], sizeof out / sizeof(float), "rested", 1e-3);
}

/* A gain of 1.5 adds half of what the person's brows have moved; without it nothing changes. */
static void gains_add_movement(void **state)
{
    NEEDS_MODELS();
    float standin[MDM_MESH_VERTICES][3], plain[MDM_MESH_VERTICES][3], more[MDM_MESH_VERTICES][3];
    float now[MDM_RESTS], neutral[MDM_RESTS], before[MDM_RESTS], after[MDM_RESTS];
    mdm_motion *m = &world.motion;
    const int index = looked_at[0];
    float(*brow)[3] = &m->shape[index][55], was[3];
    ok(mdm_array_to_f32(&standin[0][0], MDM_MESH_VERTICES * 3, mdm_tensor_file_find(world.golden, "standin")));
    memcpy(was, *brow, sizeof was);
    (*brow)[1] -= 2; /* a quarter of it is the measure's */
    mdm_rest_measure(now, (const float(*)[3])m->shape[index]);
    mdm_rest_measure(neutral, (const float(*)[3])m->neutral);
    mdm_transfer(plain, m, index, (const float(*)[3])standin, &world.canonical);
    m->correction.gain[MDM_REST_BROW_IN] = 1.5f;
    mdm_transfer(more, m, index, (const float(*)[3])standin, &world.canonical);
    m->correction.gain[MDM_REST_BROW_IN] = 1;
    memcpy(*brow, was, sizeof was);
    mdm_rest_measure(before, (const float(*)[3])plain);
    mdm_rest_measure(after, (const float(*)[3])more);
    const float moved = now[MDM_REST_BROW_IN] - neutral[MDM_REST_BROW_IN];
    assert_true(moved > 0.3f);
    assert_float_equal(after[MDM_REST_BROW_IN] - before[MDM_REST_BROW_IN], 0.5 * (double)moved, 0.1 * (double)moved);
    assert_float_equal(after[MDM_REST_LIFT], before[MDM_REST_LIFT], 1e-3);
}

/* A stand-in rests as the person does, within limits; what is too far away is not reached. */
static void standin_rests_as_the_person(void **state)
{
    (void)state;
    const float person[MDM_RESTS] = {0.2f, 5.6f, 2.0f, 2.5f, 0.27f}, other[MDM_RESTS] = {-0.1f, 5.2f, 1.8f, 1.6f, 0.3f};
    float rest[MDM_RESTS] = {0};
    mdm_rest_add(rest, person, other, 1);
    assert_float_equal(rest[MDM_REST_LIFT], 0.3, 1e-5);
    assert_float_equal(rest[MDM_REST_BROW_IN], 0.2, 1e-5);
    assert_true(rest[MDM_REST_BROW_OUT] < 0.5f);
    assert_float_equal(0.3 * (1 + (double)rest[MDM_REST_EYES]), 0.27, 1e-5);
    assert_true(mdm_rest_smile(person) > 0.8f && mdm_rest_smile(mdm_rest_neutral) < 1e-6f);
}

/* The pose of `index` about the vertical, by `yaw` degrees more. */
static mdm_pose turned_by(const mdm_pose *pose, double yaw)
{
    mdm_pose out = *pose;
    double c = cos(yaw / 57.29577951308232), s = sin(yaw / 57.29577951308232);
    for (int k = 0; k < 3; k++) {
        out.rotation[k] = c * pose->rotation[k] - s * pose->rotation[6 + k];
        out.rotation[6 + k] = s * pose->rotation[k] + c * pose->rotation[6 + k];
    }
    return out;
}

/* A mesh in the image, its head turned by `yaw` degrees more and the tip of the nose `nose` cm further out. */
static void turn_mesh(float (*points)[3], double yaw, float nose)
{
    mdm_pose pose, away;
    mdm_pose_fit(&pose, (const float(*)[3])points, &world.canonical);
    away = turned_by(&pose, yaw);
    mdm_to_head(points, (const float(*)[3])points, MDM_MESH_POINTS, &pose);
    points[1][2] -= nose;
    mdm_to_image(points, (const float(*)[3])points, MDM_MESH_POINTS, &away);
}

/* Of a head turned by 45 degrees the far side of the nose is the person's outline; the near cheek stays the stand-in's. */
static void profile_is_the_persons(void **state)
{
    NEEDS_MODELS();
    enum { FAR_NOSTRIL = 64, NEAR_CHEEK = 425 };
    float standin[MDM_MESH_VERTICES][3], ahead[MDM_MESH_VERTICES][3], turned[MDM_MESH_VERTICES][3];
    double angles[3];
    mdm_motion *m = &world.motion;
    const mdm_pose before = m->pose[0];
    ok(mdm_array_to_f32(&standin[0][0], MDM_MESH_VERTICES * 3, mdm_tensor_file_find(world.golden, "standin")));
    mdm_pose_angles(angles, &before);
    m->pose[0] = turned_by(&before, -angles[0]);
    mdm_transfer(ahead, m, 0, (const float(*)[3])standin, &world.canonical);
    m->pose[0] = turned_by(&m->pose[0], -45);
    mdm_pose_angles(angles, &m->pose[0]);
    assert_float_equal(angles[0], -45, 1.0);
    mdm_transfer(turned, m, 0, (const float(*)[3])standin, &world.canonical);
    m->pose[0] = before;
    const float *own = m->shape[0][FAR_NOSTRIL], *a = ahead[FAR_NOSTRIL], *b = turned[FAR_NOSTRIL];
    assert_true(hypotf(b[0] - own[0], b[1] - own[1]) < 0.7f * hypotf(a[0] - own[0], a[1] - own[1]));
    assert_memory_equal(turned[NEAR_CHEEK], ahead[NEAR_CHEEK], sizeof turned[0]);
}

/* Of a head that is mostly turned away the frames that face the camera give the neutral. */
static void neutral_faces_the_camera(void **state)
{
    NEEDS_MODELS();
    static float points[FRAMES][MDM_MESH_POINTS][3];
    mdm_track_frame frame[FRAMES];
    mdm_motion m;
    memset(frame, 0, sizeof frame);
    for (int i = 0; i < FRAMES; i++) {
        frame[i].has_mesh = 1;
        memcpy(points[i], world.points[i], sizeof points[i]);
        if (i < FRAMES / 3)
            continue;
        turn_mesh(points[i], 45, 3); /* and with a nose that the network takes for longer */
    }
    mdm_track track = {.count = FRAMES, .frame = frame, .point = points};
    ok(mdm_motion_from_track(&m, &track, &world.canonical, 25));
    assert_true(fabsf(m.neutral[1][2] - world.motion.neutral[1][2]) < 1);
    mdm_motion_free(&m);
}

/* Between two yaws a correction lies in a straight line, beyond the last it stays. */
static void corrections_follow_the_yaw(void **state)
{
    NEEDS_MODELS();
    mdm_motion *m = &world.motion;
    const mdm_motion_correction none = m->correction;
    const mdm_pose before = m->pose[0];
    double angles[3];
    mdm_pose_angles(angles, &before);
    m->correction.view[1].turn[1] = 0.04f, m->correction.view[0].gaze[1][0] = 0.1f;
    m->pose[0] = turned_by(&before, -angles[0] - 10);
    assert_float_equal(mdm_motion_correct(m, 0).turn[1], 0.02, 1e-3);
    m->pose[0] = turned_by(&before, -angles[0] - 50);
    assert_float_equal(mdm_motion_correct(m, 0).turn[1], 0, 1e-6);
    assert_float_equal(mdm_motion_correct(m, 0).gaze[1][0], 0.1, 1e-6);
    m->correction = none;
    m->pose[0] = before;
}

/* What the network guesses of a hidden iris is not played: on half of these frames the far one jumps about. */
static void hidden_eyes_follow(void **state)
{
    NEEDS_MODELS();
    static float points[FRAMES][MDM_MESH_POINTS][3];
    mdm_track_frame frame[FRAMES];
    mdm_motion m;
    memset(frame, 0, sizeof frame);
    for (int i = 0; i < FRAMES; i++) {
        frame[i].has_mesh = 1;
        memcpy(points[i], world.points[0], sizeof points[i]);
        if (i < FRAMES / 2)
            continue;
        turn_mesh(points[i], -60, 0);
        points[i][mdm_eyes[0].iris][1] += i % 2 ? 5 : -5;
    }
    float seen[2];
    mdm_eyes_seen(seen, (const float(*)[3])points[FRAMES - 1]);
    assert_float_equal(seen[0], 0, 1e-6);
    assert_float_equal(seen[1], 1, 1e-6);
    mdm_track track = {.count = FRAMES, .frame = frame, .point = points};
    ok(mdm_motion_from_track(&m, &track, &world.canonical, 25));
    for (int i = FRAMES / 2 + 5; i < FRAMES; i++)
        assert_true(fabsf(m.gaze[i][0][1] - m.gaze[i - 1][0][1]) < 0.01f);
    mdm_motion_free(&m);
}

/* A head that turns is looked at from each side, one that does not as much as before. */
static void probes_cover_the_views(void **state)
{
    NEEDS_MODELS();
    enum { LONG = 120 };
    mdm_motion m;
    int index[MDM_PROBES], away = 0;
    ok(mdm_motion_alloc(&m, LONG));
    for (int i = 0; i < LONG; i++) {
        m.pose[i] = world.motion.pose[0];
        m.valid[i] = 1;
        m.eyes[i][0] = m.eyes[i][1] = 0.3f;
    }
    int still = mdm_probe_choose(index, MDM_PROBES, &m);
    assert_in_range(still, 18, 26);
    for (int i = 100; i < LONG; i++)
        m.pose[i] = turned_by(&m.pose[i], -40);
    int turning = mdm_probe_choose(index, MDM_PROBES, &m);
    for (int i = 0; i < turning; i++) {
        away += index[i] >= 100;
        assert_true(i == 0 || index[i] > index[i - 1]);
    }
    assert_int_equal(away, 8);
    mdm_motion_free(&m);
}

static void light_agrees(void **state)
{
    NEEDS_MODELS();
    float colour[MDM_MESH_VERTICES][3], weight[MDM_MESH_VERTICES], light[MDM_LIGHT_TERMS][3];
    ok(mdm_array_to_f32(&colour[0][0], MDM_MESH_VERTICES * 3, mdm_tensor_file_find(world.golden, "light_colour")));
    ok(mdm_array_to_f32(weight, MDM_MESH_VERTICES, mdm_tensor_file_find(world.golden, "light_weight")));
    assert_true(mdm_light_fit(light, (const float(*)[3])colour, weight, &world.canonical));
    agrees(&light[0][0], MDM_LIGHT_TERMS * 3, "light", 2e-3);
    memset(weight, 0, sizeof weight);
    assert_false(mdm_light_fit(light, (const float(*)[3])colour, weight, &world.canonical));
}

/* A gap in a track is bridged; what is far from a seen face is marked. */
static void gaps_are_bridged(void **state)
{
    NEEDS_MODELS();
    mdm_track_frame frame[FRAMES];
    memset(frame, 0, sizeof frame);
    for (int i = 0; i < FRAMES; i++)
        frame[i].has_mesh = i < 2 || i == 5;
    mdm_track track = {.count = FRAMES, .frame = frame, .point = world.points};
    mdm_motion m;
    ok(mdm_motion_from_track(&m, &track, &world.canonical, 25));
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(m.valid[i], i <= 8);
    for (int i = 0; i < FRAMES; i++)
        assert_true(isfinite(m.pose[i].scale) && m.pose[i].scale > 5);
    mdm_motion_free(&m);
    for (int i = 0; i < FRAMES; i++)
        frame[i].has_mesh = 0;
    assert_int_equal(mdm_motion_from_track(&m, &track, &world.canonical, 25), MDM_ERR_INPUT);
}

static void files_read_back(void **state)
{
    NEEDS_MODELS();
    char folder[] = "/tmp/mmdm-motion-XXXXXX", path[64];
    mdm_motions in = {&world.motion, 1}, out = {0};
    assert_non_null(mkdtemp(folder));
    world.motion.look.grain = 2.5f;
    world.motion.correction.view[3].turn[1] = 0.1f;
    world.motion.correction.rest[MDM_REST_LIFT] = 0.25f;
    world.motion.correction.gain[MDM_REST_LIFT] = 1.25f;
    ok(mdm_motions_write(&in, folder));
    ok(mdm_motions_read(&out, folder));
    assert_int_equal(out.count, 1);
    assert_int_equal(out.motion->first, 100);
    assert_int_equal(out.motion->count, FRAMES);
    assert_memory_equal(out.motion->eyes, world.motion.eyes, FRAMES * sizeof *out.motion->eyes);
    assert_memory_equal(out.motion->gaze, world.motion.gaze, FRAMES * sizeof *out.motion->gaze);
    assert_float_equal(out.motion->look.grain, 2.5, 1e-6);
    assert_float_equal(out.motion->correction.view[3].turn[1], 0.1, 1e-6);
    assert_float_equal(out.motion->correction.rest[MDM_REST_LIFT], 0.25, 1e-6);
    assert_float_equal(out.motion->correction.gain[MDM_REST_LIFT], 1.25, 1e-6);
    for (int v = 0; v < MDM_MESH_VERTICES; v++)
        assert_float_equal(out.motion->shape[8][v][1], world.motion.shape[8][v][1], 1e-4);
    mdm_motions_free(&out);
    /* a cut file and text that is no JSON are refused */
    snprintf(path, sizeof path, "%s/motion.safetensors", folder);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_not_equal(mdm_motions_read(&out, folder), MDM_OK);
    unlink(path);
    snprintf(path, sizeof path, "%s/motion.json", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"version\": 1, \"tracks\": 7", file);
    fclose(file);
    assert_int_not_equal(mdm_motions_read(&out, folder), MDM_OK);
    unlink(path);
    rmdir(folder);
}

/* A head in the middle of a picture of 512 px. */
static const mdm_pose portrait = {.scale = 20, .rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .shift = {256, 300, 0}};

/* A person who is played by a face like the person's own: the landmarks are where the person's are, in the window's pixels. */
static void landmarks_follow_the_person(void **state)
{
    (void)state;
    if (!world.ready)
        skip();
    const mdm_motion *m = &world.motion;
    mdm_talking_window windows[FRAMES];
    double worst = 0, iris = 0;
    ok(mdm_talking_windows(windows, m, &portrait));
    for (int i = 0; i < FRAMES; i++) {
        float got[MDM_LANDMARK_POINTS][2], image[MDM_MESH_POINTS][3];
        mdm_standin_landmarks(got, m, i, (const float(*)[3])m->neutral, &world.canonical, &windows[i]);
        mdm_motion_image(image, m, i);
        for (int v = 0; v < MDM_LANDMARK_POINTS; v++) {
            const float *want = v < MDM_MESH_VERTICES ? image[v] : world.points[i][v < 473 ? 468 : 473];
            const double x = windows[i].scale * (double)want[0] + windows[i].shift[0] - (double)got[v][0],
                         y = windows[i].scale * (double)want[1] + windows[i].shift[1] - (double)got[v][1];
            double *most = v < MDM_MESH_VERTICES ? &worst : &iris;
            *most = fmax(*most, hypot(x, y));
        }
        /* the head stays about where the portrait's is */
        assert_true(fabs(windows[i].scale * m->pose[i].shift[0] + windows[i].shift[0] - 256) < 60);
        assert_true(fabs(windows[i].scale * m->pose[i].scale / 20 - 1) < 0.2);
    }
    print_message("mesh within %.1f, irises within %.1f px of 300 (a face's width)\n", worst, iris);
    assert_true(worst < 5 && iris < 2);
    /* the head of a still picture is where it is in the portrait */
    mdm_motion one = *m;
    one.count = 1;
    ok(mdm_talking_windows(windows, &one, &portrait));
    assert_true(fabs(windows[0].scale * m->pose[0].shift[1] + windows[0].shift[1] - 300) < 1e-6);
}

/* Another face: its own proportions, the same turn of the head. */
static void landmarks_are_the_stand_ins(void **state)
{
    (void)state;
    if (!world.ready)
        skip();
    const mdm_motion *m = &world.motion;
    mdm_talking_window windows[FRAMES];
    float wide[MDM_MESH_VERTICES][3], a[MDM_LANDMARK_POINTS][2], b[MDM_LANDMARK_POINTS][2];
    for (int v = 0; v < MDM_MESH_VERTICES; v++) /* eyes further apart */
        for (int k = 0; k < 3; k++)
            wide[v][k] = m->neutral[v][k] * (k == 0 ? 1.1f : 1);
    ok(mdm_talking_windows(windows, m, &portrait));
    mdm_standin_landmarks(a, m, 8, (const float(*)[3])m->neutral, &world.canonical, &windows[8]);
    mdm_standin_landmarks(b, m, 8, (const float(*)[3])wide, &world.canonical, &windows[8]);
    const double narrow = hypot((double)(a[133][0] - a[362][0]), (double)(a[133][1] - a[362][1])),
                 wider = hypot((double)(b[133][0] - b[362][0]), (double)(b[133][1] - b[362][1]));
    assert_true(wider > 1.05 * narrow && wider < 1.15 * narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(landmarks_follow_the_person),
        cmocka_unit_test(landmarks_are_the_stand_ins),
        cmocka_unit_test(canonical_tables_agree),
        cmocka_unit_test(pose_agrees),
        cmocka_unit_test(motion_agrees),
        cmocka_unit_test(transfer_agrees),
        cmocka_unit_test(rest_agrees),
        cmocka_unit_test(gains_add_movement),
        cmocka_unit_test(standin_rests_as_the_person),
        cmocka_unit_test(light_agrees),
        cmocka_unit_test(gaps_are_bridged),
        cmocka_unit_test(files_read_back),
        cmocka_unit_test(profile_is_the_persons),
        cmocka_unit_test(corrections_follow_the_yaw),
        cmocka_unit_test(hidden_eyes_follow),
        cmocka_unit_test(probes_cover_the_views),
        cmocka_unit_test(neutral_faces_the_camera),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
