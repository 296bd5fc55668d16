/* The skin around a face follows its tone, and nothing else does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/skin_tone.h"

#define SIDE  240
#define WIDTH 80.0f /* of the face, px */

/* A face of one colour with a neck in its shadow under it, before a blue wall, its mesh spread over it. */
static void make(mdm_image *image, float (*points)[3])
{
    assert_int_equal(mdm_image_new(image, SIDE, SIDE, 3), MDM_OK);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const bool face = hypotf((float)x - 120, (float)y - 90) < 45, neck = abs(x - 120) < 22 && y > 120;
            const uint8_t skin[3] = {190, 140, 115}, shadow[3] = {131, 96, 79}, wall[3] = {90, 110, 160};
            memcpy(image->data + (size_t)y * image->stride + 3 * (size_t)x, face ? skin : neck ? shadow : wall, 3);
        }
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        points[i][0] = 120 + 25 * sinf((float)i), points[i][1] = 90 + 25 * cosf((float)i), points[i][2] = 0;
    }
    points[234][0] = 80, points[454][0] = 160;
    points[10][1] = 45, points[152][1] = 135;
}

static void neck_changes_and_wall_does_not(void **state)
{
    (void)state;
    static float points[MDM_MESH_VERTICES][3];
    static float weight[SIDE * SIDE];
    static const float tone[3] = {-0.4f, -0.45f, -0.5f};
    mdm_image image, before;
    int around[4];
    make(&image, points);
    assert_int_equal(mdm_image_copy(&before, &image), MDM_OK);
    mdm_skin_around(around, (const float(*)[3])points, WIDTH);
    const int left = around[0] > 0 ? around[0] : 0, top = around[1] > 0 ? around[1] : 0;
    const int right = around[0] + around[2] < SIDE ? around[0] + around[2] : SIDE,
              bottom = around[1] + around[3] < SIDE ? around[1] + around[3] : SIDE;
    const int cut[4] = {left, top, right - left, bottom - top};
    assert_int_equal(mdm_retone_skin(&image, cut, (const float(*)[3])points, WIDTH, tone, weight), MDM_OK);
    const size_t neck = 160 * image.stride + 3 * 120, wall = 160 * image.stride + 3 * 170;
    for (int k = 0; k < 3; k++) {
        const float want = ((float)before.data[neck + (size_t)k] + 8) * expf(tone[k]) - 8;
        assert_true(fabsf((float)image.data[neck + (size_t)k] - want) < 3);
        assert_true(abs(image.data[wall + (size_t)k] - before.data[wall + (size_t)k]) < 3);
    }
    for (int y = 0; y < SIDE; y++) /* nothing beyond what mdm_skin_around says */
        for (int x = 0; x < SIDE; x++)
            if (x < around[0] || y < around[1] || x >= around[0] + around[2] || y >= around[1] + around[3])
                assert_memory_equal(image.data + (size_t)y * image.stride + 3 * (size_t)x,
                                    before.data + (size_t)y * before.stride + 3 * (size_t)x, 3);
    mdm_image_free(&image);
    mdm_image_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(neck_changes_and_wall_does_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
