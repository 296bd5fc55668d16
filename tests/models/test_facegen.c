/* The face generator against its PyTorch reference (tools/make_facegen_goldens.py): a tiny network always, the real one where
 * its weights lie in models/. */
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
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/golden.h"
#include "common/ok.h"
#include "models/facegen.h"
#include "nn/tensor_file.h"

#define GOLDEN  MMDM_SOURCE_DIR "/tests/models/golden"
#define WEIGHTS MMDM_SOURCE_DIR "/models"

static float *noise(uint64_t seed, const char *key, size_t count)
{
    mdm_random random;
    float *values = NULL;
    mdm_random_seed(&random, seed, key);
    ok(mdm_alloc(&values, count, sizeof *values, key));
    for (size_t i = 0; i < count; i++)
        values[i] = mdm_random_normal(&random);
    return values;
}

/* The conditions of the script's ROWS[0]. */
static mdm_facegen_conditions asked(void)
{
    mdm_facegen_conditions c = {.age = 4, .gender = 1, .race = 6, .domain = MDM_FACEGEN_CLEAN, .identity_known = true};
    const float value[MDM_FACEGEN_VALUES] = {3,   -2, .02f, .55f,  .34f, .01f, -.07f, 5.5f, 150,
                                             115, 99, 45,   -.05f, -.2f, .05f, .1f,   -3,   -.4f};
    mdm_random random;
    mdm_random_seed(&random, 9, "golden/identity");
    for (int i = 0; i < MDM_FACEGEN_IDENTITY; i++)
        c.identity[i] = 0.1f * mdm_random_normal(&random);
    for (int i = 0; i < MDM_FACEGEN_VALUES; i++) {
        c.value[i] = value[i];
        c.known[i] = true;
    }
    return c;
}

