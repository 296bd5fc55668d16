/* The enlarging network against PyTorch (tools/make_upsample_goldens.py): a tiny one of random weights, and the real one on a
 * piece of a face. Files that lie about themselves are refused. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp, clock_gettime */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/golden.h"
#include "common/ok.h"
#include "models/facegen_upsample.h"
#include "nn/tensor_file.h"

#define GOLDEN  MMDM_SOURCE_DIR "/tests/models/golden"
#define WEIGHTS MMDM_SOURCE_DIR "/models"

static void agrees(mdm_facegen_upsample *net, const char *what)
{
    mdm_tensor_file *file = NULL;
    char name[32];
    const mdm_array *small, *large;
    ok(mdm_tensor_file_open(&file, GOLDEN "/facegen-upsample-golden.safetensors"));
    snprintf(name, sizeof name, "%s.in", what);
    float *in = golden(file, name, &small, NULL), *got = NULL;
    snprintf(name, sizeof name, "%s.out", what);
    float *want = golden(file, name, &large, NULL);
    const int height = (int)small->shape[1], width = (int)small->shape[2];
    assert_true(large->shape[1] == 2 * height && large->shape[2] == 2 * width);
    const size_t count = 12 * (size_t)width * (size_t)height;
    ok(mdm_alloc(&got, count, sizeof *got, "picture"));
    ok(mdm_facegen_upsample_forward(got, net, in, width, height));
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    print_message("%s: off by at most %.2g\n", what, worst);
    assert_true(worst < 1e-4);
    mdm_free(&in);
    mdm_free(&want);
    mdm_free(&got);
    mdm_tensor_file_free(&file);
}

static void small_network_agrees(void **state)
{
    (void)state;
    mdm_facegen_upsample *net = NULL;
    ok(mdm_facegen_upsample_new(&net, GOLDEN, "facegen-upsample-small", 2));
    agrees(net, "small");
    mdm_facegen_upsample_free(&net);
    assert_null(net);
}

static void real_network_agrees(void **state)
{
    (void)state;
    mdm_facegen_upsample *net = NULL;
    if (!mdm_file_exists(WEIGHTS "/facegen-upsample.safetensors")) {
        print_message("models/facegen-upsample.safetensors is absent\n");
        skip();
    }
    ok(mdm_facegen_upsample_new(&net, WEIGHTS, "facegen-upsample", 1));
    agrees(net, "full");
    mdm_facegen_upsample_free(&net);
}

/* Two sizes after one another, odd ones too: a grey picture stays a picture, and means stay where they were. */
static void pictures_of_any_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{128, 128}, {33, 17}, {1, 1}};
    mdm_facegen_upsample *net = NULL;
    if (!mdm_file_exists(WEIGHTS "/facegen-upsample.safetensors"))
        skip();
    ok(mdm_facegen_upsample_new(&net, WEIGHTS, "facegen-upsample", 2));
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        mdm_image in = {0}, out = {0};
        struct timespec from, to;
        ok(mdm_image_new(&in, sizes[s][0], sizes[s][1], 3));
        for (int y = 0; y < in.height; y++)
            for (int x = 0; x < in.width; x++)
                for (int k = 0; k < 3; k++)
                    in.data[(size_t)y * in.stride + (size_t)(3 * x + k)] = (uint8_t)(90 + 40 * k + (x + y) % 16);
        clock_gettime(CLOCK_MONOTONIC, &from);
        ok(mdm_facegen_upsample_run(&out, net, &in));
        clock_gettime(CLOCK_MONOTONIC, &to);
        print_message("%d x %d: %.2f s\n", in.width, in.height,
                      (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
        assert_true(out.width == 2 * in.width && out.height == 2 * in.height && out.channels == 3);
        double a = 0, b = 0;
        for (int y = 0; y < out.height; y++)
            for (int x = 0; x < 3 * out.width; x++)
                b += out.data[(size_t)y * out.stride + (size_t)x] / (12.0 * in.width * in.height);
        for (int y = 0; y < in.height; y++)
            for (int x = 0; x < 3 * in.width; x++)
                a += in.data[(size_t)y * in.stride + (size_t)x] / (3.0 * in.width * in.height);
        assert_true(fabs(a - b) < 6);
        mdm_image_free(&in);
        mdm_image_free(&out);
    }
    mdm_image grey = {0}, out = {0};
    ok(mdm_image_new(&grey, 8, 8, 1));
    assert_int_equal(mdm_facegen_upsample_run(&out, net, &grey), MDM_ERR_INPUT);
    assert_null(out.data);
    mdm_image_free(&grey);
    ok(mdm_image_new(&grey, MDM_FACEGEN_UPSAMPLE_SIDE + 1, 8, 3));
    assert_int_equal(mdm_facegen_upsample_run(&out, net, &grey), MDM_ERR_INPUT);
    assert_null(out.data);
    mdm_image_free(&grey);
    mdm_facegen_upsample_free(&net);
}

/* The small network with one array changed, left out or spoilt. */
static void bad_files_are_refused(void **state)
{
    (void)state;
    enum { SHAPE, NAMELESS, NOT_FINITE, WIDTH, CASES };
    mdm_tensor_file *file = NULL;
    mdm_facegen_upsample *net = NULL;
    char folder[] = "/tmp/mmdm-upsample-XXXXXX", path[64];
    mdm_array arrays[32];
    uint16_t bias[8];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/bad.safetensors", folder);
    ok(mdm_tensor_file_open(&file, GOLDEN "/facegen-upsample-small.safetensors"));
    const size_t count = mdm_tensor_file_count(file);
    assert_true(count == 16);
    assert_int_equal(mdm_facegen_upsample_new(&net, folder, "bad", 1), MDM_ERR_DEVICE);
    for (int c = 0; c < CASES; c++) {
        for (size_t i = 0; i < count; i++) {
            mdm_array *a = &arrays[i];
            *a = *mdm_tensor_file_at(file, i);
            if (c == SHAPE && !strcmp(a->name, "block.1.b.weight")) {
                a->shape[1] = 9;
                a->shape[2] = 1;
            } else if (c == NAMELESS && !strcmp(a->name, "tail.bias")) {
                a->name = "tail.base";
            } else if (c == NOT_FINITE && !strcmp(a->name, "body.bias")) {
                memcpy(bias, a->data, sizeof bias);
                bias[5] = 0x7c00; /* infinite */
                a->data = bias;
            } else if (c == WIDTH && !strcmp(a->name, "head.weight")) {
                a->shape[0] = 72;
                a->shape[1] = a->shape[2] = 1;
            }
        }
        ok(mdm_safetensors_write(path, arrays, count, NULL));
        assert_int_equal(mdm_facegen_upsample_new(&net, folder, "bad", 1), MDM_ERR_INPUT);
        assert_null(net);
        print_message("%s\n", strrchr(mdm_error_message(), '/'));
    }
    mdm_tensor_file_free(&file);
    ok(mdm_remove_tree(folder, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_network_agrees),
        cmocka_unit_test(real_network_agrees),
        cmocka_unit_test(pictures_of_any_size),
        cmocka_unit_test(bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
