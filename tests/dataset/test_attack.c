/* The attacks of the audit on made-up vectors: a person who is found, one who is not, links between clips, intervals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "dataset/attack.h"

enum { PERSONS = 3, CLIPS = 2, FRAMES = 4, SIZE = 192 };

static mdm_attack_sample samples[PERSONS * CLIPS * FRAMES * 2];
static float vectors[PERSONS * CLIPS * FRAMES * 2][SIZE];

/* Everybody's recording points along an axis of its own; results along another, but for person 0's, which is the recording
 * turned a little, and person 2's, which has another stand-in in every clip. */
static size_t fill(void)
{
    size_t n = 0;
    memset(vectors, 0, sizeof vectors);
    for (int p = 0; p < PERSONS; p++)
        for (int c = 0; c < CLIPS; c++)
            for (int f = 0; f < FRAMES; f++)
                for (int side = 0; side < 2; side++, n++) {
                    float *v = vectors[n];
                    if (!side || p == 0)
                        v[p] = 1;
                    else
                        v[10 + p + (p == 2 ? 10 * c : 0)] = 1;
                    if (side && p == 0)
                        v[30] = 0.3f;
                    float length = sqrtf(1 + v[30] * v[30]);
                    for (int i = 0; i < SIZE; i++)
                        v[i] /= length;
                    samples[n] = (mdm_attack_sample){MDM_RECOGNISER_MOBILEFACENET, side, c, p, 50 * f, v};
                }
    return n;
}

static long long found(const json_t *share)
{
    return (long long)json_integer_value(json_object_get(share, "found"));
}

static long long of(const json_t *share)
{
    return (long long)json_integer_value(json_object_get(share, "of"));
}

static void attacks_count_persons(void **state)
{
    (void)state;
    static const char *const names[PERSONS] = {"person-01", "person-02", "person-03"};
    const mdm_attack_setting setting = {names, PERSONS, true};
    json_t *report;
    assert_int_equal(mdm_attack_report(&report, &setting, samples, fill()), MDM_OK);
    assert_int_equal(json_integer_value(json_object_get(report, "persons")), PERSONS);
    assert_int_equal(json_array_size(json_object_get(report, "recognisers")), 1);
    const json_t *one = json_array_get(json_object_get(report, "recognisers"), 0);
    const json_t *limit = json_object_get(json_object_get(one, "verification"), "limit");
    assert_int_equal(found(limit), 1);
    assert_int_equal(of(limit), 3);
    assert_int_equal(found(json_object_get(limit, "unmasked")), 3);
    assert_true(fabs(json_number_value(json_object_get(limit, "pairs")) - 1.0 / 3) < 1e-3);
    const json_t *rank = json_object_get(one, "rank_1");
    assert_int_equal(found(rank), 1);
    assert_int_equal(json_integer_value(json_object_get(rank, "gallery")), 3);
    assert_int_equal(found(json_object_get(rank, "unmasked")), 3);
    const json_t *link = json_object_get(one, "linking");
    assert_int_equal(found(json_object_get(link, "clips_of_one_person")), 2); /* persons 0 and 1 */
    assert_int_equal(of(json_object_get(link, "clips_of_one_person")), 3);
    assert_int_equal(found(json_object_get(link, "clips_of_two_persons")), 0);
    assert_int_equal(of(json_object_get(link, "clips_of_two_persons")), 12);
    assert_string_equal(json_string_value(json_object_get(json_object_get(one, "worst"), "person")), "person-01");
    json_decref(report);
}

static void nobody_gives_nothing(void **state)
{
    (void)state;
    static const char *const names[1] = {"person-01"};
    json_t *report;
    assert_int_equal(mdm_attack_report(&report, &(mdm_attack_setting){names, 1, true}, NULL, 0), MDM_OK);
    assert_true(json_is_null(report));
    json_decref(report);
    fill(); /* one person alone: no search */
    assert_int_equal(mdm_attack_report(&report, &(mdm_attack_setting){names, 1, false}, samples, FRAMES * 2), MDM_OK);
    const json_t *one = json_array_get(json_object_get(report, "recognisers"), 0);
    assert_true(json_is_null(json_object_get(one, "rank_1")));
    json_decref(report);
}

static void intervals_are_wilsons(void **state)
{
    (void)state;
    double low, high;
    mdm_wilson(&low, &high, 0, 20); /* Brown, Cai, DasGupta 2001 */
    assert_true(low == 0 && fabs(high - 0.1611) < 1e-3);
    mdm_wilson(&low, &high, 5, 10);
    assert_true(fabs(low - 0.2366) < 1e-3 && fabs(high - 0.7634) < 1e-3);
    mdm_wilson(&low, &high, 0, 0);
    assert_true(low == 0 && high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attacks_count_persons),
        cmocka_unit_test(nobody_gives_nothing),
        cmocka_unit_test(intervals_are_wilsons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
