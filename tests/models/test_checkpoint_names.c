/* Original names: every pair that diffusers' own conversion agrees with (tools/make_diffusion_goldens.py), and whole checkpoints in one
 * file, which draw the same latents as the folders do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/drawing_folders.h"
#include "common/golden.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "models/checkpoint_names.h"
#include "models/text_to_image.h"

static char file[128];
static json_t *names; /* original-names.json */

static int make_folders(void **state)
{
    if (make_folder(state))
        return 1;
    in_folder(file, "whole.safetensors");
    drawing_make_folders(folder);
    names = json_load_file(DRAWING_GOLDEN "/original-names.json", 0, NULL);
    return names == NULL;
}

static int remove_folders(void **state)
{
    (void)state;
    json_decref(names);
    return mdm_remove_tree(folder, false) != MDM_OK;
}

/* ---- names ---- */

static void names_are_the_references(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        int levels; /* 0: the autoencoder */
    } networks[] = {{"sd15", 4}, {"sdxl", 3}, {"refiner", 4}, {"vae", 0}};
    int checked = 0;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const char *original;
        json_t *want;
        json_object_foreach(json_object_get(names, networks[i].network), original, want)
        {
            char got[MDM_CHECKPOINT_NAME] = "(none)";
            bool known = networks[i].levels ? mdm_checkpoint_unet_name(got, original, networks[i].levels, 2)
                                            : mdm_checkpoint_vae_name(got, original, 3);
            if (!known || strcmp(got, json_string_value(want)) != 0)
                fail_msg("%s: %s becomes %s, expected %s", networks[i].network, original, got, json_string_value(want));
            checked++;
        }
    }
    print_message("%d names\n", checked);
    assert_int_equal(checked, 686 + 840 + 780 + 200);
}

