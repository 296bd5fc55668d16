/* The search on a synthetic face that fills its picture and on the same face far away. Without the fetched detector the
 * test is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "face/face_search.h"

#define FACE MMDM_SOURCE_DIR "/tests/models/golden/facegen-portrait.png" /* 128 px, cheek to cheek about 88 */

static void ok(mdm_status status)
{
    if (status)
        fail_msg("%s", mdm_error_message());
}

static const char *models(void)
{
    const char *folder = getenv("MMDM_MODELS");
    return folder && *folder ? folder : MMDM_SOURCE_DIR "/.deps/models";
}

/* `scale` times the face, its middle in the middle of a grey picture. */
static void look_at(mdm_face_detection found[MDM_FACE_SEARCH_MAX], int *count, int width, int height, double scale)
{
    mdm_face_search *search;
    mdm_image face, picture;
    ok(mdm_face_search_new(&search, models()));
    ok(mdm_image_read(&face, FACE, 3));
    ok(mdm_image_new(&picture, width, height, 3));
    const double m[6] = {1 / scale, 0, 64 - (double)width / 2 / scale, 0, 1 / scale, 64 - (double)height / 2 / scale};
    mdm_image_warp(&picture, &face, m, 110);
    ok(mdm_face_search_everywhere(found, count, search, &picture));
    mdm_image_free(&face);
    mdm_image_free(&picture);
    mdm_face_search_free(&search);
}

static void finds_a_face_of_any_size(void **state)
{
    static const struct {
        int width, height;
        double scale;
    } views[] = {{224, 224, 2.5}, {400, 300, 3.6}, {640, 480, 1}, {640, 480, 0.25}, {1280, 720, 0.2}};
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/face_detection_full_range.tflite", models());
    if (!mdm_file_exists(path)) {
        print_message("%s is absent: ./setup fetches it\n", path);
        skip();
    }
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        static mdm_face_detection found[MDM_FACE_SEARCH_MAX];
        int count;
        look_at(found, &count, views[i].width, views[i].height, views[i].scale);
        if (count != 1)
            fail_msg("%d x %d, face at %g: %d faces found, expected 1", views[i].width, views[i].height, views[i].scale,
                     count);
        double size = 88 * views[i].scale, x = found[0].x + found[0].width / 2, y = found[0].y + found[0].height / 2;
        if (fabs(x - views[i].width / 2.0) > size / 3 || fabs(y - views[i].height / 2.0) > size / 3 ||
            !(found[0].width > size / 2 && found[0].width < 2 * size))
            fail_msg("%d x %d, face at %g: found at %g, %g, %g px wide", views[i].width, views[i].height,
                     views[i].scale, x, y, (double)found[0].width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_a_face_of_any_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
