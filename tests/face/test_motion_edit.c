/* Tests of curves that a person draws over a motion: they change what they name, where they are, and nothing else. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "common/scratch.h"
#include "face/mesh_index.h"
#include "face/motion_edit.h"
#include "face/pose.h"

enum { FRAMES = 20, FIRST = 100 };

static void make(mdm_motion *m)
{
    assert_int_equal(mdm_motion_alloc(m, FRAMES), MDM_OK);
    m->first = FIRST;
    m->track = 3;
    m->eye_neutral[0] = m->eye_neutral[1] = 0.3f;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        m->neutral[i][0] = (float)(i % 22) - 10;
        m->neutral[i][1] = (float)(i / 22) - 10;
    }
    for (int i = 0; i < MDM_LIP_ROW; i++) /* a closed mouth */
        memcpy(m->neutral[mdm_lip_lower[i]], m->neutral[mdm_lip_upper[i]], sizeof m->neutral[0]);
    for (int f = 0; f < FRAMES; f++) {
        memcpy(m->shape[f], m->neutral, sizeof m->neutral);
        m->eyes[f][0] = m->eyes[f][1] = 0.3f;
        m->valid[f] = 1;
        m->pose[f] = (mdm_pose){10, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {300, 200, 0}};
    }
}

static mdm_status apply(mdm_motion *m, const char *text)
{
    char path[128];
    mdm_motions motions = {m, 1};
    in_folder(path, MDM_MOTION_EDIT);
    unlink(path);
    if (text)
        assert_int_equal(mdm_file_write(path, text, strlen(text)), MDM_OK);
    return mdm_motion_edit_apply(&motions, folder);
}

static void without_a_file_nothing_changes(void **state)
{
    mdm_motion m, same;
    (void)state;
    make(&m);
    make(&same);
    assert_int_equal(apply(&m, NULL), MDM_OK);
    assert_int_equal(apply(&m, "{\"tracks\": [{\"id\": 4, \"curves\": {\"blink\": [[100, 1]]}}]}"),
                     MDM_OK); /* another track */
    assert_memory_equal(m.shape, same.shape, FRAMES * sizeof *m.shape);
    assert_memory_equal(m.eyes, same.eyes, FRAMES * sizeof *m.eyes);
    assert_memory_equal(m.pose, same.pose, FRAMES * sizeof *m.pose);
    mdm_motion_free(&m);
    mdm_motion_free(&same);
}

static void curves_change_what_they_name(void **state)
{
    mdm_motion m;
    (void)state;
    make(&m);
    assert_int_equal(
        apply(
            &m,
            "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [[104, 0], [106, 1], [108, 0]], \"blink\": [[110, 1]], "
            "\"gaze_x\": [[112, 0.1], [113, 0.1]], \"yaw\": [[115, 10]], \"pitch\": [[116, 10]], \"roll\": [[117, "
            "10]]}}]}"),
        MDM_OK);
    assert_float_equal(mdm_edit_value(&m, MDM_EDIT_MOUTH, 3), 0, 1e-4);
    assert_true(mdm_edit_value(&m, MDM_EDIT_MOUTH, 6) > 0.8f && mdm_edit_value(&m, MDM_EDIT_MOUTH, 6) <= 1.01f);
    assert_float_equal(mdm_edit_value(&m, MDM_EDIT_MOUTH, 5), mdm_edit_value(&m, MDM_EDIT_MOUTH, 6) / 2, 1e-3);
    assert_float_equal(m.eyes[10][0], 0, 1e-6);
    assert_float_equal(m.eyes[9][0], 0.3, 1e-6);
    assert_float_equal(m.eyes[11][1], 0.3, 1e-6);
    assert_float_equal(mdm_edit_value(&m, MDM_EDIT_GAZE_X, 12), 0.1, 1e-6);
    assert_float_equal(mdm_edit_value(&m, MDM_EDIT_GAZE_Y, 12), 0, 1e-6);
    for (int c = 0; c < 3; c++)
        for (int other = 0; other < 3; other++)
            assert_float_equal(mdm_edit_value(&m, MDM_EDIT_YAW + other, 15 + c), other == c ? 10 : 0, 1e-3);
    mdm_motion_free(&m);
}

static void a_head_turns_about_its_middle(void **state)
{
    mdm_motion m;
    float before[MDM_MESH_VERTICES][3], after[MDM_MESH_VERTICES][3], middle[2][3] = {{0}};
    (void)state;
    make(&m);
    mdm_to_image(before, (const float(*)[3])m.neutral, MDM_MESH_VERTICES, &m.pose[15]);
    assert_int_equal(
        apply(&m, "{\"tracks\": [{\"id\": 3, \"curves\": {\"yaw\": [[115, 15]], \"roll\": [[115, -15]]}}]}"), MDM_OK);
    mdm_to_image(after, (const float(*)[3])m.neutral, MDM_MESH_VERTICES, &m.pose[15]);
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 3; k++)
            middle[0][k] += before[i][k], middle[1][k] += after[i][k];
    for (int k = 0; k < 3; k++)
        assert_float_equal(middle[0][k] / MDM_MESH_VERTICES, middle[1][k] / MDM_MESH_VERTICES, 0.01);
    mdm_motion_free(&m);
}

static void wrong_files_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"nose\": []}}]}",
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [[1, 99]]}}]}",
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [[5, 0], [5, 1]]}}]}",
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [[-1, 0]]}}]}",
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [[1.5, 0]]}}]}",
        "{\"tracks\": [{\"id\": 3, \"curves\": {\"mouth\": [1, 2]}}]}",
        "{\"tracks\": [{\"id\": \"x\", \"curves\": {}}]}",
        "{\"tracks\": 5}",
        "[",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mdm_motion m;
        make(&m);
        assert_int_not_equal(apply(&m, wrong[i]), MDM_OK);
        assert_float_equal(m.eyes[0][0], 0.3, 1e-6);
        mdm_motion_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_nothing_changes),
        cmocka_unit_test(curves_change_what_they_name),
        cmocka_unit_test(a_head_turns_about_its_middle),
        cmocka_unit_test(wrong_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
