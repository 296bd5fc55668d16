/* nn.h's operations against torch (tools/make_nn_goldens.py, ops), and mistakes that must be said before ggml sees them. */
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
#include "nn/nn.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/nn/golden/ops.safetensors"

static mdm_tensor_file *golden;

static int open_golden(void **state)
{
    (void)state;
    return mdm_tensor_file_open(&golden, GOLDEN) != MDM_OK;
}

static int close_golden(void **state)
{
    (void)state;
    mdm_tensor_file_free(&golden);
    return 0;
}

/* One case: its arrays as leaves, its result as golden. */
typedef struct test_case {
    const char *name;
    mdm_node *(*make)(mdm_nn *nn, const char *name);
    float tolerance;
} test_case;

static const mdm_array *array_of(const char *name, const char *part)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", name, part);
    return mdm_tensor_file_find(golden, key);
}

static mdm_node *weight(mdm_nn *nn, const char *name, const char *part)
{
    char key[64];
    const mdm_array *a = array_of(name, part);
    snprintf(key, sizeof key, "%s.%s", name, part);
    return a ? mdm_nn_weight(nn, golden, key, MDM_STORE_F32, a->rank, a->shape) : NULL;
}

static mdm_node *input(mdm_nn *nn, const char *name, const char *part)
{
    const mdm_array *a = array_of(name, part);
    assert_non_null(a);
    return mdm_nn_input(nn, part, a->rank, a->shape);
}

#define X input(nn, name, "x")
#define W weight(nn, name, "w")
#define B weight(nn, name, "b")

static mdm_node *linear(mdm_nn *nn, const char *name)
{
    return mdm_nn_linear(nn, X, W, B);
}

static mdm_node *conv(mdm_nn *nn, const char *name)
{
    static const struct {
        const char *name;
        mdm_conv conv;
    } list[] = {
        {"conv_plain", {.pad = {1, 1, 1, 1}}},
        {"conv_same2", {.stride = {2, 2}, .pad = {0, 0, 1, 1}, .activation = MDM_RELU}},
        {"conv_1x1", {.activation = MDM_HARDSWISH}},
        {"conv_grouped", {.groups = 4, .stride = {1, 2}, .pad = {1, 0, 1, 0}, .activation = MDM_SIGMOID}},
        {"conv_dilated", {.dilation = {2, 2}, .pad = {2, 2, 2, 2}, .activation = MDM_SILU}},
        {"dw3", {.groups = 10, .pad = {1, 1, 1, 1}, .activation = MDM_RELU6}},
        {"dw3s2", {.groups = 6, .stride = {2, 2}, .pad = {0, 0, 1, 1}}},
        {"dw5s21", {.groups = 4, .stride = {2, 1}, .pad = {2, 2, 2, 2}, .activation = MDM_HARDSWISH}},
        {"conv_1x1s2", {.stride = {2, 2}}},
        {"conv_prelu", {.pad = {1, 1, 1, 1}, .activation = MDM_PRELU}},
    };
    size_t i = 0;
    while (strcmp(list[i].name, name) != 0)
        i++;
    mdm_conv c = list[i].conv;
    c.slope = weight(nn, name, "a");
    return mdm_nn_conv2d(nn, X, W, B, &c);
}

static mdm_node *transposed(mdm_nn *nn, const char *name)
{
    return mdm_nn_conv2d_transposed(nn, X, W, B, 2);
}

static mdm_node *norm(mdm_nn *nn, const char *name)
{
    if (!strcmp(name, "group_norm"))
        return mdm_nn_group_norm(nn, X, 4, W, B, 1e-5f);
    if (!strcmp(name, "layer_norm"))
        return mdm_nn_layer_norm(nn, X, W, B, 1e-5f);
    return !strcmp(name, "rms_norm") ? mdm_nn_rms_norm(nn, X, W, 1e-6f) : mdm_nn_rms_norm_channels(nn, X, W, 1e-6f);
}

