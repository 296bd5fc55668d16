/* The U-nets of SD 1.5, SDXL and the refiner at reduced size with random weights against diffusers
 * (tools/make_diffusion_goldens.py), and what is said of sizes and weights that do not fit. */
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
#include "models/unet.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion"

enum { HEIGHT = 8, WIDTH = 16, TOKENS = 7, POOLED = 24, LATENT = 4 * HEIGHT * WIDTH };

static char path[128];

static int make_path(void **state)
{
    const int failed = make_folder(state);
    in_folder(path, "model.safetensors");
    return failed;
}

/* UNETS of the script: the published tables, narrower. */
static mdm_unet_sizes small_sd15(void)
{
    mdm_unet_sizes s = mdm_unet_sd15;
    const int channels[MDM_UNET_LEVELS] = {8, 16, 24, 24}, heads[MDM_UNET_LEVELS] = {2, 2, 2, 2};
    memcpy(s.channels, channels, sizeof channels);
    memcpy(s.heads, heads, sizeof heads);
    s.context = 32;
    s.groups = 8;
    return s;
}

static mdm_unet_sizes small_sdxl(void)
{
    mdm_unet_sizes s = mdm_unet_sdxl;
    const int channels[MDM_UNET_LEVELS] = {8, 16, 24}, heads[MDM_UNET_LEVELS] = {1, 2, 4};
    memcpy(s.channels, channels, sizeof channels);
    memcpy(s.heads, heads, sizeof heads);
    s.depth[2] = s.middle_depth = 3;
    s.context = 64;
    s.groups = 8;
    s.added_time = 8;
    s.added = POOLED + 6 * 8;
    return s;
}

static mdm_unet_sizes small_refiner(void)
{
    mdm_unet_sizes s = mdm_unet_refiner;
    const int channels[MDM_UNET_LEVELS] = {8, 16, 24, 24}, heads[MDM_UNET_LEVELS] = {1, 2, 4, 4};
    memcpy(s.channels, channels, sizeof channels);
    memcpy(s.heads, heads, sizeof heads);
    s.depth[1] = s.depth[2] = s.middle_depth = 2;
    s.context = 32;
    s.groups = 8;
    s.added_time = 8;
    s.added = POOLED + 5 * 8;
    return s;
}

static json_t *shapes_of(const char *name)
{
    char file[256];
    snprintf(file, sizeof file, GOLDEN "/unet-%s.json", name);
    return weight_shapes(file);
}

static mdm_status make(mdm_unet **unet, json_t *shapes, const mdm_unet_sizes *sizes, const mdm_unet_shape *shape)
{
    mdm_weights *weights = NULL;
    random_weights(path, shapes, 1);
    json_decref(shapes);
    ok(mdm_weights_open(&weights, path));
    mdm_status status = mdm_unet_new(unet, sizes, weights, MDM_STORE_F32, shape, 1);
    mdm_weights_free(&weights);
    return status;
}

/* Of two texts asked about at once, the first is another one and the second the golden one. */
static void check(const char *name, const mdm_unet_sizes *sizes, const float *numbers, int count, int texts)
{
    mdm_unet *unet = NULL;
    mdm_tensor_file *file = NULL;
    const size_t width = TOKENS * (size_t)sizes->context, last = (size_t)(texts - 1);
    float noise[2 * LATENT], added[2 * 128] = {0};
    float *latent = random_normals(1, "latent", LATENT), *pooled = random_normals(1, "pooled", POOLED);
    float *golden_context = random_normals(1, "context", width), *context = random_normals(1, "other", 2 * width);
    memcpy(context + last * width, golden_context, width * sizeof *context);
    ok(make(&unet, shapes_of(name), sizes, &(mdm_unet_shape){HEIGHT, WIDTH, TOKENS, texts}));
    if (count)
        ok(mdm_unet_added(added + last * (size_t)sizes->added, sizes, pooled, POOLED, numbers, count));
    ok(mdm_unet_run(unet, noise, latent, 421, context, added));
    ok(mdm_tensor_file_open(&file, GOLDEN "/unet.safetensors"));
    size_t values = 0;
    float *want = golden(file, name, NULL, &values);
    assert_int_equal(values, LATENT);
    double error = relative_error(noise + last * LATENT, want, values);
    print_message("%s, %d texts: %.2g relative\n", name, texts, error);
    assert_true(error < 1e-4);
    if (texts == 2)
        assert_true(relative_error(noise, want, values) > 1e-3);
    mdm_free(&want);
    mdm_free(&latent);
    mdm_free(&pooled);
    mdm_free(&context);
    mdm_free(&golden_context);
    mdm_tensor_file_free(&file);
    mdm_unet_free(&unet);
    assert_null(unet);
}

