/* EchoMimic's networks at reduced size with random weights against a re-statement in torch (tools/make_echomimic_goldens.py), what is
 * said of weights and sizes that do not fit, and the names and shapes of the published checkpoints. */
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

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "common/scratch.h"
#include "models/echomimic.h"
#include "models/vae.h"
#include "models/whisper_encoder.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/echomimic"
#define KEYS   MMDM_SOURCE_DIR "/../shared/dossiers/echomimic_keys.tsv"

enum { HEIGHT = 8, WIDTH = 16, FRAMES = 3, TOKENS = 5, AUDIO = 24, TIME = 832, LATENT = 4 * HEIGHT * WIDTH };

static const mdm_echomimic_sizes small = {
    .channels = {8, 16, 24, 24},
    .heads = 2,
    .groups = 8,
    .audio_width = AUDIO,
    .audio_gain = 3,
    .locator = {4, 6, 8, 12},
};
static const mdm_whisper_encoder_sizes small_whisper = {.layers = 2, .width = 24, .heads = 2, .mels = 80, .frames = 20};

static json_t *shapes_of(const char *name)
{
    char file[256];
    snprintf(file, sizeof file, GOLDEN "/%s.json", name);
    return weight_shapes(file);
}

/* Takes `shapes`. */
static mdm_weights *weights_of(json_t *shapes)
{
    char path[128];
    mdm_weights *weights = NULL;
    in_folder(path, "model.safetensors");
    random_weights(path, shapes, 1);
    json_decref(shapes);
    ok(mdm_weights_open(&weights, path));
    return weights; /* the file stays mapped when the next one takes its name */
}

static void compare(const char *name, const float *values, size_t count)
{
    mdm_tensor_file *file = NULL;
    size_t expected = 0;
    ok(mdm_tensor_file_open(&file, GOLDEN "/networks.safetensors"));
    float *want = golden(file, name, NULL, &expected);
    assert_int_equal(count, expected);
    const double error = relative_error(values, want, count);
    print_message("%s: %.2g relative\n", name, error);
    assert_true(error < 1e-4);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
}

static void must_say(const char *word)
{
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
}

/* ---- the two U-nets ---- */

static void look_at_portrait(mdm_echomimic_bank *bank)
{
    mdm_weights *weights = weights_of(shapes_of("reference-unet"));
    float *portrait = random_normals(1, "portrait", LATENT);
    ok(mdm_reference_unet_run(bank, &small, weights, MDM_STORE_F32, portrait, HEIGHT, WIDTH, 1));
    mdm_free(&portrait);
    mdm_weights_free(&weights);
}

static void reference_unet_agrees(void **state)
{
    mdm_echomimic_bank bank;
    float all[16384];
    size_t count = 0;
    (void)state;
    look_at_portrait(&bank);
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++) {
        assert_true(bank.size[i] > 0 && count + bank.size[i] <= sizeof all / sizeof *all);
        memcpy(all + count, bank.state[i], bank.size[i] * sizeof *all);
        count += bank.size[i];
    }
    compare("bank", all, count);
    mdm_echomimic_bank_free(&bank);
    assert_null(bank.state[0]);
}

static mdm_status make(mdm_denoising_unet **unet, json_t *shapes, json_t *motion_shapes, const mdm_echomimic_bank *bank,
                       const mdm_denoising_shape *shape)
{
    mdm_weights *weights = weights_of(shapes), *motion = weights_of(motion_shapes);
    mdm_status status = mdm_denoising_unet_new(unet, &small, weights, motion, bank, MDM_STORE_F32, shape, 1);
    mdm_weights_free(&weights);
    mdm_weights_free(&motion);
    return status;
}

static void denoise(const mdm_echomimic_bank *bank, const mdm_denoising_shape *shape, const char *conditional,
                    const char *unconditional)
{
    mdm_denoising_unet *unet = NULL;
    float with[FRAMES * LATENT], without[FRAMES * LATENT];
    const size_t count = (size_t)shape->frames * LATENT;
    float *latents = random_normals(1, "latents", FRAMES * LATENT);
    float *audio = random_normals(1, "audio", (size_t)FRAMES * TOKENS * AUDIO);
    float *faces = random_normals(1, "faces", (size_t)FRAMES * 8 * HEIGHT * WIDTH);
    ok(make(&unet, shapes_of("denoising-unet"), shapes_of("motion-module"), bank, shape));
    for (int i = 0; i < 2; i++) { /* the second time with what the first one left behind */
        ok(mdm_denoising_unet_run(unet, with, unconditional ? without : NULL, latents, TIME, audio, faces));
        compare(conditional, with, count);
        if (unconditional)
            compare(unconditional, without, count);
    }
    mdm_denoising_unet_free(&unet);
    assert_null(unet);
    mdm_free(&latents);
    mdm_free(&audio);
    mdm_free(&faces);
}