static mdm_node *attention(mdm_nn *nn, const char *name)
{
    mdm_node *q = input(nn, name, "q"), *k = input(nn, name, "k"), *v = input(nn, name, "v");
    return !strcmp(name, "attention_causal") ? mdm_nn_attention_causal(nn, q, k, v, 5, 0)
                                             : mdm_nn_attention(nn, q, k, v, 5, 0);
}

static mdm_node *rows(mdm_nn *nn, const char *name)
{
    return !strcmp(name, "geglu")    ? mdm_nn_geglu(nn, X)
           : !strcmp(name, "swiglu") ? mdm_nn_swiglu(nn, X)
                                     : mdm_nn_softmax(nn, X);
}

static mdm_node *pool(mdm_nn *nn, const char *name)
{
    static const int three[2] = {3, 3}, three_two[2] = {3, 2}, two[2] = {2, 2}, ring[4] = {1, 1, 1, 1};
    if (!strcmp(name, "global_mean"))
        return mdm_nn_global_mean(nn, X);
    if (!strcmp(name, "max_pool"))
        return mdm_nn_pool(nn, X, MDM_POOL_MAX, three, two, ring, false);
    bool counted = !strcmp(name, "avg_pool_counted");
    return mdm_nn_pool(nn, X, MDM_POOL_AVERAGE, counted ? three : three_two, two, ring, counted);
}

static mdm_node *resize(mdm_nn *nn, const char *name)
{
    mdm_resize how = !strcmp(name, "nearest")    ? MDM_NEAREST
                     : !strcmp(name, "bilinear") ? MDM_BILINEAR
                                                 : MDM_BILINEAR_ALIGN_CORNERS;
    const mdm_array *y = array_of(name, "y");
    return mdm_nn_resize(nn, X, (int)y->shape[2], (int)y->shape[3], how);
}

static mdm_node *shape(mdm_nn *nn, const char *name)
{
    if (!strcmp(name, "shuffle"))
        return mdm_nn_pixel_shuffle(nn, X, 2);
    if (!strcmp(name, "unshuffle"))
        return mdm_nn_pixel_unshuffle(nn, X, 2);
    if (!strcmp(name, "permute"))
        return mdm_nn_permute(nn, X, (const int[]){2, 0, 3, 1});
    if (!strcmp(name, "slice"))
        return mdm_nn_slice(nn, X, 2, 1, 3);
    if (!strcmp(name, "pad"))
        return mdm_nn_pad(nn, X, (const int[]){1, 0, 3, 0}, (const int[]){2, 1, 0, 0});
    if (!strcmp(name, "concat"))
        return mdm_nn_concat(nn, X, input(nn, name, "z"), 2);
    return mdm_nn_mean(nn, X, 2);
}

static mdm_node *broadcast(mdm_nn *nn, const char *name)
{
    mdm_node *x = X, *z = input(nn, name, "z");
    return mdm_nn_add(nn, mdm_nn_div(nn, mdm_nn_sub(nn, x, z), mdm_nn_scale(nn, z, 1, 10)), mdm_nn_mul(nn, x, z));
}

static mdm_node *matmul(mdm_nn *nn, const char *name)
{
    return mdm_nn_matmul(nn, X, input(nn, name, "z"));
}

static mdm_node *activation(mdm_nn *nn, const char *name)
{
    static const struct {
        const char *name;
        mdm_activation activation;
    } list[] = {{"act_relu", MDM_RELU},
                {"act_relu6", MDM_RELU6},
                {"act_silu", MDM_SILU},
                {"act_gelu", MDM_GELU},
                {"act_gelu_erf", MDM_GELU_ERF},
                {"act_gelu_quick", MDM_GELU_QUICK},
                {"act_hardswish", MDM_HARDSWISH},
                {"act_hardsigmoid", MDM_HARDSIGMOID},
                {"act_sigmoid", MDM_SIGMOID},
                {"act_tanh", MDM_TANH},
                {"act_abs", MDM_ABS},
                {"act_exp", MDM_EXP},
                {"act_elu", MDM_ELU}};
    size_t i = 0;
    while (strcmp(list[i].name, name) != 0)
        i++;
    return mdm_nn_activate(nn, X, list[i].activation);
}

