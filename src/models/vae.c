/* The autoencoder: residual blocks and one attention at the bottom, in a graph for one tile; tiles are laid side by side here. */
#include "models/vae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/unet_blocks.h"

#define EPSILON 1e-6f

const mdm_vae_sizes mdm_vae_sd15 = {
    .latent = 4,
    .levels = 4,
    .channels = {128, 256, 512, 512},
    .residuals = 2,
    .groups = 32,
    .scale = 0.18215f,
};

const mdm_vae_sizes mdm_vae_sdxl = {
    .latent = 4,
    .levels = 4,
    .channels = {128, 256, 512, 512},
    .residuals = 2,
    .groups = 32,
    .scale = 0.13025f,
};

struct mdm_vae {
    mdm_vae_sizes sizes;
    mdm_vae_direction direction;
    int height, width, overlap; /* of a tile, in latent pixels */
    mdm_nn *nn;
};

/* ---- the graph ---- */

static mdm_node *residuals(const mdm_layers *l, mdm_node *x, const mdm_vae_sizes *s, const char *block, int count,
                           int channels)
{
    char p[MDM_LAYER_NAME];
    for (int i = 0; i < count; i++) {
        snprintf(p, sizeof p, "%sresnets.%d.", block, i);
        x = mdm_block_residual(l, x, NULL, p, channels, s->groups, EPSILON);
    }
    return x;
}

/* x [1,C,H,W]: a residual block, attention of one head over all positions, a residual block */
static mdm_node *middle(const mdm_layers *l, mdm_node *x, const mdm_vae_sizes *s, const char *half)
{
    char p[MDM_LAYER_NAME];
    mdm_nn *nn = l->nn;
    const int channels = s->channels[s->levels - 1];
    snprintf(p, sizeof p, "%smid_block.resnets.0.", half);
    x = mdm_block_residual(l, x, NULL, p, channels, s->groups, EPSILON);
    snprintf(p, sizeof p, "%smid_block.attentions.0.", half);
    mdm_node *h = mdm_layer_group_norm(l, x, p, "group_norm", s->groups, EPSILON);
    h = mdm_block_to_sequence(nn, h);
    h = mdm_block_attention(l, h, h, p, 1, true);
    h = mdm_block_to_picture(nn, h, mdm_nn_dim(x, 1), mdm_nn_dim(x, 0));
    x = mdm_nn_add(nn, x, h);
    snprintf(p, sizeof p, "%smid_block.resnets.1.", half);
    return mdm_block_residual(l, x, NULL, p, channels, s->groups, EPSILON);
}

/* norm, SiLU, convolution at the end of either half */
static mdm_node *finish(const mdm_layers *l, mdm_node *x, const mdm_vae_sizes *s, const char *half, int channels)
{
    x = mdm_layer_group_norm(l, x, half, "conv_norm_out", s->groups, EPSILON);
    return mdm_layer_conv(l, mdm_nn_activate(l->nn, x, MDM_SILU), half, "conv_out", channels, 3, 1);
}

/* Half size: zeros only to the right and below. */
static mdm_node *halve(const mdm_layers *l, mdm_node *x, const char *block, int channels)
{
    mdm_node *w = mdm_layer_tensor(l, block, "downsamplers.0.conv.weight", MDM_STORE_F32, 4,
                                   (int64_t[]){channels, channels, 3, 3});
    mdm_node *b = mdm_layer_tensor(l, block, "downsamplers.0.conv.bias", MDM_STORE_F32, 1, (int64_t[]){channels});
    return mdm_nn_conv2d(l->nn, x, w, b, &(mdm_conv){.stride = {2, 2}, .pad = {0, 0, 1, 1}});
}

static void describe_decoder(const mdm_layers *l, const mdm_vae_sizes *s, int height, int width)
{
    char block[64], p[MDM_LAYER_NAME];
    const int last = s->levels - 1;
    mdm_node *x = mdm_nn_input(l->nn, "in", 4, (int64_t[]){1, s->latent, height, width});
    x = mdm_nn_scale(l->nn, x, 1 / s->scale, 0);
    x = mdm_layer_conv(l, x, "", "post_quant_conv", s->latent, 1, 1);
    x = mdm_layer_conv(l, x, "decoder.", "conv_in", s->channels[last], 3, 1);
    x = middle(l, x, s, "decoder.");
    for (int i = 0; i < s->levels; i++) {
        snprintf(block, sizeof block, "decoder.up_blocks.%d.", i);
        x = residuals(l, x, s, block, s->residuals + 1, s->channels[last - i]);
        snprintf(p, sizeof p, "%supsamplers.0.", block);
        x = i < last ? mdm_block_double(l, x, p) : x;
    }
    mdm_nn_output(l->nn, finish(l, x, s, "decoder.", 3), "out");
}

