/* The Whisper conversion gives the very bytes of the Python reference (../shared/oracles/ct2_to_ggml.py:
 * the SHA-256 below is of its output for tiny.en), and refuses what is not a Whisper model. */
/* mkdtemp is POSIX */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/whisper_convert.h"

static const char TINY_EN[] = "f8e7159d61164f9110266fe058de0b5b8b629c3f5c29f0264a4fd563fbb5c105";

static void same_bytes_as_the_reference(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS");
    char folder[512], out[] = "/tmp/mmdm-whisper-XXXXXX", path[64], hex[65];
    snprintf(folder, sizeof folder, "%s/whisper-tiny.en-ct2", models ? models : MMDM_SOURCE_DIR "/.deps/models");
    if (!mdm_file_exists(folder) && access(folder, R_OK) != 0) {
        print_message("%s is absent (run ./setup)\n", folder);
        skip();
    }
    assert_non_null(mkdtemp(out));
    snprintf(path, sizeof path, "%s/model.bin", out);
    mdm_status status = mdm_whisper_convert(path, folder);
    if (status != MDM_OK)
        print_message("%s\n", mdm_error_message());
    assert_int_equal(status, MDM_OK);
    assert_int_equal(mdm_sha256_file(hex, path), MDM_OK);
    assert_string_equal(hex, TINY_EN);
    mdm_remove_tree(out, false);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char out[] = "/tmp/mmdm-whisper-XXXXXX", model[64], path[64];
    assert_non_null(mkdtemp(out));
    snprintf(model, sizeof model, "%s/model.bin", out);
    snprintf(path, sizeof path, "%s/out.bin", out);
    assert_int_equal(mdm_whisper_convert(path, out), MDM_ERR_INPUT);
    /* version 6, "WhisperSpec", revision 3, one array that claims more than there is */
    static const unsigned char CUT[] = {6,   0,   0,   0,   12,  0,   'W', 'h', 'i', 's', 'p', 'e', 'r', 'S',
                                        'p', 'e', 'c', 0,   3,   0,   0,   0,   1,   0,   0,   0,   2,   0,
                                        'a', 0,   1,   255, 255, 255, 127, 0,   252, 255, 255, 127};
    assert_int_equal(mdm_file_write(model, CUT, sizeof CUT), MDM_OK);
    assert_int_equal(mdm_whisper_convert(path, out), MDM_ERR_INPUT);
    assert_false(mdm_file_exists(path));
    mdm_remove_tree(out, false);
}

static void mel_filters_are_triangles(void **state)
{
    (void)state;
    float filters[80 * 201];
    mdm_whisper_mel_filters(filters, 80);
    for (int m = 0; m < 80; m++) { /* every filter has some weight, and none at 0 Hz */
        float sum = 0;
        for (int f = 0; f < 201; f++) {
            assert_true(filters[m * 201 + f] >= 0);
            sum += filters[m * 201 + f];
        }
        assert_true(sum > 0.005f && sum < 0.05f);
        assert_true(filters[m * 201] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_as_the_reference),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(mel_filters_are_triangles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
