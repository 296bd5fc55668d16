/* Each block of U-net and autoencoder by itself, with random weights, against diffusers (tools/make_diffusion_goldens.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "models/unet_blocks.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion"

enum { CHANNELS = 16, HEIGHT = 6, WIDTH = 10, TOKENS = 7, CONTEXT = 12, TIME = 20 };

static mdm_node *time_of(const mdm_layers *l)
{
    return mdm_nn_input(l->nn, "time", 2, (int64_t[]){1, TIME});
}

static mdm_node *context_of(const mdm_layers *l)
{
    return mdm_nn_input(l->nn, "context", 3, (int64_t[]){1, TOKENS, CONTEXT});
}

static mdm_node *same(const mdm_layers *l, mdm_node *x)
{
    mdm_node *time = mdm_nn_activate(l->nn, time_of(l), MDM_SILU);
    return mdm_block_residual(l, x, time, "same.", CHANNELS, 4, 1e-5f);
}

static mdm_node *wider(const mdm_layers *l, mdm_node *x)
{
    return mdm_block_residual(l, x, NULL, "wider.", 24, 4, 1e-6f);
}

static mdm_node *linear(const mdm_layers *l, mdm_node *x)
{
    return mdm_block_spatial_transformer(l, x, context_of(l), "linear.",
                                         &(mdm_block_transformer){.depth = 2, .heads = 2, .groups = 4});
}

static mdm_node *conv(const mdm_layers *l, mdm_node *x)
{
    return mdm_block_spatial_transformer(l, x, context_of(l), "conv.",
                                         &(mdm_block_transformer){.depth = 1, .heads = 4, .groups = 4});
}

static mdm_node *smaller(const mdm_layers *l, mdm_node *x)
{
    return mdm_layer_conv(l, x, "smaller.", "conv", CHANNELS, 3, 2);
}

static mdm_node *larger(const mdm_layers *l, mdm_node *x)
{
    return mdm_block_double(l, x, "larger.");
}

static const struct {
    const char *name;
    mdm_node *(*make)(const mdm_layers *l, mdm_node *x);
} blocks[] = {{"same", same}, {"wider", wider},     {"linear", linear},
              {"conv", conv}, {"smaller", smaller}, {"larger", larger}};

static void set_normals(mdm_nn *nn, const char *name)
{
    size_t count = mdm_nn_count(nn, name);
    if (!count)
        return;
    float *values = random_normals(1, name, count);
    ok(mdm_nn_set(nn, name, values, count));
    mdm_free(&values);
}

static void blocks_agree(void **state)
{
    (void)state;
    char path[64], prefix[32];
    mdm_weights *weights = NULL;
    mdm_tensor_file *file = NULL;
    snprintf(path, sizeof path, "/tmp/mdm-blocks-%ld.safetensors", (long)getpid());
    json_t *shapes = weight_shapes(GOLDEN "/blocks.json");
    random_weights(path, shapes, 1);
    json_decref(shapes);
    ok(mdm_weights_open(&weights, path));
    ok(mdm_tensor_file_open(&file, GOLDEN "/blocks.safetensors"));
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        mdm_nn *nn = NULL;
        size_t count = 0;
        ok(mdm_nn_new(&nn, blocks[i].name, 1));
        const mdm_layers layers = {nn, weights, MDM_STORE_F32};
        mdm_node *x = mdm_nn_input(nn, "x", 4, (int64_t[]){1, CHANNELS, HEIGHT, WIDTH});
        mdm_nn_output(nn, blocks[i].make(&layers, x), "y");
        snprintf(prefix, sizeof prefix, "%s.", blocks[i].name);
        ok(mdm_layers_build(&layers, prefix));
        set_normals(nn, "x");
        set_normals(nn, "time");
        set_normals(nn, "context");
        ok(mdm_nn_run(nn));
        float *want = golden(file, blocks[i].name, NULL, &count), *got = NULL;
        ok(mdm_alloc(&got, count, sizeof *got, "block"));
        ok(mdm_nn_get(nn, "y", got, count));
        double error = relative_error(got, want, count);
        print_message("%s: %.2g relative\n", blocks[i].name, error);
        assert_true(error < 1e-4);
        mdm_free(&want);
        mdm_free(&got);
        mdm_nn_free(&nn);
    }
    mdm_tensor_file_free(&file);
    mdm_weights_free(&weights);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
