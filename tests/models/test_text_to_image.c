/* Whole text-to-picture models at reduced size with random weights against diffusers' pipelines
 * (tools/make_diffusion_goldens.py), and what is said of folders that are not complete or do not belong together. */
#define _DEFAULT_SOURCE /* truncate */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/drawing_folders.h"
#include "common/golden.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "models/latent_preview.h"
#include "models/text_to_image.h"

#define GOLDEN DRAWING_GOLDEN
#define PROMPT DRAWING_PROMPT

enum { WIDTH = DRAWING_WIDTH, HEIGHT = DRAWING_HEIGHT, LATENT = DRAWING_LATENT };

static int make_folders(void **state)
{
    if (make_folder(state))
        return 1;
    drawing_make_folders(folder);
    return 0;
}

static mdm_text_to_image *open_model(const char *model, const char *unet)
{
    char base[128];
    mdm_text_to_image *m = NULL;
    snprintf(base, sizeof base, "%s/%s", folder, model);
    ok(mdm_text_to_image_open(&m, &(mdm_text_to_image_options){.base = base, .unet = unet, .threads = 1}));
    return m;
}

/* ---- agreement ---- */

static mdm_drawing drawing_of(int steps, float guidance)
{
    return (mdm_drawing){
        .width = WIDTH,
        .height = HEIGHT,
        .sampler = MDM_SAMPLER_KINDS,
        .steps = steps,
        .guidance = guidance,
        .seed = 1, /* whose "latent" is the script's */
    };
}

static void compare(const mdm_tensor_file *file, const char *model, const char *what, const float *latent)
{
    char key[32];
    size_t count = 0;
    snprintf(key, sizeof key, "%s%s", model, what);
    float *want = golden(file, key, NULL, &count);
    assert_int_equal(count, LATENT);
    double error = relative_error(latent, want, LATENT);
    print_message("%s: %.2g relative\n", key, error);
    assert_true(error < 1e-3);
    mdm_free(&want);
}

static void compare_picture(mdm_text_to_image *m, const mdm_tensor_file *file, const char *model, const float *latent)
{
    char key[32];
    mdm_image picture = {0};
    size_t count = 0;
    double sum = 0;
    ok(mdm_text_to_image_decode(m, &picture, latent, WIDTH, HEIGHT, NULL));
    snprintf(key, sizeof key, "%s.picture", model);
    float *want = golden(file, key, NULL, &count);
    assert_int_equal(count, 3 * WIDTH * HEIGHT);
    assert_true(picture.width == WIDTH && picture.height == HEIGHT);
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)picture.data[i / (3 * WIDTH) * picture.stride + i % (3 * WIDTH)] - (double)want[i]);
    print_message("%s: mean difference %.3f of 255\n", key, sum / (double)count);
    assert_true(sum / (double)count < 0.1);
    mdm_free(&want);
    mdm_image_free(&picture);
}

static void check_model(const char *model)
{
    float latent[LATENT];
    size_t tokens = 0;
    mdm_tensor_file *file = NULL;
    mdm_text_to_image *m = open_model(model, NULL);
    ok(mdm_tensor_file_open(&file, GOLDEN "/pipeline.safetensors"));
    mdm_drawing drawing = drawing_of(10, 5);
    ok(mdm_text_to_image_ask(m, PROMPT, "boots", &tokens));
    assert_true(tokens > 20 && mdm_text_to_image_tokens(m) == 77);
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    compare(file, model, ".negative", latent);
    ok(mdm_text_to_image_ask(m, PROMPT, NULL, NULL));
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    compare(file, model, "", latent);
    compare_picture(m, file, model, latent);
    drawing.guidance = 1;
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    compare(file, model, ".unguided", latent);
    mdm_tensor_file_free(&file);
    mdm_text_to_image_free(&m);
    assert_null(m);
}

static void models_agree(void **state)
{
    (void)state;
    check_model("sd15");
    check_model("sdxl");
}

static void second_pass_agrees(void **state)
{
    (void)state;
    float latent[LATENT];
    mdm_tensor_file *file = NULL;
    mdm_text_to_image *m = open_model("refiner", NULL);
    ok(mdm_tensor_file_open(&file, GOLDEN "/pipeline.safetensors"));
    float *from = golden(file, "sdxl", NULL, NULL);
    mdm_drawing drawing = drawing_of(20, 5);
    drawing.from = from;
    drawing.strength = 0.3;
    ok(mdm_text_to_image_ask(m, PROMPT, NULL, NULL));
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    compare(file, "refined", "", latent);
    mdm_free(&from);
    mdm_tensor_file_free(&file);
    mdm_text_to_image_free(&m);
}

