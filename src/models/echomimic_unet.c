/* EchoMimic's two U-nets in one drawing: the reference U-net leaves out what only the denoising one has (voice, motion modules, the
 * last layers). */
#include "models/echomimic.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/echomimic_blocks.h"
#include "models/unet_blocks.h"

enum { RESIDUALS = 2 }; /* a level on the way down; one more on the way up */

static const float epsilon = 1e-5f;

const mdm_echomimic_sizes mdm_echomimic_published = {
    .channels = {320, 640, 1280, 1280},
    .heads = 8,
    .groups = 32,
    .audio_width = 384,
    .audio_gain = 3,
    .locator = {16, 32, 96, 256},
};

/* ---- the graph ---- */

/* What is the same in every block of one network. */
typedef struct drawing {
    const mdm_layers *l, *motion; /* motion: NULL in the reference U-net */
    const mdm_echomimic_sizes *s;
    mdm_block_window window;
    mdm_node *time;
    const mdm_echomimic_bank *bank;          /* NULL in the reference U-net */
    mdm_node *bank_node[MDM_ECHOMIMIC_BANK]; /* what is attended to, or what was seen */
    int transformers;                        /* drawn so far */
    mdm_node *kept[MDM_ECHOMIMIC_LEVELS * (RESIDUALS + 1)];
    int kept_count;
} drawing;

static void keep(drawing *d, mdm_node *x)
{
    d->kept[d->kept_count++] = x;
}

/* Of what transformer `index` of the portrait's features ("state"), or of its keys or values. */
static const char *bank_name(char name[16], const char *kind, int index)
{
    snprintf(name, 16, "%s.%d", kind, index);
    return name;
}

static mdm_node *residual(const drawing *d, mdm_node *x, const char *block, int index, int out)
{
    char p[MDM_LAYER_NAME];
    snprintf(p, sizeof p, "%sresnets.%d.", block, index);
    return mdm_block_residual(d->l, x, d->time, p, out, d->s->groups, epsilon);
}

static mdm_node *attend(drawing *d, mdm_node *x, const char *block, int index)
{
    char p[MDM_LAYER_NAME], name[16];
    const int at = d->transformers++;
    mdm_block_reference reference = {0};
    if (!x)
        return NULL;
    if (d->bank) {
        const int64_t positions = mdm_nn_dim(x, 1) * mdm_nn_dim(x, 0), width = mdm_nn_dim(x, 2);
        const int64_t shape[3] = {1, positions, width};
        if ((size_t)(positions * width) != d->bank->size[at])
            return mdm_nn_fail(d->l->nn, MDM_ERR_INPUT,
                               "the portrait's features %d have %zu values, expected %lld x %lld; portrait and window "
                               "must be of one size",
                               at, d->bank->size[at], (long long)positions, (long long)width);
        reference.key = mdm_nn_input(d->l->nn, bank_name(name, "key", at), 3, shape);
        reference.value = mdm_nn_input(d->l->nn, bank_name(name, "value", at), 3, shape);
    }
    snprintf(p, sizeof p, "%sattentions.%d.", block, index);
    return mdm_block_reference_transformer(d->l, x, d->bank ? &reference : NULL, p, &d->window,
                                           d->bank ? NULL : &d->bank_node[at]);
}

static mdm_node *move(const drawing *d, mdm_node *x, const char *block, int index)
{
    char p[MDM_LAYER_NAME];
    if (!d->motion)
        return x;
    snprintf(p, sizeof p, "%smotion_modules.%d.", block, index);
    return mdm_block_motion_module(d->motion, x, p, &d->window);
}

static mdm_node *down(drawing *d, mdm_node *x, int level)
{
    char block[64];
    const int channels = d->s->channels[level];
    const bool last = level + 1 == MDM_ECHOMIMIC_LEVELS;
    snprintf(block, sizeof block, "down_blocks.%d.", level);
    for (int i = 0; i < RESIDUALS; i++) {
        x = residual(d, x, block, i, channels);
        x = move(d, last ? x : attend(d, x, block, i), block, i);
        keep(d, x);
    }
    if (!last) {
        x = mdm_layer_conv(d->l, x, block, "downsamplers.0.conv", channels, 3, 2);
        keep(d, x);
    }
    return x;
}

static mdm_node *middle(drawing *d, mdm_node *x)
{
    const int channels = d->s->channels[MDM_ECHOMIMIC_LEVELS - 1];
    x = residual(d, x, "mid_block.", 0, channels);
    x = move(d, attend(d, x, "mid_block.", 0), "mid_block.", 0);
    return residual(d, x, "mid_block.", 1, channels);
}

