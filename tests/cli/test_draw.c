/* mmdm portrait --backend from the command line alone: reduced models with random weights give the latents and pictures of diffusers'
 * pipelines, plans become prompts, and what is wrong is said. */
#define _DEFAULT_SOURCE /* setenv, usleep */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "common/drawing_folders.h"
#include "common/golden.h"
#include "common/scratch.h"
#include "media/image.h"

static char model[128], latents[128], picture[128], noise[128];

static int make_folders(void **state)
{
    if (make_folder(state))
        return 1;
    drawing_make_folders(folder);
    in_folder(latents, "latents.safetensors");
    in_folder(picture, "picture.png");
    in_folder(noise, "noise.safetensors");
    float *values = random_normals(1, "latent", DRAWING_LATENT);
    const mdm_array array = {
        .name = "noise", .rank = 4, .shape = {1, 4, 8, 16}, .data = values, .size = DRAWING_LATENT * 4};
    ok(mdm_safetensors_write(noise, &array, 1, NULL));
    mdm_free(&values);
    return setenv("HF_HOME", folder, 1);
}

/* `mmdm portrait` with these words, NULL at the end; its exit code. */
static int portrait(const char *first, ...)
{
    char *argv[40] = {"mmdm", "portrait"};
    int argc = 2;
    va_list list;
    va_start(list, first);
    for (const char *word = first; word; word = va_arg(list, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    va_end(list);
    return mdm_cli_main(argc, argv);
}

static void compare(const char *name)
{
    mdm_tensor_file *want_file = NULL, *got_file = NULL;
    ok(mdm_tensor_file_open(&want_file, DRAWING_GOLDEN "/pipeline.safetensors"));
    ok(mdm_tensor_file_open(&got_file, latents));
    size_t count = 0;
    float *want = golden(want_file, name, NULL, NULL), *got = golden(got_file, "latents", NULL, &count);
    assert_int_equal(count, DRAWING_LATENT);
    double error = relative_error(got, want, count);
    print_message("%s: %.2g relative\n", name, error);
    assert_true(error < 1e-3);
    mdm_free(&want);
    mdm_free(&got);
    mdm_tensor_file_free(&want_file);
    mdm_tensor_file_free(&got_file);
}

#define SMALL                                                                                                          \
    "--width", "64", "--height", "32", "--steps", "10", "--guidance", "5", "--tries", "0", "--threads", "1",           \
        "--device", "cpu"

static void command_line_gives_the_references_pictures(void **state)
{
    (void)state;
    mdm_image got = {0};
    mdm_tensor_file *file = NULL;
    double sum = 0;
    in_folder(model, "sdxl");
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--describe", DRAWING_PROMPT,
                              "--no-negative", "--noise", noise, "--save-latents", latents, "-o", picture, SMALL, NULL),
                     0);
    compare("sdxl");
    ok(mdm_image_read(&got, picture, 3));
    ok(mdm_tensor_file_open(&file, DRAWING_GOLDEN "/pipeline.safetensors"));
    float *want = golden(file, "sdxl.picture", NULL, NULL);
    for (int i = 0; i < 3 * 64 * 32; i++)
        sum += fabs((double)got.data[(size_t)(i / 192) * got.stride + (size_t)(i % 192)] - (double)want[i]);
    assert_true(sum / (3 * 64 * 32) < 1);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
    mdm_image_free(&got);

    in_folder(model, "sd15"); /* the seed's noise is the script's too */
    assert_int_equal(portrait("--backend=cosmicman-sd", "--model", model, "--describe", DRAWING_PROMPT,
                              "--negative=boots", "--save-latents", latents, SMALL, NULL),
                     0);
    compare("sd15.negative");
}

static void second_pass_is_the_references(void **state)
{
    (void)state;
    char refiner[128];
    in_folder(model, "sdxl");
    in_folder(refiner, "refiner");
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--refiner", refiner, "--describe",
                              DRAWING_PROMPT, "--no-negative", "--second-pass", "0.3", "--second-steps", "20",
                              "--second-guidance", "5", "--save-latents", latents, SMALL, NULL),
                     0);
    compare("refined");
}

