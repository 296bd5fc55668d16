/* Sampling, resizing, blur and picture files, against plain double-precision versions of the same definitions. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/image.h"

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void make_noise(mdm_image *image, int width, int height, int channels)
{
    unsigned state = 7;
    assert_int_equal(mdm_image_new(image, width, height, channels), MDM_OK);
    for (size_t i = 0; i < (size_t)height * image->stride; i++)
        image->data[i] = (uint8_t)next_random(&state);
}

static double pixel(const mdm_image *image, int x, int y, int c, int outside)
{
    if (outside >= 0 && (x < 0 || y < 0 || x >= image->width || y >= image->height))
        return outside;
    x = x < 0 ? 0 : x >= image->width ? image->width - 1 : x;
    y = y < 0 ? 0 : y >= image->height ? image->height - 1 : y;
    return image->data[(size_t)y * image->stride + (size_t)(x * image->channels + c)];
}

static double bilinear(const mdm_image *image, double x, double y, int c, int outside)
{
    if (outside < 0) {
        x = fmin(fmax(x, 0), image->width - 1);
        y = fmin(fmax(y, 0), image->height - 1);
    }
    const double fx = x - floor(x), fy = y - floor(y);
    const int ix = (int)floor(x), iy = (int)floor(y);
    return (pixel(image, ix, iy, c, outside) * (1 - fx) + pixel(image, ix + 1, iy, c, outside) * fx) * (1 - fy) +
           (pixel(image, ix, iy + 1, c, outside) * (1 - fx) + pixel(image, ix + 1, iy + 1, c, outside) * fx) * fy;
}

static const double maps[][6] = {
    {1, 0, 0, 0, 1, 0},        {0.7, 0.3, -4.2, -0.3, 0.7, 9.1}, {3.1, 0.2, -20, 0.1, 2.7, -20},
    {-1, 0, 36, 0, -1, 28},    {0, 0, 5.5, 0, 0, 6.25},          {1, 0, 1e9, 0, 1, 0},
    {0.01, 1.3, 0, 1.3, 0, 0}, {1e-9, 0, 36, 0, 1, 0},
};

static void sample_matches_the_definition(void **state)
{
    (void)state;
    enum { W = 41, H = 33 };
    static float out[W * H * 3];
    const float offset[3] = {-1.0f, 0.5f, 2.0f};
    for (int channels = 1; channels <= 3; channels += 2) {
        mdm_image image;
        make_noise(&image, 37, 29, channels);
        for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
            for (int planar = 0; planar < 2; planar++) {
                const double *m = maps[i];
                mdm_image_sample(out, W, H, planar, &image, m, 1.0f / 127.5f, offset);
                for (int y = 0; y < H; y++)
                    for (int x = 0; x < W; x++)
                        for (int c = 0; c < channels; c++) {
                            const double want =
                                bilinear(&image, m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5], c, -1) /
                                    127.5 +
                                (double)offset[c];
                            const size_t at =
                                planar ? (size_t)((c * H + y) * W + x) : (size_t)((y * W + x) * channels + c);
                            if (fabs((double)out[at] - want) > 1e-5)
                                fail_msg("map %zu planar %d at %d,%d,%d: %g, expected %g", i, planar, x, y, c,
                                         (double)out[at], want);
                        }
            }
        }
        mdm_image_free(&image);
    }
}

static void sample_survives_wild_maps(void **state)
{
    (void)state;
    float out[8 * 8 * 3];
    mdm_image image;
    make_noise(&image, 5, 4, 3);
    const double wild[][6] = {
        {NAN, 0, 0, 0, NAN, 0}, {1e300, 1e300, -1e300, -1e300, 1e300, INFINITY}, {1e5, 0, 0, 0, 1e5, 0}};
    for (size_t i = 0; i < 3; i++)
        for (int planar = 0; planar < 2; planar++)
            mdm_image_sample(out, 8, 8, planar, &image, wild[i], 1, NULL);
    mdm_image_free(&image);
    make_noise(&image, 1, 1, 1);
    mdm_image_sample(out, 8, 8, 0, &image, maps[1], 1, NULL);
    assert_true(out[9] == (float)image.data[0]);
    mdm_image_free(&image);
}

static void warp_matches_the_definition(void **state)
{
    (void)state;
    for (int outside = -1; outside < 256; outside += 128) {
        mdm_image image, out;
        make_noise(&image, 37, 29, 3);
        assert_int_equal(mdm_image_new(&out, 40, 30, 3), MDM_OK);
        for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
            const double *m = maps[i];
            mdm_image_warp(&out, &image, m, outside);
            for (int y = 0; y < out.height; y++)
                for (int x = 0; x < out.width; x++)
                    for (int c = 0; c < 3; c++) {
                        const double want =
                            bilinear(&image, m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5], c, outside);
                        const double got = out.data[(size_t)y * out.stride + (size_t)(x * 3 + c)];
                        if (fabs(got - want) > 0.7)
                            fail_msg("map %zu outside %d at %d,%d,%d: %g, expected %g", i, outside, x, y, c, got, want);
                    }
        }
        mdm_image_free(&image);
        mdm_image_free(&out);
    }
}

static double area_average(const mdm_image *image, double x0, double x1, double y0, double y1, int c)
{
    double sum = 0, weight = 0;
    for (int y = (int)y0; y < image->height && y < y1; y++)
        for (int x = (int)x0; x < image->width && x < x1; x++) {
            const double w = (fmin(x + 1, x1) - fmax(x, x0)) * (fmin(y + 1, y1) - fmax(y, y0));
            sum += w * pixel(image, x, y, c, -1);
            weight += w;
        }
    return sum / weight;
}

static void resize_averages_and_interpolates(void **state)
{
    (void)state;
    mdm_image image, out;
    make_noise(&image, 37, 29, 3);
    assert_int_equal(mdm_image_new(&out, 10, 8, 3), MDM_OK);
    mdm_image_resize(&out, &image);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 10; x++)
            for (int c = 0; c < 3; c++) {
                const double want = area_average(&image, x * 3.7, (x + 1) * 3.7, y * 29 / 8.0, (y + 1) * 29 / 8.0, c);
                assert_true(fabs(out.data[(size_t)y * out.stride + (size_t)(x * 3 + c)] - want) < 0.6);
            }
    mdm_image_free(&out);
    assert_int_equal(mdm_image_new(&out, 90, 29, 3), MDM_OK); /* wider, same height */
    mdm_image_resize(&out, &image);
    for (int y = 0; y < 29; y++)
        for (int x = 0; x < 90; x++) {
            const double want = bilinear(&image, (x + 0.5) * 37 / 90 - 0.5, y, 1, -1);
            assert_true(fabs(out.data[(size_t)y * out.stride + (size_t)(x * 3 + 1)] - want) < 0.6);
        }
    mdm_image_free(&out);
    mdm_image_free(&image);
}

