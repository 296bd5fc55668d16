/* Tests of the plan: nothing that is not kept depends on the source, draws depend on seed and person only, edits are checked
 * with line and reason, clips get their part. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/options.h"
#include "stages/plan.h"

static json_t *described(const char *age, const char *gender, const char *race, const char *expression)
{
    return json_pack("{s:[{s:i, s:{s:s, s:f}, s:{s:s, s:f}, s:s, s:b, s:{s:s}}]}", "tracks", "id", 0, "age", "bin", age,
                     "confidence", 0.8, "gender", "value", gender, "confidence", 0.9, "race", race, "glasses", 1,
                     "expression", "dominant", expression);
}

static const mdm_plan_track one_track[] = {{"clip-0001", 0, "person-01"}};

static json_t *plan_of(const mdm_settings *settings, const json_t *context)
{
    json_t *plan;
    const mdm_plan_clip clip = {"clip-0001", context};
    assert_int_equal(mdm_plan_make(&plan, settings, &clip, 1, one_track, 1), MDM_OK);
    return plan;
}

static const json_t *standin_of(const json_t *plan)
{
    return json_object_get(json_array_get(json_object_get(plan, "persons"), 0), "standin");
}

/* For every set of kept contexts: the plan is the same whatever the source looks like in all the others. */
static void what_is_not_kept_does_not_depend_on_the_source(void **state)
{
    (void)state;
    static const mdm_context contexts[] = {MDM_CONTEXT_AGE, MDM_CONTEXT_GENDER, MDM_CONTEXT_RACE,
                                           MDM_CONTEXT_EXPRESSION};
    static const char *const values[2][4] = {{"20-29", "female", "White", "happy"}, {"70+", "male", "Black", "angry"}};
    for (int kept = 0; kept < 16; kept++) {
        mdm_settings settings;
        mdm_settings_defaults(&settings);
        const char *other[4];
        for (int i = 0; i < 4; i++) {
            bool keep = kept >> i & 1;
            settings.context[contexts[i]] = keep ? MDM_KEEP : i % 2 ? MDM_REMOVE : MDM_REDRAW;
            other[i] = values[keep ? 0 : 1][i];
        }
        settings.context[MDM_CONTEXT_GLASSES] = MDM_KEEP;
        json_t *a_source = described(values[0][0], values[0][1], values[0][2], values[0][3]);
        json_t *b_source = described(other[0], other[1], other[2], other[3]);
        json_t *a = plan_of(&settings, a_source), *b = plan_of(&settings, b_source);
        assert_true(json_equal(a, b));
        if (kept & 1)
            assert_string_equal(json_string_value(json_object_get(standin_of(a), "age")), "20-29");
        json_decref(a), json_decref(b), json_decref(a_source), json_decref(b_source);
    }
}

/* And with nothing kept the plan can be made without any description at all. */
static void nothing_kept_needs_no_description(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    json_t *source = described("20-29", "female", "White", "happy");
    json_t *a = plan_of(&settings, source), *b = plan_of(&settings, NULL);
    assert_true(json_equal(a, b));
    json_decref(a), json_decref(b), json_decref(source);
}

static void draws_follow_seed_and_person(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    int ages[9] = {0}, races[7] = {0}, women = 0;
    for (int seed = 0; seed < 700; seed++) {
        settings.seed = (uint64_t)seed;
        json_t *plan = plan_of(&settings, NULL);
        const json_t *standin = standin_of(plan);
        for (int i = 0; i < 9; i++)
            ages[i] += strcmp(json_string_value(json_object_get(standin, "age")),
                              mdm_plan_values(MDM_CONTEXT_AGE)->names[i]) == 0;
        for (int i = 0; i < 7; i++)
            races[i] += strcmp(json_string_value(json_object_get(standin, "race")),
                               mdm_plan_values(MDM_CONTEXT_RACE)->names[i]) == 0;
        women += strcmp(json_string_value(json_object_get(standin, "gender")), "female") == 0;
        json_decref(plan);
    }
    assert_int_equal(ages[0] + ages[1] + ages[2] + ages[8], 0);
    for (int i = 3; i < 8; i++)
        assert_in_range(ages[i], 100, 180); /* 140 expected, sd 10.6 */
    for (int i = 0; i < 7; i++)
        assert_in_range(races[i], 65, 140); /* 100 expected, sd 9.3 */
    assert_in_range(women, 300, 400);
}

