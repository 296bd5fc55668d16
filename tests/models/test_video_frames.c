/* Frame numbers and resampled pictures, byte for byte as Python and PIL give them (tools/make_pllava_goldens.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/ok.h"
#include "common/pllava_folder.h"
#include "models/video_frames.h"
#include "nn/tensor_file.h"

static void frame_numbers_agree(void **state)
{
    (void)state;
    json_t *root = json_load_file(PLLAVA_GOLDEN "/frames.json", 0, NULL), *one, *number;
    size_t i, k, seen = 0;
    assert_non_null(root);
    json_array_foreach(json_object_get(root, "frames"), i, one)
    {
        int64_t got[16];
        mdm_sample_frames(got, (int)json_integer_value(json_object_get(one, "count")),
                          json_integer_value(json_object_get(one, "first")),
                          json_integer_value(json_object_get(one, "last")));
        json_array_foreach(json_object_get(one, "frames"), k, number)
            assert_int_equal(got[k], json_integer_value(number)),
            seen++;
    }
    assert_true(seen > 150);
    json_array_foreach(json_object_get(root, "shrunk"), i, one)
    {
        const json_t *from = json_object_get(one, "size"), *to = json_object_get(one, "shrunk");
        mdm_image image = {0}, out = {0};
        ok(mdm_image_new(&image, (int)json_integer_value(json_array_get(from, 0)),
                         (int)json_integer_value(json_array_get(from, 1)), 3));
        ok(mdm_frame_shrink(&out, &image, 336));
        assert_int_equal(out.width, json_integer_value(json_array_get(to, 0)));
        assert_int_equal(out.height, json_integer_value(json_array_get(to, 1)));
        mdm_image_free(&image);
        mdm_image_free(&out);
    }
    json_decref(root);
}

static void same(const mdm_image *got, const mdm_array *want)
{
    assert_int_equal(want->shape[0], got->height);
    assert_int_equal(want->shape[1], got->width);
    for (int y = 0; y < got->height; y++)
        assert_memory_equal(got->data + (size_t)y * got->stride,
                            (const uint8_t *)want->data + (size_t)y * (size_t)got->width * 3, (size_t)got->width * 3);
}

static void pictures_agree(void **state)
{
    (void)state;
    mdm_tensor_file *file = NULL;
    int resized = 0, squares = 0;
    ok(mdm_tensor_file_open(&file, PLLAVA_GOLDEN "/pictures.safetensors"));
    for (size_t i = 0; i < mdm_tensor_file_count(file); i++) {
        const mdm_array *want = mdm_tensor_file_at(file, i);
        int w, h, a, b;
        mdm_image from = {0}, shrunk = {0}, out = {0};
        if (sscanf(want->name, "resize %dx%d %dx%d", &w, &h, &a, &b) == 4) {
            pllava_picture(&from, w, h);
            ok(mdm_image_resize_bicubic(&out, &from, a, b));
            resized++;
        } else {
            assert_int_equal(sscanf(want->name, "square %dx%d %d", &w, &h, &a), 3);
            pllava_picture(&from, w, h);
            ok(mdm_frame_shrink(&shrunk, &from, 28));
            ok(mdm_frame_square(&out, &shrunk, 28, a));
            squares++;
        }
        same(&out, want);
        mdm_image_free(&from);
        mdm_image_free(&shrunk);
        mdm_image_free(&out);
    }
    assert_int_equal(resized, 4);
    assert_int_equal(squares, 6);
    mdm_tensor_file_free(&file);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    mdm_image image = {0}, out = {0};
    ok(mdm_image_new(&image, 16384, 1, 3));
    assert_int_equal(mdm_frame_shrink(&out, &image, 336), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "16384 x 1"));
    assert_int_equal(mdm_image_resize_bicubic(&out, &image, 0, 5), MDM_ERR_INPUT);
    mdm_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_numbers_agree),
        cmocka_unit_test(pictures_agree),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
