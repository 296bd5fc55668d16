/* Burnt-in text that stands still, and text in a picture that is much larger than what the text detector sees at once: a dashcam's burnt-in line (20 px high) in a
 * frame 2560 px wide must be found and read in tiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/reader.h"
#include "stages/find_text.h"

static const char *models(void)
{
    const char *given = getenv("MMDM_MODELS");
    return given ? given : MMDM_SOURCE_DIR "/.deps/models";
}

/* The first frame of a dashcam's recording; skips the test where that or the networks are not there. */
static void dashcam_frame(mdm_reader **reader, mdm_frame *frame)
{
    const char *shared = getenv("MMDM_SHARED");
    char path[700], detector[700];
    bool more;
    snprintf(path, sizeof path, "%s/data/clips/dashcam_cc0_asian_man55.mp4",
             shared ? shared : MMDM_SOURCE_DIR "/../shared");
    snprintf(detector, sizeof detector, "%s/ch_PP-OCRv4_det_infer.onnx", models());
    if (!mdm_file_exists(path) || !mdm_file_exists(detector)) {
        print_message("%s or %s is absent\n", path, detector);
        skip();
    }
    assert_int_equal(mdm_reader_open(reader, path, NULL), MDM_OK);
    assert_int_equal(mdm_reader_next(&more, *reader, frame), MDM_OK);
    assert_int_equal(mdm_frame_rgb(frame, 0, 0, 0, 0), MDM_OK);
}

/* Candidates wait in a queue, every other one is passed over and what was read is not read anew: none of that shows. */
static void text_that_stands_still(void **state)
{
    (void)state;
    enum { FRAMES = 130, EVERY = 12 };
    mdm_reader *reader;
    mdm_frame frame = {0};
    mdm_text_finder *finder;
    mdm_region *regions;
    int count, read = 0;
    dashcam_frame(&reader, &frame);
    assert_int_equal(mdm_text_finder_new(&finder, models(), 25, 1), MDM_OK);
    for (int n = 0; n < FRAMES; n++)
        if (mdm_text_finder_wants(finder, n, n == 0)) {
            assert_int_equal(n % EVERY, 0);
            assert_int_equal(mdm_text_finder_push(finder, &frame.rgb, n, n == 0), MDM_OK);
        }
    assert_int_equal(mdm_text_finder_finish(&regions, &count, finder, FRAMES), MDM_OK);
    for (int i = 0; i < count; i++) {
        print_message("%s: %s\n", regions[i].kind, regions[i].reading);
        read += strstr(regions[i].reading, "AB12") && strstr(regions[i].reading, "52.5200");
        assert_int_equal(regions[i].count, FRAMES);
        for (int n = 0; n < FRAMES; n++) {
            assert_int_equal(regions[i].quad[n].frame, n);
            assert_memory_equal(regions[i].quad[n].corner, regions[i].quad[0].corner, sizeof regions[i].quad[n].corner);
        }
        mdm_free(&regions[i].quad);
    }
    assert_int_equal(count, 1);
    assert_int_equal(read, 1);
    mdm_free(&regions);
    mdm_text_finder_free(&finder);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
}

static void small_text_in_a_large_picture(void **state)
{
    (void)state;
    mdm_reader *reader;
    mdm_frame frame = {0};
    dashcam_frame(&reader, &frame);
    mdm_image small = frame.rgb, large;
    assert_int_equal(mdm_image_new(&large, 2560, 1600, 3), MDM_OK);
    for (int y = 0; y < small.height; y++) /* away from the corners, across the seam of two tiles */
        memcpy(large.data + (size_t)(y + 300) * large.stride + 3 * 500, small.data + (size_t)y * small.stride,
               3 * (size_t)small.width);
    mdm_text_finder *finder;
    mdm_region *regions;
    int count, read = 0;
    assert_int_equal(mdm_text_finder_new(&finder, models(), 25, 1), MDM_OK);
    assert_int_equal(mdm_text_finder_push(finder, &large, 0, true), MDM_OK);
    assert_int_equal(mdm_text_finder_finish(&regions, &count, finder, 1), MDM_OK);
    for (int i = 0; i < count; i++) {
        print_message("%s: %s\n", regions[i].kind, regions[i].reading);
        read += strstr(regions[i].reading, "AB12") || strstr(regions[i].reading, "2026-03-04") ||
                strstr(regions[i].reading, "52.5200");
        mdm_free(&regions[i].quad);
    }
    mdm_free(&regions);
    mdm_text_finder_free(&finder);
    mdm_image_free(&large);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    assert_true(read >= 2);
}

/* A region around (x, y) over frames 0 to 9. */
static void add_region(mdm_found *found, const char *reading, float x, float y)
{
    mdm_region *region = &found->region[found->region_count++];
    *region = (mdm_region){.kind = "text", .count = 10};
    snprintf(region->reading, sizeof region->reading, "%s", reading);
    assert_int_equal(mdm_alloc(&region->quad, 10, sizeof *region->quad, "region"), MDM_OK);
    for (int i = 0; i < 10; i++) {
        const float corner[4][2] = {{x - 20, y - 5}, {x + 20, y - 5}, {x + 20, y + 5}, {x - 20, y + 5}};
        region->quad[i].frame = i;
        memcpy(region->quad[i].corner, corner, sizeof corner);
    }
}

static void a_beard_is_no_text(void **state)
{
    (void)state;
    mdm_region regions[4] = {0};
    mdm_found found = {.region = regions};
    mdm_track *track;
    const float face[4] = {100, 100, 80, 100};
    assert_int_equal(mdm_tracks_add(&track, &found.tracks, 0), MDM_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(mdm_track_set_box(track, i, face, 0.9f, MDM_TRACK_FILLED), MDM_OK);
    add_region(&found, "9", 140, 180);       /* on the chin */
    add_region(&found, "AB12 CD", 140, 180); /* read in earnest: whoever burnt it in did not look at the face */
    add_region(&found, "9", 300, 180);       /* beside the face */
    mdm_text_off_faces(&found);
    assert_int_equal(found.region_count, 2);
    assert_string_equal(found.region[0].reading, "AB12 CD");
    assert_string_equal(found.region[1].reading, "9");
    for (int i = 0; i < found.region_count; i++)
        mdm_free(&found.region[i].quad);
    mdm_tracks_free(&found.tracks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_that_stands_still),
                                       cmocka_unit_test(small_text_in_a_large_picture),
                                       cmocka_unit_test(a_beard_is_no_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
