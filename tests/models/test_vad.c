/* The voice detector gives about what ONNX Runtime makes of Silero's published file (tools/golden_vad.py), and hears nobody in noise. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/audio.h"
#include "models/vad.h"

static mdm_vad *vad;

static int set_up(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS");
    char path[512];
    snprintf(path, sizeof path, "%s/silero_vad_16k_op15.onnx", models ? models : MMDM_SOURCE_DIR "/.deps/models");
    if (mdm_vad_open(&vad, path) != MDM_OK)
        print_message("%s\n", mdm_error_message());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mdm_vad_free(&vad);
    return 0;
}

static void as_onnx_runtime_says(void **state)
{
    (void)state;
    const char *folder = getenv("MMDM_SHARED");
    char path[512];
    mdm_audio *audio = NULL;
    json_t *golden;
    float *samples, worst = 0;
    double apart = 0;
    size_t same = 0;
    const float *likelihood;
    size_t count, blocks;
    snprintf(path, sizeof path, "%s/data/speech/jfk.wav", folder ? folder : MMDM_SOURCE_DIR "/../shared");
    if (!vad || !mdm_file_exists(path)) {
        print_message("%s or the detector is absent\n", path);
        skip();
    }
    assert_int_equal(mdm_audio_open(&audio, path, &(mdm_audio_options){.rate = 16000, .channels = 1}), MDM_OK);
    assert_int_equal(mdm_audio_read_all(&samples, &count, audio, 1 << 24), MDM_OK);
    mdm_audio_free(&audio);
    assert_int_equal(mdm_vad_likelihood(&likelihood, &blocks, vad, samples, count), MDM_OK);
    assert_int_equal(mdm_json_load(&golden, MMDM_SOURCE_DIR "/tests/models/golden/vad_jfk.json", 0), MDM_OK);
    assert_int_equal(blocks, json_array_size(golden));
    for (size_t i = 0; i < blocks; i++) {
        const float theirs = (float)json_number_value(json_array_get(golden, i));
        worst = fmaxf(worst, fabsf(likelihood[i] - theirs));
        apart += fabs((double)(likelihood[i] - theirs)) / (double)blocks;
        same += (likelihood[i] >= 0.5f) == (theirs >= 0.5f);
    }
    print_message("%zu blocks, %.4f apart in the mean, %.4f at most, %zu decided alike\n", blocks, apart, (double)worst,
                  same);
    assert_true(apart < 0.02 &&
                worst < 0.3f); /* whisper.cpp leaves out the 64 samples before a block, and keeps kernels in 16 bits */
    assert_true(same * 100 >= blocks * 98);
    json_decref(golden);
    mdm_free(&samples);
}

static void noise_is_nobody(void **state)
{
    (void)state;
    static float noise[160000];
    const float *likelihood;
    float most = 0;
    size_t blocks;
    uint32_t x = 1;
    if (!vad)
        skip();
    for (size_t i = 0; i < 160000; i++) {
        x = x * 1664525u + 1013904223u;
        noise[i] = ((float)(x >> 8) / 8388608.0f - 1) * 0.2f;
    }
    assert_int_equal(mdm_vad_likelihood(&likelihood, &blocks, vad, noise, 160000), MDM_OK);
    assert_int_equal(blocks, 312);
    for (size_t i = 0; i < blocks; i++)
        most = fmaxf(most, likelihood[i]);
    print_message("at most %.4f\n", (double)most);
    assert_true(most < 0.2f);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    mdm_vad *other = NULL;
    assert_int_equal(mdm_vad_open(&other, "/nowhere.onnx"), MDM_ERR_DEVICE);
    assert_int_equal(mdm_vad_open(&other, MMDM_SOURCE_DIR "/fuzz/corpus/onnx/small"), MDM_ERR_INPUT);
    assert_null(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_onnx_runtime_says),
        cmocka_unit_test(noise_is_nobody),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
