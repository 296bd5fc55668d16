/* What may become a stand-in: a drawn portrait is accepted as what it was drawn as, not as somebody else; a wall and a pair are
 * not. Needs the third-party models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "common/ok.h"
#include "models/facegen.h"
#include "stages/portrait_check.h"

#define MODELS  MMDM_SOURCE_DIR "/.deps/models"
#define WEIGHTS MMDM_SOURCE_DIR "/models"
#define GOLDEN  MMDM_SOURCE_DIR "/tests/models/golden"

static const char *complaint_of(mdm_portrait_check *check, const mdm_image *picture, const mdm_portrait_wanted *wanted)
{
    const char *complaint = "never set";
    mdm_mesh mesh;
    ok(mdm_portrait_check_run(&complaint, &mesh, check, picture, wanted));
    return complaint;
}

static void expect(mdm_portrait_check *check, const mdm_image *picture, mdm_portrait_wanted wanted, const char *want)
{
    const char *got = complaint_of(check, picture, &wanted);
    if (want ? !got || strcmp(got, want) != 0 : got != NULL)
        fail_msg("\"%s\", expected \"%s\"", got ? got : "(nothing)", want ? want : "(nothing)");
}

/* Draws portraits of a man of thirty until one is accepted; one in four may not be. */
static void drawn_portraits_are_judged(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* minutes, and nothing in it is new to the sanitizers */
#endif
    enum { MOST = 6 };
    mdm_portrait_check *check = NULL;
    mdm_facegen *facegen = NULL;
    mdm_image picture = {0};
    const char *complaint = "none drawn";
    const mdm_portrait_wanted anybody = mdm_portrait_wanted_of(NULL, NULL, NULL, false);
    const mdm_facegen_sampler sampler = mdm_facegen_sampler_default();
    if (!mdm_file_exists(MODELS "/face_landmark_with_attention.tflite"))
        skip();
    ok(mdm_portrait_check_new(&check, MODELS, WEIGHTS));
    ok(mdm_facegen_new(&facegen, WEIGHTS, "facegen", 2));
    for (uint64_t seed = 1; seed <= MOST && complaint; seed++) {
        mdm_random random;
        mdm_random_seed(&random, seed, "portrait check");
        mdm_facegen_conditions conditions = mdm_facegen_neutral(facegen, 4, 1, 6, false, &random);
        mdm_image_free(&picture);
        ok(mdm_facegen_draw(facegen, &picture, &conditions, &sampler, &random, NULL));
        complaint = complaint_of(check, &picture, &anybody);
        print_message("portrait %d: %s\n", (int)seed, complaint ? complaint : "accepted");
    }
    assert_null(complaint);
    expect(check, &picture, mdm_portrait_wanted_of(NULL, "male", NULL, false), NULL);
    expect(check, &picture, mdm_portrait_wanted_of(NULL, "female", NULL, false), "not of the gender asked for");
    expect(check, &picture, mdm_portrait_wanted_of("3-9", NULL, NULL, false), "not of the age asked for");
    expect(check, &picture, mdm_portrait_wanted_of(NULL, NULL, "Black", false), "not of the race asked for");
    expect(check, &picture, mdm_portrait_wanted_of(NULL, NULL, NULL, true), "no glasses");
    mdm_image_free(&picture);
    mdm_facegen_free(&facegen);
    mdm_portrait_check_free(&check);
}

static void other_pictures_are_refused(void **state)
{
    (void)state;
    mdm_portrait_check *check = NULL;
    mdm_image picture = {0}, other = {0};
    const mdm_portrait_wanted anybody = mdm_portrait_wanted_of(NULL, NULL, NULL, false);
    if (!mdm_file_exists(MODELS "/face_landmark_with_attention.tflite"))
        skip();
    ok(mdm_portrait_check_new(&check, MODELS, WEIGHTS));
    ok(mdm_image_read(&picture, GOLDEN "/mesh-turned.png", 3));
    expect(check, &picture, anybody, "tilted");
    mdm_image_free(&picture);
    ok(mdm_image_read(&picture, GOLDEN "/mesh-upright.png", 3));
    expect(check, &picture, anybody, "lit from one side");

    ok(mdm_image_new(&other, 2 * picture.width, picture.height, 3)); /* twice, side by side */
    for (int y = 0; y < picture.height; y++)
        for (int i = 0; i < 2; i++)
            memcpy(other.data + (size_t)y * other.stride + (size_t)(i * 3 * picture.width),
                   picture.data + (size_t)y * picture.stride, (size_t)picture.width * 3);
    expect(check, &other, anybody, "no single face");
    memset(other.data, 128, other.stride * (size_t)other.height);
    expect(check, &other, anybody, "no single face");
    mdm_image_free(&other);
    mdm_image_free(&picture);
    mdm_portrait_check_free(&check);
    assert_null(check);
}

static void words_of_plans_are_known(void **state)
{
    (void)state;
    mdm_portrait_wanted w = mdm_portrait_wanted_of("70+", "Female", "latino_hispanic", true);
    assert_true(w.age == 8 && w.gender == 0 && w.race == 3 && w.glasses);
    w = mdm_portrait_wanted_of("old", NULL, "Martian", false);
    assert_true(w.age == -1 && w.gender == -1 && w.race == -1 && !w.glasses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_portraits_are_judged),
        cmocka_unit_test(other_pictures_are_refused),
        cmocka_unit_test(words_of_plans_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
