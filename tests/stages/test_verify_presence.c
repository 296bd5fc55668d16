/* What verify says of a replaced face that no longer looks like one: boxes are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ok.h"
#include "stages/verify.h"

#define FRAMES 4

static const float face_box[4] = {100, 80, 90, 110};

static mdm_face_detection at(float x, float width)
{
    return (mdm_face_detection){.x = x, .y = 80, .width = width, .height = 110, .score = 0.9f};
}

/* Reason codes after FRAMES looks: the recording's face is found in all, the result's in the first `kept`. */
static size_t reasons_after(int kept, mdm_verify_state state, float width)
{
    mdm_verifier v = {0};
    mdm_track *track;
    mdm_track_reading readings[FRAMES] = {{0}};
    mdm_track_evidence evidence = {.reading = readings};
    const int index = 0;
    ok(mdm_tracks_add(&track, &v.found.tracks, 0));
    v.track = &evidence;
    for (int n = 0; n < FRAMES; n++) {
        const float box[4] = {face_box[0], face_box[1], width, face_box[3]};
        const mdm_face_detection source = at(face_box[0], width);
        const mdm_face_detection result = at(n < kept ? face_box[0] + 5 : 400, width); /* else: another face far away */
        ok(mdm_track_set_box(track, n, box, 1, MDM_TRACK_SEEN));
        readings[n].state = (unsigned char)state;
        mdm_verify_detected(&v, &source, 1, &result, 1, n);
    }
    json_t *reasons = json_array(), *seen = mdm_verify_presence(&v, &index, 1, "person-01", reasons);
    if (state == MDM_VERIFY_REPLACED && width >= MDM_MOTION_SMALLEST) {
        assert_int_equal(json_integer_value(json_object_get(seen, "before")), FRAMES);
        assert_int_equal(json_integer_value(json_object_get(seen, "after")), kept);
    } else {
        assert_true(json_is_null(seen));
    }
    const size_t count = json_array_size(reasons);
    if (count) {
        assert_string_equal(json_string_value(json_object_get(json_array_get(reasons, 0), "code")), "faceless");
        assert_string_equal(json_string_value(json_object_get(json_array_get(reasons, 0), "person")), "person-01");
    }
    json_decref(seen);
    json_decref(reasons);
    mdm_tracks_free(&v.found.tracks);
    return count;
}

static void a_face_that_is_lost_is_told(void **state)
{
    (void)state;
    assert_int_equal(reasons_after(FRAMES, MDM_VERIFY_REPLACED, 90), 0);
    assert_int_equal(reasons_after(2, MDM_VERIFY_REPLACED, 90), 0);
    assert_int_equal(reasons_after(1, MDM_VERIFY_REPLACED, 90), 1);
    assert_int_equal(reasons_after(0, MDM_VERIFY_REPLACED, 90), 1);
}

static void only_replaced_faces_of_some_size_count(void **state)
{
    (void)state;
    assert_int_equal(reasons_after(0, MDM_VERIFY_COVERED, 90), 0); /* a cover is no face, and need not be one */
    assert_int_equal(reasons_after(0, MDM_VERIFY_REPLACED, 30), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_that_is_lost_is_told),
        cmocka_unit_test(only_replaced_faces_of_some_size_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
