/* The autoencoder at reduced size with random weights against diffusers (tools/make_diffusion_goldens.py), whole and in tiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "models/vae.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion"

static char path[64];

static int make_weights(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/mdm-vae-%ld.safetensors", (long)getpid());
    json_t *shapes = weight_shapes(GOLDEN "/vae.json");
    random_weights(path, shapes, 1);
    json_decref(shapes);
    return 0;
}

static int remove_weights(void **state)
{
    (void)state;
    return unlink(path);
}

/* VAE of the script */
static mdm_vae_sizes small(void)
{
    mdm_vae_sizes s = mdm_vae_sd15;
    const int channels[MDM_VAE_LEVELS] = {8, 16, 16};
    memcpy(s.channels, channels, sizeof channels);
    s.levels = 3;
    s.groups = 4;
    return s;
}

static mdm_status open_vae(mdm_vae **vae, mdm_vae_direction direction, int height, int width, int overlap)
{
    mdm_weights *weights = NULL;
    const mdm_vae_sizes sizes = small();
    ok(mdm_weights_open(&weights, path));
    mdm_status status = mdm_vae_new(vae, &sizes, weights, direction, MDM_STORE_F32, height, width, overlap, 1);
    mdm_weights_free(&weights);
    return status;
}

static void compare(const float *got, const char *name)
{
    mdm_tensor_file *file = NULL;
    size_t count = 0;
    ok(mdm_tensor_file_open(&file, GOLDEN "/vae.safetensors"));
    float *want = golden(file, name, NULL, &count);
    double error = relative_error(got, want, count);
    print_message("%s: %.2g relative\n", name, error);
    assert_true(error < 1e-4);
    mdm_free(&want);
    mdm_tensor_file_free(&file);
}

static void decoder_agrees(void **state)
{
    (void)state;
    enum { HEIGHT = 13, WIDTH = 18 };
    static float picture[3 * 16 * HEIGHT * WIDTH];
    float *latent = random_normals(1, "latent", 4 * HEIGHT * WIDTH);
    mdm_vae *vae = NULL;
    ok(open_vae(&vae, MDM_VAE_DECODER, HEIGHT, WIDTH, 3));
    assert_int_equal(mdm_vae_factor(vae), 4);
    ok(mdm_vae_decode(vae, picture, latent, HEIGHT, WIDTH, NULL));
    compare(picture, "decoded");
    mdm_vae_free(&vae);
    assert_null(vae);

    ok(open_vae(&vae, MDM_VAE_DECODER, 8, 8, 3));
    ok(mdm_vae_decode(vae, picture, latent, HEIGHT, WIDTH, NULL));
    compare(picture, "decoded_tiled");
    mdm_vae_free(&vae);
    mdm_free(&latent);
}

static void encoder_agrees(void **state)
{
    (void)state;
    enum { HEIGHT = 13, WIDTH = 9 };
    float moments[8 * HEIGHT * WIDTH];
    float *picture = random_normals(1, "picture", 3 * 16 * HEIGHT * WIDTH);
    mdm_vae *vae = NULL;
    ok(open_vae(&vae, MDM_VAE_ENCODER, HEIGHT, WIDTH, 3));
    ok(mdm_vae_encode(vae, moments, picture, HEIGHT, WIDTH, NULL));
    compare(moments, "encoded");
    mdm_vae_free(&vae);

    ok(open_vae(&vae, MDM_VAE_ENCODER, 8, 8, 3));
    ok(mdm_vae_encode(vae, moments, picture, HEIGHT, WIDTH, NULL));
    compare(moments, "encoded_tiled");
    mdm_vae_free(&vae);
    mdm_free(&picture);
}

/* Values that fp16 cannot hold come out finite. */
static void large_values_stay_finite(void **state)
{
    (void)state;
    float latent[4 * 8 * 8], picture[3 * 32 * 32];
    mdm_vae *vae = NULL;
    for (size_t i = 0; i < sizeof latent / sizeof *latent; i++)
        latent[i] = i % 2 ? 1e6f : -1e6f;
    ok(open_vae(&vae, MDM_VAE_DECODER, 8, 8, 3));
    ok(mdm_vae_decode(vae, picture, latent, 8, 8, NULL));
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++)
        assert_true(isfinite(picture[i]));
    mdm_vae_free(&vae);
}

static bool stop_at_two(void *user, double done, double total)
{
    *(int *)user = (int)total;
    return done < 2;
}

static void tiles_can_be_cancelled(void **state)
{
    (void)state;
    float latent[4 * 8 * 20] = {0}, picture[3 * 32 * 80];
    mdm_vae *vae = NULL;
    int tiles = 0;
    const mdm_progress progress = {stop_at_two, &tiles};
    ok(open_vae(&vae, MDM_VAE_DECODER, 8, 8, 3));
    assert_int_equal(mdm_vae_decode(vae, picture, latent, 8, 20, &progress), MDM_ERR_CANCELLED);
    assert_int_equal(tiles, 4);
    assert_int_equal(mdm_vae_decode(vae, picture, latent, 4, 4, NULL), MDM_ERR_INTERNAL);
    mdm_vae_free(&vae);
}

static void refuse(const mdm_vae_sizes *sizes, mdm_vae_direction direction, const char *word)
{
    mdm_vae *vae = NULL;
    mdm_weights *weights = NULL;
    ok(mdm_weights_open(&weights, path));
    assert_int_equal(mdm_vae_new(&vae, sizes, weights, direction, MDM_STORE_F32, 8, 8, 3, 1), MDM_ERR_INPUT);
    assert_null(vae);
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
    mdm_weights_free(&weights);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    mdm_vae_sizes sizes = small();
    sizes.channels[0] = 12;
    refuse(&sizes, MDM_VAE_DECODER, "expected 12");
    sizes = small();
    sizes.residuals = 1;
    refuse(&sizes, MDM_VAE_DECODER, "\"decoder.up_blocks.0.resnets.2.");
    refuse(&sizes, MDM_VAE_ENCODER, "\"encoder.down_blocks.0.resnets.1.");
    sizes = small();
    sizes.scale = 0;
    refuse(&sizes, MDM_VAE_ENCODER, "scale 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoder_agrees),
        cmocka_unit_test(encoder_agrees),
        cmocka_unit_test(large_values_stay_finite),
        cmocka_unit_test(tiles_can_be_cancelled),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, make_weights, remove_weights);
}