static void other_names_are_not_guessed(void **state)
{
    (void)state;
    char out[MDM_CHECKPOINT_NAME];
    static const char *const wrong[] = {"",
                                        "input_blocks.",
                                        "input_blocks.x.0.in_layers.0.weight",
                                        "input_blocks.-1.0.in_layers.0.weight",
                                        "middle",
                                        "middle_block.3.norm1.",
                                        "input_blocks.1.2.in_layers.0.weight",
                                        "input_blocks.99999999999.0.op.weight",
                                        "conv_in.w",
                                        "output_blocks.0.0.conv9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(mdm_checkpoint_unet_name(out, wrong[i], 3, 2));
    assert_false(mdm_checkpoint_vae_name(out, "decoder.up.3.block.0.norm1.weight", 3));
    assert_false(mdm_checkpoint_vae_name(out, "decoder.mid.attn_2.q.weight", 3));
    assert_true(mdm_checkpoint_vae_name(out, "decoder.mid_block.attentions.0.query.bias", 3)); /* diffusers in 2022 */
    assert_string_equal(out, "decoder.mid_block.attentions.0.to_q.bias");
}

/* ---- whole checkpoints ---- */

enum { MOST = 2000 };

typedef struct checkpoint {
    mdm_array array[MOST];
    char *name[MOST];
    float *data[MOST];
    size_t count;
} checkpoint;

/* Values drawn for `drawn_as`, under another name. */
static mdm_array *add(checkpoint *c, const char *prefix, const char *name, const char *drawn_as, const json_t *shape)
{
    assert_true(c->count < MOST);
    mdm_array *a = &c->array[c->count];
    *a = (mdm_array){.name = drawn_as, .dtype = MDM_F32, .scale = 1};
    const size_t count = random_shape(a, shape);
    ok(mdm_alloc(&c->data[c->count], count, sizeof(float), "weights"));
    random_values(c->data[c->count], count, a, 1);
    ok(mdm_format(&c->name[c->count], "%s%s", prefix, name));
    a->name = c->name[c->count];
    a->data = c->data[c->count];
    a->size = count * sizeof(float);
    c->count++;
    return a;
}

static json_t *shapes_of(const char *network)
{
    char path[256];
    snprintf(path, sizeof path, DRAWING_GOLDEN "/%s.json", network);
    return weight_shapes(path);
}

static void add_network(checkpoint *c, const char *prefix, const char *pairs, const char *shapes_name)
{
    json_t *shapes = shapes_of(shapes_name), *name;
    const char *original;
    json_object_foreach(json_object_get(names, pairs), original, name)
    {
        mdm_array *a =
            add(c, prefix, original, json_string_value(name), json_object_get(shapes, json_string_value(name)));
        if (strstr(original, "attn_1.") && a->rank == 2) { /* convolutions of side 1 there */
            a->rank = 4;
            a->shape[2] = a->shape[3] = 1;
        }
    }
    json_decref(shapes);
}

static void add_text(checkpoint *c, const char *prefix)
{
    json_t *shapes = shapes_of("clip-l"), *shape;
    const char *name;
    json_object_foreach(shapes, name, shape) add(c, prefix, name, name, shape);
    json_decref(shapes);
}

/* bigG as OpenCLIP has it: q, k and v in one, the projection turned. */
static void add_open_clip(checkpoint *c, const char *prefix)
{
    static const struct {
        const char *from, *to;
    } ends[] = {{"layer_norm1.", "ln_1."},
                {"layer_norm2.", "ln_2."},
                {"self_attn.out_proj.", "attn.out_proj."},
                {"mlp.fc1.", "mlp.c_fc."},
                {"mlp.fc2.", "mlp.c_proj."}};
    json_t *shapes = shapes_of("clip-big-g"), *shape;
    const char *name;
    json_object_foreach(shapes, name, shape)
    {
        char original[256];
        const char *layer = strstr(name, "encoder.layers."), *rest = layer ? strchr(layer + 15, '.') + 1 : "";
        if (strstr(rest, "k_proj.") || strstr(rest, "v_proj."))
            continue;
        if (strstr(rest, "q_proj.")) { /* this one brings the other two */
            const char *end = strrchr(name, '.');
            mdm_array *a = NULL;
            float *all = NULL;
            for (int i = 0; i < 3; i++) {
                char drawn[256];
                snprintf(drawn, sizeof drawn, "%s", name);
                *strstr(drawn, "q_proj") = "qkv"[i];
                snprintf(original, sizeof original, "transformer.resblocks.%c.attn.in_proj_%s", layer[15], end + 1);
                a = add(c, prefix, original, drawn, shape);
                if (!i)
                    ok(mdm_alloc(&all, 3 * a->size / sizeof(float), sizeof(float), "in_proj"));
                memcpy((char *)all + (size_t)i * a->size, a->data, a->size);
                if (i < 2) { /* only the last entry stays */
                    c->count--;
                    mdm_free(&c->data[c->count]);
                    mdm_free(&c->name[c->count]);
                }
            }
            mdm_free(&c->data[c->count - 1]);
            c->data[c->count - 1] = all;
            a->data = all;
            a->size *= 3;
            a->shape[0] *= 3;
            continue;
        }
        snprintf(original, sizeof original, "%s", name);
        for (size_t i = 0; layer && i < sizeof ends / sizeof *ends; i++)
            if (!strncmp(rest, ends[i].from, strlen(ends[i].from)))
                snprintf(original, sizeof original, "transformer.resblocks.%c.%s%s", layer[15], ends[i].to,
                         rest + strlen(ends[i].from));
        if (strstr(name, "position_embedding"))
            snprintf(original, sizeof original, "positional_embedding");
        if (strstr(name, "token_embedding"))
            snprintf(original, sizeof original, "token_embedding.weight");
        if (strstr(name, "final_layer_norm"))
            snprintf(original, sizeof original, "ln_final.%s", strrchr(name, '.') + 1);
        if (strstr(name, "text_projection"))
            snprintf(original, sizeof original, "text_projection");
        mdm_array *a = add(c, prefix, original, name, shape);
        if (strstr(name, "text_projection")) {
            const size_t rows = (size_t)a->shape[0], columns = (size_t)a->shape[1];
            float *turned = NULL;
            ok(mdm_alloc(&turned, rows * columns, sizeof *turned, "projection"));
            for (size_t i = 0; i < rows * columns; i++)
                turned[i % columns * rows + i / columns] = c->data[c->count - 1][i];
            mdm_free(&c->data[c->count - 1]);
            a->data = c->data[c->count - 1] = turned;
            a->shape[0] = (int64_t)columns;
            a->shape[1] = (int64_t)rows;
        }
    }
    json_decref(shapes);
}

static void write_and_free(checkpoint *c)
{
    ok(mdm_safetensors_write(file, c->array, c->count, NULL));
    for (size_t i = 0; i < c->count; i++) {
        mdm_free(&c->data[i]);
        mdm_free(&c->name[i]);
    }
    free(c);
}

static checkpoint *new_checkpoint(void)
{
    checkpoint *c = calloc(1, sizeof *c);
    json_t *one = json_pack("[i]", 1);
    assert_non_null(c);
    add(c, "", "model_ema.decay", "x", one); /* what else is in such files */
    add(c, "", "alphas_cumprod", "x", one);
    json_decref(one);
    return c;
}

static void draw_and_compare(const char *model, const char *unet, const char *whole)
{
    char base[128];
    float latent[DRAWING_LATENT];
    mdm_tensor_file *golden_file = NULL;
    mdm_text_to_image *m = NULL;
    snprintf(base, sizeof base, "%s/%s", folder, model);
    ok(mdm_text_to_image_open(
        &m, &(mdm_text_to_image_options){.base = base, .unet = unet, .checkpoint = whole, .threads = 1}));
    ok(mdm_text_to_image_ask(m, DRAWING_PROMPT, NULL, NULL));
    ok(mdm_text_to_image_draw(m, latent,
                              &(mdm_drawing){.width = DRAWING_WIDTH,
                                             .height = DRAWING_HEIGHT,
                                             .sampler = MDM_SAMPLER_KINDS,
                                             .steps = 10,
                                             .guidance = 5,
                                             .seed = 1}));
    mdm_image picture = {0};
    ok(mdm_text_to_image_decode(m, &picture, latent, DRAWING_WIDTH, DRAWING_HEIGHT, NULL));
    mdm_image_free(&picture);
    ok(mdm_tensor_file_open(&golden_file, DRAWING_GOLDEN "/pipeline.safetensors"));
    float *want = golden(golden_file, model, NULL, NULL);
    double error = relative_error(latent, want, DRAWING_LATENT);
    print_message("%s: %.2g relative\n", model, error);
    assert_true(error < 1e-3);
    mdm_free(&want);
    mdm_tensor_file_free(&golden_file);
    mdm_text_to_image_free(&m);
}

static void one_file_draws_the_same(void **state)
{
    (void)state;
    checkpoint *c = new_checkpoint();
    add_network(c, "model.diffusion_model.", "sdxl", "unet-sdxl");
    add_network(c, "first_stage_model.", "vae", "vae");
    add_text(c, "conditioner.embedders.0.transformer.text_model.");
    add_open_clip(c, "conditioner.embedders.1.model.");
    json_t *nothing = json_array();
    add(c, "", "conditioner.embedders.1.model.logit_scale", "x", nothing);
    json_decref(nothing);
    write_and_free(c);
    draw_and_compare("sdxl", NULL, file);

    c = new_checkpoint();
    add_network(c, "model.diffusion_model.", "sd15", "unet-sd15");
    add_network(c, "first_stage_model.", "vae", "vae");
    add_text(c, "cond_stage_model.transformer.text_model.");
    write_and_free(c);
    draw_and_compare("sd15", NULL, file);
}

static void a_unet_alone_may_have_original_names(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "model.diffusion_model."};
    for (int i = 0; i < 2; i++) {
        checkpoint *c = calloc(1, sizeof *c);
        assert_non_null(c);
        add_network(c, prefixes[i], "sdxl", "unet-sdxl");
        write_and_free(c);
        draw_and_compare("sdxl", file, NULL);
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char base[128];
    mdm_text_to_image *m = NULL;
    checkpoint *c = new_checkpoint();
    add_network(c, "model.diffusion_model.", "sdxl", "unet-sdxl");
    write_and_free(c);
    snprintf(base, sizeof base, "%s/sdxl", folder);
    mdm_text_to_image_options options = {.base = base, .checkpoint = file, .threads = 1};
    assert_int_equal(mdm_text_to_image_open(&m, &options), MDM_ERR_INPUT); /* no text encoder to know it by */
    assert_non_null(strstr(mdm_error_message(), "no checkpoint of SD 1.5"));

    c = new_checkpoint(); /* sizes of the published SD 1.5 where the folder has no config.json */
    add_network(c, "model.diffusion_model.", "sd15", "unet-sd15");
    add_text(c, "cond_stage_model.transformer.text_model.");
    write_and_free(c);
    snprintf(base, sizeof base, "%s/sd15", folder);
    static const char *const away[] = {"unet", "vae", "text_encoder", "scheduler"};
    for (int i = 0; i < 4; i++) {
        char from[256], to[256];
        snprintf(from, sizeof from, "%s/%s", base, away[i]);
        snprintf(to, sizeof to, "%s/away-%s", folder, away[i]);
        assert_int_equal(rename(from, to), 0);
    }
    options.base = base;
    ok(mdm_text_to_image_open(&m, &options));
    assert_int_equal(mdm_text_to_image_ask(m, "x", NULL, NULL), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "49408 x 768"));
    mdm_text_to_image_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_references), cmocka_unit_test(other_names_are_not_guessed),
        cmocka_unit_test(one_file_draws_the_same),  cmocka_unit_test(a_unet_alone_may_have_original_names),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