static const test_case cases[] = {
    {"linear", linear, 1e-5f},
    {"conv_plain", conv, 2e-5f},
    {"conv_same2", conv, 2e-5f},
    {"conv_1x1", conv, 2e-5f},
    {"conv_grouped", conv, 2e-5f},
    {"conv_dilated", conv, 2e-5f},
    {"dw3", conv, 1e-5f},
    {"dw3s2", conv, 1e-5f},
    {"dw5s21", conv, 2e-5f},
    {"conv_1x1s2", conv, 1e-5f},
    {"conv_prelu", conv, 5e-5f},
    {"transposed", transposed, 1e-5f},
    {"group_norm", norm, 1e-5f},
    {"layer_norm", norm, 1e-5f},
    {"rms_norm", norm, 1e-5f},
    {"rms_channels", norm, 1e-5f},
    {"attention", attention, 1e-5f},
    {"attention_causal", attention, 1e-5f},
    {"geglu", rows, 2e-3f},
    {"swiglu", rows, 2e-3f},
    {"softmax", rows, 1e-6f},
    {"max_pool", pool, 0},
    {"avg_pool", pool, 1e-6f},
    {"avg_pool_counted", pool, 1e-6f},
    {"global_mean", pool, 1e-6f},
    {"nearest", resize, 0},
    {"bilinear", resize, 1e-5f},
    {"bilinear_corners", resize, 1e-5f},
    {"shuffle", shape, 0},
    {"unshuffle", shape, 0},
    {"permute", shape, 0},
    {"slice", shape, 0},
    {"pad", shape, 0},
    {"concat", shape, 0},
    {"mean1", shape, 1e-6f},
    {"broadcast", broadcast, 1e-5f},
    {"matmul", matmul, 1e-5f},
    {"act_relu", activation, 0},
    {"act_relu6", activation, 0},
    {"act_silu", activation, 2e-3f},
    {"act_gelu", activation, 2e-3f},
    {"act_gelu_erf", activation, 2e-3f},
    {"act_gelu_quick", activation, 1e-6f},
    {"act_hardswish", activation, 1e-5f},
    {"act_hardsigmoid", activation, 1e-6f},
    {"act_sigmoid", activation, 1e-5f},
    {"act_tanh", activation, 1e-5f},
    {"act_abs", activation, 0},
    {"act_exp", activation, 1e-3f},
    {"act_elu", activation, 1e-5f},
};

static void set(mdm_nn *nn, const char *name, const char *part)
{
    const mdm_array *a = array_of(name, part);
    if (!a || mdm_nn_count(nn, part) == 0)
        return;
    float *values = calloc(mdm_nn_count(nn, part), sizeof *values);
    assert_non_null(values);
    ok(mdm_array_to_f32(values, mdm_nn_count(nn, part), a));
    ok(mdm_nn_set(nn, part, values, mdm_nn_count(nn, part)));
    free(values);
}