/* The seed is the noise; another seed another picture; noise that is given is taken. */
static void noise_comes_from_the_seed(void **state)
{
    (void)state;
    float a[LATENT], b[LATENT];
    mdm_text_to_image *m = open_model("sd15", NULL);
    mdm_drawing drawing = drawing_of(2, 1);
    drawing.sampler = MDM_SAMPLER_EULER_ANCESTRAL;
    ok(mdm_text_to_image_ask(m, "a wall", NULL, NULL));
    ok(mdm_text_to_image_draw(m, a, &drawing));
    ok(mdm_text_to_image_draw(m, b, &drawing));
    assert_memory_equal(a, b, sizeof a);
    float *noise = random_normals(1, "latent", LATENT);
    drawing.noise = noise;
    ok(mdm_text_to_image_draw(m, b, &drawing));
    assert_memory_equal(a, b, sizeof a);
    drawing.noise = NULL;
    drawing.seed = 2;
    ok(mdm_text_to_image_draw(m, b, &drawing));
    assert_true(relative_error(b, a, LATENT) > 0.1);
    mdm_free(&noise);
    mdm_text_to_image_free(&m);
}

/* ---- previews ---- */

static void latents_become_colours_linearly(void **state)
{
    (void)state;
    const mdm_latent_preview preview = {.channels = 2, .base = {-1, 0, 0.5f}, .slope = {{1, 0, 0}, {0.5f, -0.25f, 3}}};
    const float latent[2][6] = {{0, 1, 2, 0, 0, 0}, {0, 0, 0, 1, -1, 2}}; /* 2 rows of 3 */
    static const uint8_t want[6][3] = {{0, 128, 191}, {128, 128, 191}, {255, 128, 191},
                                       {64, 96, 255}, {0, 159, 0},     {128, 64, 255}};
    mdm_image image = {0};
    ok(mdm_latent_preview_draw(&image, &preview, latent[0], 2, 3));
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 3; k++)
            assert_int_equal(image.data[(size_t)(i / 3) * image.stride + (size_t)(i % 3 * 3 + k)], want[i][k]);
    mdm_image_free(&image);
}

/* What lies between the mean colours of a picture's halves, left 1 and right -1 in one channel of the latent. */
static void change_colour(double change[3], mdm_text_to_image *m, int channel, bool preview)
{
    float latent[LATENT] = {0};
    mdm_image picture = {0};
    for (int i = 0; i < LATENT / 4; i++)
        latent[channel * (LATENT / 4) + i] = i % (WIDTH / 4) < WIDTH / 8 ? 1 : -1;
    ok(preview ? mdm_text_to_image_preview(m, &picture, latent, WIDTH, HEIGHT)
               : mdm_text_to_image_decode(m, &picture, latent, WIDTH, HEIGHT, NULL));
    assert_true(picture.width == WIDTH && picture.height == HEIGHT);
    memset(change, 0, 3 * sizeof *change);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int k = 0; k < 3; k++)
            change[k] += (i % WIDTH < WIDTH / 2 ? 1 : -1) *
                         (double)picture.data[(size_t)(i / WIDTH) * picture.stride + (size_t)(i % WIDTH * 3 + k)];
    mdm_image_free(&picture);
}

/* What the map says a channel does to colours is about what the decoder does, which is not linear. */
static void previews_follow_the_decoder(void **state)
{
    (void)state;
    double same = 0, saw = 0, did = 0;
    mdm_text_to_image *m = open_model("sd15", NULL);
    for (int c = 0; c < 4; c++) {
        double look[3], picture[3];
        change_colour(look, m, c, true);
        change_colour(picture, m, c, false);
        for (int k = 0; k < 3; k++) {
            same += look[k] * picture[k];
            saw += look[k] * look[k];
            did += picture[k] * picture[k];
        }
    }
    print_message("changes of colour: correlation %.3f, ratio %.2f\n", same / sqrt(saw * did), sqrt(saw / did));
    assert_true(same / sqrt(saw * did) > 0.7);
    assert_true(sqrt(saw / did) > 0.5 && sqrt(saw / did) < 2);
    mdm_text_to_image_free(&m);
}