static void denoising_unet_agrees(void **state)
{
    mdm_echomimic_bank bank;
    (void)state;
    look_at_portrait(&bank);
    denoise(&bank, &(mdm_denoising_shape){HEIGHT, WIDTH, FRAMES, TOKENS, FRAMES, false}, "conditional", NULL);
    denoise(&bank, &(mdm_denoising_shape){HEIGHT, WIDTH, FRAMES, TOKENS, FRAMES, true}, "conditional", "unconditional");
    denoise(&bank, &(mdm_denoising_shape){HEIGHT, WIDTH, FRAMES, TOKENS, 1, false}, "one-face", NULL);
    denoise(&bank, &(mdm_denoising_shape){HEIGHT, WIDTH, 1, TOKENS, 1, false}, "one-frame", NULL);
    mdm_echomimic_bank_free(&bank);
}

/* ---- face locator and voice ---- */

static void face_locator_agrees(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        char name[32];
        float face[8 * HEIGHT * WIDTH];
        mdm_face_locator *locator = NULL;
        snprintf(name, sizeof name, "face-locator-%d", channels);
        mdm_weights *weights = weights_of(shapes_of(name));
        float *picture = random_normals(1, "picture", (size_t)channels * 64 * HEIGHT * WIDTH);
        ok(mdm_face_locator_new(&locator, &small, weights, channels, HEIGHT, WIDTH, 1));
        ok(mdm_face_locator_run(locator, face, picture));
        snprintf(name, sizeof name, "face-%d", channels);
        compare(name, face, sizeof face / sizeof *face);
        mdm_face_locator_free(&locator);
        assert_int_equal(mdm_face_locator_new(&locator, &small, weights, 4 - channels, HEIGHT, WIDTH, 1),
                         MDM_ERR_INPUT);
        must_say("conv_in.weight");
        mdm_free(&picture);
        mdm_weights_free(&weights);
    }
}

static void whisper_encoder_agrees(void **state)
{
    char path[128];
    float states[10 * 3 * 24];
    mdm_weights *weights = NULL;
    mdm_whisper_encoder *encoder = NULL;
    json_t *shapes = shapes_of("whisper-encoder");
    (void)state;
    /* as in the published file: a decoder, and what is not used of the encoder */
    json_object_set_new(shapes, "decoder.ln.weight", json_pack("[i]", 24));
    json_object_set_new(shapes, "encoder.ln_post.weight", json_pack("[i]", 24));
    json_object_set_new(shapes, "encoder.positional_embedding", json_pack("[i,i]", 10, 24));
    in_folder(path, "whisper.safetensors");
    random_weights(path, shapes, 1);
    json_decref(shapes);
    float *mel = random_normals(1, "mel", 80 * 20);
    ok(mdm_whisper_encoder_open(&weights, path));
    ok(mdm_whisper_encoder_new(&encoder, &small_whisper, weights, MDM_STORE_F32, 1));
    ok(mdm_whisper_encoder_run(encoder, states, mel));
    compare("whisper", states, sizeof states / sizeof *states);
    mdm_whisper_encoder_free(&encoder);
    assert_int_equal(mdm_whisper_encoder_new(&encoder, &mdm_whisper_encoder_tiny, weights, MDM_STORE_F32, 1),
                     MDM_ERR_INPUT);
    must_say("encoder.conv1.weight");
    mdm_free(&mel);
    mdm_weights_free(&weights);
}

/* ---- what does not fit ---- */

static json_t *without(json_t *shapes, const char *name)
{
    assert_int_equal(json_object_del(shapes, name), 0);
    return shapes;
}

static json_t *with(json_t *shapes, const char *name, int count)
{
    json_object_set_new(shapes, name, json_pack("[i]", count));
    return shapes;
}

static void what_does_not_fit_is_refused(void **state)
{
    static const char *const first = "down_blocks.0.motion_modules.0.temporal_transformer.norm.weight";
    mdm_echomimic_bank bank;
    mdm_denoising_unet *unet = NULL;
    mdm_denoising_shape shape = {HEIGHT, WIDTH, FRAMES, TOKENS, 1, true};
    (void)state;
    look_at_portrait(&bank);
#define REFUSE(unet_shapes, motion_shapes, word)                                                                       \
    do {                                                                                                               \
        assert_int_equal(make(&unet, unet_shapes, motion_shapes, &bank, &shape), MDM_ERR_INPUT);                       \
        assert_null(unet);                                                                                             \
        must_say(word);                                                                                                \
    } while (0)
#define UNET   shapes_of("denoising-unet")
#define MOTION shapes_of("motion-module")
    REFUSE(without(UNET, "mid_block.attentions.0.norm.bias"), MOTION, "mid_block.attentions.0.norm.bias");
    REFUSE(UNET, without(MOTION, first), first);
    REFUSE(with(UNET, "conv_out.bias", 5), MOTION, "\"conv_out.bias\" has shape 5, expected 4");
    REFUSE(UNET, with(MOTION, first, 9), "has shape 9, expected 8");
    REFUSE(with(UNET, "extra.weight", 5), MOTION, "nothing in this network is called \"extra.weight\"");
    REFUSE(UNET, with(MOTION, "extra.weight", 5), "nothing in this network is called \"extra.weight\"");
    REFUSE(shapes_of("reference-unet"), MOTION, "attn2");
    shape.width = 8; /* the portrait was larger */
    REFUSE(UNET, MOTION, "of one size");
    shape.width = 12;
    REFUSE(UNET, MOTION, "multiples of 8");
    shape.width = WIDTH;
    shape.frames = MDM_ECHOMIMIC_POSITIONS + 1;
    REFUSE(UNET, MOTION, "33 frames");
    shape.frames = FRAMES;
    shape.face_maps = 2;
    REFUSE(UNET, MOTION, "2 face maps");
    mdm_echomimic_bank_free(&bank);
}

