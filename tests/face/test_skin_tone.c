/* The skin around a face follows its tone, and nothing else does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "face/skin_mask.h"
#include "face/skin_tone.h"

#define SIDE  MDM_MATTE_SIDE
#define WIDTH 80.0f /* of the face, cells: as mdm_skin_around has it */

/* A face with a beard under it, a neck in shadow that grows paler downwards, red ears, dark hair and grey clothes, before a wall as
 * red as the face, which the matte leaves out. */
enum { FACE_Y = 88, CHIN = 140, COLLAR = 190, MIDDLE = 128 };

static void colour_of(uint8_t out[3], bool *person, int x, int y)
{
    static const uint8_t face[3] = {190, 140, 115}, beard[3] = {40, 30, 26}, ear[3] = {200, 105, 90},
                         hair[3] = {45, 35, 30}, clothes[3] = {150, 152, 156}, wall[3] = {188, 141, 117};
    const float d = hypotf((float)(x - MIDDLE), (float)(y - FACE_Y) * 0.77f);
    const bool neck = abs(x - MIDDLE) < 28 && y > FACE_Y && y < COLLAR,
               ears = abs(abs(x - MIDDLE) - 46) < 7 && abs(y - FACE_Y) < 14;
    const uint8_t *c = wall;
    *person = true;
    if (d < 40)
        c = y < FACE_Y - 38 ? hair : y > CHIN - 16 ? beard : face;
    else if (ears)
        c = ear;
    else if (hypotf((float)(x - MIDDLE), (float)(y - 60)) < 46 && y < FACE_Y - 20)
        c = hair;
    else if (neck) {
        const int pale = (y - CHIN) * 10 / (COLLAR - CHIN);
        out[0] = 131, out[1] = (uint8_t)(96 + pale), out[2] = (uint8_t)(79 + 2 * pale);
        return;
    } else if (y >= COLLAR || (abs(x - MIDDLE) < 110 && y > COLLAR - 20))
        c = clothes;
    else
        *person = false;
    memcpy(out, c, 3);
}

static void make(mdm_image *image, float *person, float *rgb, float (*points)[3])
{
    ok(mdm_image_new(image, SIDE, SIDE, 3));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            uint8_t *p = image->data + (size_t)y * image->stride + 3 * (size_t)x;
            bool there;
            colour_of(p, &there, x, y);
            person[y * SIDE + x] = there;
            for (int k = 0; k < 3; k++)
                rgb[(k * SIDE + y) * SIDE + x] = (float)p[k] / 255;
        }
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        points[i][0] = MIDDLE + 25 * sinf((float)i), points[i][1] = FACE_Y + 25 * cosf((float)i), points[i][2] = 0;
    static const short edge[6] = {127, 234, 93, 356, 454, 323};
    for (int i = 0; i < 6; i++)
        points[edge[i]][0] = i < 3 ? MIDDLE - 40 : MIDDLE + 40, points[edge[i]][1] = (float)(FACE_Y - 8 + 8 * (i % 3));
    points[10][0] = points[152][0] = MIDDLE, points[10][1] = FACE_Y - 45, points[152][1] = CHIN;
}

static float person[SIDE * SIDE], rgb[3 * SIDE * SIDE], mask[SIDE * SIDE], points[MDM_MESH_VERTICES][3];

static void mask_is_skin_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        int x, y;
        bool skin;
        const char *what;
    } place[] = {{MIDDLE, CHIN + 20, true, "neck"},       {MIDDLE - 20, COLLAR - 6, true, "neck beside the collar"},
                 {MIDDLE - 47, FACE_Y, true, "ear"},      {MIDDLE + 47, FACE_Y, true, "ear"},
                 {MIDDLE, COLLAR + 6, false, "clothes"},  {MIDDLE - 60, COLLAR + 6, false, "shoulder"},
                 {MIDDLE - 40, CHIN + 10, false, "wall"}, {MIDDLE, 25, false, "hair"}};
    mdm_image image;
    make(&image, person, rgb, points);
    ok(mdm_skin_mask(mask, person, rgb, (const float(*)[3])points, WIDTH));
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        const float got = mask[place[i].y * SIDE + place[i].x];
        if (place[i].skin ? got < 0.9f : got > 0.1f)
            fail_msg("%s: %g", place[i].what, (double)got);
    }
    mdm_image_free(&image);
}

static void tone_changes_what_the_mask_says(void **state)
{
    (void)state;
    static const float tone[3] = {-0.1f, -0.12f, -0.14f};
    mdm_image image, before;
    float square[3];
    make(&image, person, rgb, points);
    ok(mdm_image_copy(&before, &image));
    mdm_skin_around(square, (const float(*)[3])points, WIDTH);
    assert_true(fabsf(square[2] - SIDE) < 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        mask[i] = i / SIDE >= SIDE / 2;
    square[0] = square[1] = 0, square[2] = SIDE;
    const int rect[4] = {0, 0, SIDE, SIDE - 10};
    mdm_retone_skin(&image, rect, square, mask, (const float(*)[3])points, WIDTH, tone);
    const size_t row = image.stride;
    assert_memory_equal(image.data, before.data, row * (SIDE / 2 - 1)); /* the mask says no */
    assert_memory_equal(image.data + row * (SIDE - 10), before.data + row * (SIDE - 10), row * 10); /* outside rect */
    const uint8_t *now = image.data + row * 170 + 3 * MIDDLE, *was = before.data + row * 170 + 3 * MIDDLE;
    for (int k = 0; k < 3; k++) /* nearer to the face's colour too, which lies close to the neck's */
        assert_true(fabsf((float)now[k] - (((float)was[k] + 8) * expf(tone[k]) - 8)) < 3);
    mdm_image_free(&image);
    mdm_image_free(&before);
}

/* A grey recording's skin stays grey, whatever the tone. */
static void no_colour_where_there_is_none(void **state)
{
    (void)state;
    static mdm_standin standin;
    float light[2][MDM_LIGHT_TERMS][3] = {{{0}}}, warm[3] = {-0.3f, -0.4f, -0.5f}, grey[3] = {-0.3f, -0.4f, -0.5f};
    mdm_motion motion = {.count = 2, .light = light};
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        standin.colour[i][0] = 5.1f, standin.colour[i][1] = 4.8f, standin.colour[i][2] = 4.62f;
    mdm_skin_tone_fit(warm, &motion, &standin);
    for (int i = 0; i < 2; i++)
        light[i][0][1] = 0.3f, light[i][0][2] = 0.48f;
    mdm_skin_tone_fit(grey, &motion, &standin);
    assert_true(fabsf(warm[0] + 0.3f) < 1e-4f && fabsf(warm[2] + 0.5f) < 1e-4f);
    for (int k = 0; k < 3; k++)
        assert_true(fabsf(grey[k] + 0.4f) < 1e-4f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mask_is_skin_and_nothing_else),
                                       cmocka_unit_test(tone_changes_what_the_mask_says),
                                       cmocka_unit_test(no_colour_where_there_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
