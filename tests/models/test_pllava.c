/* A whole PLLaVA at reduced size with random weights, its LoRA not merged, against transformers (tools/make_pllava_goldens.py): from
 * pictures to what it writes; the same from the pair of files it is converted to; and models that would write nonsense are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "common/golden.h"
#include "common/pllava_folder.h"
#include "common/scratch.h"
#include "models/language_file.h"
#include "models/pllava.h"
#include "models/pllava_files.h"
#include "models/pllava_templates.h"

static char model[128];

static int make_model(void **state)
{
    const int failed = make_folder(state);
    in_folder(model, "model");
    pllava_make_folder(model, "model");
    return failed;
}

static mdm_pllava *opened(const char *path, const char *precision)
{
    mdm_pllava *p = NULL;
    ok(mdm_pllava_open(&p, &(mdm_pllava_options){path, precision, 4, 184, 1}));
    return p;
}

static void show_all(mdm_pllava *p)
{
    for (int i = 0; i < PLLAVA_FRAMES; i++) {
        mdm_image picture = {0};
        pllava_picture(&picture, pllava_frames[i][0], pllava_frames[i][1]);
        ok(mdm_pllava_show(p, i, &picture, false));
        mdm_image_free(&picture);
    }
    ok(mdm_pllava_look(p));
}

/* The largest difference, beside the largest value. */
static double difference(const mdm_tensor_file *file, const char *name, const float *got)
{
    size_t count = 0;
    double most = 0;
    float *want = golden(file, name, NULL, &count);
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)got[i] - want[i]));
    print_message("%s: %.2g at most\n", name, most);
    mdm_free(&want);
    return most;
}

static void check_written(mdm_pllava *p, const mdm_tensor_file *file)
{
    const mdm_array *want = mdm_tensor_file_find(file, "written");
    int32_t ids[12];
    int count = 0;
    mdm_buffer text = {0};
    ok(mdm_language_model_write(&text, ids, &count, mdm_pllava_language(p),
                                &(mdm_writing){.most = 12, .temperature = 0, .top_p = 1}));
    assert_int_equal(count, 12);
    assert_memory_equal(ids, want->data, sizeof ids);
    mdm_buffer_free(&text);
}

static void check_exact(mdm_pllava *p)
{
    mdm_tensor_file *file = NULL;
    ok(mdm_tensor_file_open(&file, PLLAVA_GOLDEN "/model.safetensors"));
    show_all(p);
    const mdm_pllava_seen seen = mdm_pllava_seen_of(p);
    assert_true(difference(file, "pixels", seen.pixels) < 1e-6);
    assert_true(difference(file, "features", seen.features) < 1e-4);
    assert_true(difference(file, "tokens", seen.tokens) < 1e-4);
    ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
    assert_true(difference(file, "logits", mdm_language_model_logits(mdm_pllava_language(p))) < 1e-3);
    check_written(p, file);
    /* asked again, it answers the same */
    ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
    check_written(p, file);
    mdm_tensor_file_free(&file);
}

static void a_folder_agrees(void **state)
{
    (void)state;
    mdm_pllava *p = opened(model, "f32");
    assert_string_equal(mdm_pllava_template_of(p), "recaption");
    check_exact(p);
    mdm_pllava_free(&p);
    assert_null(p);
}

static void a_converted_pair_agrees(void **state)
{
    (void)state;
    char pair[128];
    in_folder(pair, "exact.gguf");
    ok(mdm_pllava_convert(pair, model, "f32", 4));
    mdm_pllava *p = opened(pair, "f32");
    check_exact(p);
    mdm_pllava_free(&p);
}

