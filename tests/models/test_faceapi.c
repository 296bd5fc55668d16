/* The face-api networks against the numpy reference (tools/make_faceapi_goldens.py), and the geometry of their crops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/fetched.h"
#include "common/ok.h"
#include "models/age_gender.h"
#include "models/dlib_face.h"
#include "models/expression.h"
#include "models/faceapi.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden"

static const double crop[2][6] = {{.8, 0, 4, 0, .8, 6},
                                  {.66, .06, 18, -.06, .66, 24}}; /* for 150 px, as in the script */

/* Skips where the model files were not fetched. */
static void need(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s-weights_manifest.json", name);
    need_file(models(), file);
}

static void scaled(double m[6], int k, int size)
{
    for (int i = 0; i < 6; i++)
        m[i] = i % 3 < 2 ? crop[k][i] * 150 / size : crop[k][i];
}

static void expect(const mdm_tensor_file *file, const char *name, int k, const float *got, size_t count,
                   double tolerance)
{
    char key[32];
    float want[MDM_DLIB_FACE_SIZE];
    snprintf(key, sizeof key, "%s.%c", name, 'a' + k);
    const mdm_array *array = mdm_tensor_file_find(file, key);
    assert_non_null(array);
    ok(mdm_array_to_f32(want, count, array));
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    print_message("%s: %.2g\n", key, worst);
    assert_true(worst < tolerance);
}

typedef struct fixture {
    mdm_image image;
    mdm_tensor_file *file;
} fixture;

static fixture open_golden(void)
{
    fixture f = {0};
    ok(mdm_image_read(&f.image, GOLDEN "/facegen-portrait.png", 3));
    ok(mdm_tensor_file_open(&f.file, GOLDEN "/faceapi-golden.safetensors"));
    return f;
}

static void close_golden(fixture *f)
{
    mdm_image_free(&f->image);
    mdm_tensor_file_free(&f->file);
}

static void descriptor_agrees(void **state)
{
    (void)state;
    need("face_recognition_model");
    fixture f = open_golden();
    mdm_dlib_face *net = NULL;
    float d[2][MDM_DLIB_FACE_SIZE];
    ok(mdm_dlib_face_new(&net, models(), 1));
    for (int k = 0; k < 2; k++) {
        ok(mdm_dlib_face_run_crop(net, d[k], &f.image, crop[k]));
        expect(f.file, "descriptor", k, d[k], MDM_DLIB_FACE_SIZE, 1e-3);
    }
    assert_true(mdm_dlib_face_distance(d[0], d[1]) < MDM_DLIB_FACE_SAME); /* one face, two crops */
    assert_true(mdm_dlib_face_distance(d[0], d[0]) == 0);
    mdm_dlib_face_free(&net);
    assert_null(net);
    close_golden(&f);
}

static void expression_agrees(void **state)
{
    (void)state;
    need("face_expression_model");
    fixture f = open_golden();
    mdm_expression *net = NULL;
    mdm_expression_result result;
    double m[6];
    ok(mdm_expression_new(&net, models(), 1));
    for (int k = 0; k < 2; k++) {
        scaled(m, k, 112);
        ok(mdm_expression_run_crop(net, &result, &f.image, m));
        expect(f.file, "expression", k, result.prob, MDM_EXPRESSIONS, 1e-3);
    }
    mdm_expression_free(&net);
    close_golden(&f);
}

static void age_and_gender_agree(void **state)
{
    (void)state;
    need("age_gender_model");
    fixture f = open_golden();
    mdm_age_gender *net = NULL;
    mdm_age_gender_result result;
    double m[6];
    ok(mdm_age_gender_new(&net, models(), 1));
    for (int k = 0; k < 2; k++) {
        scaled(m, k, 112);
        ok(mdm_age_gender_run_crop(net, &result, &f.image, m));
        /* the network's order is male, female */
        const float got[3] = {result.age / 100, result.gender_prob[1], result.gender_prob[0]};
        float want[3] = {0};
        ok(mdm_array_to_f32(want, 3, mdm_tensor_file_find(f.file, k ? "age_gender.b" : "age_gender.a")));
        print_message("age_gender.%c: %g and %g years, %g and %g male\n", "ab"[k], (double)got[0] * 100,
                      (double)want[0], (double)got[1], (double)want[1]);
        assert_true(fabsf(got[0] - want[0] / 100) < 1e-3f); /* 0.1 years */
        assert_true(fabsf(got[1] - want[1]) < 1e-3f && fabsf(got[2] - want[2]) < 1e-3f);
    }
    mdm_age_gender_free(&net);
    close_golden(&f);
}

static void wrong_folder_is_refused(void **state)
{
    (void)state;
    mdm_dlib_face *net = NULL;
    assert_int_not_equal(mdm_dlib_face_new(&net, GOLDEN, 1), MDM_OK);
    assert_null(net);
}

static void apply(double out[2], const double m[6], double x, double y)
{
    out[0] = m[0] * x + m[1] * y + m[2];
    out[1] = m[3] * x + m[4] * y + m[5];
}

/* A face of two eyes and a mouth, turned by an angle: the crop turns with it and puts them where they belong. */
static void crops_follow_the_face(void **state)
{
    (void)state;
    static float points[478][3];
    static const int eyes[2][6] = {{33, 160, 158, 133, 153, 144}, {362, 385, 387, 263, 373, 380}};
    const double angle = 0.4, c = cos(angle), s = sin(angle);
    for (int i = 0; i < 478; i++) { /* the mouth, everywhere else */
        points[i][0] = (float)(200 + c * 0 - s * 60);
        points[i][1] = (float)(150 + s * 0 + c * 60);
    }
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < 6; i++) {
            double x = e ? 30 : -30;
            points[eyes[e][i]][0] = (float)(200 + c * x);
            points[eyes[e][i]][1] = (float)(150 + s * x);
        }
    double m[6], at[2];
    mdm_faceapi_descriptor_crop(m, (const float(*)[3])points, 150);
    apply(at, m, 150 * 0.5 - 0.5, 150 * 0.43 - 0.5); /* centre of the three lies 20 below the eyes */
    assert_true(fabs(at[0] - (200 - s * 20)) < 1e-3 && fabs(at[1] - (150 + c * 20)) < 1e-3);
    assert_true(fabs(hypot(m[0], m[3]) * 150 - hypot(30, 60) / 0.45) < 1e-3);
    assert_true(fabs(atan2(m[3], m[0]) - angle) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptor_agrees),     cmocka_unit_test(expression_agrees),
        cmocka_unit_test(age_and_gender_agree),  cmocka_unit_test(wrong_folder_is_refused),
        cmocka_unit_test(crops_follow_the_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