static mdm_node *up(drawing *d, mdm_node *x, int level)
{
    char block[64], p[MDM_LAYER_NAME];
    const bool last = level + 1 == MDM_ECHOMIMIC_LEVELS;
    snprintf(block, sizeof block, "up_blocks.%d.", MDM_ECHOMIMIC_LEVELS - 1 - level);
    for (int i = 0; i <= RESIDUALS; i++) {
        x = mdm_nn_concat(d->l->nn, x, d->kept[--d->kept_count], 2);
        x = residual(d, x, block, i, d->s->channels[level]);
        x = move(d, last ? x : attend(d, x, block, i), block, i);
    }
    snprintf(p, sizeof p, "%supsamplers.0.", block);
    return level ? mdm_block_double(d->l, x, p) : x;
}

/* From the first layer's picture to the last level's. */
static mdm_node *walk(drawing *d, mdm_node *x)
{
    mdm_nn *nn = d->l->nn;
    const int width = d->s->channels[0];
    mdm_node *t = mdm_nn_input(nn, "time", 2, (int64_t[]){1, width});
    d->time = mdm_nn_activate(nn, mdm_block_embed(d->l, t, "time_embedding.", 4 * width), MDM_SILU);
    keep(d, x);
    for (int level = 0; level < MDM_ECHOMIMIC_LEVELS; level++)
        x = down(d, x, level);
    x = middle(d, x);
    for (int level = MDM_ECHOMIMIC_LEVELS - 1; level >= 0; level--)
        x = up(d, x, level);
    return x;
}

static mdm_status check(const mdm_echomimic_sizes *s, int height, int width, const char *path)
{
    const int step = 1 << (MDM_ECHOMIMIC_LEVELS - 1);
    bool good = s->heads > 0 && s->groups > 0 && s->audio_width > 0;
    for (int i = 0; good && i < MDM_ECHOMIMIC_LEVELS; i++)
        good = s->channels[i] > 0 && s->channels[i] <= 1 << 16 && s->channels[i] % s->heads == 0 &&
               s->channels[i] % s->groups == 0;
    if (!good)
        return mdm_fail(MDM_ERR_INPUT, "%s: sizes that no U-net has: %d channels, %d heads, %d groups", path,
                        s->channels[0], s->heads, s->groups);
    if (height < step || width < step || height % step || width % step || height > 1024 || width > 1024)
        return mdm_fail(MDM_ERR_INPUT, "a latent of %d x %d; both must be multiples of %d up to 1024", width, height,
                        step);
    return MDM_OK;
}

/* ---- the reference U-net ---- */

static mdm_status build_reference(mdm_nn *nn, const mdm_echomimic_sizes *sizes, mdm_weights *weights, mdm_store store,
                                  int height, int width)
{
    char name[16];
    const mdm_layers l = {nn, weights, store};
    drawing d = {.l = &l, .s = sizes, .window = {.frames = 1, .heads = sizes->heads, .groups = sizes->groups}};
    mdm_node *x = mdm_nn_input(nn, "latent", 4, (int64_t[]){1, MDM_ECHOMIMIC_LATENT, height, width});
    walk(&d, mdm_layer_conv(&l, x, "", "conv_in", sizes->channels[0], 3, 1));
    for (int i = 0; i < d.transformers; i++)
        mdm_nn_output(nn, d.bank_node[i], bank_name(name, "state", i));
    return mdm_layers_build(&l, "");
}

static mdm_status look(mdm_echomimic_bank *bank, mdm_nn *nn, const float *latent)
{
    char name[16];
    MDM_TRY(mdm_block_set_time(nn, 0));
    MDM_TRY(mdm_nn_set(nn, "latent", latent, mdm_nn_count(nn, "latent")));
    MDM_TRY(mdm_nn_run(nn));
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++) {
        bank->size[i] = mdm_nn_count(nn, bank_name(name, "state", i));
        MDM_TRY(mdm_alloc(&bank->state[i], bank->size[i], sizeof *bank->state[i], "features of a portrait"));
        MDM_TRY(mdm_nn_get(nn, name, bank->state[i], bank->size[i]));
    }
    return MDM_OK;
}