/* Fewer bits change what it thinks a little, not altogether. */
static void smaller_pairs_are_near(void **state)
{
    (void)state;
    static const struct {
        const char *precision;
        double most;
    } cases[] = {{"f16", 0.01}, {"q8_0", 0.05}, {"q4_0", 0.5}, {"q4_K", 0.5}};
    mdm_tensor_file *file = NULL;
    ok(mdm_tensor_file_open(&file, PLLAVA_GOLDEN "/model.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pair[128], name[32];
        size_t count = 0;
        snprintf(name, sizeof name, "small-%s.gguf", cases[i].precision);
        in_folder(pair, name);
        ok(mdm_pllava_convert(pair, model, cases[i].precision, 4));
        mdm_pllava *p = opened(pair, cases[i].precision);
        show_all(p);
        ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
        float *want = golden(file, "logits", NULL, &count);
        const double error = relative_error(mdm_language_model_logits(mdm_pllava_language(p)), want, count);
        print_message("%s: logits %.2g relative\n", cases[i].precision, error);
        assert_true(error < cases[i].most);
        mdm_free(&want);
        mdm_pllava_free(&p);
    }
    mdm_tensor_file_free(&file);
}

static void check_tokens(const char *path, const char *which)
{
    json_t *root = json_load_file(PLLAVA_GOLDEN "/tokens.json", 0, NULL), *one, *number;
    size_t i, k;
    mdm_pllava *p = opened(path, "f32");
    json_array_foreach(json_object_get(root, which), i, one)
    {
        int32_t *ids = NULL;
        size_t count = 0;
        const char *text = json_string_value(json_object_get(one, "text"));
        const json_t *want = json_object_get(one, "ids");
        ok(mdm_language_model_tokens(&ids, &count, mdm_pllava_language(p), text,
                                     json_is_true(json_object_get(one, "begin")), true));
        if (count != json_array_size(want))
            fail_msg("%s: \"%s\" has %zu tokens, expected %zu", which, text, count, json_array_size(want));
        json_array_foreach(want, k, number) assert_int_equal(ids[k], json_integer_value(number));
        mdm_free(&ids);
    }
    assert_true(i >= 9);
    mdm_pllava_free(&p);
    json_decref(root);
}

static void tokens_agree(void **state)
{
    (void)state;
    char other[128];
    check_tokens(model, "model");
    in_folder(other, "first");
    pllava_make_folder(other, "tokenizer-first");
    check_tokens(other, "tokenizer-first");
}

static void sampling_and_grammars(void **state)
{
    (void)state;
    mdm_pllava *p = opened(model, "f32");
    mdm_language_model *m = mdm_pllava_language(p);
    mdm_buffer text[3] = {{0}, {0}, {0}};
    show_all(p);
    for (int i = 0; i < 3; i++) {
        ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
        ok(mdm_language_model_write(&text[i], NULL, NULL, m,
                                    &(mdm_writing){.most = 20, .temperature = 1, .top_p = 0.9, .seed = i / 2 ? 7 : 3}));
    }
    assert_string_equal(text[0].data, text[1].data);
    assert_string_not_equal(text[0].data, text[2].data);
    text[0].size = 0;
    ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
    ok(mdm_language_model_write(
        &text[0], NULL, NULL, m,
        &(mdm_writing){.most = 40, .grammar = "root ::= \"{\\\"age\\\":\\\"\" (\"young\"|\"elderly\") \"\\\"}\""}));
    if (strcmp((char *)text[0].data, "{\"age\":\"young\"}") && strcmp((char *)text[0].data, "{\"age\":\"elderly\"}"))
        fail_msg("\"%s\" does not follow the grammar", text[0].data);
    assert_int_equal(
        mdm_language_model_write(&text[0], NULL, NULL, m, &(mdm_writing){.most = 1, .grammar = "root ::= ("}),
        MDM_ERR_INTERNAL);
    for (int i = 0; i < 3; i++)
        mdm_buffer_free(&text[i]);
    mdm_pllava_free(&p);
}

static bool stop(void *user, double done, double total)
{
    (void)user, (void)done, (void)total;
    return false;
}

static void it_stops_when_asked_and_when_full(void **state)
{
    (void)state;
    const mdm_progress progress = {stop, NULL};
    mdm_pllava *p = opened(model, "f32");
    show_all(p);
    assert_int_equal(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, &progress), MDM_ERR_CANCELLED);
    ok(mdm_pllava_ask(p, PLLAVA_BEFORE, PLLAVA_AFTER, NULL));
    char long_text[2048];
    memset(long_text, '{', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    assert_int_equal(mdm_pllava_ask(p, PLLAVA_BEFORE, long_text, NULL), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "do not fit"));
    mdm_pllava_free(&p);
}

