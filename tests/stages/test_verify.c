/* How verify adds up: who may judge, what counts as recognised, what happens when nobody can tell; and the pulse. Vectors and
 * colours are made up, so that the right answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "common/ok.h"
#include "stages/verify_eyes.h"
#include "stages/verify_identity.h"
#include "stages/verify_pulse.h"

/* A unit vector in the plane of the first two axes, at `degrees`; dlib's are as long as their distances want. */
static void at_angle(float *out, mdm_judge judge, double degrees)
{
    int size = mdm_recogniser_size(mdm_judge_kind(judge));
    memset(out, 0, (size_t)size * sizeof *out);
    out[0] = (float)cos(degrees * 0.017453292519943295);
    out[1] = (float)sin(degrees * 0.017453292519943295);
}

/* 40 frames, 5 apart: the recording wanders by `wander` degrees from one frame to the next, back and forth; the result lies
 * `away` degrees from it. */
static void fill(mdm_judge_series *series, mdm_judge judge, double wander, double away)
{
    float a[MDM_RECOGNISER_MAX], b[MDM_RECOGNISER_MAX];
    for (int i = 0; i < 40; i++) {
        at_angle(a, judge, i % 2 ? wander : 0);
        at_angle(b, judge, (i % 2 ? wander : 0) + away);
        ok(mdm_judge_keep(series, judge, a, b, (const float[2]){0, 0}, 5 * i));
    }
}

static void measure(mdm_judge_figures figures[MDM_JUDGES], const double wander[MDM_JUDGES],
                    const double away[MDM_JUDGES])
{
    for (int j = 0; j < MDM_JUDGES; j++) {
        mdm_judge_series series = {0};
        fill(&series, (mdm_judge)j, wander[j], away[j]);
        ok(mdm_judge_measure(&figures[j], (mdm_judge)j, (const mdm_judge_series *[]){&series}, 1, 50));
        mdm_judge_forget(&series, (mdm_judge)j);
    }
}

/* "code code" of the reasons a person gets. */
static void expect(const char *codes, const double wander[MDM_JUDGES], const double away[MDM_JUDGES], int replaced)
{
    mdm_judge_figures figures[MDM_JUDGES];
    json_t *reasons = json_array(), *reason, *judges;
    char got[200] = "";
    size_t i;
    measure(figures, wander, away);
    judges = mdm_judges_decide(reasons, "person-01", figures, replaced);
    json_array_foreach(reasons, i, reason)
    {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s", i ? " " : "",
                 json_string_value(json_object_get(reason, "code")));
        assert_string_equal(json_string_value(json_object_get(reason, "person")), "person-01");
    }
    assert_string_equal(got, codes);
    json_decref(judges);
    json_decref(reasons);
}

static void the_held_out_judge_decides(void **state)
{
    (void)state;
    const double steady[MDM_JUDGES] = {5, 5, 5};
    expect("", steady, (const double[]){90, 90, 90}, 200);
    expect("reidentified", steady, (const double[]){10, 90, 90}, 200);
    expect("", steady, (const double[]){90, 10, 10}, 200); /* dlib and faceres chose the stand-in: reported only */
}

static void others_decide_where_it_is_blind(void **state)
{
    (void)state;
    const double blind[MDM_JUDGES] = {120, 5, 5};
    expect("", blind, (const double[]){90, 90, 90}, 200);
    expect("reidentified", blind, (const double[]){90, 10, 90}, 200);
    expect("reidentified reidentified", blind, (const double[]){90, 10, 10}, 200);
}

/* A clip of two seconds has no two views of the person far enough apart: nobody knows whether MobileFaceNet sees, so its silence
 * does not outvote the others. */
static void others_decide_where_it_is_unknown(void **state)
{
    (void)state;
    const double average = 2; /* far over every limit */
    mdm_judge_figures f[MDM_JUDGES];
    for (int j = 0; j < MDM_JUDGES; j++)
        f[j] = (mdm_judge_figures){.frames = 3, .average = average, .mean = average, .true_rate = NAN};
    for (int known = 0; known < 2; known++) {
        json_t *reasons = json_array();
        f[MDM_JUDGE_HELD_OUT].true_rate = known ? 1 : (double)NAN;
        f[MDM_JUDGE_FACERES].match_frames = 2;
        json_decref(mdm_judges_decide(reasons, "person-01", f, 15));
        assert_int_equal(json_array_size(reasons), known ? 0 : 1);
        json_decref(reasons);
    }
}

