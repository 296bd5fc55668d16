/* What mmdm audit says about the files of a dataset: one that is as it was made, and ones that are not. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "common/ok.h"
#include "dataset/pack.h"
#include "media/image.h"
#include "media/mark.h"
#include "pipeline/audit.h"

static char folder[] = "/tmp/mmdm-audit-XXXXXX";
static char said[4096];
static int looked;

static void put(const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ok(mdm_file_write(path, data, size));
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* A picture with or without the mark that it is synthetic. */
static void put_picture(const char *name, bool marked)
{
    char path[512];
    mdm_image image;
    mdm_buffer png = {0};
    unsigned char *plain;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ok(mdm_image_new(&image, 16, 16, 3));
    ok(mdm_image_write_png(&image, path));
    mdm_image_free(&image);
    if (!marked)
        return;
    ok(mdm_file_read(&plain, &size, path, 1 << 20));
    ok(mdm_mark_png(&png, plain, size, "synthetic: test"));
    ok(mdm_file_write(path, png.data, png.size));
    mdm_free(&plain);
    mdm_buffer_free(&png);
}

static void hear(void *user, bool fault, const char *line)
{
    size_t used = strlen(said);
    (void)user;
    if (fault)
        snprintf(said + used, sizeof said - used, "%s\n", line);
}

static mdm_status look(mdm_auditor *audit, const char *path, const json_t *row)
{
    (void)audit, (void)path, (void)row;
    looked++;
    return MDM_OK;
}

static size_t audit_files(void)
{
    mdm_auditor audit = {.folder = folder, .tell = hear};
    said[0] = '\0';
    looked = 0;
    ok(mdm_audit_checksums(&audit));
    ok(mdm_audit_rows(&audit, look));
    return audit.faults;
}

static void expect(size_t faults, const char *words)
{
    size_t got = audit_files();
    if (got != faults || !strstr(said, words))
        fail_msg("%zu faults, expected %zu and '%s':\n%s", got, faults, words, said);
}

static const char row[] =
    "{\"file_name\":\"clip-0001.png\",\"clip_id\":\"clip-0001\",\"persons\":[],\"synthetic\":true}\n";

static void make(void)
{
    char path[512];
    ok(mdm_remove_tree(folder, false));
    snprintf(path, sizeof path, "%s/train", folder);
    ok(mdm_make_folder(path, 0700));
    put_picture("train/clip-0001.png", true);
    put_text("train/metadata.jsonl", row);
    ok(mdm_pack_checksums(folder));
}

static void a_dataset_as_it_was_made_has_no_fault(void **state)
{
    (void)state;
    make();
    expect(0, "");
    assert_int_equal(looked, 1);
}

static void changed_files_are_told(void **state)
{
    (void)state;
    make();
    put_text("README.md", "added\n");
    expect(1, "README.md is not in SHA256SUMS");
    ok(mdm_pack_checksums(folder));
    put_text("README.md", "changed\n");
    expect(1, "README.md is not what was made");
    put_text("SHA256SUMS", "no checksum\n");
    expect(4, "SHA256SUMS:1: not a checksum");
    put_text("SHA256SUMS", "0000000000000000000000000000000000000000000000000000000000000000  ../../etc/passwd\n");
    expect(4, "SHA256SUMS:1: not a checksum");
}

static void rows_and_marks_are_told(void **state)
{
    (void)state;
    make();
    put_picture("train/clip-0001.png", false);
    put_picture("train/clip-0002.png", true);
    ok(mdm_pack_checksums(folder));
    expect(2, "clip-0001: the file does not carry the mark");
    assert_non_null(strstr(said, "train/clip-0002.png has no row"));
    make();
    put_text("train/metadata.jsonl", "{\"file_name\":\"../clip.png\",\"clip_id\":\"x\"}\nno\n");
    ok(mdm_pack_checksums(folder));
    expect(4, "not a plain name"); /* and the line, the picture without a row, no clip at all */
    assert_int_equal(looked, 0);
}

/* A dataset comes from anybody: its rows may say less of a person than ours do. */
static void a_person_without_an_action_is_looked_at(void **state)
{
    (void)state;
    char models[512], weights[] = MDM_SOURCE_DIR "/models", path[512];
    const char *given = getenv("MMDM_MODELS");
    snprintf(models, sizeof models, "%s", given ? given : MDM_SOURCE_DIR "/.deps/models");
    snprintf(path, sizeof path, "%s/MobileFaceNet.tflite", models);
    if (!mdm_file_exists(path)) {
        print_message("%s is absent\n", path);
        skip();
    }
    make();
    snprintf(path, sizeof path, "%s/train/clip-0001.png", folder);
    mdm_auditor audit = {.folder = folder, .models = models, .weights = weights, .tell = hear};
    json_t *said_little = json_pack("{s:s, s:[{}]}", "clip_id", "clip-0001", "persons");
    ok(mdm_audit_look(&audit, path, said_little));
    assert_int_equal(audit.faults, 0);
    mdm_audit_look_end(&audit);
    json_decref(said_little);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_without_an_action_is_looked_at),
        cmocka_unit_test(a_dataset_as_it_was_made_has_no_fault),
        cmocka_unit_test(changed_files_are_told),
        cmocka_unit_test(rows_and_marks_are_told),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)mdm_remove_tree(folder, false);
    return failed;
}