static void blur_is_a_gaussian(void **state)
{
    (void)state;
    enum { W = 23, H = 17 };
    static float data[W * H * 3], original[W * H * 3];
    unsigned seed = 3;
    for (int i = 0; i < W * H * 3; i++)
        original[i] = data[i] = (float)(next_random(&seed) % 1000) / 10.0f;
    const double sigma = 2.5;
    assert_int_equal(mdm_blur_float(data, W, H, 3, (float)sigma), MDM_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++) {
                double sum = 0, weight = 0;
                for (int dy = -10; dy <= 10; dy++)
                    for (int dx = -10; dx <= 10; dx++) {
                        const int sx = x + dx < 0 ? 0 : x + dx >= W ? W - 1 : x + dx;
                        const int sy = y + dy < 0 ? 0 : y + dy >= H ? H - 1 : y + dy;
                        const double w = exp(-0.5 * (dx * dx + dy * dy) / (sigma * sigma));
                        sum += w * (double)original[(sy * W + sx) * 3 + c];
                        weight += w;
                    }
                assert_true(fabs((double)data[(y * W + x) * 3 + c] - sum / weight) < 1e-3);
            }
    assert_int_equal(mdm_blur_float(data, W, H, 3, 0.0f), MDM_OK);  /* nothing to do */
    assert_int_equal(mdm_blur_float(data, 3, 2, 1, 50.0f), MDM_OK); /* kernel larger than the picture */
}

