/* Tests of the base layer: messages, checked sizes, buffers, atomic files, SHA-256, random numbers, JSON getters. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/order.h"
#include "base/random.h"
#include "base/settings.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mdm-base-%ld", (long)getpid());
    return mdm_make_folder(folder, 0700) != MDM_OK;
}

static int remove_folder(void **state)
{
    (void)state;
    return mdm_remove_tree(folder, true) != MDM_OK;
}

static char *in_folder(const char *name)
{
    char *path;
    assert_int_equal(mdm_join_path(&path, folder, name), MDM_OK);
    return path;
}

static void messages_keep_their_prefix(void **state)
{
    (void)state;
    assert_int_equal(mdm_fail(MDM_ERR_INPUT, "width %d", 7), MDM_ERR_INPUT);
    assert_int_equal(mdm_fail_context(MDM_ERR_INPUT, "file %s", "a"), MDM_ERR_INPUT);
    assert_string_equal(mdm_error_message(), "file a: width 7");
    assert_int_equal(mdm_fail(MDM_ERR_INPUT, "again: %s", mdm_error_message()), MDM_ERR_INPUT);
    assert_string_equal(mdm_error_message(), "again: file a: width 7");
    assert_int_equal(mdm_exit_code(MDM_ERR_CONFIG), 78);
    assert_int_equal(mdm_exit_code((mdm_status)99), 70);
    assert_string_equal(mdm_status_name(MDM_ERR_WRITE), "write");
}

static void a_very_long_message_is_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    mdm_fail(MDM_ERR_INPUT, "%s", text);
    mdm_fail_context(MDM_ERR_INPUT, "%s", text);
    assert_true(strlen(mdm_error_message()) < 2048);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t size;
    void *data;
    assert_false(mdm_mul_size(&size, SIZE_MAX, 2));
    assert_int_equal(size, 0);
    assert_true(mdm_mul_size(&size, 6, 7));
    assert_int_equal(size, 42);
    assert_int_equal(mdm_alloc(&data, SIZE_MAX / 2, 3, "test"), MDM_ERR_MEMORY);
    assert_null(data);
    assert_int_equal(mdm_alloc(&data, 0, 3, "test"), MDM_OK);
    assert_non_null(data);
    mdm_free(&data);
    assert_null(data);
}

static void a_buffer_stops_at_its_maximum(void **state)
{
    (void)state;
    mdm_buffer buffer = {.max = 10};
    assert_int_equal(mdm_buffer_append(&buffer, "12345", 5), MDM_OK);
    assert_int_equal(mdm_buffer_printf(&buffer, "%d", 67890), MDM_OK);
    assert_string_equal((char *)buffer.data, "1234567890");
    assert_int_equal(mdm_buffer_append(&buffer, "x", 1), MDM_ERR_MEMORY);
    assert_int_equal(buffer.size, 10);
    mdm_buffer_free(&buffer);
}

static void sha256_agrees_with_the_standard(void **state)
{
    (void)state;
    char text[65];
    mdm_sha256_hex(text, "", 0);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    mdm_sha256_hex(text, "abc", 3);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    mdm_sha256_hex(text, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *path = in_folder("million");
    char *data = malloc(1000000);
    memset(data, 'a', 1000000);
    assert_int_equal(mdm_file_write(path, data, 1000000), MDM_OK);
    free(data);
    assert_int_equal(mdm_sha256_file(text, path), MDM_OK);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(path);
}

static void files_appear_whole_or_not_at_all(void **state)
{
    (void)state;
    char *path = in_folder("a.txt"), *copy = in_folder("b.txt"), *none = in_folder("no/such/folder/a.txt");
    unsigned char *data;
    size_t size;
    struct stat info;
    assert_int_equal(mdm_file_write(path, "hello", 5), MDM_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(mdm_copy_file(path, copy), MDM_OK);
    assert_int_equal(mdm_file_read(&data, &size, copy, 5), MDM_OK);
    assert_int_equal(size, 5);
    assert_string_equal((char *)data, "hello");
    mdm_free(&data);
    assert_int_equal(mdm_file_read(&data, &size, copy, 4), MDM_ERR_INPUT);
    assert_null(data);
    assert_int_equal(mdm_file_write(none, "x", 1), MDM_ERR_WRITE);
    assert_non_null(strstr(mdm_error_message(), "no/such/folder"));
    assert_int_equal(mdm_file_read(&data, &size, folder, 4), MDM_ERR_INPUT);
    char **names;
    assert_int_equal(mdm_list_folder(&names, &size, folder), MDM_OK);
    for (size_t i = 0; i < size; i++)
        assert_null(strstr(names[i], ".tmp"));
    mdm_names_free(&names, size);
    free(path), free(copy), free(none);
}

static void removing_does_not_follow_links(void **state)
{
    (void)state;
    char *tree = in_folder("tree/deep/er"), *top = in_folder("tree"), *kept = in_folder("kept"),
         *link = in_folder("tree/deep/link"), *file = in_folder("tree/deep/er/f");
    assert_int_equal(mdm_make_folder(tree, 0700), MDM_OK);
    assert_int_equal(mdm_make_folder(tree, 0700), MDM_OK);
    assert_int_equal(mdm_file_write(kept, "kept", 4), MDM_OK);
    assert_int_equal(mdm_file_write(file, "gone", 4), MDM_OK);
    assert_int_equal(mdm_make_folder(file, 0700), MDM_ERR_WRITE);
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(mdm_remove_tree(top, true), MDM_OK);
    assert_false(mdm_file_exists(top));
    unsigned char *data;
    size_t size;
    assert_int_equal(mdm_file_read(&data, &size, kept, 100), MDM_OK);
    assert_string_equal((char *)data, "kept");
    mdm_free(&data);
    assert_int_equal(mdm_remove_tree(top, false), MDM_OK);
    free(tree), free(top), free(kept), free(link), free(file);
}

static void draws_depend_on_seed_and_key_only(void **state)
{
    (void)state;
    mdm_random a, b;
    mdm_random_seed(&a, 1, "person-01/age");
    mdm_random_seed(&b, 1, "person-01/age");
    uint64_t first = mdm_random_u64(&a);
    assert_true(first == mdm_random_u64(&b));
    mdm_random_seed(&b, 1, "person-02/age");
    assert_true(first != mdm_random_u64(&b));
    mdm_random_seed(&b, 2, "person-01/age");
    assert_true(first != mdm_random_u64(&b));

    /* Moments, loosely: this is about a broken formula, not about the generator's quality. */
    double sum = 0, squares = 0, uniform = 0;
    int counts[3] = {0};
    const double weights[3] = {1, 0, 3};
    for (int i = 0; i < 20000; i++) {
        double n = mdm_random_normal(&a);
        sum += n;
        squares += n * n;
        uniform += mdm_random_uniform(&a);
        counts[mdm_random_weighted(&a, weights, 3)]++;
    }
    assert_true(sum / 20000 < 0.03 && sum / 20000 > -0.03);
    assert_true(squares / 20000 < 1.05 && squares / 20000 > 0.95);
    assert_true(uniform / 20000 < 0.51 && uniform / 20000 > 0.49);
    assert_int_equal(counts[1], 0);
    assert_true(counts[0] > 4700 && counts[0] < 5300);
}

