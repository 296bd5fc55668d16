/* CLIP's tokenizer against transformers' CLIPTokenizer (tools/make_diffusion_goldens.py): a small vocabulary always, the real
 * one where MDM_CLIP_TOKENIZER names its folder. Hostile files are errors that say what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "nn/clip_tokenizer.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/nn/golden/clip-tokenizer"

/* Every text of FOLDER/tokens.json, whole and cut to 77. */
static void check_folder(const char *path)
{
    enum { ROOM = 1024 };
    mdm_clip_tokenizer *t = NULL;
    char file[512];
    size_t i, k, ids_checked = 0;
    json_t *text, *id;
    ok(mdm_clip_tokenizer_load(&t, path));
    snprintf(file, sizeof file, "%s/tokens.json", path);
    json_t *cases = json_load_file(file, 0, NULL);
    assert_true(json_array_size(cases) >= 30);
    json_array_foreach(cases, i, text)
    {
        const char *words = json_string_value(json_object_get(text, "text"));
        const json_t *want = json_object_get(text, "ids");
        int32_t ids[ROOM], cut[77];
        size_t count = 0;
        ok(mdm_clip_tokenizer_encode(t, ids, ROOM, &count, words));
        json_array_foreach(want, k, id)
        {
            if (ids[k] != json_integer_value(id))
                fail_msg("\"%s\": token %zu is %d, expected %d", words, k, (int)ids[k], (int)json_integer_value(id));
            ids_checked++;
        }
        assert_int_equal(count, json_array_size(want));
        for (k = count; k < ROOM; k++)
            assert_int_equal(ids[k], mdm_clip_tokenizer_padding(t));
        ok(mdm_clip_tokenizer_encode(t, cut, 77, &count, words));
        assert_memory_equal(
            cut, ids, 76 * sizeof *cut < (count - 1) * sizeof *cut ? 76 * sizeof *cut : (count - 1) * sizeof *cut);
        assert_int_equal(cut[count < 77 ? count - 1 : 76], mdm_clip_tokenizer_end(t));
    }
    print_message("%s: %zu texts, %zu tokens\n", path, json_array_size(cases), ids_checked);
    json_decref(cases);
    mdm_clip_tokenizer_free(&t);
    assert_null(t);
}

static void texts_become_the_references_tokens(void **state)
{
    (void)state;
    check_folder(GOLDEN);
    if (getenv("MDM_CLIP_TOKENIZER"))
        check_folder(getenv("MDM_CLIP_TOKENIZER"));
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    mdm_clip_tokenizer *t = NULL;
    int32_t ids[77];
    char *longest = NULL;
    ok(mdm_clip_tokenizer_load(&t, GOLDEN));
    assert_int_equal(mdm_clip_tokenizer_encode(t, ids, 77, NULL, "a \xff b"), MDM_ERR_INPUT);
    assert_int_equal(mdm_clip_tokenizer_encode(t, ids, 77, NULL, "cut \xe6\x97"), MDM_ERR_INPUT);
    ok(mdm_alloc(&longest, MDM_CLIP_TEXT_BYTES + 2, 1, "text"));
    memset(longest, 'a', MDM_CLIP_TEXT_BYTES);
    ok(mdm_clip_tokenizer_encode(t, ids, 77, NULL, longest)); /* one word of 4096 letters: slow if merging is */
    longest[MDM_CLIP_TEXT_BYTES] = 'a';
    assert_int_equal(mdm_clip_tokenizer_encode(t, ids, 77, NULL, longest), MDM_ERR_INPUT);
    mdm_free(&longest);
    mdm_clip_tokenizer_free(&t);
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ok(mdm_file_write(path, text, strlen(text)));
}

