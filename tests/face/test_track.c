/* Tracks: growth at both ends keeps frames in place, gaps and ends are filled within their shot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "face/track.h"

static mdm_mesh mesh_at(float x)
{
    mdm_mesh mesh = {.presence = 0.9f};
    for (int i = 0; i < MDM_MESH_POINTS; i++) {
        mesh.point[i][0] = x + (float)(i % 10);
        mesh.point[i][1] = 5 + (float)(i / 48);
    }
    return mesh;
}

static void grows_backwards(void **state)
{
    (void)state;
    mdm_tracks tracks = {0};
    mdm_track *track;
    assert_int_equal(mdm_tracks_add(&track, &tracks, 100), MDM_OK);
    mdm_mesh mesh = mesh_at(1000);
    assert_int_equal(mdm_track_set_mesh(track, 100, &mesh), MDM_OK);
    for (int n = 99; n >= 20; n--) {
        mesh = mesh_at((float)n);
        assert_int_equal(mdm_track_set_mesh(track, n, &mesh), MDM_OK);
    }
    assert_int_equal(track->first, 20);
    assert_int_equal(track->count, 81);
    assert_float_equal(track->point[0][0][0], 20, 0);
    assert_float_equal(track->point[80][0][0], 1000, 0);
    assert_float_equal(mdm_track_at(track, 55)->box[0], 55, 0);
    assert_null(mdm_track_at(track, 19));
    assert_null(mdm_track_at(track, 101));
    mdm_tracks_free(&tracks);
}

static void fills_gaps_and_ends_inside_the_shot(void **state)
{
    (void)state;
    mdm_tracks tracks = {0};
    mdm_track *track;
    assert_int_equal(mdm_tracks_add(&track, &tracks, 10), MDM_OK);
    mdm_mesh a = mesh_at(0), b = mesh_at(40);
    assert_int_equal(mdm_track_set_mesh(track, 10, &a), MDM_OK);
    assert_int_equal(mdm_track_set_mesh(track, 14, &b), MDM_OK);
    assert_int_equal(mdm_track_fill(track, 5, 4, 8, 15), MDM_OK);
    assert_int_equal(track->first, 8);
    assert_int_equal(track->first + track->count - 1, 15);
    assert_float_equal(mdm_track_at(track, 12)->box[0], 20, 1e-4);
    assert_int_equal(mdm_track_at(track, 12)->state, MDM_TRACK_FILLED);
    assert_int_equal(mdm_track_at(track, 8)->state, MDM_TRACK_FILLED);
    assert_int_equal(mdm_track_at(track, 14)->state, MDM_TRACK_SEEN);
    mdm_tracks_free(&tracks);
}

static void a_long_gap_stays_lost(void **state)
{
    (void)state;
    mdm_tracks tracks = {0};
    mdm_track *track;
    assert_int_equal(mdm_tracks_add(&track, &tracks, 0), MDM_OK);
    mdm_mesh a = mesh_at(0);
    assert_int_equal(mdm_track_set_mesh(track, 0, &a), MDM_OK);
    assert_int_equal(mdm_track_set_mesh(track, 20, &a), MDM_OK);
    assert_int_equal(mdm_track_fill(track, 10, 0, 0, 20), MDM_OK);
    assert_int_equal(mdm_track_at(track, 10)->state, MDM_TRACK_LOST);
    mdm_tracks_free(&tracks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_backwards),
        cmocka_unit_test(fills_gaps_and_ends_inside_the_shot),
        cmocka_unit_test(a_long_gap_stays_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
