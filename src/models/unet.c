/* The conditional U-net: down through the levels, keeping what is seen, the bottom, and up again with what was kept. */
#include "models/unet.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/unet_blocks.h"

const mdm_unet_sizes mdm_unet_sd15 = {
    .in = 4,
    .out = 4,
    .levels = 4,
    .channels = {320, 640, 1280, 1280},
    .depth = {1, 1, 1, 0},
    .heads = {8, 8, 8, 8},
    .middle_depth = 1,
    .residuals = 2,
    .context = 768,
    .groups = 32,
    .epsilon = 1e-5f,
};

const mdm_unet_sizes mdm_unet_sdxl = {
    .in = 4,
    .out = 4,
    .levels = 3,
    .channels = {320, 640, 1280},
    .depth = {0, 2, 10},
    .heads = {5, 10, 20},
    .middle_depth = 10,
    .residuals = 2,
    .context = 2048,
    .groups = 32,
    .epsilon = 1e-5f,
    .added = 2816,
    .added_time = 256,
};

const mdm_unet_sizes mdm_unet_refiner = {
    .in = 4,
    .out = 4,
    .levels = 4,
    .channels = {384, 768, 1536, 1536},
    .depth = {0, 4, 4, 0},
    .heads = {6, 12, 24, 24},
    .middle_depth = 4,
    .residuals = 2,
    .context = 1280,
    .groups = 32,
    .epsilon = 1e-5f,
    .added = 2560,
    .added_time = 256,
};

struct mdm_unet {
    mdm_unet_sizes sizes;
    mdm_nn *nn;
};

/* ---- time ---- */

/* What every residual block is told of time, size and pooled text: [N,T], of time alone [1,T] */
static mdm_node *time_vector(const mdm_layers *l, const mdm_unet_sizes *s, int texts)
{
    mdm_nn *nn = l->nn;
    const int width = s->channels[0], out = 4 * width;
    mdm_node *t = mdm_block_embed(l, mdm_nn_input(nn, "time", 2, (int64_t[]){1, width}), "time_embedding.", out);
    if (s->added)
        t = mdm_nn_add(
            nn, t,
            mdm_block_embed(l, mdm_nn_input(nn, "added", 2, (int64_t[]){texts, s->added}), "add_embedding.", out));
    return mdm_nn_activate(nn, t, MDM_SILU);
}

/* ---- the graph ---- */

/* What is the same in every block of one network. */
typedef struct drawing {
    const mdm_layers *l;
    const mdm_unet_sizes *s;
    mdm_node *time, *context;
    mdm_node *kept[MDM_UNET_LEVELS * 8]; /* what the way down saw, for the way up */
    int kept_count;
} drawing;

static void keep(drawing *d, mdm_node *x)
{
    d->kept[d->kept_count++] = x;
}

static mdm_node *residual(const drawing *d, mdm_node *x, const char *block, int index, int out)
{
    char p[MDM_LAYER_NAME];
    snprintf(p, sizeof p, "%sresnets.%d.", block, index);
    return mdm_block_residual(d->l, x, d->time, p, out, d->s->groups, d->s->epsilon);
}

static mdm_node *attend(const drawing *d, mdm_node *x, const char *block, int index, int level, int depth)
{
    char p[MDM_LAYER_NAME];
    if (!depth)
        return x;
    snprintf(p, sizeof p, "%sattentions.%d.", block, index);
    const mdm_block_transformer t = {.depth = depth, .heads = d->s->heads[level], .groups = d->s->groups};
    return mdm_block_spatial_transformer(d->l, x, d->context, p, &t);
}

static mdm_node *down(drawing *d, mdm_node *x, int level)
{
    char block[64];
    const int channels = d->s->channels[level];
    snprintf(block, sizeof block, "down_blocks.%d.", level);
    for (int i = 0; i < d->s->residuals; i++) {
        x = attend(d, residual(d, x, block, i, channels), block, i, level, d->s->depth[level]);
        keep(d, x);
    }
    if (level + 1 < d->s->levels) {
        x = mdm_layer_conv(d->l, x, block, "downsamplers.0.conv", channels, 3, 2);
        keep(d, x);
    }
    return x;
}

static mdm_node *middle(const drawing *d, mdm_node *x)
{
    const int last = d->s->levels - 1, channels = d->s->channels[last];
    x = residual(d, x, "mid_block.", 0, channels);
    x = attend(d, x, "mid_block.", 0, last, d->s->middle_depth);
    return residual(d, x, "mid_block.", 1, channels);
}

static mdm_node *up(drawing *d, mdm_node *x, int level)
{
    char block[64], p[MDM_LAYER_NAME];
    snprintf(block, sizeof block, "up_blocks.%d.", d->s->levels - 1 - level);
    for (int i = 0; i <= d->s->residuals; i++) {
        x = mdm_nn_concat(d->l->nn, x, d->kept[--d->kept_count], 2);
        x = residual(d, x, block, i, d->s->channels[level]);
        x = attend(d, x, block, i, level, d->s->depth[level]);
    }
    snprintf(p, sizeof p, "%supsamplers.0.", block);
    return level ? mdm_block_double(d->l, x, p) : x;
}

