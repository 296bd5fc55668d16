/* The portrait gate on pictures of our own generator, against the measures of tools/make_gate_goldens.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "face/portrait_gate.h"
#include "nn/tensor_file.h"

#define GOLDEN   MMDM_SOURCE_DIR "/tests/face/golden"
#define MEASURES 11

static const struct {
    const char *name, *complaint, *with_glasses; /* what is said of it when the person wears none, or glasses */
} pictures[] = {
    {"gate-good-a", NULL, "no glasses"},   {"gate-good-b", NULL, "no glasses"},
    {"gate-good-c", NULL, "no glasses"},   {"gate-fringe-a", "fringe", "fringe"},
    {"gate-fringe-b", "fringe", "fringe"}, {"gate-light", "lit from one side", "lit from one side"},
    {"gate-glasses", "glasses", NULL},     {"gate-sunglasses", "glasses", "sunglasses"},
};

static void check(const char *complaint, const char *want, const char *name)
{
    if (!complaint != !want || (want && strcmp(complaint, want) != 0))
        fail_msg("%s: %s, expected %s", name, complaint ? complaint : "usable", want ? want : "usable");
}

/* The picture in the middle of a much larger one, its edges repeated, and the points with it. */
static void enlarge(mdm_image *out, float (*moved)[3], const mdm_image *image, const float (*points)[3])
{
    const int dx = 700, dy = 300;
    ok(mdm_image_new(out, image->width + 2 * dx, image->height + 2 * dy, 3));
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            int u = x - dx, v = y - dy;
            u = u < 0 ? 0 : u >= image->width ? image->width - 1 : u;
            v = v < 0 ? 0 : v >= image->height ? image->height - 1 : v;
            memcpy(out->data + (size_t)y * out->stride + 3 * (size_t)x,
                   image->data + (size_t)v * image->stride + 3 * (size_t)u, 3);
        }
    for (int i = 0; i < 478; i++) {
        moved[i][0] = points[i][0] + (float)dx;
        moved[i][1] = points[i][1] + (float)dy;
        moved[i][2] = points[i][2];
    }
}

/* Only the face's surroundings are looked at: they must be enough. */
static void the_rest_of_the_picture_does_not_matter(void **state)
{
    (void)state;
    mdm_tensor_file *file = NULL;
    ok(mdm_tensor_file_open(&file, GOLDEN "/gate-golden.safetensors"));
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        char path[512], key[64];
        float points[478][3], moved[478][3];
        mdm_image image = {0}, large = {0};
        mdm_portrait_measures a, b;
        snprintf(path, sizeof path, "%s/%s.png", GOLDEN, pictures[i].name);
        ok(mdm_image_read(&image, path, 3));
        snprintf(key, sizeof key, "%s.points", pictures[i].name);
        ok(mdm_array_to_f32(&points[0][0], 478 * 3, mdm_tensor_file_find(file, key)));
        enlarge(&large, moved, &image, (const float(*)[3])points);
        ok(mdm_portrait_measure(&a, &image, (const float(*)[3])points));
        ok(mdm_portrait_measure(&b, &large, (const float(*)[3])moved));
        assert_true(fabsf(a.light - b.light) < 1e-3f);
        assert_true(fabsf(a.fringe - b.fringe) < .011f); /* one of its points at most: they lie on thresholds */
        assert_true(fabsf(a.glasses - b.glasses) < 5e-3f);
        assert_true(fabsf(a.shade - b.shade) < 1e-3f);
        /* and a face that has left the picture is no reason to look outside of it */
        for (int k = 0; k < 478; k++)
            moved[k][0] -= 1e5f;
        ok(mdm_portrait_measure(&b, &large, (const float(*)[3])moved));
        mdm_image_free(&image);
        mdm_image_free(&large);
    }
    mdm_tensor_file_free(&file);
}