/* ---- the published checkpoints ---- */

/* The shapes of one published file, from the table of its names. */
static json_t *published(const char *file)
{
    char line[512];
    json_t *shapes = json_object();
    FILE *keys = fopen(KEYS, "r");
    assert_non_null(keys);
    while (fgets(line, sizeof line, keys)) {
        char *rest = NULL, *of = strtok_r(line, "\t", &rest), *name = strtok_r(NULL, "\t", &rest);
        char *extents = strtok_r(NULL, "\t\n", &rest);
        if (!of || !name || !extents || strcmp(of, file) != 0)
            continue;
        json_t *shape = json_array();
        for (char *part, *more = NULL, *from = extents; (part = strtok_r(from, "x", &more)); from = NULL)
            json_array_append_new(shape, json_integer(strtol(part, NULL, 10)));
        json_object_set_new(shapes, name, shape);
    }
    assert_int_equal(fclose(keys), 0);
    return shapes;
}

/* The small network takes exactly these names (it says so of one too few or too many, above): the published one too. */
static void same_names(const char *file, const char *name, size_t count)
{
    json_t *want = published(file), *have = shapes_of(name), *shape;
    const char *key;
    assert_int_equal(json_object_size(want), count);
    assert_int_equal(json_object_size(have), count);
    json_object_foreach(want, key, shape)
    {
        const json_t *ours = json_object_get(have, key);
        if (!ours || json_array_size(ours) != json_array_size(shape))
            fail_msg("%s: \"%s\" is missing or of another rank", file, key);
    }
    json_decref(want);
    json_decref(have);
}

static void published_names_and_shapes_are_taken(void **state)
{
    (void)state;
    if (access(KEYS, R_OK) != 0) {
        print_message("no table of the published names at %s: skipped\n", KEYS);
        skip();
    }
    same_names("reference_unet.pth", "reference-unet", 570);
    same_names("denoising_unet.pth", "denoising-unet", 686);
    same_names("motion_module.pth", "motion-module", 588);
    static const char *const files[] = {"face_locator.pth", "face_locator_pose.pth"};
    for (int i = 0; i < 2; i++) {
        mdm_face_locator *locator = NULL;
        mdm_weights *weights = weights_of(published(files[i]));
        assert_int_equal(mdm_weights_count(weights), 16);
        ok(mdm_face_locator_new(&locator, &mdm_echomimic_published, weights, 1 + 2 * i, 8, 8, 1));
        mdm_face_locator_free(&locator);
        mdm_weights_free(&weights);
    }
    same_names("sd-vae-ft-mse", "vae", 248);
    mdm_weights *weights = weights_of(published("sd-vae-ft-mse"));
    for (int half = 0; half < 2; half++) {
        mdm_vae *vae = NULL;
        ok(mdm_vae_new(&vae, &mdm_vae_sd15, weights, half ? MDM_VAE_ENCODER : MDM_VAE_DECODER, MDM_STORE_F32, 8, 8, 1,
                       1));
        mdm_vae_free(&vae);
    }
    ok(mdm_weights_all_taken(weights, ""));
    mdm_weights_free(&weights);
    mdm_whisper_encoder *encoder = NULL;
    weights = weights_of(published("whisper_tiny.pt:model_state_dict(encoder,used)"));
    assert_int_equal(mdm_weights_count(weights), 64);
    ok(mdm_whisper_encoder_new(&encoder, &mdm_whisper_encoder_tiny, weights, MDM_STORE_F32, 1));
    mdm_whisper_encoder_free(&encoder);
    mdm_weights_free(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_unet_agrees),        cmocka_unit_test(denoising_unet_agrees),
        cmocka_unit_test(face_locator_agrees),          cmocka_unit_test(whisper_encoder_agrees),
        cmocka_unit_test(what_does_not_fit_is_refused), cmocka_unit_test(published_names_and_shapes_are_taken),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