/* A folder with these weights must be refused with a message that has the word. */
static void refuse(json_t *shapes, const char *word)
{
    char broken[128], path[256];
    mdm_pllava *p = NULL;
    in_folder(broken, "broken");
    pllava_make_folder(broken, "model");
    snprintf(path, sizeof path, "%s/model.safetensors", broken);
    random_weights(path, shapes, 1);
    json_decref(shapes);
    assert_int_equal(mdm_pllava_open(&p, &(mdm_pllava_options){broken, "f32", 4, 0, 1}), MDM_ERR_INPUT);
    assert_null(p);
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say %s", mdm_error_message(), word);
}

#define LANGUAGE "language_model.base_model.model.model.layers.1."

static void nonsense_is_refused(void **state)
{
    (void)state;
    json_t *shapes = pllava_shapes();
    json_object_del(shapes, LANGUAGE "self_attn.q_proj.lora_B.default.weight");
    refuse(shapes, "one half of the LoRA");

    shapes = pllava_shapes();
    json_object_del(shapes, LANGUAGE "mlp.up_proj.weight");
    refuse(shapes, "model.layers.1.mlp.up_proj.weight");

    shapes = pllava_shapes();
    json_object_set_new(shapes, LANGUAGE "mlp.down_proj.weight", json_pack("[i,i]", 96, 64));
    refuse(shapes, "has shape 96 64, expected 64 96");

    shapes = pllava_shapes();
    json_object_set_new(shapes, LANGUAGE "mlp.gate_proj.lora_C.weight", json_pack("[i,i]", 64, 8));
    refuse(shapes, "lora_C");

    shapes = pllava_shapes();
    json_object_del(shapes, "multi_modal_projector.linear_2.bias");
    refuse(shapes, "multi_modal_projector.linear_2.bias");

    shapes = pllava_shapes();
    json_object_set_new(shapes, "language_model.base_model.model.lm_head.weight", json_pack("[i,i]", 420, 64));
    refuse(shapes, "lm_head.weight");
}

/* config.json with one field changed. */
static void refuse_config(const char *part, const char *key, json_t *value, const char *word)
{
    char path[160];
    mdm_pllava_sizes sizes;
    json_t *root = json_load_file(PLLAVA_GOLDEN "/model/config.json", 0, NULL);
    json_object_set_new(part ? json_object_get(root, part) : root, key, value);
    snprintf(path, sizeof path, "%s/config.json", folder);
    ok(mdm_json_save(root, path));
    json_decref(root);
    assert_int_equal(mdm_pllava_config_read(&sizes, folder), MDM_ERR_INPUT);
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say %s", mdm_error_message(), word);
}

static void other_networks_are_refused(void **state)
{
    (void)state;
    refuse_config(NULL, "projector_hidden_act", json_string("relu"), "projector_hidden_act");
    refuse_config(NULL, "pooling_shape", json_pack("[i,i]", 16, 12), "pooling_shape");
    refuse_config(NULL, "image_token_index", json_integer(1000), "1000");
    refuse_config(NULL, "vision_feature_layer", json_integer(-9), "vision_feature_layer");
    refuse_config("text_config", "num_attention_heads", json_integer(7), "7 heads");
    refuse_config("text_config", "hidden_size", json_integer(1 << 20), "hidden_size");
    refuse_config("text_config", "attention_bias", json_true(), "attention_bias");
    refuse_config("text_config", "rope_scaling", json_pack("{s:s, s:f}", "type", "linear", "factor", 2.0), "type");
    refuse_config("vision_config", "patch_size", json_integer(9), "patches of 9");
    refuse_config("vision_config", "hidden_act", json_string("gelu"), "hidden_act");
}