static void nobody_who_can_judge_is_no_proof(void **state)
{
    (void)state;
    const double blind[MDM_JUDGES] = {120, 120, 120}, away[MDM_JUDGES] = {90, 90, 90};
    expect("unjudged", blind, away, 200);
    expect("", blind, away, 0); /* nothing was replaced: covers are looked at elsewhere */
    json_t *reasons = json_array();
    mdm_judge_figures none[MDM_JUDGES] = {{.frames = 0, .true_rate = NAN}, {.true_rate = NAN}, {.true_rate = NAN}};
    json_decref(mdm_judges_decide(reasons, "person-02", none, 3));
    assert_int_equal(json_array_size(reasons), 1);
    json_decref(reasons);
}

static void figures_are_what_they_say(void **state)
{
    (void)state;
    mdm_judge_figures f[MDM_JUDGES];
    measure(f, (const double[]){0, 0, 0}, (const double[]){60, 60, 60});
    assert_int_equal(f[0].frames, 40);
    assert_int_equal(f[0].match_frames, 40); /* cosine 0.5 is over 0.45 */
    assert_true(fabs(f[0].mean - 0.5) < 1e-4 && fabs(f[0].average - 0.5) < 1e-4 && fabs(f[0].nearest - 0.5) < 1e-4);
    assert_true(fabs(f[0].true_rate - 1) < 1e-9 && f[0].pairs == 31 * 30 / 2);
    assert_true(fabs(f[0].wobble[0]) < 1e-6);
    measure(f, (const double[]){60, 60, 60}, (const double[]){90, 90, 90});
    assert_true(fabs(f[0].wobble[1] - 0.5) < 1e-4);
    assert_true(mdm_judge_sees(&f[0]));
}

/* A head that turns: the judge knows each view of it, but not one from the other. */
static void a_judge_is_asked_in_like_views(void **state)
{
    (void)state;
    float vector[MDM_RECOGNISER_MAX];
    for (int tilt = 0; tilt <= 11; tilt += 11) { /* degrees of pitch from one frame to the next */
        mdm_judge_series series = {0};
        mdm_judge_figures f;
        for (int i = 0; i < 12; i++) {
            at_angle(vector, MDM_JUDGE_HELD_OUT, i % 2 ? 90 : 0);
            const float view[2] = {i % 2 ? 40.0f : 0.0f, (float)(tilt * i)};
            ok(mdm_judge_keep(&series, MDM_JUDGE_HELD_OUT, vector, vector, view, 50 * i));
        }
        ok(mdm_judge_measure(&f, MDM_JUDGE_HELD_OUT, (const mdm_judge_series *[]){&series}, 1, 50));
        if (!tilt) { /* 15 pairs of either view */
            assert_int_equal(f.pairs, 30);
            assert_true(f.true_rate > 0.99 && mdm_judge_sees(&f));
        } else { /* no two views are alike: all 66 pairs tell */
            assert_int_equal(f.pairs, 66);
            assert_true(f.true_rate < 0.5 && !mdm_judge_sees(&f));
        }
        mdm_judge_forget(&series, MDM_JUDGE_HELD_OUT);
    }
}

static void thresholds_fall_with_the_rate(void **state)
{
    (void)state;
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++) {
        mdm_recogniser_kind kind = (mdm_recogniser_kind)k;
        assert_true(mdm_recogniser_at(kind, MDM_FAR_1E2) > mdm_recogniser_at(kind, MDM_FAR_1E3));
        assert_true(mdm_recogniser_at(kind, MDM_FAR_1E3) > mdm_recogniser_at(kind, MDM_FAR_1E4));
        assert_true(mdm_recogniser_at(kind, MDM_FAR_1E4) > 0);
        assert_true(mdm_recogniser_match(kind) >= mdm_recogniser_at(kind, MDM_FAR_1E3));
        assert_true(mdm_recogniser_match(kind) >= mdm_recogniser_same(kind));
    }
}

