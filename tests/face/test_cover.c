/* Covers hide every pixel of their shape and touch nothing beyond the rim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/cover.h"

enum { WIDTH = 200, HEIGHT = 150 };

/* A chequerboard, the finest detail there is: what is left of it shows as contrast between neighbours. */
static void make_board(mdm_image *image)
{
    assert_int_equal(mdm_image_new(image, WIDTH, HEIGHT, 3), MDM_OK);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH * 3; x++)
            image->data[(size_t)y * image->stride + (size_t)x] = (uint8_t)(((x / 3 + y) & 1) * 255);
}

static int contrast(const mdm_image *image, int x, int y)
{
    const uint8_t *p = image->data + (size_t)y * image->stride + (size_t)x * 3;
    return abs(p[3] - p[0]);
}

static void nothing_shows_inside(void **state)
{
    (void)state;
    static const mdm_cover kinds[] = {MDM_COVER_BLUR, MDM_COVER_MOSAIC, MDM_COVER_FILL};
    const float slanted[4][2] = {{40, 60}, {150, 40}, {155, 70}, {45, 90}};
    const float other_way[4][2] = {{45, 90}, {155, 70}, {150, 40}, {40, 60}};
    const mdm_shape shapes[] = {mdm_shape_face((const float[4]){60, 40, 60, 70}), mdm_shape_quad(slanted, 0.2f),
                                mdm_shape_quad(other_way, 0.0f), mdm_shape_rectangle(30, 20, 100, 80)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t k = 0; k < 3; k++) {
            mdm_image image, before;
            int r[4];
            make_board(&image);
            make_board(&before);
            assert_int_equal(mdm_cover_region(&image, &shapes[s], kinds[k]), MDM_OK);
            mdm_shape_bounds(r, &shapes[s], WIDTH, HEIGHT);
            assert_true(contrast(&image, 90, 65) < 60); /* inside all of them; a mosaic has steps at its cells */
            int sharp = 0;
            for (int y = 58; y < 72; y++)
                for (int x = 70; x < 110; x++)
                    sharp += contrast(&image, x, y) > 60;
            assert_int_equal(sharp, 0);
            for (int y = 0; y < HEIGHT; y++)
                for (int x = 0; x < WIDTH; x++)
                    if (x < r[0] || x >= r[0] + r[2] || y < r[1] || y >= r[1] + r[3])
                        assert_memory_equal(image.data + (size_t)y * image.stride + (size_t)x * 3,
                                            before.data + (size_t)y * before.stride + (size_t)x * 3, 3);
            mdm_image_free(&image);
            mdm_image_free(&before);
        }
}

static void a_rectangle_is_hidden_to_its_last_pixel(void **state)
{
    (void)state;
    mdm_image image;
    make_board(&image);
    const mdm_shape shape = mdm_shape_rectangle(30, 20, 100, 80);
    assert_int_equal(mdm_cover_region(&image, &shape, MDM_COVER_FILL), MDM_OK);
    for (int y = 20; y < 100; y++)
        for (int x = 30; x < 130; x++)
            assert_true(abs(image.data[(size_t)y * image.stride + (size_t)x * 3] - 127) < 8);
    mdm_image_free(&image);
}

static void wild_shapes_are_harmless(void **state)
{
    (void)state;
    mdm_image image, before;
    make_board(&image);
    make_board(&before);
    const mdm_shape shapes[] = {
        mdm_shape_face((const float[4]){NAN, 0, 10, 10}), mdm_shape_face((const float[4]){-500, -500, 20, 20}),
        mdm_shape_face((const float[4]){1e9f, 1e9f, 1e9f, 1e9f}), mdm_shape_rectangle(500, 500, 10, 10),
        mdm_shape_face((const float[4]){-1e9f, 20, 10, 10})};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        assert_int_equal(mdm_cover_region(&image, &shapes[s], MDM_COVER_BLUR), MDM_OK);
    assert_memory_equal(image.data, before.data, image.stride * HEIGHT);
    const mdm_shape small[] = {mdm_shape_face((const float[4]){50, 50, 0, 0}), mdm_shape_rectangle(10, 10, 1, 1),
                               mdm_shape_face((const float[4]){-20, -20, 60, 60}),
                               mdm_shape_rectangle(-50, -50, 900, 900)};
    for (size_t s = 0; s < sizeof small / sizeof *small; s++)
        assert_int_equal(mdm_cover_region(&image, &small[s], MDM_COVER_BLUR), MDM_OK);
    assert_true(contrast(&image, 100, 100) < 20); /* the last one hides everything */
    mdm_image_free(&image);
    mdm_image_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_shows_inside),
        cmocka_unit_test(a_rectangle_is_hidden_to_its_last_pixel),
        cmocka_unit_test(wild_shapes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
