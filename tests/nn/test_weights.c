/* Weights over several files: all found once, hostile indexes refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "nn/weights.h"

static char path[128];

static int make_path(void **state)
{
    const int failed = make_folder(state);
    in_folder(path, "x.safetensors.index.json");
    return failed;
}

/* A file of one-element tensors. */
static void put_file(const char *name, const char *const *tensors, size_t count)
{
    char file[128];
    const float value = 1;
    mdm_array arrays[4];
    for (size_t i = 0; i < count; i++)
        arrays[i] = (mdm_array){.name = tensors[i], .rank = 1, .shape = {1}, .data = &value, .size = sizeof value};
    snprintf(file, sizeof file, "%s/%s", folder, name);
    ok(mdm_safetensors_write(file, arrays, count, NULL));
}

static void put_index(const char *text)
{
    ok(mdm_file_write(path, text, strlen(text)));
}

static void refuse(const char *index, const char *word)
{
    mdm_weights *w = NULL;
    put_index(index);
    assert_int_not_equal(mdm_weights_open(&w, path), MDM_OK);
    assert_null(w);
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
}

static void split_files_are_one(void **state)
{
    (void)state;
    mdm_weights *w = NULL;
    put_file("1.safetensors", (const char *[]){"b", "a"}, 2);
    put_file("2.safetensors", (const char *[]){"c"}, 1);
    put_index("{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"1.safetensors\", \"c\": \"2.safetensors\"}}");
    ok(mdm_weights_open(&w, path));
    assert_string_equal(mdm_weights_path(w), path);
    assert_true(mdm_weights_has(w, "c"));
    assert_false(mdm_weights_has(w, "d"));
    assert_null(mdm_weights_take(w, "d"));
    assert_string_equal(mdm_weights_take(w, "a")->name, "a");
    assert_non_null(mdm_weights_take(w, "c"));
    assert_int_equal(mdm_weights_all_taken(w, ""), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "\"b\""));
    assert_non_null(mdm_weights_take(w, "b"));
    ok(mdm_weights_all_taken(w, ""));
    mdm_weights_free(&w);
    assert_null(w);
}

static void hostile_indexes_are_refused(void **state)
{
    (void)state;
    put_file("1.safetensors", (const char *[]){"b", "a"}, 2);
    put_file("2.safetensors", (const char *[]){"a"}, 1);
    refuse("{\"weight_map\": {\"a\": \"1.safetensors\", \"c\": \"2.safetensors\"}}", "\"a\"");
    refuse("{\"weight_map\": {\"a\": \"../1.safetensors\"}}", "plain name");
    refuse("{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "plain name");
    refuse("{\"weight_map\": {\"a\": 3}}", "plain name");
    refuse("{\"weight_map\": {\"a\": \"3.safetensors\"}}", "3.safetensors");
    refuse("{\"weight_map\": []}", "weight_map");
    refuse("{}", "weight_map");
    refuse("{", "index.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_files_are_one),
        cmocka_unit_test(hostile_indexes_are_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_folder);
}