/* tokenizer.json, as transformers 5 writes it, gives the same tokens; padding tokens are read in both spellings. */
static void one_file_is_as_good_as_two(void **state)
{
    (void)state;
    mdm_clip_tokenizer *two = NULL, *one = NULL;
    char path[128], line[256];
    int32_t a[77], b[77];
    const char *text = "A headshot, short black hair, it's 12 caf\xc3\xa9";
    json_t *vocabulary = json_load_file(GOLDEN "/vocab.json", 0, NULL), *merges = json_array();
    FILE *file = fopen(GOLDEN "/merges.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (line[0] != '#') {
            char *space = strchr(line, ' ');
            json_array_append_new(
                merges, json_pack("[s%, s%]", line, (size_t)(space - line), space + 1, strlen(space + 1) - 1));
        }
    fclose(file);
    json_t *root =
        json_pack("{s:{s:s, s:o, s:o}}", "model", "end_of_word_suffix", "</w>", "vocab", vocabulary, "merges", merges);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
    ok(mdm_clip_tokenizer_load(&two, GOLDEN));
    ok(mdm_clip_tokenizer_load(&one, folder));
    assert_int_equal(mdm_clip_tokenizer_padding(one), mdm_clip_tokenizer_end(one));
    ok(mdm_clip_tokenizer_encode(two, a, 30, NULL, text));
    ok(mdm_clip_tokenizer_encode(one, b, 30, NULL, text));
    assert_memory_equal(a, b, 30 * sizeof *a);
    mdm_clip_tokenizer_free(&one);
    put("special_tokens_map.json", "{\"pad_token\": \"!\"}");
    ok(mdm_clip_tokenizer_load(&one, folder));
    assert_int_equal(mdm_clip_tokenizer_padding(one), 0);
    mdm_clip_tokenizer_free(&one);
    put("tokenizer_config.json", "{\"pad_token\": {\"content\": \"a</w>\"}}");
    ok(mdm_clip_tokenizer_load(&one, folder));
    assert_true(mdm_clip_tokenizer_padding(one) > 255);
    mdm_clip_tokenizer_free(&one);
    put("tokenizer_config.json", "{\"pad_token\": \"[PAD]\"}");
    assert_int_equal(mdm_clip_tokenizer_load(&one, folder), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "[PAD]"));
    put("tokenizer_config.json", "{}");
    put("tokenizer.json", "{\"model\": {}}");
    assert_int_equal(mdm_clip_tokenizer_load(&one, folder), MDM_ERR_INPUT);
    put("tokenizer.json", "{\"model\": {\"end_of_word_suffix\": \"</w>\", \"vocab\": {\"<|startoftext|>\": 0, "
                          "\"<|endoftext|>\": 1, \"a\": 2, \"aa\": 3}, \"merges\": [\"a a\", 7]}}");
    assert_int_equal(mdm_clip_tokenizer_load(&one, folder), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "merge 2"));
    mdm_clip_tokenizer_free(&two);
}

/* A character whose bytes the vocabulary lacks is the unknown token, which is the end token. */
static void unknown_bytes_are_the_end_token(void **state)
{
    (void)state;
    mdm_clip_tokenizer *t = NULL;
    int32_t ids[6];
    put("tokenizer.json", "{\"model\": {\"end_of_word_suffix\": \"</w>\", \"vocab\": {\"<|startoftext|>\": 0, "
                          "\"<|endoftext|>\": 1, \"a\": 2, \"a</w>\": 3}, \"merges\": []}}");
    put("special_tokens_map.json", "{}");
    put("tokenizer_config.json", "{}");
    ok(mdm_clip_tokenizer_load(&t, folder));
    ok(mdm_clip_tokenizer_encode(t, ids, 6, NULL, "aaz"));
    assert_memory_equal(ids, ((int32_t[]){0, 2, 2, 1, 1, 1}), sizeof ids);
    mdm_clip_tokenizer_free(&t);
}

/* The golden vocabulary with other merges. */
static void refuse_merges(const char *merges, const char *complaint)
{
    char path[128];
    mdm_clip_tokenizer *t = NULL;
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    ok(mdm_copy_file(GOLDEN "/vocab.json", path));
    snprintf(path, sizeof path, "%s/merges.txt", folder);
    ok(mdm_file_write(path, merges, strlen(merges)));
    assert_int_equal(mdm_clip_tokenizer_load(&t, folder), MDM_ERR_INPUT);
    assert_null(t);
    if (!strstr(mdm_error_message(), complaint) || !strstr(mdm_error_message(), "merges.txt"))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), complaint);
}

static void refuse_vocabulary(const char *vocabulary, const char *complaint)
{
    char path[128];
    mdm_clip_tokenizer *t = NULL;
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    ok(mdm_file_write(path, vocabulary, strlen(vocabulary)));
    assert_int_equal(mdm_clip_tokenizer_load(&t, folder), MDM_ERR_INPUT);
    if (!strstr(mdm_error_message(), complaint) || !strstr(mdm_error_message(), "vocab.json"))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), complaint);
}

static void hostile_files_are_refused(void **state)
{
    (void)state;
    refuse_merges("#version: 0.2\nq zzz\n", "\"zzz\"");
    refuse_merges("#version: 0.2\na\n", "merge 1");
    refuse_merges("a b c\n", "merge 1");
    refuse_merges("a zz</w>", "\"zz</w>\"");
    refuse_merges("s h\ns h\n", "merge 2 repeats");
    refuse_vocabulary("[]", "not an object");
    refuse_vocabulary("{\"a\": 1, \"a\": 2}", "vocab.json");
    refuse_vocabulary("{\"a\": \"one\"}", "\"a\"");
    refuse_vocabulary("{\"a\": -1}", "\"a\"");
    refuse_vocabulary("{\"a\": 99999999}", "\"a\"");
    refuse_vocabulary("{\"a\": 1}", "<|startoftext|>");
    mdm_clip_tokenizer *t = NULL;
    assert_int_not_equal(mdm_clip_tokenizer_load(&t, "/nonexistent"), MDM_OK);
    assert_non_null(strstr(mdm_error_message(), "vocab.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_references_tokens), cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(one_file_is_as_good_as_two),         cmocka_unit_test(unknown_bytes_are_the_end_token),
        cmocka_unit_test(hostile_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