static void run_case(const test_case *c, int threads)
{
    static const char *const parts[] = {"x", "z", "q", "k", "v"};
    mdm_nn *nn;
    ok(mdm_nn_new(&nn, c->name, threads));
    mdm_nn_output(nn, c->make(nn, c->name), "y");
    ok(mdm_nn_build(nn));
    const mdm_array *y = array_of(c->name, "y");
    size_t count = mdm_nn_count(nn, "y");
    float *want = calloc(count, sizeof *want), *got = calloc(count, sizeof *got);
    ok(mdm_array_to_f32(want, count, y));
    int64_t shape_now[4];
    assert_true(mdm_nn_shape(nn, "y", shape_now));
    for (int i = 0; i < y->rank; i++)
        assert_int_equal(shape_now[4 - y->rank + i], y->shape[i]);
    for (int again = 0; again < 2; again++) { /* a second run uses the same memory */
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            set(nn, c->name, parts[i]);
        ok(mdm_nn_run(nn));
        ok(mdm_nn_get(nn, "y", got, count));
        for (size_t i = 0; i < count; i++)
            if (!(fabsf(got[i] - want[i]) <= c->tolerance * fmaxf(1, fabsf(want[i]))))
                fail_msg("%s, %d threads: element %zu is %g, expected %g", c->name, threads, i, (double)got[i],
                         (double)want[i]);
    }
    free(want);
    free(got);
    mdm_nn_free(&nn);
    assert_null(nn);
}

static void operations_agree_with_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int threads = 1; threads <= 3; threads += 2)
            run_case(&cases[i], threads);
}

static void repeats_along_an_axis(void **state)
{
    (void)state;
    const float values[6] = {1, 2, 3, 4, 5, 6}, want[12] = {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6};
    float got[12];
    mdm_nn *nn;
    ok(mdm_nn_new(&nn, "repeat", 1));
    mdm_node *x = mdm_nn_input(nn, "x", 3, (int64_t[]){2, 1, 3});
    assert_ptr_equal(mdm_nn_repeat(nn, x, 1, 1), x);
    mdm_nn_output(nn, mdm_nn_repeat(nn, x, 1, 2), "y");
    ok(mdm_nn_build(nn));
    ok(mdm_nn_set(nn, "x", values, 6));
    ok(mdm_nn_run(nn));
    ok(mdm_nn_get(nn, "y", got, 12));
    assert_memory_equal(got, want, sizeof got);
    assert_false(mdm_nn_on_gpu(nn));
    mdm_nn_free(&nn);
}

/* ---- mistakes ---- */

static mdm_status build(mdm_nn *nn, mdm_node *x)
{
    mdm_nn_output(nn, x, "y");
    mdm_status status = mdm_nn_build(nn);
    mdm_nn_free(&nn);
    return status;
}

static mdm_nn *fresh(mdm_node **x, int rank, const int64_t *extents)
{
    mdm_nn *nn;
    ok(mdm_nn_new(&nn, "wrong", 1));
    *x = mdm_nn_input(nn, "x", rank, extents);
    return nn;
}

