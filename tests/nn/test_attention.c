/* Attention over many positions against sums in double, at widths and lengths that are no multiples of the blocks, by one thread and by
 * several. `nn_attention time`: seconds of the cores at the size of SD 1.5's largest, at 512 px. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/ok.h"
#include "common/random_weights.h"
#include "nn/nn.h"

enum { IMAGES = 2, HEADS = 3, WIDTH = 13, QUERIES = 517, KEYS = 523, ALL = HEADS * WIDTH };

/* [IMAGES][rows][ALL] of numbers; large ones make some scores far apart */
static float *numbers(const char *key, int rows, float size)
{
    float *values = random_normals(1, key, (size_t)(IMAGES * rows * ALL));
    for (int i = 0; i < IMAGES * rows * ALL; i++)
        values[i] *= size;
    return values;
}

static void expect(const float *got, const float *q, const float *k, const float *v, int image, int head, int query,
                   double tolerance)
{
    static double score[KEYS];
    double most = -INFINITY, sum = 0, out[WIDTH] = {0};
    const float *at = q + ((size_t)(image * QUERIES + query) * ALL + (size_t)(head * WIDTH));
    for (int key = 0; key < KEYS; key++) {
        const float *of = k + ((size_t)(image * KEYS + key) * ALL + (size_t)(head * WIDTH));
        score[key] = 0;
        for (int d = 0; d < WIDTH; d++)
            score[key] += (double)at[d] * (double)of[d];
        score[key] /= sqrt(WIDTH);
        most = fmax(most, score[key]);
    }
    for (int key = 0; key < KEYS; key++) {
        const double weight = exp(score[key] - most);
        sum += weight;
        for (int d = 0; d < WIDTH; d++)
            out[d] += weight * (double)v[(size_t)(image * KEYS + key) * ALL + (size_t)(head * WIDTH + d)];
    }
    for (int d = 0; d < WIDTH; d++)
        if (!(fabs((double)got[(size_t)(image * QUERIES + query) * ALL + (size_t)(head * WIDTH + d)] - out[d] / sum) <
              tolerance))
            fail_msg("image %d, head %d, query %d, value %d: %.8f, expected %.8f", image, head, query, d,
                     (double)got[(size_t)(image * QUERIES + query) * ALL + (size_t)(head * WIDTH + d)], out[d] / sum);
}

static void check(int threads, float size, double tolerance)
{
    static float got[IMAGES * QUERIES * ALL];
    float *q = numbers("q", QUERIES, size), *k = numbers("k", KEYS, size), *v = numbers("v", KEYS, 1);
    mdm_nn *nn = NULL;
    ok(mdm_nn_new(&nn, "attention", threads));
    mdm_node *x = mdm_nn_input(nn, "q", 3, (int64_t[]){IMAGES, QUERIES, ALL}),
             *y = mdm_nn_input(nn, "k", 3, (int64_t[]){IMAGES, KEYS, ALL}),
             *z = mdm_nn_input(nn, "v", 3, (int64_t[]){IMAGES, KEYS, ALL});
    mdm_nn_output(nn, mdm_nn_attention(nn, x, y, z, HEADS, 0), "out");
    ok(mdm_nn_build(nn));
    ok(mdm_nn_set(nn, "q", q, (size_t)(IMAGES * QUERIES * ALL)));
    ok(mdm_nn_set(nn, "k", k, (size_t)(IMAGES * KEYS * ALL)));
    ok(mdm_nn_set(nn, "v", v, (size_t)(IMAGES * KEYS * ALL)));
    ok(mdm_nn_run(nn));
    ok(mdm_nn_get(nn, "out", got, (size_t)(IMAGES * QUERIES * ALL)));
    for (int image = 0; image < IMAGES; image++)
        for (int head = 0; head < HEADS; head++)
            for (int query = 0; query < QUERIES; query += query < 500 ? 7 : 1)
                expect(got, q, k, v, image, head, query, tolerance);
    mdm_nn_free(&nn);
    mdm_free(&q);
    mdm_free(&k);
    mdm_free(&v);
}

static void many_positions_agree_with_sums_in_double(void **state)
{
    (void)state;
    check(1, 1, 2e-6);
    check(2, 1, 2e-6);  /* heads are shared out */
    check(4, 1, 2e-6);  /* queries are */
    check(1, 12, 1e-3); /* scores of hundreds, of f32's precision: most of the exponentials vanish */
}

static int tell_time(void)
{
    enum { LENGTH = 4096, CHANNELS = 320, TURNS = 3 };
    float *x = random_normals(1, "x", LENGTH * CHANNELS);
    mdm_nn *nn = NULL;
    mdm_status status = mdm_nn_new(&nn, "attention", 1);
    mdm_node *in = mdm_nn_input(nn, "x", 3, (int64_t[]){1, LENGTH, CHANNELS});
    mdm_nn_output(nn, mdm_nn_attention(nn, in, in, in, 8, 0), "out");
    status = status ? status : mdm_nn_build(nn);
    for (int turn = 0; turn < TURNS && !status; turn++) {
        const clock_t start = clock();
        status = mdm_nn_set(nn, "x", x, LENGTH * CHANNELS);
        status = status ? status : mdm_nn_run(nn);
        printf("%.2f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    mdm_nn_free(&nn);
    mdm_free(&x);
    return status != MDM_OK;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_positions_agree_with_sums_in_double),
    };
    return argc > 1 && !strcmp(argv[1], "time") ? tell_time() : cmocka_run_group_tests(tests, NULL, NULL);
}
