/* FLAC in memory: what is decoded again is what was encoded, to a sixteen-bit step; no tags; the same bytes twice. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "media/audio.h"
#include "media/flac.h"

enum { RATE = 16000, COUNT = 20011 }; /* no whole number of blocks */

static void comes_back_as_it_went(void **state)
{
    (void)state;
    static float samples[COUNT];
    char folder[] = "/tmp/mmdm-flac-XXXXXX", path[64];
    mdm_buffer once = {0}, twice = {0};
    mdm_audio *audio = NULL;
    float *back = NULL;
    size_t count = 0;
    for (int i = 0; i < COUNT; i++)
        samples[i] = 1.1f * sinf((float)i * 0.07f); /* beyond what sixteen bits hold: clipped */
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mdm_flac_encode(&once, samples, COUNT, RATE), MDM_OK);
    assert_int_equal(mdm_flac_encode(&twice, samples, COUNT, RATE), MDM_OK);
    assert_int_equal(once.size, twice.size);
    assert_memory_equal(once.data, twice.data, once.size);
    assert_memory_equal(once.data, "fLaC", 4);
    for (size_t i = 0; i + 4 < once.size; i++)
        assert_int_not_equal(memcmp(once.data + i, "Lavf", 4), 0);
    snprintf(path, sizeof path, "%s/x.flac", folder);
    assert_int_equal(mdm_file_write(path, once.data, once.size), MDM_OK);
    assert_int_equal(mdm_audio_open(&audio, path, &(mdm_audio_options){.rate = RATE, .channels = 1}), MDM_OK);
    assert_int_equal(mdm_audio_read_all(&back, &count, audio, 1 << 20), MDM_OK);
    assert_int_equal(count, COUNT);
    for (size_t i = 0; i < count; i++) {
        const float x = samples[i] > 1 ? 1 : samples[i] < -1 ? -1 : samples[i];
        assert_true(fabsf(back[i] - x) < 1e-4f);
    }
    mdm_free(&back);
    mdm_audio_free(&audio);
    mdm_buffer_free(&once);
    mdm_buffer_free(&twice);
    mdm_remove_tree(folder, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back_as_it_went)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
