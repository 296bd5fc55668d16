/* Ingest and compose on a real clip: frame-exact output, everything outside the paint left alone, faces covered. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "stages/stage.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *clip_path(const char *name)
{
    static char path[512];
    const char *shared = getenv("MMDM_SHARED");
    snprintf(path, sizeof path, "%s/data/clips/%s", shared ? shared : MMDM_SOURCE_DIR "/../shared", name);
    if (!mdm_file_exists(path))
        snprintf(path, sizeof path, "%s/.deps/clips/%s", MMDM_SOURCE_DIR, name);
    if (mdm_file_exists(path))
        return path;
    print_message("skipped: %s is absent\n", name);
    skip();
    return NULL;
}

/* One track with a still box over all frames, and a line of text. */
static void write_found(const char *folder, const mdm_clip *clip, const float box[4])
{
    mdm_found found = {.frames = (int)clip->frames, .width = clip->width, .height = clip->height, .cut_count = 1};
    int cut = 0;
    found.cut = &cut;
    mdm_track *track;
    assert_int_equal(mdm_tracks_add(&track, &found.tracks, 0), MDM_OK);
    track->id = 0;
    for (int i = 0; i < found.frames; i++)
        assert_int_equal(mdm_track_set_box(track, i, box, 0.9f, MDM_TRACK_SEEN), MDM_OK);
    assert_int_equal(mdm_found_write(&found, folder), MDM_OK);
    mdm_tracks_free(&found.tracks);
}

static void compare(const mdm_clip *clip, const char *masked, const float box[4])
{
    mdm_reader *a, *b;
    mdm_frame fa = {0}, fb = {0};
    bool more_a, more_b;
    assert_int_equal(mdm_reader_open(&a, clip->source, NULL), MDM_OK);
    assert_int_equal(mdm_reader_open(&b, masked, NULL), MDM_OK);
    double outside = 0.0, inside = 0.0, outside_n = 0.0, inside_n = 0.0;
    size_t frames = 0;
    for (;; frames++) {
        assert_int_equal(mdm_reader_next(&more_a, a, &fa), MDM_OK);
        assert_int_equal(mdm_reader_next(&more_b, b, &fb), MDM_OK);
        assert_int_equal(more_a, more_b);
        if (!more_a)
            break;
        assert_true(fa.time - fb.time < 1e-6 && fb.time - fa.time < 1e-6);
        if (frames % 50)
            continue;
        mdm_image la, lb;
        assert_int_equal(mdm_frame_luma(&la, &fa), MDM_OK);
        assert_int_equal(mdm_frame_luma(&lb, &fb), MDM_OK);
        for (int y = 0; y < la.height; y++)
            for (int x = 0; x < la.width; x++) {
                const double d =
                    (double)la.data[(size_t)y * la.stride + (size_t)x] - lb.data[(size_t)y * lb.stride + (size_t)x];
                if (x >= box[0] && x < box[0] + box[2] && y >= box[1] && y < box[1] + box[3]) {
                    inside += d * d;
                    inside_n++;
                } else if (x < box[0] - box[2] * 0.5f || x > box[0] + box[2] * 1.5f || y < box[1] - box[3] * 0.5f ||
                           y > box[1] + box[3] * 1.5f) {
                    outside += d * d;
                    outside_n++;
                }
            }
    }
    assert_int_equal(frames, clip->frames);
    print_message("mean square difference: %.2f far from the face, %.1f on it\n", outside / outside_n,
                  inside / inside_n);
    assert_true(outside / outside_n < 12.0);
    assert_true(inside / inside_n > 60.0);
    mdm_frame_free(&fa);
    mdm_frame_free(&fb);
    mdm_reader_free(&a);
    mdm_reader_free(&b);
}

static void cover_clip(const char *name, const float box[4])
{
    char folder[] = "/tmp/mmdm-compose-XXXXXX", masked[64];
    const char *source = clip_path(name);
    assert_non_null(mkdtemp(folder));
    mdm_settings settings = {.voice = MDM_VOICE_KEEP, .words = MDM_WORDS_KEEP};
    mdm_clip_work work = {
        .clip_id = "clip-0001", .source = source, .folder = folder, .settings = &settings, .threads = 2};
    const double start = now();
    if (mdm_stage_ingest(&work) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    mdm_clip clip;
    assert_int_equal(mdm_clip_read(&clip, folder), MDM_OK);
    write_found(folder, &clip, box);
    if (mdm_stage_compose(&work) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    print_message("%s: %zu frames, ingest and compose at %.0f frames/s\n", name, clip.frames,
                  (double)clip.frames / (now() - start));
    snprintf(masked, sizeof masked, "%s/masked.mp4", folder);
    compare(&clip, masked, box);
    mdm_clip_free(&clip);
    if (!getenv("MMDM_KEEP"))
        mdm_remove_tree(folder, false);
}

static void small_talking_face(void **state)
{
    (void)state;
    cover_clip("cap13_edit2.mp4", (const float[4]){140, 70, 110, 140});
}

static void dashcam(void **state)
{
    (void)state;
    cover_clip("dashcam_cc0_headscarf.mp4", (const float[4]){500, 150, 260, 320});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_talking_face), cmocka_unit_test(dashcam)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