static void describe_encoder(const mdm_layers *l, const mdm_vae_sizes *s, int height, int width)
{
    char block[64];
    mdm_nn *nn = l->nn;
    const int last = s->levels - 1, factor = 1 << last;
    mdm_node *x = mdm_nn_input(nn, "in", 4, (int64_t[]){1, 3, factor * height, factor * width});
    x = mdm_layer_conv(l, x, "encoder.", "conv_in", s->channels[0], 3, 1);
    for (int i = 0; i < s->levels; i++) {
        snprintf(block, sizeof block, "encoder.down_blocks.%d.", i);
        x = residuals(l, x, s, block, s->residuals, s->channels[i]);
        x = i < last ? halve(l, x, block, s->channels[i]) : x;
    }
    x = middle(l, x, s, "encoder.");
    x = finish(l, x, s, "encoder.", 2 * s->latent);
    x = mdm_layer_conv(l, x, "", "quant_conv", 2 * s->latent, 1, 1);
    mdm_node *mean = mdm_nn_slice(nn, x, 2, 0, s->latent);
    mdm_node *log_variance = mdm_nn_clamp(nn, mdm_nn_slice(nn, x, 2, s->latent, 2 * s->latent), -30, 20);
    mdm_node *deviation = mdm_nn_activate(nn, mdm_nn_scale(nn, log_variance, 0.5f, 0), MDM_EXP);
    mdm_nn_output(nn, mdm_nn_scale(nn, mdm_nn_concat(nn, mean, deviation, 2), s->scale, 0), "out");
}

/* ---- building ---- */

static mdm_status check(const mdm_vae *v, const char *path)
{
    const mdm_vae_sizes *s = &v->sizes;
    bool good = s->levels >= 1 && s->levels <= MDM_VAE_LEVELS && s->residuals >= 1 && s->residuals <= 8 &&
                s->latent >= 1 && s->latent <= 64 && s->groups > 0 && isnormal(s->scale);
    for (int i = 0; good && i < s->levels; i++)
        good = s->channels[i] > 0 && s->channels[i] <= 1 << 14;
    if (!good)
        return mdm_fail(MDM_ERR_INPUT, "%s: sizes that no autoencoder has: %d levels, %d channels, scale %g", path,
                        s->levels, s->channels[0], (double)s->scale);
    if (v->height < 1 || v->width < 1 || v->height > 2048 || v->width > 2048 || v->overlap < 1)
        return mdm_fail(MDM_ERR_INTERNAL, "latents of %d x %d sharing %d", v->width, v->height, v->overlap);
    return MDM_OK;
}

static mdm_status build(mdm_vae *v, mdm_weights *weights, mdm_store store, int threads)
{
    MDM_TRY(check(v, mdm_weights_path(weights)));
    MDM_TRY(mdm_nn_new_large(&v->nn, "autoencoder", threads));
    const mdm_layers layers = {v->nn, weights, store};
    if (v->direction == MDM_VAE_DECODER)
        describe_decoder(&layers, &v->sizes, v->height, v->width);
    else
        describe_encoder(&layers, &v->sizes, v->height, v->width);
    return mdm_layers_build(&layers, v->direction == MDM_VAE_DECODER ? "decoder." : "encoder.");
}

mdm_status mdm_vae_new(mdm_vae **out, const mdm_vae_sizes *sizes, mdm_weights *weights, mdm_vae_direction direction,
                       mdm_store store, int height, int width, int overlap, int threads)
{
    mdm_vae *v = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&v, 1, sizeof *v, "autoencoder"));
    v->sizes = *sizes;
    v->direction = direction;
    v->height = height;
    v->width = width;
    v->overlap = overlap;
    mdm_status status = build(v, weights, store, threads);
    if (status)
        mdm_vae_free(&v);
    *out = v;
    return status;
}

void mdm_vae_free(mdm_vae **vae)
{
    if (!*vae)
        return;
    mdm_nn_free(&(*vae)->nn);
    mdm_free(vae);
}

int mdm_vae_factor(const mdm_vae *vae)
{
    return 1 << (vae->sizes.levels - 1);
}

/* ---- tiles ---- */

/* A picture of planes, and how many of its pixels make a latent pixel. */
typedef struct planes {
    float *data;
    int channels, height, width, unit;
} planes;

static int tile_count(int size, int tile, int overlap)
{
    int step = tile > overlap ? tile - overlap : 1;
    return size > tile ? (size - overlap + step - 1) / step : 1;
}

static int tile_start(int i, int count, int size, int tile)
{
    return count > 1 ? (int)((int64_t)i * (size - tile) / (count - 1)) : 0;
}