static void json_errors_say_where(void **state)
{
    (void)state;
    char *path = in_folder("a.json");
    json_t *value;
    assert_int_equal(mdm_file_write(path, "{\n \"a\": 1,\n \"b\" 2}\n", 19), MDM_OK);
    assert_int_equal(mdm_json_load(&value, path, 0), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "a.json:3:"));
    assert_int_equal(mdm_file_write(path, "{\"a\": 1, \"s\": \"t\", \"l\": [1]}", 28), MDM_OK);
    assert_int_equal(mdm_json_load(&value, path, 0), MDM_OK);
    const char *text;
    double number;
    long long whole;
    json_t *part;
    assert_int_equal(mdm_json_string(&text, value, "s", path), MDM_OK);
    assert_string_equal(text, "t");
    assert_int_equal(mdm_json_number(&number, value, "a", path), MDM_OK);
    assert_int_equal(mdm_json_int(&whole, value, "a", 2, 3, path), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "expected 2 to 3"));
    assert_int_equal(mdm_json_array(&part, value, "l", path), MDM_OK);
    assert_int_equal(mdm_json_object(&part, value, "x", path), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "\"x\" is missing, expected an object"));
    assert_int_equal(mdm_json_save(value, path), MDM_OK);
    json_decref(value);
    assert_int_equal(mdm_json_load(&value, path, 0), MDM_OK);
    json_decref(value);
    free(path);
}

static void contexts_have_names(void **state)
{
    (void)state;
    assert_string_equal(mdm_context_name(MDM_CONTEXT_HEAD_POSE), "head_pose");
    assert_string_equal(mdm_context_name(MDM_CONTEXT_SCENE), "scene");
    assert_null(mdm_context_name(MDM_CONTEXT_COUNT));
}

static void the_largest_is_the_first_of_equals(void **state)
{
    (void)state;
    assert_int_equal(mdm_largest((const double[]){-3, -1, -2}, 3), 1);
    assert_int_equal(mdm_largest((const double[]){.2, .4, .4}, 3), 1);
    assert_int_equal(mdm_largest((const double[]){5}, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_prefix),
        cmocka_unit_test(a_very_long_message_is_cut),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(a_buffer_stops_at_its_maximum),
        cmocka_unit_test(sha256_agrees_with_the_standard),
        cmocka_unit_test(files_appear_whole_or_not_at_all),
        cmocka_unit_test(removing_does_not_follow_links),
        cmocka_unit_test(draws_depend_on_seed_and_key_only),
        cmocka_unit_test(json_errors_say_where),
        cmocka_unit_test(contexts_have_names),
        cmocka_unit_test(the_largest_is_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
