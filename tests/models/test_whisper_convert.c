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
#include "models/whisper_layout.h"

static const char TINY_EN[] = "f8e7159d61164f9110266fe058de0b5b8b629c3f5c29f0264a4fd563fbb5c105";

static void models_folder(char *out, size_t room)
{
    const char *models = getenv("MMDM_MODELS");
    snprintf(out, room, "%s/whisper-tiny.en-ct2", models ? models : MMDM_SOURCE_DIR "/.deps/models");
}

static void same_bytes_as_the_reference(void **state)
{
    (void)state;
    char folder[512], out[] = "/tmp/mmdm-whisper-XXXXXX", path[64], hex[65];
    models_folder(folder, sizeof folder);
    if (!mdm_file_exists(folder) && access(folder, R_OK) != 0) {
        print_message("%s is absent (run ./setup)\n", folder);
        skip();
    }
    assert_non_null(mkdtemp(out));
    snprintf(path, sizeof path, "%s/model.bin", out);
    mdm_status status = mdm_whisper_convert(path, folder, "f16");
    if (status != MDM_OK)
        print_message("%s\n", mdm_error_message());
    assert_int_equal(status, MDM_OK);
    assert_int_equal(mdm_sha256_file(hex, path), MDM_OK);
    assert_string_equal(hex, TINY_EN);
    mdm_remove_tree(out, false);
}

/* tiny.en under the names of another form, as a safetensors file: row by row what the CTranslate2 file has. */
typedef struct renaming {
    mdm_weights *from;
    mdm_whisper_source source[512], *next; /* CTranslate2's, in order */
    mdm_array array[512];
    char name[512][160];
    size_t count;
} renaming;

static mdm_status note_source(void *user, const mdm_whisper_source *source)
{
    renaming *r = user;
    r->source[r->count++] = *source;
    return MDM_OK;
}

static mdm_status rename_one(void *user, const mdm_whisper_source *source)
{
    renaming *r = user;
    const mdm_whisper_source *ct2 = r->next++;
    assert_string_equal(ct2->to, source->to);
    assert_int_equal(source->parts, 1);
    const size_t i = (size_t)(ct2 - r->source);
    r->array[i] = *mdm_weights_take(r->from, ct2->from);
    r->array[i].shape[0] /= ct2->parts;
    r->array[i].size /= (size_t)ct2->parts;
    r->array[i].data = (const char *)r->array[i].data + r->array[i].size * (size_t)ct2->part;
    snprintf(r->name[i], sizeof r->name[i], "%s", source->from);
    r->array[i].name = r->name[i];
    return MDM_OK;
}

static void every_form_gives_the_same_bytes(void **state)
{
    (void)state;
    static renaming r;
    char folder[512], out[] = "/tmp/mmdm-whisper-XXXXXX", model[600], path[80], hex[65];
    mdm_whisper_sizes sizes;
    models_folder(folder, sizeof folder);
    assert_non_null(mkdtemp(out));
    snprintf(model, sizeof model, "%s/model.bin", folder);
    if (!mdm_file_exists(model)) {
        print_message("%s is absent (run ./setup)\n", model);
        skip();
    }
    assert_int_equal(mdm_weights_open(&r.from, model), MDM_OK);
    assert_int_equal(mdm_whisper_read_sizes(&sizes, r.from, MDM_WHISPER_CT2), MDM_OK);
    assert_int_equal(mdm_whisper_each_tensor(&sizes, MDM_WHISPER_CT2, note_source, &r), MDM_OK);
    snprintf(path, sizeof path, "%s/vocabulary.txt", out);
    snprintf(model, sizeof model, "%s/vocabulary.txt", folder);
    assert_int_equal(mdm_copy_file(model, path), MDM_OK);
    for (int form = MDM_WHISPER_TRANSFORMERS; form <= MDM_WHISPER_OPENAI; form++) {
        r.next = r.source;
        assert_int_equal(mdm_whisper_each_tensor(&sizes, (mdm_whisper_form)form, rename_one, &r), MDM_OK);
        snprintf(model, sizeof model, "%s/model.safetensors", out);
        assert_int_equal(mdm_safetensors_write(model, r.array, r.count, NULL), MDM_OK);
        snprintf(path, sizeof path, "%s/out.bin", out);
        assert_int_equal(mdm_whisper_convert(path, form == MDM_WHISPER_OPENAI ? model : out, "f16"), MDM_OK);
        assert_int_equal(mdm_sha256_file(hex, path), MDM_OK);
        assert_string_equal(hex, TINY_EN);
    }
    mdm_weights_free(&r.from);
    mdm_remove_tree(out, false);
}

