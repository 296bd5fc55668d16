/* EchoMimic's crop on the numbers of its published test pictures (a mask that ends below the picture, at 1390, is cut), and its drawings of landmarks against a re-statement
 * (tools/make_echomimic_goldens.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/talking_folder.h"
#include "face/landmark_drawing.h"
#include "face/portrait_crop.h"

static void squares_are_the_published_ones(void **state)
{
    static const struct {
        int width, height;
        double box[4];
        int mask[4], square[4];
    } pictures[] = {
        {1342, 1342, {354.894, 344.671, 1068.325, 1294.904}, {284, 250, 1139, 1342}, {0, 0, 1342, 1342}},
        {2840, 2840, {771.935, 737.027, 2032.366, 2430.518}, {646, 568, 2158, 2600}, {142, 160, 2662, 2680}},
        {1280, 1280, {369.704, 260.411, 918.684, 1021.124}, {316, 184, 973, 1097}, {96, 92, 1193, 1189}},
        {884, 880, {250.991, 162.692, 616.445, 644.772}, {215, 115, 652, 693}, {69, 76, 798, 805}},
        {1266, 1264, {343.986, 344.558, 928.642, 1115.317}, {286, 268, 987, 1192}, {52, 48, 1221, 1217}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        mdm_portrait_crop crop;
        mdm_portrait_crop_find(&crop, pictures[i].box, pictures[i].width, pictures[i].height);
        assert_memory_equal(crop.mask, pictures[i].mask, sizeof crop.mask);
        assert_memory_equal(crop.square, pictures[i].square, sizeof crop.square);
    }
}

static void crops_stay_inside(void **state)
{
    static const double boxes[][4] = {{-50, -50, 20, 30}, {90, 40, 400, 60}, {5, 5, 5, 5},
                                      {30, 30, 10, 10},   {0, 0, 100, 50},   {NAN, 0, INFINITY, 1e30}};
    (void)state;
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        mdm_portrait_crop c;
        mdm_portrait_crop_find(&c, boxes[i], 100, 50);
        assert_true(c.square[0] >= 0 && c.square[1] >= 0 && c.square[2] <= 100 && c.square[3] <= 50);
        assert_true(c.square[2] > c.square[0] && c.square[2] - c.square[0] == c.square[3] - c.square[1]);
        assert_true(c.mask[0] >= 0 && c.mask[1] >= 0 && c.mask[2] <= 100 && c.mask[3] <= 50 && c.mask[2] > c.mask[0]);
    }
}

static void pictures_and_masks_are_cut_out(void **state)
{
    (void)state;
    mdm_image picture = {0}, out = {0};
    float mask[8 * 8];
    mdm_portrait_crop crop;
    ok(mdm_image_new(&picture, 40, 30, 3));
    for (int y = 0; y < 30; y++)
        for (int x = 0; x < 40; x++)
            picture.data[(size_t)y * picture.stride + (size_t)x * 3] = (uint8_t)(x * 4);
    crop = (mdm_portrait_crop){{12, 10, 20, 26}, {10, 6, 26, 22}};
    ok(mdm_portrait_crop_picture(&out, &crop, &picture, 8));
    assert_int_equal(out.data[0], 42);     /* between 10 and 11 */
    assert_int_equal(out.data[7 * 3], 98); /* between 24 and 25 */
    ok(mdm_portrait_crop_mask(mask, &crop, 40, 30, 8));
    assert_true(mask[0] == 0 && mask[7 * 8] == 0 && mask[2 * 8 + 1] == 1 && mask[7 * 8 + 4] == 1 &&
                mask[2 * 8 + 5] == 0);
    mdm_portrait_crop_all(&crop, 40, 30);
    ok(mdm_portrait_crop_mask(mask, &crop, 40, 30, 8));
    for (int i = 0; i < 64; i++)
        assert_true(mask[i] == 1);
    mdm_image_free(&picture);
    mdm_image_free(&out);
}

static float points[TALKING_FRAMES][478][2];

static void drawings_agree(void **state)
{
    (void)state;
    mdm_image picture = {0};
    mdm_tensor_file *file = NULL;
    int different = 0, drawn = 0;
    ok(mdm_tensor_file_open(&file, TALKING_GOLDEN "/pipelines.safetensors"));
    const mdm_array *want = mdm_tensor_file_find(file, "drawing");
    assert_non_null(want);
    assert_int_equal(want->size, 128 * 128 * 3);
    talking_landmarks(&points[0][0][0]);
    ok(mdm_image_new(&picture, MDM_LANDMARK_SIDE, MDM_LANDMARK_SIDE, 3));
    memset(picture.data, 77, picture.stride * MDM_LANDMARK_SIDE);
    mdm_landmarks_draw(&picture, (const float(*)[2])points[0], TALKING_SIDE, false);
    for (int y = 0; y < 128; y++)
        for (int x = 0; x < 128; x++) {
            const uint8_t *a = picture.data + (size_t)(4 * y) * picture.stride + (size_t)(12 * x);
            const uint8_t *b = (const uint8_t *)want->data + (y * 128 + x) * 3;
            different += memcmp(a, b, 3) != 0;
            drawn += b[0] || b[1] || b[2];
        }
    assert_true(drawn > 300);
    assert_int_equal(different, 0);
    mdm_tensor_file_free(&file);
    mdm_image_free(&picture);
}

static int count_drawn(const mdm_image *picture)
{
    int count = 0;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++)
            count += picture->data[(size_t)y * picture->stride + (size_t)x * 3] != 0;
    return count;
}

static void what_is_outside_is_not_drawn(void **state)
{
    (void)state;
    mdm_image picture = {0};
    ok(mdm_image_new(&picture, MDM_LANDMARK_SIDE, MDM_LANDMARK_SIDE, 3));
    for (int i = 0; i < 478; i++) {
        static const float far[] = {-1, 65, NAN, INFINITY, -1e30f};
        points[0][i][0] = far[i % 5];
        points[0][i][1] = 10;
    }
    mdm_landmarks_draw(&picture, (const float(*)[2])points[0], TALKING_SIDE, true);
    assert_int_equal(count_drawn(&picture), 0);
    points[0][13][0] = points[0][14][0] = points[0][312][0] = 32; /* upper lip only with the mouth */
    mdm_landmarks_draw(&picture, (const float(*)[2])points[0], TALKING_SIDE, false);
    assert_int_equal(count_drawn(&picture), 0);
    mdm_landmarks_draw(&picture, (const float(*)[2])points[0], TALKING_SIDE, true);
    assert_true(count_drawn(&picture) > 0);
    points[0][4][0] = TALKING_SIDE; /* on the edge is inside, and half the square is not */
    points[0][13][0] = -1;
    mdm_landmarks_draw(&picture, (const float(*)[2])points[0], TALKING_SIDE, false);
    assert_int_equal(count_drawn(&picture), 6 * 4);
    mdm_image_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squares_are_the_published_ones), cmocka_unit_test(crops_stay_inside),
        cmocka_unit_test(pictures_and_masks_are_cut_out), cmocka_unit_test(drawings_agree),
        cmocka_unit_test(what_is_outside_is_not_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