mdm_status mdm_reference_unet_run(mdm_echomimic_bank *bank, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                  mdm_store store, const float *latent, int height, int width, int threads)
{
    mdm_nn *nn = NULL;
    *bank = (mdm_echomimic_bank){0};
    MDM_TRY(check(sizes, height, width, mdm_weights_path(weights)));
    mdm_status status = mdm_nn_new_large(&nn, "reference U-net", threads);
    if (!status)
        status = build_reference(nn, sizes, weights, store, height, width);
    if (!status)
        status = look(bank, nn, latent);
    mdm_nn_free(&nn);
    if (status)
        mdm_echomimic_bank_free(bank);
    return status;
}

void mdm_echomimic_bank_free(mdm_echomimic_bank *bank)
{
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++) {
        if (bank->state[i])
            mdm_wipe(bank->state[i], bank->size[i] * sizeof *bank->state[i]);
        mdm_free(&bank->state[i]);
        bank->size[i] = 0;
    }
}

/* ---- the denoising U-net ---- */

struct mdm_denoising_unet {
    mdm_denoising_shape shape;
    mdm_nn *nn;
};

static void describe(const mdm_layers *l, const mdm_layers *motion, const mdm_echomimic_sizes *s,
                     const mdm_echomimic_bank *bank, const mdm_denoising_shape *shape)
{
    mdm_nn *nn = l->nn;
    const int64_t frames = shape->frames, height = shape->height, width = shape->width;
    drawing d = {.l = l, .motion = motion, .s = s, .bank = bank};
    d.window = (mdm_block_window){shape->frames, s->heads, s->groups, NULL, s->audio_gain, shape->guided};
    d.window.audio = mdm_nn_input(nn, "audio", 3, (int64_t[]){frames, shape->tokens, s->audio_width});
    mdm_node *face = mdm_nn_input(nn, "face", 4, (int64_t[]){shape->face_maps, s->channels[0], height, width});
    mdm_node *x = mdm_nn_input(nn, "latents", 4, (int64_t[]){frames, MDM_ECHOMIMIC_LATENT, height, width});
    x = mdm_layer_conv(l, x, "", "conv_in", s->channels[0], 3, 1);
    mdm_node *with = mdm_nn_add(nn, x, face);
    x = walk(&d, shape->guided ? mdm_nn_concat(nn, x, with, 3) : with);
    x = mdm_nn_activate(nn, mdm_layer_group_norm(l, x, "", "conv_norm_out", s->groups, epsilon), MDM_SILU);
    mdm_nn_output(nn, mdm_layer_conv(l, x, "", "conv_out", MDM_ECHOMIMIC_LATENT, 3, 1), "velocity");
}

/* Where transformer `at` of the bank is, down, middle, up; returns its width. */
static int place_of(char prefix[64], int at, const mdm_echomimic_sizes *s)
{
    enum { DOWN = RESIDUALS * (MDM_ECHOMIMIC_LEVELS - 1), EACH = RESIDUALS + 1 };
    const int up = (at - DOWN - 1) / EACH;
    if (at < DOWN)
        snprintf(prefix, 64, "down_blocks.%d.attentions.%d.", at / RESIDUALS, at % RESIDUALS);
    else if (at == DOWN)
        snprintf(prefix, 64, "mid_block.attentions.0.");
    else
        snprintf(prefix, 64, "up_blocks.%d.attentions.%d.", up + 1, (at - DOWN - 1) % EACH);
    return s->channels[at < DOWN    ? at / RESIDUALS
                       : at == DOWN ? MDM_ECHOMIMIC_LEVELS - 1
                                    : MDM_ECHOMIMIC_LEVELS - 2 - up];
}

/* An output of one graph to the input of the same name of another. */
static mdm_status hand_over(mdm_nn *to, mdm_nn *from, const char *name, size_t count)
{
    float *values = NULL;
    MDM_TRY(mdm_alloc(&values, count, sizeof *values, "keys of a portrait"));
    mdm_status status = mdm_nn_get(from, name, values, count);
    if (!status)
        status = mdm_nn_set(to, name, values, count);
    mdm_free(&values);
    return status;
}