/* Keeping one context must not change what another one is drawn as. */
static void each_context_has_its_own_draw(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    json_t *source = described("20-29", "female", "White", "happy");
    json_t *a = plan_of(&settings, source);
    settings.context[MDM_CONTEXT_AGE] = MDM_KEEP;
    json_t *b = plan_of(&settings, source);
    assert_true(json_equal(json_object_get(standin_of(a), "race"), json_object_get(standin_of(b), "race")));
    assert_true(json_equal(json_object_get(standin_of(a), "gender"), json_object_get(standin_of(b), "gender")));
    json_decref(a), json_decref(b), json_decref(source);
}

static void coarse_values_stay_in_their_group(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    settings.context[MDM_CONTEXT_AGE] = MDM_COARSEN;
    json_t *source = described("30-39", "female", "White", "happy");
    int twenties = 0;
    for (int seed = 0; seed < 100; seed++) {
        settings.seed = (uint64_t)seed;
        json_t *plan = plan_of(&settings, source);
        const char *age = json_string_value(json_object_get(standin_of(plan), "age"));
        assert_true(strcmp(age, "20-29") == 0 || strcmp(age, "30-39") == 0);
        twenties += strcmp(age, "20-29") == 0;
        json_decref(plan);
    }
    assert_in_range(twenties, 30, 70);
    json_decref(source);
}

static void one_identity_per_clip_draws_again(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    settings.identity = MDM_IDENTITY_PER_CLIP;
    const mdm_plan_track tracks[] = {{"clip-0001", 0, "person-01"}, {"clip-0002", 4, "person-01"}};
    json_t *plan;
    assert_int_equal(mdm_plan_make(&plan, &settings, NULL, 0, tracks, 2), MDM_OK);
    const json_t *persons = json_object_get(plan, "persons");
    assert_int_equal(json_array_size(persons), 2);
    assert_string_not_equal(
        json_string_value(json_object_get(json_object_get(json_array_get(persons, 0), "standin"), "seed_key")),
        json_string_value(json_object_get(json_object_get(json_array_get(persons, 1), "standin"), "seed_key")));
    json_decref(plan);
}

static void excluded_persons_are_covered(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    settings.exclude_count = 1;
    memcpy(settings.exclude[0], "person-01", 10);
    json_t *plan = plan_of(&settings, NULL);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(plan, "persons"), 0), "action")), "cover");
    json_decref(plan);
    memcpy(settings.exclude[0], "person-99", 10);
    assert_int_equal(mdm_plan_make(&plan, &settings, NULL, 0, one_track, 1), MDM_ERR_USAGE);
}

