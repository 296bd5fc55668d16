/* Tests of motion that is not kept: nothing of the person's movement is left in it, what is kept stays, draws repeat. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "face/mesh_index.h"
#include "face/redraw_motion.h"

enum { FRAMES = 2000 };

static mdm_canonical canonical; /* no border: everything is free to move */

/* A neutral face on a grid and a movement that depends on `phase`. */
static void make(mdm_motion *m, float phase)
{
    memset(m, 0, sizeof *m);
    assert_int_equal(mdm_motion_alloc(m, FRAMES), MDM_OK);
    m->fps = 25;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        m->neutral[i][0] = (float)(i % 22) - 10;
        m->neutral[i][1] = (float)(i / 22) - 10;
    }
    m->eye_neutral[0] = m->eye_neutral[1] = 0.3f;
    for (int f = 0; f < FRAMES; f++) {
        float move = sinf((float)f * 0.1f + phase);
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            for (int k = 0; k < 3; k++)
                m->shape[f][i][k] = m->neutral[i][k] + move;
        for (int e = 0; e < 2; e++) {
            m->eyes[f][e] = 0.3f + 0.1f * move;
            m->gaze[f][e][0] = m->gaze[f][e][1] = 0.2f * move;
        }
        m->lips[f] = move;
    }
    for (int k = 0; k < MDM_RESTS; k++)
        m->correction.rest[k] = 0.1f + phase;
}

static bool same(const mdm_motion *a, const mdm_motion *b)
{
    return memcmp(a->shape, b->shape, FRAMES * sizeof *a->shape) == 0 &&
           memcmp(a->eyes, b->eyes, FRAMES * sizeof *a->eyes) == 0 &&
           memcmp(a->gaze, b->gaze, FRAMES * sizeof *a->gaze) == 0 &&
           memcmp(a->lips, b->lips, FRAMES * sizeof *a->lips) == 0 &&
           memcmp(a->correction.rest, b->correction.rest, sizeof a->correction.rest) == 0;
}

static const mdm_motion_policy nothing = {
    MDM_REDRAW, MDM_REDRAW, MDM_REDRAW, MDM_REDRAW, false, 1, "person-01#0/clip-0001"};
static const mdm_motion_policy everything = {MDM_KEEP, MDM_KEEP, MDM_KEEP, MDM_KEEP, true, 1, "x"};

static void nothing_of_the_movement_is_left(void **state)
{
    (void)state;
    mdm_motion a, b;
    make(&a, 0), make(&b, 1);
    assert_false(same(&a, &b));
    mdm_motion_redraw(&a, &nothing, &canonical);
    mdm_motion_redraw(&b, &nothing, &canonical);
    assert_true(same(&a, &b));
    mdm_motion_free(&a), mdm_motion_free(&b);
}

static void what_is_kept_stays(void **state)
{
    (void)state;
    mdm_motion a, b;
    make(&a, 0), make(&b, 0);
    mdm_motion_redraw(&a, &everything, &canonical);
    assert_true(same(&a, &b));
    mdm_motion_policy policy = everything;
    policy.gaze = MDM_REDRAW;
    mdm_motion_redraw(&a, &policy, &canonical);
    assert_memory_equal(a.shape, b.shape, FRAMES * sizeof *a.shape);
    assert_memory_equal(a.eyes, b.eyes, FRAMES * sizeof *a.eyes);
    assert_memory_not_equal(a.gaze, b.gaze, FRAMES * sizeof *a.gaze);
    mdm_motion_free(&a), mdm_motion_free(&b);
}

/* 80 seconds at 15 blinks a minute; the gaze stays within two deviations and both eyes look the same way. */
static void blinks_and_gaze_are_as_stated(void **state)
{
    (void)state;
    mdm_motion a;
    make(&a, 0);
    mdm_motion_redraw(&a, &nothing, &canonical);
    int blinks = 0;
    double squares = 0;
    for (int f = 1; f < FRAMES; f++) {
        blinks += a.eyes[f][0] < 0.29f && a.eyes[f - 1][0] >= 0.29f;
        squares += (double)a.gaze[f][0][0] * (double)a.gaze[f][0][0];
        assert_true(fabsf(a.gaze[f][0][0] + a.gaze[f][1][0]) < 1e-6f);
        assert_true(fabsf(a.gaze[f][0][0]) <= 0.113f && fabsf(a.gaze[f][0][1]) <= 0.071f);
        assert_true(fabsf(a.gaze[f][0][0] - a.gaze[f - 1][0][0]) < 0.07f);
    }
    assert_in_range(blinks, 10, 32);
    assert_true(sqrt(squares / FRAMES) > 0.03 && sqrt(squares / FRAMES) < 0.08);
    mdm_motion_policy policy = nothing;
    policy.eyes = policy.gaze = MDM_REMOVE;
    mdm_motion_redraw(&a, &policy, &canonical);
    for (int f = 0; f < FRAMES; f++)
        assert_true(a.eyes[f][0] == 0.3f && fabsf(a.gaze[f][0][0]) < 1e-9f);
    mdm_motion_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_the_movement_is_left),
        cmocka_unit_test(what_is_kept_stays),
        cmocka_unit_test(blinks_and_gaze_are_as_stated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