static void mistakes_are_said_at_build(void **state)
{
    (void)state;
    const int64_t picture[4] = {1, 4, 8, 8};
    const int one[2] = {1, 1}, nine[2] = {9, 9}, none[4] = {0}, minus[4] = {-1, 0, 0, 0};
    float values[64] = {0};
    mdm_node *x, *w;
    mdm_nn *nn = fresh(&x, 4, picture);
    w = mdm_nn_constant(nn, "w", values, MDM_STORE_F32, 4, (int64_t[]){2, 3, 1, 1}); /* 3 channels for 4 */
    x = mdm_nn_conv2d(nn, x, w, NULL, &(mdm_conv){.groups = 1});
    assert_null(x);
    assert_int_equal(build(nn, x), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "wrong")); /* the network's name */
    nn = fresh(&x, 4, picture);
    w = mdm_nn_constant(nn, "w", values, MDM_STORE_F32, 4, (int64_t[]){1, 4, 1, 9}); /* kernel wider than the picture */
    assert_int_equal(build(nn, mdm_nn_conv2d(nn, x, w, NULL, &(mdm_conv){.groups = 1})), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_conv2d(nn, x, x, NULL, &(mdm_conv){.groups = 1})), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_reshape(nn, x, 2, (int64_t[]){4, 63})), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_reshape(nn, x, 2, (int64_t[]){INT64_MAX, 4})), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_permute(nn, x, (const int[]){0, 1, 1, 2})), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_slice(nn, x, 0, 4, 9)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_repeat(nn, x, 4, 2)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_pool(nn, x, MDM_POOL_MAX, nine, one, none, false)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_pad(nn, x, minus, none)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_group_norm(nn, x, 3, NULL, NULL, 1e-5f)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_pixel_shuffle(nn, x, 3)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    w = mdm_nn_constant(nn, "w", values, MDM_STORE_F32, 1, (int64_t[]){5});
    assert_int_equal(build(nn, mdm_nn_add(nn, x, w)), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_matmul(nn, x, mdm_nn_slice(nn, x, 1, 0, 5))), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(build(nn, mdm_nn_concat(nn, x, mdm_nn_slice(nn, x, 0, 0, 4), 2)), MDM_ERR_INPUT);
    nn = fresh(&x, 3, (int64_t[]){1, 8, 10});
    assert_int_equal(build(nn, mdm_nn_attention(nn, x, x, x, 3, 0)), MDM_ERR_INPUT);
    nn = fresh(&x, 2, (int64_t[]){1, INT64_MAX / 2});
    assert_int_equal(build(nn, x), MDM_ERR_INPUT);
    nn = fresh(&x, 4, picture);
    assert_int_equal(
        build(nn, mdm_nn_linear(nn, x, mdm_nn_weight(nn, golden, "absent", MDM_STORE_F32, 2, picture), NULL)),
        MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "absent"));
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    float values[4] = {0};
    mdm_node *x;
    mdm_nn *nn = fresh(&x, 2, (int64_t[]){1, 4});
    assert_int_equal(mdm_nn_run(nn), MDM_ERR_INTERNAL); /* before it is built */
    mdm_nn_output(nn, mdm_nn_scale(nn, x, 2, 1), "y");
    ok(mdm_nn_build(nn));
    assert_int_equal(mdm_nn_set(nn, "x", values, 3), MDM_ERR_INTERNAL);
    assert_int_equal(mdm_nn_set(nn, "nothing", values, 4), MDM_ERR_INTERNAL);
    ok(mdm_nn_set(nn, "x", values, 4));
    ok(mdm_nn_run(nn));
    assert_int_equal(mdm_nn_get(nn, "y", values, 5), MDM_ERR_INTERNAL);
    ok(mdm_nn_get(nn, "y", values, 4));
    assert_true(values[3] == 1);
    mdm_nn_free(&nn);
}

static void quantised_weights_stay_close(void **state)
{
    (void)state;
    float matrix[64 * 8], x[64], y[3][8];
    for (int i = 0; i < 64 * 8; i++)
        matrix[i] = sinf((float)i * 0.7f);
    for (int i = 0; i < 64; i++)
        x[i] = cosf((float)i);
    for (mdm_store store = MDM_STORE_F32; store <= MDM_STORE_Q8_0; store++) {
        mdm_node *in;
        mdm_nn *nn = fresh(&in, 2, (int64_t[]){1, 64});
        mdm_node *w = mdm_nn_constant(nn, "w", matrix, store, 2, (int64_t[]){8, 64});
        mdm_nn_output(nn, mdm_nn_linear(nn, in, w, NULL), "y");
        ok(mdm_nn_build(nn));
        ok(mdm_nn_set(nn, "x", x, 64));
        ok(mdm_nn_run(nn));
        ok(mdm_nn_get(nn, "y", y[store], 8));
        mdm_nn_free(&nn);
    }
    for (int i = 0; i < 8; i++) {
        assert_true(fabsf(y[MDM_STORE_F16][i] - y[MDM_STORE_F32][i]) < 0.02f);
        assert_true(fabsf(y[MDM_STORE_Q8_0][i] - y[MDM_STORE_F32][i]) < 0.1f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_torch),  cmocka_unit_test(repeats_along_an_axis),
        cmocka_unit_test(mistakes_are_said_at_build),   cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(quantised_weights_stay_close),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
