/* The search on a synthetic face that fills its picture, on the same face far away, and on half of it. Without the fetched detector the
 * test is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/fetched.h"
#include "common/ok.h"
#include "face/face_edge.h"

#define FACE MMDM_SOURCE_DIR "/tests/models/golden/facegen-portrait.png" /* 128 px, cheek to cheek about 88 */

/* `scale` times the face, its middle at (x, y) of a grey picture. */
static void paint(mdm_image *picture, int width, int height, double scale, double x, double y)
{
    mdm_image face;
    ok(mdm_image_read(&face, FACE, 3));
    ok(mdm_image_new(picture, width, height, 3));
    const double m[6] = {1 / scale, 0, 64 - x / scale, 0, 1 / scale, 64 - y / scale};
    mdm_image_warp(picture, &face, m, 110);
    mdm_image_free(&face);
}

static void look_at(mdm_face_detection found[MDM_FACE_SEARCH_MAX], int *count, int width, int height, double scale)
{
    mdm_face_search *search;
    mdm_image picture;
    ok(mdm_face_search_new(&search, models()));
    paint(&picture, width, height, scale, width / 2.0, height / 2.0);
    ok(mdm_face_search_everywhere(found, count, search, &picture));
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
    need_file(models(), "face_detection_full_range.tflite");
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

static void finds_half_a_face_at_the_edge(void **state)
{
    (void)state;
    static mdm_face_detection found[MDM_FACE_SEARCH_MAX];
    need_file(models(), "face_detection_full_range.tflite");
    need_file(models(), "face_landmark_with_attention.tflite");
    mdm_face_search *search;
    mdm_face_mesh *mesher;
    ok(mdm_face_search_new(&search, models()));
    ok(mdm_face_mesh_new(&mesher, models(), 1));
    /* half of it, the other half, and all of it: which is not for this search */
    const double middle[3] = {0, 639, 320};
    for (int i = 0; i < 3; i++) {
        mdm_image picture;
        int count = 0;
        paint(&picture, 640, 480, 1.5, middle[i], 200);
        ok(mdm_face_edge_search(found, &count, search, mesher, &picture));
        mdm_image_free(&picture);
        assert_int_equal(count, i < 2);
        double x = (double)(found[0].x + found[0].width / 2);
        if (i < 2 && (fabs(x - middle[i]) > 20 || !(found[0].width > 66 && found[0].width < 200)))
            fail_msg("half a face at %g: found at %g, %g px wide", middle[i], x, (double)found[0].width);
    }
    mdm_face_mesh_free(&mesher);
    mdm_face_search_free(&search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_a_face_of_any_size),
                                       cmocka_unit_test(finds_half_a_face_at_the_edge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