/* Sizes by the layout of each type's blocks, as they came out once: a change of what is quantised shows. */
static void quantised_files_have_their_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *precision;
        uint64_t bytes;
    } known[] = {{"q5_1", 32166138}, {"q8_0", 43550778}};
    char folder[512], out[] = "/tmp/mmdm-whisper-XXXXXX", path[80];
    mdm_whisper_sizes sizes;
    models_folder(folder, sizeof folder);
    if (!mdm_file_exists(folder))
        skip();
    assert_non_null(mkdtemp(out));
    snprintf(path, sizeof path, "%s/out.bin", out);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint64_t bytes;
        assert_int_equal(mdm_whisper_convert(path, folder, known[i].precision), MDM_OK);
        assert_int_equal(mdm_file_size(&bytes, path), MDM_OK);
        assert_int_equal(bytes, known[i].bytes);
        assert_int_equal(mdm_whisper_file_check(&sizes, path), MDM_OK);
    }
    assert_int_equal(mdm_whisper_convert(path, folder, "q3_9"), MDM_ERR_USAGE);
    mdm_remove_tree(out, false);
}

/* A file with one bit or its end gone is refused or walked to its end, never further. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    char folder[512], out[] = "/tmp/mmdm-whisper-XXXXXX", path[80];
    unsigned char *bytes;
    size_t size;
    mdm_whisper_sizes sizes;
    models_folder(folder, sizeof folder);
    if (!mdm_file_exists(folder))
        skip();
    assert_non_null(mkdtemp(out));
    snprintf(path, sizeof path, "%s/out.bin", out);
    assert_int_equal(mdm_whisper_convert(path, folder, "q5_1"), MDM_OK);
    assert_int_equal(mdm_file_read(&bytes, &size, path, 1u << 28), MDM_OK);
    for (size_t at = 0; at < 48; at++) { /* magic and sizes, but the type of the matrices, which whisper.cpp checks */
        if (at >= 44)
            continue;
        bytes[at] ^= 0x80;
        assert_int_equal(mdm_file_write(path, bytes, at / 4 * 4 + 400000), MDM_OK);
        assert_int_equal(mdm_whisper_file_check(&sizes, path), MDM_ERR_INPUT);
        bytes[at] ^= 0x80;
    }
    assert_int_equal(mdm_file_write(path, bytes, size - 1), MDM_OK);
    assert_int_equal(mdm_whisper_file_check(&sizes, path), MDM_ERR_INPUT);
    mdm_free(&bytes);
    mdm_remove_tree(out, false);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char out[] = "/tmp/mmdm-whisper-XXXXXX", model[64], path[64];
    assert_non_null(mkdtemp(out));
    snprintf(model, sizeof model, "%s/model.bin", out);
    snprintf(path, sizeof path, "%s/out.bin", out);
    assert_int_equal(mdm_whisper_convert(path, out, "f16"), MDM_ERR_INPUT);
    /* version 6, "WhisperSpec", revision 3, one array that claims more than there is */
    static const unsigned char CUT[] = {6,   0,   0,   0,   12,  0,   'W', 'h', 'i', 's', 'p', 'e', 'r', 'S',
                                        'p', 'e', 'c', 0,   3,   0,   0,   0,   1,   0,   0,   0,   2,   0,
                                        'a', 0,   1,   255, 255, 255, 127, 0,   252, 255, 255, 127};
    assert_int_equal(mdm_file_write(model, CUT, sizeof CUT), MDM_OK);
    assert_int_equal(mdm_whisper_convert(path, out, "f16"), MDM_ERR_INPUT);
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
        cmocka_unit_test(same_bytes_as_the_reference),      cmocka_unit_test(every_form_gives_the_same_bytes),
        cmocka_unit_test(quantised_files_have_their_sizes), cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(other_files_are_refused),          cmocka_unit_test(mel_filters_are_triangles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
