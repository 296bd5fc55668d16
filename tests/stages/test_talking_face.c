/* The animate backend echomimic on a made-up clip with a reduced model in the hub's cache: a picture for every frame, read in step; the
 * motion and the sound count, but no sound where the mouth is redrawn; what is missing is said. */
#define _POSIX_C_SOURCE 200809L /* setenv */
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

#include "common/fetched.h"
#include "common/ffmpeg_tool.h"
#include "common/scratch.h"
#include "common/talking_folder.h"
#include "face/pose.h"
#include "stages/talking_face.h"

enum { FRAMES = 14 };

static mdm_canonical canonical;
static mdm_motion motion;
static mdm_image portrait;
static mdm_mesh mesh;
static char tone[128], silence[128];
static int64_t pts[FRAMES];

static int make_stage(void **state)
{
    char path[256];
    if (make_folder(state))
        return 1;
    snprintf(path, sizeof path, "%s/hub/models--BadToBest--EchoMimic/refs", folder);
    ok(mdm_make_folder(path, 0700));
    talking_write(path, "main", "abc");
    snprintf(path, sizeof path, "%s/hub/models--BadToBest--EchoMimic/snapshots/abc", folder);
    ok(mdm_make_folder(path, 0700));
    talking_make_folder(path);
    in_folder(tone, "tone.wav");
    in_folder(silence, "silence.wav");
    snprintf(path, sizeof path, "-f lavfi -i sine=440:duration=1 -ar 16000 %s", tone);
    assert_true(ffmpeg(path));
    snprintf(path, sizeof path, "-f lavfi -i anullsrc=r=16000:cl=mono -t 1 %s", silence);
    assert_true(ffmpeg(path));
    return setenv("HF_HOME", folder, 1);
}

/* The canonical face, which turns and blinks. */
static void set_stage(void)
{
    const mdm_pose in_portrait = {.scale = 4, .rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .shift = {32, 32, 0}};
    need_file(models(), "canonical-face-model.obj");
    ok(mdm_canonical_load(&canonical, models()));
    ok(mdm_image_new(&portrait, TALKING_SIDE, TALKING_SIDE, 3));
    talking_portrait(portrait.data);
    mdm_to_image(mesh.point, (const float(*)[3])canonical.vertex, MDM_MESH_VERTICES, &in_portrait);
    ok(mdm_motion_alloc(&motion, FRAMES));
    motion.fps = 25;
    memcpy(motion.neutral, canonical.vertex, sizeof motion.neutral);
    motion.eye_neutral[0] = motion.eye_neutral[1] = 0.3f;
    for (int i = 0; i < FRAMES; i++) {
        const double turn = 0.03 * i, c = cos(turn), s = sin(turn);
        motion.pose[i] = (mdm_pose){.scale = 10, .rotation = {c, 0, s, 0, 1, 0, -s, 0, c}, .shift = {200 + i, 150, 0}};
        memcpy(motion.shape[i], canonical.vertex, sizeof motion.shape[i]);
        motion.eyes[i][0] = motion.eyes[i][1] = i % 7 == 3 ? 0.1f : 0.3f;
        motion.valid[i] = 1;
        pts[i] = 512 * i;
    }
}

static void clear_stage(void)
{
    mdm_motion_free(&motion);
    mdm_image_free(&portrait);
}

static bool keep; /* what is there already */

/* The video that is made; caller frees. */
static unsigned char *make(size_t *size, const char *sound, mdm_treatment mouth)
{
    char path[160];
    mdm_settings settings = {.animate = "echomimic-acc", .seed = 1};
    mdm_clip clip = {.source = (char *)(uintptr_t)sound,
                     .pts = pts,
                     .frames = FRAMES,
                     .time_base = {1, 12800},
                     .fps = 25,
                     .has_audio = sound != NULL};
    const mdm_clip_work work = {.folder = folder, .settings = &settings, .threads = 1};
    const mdm_motion_policy policy = {MDM_KEEP, mouth, MDM_KEEP, MDM_KEEP, true, 1, "x"};
    const mdm_talking_standin standin = {&portrait, &mesh, (const float(*)[3])motion.neutral};
    in_folder(path, "face-0.txt");
    if (!keep)
        unlink(path);
    ok(mdm_talking_face_make(&work, &clip, &motion, &policy, &standin, &canonical));
    snprintf(path, sizeof path, "%s/face-%d.mp4", folder, motion.track);
    return slurp(path, size);
}