static void describe(const mdm_layers *l, const mdm_unet_sizes *s, const mdm_unet_shape *shape)
{
    mdm_nn *nn = l->nn;
    drawing d = {.l = l, .s = s};
    mdm_node *x = mdm_nn_input(nn, "latent", 4, (int64_t[]){1, s->in, shape->height, shape->width});
    const int texts = shape->texts > 1 ? shape->texts : 1;
    d.context = mdm_nn_input(nn, "context", 3, (int64_t[]){texts, shape->tokens, s->context});
    d.time = time_vector(l, s, texts);
    if (texts == 2)
        x = mdm_nn_concat(nn, x, x, 3);
    x = mdm_layer_conv(l, x, "", "conv_in", s->channels[0], 3, 1);
    keep(&d, x);
    for (int level = 0; level < s->levels; level++)
        x = down(&d, x, level);
    x = middle(&d, x);
    for (int level = s->levels - 1; level >= 0; level--)
        x = up(&d, x, level);
    x = mdm_nn_activate(nn, mdm_layer_group_norm(l, x, "", "conv_norm_out", s->groups, s->epsilon), MDM_SILU);
    mdm_nn_output(nn, mdm_layer_conv(l, x, "", "conv_out", s->out, 3, 1), "noise");
}

/* ---- building and running ---- */

static mdm_status check(const mdm_unet_sizes *s, const mdm_unet_shape *shape, const char *path)
{
    bool good = s->levels >= 1 && s->levels <= MDM_UNET_LEVELS && s->residuals >= 1 && s->residuals <= 4 && s->in > 0 &&
                s->out > 0 && s->context > 0 && s->groups > 0 && s->middle_depth >= 0 && s->added >= 0 &&
                s->added_time >= 0 && s->added_time % 2 == 0;
    for (int i = 0; good && i < s->levels; i++)
        good =
            s->channels[i] > 0 && s->channels[i] <= 1 << 16 && s->depth[i] >= 0 && s->depth[i] <= 64 && s->heads[i] > 0;
    if (!good)
        return mdm_fail(MDM_ERR_INPUT, "%s: sizes that no U-net has: %d levels, %d residual blocks, %d channels", path,
                        s->levels, s->residuals, s->channels[0]);
    const int step = 1 << (s->levels - 1);
    if (shape->height < step || shape->width < step || shape->height % step || shape->width % step ||
        shape->height > 4096 || shape->width > 4096 || shape->tokens < 1 || shape->tokens > 4096 || shape->texts < 0 ||
        shape->texts > 2)
        return mdm_fail(MDM_ERR_INPUT, "a latent of %d x %d; both must be multiples of %d up to 4096", shape->width,
                        shape->height, step);
    return MDM_OK;
}

mdm_status mdm_unet_new(mdm_unet **out, const mdm_unet_sizes *sizes, mdm_weights *weights, mdm_store store,
                        const mdm_unet_shape *shape, int threads)
{
    mdm_unet *unet = NULL;
    *out = NULL;
    MDM_TRY(check(sizes, shape, mdm_weights_path(weights)));
    MDM_TRY(mdm_alloc(&unet, 1, sizeof *unet, "U-net"));
    unet->sizes = *sizes;
    mdm_status status = mdm_nn_new_large(&unet->nn, "U-net", threads);
    if (!status) {
        const mdm_layers layers = {unet->nn, weights, store};
        describe(&layers, &unet->sizes, shape);
        status = mdm_layers_build(&layers, "");
    }
    if (status)
        mdm_unet_free(&unet);
    *out = unet;
    return status;
}

void mdm_unet_free(mdm_unet **unet)
{
    if (!*unet)
        return;
    mdm_nn_free(&(*unet)->nn);
    mdm_free(unet);
}

mdm_status mdm_unet_run(mdm_unet *unet, float *noise, const float *latent, float time, const float *context,
                        const float *added)
{
    mdm_nn *nn = unet->nn;
    MDM_TRY(mdm_block_set_time(nn, time));
    MDM_TRY(mdm_nn_set(nn, "latent", latent, mdm_nn_count(nn, "latent")));
    MDM_TRY(mdm_nn_set(nn, "context", context, mdm_nn_count(nn, "context")));
    if (unet->sizes.added)
        MDM_TRY(mdm_nn_set(nn, "added", added, mdm_nn_count(nn, "added")));
    MDM_TRY(mdm_nn_run(nn));
    return mdm_nn_get(nn, "noise", noise, mdm_nn_count(nn, "noise"));
}

mdm_status mdm_unet_added(float *added, const mdm_unet_sizes *sizes, const float *pooled, int pooled_width,
                          const float *numbers, int count)
{
    if (pooled_width + count * sizes->added_time != sizes->added)
        return mdm_fail(MDM_ERR_INPUT,
                        "the U-net is told a vector of %d, a pooled text of %d and %d numbers of %d make %d; text "
                        "encoder and U-net do not belong together",
                        sizes->added, pooled_width, count, sizes->added_time, pooled_width + count * sizes->added_time);
    memcpy(added, pooled, (size_t)pooled_width * sizeof *added);
    for (int i = 0; i < count; i++)
        mdm_block_waves(added + pooled_width + i * sizes->added_time, sizes->added_time, (double)numbers[i]);
    return MDM_OK;
}