static void networks_agree(void **state)
{
    (void)state;
    const mdm_unet_sizes sd15 = small_sd15(), sdxl = small_sdxl(), refiner = small_refiner();
    for (int texts = 1; texts <= 2; texts++) {
        check("sd15", &sd15, NULL, 0, texts);
        check("sdxl", &sdxl, (const float[]){1024, 768, 0, 16, 1024, 1024}, 6, texts);
        check("refiner", &refiner, (const float[]){1024, 768, 0, 16, 6}, 5, texts);
    }
}

static void refuse(json_t *shapes, const mdm_unet_sizes *sizes, const mdm_unet_shape *shape, const char *word)
{
    mdm_unet *unet = NULL;
    assert_int_equal(make(&unet, shapes, sizes, shape), MDM_ERR_INPUT);
    assert_null(unet);
    if (!strstr(mdm_error_message(), word))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const mdm_unet_shape shape = {HEIGHT, WIDTH, TOKENS, 1}, odd = {HEIGHT, 12, TOKENS, 1};
    mdm_unet_sizes sizes = small_sd15();
    refuse(shapes_of("sd15"), &sizes, &odd, "multiples of 8");
    refuse(shapes_of("refiner"), &sizes, &shape, "down_blocks.0.attentions.0");

    json_t *shapes = shapes_of("sd15");
    json_object_set_new(shapes, "conv_in.weight", json_pack("[i,i,i,i]", 8, 9, 3, 3)); /* an inpainting network's */
    refuse(shapes, &sizes, &shape, "\"conv_in.weight\" has shape 8 9 3 3, expected 8 4 3 3");

    sizes.depth[3] = 1;
    refuse(shapes_of("sd15"), &sizes, &shape, "down_blocks.3.attentions.0");
    sizes = small_sd15();
    sizes.depth[0] = 0;
    refuse(shapes_of("sd15"), &sizes, &shape, "nothing in this network is called \"down_blocks.0.attentions.0");
    sizes = small_sd15();
    sizes.levels = 9;
    refuse(shapes_of("sd15"), &sizes, &shape, "9 levels");
    sizes = small_sd15();
    sizes.groups = 7;
    refuse(shapes_of("sd15"), &sizes, &shape, "groups");

    float added[128];
    sizes = small_sdxl();
    assert_int_equal(mdm_unet_added(added, &sizes, added, POOLED, added, 5), MDM_ERR_INPUT);
}

/* Parameters of one U-net, from the drawing and not from the code: convolutions of side 3, norms with two vectors. */
static int64_t residual(int64_t in, int64_t out, int64_t time)
{
    return 2 * in + (9 * in + 1) * out + (time + 1) * out + 2 * out + (9 * out + 1) * out +
           (in == out ? 0 : (in + 1) * out);
}

static int64_t transformer(int64_t c, int64_t context, int64_t depth)
{
    int64_t self = 4 * c * c + c, cross = 2 * c * c + 2 * context * c + c, wide = (c + 1) * 8 * c + (4 * c + 1) * c;
    return depth ? 2 * c + 2 * (c + 1) * c + depth * (6 * c + self + cross + wide) : 0;
}

static int64_t parameters(const mdm_unet_sizes *s)
{
    const int64_t c0 = s->channels[0], time = 4 * c0, last = s->channels[s->levels - 1];
    int64_t kept[32], count = 0, x = c0;
    int64_t n = (c0 + 1) * time + (time + 1) * time + (9 * s->in + 1) * c0 + 2 * c0 + (9 * c0 + 1) * s->out;
    n += s->added ? (s->added + 1) * time + (time + 1) * time : 0;
    kept[count++] = x;
    for (int i = 0; i < s->levels; i++) {
        const int64_t c = s->channels[i];
        for (int k = 0; k < s->residuals; k++, x = c, kept[count++] = c)
            n += residual(x, c, time) + transformer(c, s->context, s->depth[i]);
        if (i + 1 < s->levels) {
            n += (9 * c + 1) * c;
            kept[count++] = c;
        }
    }
    n += 2 * residual(last, last, time) + transformer(last, s->context, s->middle_depth);
    for (int i = s->levels - 1; i >= 0; i--) {
        const int64_t c = s->channels[i];
        for (int k = 0; k <= s->residuals; k++, x = c)
            n += residual(x + kept[--count], c, time) + transformer(c, s->context, s->depth[i]);
        n += i ? (9 * c + 1) * c : 0;
    }
    return n;
}

static void tables_have_the_published_sizes(void **state)
{
    (void)state;
    assert_true(parameters(&mdm_unet_sd15) == 859520964);
    assert_true(parameters(&mdm_unet_sdxl) == 2567463684);
    assert_true(parameters(&mdm_unet_refiner) == 2259526660);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(tables_have_the_published_sizes),
    };
    return cmocka_run_group_tests(tests, make_path, remove_folder);
}
