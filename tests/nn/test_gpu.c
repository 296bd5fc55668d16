/* The form networks take for a GPU, run by ggml on the CPU beside the plain form (which test_ops.c holds against torch); and what is
 * said where there is no card. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "common/random_weights.h"
#include "nn/gpu.h"
#include "nn/nn_internal.h"

#define MOST (1 << 16)

typedef struct test_case {
    const char *name;
    mdm_node *(*make)(mdm_nn *nn);
    double error; /* keys and values are rounded to f16 */
} test_case;

static mdm_node *random_leaf(mdm_nn *nn, const char *name, int rank, const int64_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)shape[i];
    float *values = random_normals(1, name, count);
    mdm_node *leaf = mdm_nn_constant(nn, name, values, MDM_STORE_F32, rank, shape);
    mdm_free(&values);
    return leaf;
}

static mdm_node *convolution(mdm_nn *nn, int pictures, const mdm_conv *conv)
{
    mdm_node *x = random_leaf(nn, "x", 4, (int64_t[]){pictures, 6, 9, 12});
    mdm_node *w = random_leaf(nn, "w", 4, (int64_t[]){10, 6, 3, 3}), *b = random_leaf(nn, "b", 1, (int64_t[]){10});
    return mdm_nn_conv2d(nn, x, w, b, conv);
}

static mdm_node *one_picture(mdm_nn *nn)
{
    return convolution(nn, 1, &(mdm_conv){.pad = {1, 1, 1, 1}, .activation = MDM_SILU});
}

static mdm_node *two_pictures(mdm_nn *nn)
{
    return convolution(nn, 2, &(mdm_conv){.pad = {1, 1, 1, 1}});
}

static mdm_node *halved(mdm_nn *nn)
{
    return convolution(nn, 2, &(mdm_conv){.stride = {2, 2}, .pad = {0, 0, 1, 1}});
}

static mdm_node *attention(mdm_nn *nn, int width)
{
    mdm_node *q = random_leaf(nn, "q", 3, (int64_t[]){2, 24, 2 * width});
    mdm_node *k = random_leaf(nn, "k", 3, (int64_t[]){2, 7, 2 * width}),
             *v = random_leaf(nn, "v", 3, (int64_t[]){2, 7, 2 * width});
    return mdm_nn_attention(nn, q, k, v, 2, 0);
}

static mdm_node *attention_40(mdm_nn *nn)
{
    return attention(nn, 40);
}

static mdm_node *attention_64(mdm_nn *nn)
{
    return attention(nn, 64);
}

static mdm_node *attention_160(mdm_nn *nn)
{
    return attention(nn, 160);
}

static mdm_node *linear(mdm_nn *nn)
{
    mdm_node *x = random_leaf(nn, "x", 3, (int64_t[]){2, 5, 32}), *w = random_leaf(nn, "w", 2, (int64_t[]){24, 32});
    return mdm_nn_linear(nn, x, w, random_leaf(nn, "b", 1, (int64_t[]){24}));
}

static mdm_node *gate(mdm_nn *nn)
{
    return mdm_nn_geglu(nn, random_leaf(nn, "x", 3, (int64_t[]){2, 5, 64}));
}

static mdm_node *doubled(mdm_nn *nn)
{
    return mdm_nn_resize(nn, random_leaf(nn, "x", 4, (int64_t[]){2, 3, 5, 6}), 10, 12, MDM_NEAREST);
}

static mdm_node *sum(mdm_nn *nn)
{
    const int64_t shape[4] = {1, 8, 5, 6};
    return mdm_nn_add(nn, random_leaf(nn, "x", 4, shape), mdm_nn_activate(nn, random_leaf(nn, "z", 4, shape), MDM_EXP));
}

static mdm_node *quick_gelu(mdm_nn *nn)
{
    return mdm_nn_activate(nn, random_leaf(nn, "x", 2, (int64_t[]){5, 64}), MDM_GELU_QUICK);
}

static const test_case cases[] = {
    {"one picture", one_picture, 1e-5},
    {"two pictures", two_pictures, 1e-5},
    {"halved", halved, 1e-5},
    {"attention 40", attention_40, 1e-3},
    {"attention 64", attention_64, 1e-3},
    {"attention 160", attention_160, 1e-5},
    {"linear", linear, 1e-5},
    {"gate", gate, 1e-3},
    {"doubled", doubled, 1e-7},
    {"sum", sum, 1e-3},
    {"quick gelu", quick_gelu, 1e-3},
};

static size_t run(float *out, const test_case *c, bool gpu)
{
    mdm_nn *nn;
    ok(mdm_nn_new(&nn, c->name, 1));
    nn->gpu = gpu;
    mdm_nn_output(nn, c->make(nn), "y");
    ok(mdm_nn_build(nn));
    ok(mdm_nn_run(nn));
    const size_t count = mdm_nn_count(nn, "y");
    assert_true(count <= MOST);
    ok(mdm_nn_get(nn, "y", out, count));
    mdm_nn_free(&nn);
    return count;
}

static void both_forms_agree(void **state)
{
    (void)state;
    static float plain[MOST], other[MOST];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t count = run(plain, &cases[i], false);
        assert_int_equal(run(other, &cases[i], true), count);
        const double error = relative_error(other, plain, count);
        print_message("%s: %.2g relative\n", cases[i].name, error);
        assert_true(error <= cases[i].error); /* NaN where all is zero */
    }
}

/* Whether or not this machine has a card. */
static void devices_are_named(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(mdm_gpu_use("tpu"), MDM_ERR_USAGE);
    ok(mdm_gpu_use("cpu"));
    assert_false(mdm_gpu_used());
    assert_int_equal(mdm_gpu_memory(), 0);
    const bool there = mdm_gpu_describe(text, sizeof text);
    assert_true(strlen(text) > 0);
    ok(mdm_gpu_use("auto"));
    assert_int_equal(mdm_gpu_used(), there);
    if (!there)
        assert_int_equal(mdm_gpu_use("cuda"), MDM_ERR_DEVICE);
    ok(mdm_gpu_use("cpu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_agree),
        cmocka_unit_test(devices_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