/* Makes keys and values of the portrait's features, once for all windows. */
static mdm_status refer(mdm_nn *unet, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                        const mdm_echomimic_bank *bank, mdm_store store, int threads)
{
    char name[16], prefix[64];
    mdm_nn *nn = NULL;
    MDM_TRY(mdm_nn_new_large(&nn, "portrait's keys", threads));
    const mdm_layers l = {nn, weights, store};
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++) {
        const int64_t width = place_of(prefix, i, sizes), positions = (int64_t)bank->size[i] / width;
        mdm_node *seen = mdm_nn_input(nn, bank_name(name, "state", i), 3, (int64_t[]){1, positions, width});
        const mdm_block_reference reference = mdm_block_reference_of(&l, seen, prefix);
        mdm_nn_output(nn, reference.key, bank_name(name, "key", i));
        mdm_nn_output(nn, reference.value, bank_name(name, "value", i));
    }
    mdm_status status = mdm_nn_build(nn);
    for (int i = 0; i < MDM_ECHOMIMIC_BANK && !status; i++)
        status = mdm_nn_set(nn, bank_name(name, "state", i), bank->state[i], bank->size[i]);
    if (!status)
        status = mdm_nn_run(nn);
    for (int i = 0; i < MDM_ECHOMIMIC_BANK && !status; i++) {
        status = hand_over(unet, nn, bank_name(name, "key", i), bank->size[i]);
        if (!status)
            status = hand_over(unet, nn, bank_name(name, "value", i), bank->size[i]);
    }
    mdm_nn_free(&nn);
    return status;
}

static mdm_status build(mdm_denoising_unet *unet, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                        mdm_weights *motion, const mdm_echomimic_bank *bank, mdm_store store, int threads)
{
    MDM_TRY(mdm_nn_new_large(&unet->nn, "denoising U-net", threads));
    const mdm_layers l = {unet->nn, weights, store}, modules = {unet->nn, motion, store};
    describe(&l, &modules, sizes, bank, &unet->shape);
    mdm_status status = mdm_nn_build(unet->nn);
    if (status)
        return mdm_fail_context(status, "%s with %s", mdm_weights_path(weights), mdm_weights_path(motion));
    MDM_TRY(mdm_weights_all_taken(weights, ""));
    MDM_TRY(mdm_weights_all_taken(motion, ""));
    return refer(unet->nn, sizes, weights, bank, store, threads);
}

mdm_status mdm_denoising_unet_new(mdm_denoising_unet **out, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                  mdm_weights *motion, const mdm_echomimic_bank *bank, mdm_store store,
                                  const mdm_denoising_shape *shape, int threads)
{
    mdm_denoising_unet *unet = NULL;
    *out = NULL;
    MDM_TRY(check(sizes, shape->height, shape->width, mdm_weights_path(weights)));
    if (shape->frames < 1 || shape->frames > MDM_ECHOMIMIC_POSITIONS || shape->tokens < 1 || shape->tokens > 4096 ||
        (shape->face_maps != 1 && shape->face_maps != shape->frames))
        return mdm_fail(MDM_ERR_INPUT,
                        "a window of %d frames with %d tokens and %d face maps; 1 to %d frames, and "
                        "one map or one a frame",
                        shape->frames, shape->tokens, shape->face_maps, MDM_ECHOMIMIC_POSITIONS);
    MDM_TRY(mdm_alloc(&unet, 1, sizeof *unet, "denoising U-net"));
    unet->shape = *shape;
    mdm_status status = build(unet, sizes, weights, motion, bank, store, threads);
    if (status)
        mdm_denoising_unet_free(&unet);
    *out = unet;
    return status;
}

void mdm_denoising_unet_free(mdm_denoising_unet **unet)
{
    if (!*unet)
        return;
    mdm_nn_free(&(*unet)->nn);
    mdm_free(unet);
}

mdm_status mdm_denoising_unet_run(mdm_denoising_unet *unet, float *conditional, float *unconditional,
                                  const float *latents, float time, const float *audio, const float *face)
{
    mdm_nn *nn = unet->nn;
    const bool guided = unet->shape.guided;
    const size_t count = mdm_nn_count(nn, "latents");
    float *both = conditional;
    MDM_TRY(mdm_block_set_time(nn, time));
    MDM_TRY(mdm_nn_set(nn, "latents", latents, count));
    MDM_TRY(mdm_nn_set(nn, "audio", audio, mdm_nn_count(nn, "audio")));
    MDM_TRY(mdm_nn_set(nn, "face", face, mdm_nn_count(nn, "face")));
    MDM_TRY(mdm_nn_run(nn));
    if (!guided)
        return mdm_nn_get(nn, "velocity", conditional, count);
    MDM_TRY(mdm_alloc(&both, 2 * count, sizeof *both, "velocities"));
    mdm_status status = mdm_nn_get(nn, "velocity", both, 2 * count);
    if (!status) {
        memcpy(unconditional, both, count * sizeof *both);
        memcpy(conditional, both + count, count * sizeof *both);
    }
    mdm_free(&both);
    return status;
}