/* Largest difference over the largest value, of every step-th number of `a`. */
static double relative(const float *a, size_t step, const float *b, size_t count)
{
    double difference = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        difference = fmax(difference, fabs((double)a[i * step] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return difference / largest;
}

static double mean_difference(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / (double)count;
}

static void check_forward(mdm_facegen *g, const mdm_tensor_file *file, const char *name, const float *z, size_t step)
{
    size_t count = 0, pixels = 3 * (size_t)mdm_facegen_size(g) * (size_t)mdm_facegen_size(g);
    float *want = golden(file, name, NULL, &count), *f = NULL;
    ok(mdm_alloc(&f, pixels, sizeof *f, "output"));
    mdm_facegen_conditions rows[3] = {asked(), asked(), mdm_facegen_unknown()};
    rows[1].identity_known = false; /* what is written there does not matter then */
    for (int i = 0; i < 3; i++) {
        ok(mdm_facegen_forward(g, f, z, 0.35f, &rows[i]));
        double error = relative(f, step, want + (size_t)i * (count / 3), count / 3);
        print_message("%s %d: %.2g relative\n", name, i, error);
        assert_true(error < 1e-3);
    }
    mdm_free(&f);
    mdm_free(&want);
}

static mdm_facegen_sampler plain(int steps)
{
    return (mdm_facegen_sampler){.steps = steps, .guidance = 1.75f, .low = 0.3f, .high = 12}; /* it does not steer */
}

static void small_network_agrees(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    mdm_tensor_file *file = NULL;
    ok(mdm_facegen_new(&g, GOLDEN, "facegen-small", 2));
    ok(mdm_tensor_file_open(&file, GOLDEN "/facegen-golden.safetensors"));
    assert_int_equal(mdm_facegen_size(g), 32);
    float *z = noise(5, "golden/small", 3072);
    check_forward(g, file, "small.forward", z, 1);
    mdm_free(&z);

    size_t count = 0;
    float *want = golden(file, "small.picture", NULL, &count), *picture = NULL;
    ok(mdm_alloc(&picture, count, sizeof *picture, "picture"));
    z = noise(6, "golden/small", count);
    mdm_facegen_conditions c = asked();
    mdm_facegen_sampler s = plain(8);
    ok(mdm_facegen_sample(g, picture, z, &c, &s, NULL));
    double error = mean_difference(picture, want, count) / 2;
    print_message("small.picture: mean difference %.2g of 255\n", error * 255);
    assert_true(error < 0.1 / 255);
    mdm_free(&z);
    mdm_free(&picture);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
    mdm_facegen_free(&g);
    assert_null(g);
}

static bool stop_at_three(void *user, double done, double total)
{
    (void)total;
    *(int *)user = (int)done;
    return done < 3;
}

static void drawing_can_be_cancelled(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    int done = 0;
    mdm_progress progress = {stop_at_three, &done};
    mdm_random random;
    mdm_image image = {0};
    ok(mdm_facegen_new(&g, GOLDEN, "facegen-small", 1));
    mdm_random_seed(&random, 1, "cancel");
    mdm_facegen_conditions c = mdm_facegen_neutral(g, 3, 0, 2, false, &random);
    mdm_facegen_sampler s = mdm_facegen_sampler_default();
    assert_int_equal(mdm_facegen_draw(g, &image, &c, &s, &random, &progress), MDM_ERR_CANCELLED);
    assert_int_equal(done, 3);
    mdm_facegen_free(&g);
}

static void same_seed_same_picture(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    mdm_image image[2] = {{0}, {0}};
    ok(mdm_facegen_new(&g, GOLDEN, "facegen-small", 2));
    mdm_facegen_sampler s = mdm_facegen_sampler_default();
    s.steps = 4;
    for (int i = 0; i < 2; i++) {
        mdm_random random;
        mdm_random_seed(&random, 9, "person-01/portrait/0");
        mdm_facegen_conditions c = mdm_facegen_neutral(g, 3, 0, 2, false, &random);
        ok(mdm_facegen_draw(g, &image[i], &c, &s, &random, NULL));
    }
    assert_memory_equal(image[0].data, image[1].data, image[0].stride * 32);
    mdm_image_free(&image[0]);
    mdm_image_free(&image[1]);
    mdm_facegen_free(&g);
}

static void neutral_is_what_was_asked(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    ok(mdm_facegen_new(&g, GOLDEN, "facegen-small", 1));
    mdm_facegen_conditions c = mdm_facegen_neutral(g, 8, 1, 0, false, NULL);
    assert_int_equal(c.age, 8);
    assert_int_equal(c.gender, 1);
    assert_int_equal(c.race, 0);
    assert_int_equal(c.domain, MDM_FACEGEN_CLEAN);
    assert_true(c.known[MDM_FACEGEN_RED] && c.value[MDM_FACEGEN_YAW] == 0);
    assert_true(c.known[MDM_FACEGEN_SMILE] && c.value[MDM_FACEGEN_SMILE] == 0); /* this race's median smiles */
    assert_true(c.value[MDM_FACEGEN_GLASSES] < -2 && c.value[MDM_FACEGEN_FRINGE] <= 0);
    assert_false(c.known[MDM_FACEGEN_TEETH] || c.known[MDM_FACEGEN_BEARD] || c.identity_known);
    c = mdm_facegen_neutral(g, 8, 1, 6, true, NULL);
    assert_true(c.value[MDM_FACEGEN_SMILE] > 0 && c.value[MDM_FACEGEN_GLASSES] > 0.5f);
    c = mdm_facegen_neutral(g, 9, -1, 7, false, NULL); /* out of range: unknown, and no colour is presumed */
    assert_int_equal(c.age, -1);
    assert_int_equal(c.race, -1);
    assert_false(c.known[MDM_FACEGEN_RED]);
    mdm_facegen_free(&g);
}

static void identities_are_drawn_as_by_the_reference(void **state)
{
    (void)state;
    static const struct {
        int age, gender, race;
        float spread;
    } people[] = {{4, 1, 6, 1.15f}, {-1, -1, -1, 1}, {2, MDM_FACEGEN_GENDERS, 3, 1}};
    mdm_facegen *g = NULL;
    mdm_tensor_file *file = NULL;
    mdm_random random, again;
    size_t count = 0;
    ok(mdm_facegen_new(&g, GOLDEN, "facegen-small", 1));
    ok(mdm_tensor_file_open(&file, GOLDEN "/facegen-golden.safetensors"));
    float *want = golden(file, "small.identity", NULL, &count), identity[MDM_FACEGEN_IDENTITY],
          other[MDM_FACEGEN_IDENTITY];
    assert_int_equal(count, 3 * MDM_FACEGEN_IDENTITY);
    mdm_random_seed(&random, 10, "golden/identity");
    mdm_random_seed(&again, 10, "golden/identity");
    for (int i = 0; i < 3; i++) {
        mdm_facegen_draw_identity(g, identity, people[i].age, people[i].gender, people[i].race, people[i].spread,
                                  &random);
        mdm_facegen_draw_identity(g, other, people[i].age, people[i].gender, people[i].race, people[i].spread, &again);
        assert_memory_equal(identity, other, sizeof identity);
        assert_true(relative(identity, 1, want + i * MDM_FACEGEN_IDENTITY, MDM_FACEGEN_IDENTITY) < 1e-5);
    }
    mdm_facegen_draw_identity(g, identity, 4, 1, 6, 0, &random); /* the mean, whatever the random numbers */
    mdm_facegen_draw_identity(g, other, 4, 1, 6, 0, &random);
    assert_memory_equal(identity, other, sizeof identity);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
    mdm_facegen_free(&g);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    assert_int_not_equal(mdm_facegen_new(&g, GOLDEN, "no-such-generator", 1), MDM_OK);
    assert_null(g);
    /* sizes of the real network with the weights of the small one */
    json_t *card = json_load_file(GOLDEN "/facegen-small.json", 0, NULL);
    assert_non_null(card);
    json_object_set_new(json_object_get(card, "arch"), "c1", json_integer(128));
    char folder[] = "/tmp/mmdm-facegen-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/bad.json", folder);
    assert_int_equal(json_dump_file(card, path, 0), 0);
    json_decref(card);
    snprintf(path, sizeof path, "%s/facegen-small.safetensors", folder);
    ok(mdm_copy_file(GOLDEN "/facegen-small.safetensors", path));
    assert_int_equal(mdm_facegen_new(&g, folder, "bad", 1), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "shape"));
    ok(mdm_remove_tree(folder, false));
}