static bool same(const unsigned char *a, size_t size_a, const unsigned char *b, size_t size_b)
{
    return size_a == size_b && !memcmp(a, b, size_a);
}

static void sound_and_motion_count(void **state)
{
    (void)state;
    size_t n[6];
    unsigned char *v[6];
    set_stage();
    v[0] = make(&n[0], tone, MDM_KEEP);
    v[1] = make(&n[1], silence, MDM_KEEP);
    v[2] = make(&n[2], tone, MDM_REDRAW);
    v[3] = make(&n[3], silence, MDM_REDRAW);
    motion.eyes[5][0] = motion.eyes[5][1] = 0.02f;
    v[4] = make(&n[4], tone, MDM_KEEP);
    v[5] = make(&n[5], tone, MDM_KEEP);
    assert_false(same(v[0], n[0], v[1], n[1]));
    assert_true(same(v[2], n[2], v[3], n[3])); /* what is said does not move a mouth that is not the person's */
    assert_false(same(v[0], n[0], v[4], n[4]));
    assert_true(same(v[4], n[4], v[5], n[5]));
    for (int i = 0; i < 6; i++)
        free(v[i]);
    char path[128];
    in_folder(path, "face-0.run");
    assert_false(mdm_file_exists(path));
    keep = true; /* it is not made again */
    in_folder(path, "face-0.mp4");
    ok(mdm_file_write(path, "mark", 4));
    free(make(&n[0], tone, MDM_KEEP));
    assert_int_equal(n[0], 4);
    free(make(&n[0], silence, MDM_KEEP));
    assert_true(n[0] > 1000);
    keep = false;
    clear_stage();
}

static void pictures_are_read_in_step(void **state)
{
    (void)state;
    size_t size = 0;
    const mdm_image *picture = NULL;
    mdm_talking_window window;
    mdm_talking_face *face = NULL;
    set_stage();
    free(make(&size, NULL, MDM_KEEP));
    ok(mdm_talking_face_open(&face, folder, &motion, &portrait, &mesh, &canonical));
    for (int i = 0; i < FRAMES; i += i == 4 ? 3 : 1) { /* some are not asked for */
        ok(mdm_talking_face_at(&picture, &window, face, i));
        assert_int_equal(picture->width, TALKING_SIDE);
        /* the head is where it is in the portrait, 4 px a cm about 32, 32 */
        assert_true(fabs(window.scale * 10 - 4) < 1e-3);
        assert_true(fabs(window.scale * 150 + window.shift[1] - 32) < 0.1);
    }
    ok(mdm_talking_face_at(&picture, &window, face, FRAMES - 1)); /* the same once more */
    assert_int_equal(mdm_talking_face_at(&picture, &window, face, 3), MDM_ERR_INTERNAL);
    assert_int_equal(mdm_talking_face_at(&picture, &window, face, FRAMES), MDM_ERR_INTERNAL);
    mdm_talking_face_free(&face);
    assert_null(face);
    clear_stage();
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    char path[128];
    mdm_talking_face *face = NULL;
    mdm_settings settings = {.animate = "echomimic"};
    set_stage();
    ok(mdm_talking_ready(&settings));
    motion.track = 7;
    assert_int_equal(mdm_talking_face_open(&face, folder, &motion, &portrait, &mesh, &canonical), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "face-7.mp4"));
    assert_int_equal(setenv("HF_HOME", "/nowhere", 1), 0);
    assert_int_equal(mdm_talking_ready(&settings), MDM_ERR_DEVICE);
    assert_non_null(strstr(mdm_error_message(), "mmdm models pull echomimic"));
    snprintf(settings.animate, sizeof settings.animate, "embedded");
    ok(mdm_talking_ready(&settings));
    assert_int_equal(setenv("HF_HOME", folder, 1), 0);
    in_folder(path, "hub/models--BadToBest--EchoMimic/snapshots/abc/motion_module_pose.safetensors");
    unlink(path);
    snprintf(settings.animate, sizeof settings.animate, "echomimic");
    assert_int_equal(mdm_talking_ready(&settings), MDM_ERR_DEVICE);
    assert_non_null(strstr(mdm_error_message(), "motion_module_pose"));
    clear_stage();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_and_motion_count),
        cmocka_unit_test(pictures_are_read_in_step),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, make_stage, remove_folder);
}
