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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(measures_agree), cmocka_unit_test(limits_refuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