typedef struct watched {
    int calls, last;
    float clean[LATENT];
} watched;

static mdm_status watch(void *user, const float *clean, int done)
{
    watched *w = user;
    w->calls++;
    w->last = done;
    memcpy(w->clean, clean, sizeof w->clean);
    return MDM_OK;
}

static void estimates_are_shown_after_every_step(void **state)
{
    (void)state;
    float latent[LATENT];
    watched seen = {0};
    mdm_text_to_image *m = open_model("sd15", NULL);
    mdm_drawing drawing = drawing_of(4, 1);
    drawing.sampler = MDM_SAMPLER_EULER;
    drawing.watch = watch;
    drawing.watcher = &seen;
    ok(mdm_text_to_image_ask(m, "a wall", NULL, NULL));
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    assert_true(seen.calls == 4 && seen.last == 4);
    assert_true(relative_error(seen.clean, latent, LATENT) < 1e-5); /* the last step goes all the way to it */
    drawing.karras = true;
    ok(mdm_text_to_image_draw(m, latent, &drawing));
    assert_true(relative_error(seen.clean, latent, LATENT) < 1e-5);
    drawing.sampler = MDM_SAMPLER_DDIM;
    assert_int_equal(mdm_text_to_image_draw(m, latent, &drawing), MDM_ERR_USAGE);
    mdm_text_to_image_free(&m);
}

/* Files under the names that PyTorch's have are found (what is in them is said by their content). */
static void other_file_names_are_found(void **state)
{
    (void)state;
    static const char *const renamed[][2] = {
        {"text_encoder/model.safetensors", "text_encoder/pytorch_model.bin"},
        {"unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"},
    };
    char from[256], to[256];
    float latent[LATENT];
    const mdm_drawing drawing = drawing_of(1, 1);
    for (int turn = 0; turn < 2; turn++) { /* there and back */
        for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
            snprintf(from, sizeof from, "%s/sd15/%s", folder, renamed[i][turn]);
            snprintf(to, sizeof to, "%s/sd15/%s", folder, renamed[i][!turn]);
            assert_int_equal(rename(from, to), 0);
        }
        mdm_text_to_image *m = open_model("sd15", NULL);
        ok(mdm_text_to_image_ask(m, PROMPT, NULL, NULL));
        ok(mdm_text_to_image_draw(m, latent, &drawing));
        mdm_text_to_image_free(&m);
    }
}

/* ---- other people's U-nets ---- */

static void another_unet_takes_the_place(void **state)
{
    (void)state;
    float latent[LATENT];
    char unet[256];
    mdm_tensor_file *golden_file = NULL;
    const mdm_drawing drawing = drawing_of(10, 5);
    ok(mdm_tensor_file_open(&golden_file, GOLDEN "/pipeline.safetensors"));
    static const char *const places[] = {"%s/sdxl/unet", "%s/sdxl/unet/diffusion_pytorch_model.safetensors"};
    for (int i = 0; i < 2; i++) { /* a folder, and a file */
        snprintf(unet, sizeof unet, places[i], folder);
        mdm_text_to_image *m = open_model("sdxl", unet);
        ok(mdm_text_to_image_ask(m, PROMPT, NULL, NULL));
        ok(mdm_text_to_image_draw(m, latent, &drawing));
        compare(golden_file, "sdxl", "", latent);
        mdm_text_to_image_free(&m);
    }
    mdm_tensor_file_free(&golden_file);
}

static void refuse(const char *model, const char *unet, mdm_status status, const char *word)
{
    char base[128];
    mdm_text_to_image *m = NULL;
    snprintf(base, sizeof base, "%s/%s", folder, model);
    mdm_status got = mdm_text_to_image_open(&m, &(mdm_text_to_image_options){.base = base, .unet = unet, .threads = 1});
    if (!got)
        got = mdm_text_to_image_ask(m, PROMPT, NULL, NULL);
    mdm_text_to_image_free(&m);
    if (got != status || !strstr(mdm_error_message(), word))
        fail_msg("\"%s\" (%s) does not say \"%s\"", mdm_error_message(), mdm_status_name(got), word);
}

/* Takes FILE away while `refuse` looks, and puts it back. */
static void without(const char *file, const char *model, mdm_status status, const char *word)
{
    char path[256], away[300];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    refuse(model, NULL, status, word);
    assert_int_equal(rename(away, path), 0);
}