/* Skin under a pulse of 1.2 Hz and `light` that flickers at 0.3 Hz on both sides; the result has its own pulse or none. */
static double pulse_of(double strength, double hertz, bool gap)
{
    enum { COUNT = 300 };
    static float rgb[COUNT][2][3];
    static const double skin[3] = {180, 130, 110}, blood[3] = {0.33, 0.77, 0.53};
    mdm_random random;
    double correlation;
    mdm_random_seed(&random, 7, "pulse");
    for (int i = 0; i < COUNT; i++) {
        double t = i / 25.0, light = 1 + 0.05 * sin(2 * 3.14159265 * 0.3 * t);
        for (int side = 0; side < 2; side++) {
            double beat = side ? strength * sin(2 * 3.14159265 * hertz * t) : sin(2 * 3.14159265 * 1.2 * t);
            for (int c = 0; c < 3; c++)
                rgb[i][side][c] = (float)(skin[c] * light * (1 + 0.006 * blood[c] * beat) +
                                          0.05 * (mdm_random_uniform(&random) - 0.5));
        }
        if (gap && i % 30 == 0)
            rgb[i][0][0] = -1;
    }
    ok(mdm_pulse_correlation(&correlation, (const float(*)[2][3])rgb, COUNT, 25));
    return correlation;
}

static void the_pulse_is_told_from_light(void **state)
{
    (void)state;
    assert_true(pulse_of(1, 1.2, false) > 0.9);
    assert_true(fabs(pulse_of(0, 1.2, false)) < 0.3);
    assert_true(fabs(pulse_of(1, 1.7, false)) < 0.3);
    assert_true(isnan(pulse_of(1, 1.2, true))); /* no 1.6 seconds in a row */
}

/* Openings of 200 frames, open at 0.3 but for `low`, from frame `at` on, in shares of that. */
static void eyes_of(float (*opening)[2], int side, int at, const float *low, int count)
{
    for (int i = 0; i < 200; i++)
        opening[i][side] = 0.3f;
    for (int i = 0; i < count; i++)
        opening[at + i][side] = 0.3f * low[i];
}

static void one_closing_is_one_blink(void **state)
{
    (void)state;
    static float opening[200][2];
    static const float rests[] = {0.3f, 0.1f, 0.1f, 0.45f, 0.51f, 0.48f, 0.51f, 0.55f},
                       rests_lower[] = {0.3f, 0.1f, 0.1f, 0.45f, 0.49f, 0.48f, 0.49f, 0.55f},
                       twice[] = {0.3f, 0.3f, 0.7f, 0.3f, 0.3f}, glance[] = {0.55f, 0.48f, 0.55f};
    mdm_eye_closures e = {0};
    eyes_of(opening, 0, 50, rests, 8);
    eyes_of(opening, 1, 50, rests_lower, 8);
    ok(mdm_eye_closures_add(&e, (const float(*)[2])opening, 200));
    assert_int_equal(e.blinks[0], 1); /* passing one limit in between makes no second blink */
    assert_int_equal(e.blinks[1], 1);
    assert_int_equal(e.matched, 1);
    assert_int_equal(e.frames, 200);
    assert_int_equal(e.closed[0], 2);
    assert_int_equal(e.closed[1], 2);
    memset(&e, 0, sizeof e);
    eyes_of(opening, 0, 50, twice, 5);
    eyes_of(opening, 1, 60, glance, 3);
    ok(mdm_eye_closures_add(&e, (const float(*)[2])opening, 200));
    assert_int_equal(e.blinks[0], 2);
    assert_int_equal(e.blinks[1], 0);
    memset(&e, 0, sizeof e);
    opening[51][0] = opening[54][0] = -1; /* what was not read ends a blink and is not counted */
    eyes_of(opening, 1, 54, twice, 2);
    ok(mdm_eye_closures_add(&e, (const float(*)[2])opening, 200));
    assert_int_equal(e.blinks[0], 0);
    assert_int_equal(e.blinks[1], 1);
    assert_int_equal(e.frames, 198);
    memset(&e, 0, sizeof e);
    ok(mdm_eye_closures_add(&e, (const float(*)[2])opening, 4));
    assert_int_equal(e.frames, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_held_out_judge_decides),        cmocka_unit_test(others_decide_where_it_is_blind),
        cmocka_unit_test(others_decide_where_it_is_unknown), cmocka_unit_test(nobody_who_can_judge_is_no_proof),
        cmocka_unit_test(figures_are_what_they_say),         cmocka_unit_test(a_judge_is_asked_in_like_views),
        cmocka_unit_test(thresholds_fall_with_the_rate),     cmocka_unit_test(the_pulse_is_told_from_light),
        cmocka_unit_test(one_closing_is_one_blink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
