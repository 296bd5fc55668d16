/* mmdm animate --backend from the command line alone: a reduced EchoMimic with random weights gives the latents of the re-statement in torch
 * in all four modes (tools/make_echomimic_goldens.py), a video is what was drawn, and what is wrong is said. */
#define _DEFAULT_SOURCE /* setenv, usleep */
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
#include "common/ffmpeg_tool.h"
#include "common/golden.h"
#include "common/scratch.h"
#include "common/talking_folder.h"
#include "media/image.h"
#include "media/reader.h"

enum { SIDE = TALKING_SIDE, FRAMES = TALKING_FRAMES, LATENT = TALKING_LATENT };

static char picture[128], sound[128], landmarks[128], noise[128], latents[128], video[128];

static void write_wav(const char *path, const int16_t *samples, uint32_t count)
{
    const uint32_t bytes = 2 * count, whole = 36 + bytes, format = 16, rate = 16000, per_second = 32000;
    const uint16_t kind = 1, channels = 1, block = 2, bits = 16;
    mdm_buffer out = {0};
    ok(mdm_buffer_append(&out, "RIFF", 4));
    ok(mdm_buffer_append(&out, &whole, 4));
    ok(mdm_buffer_append(&out, "WAVEfmt ", 8));
    ok(mdm_buffer_append(&out, &format, 4));
    ok(mdm_buffer_append(&out, &kind, 2));
    ok(mdm_buffer_append(&out, &channels, 2));
    ok(mdm_buffer_append(&out, &rate, 4));
    ok(mdm_buffer_append(&out, &per_second, 4));
    ok(mdm_buffer_append(&out, &block, 2));
    ok(mdm_buffer_append(&out, &bits, 2));
    ok(mdm_buffer_append(&out, "data", 4));
    ok(mdm_buffer_append(&out, &bytes, 4));
    ok(mdm_buffer_append(&out, samples, bytes));
    ok(mdm_file_write(path, out.data, out.size));
    mdm_buffer_free(&out);
}

static void write_tensor(const char *path, const char *name, const float *values, int rank, const int64_t *shape)
{
    mdm_array array = {.name = name, .rank = rank, .data = values, .size = sizeof(float)};
    for (int i = 0; i < rank; i++) {
        array.shape[i] = shape[i];
        array.size *= (size_t)shape[i];
    }
    ok(mdm_safetensors_write(path, &array, 1, NULL));
}

static int make_inputs(void **state)
{
    static int16_t samples[TALKING_SAMPLES];
    static float points[FRAMES * 478 * 2], first[FRAMES * LATENT];
    mdm_image image = {0};
    if (make_folder(state))
        return 1;
    talking_make_folder(folder);
    in_folder(picture, "portrait.png");
    in_folder(sound, "sound.wav");
    in_folder(landmarks, "landmarks.safetensors");
    in_folder(noise, "noise.safetensors");
    in_folder(latents, "latents.safetensors");
    in_folder(video, "video.mp4");
    ok(mdm_image_new(&image, SIDE, SIDE, 3));
    talking_portrait(image.data);
    ok(mdm_image_write_png(&image, picture));
    mdm_image_free(&image);
    talking_sound(samples);
    write_wav(sound, samples, TALKING_SAMPLES);
    talking_landmarks(points);
    write_tensor(landmarks, "landmarks", points, 3, (const int64_t[]){FRAMES, 478, 2});
    talking_noise(first, 1);
    write_tensor(noise, "noise", first, 4, (const int64_t[]){FRAMES, 4, 8, 8});
    return setenv("HF_HOME", folder, 1);
}

