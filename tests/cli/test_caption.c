/* mmdm caption as a user runs it, with a reduced PLLaVA whose weights are random: what it saves and writes, and what it refuses. The
 * same model's values are compared with transformers' in tests/models/test_pllava.c. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "cli/cli.h"
#include "common/ffmpeg_tool.h"
#include "common/pllava_folder.h"
#include "common/scratch.h"
#include "nn/tensor_file.h"

static char model[128], clip[128], out[128], features[128];

static int make_all(void **state)
{
    char command[512];
    const int failed = make_folder(state);
    in_folder(model, "model");
    in_folder(clip, "clip.mkv");
    in_folder(out, "out.json");
    in_folder(features, "features.safetensors");
    pllava_make_folder(model, "model");
    snprintf(command, sizeof command, "-f lavfi -i testsrc2=s=96x54:d=3:r=10 -c:v ffv1 -pix_fmt yuv444p %s", clip);
    return failed || !ffmpeg(command);
}

static int caption(const char *const *more)
{
    char *argv[32] = {(char *)(uintptr_t) "mmdm", (char *)(uintptr_t) "caption", (char *)(uintptr_t) "--quiet",
                      (char *)(uintptr_t) "--device", (char *)(uintptr_t) "cpu"};
    int argc = 5;
    while (*more)
        argv[argc++] = (char *)(uintptr_t)*more++;
    return mdm_cli_main(argc, argv);
}

#define CAPTION(...) caption((const char *const[]){__VA_ARGS__, NULL})

static json_t *first_caption(void)
{
    json_t *root = NULL;
    ok(mdm_json_load(&root, out, 0));
    json_t *one = json_incref(json_array_get(json_object_get(root, "captions"), 0));
    json_decref(root);
    assert_non_null(one);
    return one;
}

static void a_clip_is_told_and_saved(void **state)
{
    (void)state;
    mdm_tensor_file *file = NULL;
    static const int frames[4] = {3, 10, 17, 25}; /* of 30: 7 apart, from the middle of the first stretch */
    assert_int_equal(CAPTION(clip, "--model", model, "--precision", "f32", "--greedy", "--raw", "--tokens", "10",
                             "--threads", "1", "-o", out, "--save-features", features, "--template", "plain",
                             "--prompt", "the road"),
                     0);
    json_t *one = first_caption();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_integer_value(json_array_get(json_object_get(one, "frames"), i)), frames[i]);
    ok(mdm_tensor_file_open(&file, features));
    const mdm_array *tokens = mdm_tensor_file_find(file, "tokens"), *written = mdm_tensor_file_find(file, "written"),
                    *logits = mdm_tensor_file_find(file, "logits"), *pixels = mdm_tensor_file_find(file, "pixels");
    assert_true(tokens && tokens->shape[0] == 16 && tokens->shape[1] == 64);
    assert_true(pixels && pixels->shape[0] == 4 && pixels->shape[3] == 28);
    assert_int_equal(json_integer_value(json_object_get(one, "written")), written->shape[0]);
    assert_string_equal(mdm_tensor_file_meta(file, "after"), " the road ASSISTANT:");
    /* the first token written is the likeliest */
    float *values = NULL;
    const size_t count = mdm_array_count(logits);
    ok(mdm_alloc(&values, count, sizeof *values, "logits"));
    ok(mdm_array_to_f32(values, count, logits));
    int best = 0, first;
    for (size_t i = 1; i < count; i++)
        best = values[i] > values[best] ? (int)i : best;
    memcpy(&first, written->data, sizeof first);
    assert_int_equal(best, first);
    mdm_free(&values);
    mdm_tensor_file_free(&file);
    json_decref(one);
}

static char *caption_of(const char *const *more)
{
    char *text = NULL;
    assert_int_equal(caption(more), 0);
    json_t *one = first_caption();
    ok(mdm_strdup(&text, json_string_value(json_object_get(one, "caption"))));
    json_decref(one);
    return text;
}

static void a_converted_pair_tells_the_same(void **state)
{
    (void)state;
    char pair[128];
    in_folder(pair, "pair.gguf");
    char *argv[] = {
        (char *)(uintptr_t) "mmdm", (char *)(uintptr_t) "models", (char *)(uintptr_t) "convert", model, pair,
        (char *)(uintptr_t) "f32"};
    assert_int_equal(mdm_cli_main(6, argv), 0);
    char *a = caption_of((const char *const[]){clip, "--model", model, "--precision", "f32", "--raw", "--tokens", "24",
                                               "--prompt", "x", "--system", "y", "-o", out, NULL}),
         *b = caption_of((const char *const[]){clip, "--model", pair, "--precision", "f32", "--raw", "--tokens", "24",
                                               "--prompt", "x", "--system", "y", "-o", out, NULL}),
         *c = caption_of((const char *const[]){clip, "--model", pair, "--precision", "f32", "--raw", "--tokens", "24",
                                               "--prompt", "x", "--system", "y", "--letterbox", "--start", "1", "-o",
                                               out, NULL});
    assert_string_equal(a, b);
    assert_true(strlen(a) > 0 && strlen(c) > 0);
    mdm_free(&a);
    mdm_free(&b);
    mdm_free(&c);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    char nothing[128];
    in_folder(nothing, "nothing");
    assert_int_equal(CAPTION("--model", model), 2);
    assert_int_equal(CAPTION(clip, "--model", nothing, "--raw"), 2);
    assert_int_equal(CAPTION(nothing, "--model", model, "--raw"), 65);
    assert_int_equal(CAPTION(clip, clip, "--model", model, "--raw", "--save-features", features), 2);
    assert_int_equal(CAPTION(clip, "--model", model, "--raw", "--keep", "age"), 2);
    assert_int_equal(CAPTION(clip, "--model", model, "--raw", "--start", "20"), 65);
    setenv("HF_HUB_CACHE", nothing, 1);
    assert_int_equal(CAPTION(clip, "--raw"), 69);
    assert_non_null(strstr(mdm_last_error(), "mmdm models pull pllava-7b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clip_is_told_and_saved),
        cmocka_unit_test(a_converted_pair_tells_the_same),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, make_all, remove_folder);
}