/* A repository in the hub's cache: REFS to a snapshot which is a link to one of the folders. */
static void put_in_cache(const char *repository, const char *target)
{
    char path[256], to[256];
    snprintf(path, sizeof path, "%s/hub/models--%s/refs", folder, repository);
    ok(mdm_make_folder(path, 0700));
    snprintf(path, sizeof path, "%s/hub/models--%s/refs/main", folder, repository);
    ok(mdm_file_write(path, "abc123\n", 7));
    snprintf(path, sizeof path, "%s/hub/models--%s/snapshots", folder, repository);
    ok(mdm_make_folder(path, 0700));
    snprintf(path, sizeof path, "%s/hub/models--%s/snapshots/abc123", folder, repository);
    snprintf(to, sizeof to, "%s/%s", folder, target);
    assert_int_equal(symlink(to, path), 0);
}

static void models_are_found_in_the_hubs_cache(void **state)
{
    (void)state;
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--describe", "x", "--save-latents", latents, SMALL, NULL),
                     69);
    assert_non_null(strstr(mdm_last_error(), "stabilityai/stable-diffusion-xl-base-1.0"));
    assert_non_null(strstr(mdm_last_error(), "13.9 GB"));
    put_in_cache("stabilityai--stable-diffusion-xl-base-1.0", "sdxl");
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--describe", "x", "--save-latents", latents, SMALL, NULL),
                     69);
    put_in_cache("cosmicman--CosmicMan-SDXL", "sdxl/unet");
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--describe", DRAWING_PROMPT, "--no-negative",
                              "--save-latents", latents, SMALL, NULL),
                     0);
    compare("sdxl");
}

/* A whole run says at its start that the model is missing. */
static void runs_ask_for_the_model_first(void **state)
{
    (void)state;
    char out[128];
    in_folder(out, "out");
    char *run[] = {"mmdm", "run", noise, "-o", out, "--portrait", "cosmicman-sd"};
    assert_int_equal(mdm_cli_main(7, run), 69);
    assert_non_null(strstr(mdm_last_error(), "mmdm models pull cosmicman-sd"));
    assert_false(mdm_file_exists(out));
}

/* `mmdm models convert`: a U-net in a smaller file, and a picture with it. */
static void weights_are_converted(void **state)
{
    (void)state;
    char from[256], to[128];
    snprintf(from, sizeof from, "%s/sdxl/unet/diffusion_pytorch_model.safetensors", folder);
    in_folder(to, "unet.gguf");
    in_folder(model, "sdxl");
    char *good[] = {"mmdm", "models", "convert", from, to, "f32"},
         *wrong[] = {"mmdm", "models", "convert", from, to, "q9"};
    assert_int_equal(mdm_cli_main(6, wrong), 2);
    assert_non_null(strstr(mdm_last_error(), "q4_0"));
    assert_int_equal(mdm_cli_main(6, good), 0);
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--unet", to, "--describe",
                              DRAWING_PROMPT, "--no-negative", "--save-latents", latents, SMALL, NULL),
                     0);
    compare("sdxl");
}

/* The bytes of FOLDER/name, which must be there (mdm_free). */
static unsigned char *read_whole(const char *name, size_t *size)
{
    char path[128];
    unsigned char *data = NULL;
    in_folder(path, name);
    ok(mdm_file_read(&data, size, path, 1 << 20));
    return data;
}