static void real_network_agrees(void **state)
{
    (void)state;
    mdm_facegen *g = NULL;
    mdm_tensor_file *file = NULL;
    mdm_image want = {0};
    if (!mdm_file_exists(WEIGHTS "/facegen-128.safetensors")) {
        print_message("models/facegen-128.safetensors is absent\n");
        skip();
    }
    ok(mdm_facegen_new(&g, WEIGHTS, "facegen", 2));
    ok(mdm_tensor_file_open(&file, GOLDEN "/facegen-full.safetensors"));
    const size_t count = 3 * 128 * 128;
    float *z = noise(7, "golden/full", count), *picture = NULL;
    check_forward(g, file, "full.forward", z, 97);
    mdm_free(&z);
    mdm_tensor_file_free(&file);

    /* the finished picture, unless time is short (the sanitizers make it minutes) */
    const char *quick = getenv("MMDM_QUICK");
#if defined(__SANITIZE_ADDRESS__)
    quick = "1";
#endif
    if (!quick || !*quick) {
        ok(mdm_image_read(&want, GOLDEN "/facegen-portrait.png", 3));
        ok(mdm_alloc(&picture, count, sizeof *picture, "picture"));
        z = noise(8, "golden/full", count);
        mdm_facegen_conditions c = asked();
        mdm_facegen_sampler s = plain(20);
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        ok(mdm_facegen_sample(g, picture, z, &c, &s, NULL));
        clock_gettime(CLOCK_MONOTONIC, &to);
        double error = 0;
        for (size_t i = 0; i < count; i++) {
            size_t p = i / 3, at = p / 128 * want.stride + p % 128 * 3 + i % 3;
            error += fabs(((double)picture[i % 3 * (count / 3) + p] + 1) * 127.5 - want.data[at]);
        }
        print_message("full.picture: mean difference %.3f of 255, %.1f s\n", error / (double)count,
                      (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
        assert_true(error / (double)count < 1);
        mdm_free(&z);
        mdm_free(&picture);
        mdm_image_free(&want);
    }
    mdm_facegen_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_network_agrees),
        cmocka_unit_test(drawing_can_be_cancelled),
        cmocka_unit_test(same_seed_same_picture),
        cmocka_unit_test(neutral_is_what_was_asked),
        cmocka_unit_test(identities_are_drawn_as_by_the_reference),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(real_network_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
