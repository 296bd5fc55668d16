/* Tests of collecting recordings: folders, what is not media, the output folder, duplicates, order and ids, parts. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/scratch.h"
#include "pipeline/inputs.h"

static int begin(void **state)
{
    mdm_log_set(MDM_LOG_ERROR, false);
    return make_folder(state);
}

static void put(const char *name, const void *data, size_t size)
{
    char parent[512];
    snprintf(parent, sizeof parent, "%s", scratch(name));
    *strrchr(parent, '/') = '\0';
    assert_int_equal(mdm_make_folder(parent, 0700), MDM_OK);
    assert_int_equal(mdm_file_write(scratch(name), data, size), MDM_OK);
}

static bool holds(const mdm_inputs *inputs, const char *name)
{
    for (size_t i = 0; i < inputs->count; i++) {
        size_t length = strlen(inputs->items[i].path), n = strlen(name);
        if (length >= n && strcmp(inputs->items[i].path + length - n, name) == 0)
            return true;
    }
    return false;
}

static void folders_are_searched_for_media(void **state)
{
    (void)state;
    mdm_inputs inputs;
    put("a/one.mp4", "1", 1);
    put("a/deep/er/two.MKV", "2", 1);
    put("a/photo.jpg", "3", 1);
    put("a/notes.txt", "hello", 5);
    put("a/renamed.txt",
        "\0\0\0\x20"
        "ftypisom....",
        16);
    put("a/.hidden.mp4", "4", 1);
    put("a/out/dataset/train/clip-0001.mp4", "5", 1);
    assert_int_equal(symlink(scratch("a"), scratch("a/loop")), 0);
    assert_int_equal(symlink(scratch("a/nowhere"), scratch("a/dangling.mp4")), 0);
    const char *paths[] = {scratch("a")};
    assert_int_equal(mdm_inputs_collect(&inputs, paths, 1, scratch("a/out")), MDM_OK);
    assert_int_equal(inputs.count, 4);
    assert_int_equal(inputs.skipped, 1);
    assert_true(holds(&inputs, "a/one.mp4") && holds(&inputs, "er/two.MKV") && holds(&inputs, "photo.jpg"));
    assert_true(holds(&inputs, "renamed.txt"));
    mdm_inputs_free(&inputs);

    /* A file named outright is taken whatever it is called; what is not there is an error. */
    const char *named[] = {scratch("a/notes.txt")};
    assert_int_equal(mdm_inputs_collect(&inputs, named, 1, NULL), MDM_OK);
    assert_int_equal(inputs.count, 1);
    mdm_inputs_free(&inputs);
    const char *absent[] = {scratch("a/none.mp4")};
    assert_int_equal(mdm_inputs_collect(&inputs, absent, 1, NULL), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "none.mp4"));
    assert_int_equal(mdm_make_folder(scratch("empty"), 0700), MDM_OK);
    const char *empty[] = {scratch("empty")};
    assert_int_equal(mdm_inputs_collect(&inputs, empty, 1, NULL), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "no video or picture"));
}

static void ids_follow_content_not_names_or_order(void **state)
{
    (void)state;
    mdm_inputs a, b;
    mdm_journal *journal;
    put("b/x.mp4", "first", 5);
    put("b/y.mp4", "second", 6);
    put("b/z.mp4", "first", 5);
    put("b/empty.mp4", "", 0);
    const char *one[] = {scratch("b/x.mp4"), scratch("b/y.mp4"), scratch("b/z.mp4"), scratch("b/empty.mp4")};
    const char *other[] = {scratch("b/empty.mp4"), scratch("b/z.mp4"), scratch("b/y.mp4")};
    assert_int_equal(mdm_journal_open(&journal, scratch("journal")), MDM_OK);
    assert_int_equal(mdm_inputs_collect(&a, one, 4, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_hash(&a, journal, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_name(&a, journal), MDM_OK);
    assert_int_equal(a.count, 3); /* the copy is left out */
    assert_int_equal(a.items[2].status, MDM_ERR_INPUT);
    assert_string_equal(a.items[2].clip_id, "");
    assert_non_null(strstr(a.items[2].message, "the file is empty"));
    assert_int_equal(mdm_inputs_collect(&b, other, 3, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_hash(&b, journal, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_name(&b, journal), MDM_OK);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(a.items[i].clip_id, b.items[i].clip_id);
        assert_string_equal(a.items[i].sha256, b.items[i].sha256);
    }
    assert_string_not_equal(a.items[0].clip_id, a.items[1].clip_id);
    mdm_inputs_free(&a);
    mdm_inputs_free(&b);
    mdm_journal_free(&journal);
}

static void parts_of_a_recording_are_clips_of_their_own(void **state)
{
    (void)state;
    mdm_inputs inputs;
    mdm_journal *journal;
    const char *paths[] = {scratch("b/x.mp4"), scratch("b/y.mp4")};
    const double cuts[] = {20.5, 41};
    assert_int_equal(mdm_journal_open(&journal, scratch("journal2")), MDM_OK);
    assert_int_equal(mdm_inputs_collect(&inputs, paths, 2, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_hash(&inputs, journal, NULL), MDM_OK);
    assert_int_equal(mdm_inputs_split(&inputs, 0, cuts, 2), MDM_OK);
    assert_int_equal(mdm_inputs_name(&inputs, journal), MDM_OK);
    assert_int_equal(inputs.count, 4);
    assert_true(inputs.items[0].start == 0 && inputs.items[0].end == 20.5);
    assert_true(inputs.items[1].start == 20.5 && inputs.items[1].end == 41);
    assert_true(inputs.items[2].start == 41 && inputs.items[2].end == 0);
    assert_true(inputs.items[3].start == 0 && inputs.items[3].end == 0);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(inputs.items[i].clip_id, inputs.items[k].clip_id);
    mdm_inputs_free(&inputs);
    mdm_journal_free(&journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_searched_for_media),
        cmocka_unit_test(ids_follow_content_not_names_or_order),
        cmocka_unit_test(parts_of_a_recording_are_clips_of_their_own),
    };
    return cmocka_run_group_tests(tests, begin, remove_folder);
}