static void incomplete_folders_are_refused(void **state)
{
    (void)state;
    char unet[256];
    without("sd15/text_encoder/config.json", "sd15", MDM_ERR_DEVICE, "text_encoder/config.json is missing");
    without("sd15/unet/config.json", "sd15", MDM_ERR_DEVICE, "unet/config.json is missing");
    without("sd15/vae/config.json", "sd15", MDM_ERR_DEVICE, "vae/config.json is missing");
    without("sd15/scheduler/scheduler_config.json", "sd15", MDM_ERR_DEVICE, "scheduler_config.json is missing");
    without("sd15/text_encoder/model.safetensors", "sd15", MDM_ERR_DEVICE, "model.safetensors is missing");
    without("sd15/tokenizer/merges.txt", "sd15", MDM_ERR_INPUT, "merges.txt");
    without("sdxl/text_encoder_2/config.json", "sdxl", MDM_ERR_INPUT, "width 64");
    snprintf(unet, sizeof unet, "%s/refiner/unet", folder);
    refuse("sd15", unet, MDM_ERR_INPUT, "needs text_encoder_2");
    refuse("sdxl", unet, MDM_ERR_INPUT, "width 32");
    refuse("sdxl", "/nonexistent", MDM_ERR_DEVICE, "/nonexistent/config.json is missing");
}

/* A U-net of 2 TB, nearly all of it a hole in its file: said before any of it is read. */
static void what_does_not_fit_is_said_before_it_is_loaded(void **state)
{
    (void)state;
    static const char header[] = "{\"conv_in.weight\":{\"dtype\":\"F16\",\"shape\":[1000000,1000000],"
                                 "\"data_offsets\":[0,2000000000000]}}   ";
    const unsigned char size[8] = {sizeof header - 1};
    char path[128];
    float latent[LATENT];
    const mdm_drawing drawing = drawing_of(1, 1);
    in_folder(path, "huge.safetensors");
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(size, 8, 1, file) == 1 && fwrite(header, sizeof header - 1, 1, file) == 1);
    assert_int_equal(fclose(file), 0);
    if (truncate(path, (off_t)(8 + sizeof header - 1) + 2000000000000) != 0)
        skip(); /* no holes in files here */
    mdm_text_to_image *m = open_model("sd15", path);
    ok(mdm_text_to_image_ask(m, "a wall", NULL, NULL));
    assert_int_equal(mdm_text_to_image_draw(m, latent, &drawing), MDM_ERR_MEMORY);
    if (!strstr(mdm_error_message(), "huge.safetensors needs at least 4000.0 GB of memory") ||
        !strstr(mdm_error_message(), "--precision f16"))
        fail_msg("%s", mdm_error_message());
    mdm_text_to_image_free(&m);
}

static void sizes_that_do_not_halve_are_refused(void **state)
{
    (void)state;
    int shape[3];
    mdm_text_to_image *m = open_model("sd15", NULL);
    ok(mdm_text_to_image_shape(shape, m, 96, 32)); /* 4 pixels a latent pixel, halved three times */
    assert_true(shape[0] == 4 && shape[1] == 8 && shape[2] == 24);
    assert_int_equal(mdm_text_to_image_shape(shape, m, 40, 32), MDM_ERR_USAGE);
    assert_non_null(strstr(mdm_error_message(), "multiples of 32"));
    assert_int_equal(mdm_text_to_image_shape(shape, m, 0, 32), MDM_ERR_USAGE);
    assert_int_equal(mdm_text_to_image_shape(shape, m, 8224, 32), MDM_ERR_USAGE);
    mdm_drawing drawing = drawing_of(2, 1);
    float latent[LATENT];
    assert_int_equal(mdm_text_to_image_draw(m, latent, &drawing), MDM_ERR_INTERNAL); /* nothing was asked for */
    mdm_text_to_image_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_agree),
        cmocka_unit_test(second_pass_agrees),
        cmocka_unit_test(noise_comes_from_the_seed),
        cmocka_unit_test(latents_become_colours_linearly),
        cmocka_unit_test(previews_follow_the_decoder),
        cmocka_unit_test(estimates_are_shown_after_every_step),
        cmocka_unit_test(other_file_names_are_found),
        cmocka_unit_test(another_unet_takes_the_place),
        cmocka_unit_test(incomplete_folders_are_refused),
        cmocka_unit_test(what_does_not_fit_is_said_before_it_is_loaded),
        cmocka_unit_test(sizes_that_do_not_halve_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folder);
}