static void measures_agree(void **state)
{
    (void)state;
    static const float tolerance[MEASURES] = {.01f, .01f, .01f, .01f, 1e-3f, 1e-3f, 1e-3f, 5e-3f, .015f, .05f, .01f};
    mdm_tensor_file *file = NULL;
    ok(mdm_tensor_file_open(&file, GOLDEN "/gate-golden.safetensors"));
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        char path[512], key[64];
        float points[478][3], want[MEASURES];
        mdm_image image = {0};
        mdm_portrait_measures m;
        snprintf(path, sizeof path, "%s/%s.png", GOLDEN, pictures[i].name);
        ok(mdm_image_read(&image, path, 3));
        snprintf(key, sizeof key, "%s.points", pictures[i].name);
        ok(mdm_array_to_f32(&points[0][0], 478 * 3, mdm_tensor_file_find(file, key)));
        snprintf(key, sizeof key, "%s.measures", pictures[i].name);
        ok(mdm_array_to_f32(want, MEASURES, mdm_tensor_file_find(file, key)));
        ok(mdm_portrait_measure(&m, &image, (const float(*)[3])points));
        const float got[MEASURES] = {m.yaw,         m.pitch, m.roll,   m.face_width, m.lip_gap, m.eye_open,
                                     m.corner_lift, m.light, m.fringe, m.glasses,    m.shade};
        for (int k = 0; k < MEASURES; k++)
            if (!(fabsf(got[k] - want[k]) <= tolerance[k]))
                fail_msg("%s: measure %d is %g, expected %g", pictures[i].name, k, (double)got[k], (double)want[k]);
        check(mdm_portrait_complaint(&m, false, 0), pictures[i].complaint, pictures[i].name);
        check(mdm_portrait_complaint(&m, true, 0), pictures[i].with_glasses, pictures[i].name);
        mdm_image_free(&image);
    }
    mdm_tensor_file_free(&file);
}

static void limits_refuse(void **state)
{
    (void)state;
    const mdm_portrait_measures good = {.face_width = 88, .eye_open = 0.3f, .light = 0.1f, .glasses = -5};
    mdm_portrait_measures m = good;
    check(mdm_portrait_complaint(&m, false, 0), NULL, "good");
    m.yaw = 9;
    check(mdm_portrait_complaint(&m, false, 0), "not frontal", "yaw");
    m = good, m.lip_gap = 0.04f;
    check(mdm_portrait_complaint(&m, false, 0), "mouth open", "mouth");
    m = good, m.corner_lift = -0.15f;
    check(mdm_portrait_complaint(&m, false, 0), "smiling", "smile");
    check(mdm_portrait_complaint(&m, false, 1), NULL, "a smile that was asked for");
    m = good, m.face_width = 60;
    check(mdm_portrait_complaint(&m, false, 0), "face too small", "size");
    m = good, m.light = NAN;
    check(mdm_portrait_complaint(&m, false, 0), "lit from one side", "not a number");
}

/* A dark crease painted beside the middle of the brows is seen, and by about as much as it is dark. */
static void knit_brows_show(void **state)
{
    (void)state;
    mdm_tensor_file *file = NULL;
    float points[478][3];
    mdm_image image = {0};
    mdm_portrait_measures smooth, knit;
    ok(mdm_tensor_file_open(&file, GOLDEN "/gate-golden.safetensors"));
    ok(mdm_image_read(&image, GOLDEN "/gate-good-a.png", 3));
    ok(mdm_array_to_f32(&points[0][0], 478 * 3, mdm_tensor_file_find(file, "gate-good-a.points")));
    ok(mdm_portrait_measure(&smooth, &image, (const float(*)[3])points));
    const int x = (int)(0.65f * points[107][0] + 0.35f * points[336][0]), top = (int)points[107][1] - 4,
              bottom = (int)points[55][1] + 2;
    for (int y = top; y <= bottom; y++)
        for (int k = -3; k < 6; k++)
            image.data[(size_t)y * image.stride + 3 * (size_t)(x - 1) + (size_t)(k + 3)] /= 2;
    ok(mdm_portrait_measure(&knit, &image, (const float(*)[3])points));
    if (!(smooth.knit >= 0 && smooth.knit < 0.2f && knit.knit > smooth.knit + 0.2f && knit.knit < smooth.knit + 0.8f))
        fail_msg("creases of %g, painted %g", (double)smooth.knit, (double)knit.knit);
    mdm_image_free(&image);
    mdm_tensor_file_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(measures_agree),
                                       cmocka_unit_test(the_rest_of_the_picture_does_not_matter),
                                       cmocka_unit_test(limits_refuse), cmocka_unit_test(knit_brows_show)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