/* `mmdm animate --backend echomimic` with these words, NULL at the end; its exit code. */
static int animate(const char *one, ...)
{
    char *argv[60] = {"mmdm", "animate", "--backend", "echomimic"};
    int argc = 4;
    va_list list;
    va_start(list, one);
    for (const char *word = one; word; word = va_arg(list, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    va_end(list);
    return mdm_cli_main(argc, argv);
}

#define SMALL                                                                                                          \
    "--model", folder, "--threads", "1", "--portrait", picture, "--face", "12,10,52,54", "--device", "cpu", "-q"
#define SOUND "--audio", sound, "--frames", "25"

static void compare(const char *name)
{
    mdm_tensor_file *want_file = NULL, *got_file = NULL;
    ok(mdm_tensor_file_open(&want_file, TALKING_GOLDEN "/pipelines.safetensors"));
    ok(mdm_tensor_file_open(&got_file, latents));
    size_t count = 0;
    float *want = golden(want_file, name, NULL, NULL), *got = golden(got_file, "latents", NULL, &count);
    assert_int_equal(count, FRAMES * LATENT);
    const double error = relative_error(got, want, count);
    print_message("%s: %.2g relative\n", name, error);
    assert_true(error < 1e-4);
    mdm_free(&want);
    mdm_free(&got);
    mdm_tensor_file_free(&want_file);
    mdm_tensor_file_free(&got_file);
    unlink(latents);
}

static void all_modes_give_the_references_latents(void **state)
{
    (void)state;
    const char *nothing = NULL;
    assert_int_equal(animate(SMALL, SOUND, "--steps", "4", "--noise", noise, "--save-latents", latents, nothing), 0);
    compare("audio");
    assert_int_equal(animate(SMALL, SOUND, "--mode", "audio-acc", "--save-latents", latents, nothing), 0);
    compare("audio-acc");
    assert_int_equal(
        animate(SMALL, SOUND, "--landmarks", landmarks, "--steps", "4", "--save-latents", latents, nothing), 0);
    compare("pose");
    assert_int_equal(animate(SMALL, SOUND, "--landmarks", landmarks, "--mode", "pose-acc", "--noise", noise,
                             "--save-latents", latents, nothing),
                     0);
    compare("pose-acc");
}

/* The video has the frames, at their times, and the sound; nothing else is left. */
static void videos_show_what_was_drawn(void **state)
{
    (void)state;
    double times[64];
    char run[160];
    mdm_reader *reader = NULL;
    mdm_frame frame = {0};
    bool more = false;
    mdm_tensor_file *file = NULL;
    double sum = 0;
    const char *nothing = NULL;
    assert_int_equal(animate(SMALL, SOUND, "--steps", "4", "-o", video, nothing), 0);
    snprintf(run, sizeof run, "%s.run", video);
    assert_false(mdm_file_exists(run));
    assert_int_equal(probe_times(times, 64, video, "v"), FRAMES);
    assert_true(fabs(times[24] - times[0] - 1) < 1e-3);
    const size_t heard = probe_times(times, 64, video, "a");
    assert_true(heard > 10 && fabs(times[heard - 1] - 1) < 0.15);
    assert_true(contains(video, "synthetic"));
    ok(mdm_tensor_file_open(&file, TALKING_GOLDEN "/pipelines.safetensors"));
    float *want = golden(file, "audio.picture", NULL, NULL);
    ok(mdm_reader_open(&reader, video, NULL));
    ok(mdm_reader_next(&more, reader, &frame));
    ok(mdm_frame_rgb(&frame, 0, 0, 0, 0));
    for (int i = 0; i < SIDE * SIDE; i++) { /* luma: chroma is half as fine */
        double a = 0, b = 0;
        for (int c = 0; c < 3; c++) {
            static const double weight[3] = {0.2126, 0.7152, 0.0722};
            a += weight[c] * frame.rgb.data[(size_t)(i / SIDE) * frame.rgb.stride + (size_t)(i % SIDE * 3 + c)];
            b += weight[c] * 255 * (double)want[c * SIDE * SIDE + i];
        }
        sum += fabs(a - b);
    }
    print_message("first frame: %.2f of 255 on average from the reference's\n", sum / (SIDE * SIDE));
    assert_true(sum / (SIDE * SIDE) < 12);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    unlink(video);
}

/* Landmarks alone: nothing is heard, and there is no sound in the video. */
static void landmarks_do_without_sound(void **state)
{
    (void)state;
    double times[64];
    assert_int_equal(animate(SMALL, "--landmarks", landmarks, "--mode", "pose-acc", "--steps", "1", "--fps", "12.5",
                             "--open-loop", "--mouth", "-o", video, NULL),
                     0);
    assert_int_equal(probe_times(times, 64, video, "v"), FRAMES);
    assert_true(fabs(times[24] - times[0] - 24 / 12.5) < 1e-3);
    assert_int_equal(probe_times(times, 64, video, "a"), 0);
    unlink(video);
}

/* Killed while windows are drawn: the same command goes on, to the same video. */
static void killed_runs_go_on(void **state)
{
    (void)state;
    char run[160], record[256], steps[] = "40";
    unsigned char *one = NULL, *two = NULL;
    size_t size_one = 0, size_two = 0;
    const char *nothing = NULL;
#define LONG SMALL, SOUND, "--mode", "audio-acc", "--steps", steps, "-o", video
    assert_int_equal(animate(LONG, nothing), 0);
    one = slurp(video, &size_one);
    unlink(video);
    snprintf(run, sizeof run, "%s.run", video);
    snprintf(record, sizeof record, "%s/run.safetensors", run);
    for (int how = 0; how < 2; how++) {
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0)
            _exit(animate(LONG, nothing));
        for (int i = 0; i < 3000 && !mdm_file_exists(record); i++)
            usleep(10000);
        usleep(300000);
        kill(child, how ? SIGKILL : SIGINT);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(how ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 75);
        assert_true(mdm_file_exists(record));
        assert_false(mdm_file_exists(video));
    }
    assert_int_equal(animate(LONG, nothing), 0);
    assert_false(mdm_file_exists(run));
    two = slurp(video, &size_two);
    assert_int_equal(size_one, size_two);
    assert_memory_equal(one, two, size_one);
    free(one);
    free(two);
    unlink(video);
}

/* Without weights: what to get, how large it is, under which licence. */
static void missing_weights_are_explained(void **state)
{
    (void)state;
    assert_int_equal(animate("--portrait", picture, "--audio", sound, "-o", video, "-q", NULL), 69);
    assert_non_null(strstr(mdm_last_error(), "mmdm models pull echomimic"));
    assert_non_null(strstr(mdm_last_error(), "27.8 GB"));
    assert_non_null(strstr(mdm_last_error(), "Apache-2.0"));
    /* a whole run says so at its start */
    char out[128];
    in_folder(out, "out");
    char *run[] = {"mmdm", "run", sound, "-o", out, "--animate", "echomimic-acc"};
    assert_int_equal(mdm_cli_main(7, run), 69);
    assert_non_null(strstr(mdm_last_error(), "mmdm models pull echomimic"));
    assert_false(mdm_file_exists(out));
}

/* All of it or one mode; how a pull goes is tests/pipeline/test_hub_pull.c. */
static void weights_are_pulled_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
    } pulls[] = {{"echomimic", 78}, {"echomimic-pose-acc", 78}, {"echomimic-dance", 2}, {"echomimics", 2}};
    assert_int_equal(setenv("HF_ENDPOINT", "no address", 1), 0);
    for (size_t i = 0; i < sizeof pulls / sizeof *pulls; i++) {
        char *pull[] = {"mmdm", "models", "pull", (char *)(uintptr_t)pulls[i].name};
        assert_int_equal(mdm_cli_main(4, pull), pulls[i].code);
        assert_non_null(strstr(mdm_last_error(), pulls[i].code == 2 ? "mmdm models list" : "HF_ENDPOINT"));
    }
    unsetenv("HF_ENDPOINT");
}