static void the_table_has_the_published_sizes(void **state)
{
    (void)state;
    static const double billions[] = {6.739, 13.017, 34.390};
    int count = 0;
    const mdm_pllava_published *table = mdm_pllava_table(&count);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; i++) {
        assert_true(fabs((double)mdm_llama_parameters(&table[i].sizes.language) / 1e9 - billions[i]) < 0.0015);
        assert_int_equal(mdm_pllava_tokens(&table[i].sizes.projector), 2304);
    }
}

static void templates_are_laid_out(void **state)
{
    (void)state;
    const mdm_pllava_template *t = NULL;
    char *before = NULL, *after = NULL;
    ok(mdm_pllava_template_find(&t, "recaption"));
    ok(mdm_pllava_template_fill(&before, &after, t, "S", "Q"));
    assert_string_equal(before, "S USER: ");
    assert_string_equal(after, "\n USER: Q ASSISTANT:");
    mdm_free(&before);
    mdm_free(&after);
    ok(mdm_pllava_template_find(&t, "recaption-llavanext"));
    ok(mdm_pllava_template_fill(&before, &after, t, "S", "Q"));
    assert_string_equal(before, "S<|im_end|>\n<|im_start|>user\n");
    assert_string_equal(after, "\n<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n");
    mdm_free(&before);
    mdm_free(&after);
    ok(mdm_pllava_template_find(&t, "plain"));
    ok(mdm_pllava_template_fill(&before, &after, t, NULL, "Q"));
    assert_string_equal(before, "USER:");
    assert_string_equal(after, " Q ASSISTANT:");
    mdm_free(&before);
    mdm_free(&after);
    assert_int_equal(mdm_pllava_template_find(&t, "vcg"), MDM_ERR_USAGE);
}

static void missing_files_are_told(void **state)
{
    (void)state;
    mdm_pllava *p = NULL;
    char path[128];
    in_folder(path, "nothing.gguf");
    assert_int_equal(mdm_pllava_open(&p, &(mdm_pllava_options){path, "f16", 4, 0, 1}), MDM_ERR_DEVICE);
    in_folder(path, "nothing");
    assert_int_equal(mdm_pllava_open(&p, &(mdm_pllava_options){path, "f16", 4, 0, 1}), MDM_ERR_USAGE);
    assert_int_equal(mdm_pllava_open(&p, &(mdm_pllava_options){model, "q9", 4, 0, 1}), MDM_ERR_USAGE);
}

/* A good file passes; one that ends early, and one whose vocabulary is another, do not reach libllama. */
static void files_are_looked_at_first(void **state)
{
    (void)state;
    static const char seed[] = MMDM_SOURCE_DIR "/fuzz/corpus/language_file/small";
    char path[128];
    size_t bytes = 0, size = 0;
    unsigned char *data = NULL;
    ok(mdm_language_file_check(&bytes, seed));
    assert_true(bytes > 0);
    ok(mdm_file_read(&data, &size, seed, 1 << 20));
    in_folder(path, "short.gguf");
    ok(mdm_file_write(path, data, size - 64));
    assert_int_equal(mdm_language_file_check(&bytes, path), MDM_ERR_INPUT);
    for (size_t i = 0; i + 20 < size; i++) /* a head count of 3 does not divide the width */
        if (!memcmp(data + i, "attention.head_count\4", 21))
            data[i + 24] = 3;
    in_folder(path, "heads.gguf");
    ok(mdm_file_write(path, data, size));
    assert_int_equal(mdm_language_file_check(&bytes, path), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "3 heads"));
    mdm_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_agrees),
        cmocka_unit_test(a_converted_pair_agrees),
        cmocka_unit_test(smaller_pairs_are_near),
        cmocka_unit_test(tokens_agree),
        cmocka_unit_test(sampling_and_grammars),
        cmocka_unit_test(it_stops_when_asked_and_when_full),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(files_are_looked_at_first),
        cmocka_unit_test(other_networks_are_refused),
        cmocka_unit_test(the_table_has_the_published_sizes),
        cmocka_unit_test(templates_are_laid_out),
        cmocka_unit_test(missing_files_are_told),
    };
    return cmocka_run_group_tests(tests, make_model, remove_folder);
}
