/* Weights made smaller: names, shapes and values of a GGUF file against what it was made from, and pictures drawn with it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/drawing_folders.h"
#include "common/golden.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "models/checkpoint_names.h"
#include "models/convert_weights.h"
#include "models/text_to_image.h"

static char from[128], to[128];

static int make_folders(void **state)
{
    if (make_folder(state))
        return 1;
    in_folder(from, "sdxl/unet/diffusion_pytorch_model.safetensors");
    in_folder(to, "unet.gguf");
    drawing_make_folders(folder);
    return 0;
}

static const struct {
    const char *name;
    mdm_store store;
    double matrix, other, drawn; /* largest error of a matrix, of a kernel, of latents after 10 steps */
} kinds[] = {
    {"f32", MDM_STORE_F32, 1e-9, 1e-9, 1e-5},
    {"f16", MDM_STORE_F16, 5e-4, 5e-4, 1e-2},
    {"q8_0", MDM_STORE_Q8_0, 1e-2, 5e-4, 3e-2},
    {"q4_0", MDM_STORE_Q4_0, 0.15, 5e-4, 0.4},
};

static void compare_tensors(int kind)
{
    mdm_weights *a = NULL, *b = NULL;
    ok(mdm_checkpoint_open(&a, from, MDM_CHECKPOINT_UNET, 3, 2));
    ok(mdm_checkpoint_open(&b, to, MDM_CHECKPOINT_UNET, 3, 2));
    assert_int_equal(mdm_weights_count(a), mdm_weights_count(b));
    for (size_t i = 0; i < mdm_weights_count(a); i++) {
        const mdm_array *x = mdm_weights_at(a, i), *y = mdm_weights_at(b, i);
        const size_t count = mdm_array_count(x);
        float *p = NULL, *q = NULL;
        assert_string_equal(x->name, y->name);
        assert_int_equal(mdm_array_count(y), count);
        for (int k = 0; k < x->rank; k++)
            assert_true(y->rank == x->rank && y->shape[k] == x->shape[k]);
        ok(mdm_alloc(&p, count, sizeof *p, "a"));
        ok(mdm_alloc(&q, count, sizeof *q, "b"));
        ok(mdm_array_to_f32(p, count, x));
        ok(mdm_array_to_f32(q, count, y));
        double limit = x->rank < 2 ? 1e-9 : x->rank == 2 ? kinds[kind].matrix : kinds[kind].other;
        double error = relative_error(q, p, count);
        if (!(error < limit))
            fail_msg("%s, %s: %.2g relative, expected below %g", kinds[kind].name, x->name, error, limit);
        mdm_free(&p);
        mdm_free(&q);
    }
    mdm_weights_free(&a);
    mdm_weights_free(&b);
}

static void draw(int kind)
{
    char base[128];
    float latent[DRAWING_LATENT];
    mdm_tensor_file *file = NULL;
    mdm_text_to_image *m = NULL;
    snprintf(base, sizeof base, "%s/sdxl", folder);
    const mdm_text_to_image_options options = {.base = base, .unet = to, .store = kinds[kind].store, .threads = 1};
    const mdm_drawing drawing = {.width = DRAWING_WIDTH,
                                 .height = DRAWING_HEIGHT,
                                 .sampler = MDM_SAMPLER_KINDS,
                                 .steps = 10,
                                 .guidance = 5,
                                 .seed = 1};
    ok(mdm_text_to_image_open(&m, &options));
    ok(mdm_text_to_image_ask(m, DRAWING_PROMPT, NULL, NULL));
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    ok(mdm_tensor_file_open(&file, DRAWING_GOLDEN "/pipeline.safetensors"));
    float *want = golden(file, "sdxl", NULL, NULL);
    double error = relative_error(latent, want, DRAWING_LATENT);
    print_message("%s: latents %.2g relative\n", kinds[kind].name, error);
    assert_true(error < kinds[kind].drawn);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
    mdm_text_to_image_free(&m);
}

static void smaller_files_draw_nearly_the_same(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t size = 0;
        ok(mdm_convert_weights(to, from, kinds[i].store));
        ok(mdm_file_size(&size, to));
        assert_true(i == 0 || size < before);
        before = size;
        compare_tensors(i);
        draw(i);
    }
}

static void what_cannot_be_converted_is_said(void **state)
{
    (void)state;
    char path[128];
    const float value = 1;
    mdm_array array = {.name = "a_name_that_is_longer_than_the_sixty_three_characters_of_a_gguf_file",
                       .rank = 1,
                       .shape = {1},
                       .data = &value,
                       .size = sizeof value};
    snprintf(path, sizeof path, "%s/long.safetensors", folder);
    ok(mdm_safetensors_write(path, &array, 1, NULL));
    snprintf(to, sizeof to, "%s/long.gguf", folder);
    assert_int_equal(mdm_convert_weights(to, path, MDM_STORE_F16), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "too long a name"));
    assert_false(mdm_file_exists(to));
    array = (mdm_array){.name = "x", .rank = 5, .shape = {1, 1, 1, 1, 1}, .data = &value, .size = sizeof value};
    ok(mdm_safetensors_write(path, &array, 1, NULL));
    assert_int_equal(mdm_convert_weights(to, path, MDM_STORE_F16), MDM_ERR_INPUT);
    assert_int_not_equal(mdm_convert_weights(to, "/nonexistent", MDM_STORE_F16), MDM_OK);
    assert_int_equal(mdm_convert_weights("/nonexistent/x.gguf", from, MDM_STORE_F16), MDM_ERR_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smaller_files_draw_nearly_the_same),
        cmocka_unit_test(what_cannot_be_converted_is_said),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folder);
}