/* Converted weights: smaller files, the same latents. */
static void weights_are_converted(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"denoising_unet_acc", "denoising-unet"},
                                           {"motion_module_acc", "motion-module"}};
    char from[2][256], to[2][256];
    for (int i = 0; i < 2; i++) {
        snprintf(from[i], sizeof from[i], "%s/%s.safetensors", folder, files[i][0]);
        snprintf(to[i], sizeof to[i], "%s/%s.gguf", folder, files[i][0]);
        char *convert[] = {"mmdm", "models", "convert", from[i], to[i], "f32"};
        assert_int_equal(mdm_cli_main(6, convert), 0);
        assert_int_equal(unlink(from[i]), 0);
    }
    const char *nothing = NULL;
    assert_int_equal(animate(SMALL, SOUND, "--mode", "audio-acc", "--save-latents", latents, nothing), 0);
    compare("audio-acc");
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.safetensors", files[i][0]);
        talking_weights(folder, name, files[i][1]);
        unlink(to[i]);
    }
}

static void mistakes_are_said(void **state)
{
    (void)state;
    const char *nothing = NULL;
    static char few[128];
    in_folder(few, "few.safetensors");
    const float values[6] = {0};
    write_tensor(few, "landmarks", values, 3, (const int64_t[]){1, 3, 2});
    static const struct {
        const char *name, *value;
        int code;
    } wrong[] = {
        {"--steps", "many", 2},     {"--steps", "1001", 2},    {"--size", "100", 2},
        {"--face", "12,10,52", 2},  {"--face", "nobody", 2},   {"--face", "52,54,12,10", 2},
        {"--mode", "dance", 2},     {"--overlap", "12", 2},    {"--window", "33", 2},
        {"--fps", "-1", 2},         {"--fps", "0.5", 2},       {"--noise", few, 65},
        {"--audio", picture, 65},   {"--portrait", sound, 65}, {"--landmarks", few, 65},
        {"--landmarks", noise, 65}, {"--motion", folder, 65},  {"--model", "/none", 69},
        {"--keep", "age", 2},       {"--precision", "f8", 2},  {"--audio", "/none.wav", 65},
        {"--device", "gpu", 2},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int code = animate(SMALL, SOUND, "--save-latents", latents, wrong[i].name, wrong[i].value, nothing);
        if (code != wrong[i].code)
            fail_msg("%s %s ends with %d, expected %d: %s", wrong[i].name, wrong[i].value, code, wrong[i].code,
                     mdm_last_error());
    }
    assert_int_equal(animate(SMALL, SOUND, nothing), 2); /* nothing to write */
    assert_int_equal(animate(SMALL, "-o", video, nothing), 2);
    assert_int_equal(animate("--model", folder, SOUND, "-o", video, nothing), 2);
    assert_int_equal(animate(SMALL, SOUND, "--mode", "pose", "-o", video, nothing), 2);
    assert_int_equal(animate(SMALL, SOUND, "--mode", "audio", "--landmarks", landmarks, "-o", video, nothing), 2);
    assert_int_equal(animate(SMALL, SOUND, "folder", "-o", video, nothing), 2);
    assert_int_equal(animate(SMALL, "--audio", sound, "--noise", noise, "--save-latents", latents, nothing), 65);
    assert_non_null(strstr(mdm_last_error(), "28")); /* frames that are heard */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_modes_give_the_references_latents),
        cmocka_unit_test(videos_show_what_was_drawn),
        cmocka_unit_test(landmarks_do_without_sound),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(missing_weights_are_explained),
        cmocka_unit_test(weights_are_pulled_by_name),
        cmocka_unit_test(weights_are_converted),
        cmocka_unit_test(mistakes_are_said),
    };
    return cmocka_run_group_tests(tests, make_inputs, remove_folder);
}