/* Weight of the pixel `at` of a tile of `size`, a ramp over `fade` pixels at either end. */
static float ramp(int at, int size, int fade)
{
    float near = fminf((float)at + 0.5f, (float)(size - at) - 0.5f);
    return fminf(1, near / (float)fade);
}

static void cut_out(float *tile, const planes *from, int top, int left, int height, int width)
{
    for (int c = 0; c < from->channels; c++)
        for (int y = 0; y < height; y++)
            memcpy(tile + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width,
                   from->data + ((size_t)c * (size_t)from->height + (size_t)(top + y)) * (size_t)from->width + left,
                   (size_t)width * sizeof *tile);
}

/* Adds a tile times its weights to `to` and the weights to `sum` [height][width]. */
static void lay_down(planes *to, float *sum, const float *tile, int top, int left, int height, int width, int fade)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const float w = ramp(y, height, fade) * ramp(x, width, fade);
            const size_t at = (size_t)(top + y) * (size_t)to->width + (size_t)(left + x);
            sum[at] += w;
            for (int c = 0; c < to->channels; c++)
                to->data[(size_t)c * (size_t)to->height * (size_t)to->width + at] +=
                    w * tile[((size_t)c * (size_t)height + (size_t)y) * (size_t)width + (size_t)x];
        }
}

/* What running over the tiles needs besides the two pictures. */
typedef struct work {
    float *in, *out, *sum;
} work;

static mdm_status run_tile(const mdm_vae *v, planes *to, const planes *from, const work *w, int top, int left)
{
    const int a = from->unit, b = to->unit;
    cut_out(w->in, from, top * a, left * a, v->height * a, v->width * a);
    MDM_TRY(mdm_nn_set(v->nn, "in", w->in, mdm_nn_count(v->nn, "in")));
    MDM_TRY(mdm_nn_run(v->nn));
    MDM_TRY(mdm_nn_get(v->nn, "out", w->out, mdm_nn_count(v->nn, "out")));
    lay_down(to, w->sum, w->out, top * b, left * b, v->height * b, v->width * b, v->overlap * b);
    return MDM_OK;
}

static mdm_status run_tiles(const mdm_vae *v, planes *to, const planes *from, const work *w,
                            const mdm_progress *progress)
{
    const int height = from->height / from->unit, width = from->width / from->unit;
    const int rows = tile_count(height, v->height, v->overlap), columns = tile_count(width, v->width, v->overlap);
    for (int i = 0; i < rows * columns; i++) {
        int top = tile_start(i / columns, rows, height, v->height);
        int left = tile_start(i % columns, columns, width, v->width);
        MDM_TRY(run_tile(v, to, from, w, top, left));
        if (!mdm_progress_update(progress, i + 1, rows * columns))
            return mdm_fail(MDM_ERR_CANCELLED, "cancelled after %d of %d tiles", i + 1, rows * columns);
    }
    return MDM_OK;
}

static mdm_status run(const mdm_vae *v, planes *to, const planes *from, const mdm_progress *progress)
{
    const int height = from->height / from->unit, width = from->width / from->unit;
    if (height < v->height || width < v->width || height > 4096 || width > 4096)
        return mdm_fail(MDM_ERR_INTERNAL, "latents of %d x %d for an autoencoder built for %d x %d", width, height,
                        v->width, v->height);
    const size_t in = mdm_nn_count(v->nn, "in"), out = mdm_nn_count(v->nn, "out"),
                 area = (size_t)to->height * (size_t)to->width;
    work w = {0};
    MDM_TRY(mdm_alloc(&w.in, in + out + area, sizeof *w.in, "tiles"));
    w.out = w.in + in;
    w.sum = w.out + out;
    memset(to->data, 0, (size_t)to->channels * area * sizeof *to->data);
    mdm_status status = run_tiles(v, to, from, &w, progress);
    for (size_t i = 0; i < (size_t)to->channels * area && !status; i++)
        to->data[i] /= w.sum[i % area];
    mdm_free(&w.in);
    return status;
}

mdm_status mdm_vae_decode(mdm_vae *vae, float *picture, const float *latent, int height, int width,
                          const mdm_progress *progress)
{
    const int f = mdm_vae_factor(vae);
    planes to = {picture, 3, f * height, f * width, f};
    const planes from = {(float *)(uintptr_t)latent, vae->sizes.latent, height, width, 1};
    return run(vae, &to, &from, progress);
}

mdm_status mdm_vae_encode(mdm_vae *vae, float *moments, const float *picture, int height, int width,
                          const mdm_progress *progress)
{
    const int f = mdm_vae_factor(vae);
    planes to = {moments, 2 * vae->sizes.latent, height, width, 1};
    const planes from = {(float *)(uintptr_t)picture, 3, f * height, f * width, f};
    return run(vae, &to, &from, progress);
}