/* --count: pictures of seeds counted on, each the one that its seed gives alone; --preview and --json tell of them meanwhile. */
static void several_are_drawn_and_told_of(void **state)
{
    (void)state;
    char several[128], one[128], preview[128], events[128], expected[320];
    mdm_image look = {0};
    size_t sizes[3] = {0};
    in_folder(model, "sd15");
    in_folder(several, "several.safetensors");
    in_folder(one, "one.safetensors");
    in_folder(preview, "look.png");
    in_folder(events, "events.jsonl");
    fflush(stdout);
    const int terminal = dup(STDOUT_FILENO), file = open(events, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(terminal >= 0 && file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    const int code = portrait("--backend", "cosmicman-sd", "--model", model, "--describe", "x", "--save-latents",
                              several, "-o", picture, SMALL, "--count", "2", "--seed", "5", "--preview", preview,
                              "--preview-every=4", "--json", NULL);
    assert_true(dup2(terminal, STDOUT_FILENO) >= 0);
    close(terminal);
    close(file);
    assert_int_equal(code, 0);
    assert_int_equal(portrait("--backend", "cosmicman-sd", "--model", model, "--describe", "x", "--save-latents", one,
                              SMALL, "--seed", "6", NULL),
                     0);
    unsigned char *alone = read_whole("one.safetensors", &sizes[0]),
                  *second = read_whole("several-2.safetensors", &sizes[1]);
    assert_true(sizes[0] == sizes[1] && !memcmp(alone, second, sizes[0]));
    mdm_free(&alone);
    mdm_free(&second);
    alone = read_whole("picture-1.png", &sizes[0]);
    second = read_whole("picture-2.png", &sizes[1]);
    assert_false(sizes[0] == sizes[1] && !memcmp(alone, second, sizes[0]));
    mdm_free(&alone);
    mdm_free(&second);
    ok(mdm_image_read(&look, preview, 3));
    assert_true(look.width == 64 && look.height == 32);
    mdm_image_free(&look);

    unsigned char *told = read_whole("events.jsonl", &sizes[2]);
    int previews = 0;
    for (char *line = strtok((char *)told, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        const char *kind = json_string_value(json_object_get(event, "event"));
        previews += !strcmp(kind, "preview");
        if (!strcmp(kind, "picture")) {
            const json_int_t number = json_integer_value(json_object_get(event, "number"));
            snprintf(expected, sizeof expected, "%s/picture-%d.png", folder, (int)number);
            assert_string_equal(json_string_value(json_object_get(event, "file")), expected);
            assert_string_equal(json_string_value(json_object_get(event, "seed")), number == 1 ? "5" : "6");
        }
        json_decref(event);
    }
    assert_int_equal(previews, 4); /* after 4 and 8 of 10 steps, twice */
    mdm_free(&told);
    assert_int_equal(portrait("--backend", "cosmicman-sd", "--model", model, "--describe", "x", "--save-latents", one,
                              SMALL, "--count", "2", "--noise", noise, NULL),
                     2);
}

/* SIGINT in the middle: exit code 75, the last preview whole, and no other file, not even a part of one. */
static void a_signal_leaves_nothing_half_written(void **state)
{
    (void)state;
    char place[128], preview[256], out[256], name[256];
    mdm_image look = {0};
    int ended = 0;
    in_folder(place, "cancelled");
    ok(mdm_make_folder(place, 0700));
    in_folder(model, "sd15");
    snprintf(preview, sizeof preview, "%s/look.png", place);
    snprintf(out, sizeof out, "%s/picture.png", place);
    const pid_t child = fork();
    if (child == 0)
        _exit(portrait("--backend", "cosmicman-sd", "--model", model, "--describe", "x", "-o", out, "--save-latents",
                       out, SMALL, "--steps", "1000", "--preview", preview, "--preview-every", "1", NULL));
    for (int i = 0; i < 6000 && !mdm_file_exists(preview); i++)
        usleep(10000);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 75);
    ok(mdm_image_read(&look, preview, 3));
    mdm_image_free(&look);
    DIR *files = opendir(place);
    assert_non_null(files);
    for (struct dirent *entry; (entry = readdir(files));) {
        snprintf(name, sizeof name, "%s", entry->d_name);
        if (name[0] != '.')
            assert_string_equal(name, "look.png");
    }
    closedir(files);
}

static void plans_become_prompts(void **state)
{
    (void)state;
    char plan[128];
    const char *text =
        "{\"version\": 1, \"persons\": [{\"id\": \"p1\", \"action\": \"cover\"}, {\"id\": \"p2\", \"action\": "
        "\"replace\", \"standin\": {\"age\": \"30-39\", \"gender\": \"female\", \"race\": \"White\", "
        "\"seed_key\": \"p2\"}}]}";
    in_folder(plan, "plan.json");
    in_folder(model, "sdxl");
    ok(mdm_file_write(plan, text, strlen(text)));
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--plan", plan, "--save-latents",
                              latents, "--width", "64", "--height", "32", "--steps", "1", "--tries", "0", "--threads",
                              "1", NULL),
                     0);
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--plan", plan, "--person", "p9",
                              "--save-latents", latents, SMALL, NULL),
                     65);
    assert_non_null(strstr(mdm_last_error(), "p9"));
}