static void files_round_trip(void **state)
{
    (void)state;
    char folder[] = "/tmp/mmdm-image-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    for (int channels = 1; channels <= 3; channels += 2) {
        mdm_image image, back;
        make_noise(&image, 21, 13, channels);
        snprintf(path, sizeof path, "%s/a.bin",
                 folder); /* the name says nothing: the content is told by its first bytes */
        assert_int_equal(mdm_image_write_png(&image, path), MDM_OK);
        assert_int_equal(mdm_image_read(&back, path, channels), MDM_OK);
        assert_int_equal(back.width, 21);
        assert_memory_equal(back.data, image.data, image.stride * 13);
        mdm_image_free(&back);
        memset(image.data, 90, image.stride * 13);
        assert_int_equal(mdm_image_write_jpeg(&image, path, 92), MDM_OK);
        assert_int_equal(mdm_image_read(&back, path, 3), MDM_OK);
        assert_int_equal(back.channels, 3);
        assert_true(abs(back.data[100] - 90) <= 1);
        mdm_image_free(&back);
        mdm_image_free(&image);
    }
    unlink(path);
    rmdir(folder);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/mmdm-image-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof path, "%s/bad", folder);
    mdm_image image, out;
    make_noise(&image, 40, 40, 3);
    assert_int_equal(mdm_image_write_png(&image, path), MDM_OK);
    unsigned char *bytes;
    size_t size;
    assert_int_equal(mdm_file_read(&bytes, &size, path, 1 << 20), MDM_OK);
    for (size_t cut = 0; cut < size;
         cut += 1 + size / 97) { /* truncated anywhere: an error or a picture, never a crash */
        assert_int_equal(mdm_file_write(path, bytes, cut), MDM_OK);
        if (mdm_image_read(&out, path, 3) == MDM_OK)
            mdm_image_free(&out);
        assert_null(out.data);
    }
    bytes[16] = 0x7f; /* a width of two thousand million */
    assert_int_equal(mdm_file_write(path, bytes, size), MDM_OK);
    assert_int_equal(mdm_image_read(&out, path, 3), MDM_ERR_INPUT);
    assert_int_equal(mdm_file_write(path, "GIF89a", 6), MDM_OK);
    assert_int_equal(mdm_image_read(&out, path, 3), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "neither PNG nor JPEG"));
    assert_int_equal(mdm_image_new(&out, 0, 5, 3), MDM_ERR_INPUT);
    assert_int_equal(mdm_image_new(&out, 16385, 5, 3), MDM_ERR_INPUT);
    mdm_free(&bytes);
    mdm_image_free(&image);
    unlink(path);
    rmdir(folder);
}

static void sampling_is_fast(void **state)
{
    (void)state;
    static float out[256 * 256 * 3];
    mdm_image image;
    make_noise(&image, 1280, 720, 3);
    const double m[6] = {1.4, 0.3, 300, -0.3, 1.4, 150};
    const clock_t from = clock();
    for (int i = 0; i < 20; i++)
        mdm_image_sample(out, 256, 256, 1, &image, m, 1.0f / 255.0f, NULL);
    print_message("a 256 x 256 crop: %.3f ms\n", 1000.0 * (double)(clock() - from) / CLOCKS_PER_SEC / 20);
    mdm_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_matches_the_definition),
        cmocka_unit_test(sample_survives_wild_maps),
        cmocka_unit_test(warp_matches_the_definition),
        cmocka_unit_test(resize_averages_and_interpolates),
        cmocka_unit_test(blur_is_a_gaussian),
        cmocka_unit_test(files_round_trip),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(sampling_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
