/* Text in a picture that is much larger than what the text detector sees at once: a dashcam's burnt-in line (20 px high) in a
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

static void small_text_in_a_large_picture(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS"), *shared = getenv("MMDM_SHARED");
    char path[700], detector[700];
    snprintf(path, sizeof path, "%s/data/clips/dashcam_cc0_asian_man55.mp4",
             shared ? shared : MMDM_SOURCE_DIR "/../shared");
    models = models ? models : MMDM_SOURCE_DIR "/.deps/models";
    snprintf(detector, sizeof detector, "%s/ch_PP-OCRv4_det_infer.onnx", models);
    if (!mdm_file_exists(path) || !mdm_file_exists(detector)) {
        print_message("%s or %s is absent\n", path, detector);
        skip();
    }
    mdm_reader *reader;
    mdm_frame frame = {0};
    bool more;
    assert_int_equal(mdm_reader_open(&reader, path, NULL), MDM_OK);
    assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_OK);
    assert_int_equal(mdm_frame_rgb(&frame, 0, 0, 0, 0), MDM_OK);
    mdm_image small = frame.rgb, large;
    assert_int_equal(mdm_image_new(&large, 2560, 1600, 3), MDM_OK);
    for (int y = 0; y < small.height; y++) /* away from the corners, across the seam of two tiles */
        memcpy(large.data + (size_t)(y + 300) * large.stride + 3 * 500, small.data + (size_t)y * small.stride,
               3 * (size_t)small.width);
    mdm_text_finder *finder;
    mdm_region *regions;
    int count, read = 0;
    assert_int_equal(mdm_text_finder_new(&finder, models, 25, 1), MDM_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_text_in_a_large_picture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