/* Noise is no face: with the check, nothing is written. */
static void what_is_no_portrait_is_not_taken(void **state)
{
    (void)state;
    if (!mdm_file_exists(MMDM_SOURCE_DIR "/.deps/models/face_landmark_with_attention.tflite"))
        skip();
    in_folder(model, "sdxl");
    unlink(picture);
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "--describe", "x", "-o", picture,
                              "--width", "64", "--height", "32", "--steps", "1", "--tries", "2", "--threads", "1",
                              "--models", MMDM_SOURCE_DIR "/.deps/models", "--weights", MMDM_SOURCE_DIR "/models",
                              NULL),
                     75);
    assert_non_null(strstr(mdm_last_error(), "none of 2 pictures"));
    assert_false(mdm_file_exists(picture));
}

static void mistakes_are_said(void **state)
{
    (void)state;
    static const char *const nothing = NULL;
    in_folder(model, "sdxl");
    static const struct {
        const char *name, *value;
        int code;
    } wrong[] = {
        {"--steps", "many", 2},    {"--steps", "0x10", 2},         {"--steps", "5000", 2}, {"--guidance", "nan", 2},
        {"--seed", "-1", 2},       {"--sampler", "heun", 2},       {"--width", "63", 2},   {"--precision", "f8", 2},
        {"--second-pass", "2", 2}, {"--tries", "5000", 2},         {"--nonsense", "1", 2}, {"word", "1", 2},
        {"--noise", latents, 65},  {"--unet", "/nonexistent", 69},
    };
    const float few[3] = {0};
    const mdm_array array = {.name = "x", .rank = 1, .shape = {3}, .data = few, .size = sizeof few};
    ok(mdm_safetensors_write(latents, &array, 1, NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int code = portrait("--backend", "cosmicman-sdxl", "--model", model, "--describe", "x", "-o", picture, SMALL,
                            wrong[i].name, wrong[i].value, nothing);
        if (code != wrong[i].code)
            fail_msg("%s %s ends with %d, expected %d", wrong[i].name, wrong[i].value, code, wrong[i].code);
    }
    assert_int_equal(portrait("--backend", nothing), 2);
    assert_int_equal(portrait("--backend", "dall-e", "--describe", "x", "-o", picture, nothing), 2);
    assert_int_equal(portrait("--backend", "cosmicman-sd", "--describe", "x", nothing), 2); /* nothing to write */
    assert_int_equal(portrait("--backend", "cosmicman-sdxl", "--model", model, "-o", picture, SMALL, nothing), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line_gives_the_references_pictures),
        cmocka_unit_test(second_pass_is_the_references),
        cmocka_unit_test(runs_ask_for_the_model_first),
        cmocka_unit_test(weights_are_converted),
        cmocka_unit_test(several_are_drawn_and_told_of),
        cmocka_unit_test(a_signal_leaves_nothing_half_written),
        cmocka_unit_test(plans_become_prompts),
        cmocka_unit_test(what_is_no_portrait_is_not_taken),
        cmocka_unit_test(mistakes_are_said),
        cmocka_unit_test(models_are_found_in_the_hubs_cache),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folder);
}