/* ---- edited plans ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *from, *to, *message;
} edits[] = {
    {"\"age\": \"50-59\"", "\"age\": \"50-99\"", "did you mean \"50-59\""},
    {"\"action\": \"replace\"", "\"action\": \"replce\"", "expected replace or cover"},
    {"\"plates\": \"blur\"", "\"plates\": \"blurr\"", "did you mean 'blur'"},
    {"\"seed_key\"", "\"seedkey\"", "unknown name, did you mean \"seed_key\""},
    {"\"gaze\": \"redraw\"", "\"gaze\": \"redrew\"", "is not keep, coarsen, redraw or remove"},
    {"\"version\": 1", "\"version\": 2", "expected 1"},
    {"\"persons\": [", "\"persons\": [ 3, ", "expected a person"},
    {"\"clip-0001\": [", "\"clip-0001\": [ -1, ", "whole number from 0"},
    {"\"clip-0001\": [", "\"clip-0001\": [ 0, ", "belongs to another person already"},
    {"\"id\": \"person-01\"", "\"id\": \"../person\"", "expected an id"},
    {"\"attempt\": 0", "\"attempt\": 0.5", "whole number"},
    {"\"glasses\": true", "\"glasses\": \"no\"", "expected true or false"},
    {"\"glasses\": true", "\"glasses\": false", "change both"},
    {"\"persons\"", "persons", "not valid JSON"},
};

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at)
        fail_msg("the plan does not hold %s", from);
    size_t room = strlen(text) + strlen(to) + 1;
    char *out = malloc(room);
    snprintf(out, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void bad_edits_are_refused_with_their_line(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    settings.context[MDM_CONTEXT_AGE] = settings.context[MDM_CONTEXT_GLASSES] = MDM_KEEP;
    json_t *source = described("50-59", "female", "White", "happy");
    json_t *plan = plan_of(&settings, source);
    char *text = json_dumps(plan, JSON_INDENT(2) | JSON_SORT_KEYS);
    assert_int_equal(mdm_plan_check(plan, text, strlen(text), "plan.json"), MDM_OK);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *bad = replaced(text, edits[i].from, edits[i].to), path[] = "/tmp/mdm-plan-XXXXXX", where[32];
        int line = 1;
        for (const char *c = text; c < strstr(text, edits[i].from); c++)
            line += *c == '\n';
        int fd = mkstemp(path);
        FILE *file = fdopen(fd, "w");
        fputs(bad, file);
        fclose(file);
        json_t *loaded;
        assert_int_equal(mdm_plan_load(&loaded, path), MDM_ERR_CONFIG);
        snprintf(where, sizeof where, ":%d:", line);
        if (!strstr(mdm_error_message(), edits[i].message) || !strstr(mdm_error_message(), where))
            fail_msg("%s -> %s: %s (expected line %d)", edits[i].from, edits[i].to, mdm_error_message(), line);
        remove(path);
        free(bad);
    }
    free(text);
    json_decref(plan), json_decref(source);
}

static void a_clip_gets_its_part_and_every_track_an_owner(void **state)
{
    (void)state;
    mdm_settings settings, again;
    mdm_settings_defaults(&settings);
    settings.plates = MDM_COVER_FILL;
    settings.context[MDM_CONTEXT_GAZE] = MDM_KEEP;
    json_t *plan = plan_of(&settings, NULL), *part;
    const int tracks[] = {0, 7};
    assert_int_equal(mdm_plan_for_clip(&part, plan, "clip-0001", tracks, 1), MDM_OK);
    assert_string_equal(json_string_value(json_object_get(json_object_get(part, "regions"), "plates")), "fill");
    assert_int_equal(json_array_size(json_object_get(part, "persons")), 1);
    json_decref(part);
    assert_int_equal(mdm_plan_for_clip(&part, plan, "clip-0001", tracks, 2), MDM_ERR_CONFIG);
    assert_non_null(strstr(mdm_error_message(), "track 7 belongs to no person"));
    mdm_settings_defaults(&again);
    assert_int_equal(mdm_plan_settings(&again, plan), MDM_OK);
    assert_int_equal(again.plates, MDM_COVER_FILL);
    assert_int_equal(again.context[MDM_CONTEXT_GAZE], MDM_KEEP);
    json_decref(plan);
}

static void another_stand_in_changes_the_seed_key_and_ends_in_cover(void **state)
{
    (void)state;
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    json_t *plan = plan_of(&settings, NULL);
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, NULL, 100), MDM_PLAN_DRAWN_AGAIN);
    assert_string_equal(json_string_value(json_object_get(standin_of(plan), "seed_key")), "person-01#1");
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, NULL, 100), MDM_PLAN_COVERED);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(plan, "persons"), 0), "action")), "cover");
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, NULL, 100), MDM_PLAN_NOTHING);
    json_decref(plan);
}

/* Few frames at once, more of them when no other stand-in is left, and all of them when that is not enough. */
static void stretches_are_covered_where_they_are_few(void **state)
{
    (void)state;
    const int tracks[] = {0};
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    json_t *plan = plan_of(&settings, NULL), *part, *few = json_pack("[[i,i]]", 3, 7),
           *many = json_pack("[[i,i]]", 20, 34);
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, few, 100), MDM_PLAN_STRETCHES_COVERED);
    assert_int_equal(mdm_plan_for_clip(&part, plan, "clip-0001", tracks, 1), MDM_OK);
    json_t *got = json_object_get(json_array_get(json_object_get(part, "persons"), 0), "cover_frames");
    assert_true(json_equal(got, few));
    json_decref(part);
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, many, 100), MDM_PLAN_DRAWN_AGAIN);
    assert_null(json_object_get(json_array_get(json_object_get(plan, "persons"), 0), "cover_frames"));
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, many, 100), MDM_PLAN_STRETCHES_COVERED);
    assert_int_equal(mdm_plan_retry(plan, "person-01", "clip-0001", 2, many, 100), MDM_PLAN_COVERED);
    json_decref(few);
    json_decref(many);
    json_decref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_kept_does_not_depend_on_the_source),
        cmocka_unit_test(nothing_kept_needs_no_description),
        cmocka_unit_test(draws_follow_seed_and_person),
        cmocka_unit_test(each_context_has_its_own_draw),
        cmocka_unit_test(coarse_values_stay_in_their_group),
        cmocka_unit_test(one_identity_per_clip_draws_again),
        cmocka_unit_test(excluded_persons_are_covered),
        cmocka_unit_test(bad_edits_are_refused_with_their_line),
        cmocka_unit_test(a_clip_gets_its_part_and_every_track_an_owner),
        cmocka_unit_test(stretches_are_covered_where_they_are_few),
        cmocka_unit_test(another_stand_in_changes_the_seed_key_and_ends_in_cover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
