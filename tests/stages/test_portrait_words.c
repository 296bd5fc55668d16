/* Stand-ins from words: a face is framed as the embedded generator's are, wherever and however large it was drawn; a reduced model in a
 * hub's cache draws by seed and key; what is missing is said. Needs the third-party models. */
#define _POSIX_C_SOURCE 200809L /* setenv, symlink */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/drawing_folders.h"
#include "common/ok.h"
#include "stages/portrait_words.h"

#define MODELS  MMDM_SOURCE_DIR "/.deps/models"
#define PICTURE MMDM_SOURCE_DIR "/tests/models/golden/mesh-upright.png"

static char folder[64];
static mdm_face_detector *detector;
static mdm_face_mesh *mesher;

static int open_networks(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mdm-words-%ld", (long)getpid());
    if (!mdm_file_exists(MODELS "/face_landmark_with_attention.tflite"))
        return 0;
    return mdm_face_detector_new(&detector, MODELS, 1) || mdm_face_mesh_new(&mesher, MODELS, 1);
}

static int close_networks(void **state)
{
    (void)state;
    mdm_face_detector_free(&detector);
    mdm_face_mesh_free(&mesher);
    return mdm_remove_tree(folder, false) != MDM_OK;
}

static void mesh_of(mdm_mesh *mesh, const mdm_image *picture)
{
    mdm_face_detection seen[4];
    mdm_face_roi roi;
    int count = 0;
    const float region[4] = {0, 0, (float)picture->width, (float)picture->height};
    ok(mdm_face_detector_run(seen, 4, &count, detector, picture, region, 0.5f));
    assert_int_equal(count, 1);
    mdm_face_roi_from_detection(&roi, &seen[0]);
    ok(mdm_face_mesh_settle(mesh, mesher, picture, &roi, 2));
}

/* The picture turned by `degrees` and `scale` times as large, somewhere in a picture of `side`. */
static void place(mdm_image *out, const mdm_image *picture, int side, double scale, double degrees)
{
    const double c = cos(degrees * 0.017453293) / scale, s = sin(degrees * 0.017453293) / scale;
    const double half = side / 2.0, middle = picture->width / 2.0;
    const double m[6] = {c, s, middle - (c + s) * half + 20, -s, c, middle - (c - s) * half - 10};
    ok(mdm_image_new(out, side, side, 3));
    mdm_image_warp(out, picture, m, 90);
}

static void faces_are_framed(void **state)
{
    (void)state;
    static const struct {
        int side;
        double scale, degrees;
    } places[] = {{300, 1, 0}, {1024, 2.5, 12}, {1024, 3.4, -9}, {640, 1.2, 5}};
    mdm_image picture = {0};
    if (!mesher)
        skip();
    ok(mdm_image_read(&picture, PICTURE, 3));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        mdm_image large = {0}, framed = {0};
        mdm_mesh mesh;
        place(&large, &picture, places[i].side, places[i].scale, places[i].degrees);
        mesh_of(&mesh, &large);
        ok(mdm_portrait_frame(&framed, &large, &mesh));
        assert_true(framed.width == MDM_PORTRAIT_SIDE && framed.height == MDM_PORTRAIT_SIDE);
        mesh_of(&mesh, &framed);
        /* where the embedded generator has the outer corners of the eyes */
        const float *left = mesh.point[33], *right = mesh.point[263];
        print_message("eyes at %.1f,%.1f and %.1f,%.1f\n", (double)left[0], (double)left[1], (double)right[0],
                      (double)right[1]);
        assert_true(fabsf(left[0] - 69.6f) < 5 && fabsf(left[1] - 90.9f) < 5);
        assert_true(fabsf(right[0] - 185.3f) < 5 && fabsf(right[1] - 90.9f) < 5);
        mdm_image_free(&large);
        mdm_image_free(&framed);
    }
    mdm_image_free(&picture);
}

static void put_in_cache(const char *name, const char *target)
{
    char path[256], to[256];
    snprintf(path, sizeof path, "%s/hub/models--acme--%s/refs", folder, name);
    ok(mdm_make_folder(path, 0700));
    snprintf(path, sizeof path, "%s/hub/models--acme--%s/refs/main", folder, name);
    ok(mdm_file_write(path, "abc", 3));
    snprintf(path, sizeof path, "%s/hub/models--acme--%s/snapshots", folder, name);
    ok(mdm_make_folder(path, 0700));
    snprintf(path, sizeof path, "%s/hub/models--acme--%s/snapshots/abc", folder, name);
    snprintf(to, sizeof to, "%s/%s", folder, target);
    assert_int_equal(symlink(to, path), 0);
}

static void draws_follow_seed_and_key(void **state)
{
    (void)state;
    const mdm_drawing_model small = {
        .name = "small",
        .base = "acme/base",
        .unet = "acme/unet",
        .licence = "none",
        .side = 64,
        .sampler = MDM_SAMPLER_EULER,
        .steps = 2,
        .guidance = 2,
    };
    mdm_portrait_words *words = NULL;
    mdm_image picture[3] = {{0}, {0}, {0}};
    static const char *const keys[] = {"portrait/p1/0", "portrait/p1/0", "portrait/p1/1"};
    json_t *standin = json_pack("{s:s, s:s, s:s}", "age", "30-39", "gender", "female", "race", "White");
    if (!mesher)
        skip();
    drawing_make_folders(folder);
    assert_int_equal(setenv("HF_HOME", folder, 1), 0);
    unsetenv("HF_HUB_CACHE");
    assert_int_equal(mdm_portrait_words_new(&words, &small, detector, mesher, 1), MDM_ERR_DEVICE);
    assert_non_null(strstr(mdm_error_message(), "mmdm models pull small"));
    assert_null(words);
    put_in_cache("base", "sdxl");
    put_in_cache("unet", "sdxl/unet");
    ok(mdm_portrait_words_new(&words, &small, detector, mesher, 1));
    for (int i = 0; i < 3; i++) {
        ok(mdm_portrait_words_draw(&picture[i], words, standin, 1, keys[i], NULL));
        assert_true(picture[i].width == MDM_PORTRAIT_SIDE && picture[i].height == MDM_PORTRAIT_SIDE);
    }
    const size_t bytes = picture[0].stride * MDM_PORTRAIT_SIDE;
    assert_memory_equal(picture[0].data, picture[1].data, bytes);
    assert_memory_not_equal(picture[0].data, picture[2].data, bytes);
    for (int i = 0; i < 3; i++)
        mdm_image_free(&picture[i]);
    json_decref(standin);
    mdm_portrait_words_free(&words);
    assert_null(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faces_are_framed),
        cmocka_unit_test(draws_follow_seed_and_key),
    };
    return cmocka_run_group_tests(tests, open_networks, close_networks);
}
