/* CLIP's text encoders at reduced size with random weights against transformers (tools/make_diffusion_goldens.py), and what is
 * said of weights that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "common/scratch.h"
#include "models/clip_text.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion"

static char path[128];

static int make_path(void **state)
{
    const int failed = make_folder(state);
    in_folder(path, "model.safetensors");
    return failed;
}

/* TEXT of the script */
static mdm_clip_text_sizes small(void)
{
    return (mdm_clip_text_sizes){
        .layers = 3,
        .width = 32,
        .heads = 4,
        .hidden = 40,
        .vocabulary = 645,
        .positions = 77,
        .activation = MDM_GELU_QUICK,
        .epsilon = 1e-5f,
    };
}

static void fill_ids(int32_t ids[77], int32_t padding)
{
    for (int i = 0; i < 77; i++)
        ids[i] = i == 0 ? 643 : i <= 20 ? (i - 1) * 137 % 643 : i == 21 ? 644 : padding;
}

static json_t *shapes_of(const char *name)
{
    char file[256];
    snprintf(file, sizeof file, GOLDEN "/%s.json", name);
    return weight_shapes(file);
}

static void compare(const mdm_tensor_file *file, const char *name, const float *got)
{
    size_t count = 0;
    float *want = golden(file, name, NULL, &count);
    double error = relative_error(got, want, count);
    print_message("%s: %.2g relative\n", name, error);
    assert_true(error < 1e-4);
    mdm_free(&want);
}

static void check(const char *name, const char *letter, const mdm_clip_text_sizes *sizes, int32_t padding)
{
    mdm_weights *weights = NULL;
    mdm_clip_text *clip = NULL;
    mdm_tensor_file *file = NULL;
    float last[77 * 32], penultimate[77 * 32], pooled[32];
    int32_t ids[77];
    char key[32];
    json_t *shapes = shapes_of(name);
    random_weights(path, shapes, 1);
    json_decref(shapes);
    ok(mdm_weights_open(&weights, path));
    ok(mdm_clip_text_new(&clip, sizes, weights, MDM_STORE_F32, 1));
    fill_ids(ids, padding);
    ok(mdm_clip_text_run(clip, &(mdm_clip_text_states){last, penultimate, pooled}, ids));
    ok(mdm_tensor_file_open(&file, GOLDEN "/clip-text.safetensors"));
    snprintf(key, sizeof key, "%s.last", letter);
    compare(file, key, last);
    snprintf(key, sizeof key, "%s.penultimate", letter);
    compare(file, key, penultimate);
    snprintf(key, sizeof key, "%s.pooled", letter);
    compare(file, key, pooled);
    ids[5] = 645;
    assert_int_equal(mdm_clip_text_run(clip, &(mdm_clip_text_states){0}, ids), MDM_ERR_INPUT);
    mdm_tensor_file_free(&file);
    mdm_clip_text_free(&clip);
    assert_null(clip);
    mdm_weights_free(&weights);
}

static void encoders_agree(void **state)
{
    (void)state;
    mdm_clip_text_sizes sizes = small();
    check("clip-l", "l", &sizes, 644);
    sizes.activation = MDM_GELU_ERF;
    sizes.projection = 24;
    check("clip-big-g", "g", &sizes, 0);
}

/* Building with these shapes must fail with a message that has all of the words. */
static void refuse(json_t *shapes, const char *word, const char *other)
{
    mdm_weights *weights = NULL;
    mdm_clip_text *clip = NULL;
    const mdm_clip_text_sizes sizes = small();
    random_weights(path, shapes, 1);
    json_decref(shapes);
    ok(mdm_weights_open(&weights, path));
    assert_int_equal(mdm_clip_text_new(&clip, &sizes, weights, MDM_STORE_F32, 1), MDM_ERR_INPUT);
    assert_null(clip);
    const char *said = mdm_error_message();
    if (!strstr(said, path) || !strstr(said, word) || !strstr(said, other))
        fail_msg("\"%s\" does not name %s, %s and %s", said, path, word, other);
    mdm_weights_free(&weights);
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    json_t *shapes = shapes_of("clip-l");
    json_object_del(shapes, "encoder.layers.2.mlp.fc1.bias");
    refuse(shapes, "encoder.layers.2.mlp.fc1.bias", "no tensor");

    shapes = shapes_of("clip-l");
    json_object_set_new(shapes, "encoder.layers.1.mlp.fc2.weight", json_pack("[i,i]", 40, 32));
    refuse(shapes, "encoder.layers.1.mlp.fc2.weight", "has shape 40 32, expected 32 40");

    shapes = shapes_of("clip-l");
    json_object_set_new(shapes, "encoder.layers.3.mlp.fc2.weight", json_pack("[i,i]", 32, 40));
    refuse(shapes, "encoder.layers.3.mlp.fc2.weight", "nothing in this network");

    shapes = shapes_of("clip-l");
    json_object_set_new(shapes, "embeddings.token_embedding.weight", json_pack("[i,i]", 644, 32));
    refuse(shapes, "embeddings.token_embedding.weight", "645 x 32");
}

/* The table's sizes give the published number of parameters. */
static int64_t parameters(const mdm_clip_text_sizes *s)
{
    const int64_t c = s->width, h = s->hidden;
    int64_t block = 4 * (c * c + c) + (c * h + h) + (h * c + c) + 4 * c;
    return (s->vocabulary + s->positions) * c + s->layers * block + 2 * c + c * s->projection;
}

static void tables_have_the_published_sizes(void **state)
{
    (void)state;
    assert_true(parameters(&mdm_clip_text_l) == 123060480);
    assert_true(parameters(&mdm_clip_text_big_g) == 694659840);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_agree),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
        cmocka_unit_test(tables_have_the_published_sizes),
    };
    return cmocka_run_group_tests(tests, make_path, remove_folder);
}
