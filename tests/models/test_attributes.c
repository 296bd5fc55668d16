/* The attribute networks against their plain reference (tools/make_attributes_goldens.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "common/ok.h"
#include "models/attributes.h"
#include "nn/tensor_file.h"

#define FACES   MMDM_SOURCE_DIR "/tests/face/golden"
#define GOLDEN  MMDM_SOURCE_DIR "/tests/models/golden"
#define WEIGHTS MMDM_SOURCE_DIR "/models"

/* The picture and its mesh, every pixel repeated `scale` times. */
static void load(mdm_image *image, mdm_mesh *mesh, const mdm_tensor_file *points, const char *name, int scale)
{
    char path[512], key[64];
    mdm_image small = {0};
    snprintf(path, sizeof path, "%s/%s.png", FACES, name);
    ok(mdm_image_read(&small, path, 3));
    ok(mdm_image_new(image, small.width * scale, small.height * scale, 3));
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width * 3; x++)
            image->data[(size_t)y * image->stride + (size_t)x] =
                small.data[(size_t)(y / scale) * small.stride + (size_t)(x / 3 / scale * 3 + x % 3)];
    mdm_image_free(&small);
    snprintf(key, sizeof key, "%s.points", name);
    ok(mdm_array_to_f32(&mesh->point[0][0], 478 * 3, mdm_tensor_file_find(points, key)));
    for (int i = 0; i < MDM_MESH_POINTS; i++)
        for (int k = 0; k < 3; k++)
            mesh->point[i][k] = (mesh->point[i][k] + 0.5f) * (float)scale - 0.5f;
}

static int top(const float *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static void check(mdm_attributes_kind kind)
{
    static const struct {
        const char *name;
        int gender, race; /* that the generator was asked for */
    } faces[] = {{"gate-good-a", 1, 1}, {"gate-good-b", 0, 6}, {"gate-glasses", 0, 1}};
    if (!mdm_file_exists(WEIGHTS "/attributes-a.safetensors")) {
        print_message("models/attributes-a.safetensors is absent\n");
        skip();
    }
    mdm_attributes *net = NULL;
    mdm_tensor_file *points = NULL, *golden = NULL;
    ok(mdm_attributes_new(&net, WEIGHTS, kind, 1));
    ok(mdm_tensor_file_open(&points, FACES "/gate-golden.safetensors"));
    ok(mdm_tensor_file_open(&golden, GOLDEN "/attributes-golden.safetensors"));
    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++)
        for (int scale = 1; scale <= 3; scale += 2) {
            mdm_image image = {0};
            mdm_mesh mesh = {.presence = 1};
            float logits[18], want[18];
            char key[64];
            load(&image, &mesh, points, faces[i].name, scale);
            ok(mdm_attributes_logits(net, logits, &image, &mesh));
            snprintf(key, sizeof key, "%c.%s.%d", kind == MDM_ATTRIBUTES_A ? 'a' : 'b', faces[i].name, scale);
            ok(mdm_array_to_f32(want, 18, mdm_tensor_file_find(golden, key)));
            double worst = 0;
            for (int k = 0; k < 18; k++)
                worst = fmax(worst, fabs((double)logits[k] - (double)want[k]));
            print_message("%s: %.2g\n", key, worst);
            assert_true(worst < 0.02); /* a pixel of the crop that rounds the other way moves a logit by some 1e-3 */

            mdm_attributes_result r;
            ok(mdm_attributes_run(net, &image, &mesh, &r));
            float sum[3] = {0};
            for (int k = 0; k < 9; k++)
                sum[0] += r.age_prob[k];
            for (int k = 0; k < 2; k++)
                sum[1] += r.gender_prob[k];
            for (int k = 0; k < 7; k++)
                sum[2] += r.race_prob[k];
            for (int k = 0; k < 3; k++)
                assert_true(fabsf(sum[k] - 1) < 1e-4f);
            assert_int_equal(top(r.gender_prob, 2), faces[i].gender);
            assert_int_equal(top(r.race_prob, 7), faces[i].race);
            mdm_image_free(&image);
        }
    mdm_tensor_file_free(&points);
    mdm_tensor_file_free(&golden);
    mdm_attributes_free(&net);
    assert_null(net);
}

static void network_a_agrees(void **state)
{
    (void)state;
    check(MDM_ATTRIBUTES_A);
}

static void network_b_agrees(void **state)
{
    (void)state;
    check(MDM_ATTRIBUTES_B);
}

static void missing_weights_are_named(void **state)
{
    (void)state;
    mdm_attributes *net = NULL;
    assert_int_equal(mdm_attributes_new(&net, "/nowhere", MDM_ATTRIBUTES_A, 1), MDM_ERR_DEVICE);
    assert_null(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(network_a_agrees), cmocka_unit_test(network_b_agrees),
                                       cmocka_unit_test(missing_weights_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
