/* Clustering of tracks into persons: who is joined, who never is, and that order does not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "face/cluster.h"

static mdm_identity_sample sample(int clip, int track, int first, int last, float x, float y)
{
    mdm_identity_sample s = {.clip = clip, .track = track, .first = first, .last = last, .dim = 2};
    s.embedding[0] = x;
    s.embedding[1] = y;
    return s;
}

static void joins_across_clips_and_numbers_by_appearance(void **state)
{
    (void)state;
    mdm_identity_sample s[4] = {sample(1, 0, 0, 9, 0, 0), sample(0, 0, 5, 9, 1, 1), sample(0, 1, 20, 30, 0.1f, 0),
                                sample(1, 1, 20, 29, 1, 0.9f)};
    int person[4];
    assert_int_equal(mdm_cluster_persons(person, s, 4, 0.5f), MDM_OK);
    int expected[4] = {1, 0, 1, 0};
    assert_memory_equal(person, expected, sizeof expected);
    mdm_identity_sample turned[4] = {s[3], s[2], s[1], s[0]};
    assert_int_equal(mdm_cluster_persons(person, turned, 4, 0.5f), MDM_OK);
    int expected_turned[4] = {0, 1, 0, 1};
    assert_memory_equal(person, expected_turned, sizeof expected_turned);
}

static void two_faces_at_once_are_two_people(void **state)
{
    (void)state;
    mdm_identity_sample s[3] = {sample(0, 0, 0, 9, 0, 0), sample(0, 1, 9, 20, 0, 0), sample(0, 2, 30, 40, 0, 0)};
    int person[3];
    assert_int_equal(mdm_cluster_persons(person, s, 3, 0.5f), MDM_OK);
    assert_int_not_equal(person[0], person[1]);
}

static void without_a_picture_everyone_is_a_stranger(void **state)
{
    (void)state;
    mdm_identity_sample s[2] = {sample(0, 0, 0, 9, 0, 0), sample(0, 1, 20, 29, 0, 0)};
    s[1].dim = 0;
    int person[2];
    assert_int_equal(mdm_cluster_persons(person, s, 2, 0.5f), MDM_OK);
    assert_int_not_equal(person[0], person[1]);
}

/* Average linkage: a chain of near neighbours is not swallowed as single linkage would. */
static void a_chain_is_not_one_person(void **state)
{
    (void)state;
    mdm_identity_sample s[5];
    for (int i = 0; i < 5; i++)
        s[i] = sample(0, i, 10 * i, 10 * i + 5, 0.4f * (float)i, 0);
    int person[5];
    assert_int_equal(mdm_cluster_persons(person, s, 5, 0.5f), MDM_OK);
    assert_int_not_equal(person[0], person[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_across_clips_and_numbers_by_appearance),
        cmocka_unit_test(two_faces_at_once_are_two_people),
        cmocka_unit_test(without_a_picture_everyone_is_a_stranger),
        cmocka_unit_test(a_chain_is_not_one_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
