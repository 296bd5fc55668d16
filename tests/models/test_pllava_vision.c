/* CLIP's picture side and PLLaVA's projector at reduced size with random weights against transformers and PyTorch
 * (tools/make_pllava_goldens.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "common/scratch.h"
#include "models/clip_vision.h"
#include "models/pllava_projector.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/pllava"

/* VISION and WIDTH of the script */
static const mdm_clip_vision_sizes small = {
    .layers = 3,
    .taken = 2,
    .width = 32,
    .heads = 4,
    .hidden = 48,
    .side = 28,
    .patch = 7,
    .activation = MDM_GELU_QUICK,
    .epsilon = 1e-5f,
};
enum { WIDTH = 64 };

static char path[128];

static int make_weights(void **state)
{
    const int failed = make_folder(state);
    in_folder(path, "vision.safetensors");
    json_t *shapes = weight_shapes(GOLDEN "/vision.json");
    random_weights(path, shapes, 1);
    json_decref(shapes);
    return failed;
}

static void compare(const mdm_tensor_file *file, const char *name, const char *part, mdm_nn *nn)
{
    char key[64];
    size_t count = 0;
    float *got = NULL;
    snprintf(key, sizeof key, "%s.%s", name, part);
    float *want = golden(file, key, NULL, &count);
    assert_int_equal(mdm_nn_count(nn, part), count);
    ok(mdm_alloc(&got, count, sizeof *got, "values"));
    ok(mdm_nn_get(nn, part, got, count));
    const double error = relative_error(got, want, count);
    print_message("%s: %.2g relative\n", key, error);
    assert_true(error < 1e-5);
    mdm_free(&got);
    mdm_free(&want);
}

static void check(const char *name, const mdm_pllava_projector_sizes *sizes)
{
    mdm_weights *weights = NULL;
    mdm_nn *nn = NULL;
    mdm_tensor_file *file = NULL;
    char key[64];
    ok(mdm_weights_open(&weights, path));
    ok(mdm_nn_new_large(&nn, "vision", 1));
    const mdm_layers l = {nn, weights, MDM_STORE_F32};
    mdm_node *x = mdm_nn_input(nn, "pixels", 4, (int64_t[]){sizes->frames, 3, small.side, small.side});
    x = mdm_clip_vision_features(&l, x, &small, "vision_tower.vision_model.");
    mdm_nn_output(nn, x, "features");
    mdm_nn_output(nn, mdm_pllava_project(&l, x, sizes, "multi_modal_projector."), "tokens");
    ok(mdm_nn_build(nn));
    const size_t count = mdm_nn_count(nn, "pixels");
    snprintf(key, sizeof key, "pixels %s", name);
    float *pixels = random_normals(1, key, count);
    ok(mdm_nn_set(nn, "pixels", pixels, count));
    ok(mdm_nn_run(nn));
    ok(mdm_tensor_file_open(&file, GOLDEN "/vision.safetensors"));
    compare(file, name, "features", nn);
    compare(file, name, "tokens", nn);
    mdm_tensor_file_free(&file);
    mdm_free(&pixels);
    mdm_nn_free(&nn);
    mdm_weights_free(&weights);
}

static void features_and_tokens_agree(void **state)
{
    (void)state;
    check("even", &(mdm_pllava_projector_sizes){4, 4, {4, 2, 2}, WIDTH});
    check("uneven", &(mdm_pllava_projector_sizes){5, 4, {3, 3, 2}, WIDTH});
}

static void the_table_has_the_published_size(void **state)
{
    (void)state;
    const mdm_clip_vision_sizes *s = &mdm_clip_vision_l_336;
    const int64_t c = s->width, h = s->hidden, grid = mdm_clip_vision_grid(s);
    const int64_t block = 4 * (c * c + c) + (c * h + h) + (h * c + c) + 4 * c;
    assert_int_equal(grid, 24);
    assert_true(c + c * 3 * s->patch * s->patch + (grid * grid + 1) * c + 4 * c + s->layers * block == 303507456);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_and_tokens_agree),
        cmocka_unit_test(the_table_has_the_published_size),
    };
    return cmocka_run_group_tests(tests, make_weights, remove_folder);
}
