/* Text to picture: encode the texts, draw a latent under guidance, decode it. Each part is in memory when it is needed. */
#include "models/text_to_image.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "models/text_to_image_internal.h"
#include "nn/clip_tokenizer.h"
#include "nn/gpu.h"

#define TILE    80 /* latent pixels that are decoded at once, each way */
#define OVERLAP 16

static void forget(mdm_asked *asked)
{
    mdm_free(&asked->context);
    mdm_free(&asked->pooled);
}

mdm_status mdm_text_to_image_open(mdm_text_to_image **out, const mdm_text_to_image_options *options)
{
    mdm_text_to_image *m = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&m, 1, sizeof *m, "text to picture"));
    m->store = options->store;
    m->threads = options->threads;
    mdm_status status = mdm_text_to_image_find(m, options);
    if (status)
        mdm_text_to_image_free(&m);
    *out = m;
    return status;
}

void mdm_text_to_image_free(mdm_text_to_image **model)
{
    mdm_text_to_image *m = *model;
    if (!m)
        return;
    for (int i = 0; i < 2; i++) {
        mdm_free(&m->text[i].folder);
        mdm_free(&m->text[i].tokenizer);
    }
    mdm_free(&m->unet_folder);
    mdm_free(&m->unet_file);
    mdm_free(&m->vae_folder);
    mdm_free(&m->scheduler);
    mdm_free(&m->checkpoint);
    forget(&m->prompt);
    forget(&m->negative);
    mdm_unet_free(&m->unet);
    mdm_vae_free(&m->vae);
    mdm_free(model);
}

int mdm_text_to_image_tokens(const mdm_text_to_image *model)
{
    return model->tokens;
}

/* ---- texts ---- */

/* One encoder's answer to one text: `width` columns of each row of the context from column `at` on, and the pooled vector. */
static mdm_status encode(const mdm_text_to_image *m, mdm_asked *asked, const mdm_text_part *part, int at,
                         mdm_clip_text *clip, const mdm_clip_tokenizer *tokenizer, const char *text, size_t *tokens)
{
    const size_t width = (size_t)part->sizes.width, context = (size_t)m->unet_sizes.context;
    const bool xl = m->text[1].there; /* takes the states before the last block */
    int32_t *ids = NULL;
    float *states = NULL;
    mdm_status status = mdm_alloc(&ids, (size_t)m->tokens, sizeof *ids, "tokens");
    if (!status)
        status = mdm_alloc(&states, (size_t)m->tokens * width, sizeof *states, "text states");
    if (!status)
        status = mdm_clip_tokenizer_encode(tokenizer, ids, m->tokens, tokens, text);
    const mdm_clip_text_states out = {.last = xl ? NULL : states,
                                      .penultimate = xl ? states : NULL,
                                      .pooled = part == &m->text[1] ? asked->pooled : NULL};
    if (!status)
        status = mdm_clip_text_run(clip, &out, ids);
    for (size_t i = 0; i < (size_t)m->tokens && !status; i++)
        memcpy(asked->context + i * context + at, states + i * width, width * sizeof *states);
    mdm_free(&ids);
    mdm_free(&states);
    return status;
}

/* Both texts through one encoder, which is freed again. */
static mdm_status encode_both(mdm_text_to_image *m, int index, const char *prompt, const char *negative, size_t *tokens)
{
    const mdm_text_part *part = &m->text[index];
    const int at = index == 1 && m->text[0].there ? m->text[0].sizes.width : 0;
    mdm_clip_tokenizer *tokenizer = NULL;
    mdm_weights *weights = NULL;
    mdm_clip_text *clip = NULL;
    mdm_status status = mdm_clip_tokenizer_load(&tokenizer, part->tokenizer);
    if (!status)
        status = mdm_open_text(&weights, m, index);
    if (!status)
        status = mdm_clip_text_new(&clip, &part->sizes, weights, m->store, m->threads);
    if (!status)
        status = encode(m, &m->prompt, part, at, clip, tokenizer, prompt, tokens);
    if (!status && negative)
        status = encode(m, &m->negative, part, at, clip, tokenizer, negative, NULL);
    mdm_clip_text_free(&clip);
    mdm_weights_free(&weights);
    mdm_clip_tokenizer_free(&tokenizer);
    return status;
}

static mdm_status make_room(const mdm_text_to_image *m, mdm_asked *asked)
{
    forget(asked);
    MDM_TRY(mdm_alloc(&asked->context, (size_t)m->tokens * (size_t)m->unet_sizes.context, sizeof(float), "text"));
    return m->pooled ? mdm_alloc(&asked->pooled, (size_t)m->pooled, sizeof(float), "text") : MDM_OK;
}

mdm_status mdm_text_to_image_ask(mdm_text_to_image *model, const char *prompt, const char *negative, size_t *tokens)
{
    MDM_TRY(make_room(model, &model->prompt));
    MDM_TRY(make_room(model, &model->negative)); /* zeros */
    if (!negative && !model->zeros_for_nothing)
        negative = "";
    for (int i = 0; i < 2; i++)
        if (model->text[i].there)
            MDM_TRY(encode_both(model, i, prompt, negative, tokens));
    return MDM_OK;
}

mdm_status mdm_text_to_image_fit(char text[MDM_CAPTION_TEXT], const mdm_text_to_image *model,
                                 const mdm_caption *caption)
{
    mdm_clip_tokenizer *tokenizer = NULL;
    const mdm_text_part *part = &model->text[model->text[0].there ? 0 : 1];
    MDM_TRY(mdm_clip_tokenizer_load(&tokenizer, part->tokenizer));
    mdm_status status = mdm_caption_fit(text, caption, tokenizer, model->tokens, NULL);
    mdm_clip_tokenizer_free(&tokenizer);
    return status;
}

/* ---- drawing ---- */

mdm_status mdm_text_to_image_shape(int shape[3], const mdm_text_to_image *model, int width, int height)
{
    const int pixels = 1 << (model->vae_sizes.levels - 1), step = pixels << (model->unet_sizes.levels - 1);
    if (width < step || height < step || width > 8192 || height > 8192 || width % step || height % step)
        return mdm_fail(MDM_ERR_USAGE, "a picture of %d x %d px; both must be multiples of %d up to 8192", width,
                        height, step);
    shape[0] = model->vae_sizes.latent;
    shape[1] = height / pixels;
    shape[2] = width / pixels;
    return MDM_OK;
}

static mdm_status build_unet(mdm_text_to_image *m, const int shape[3], bool guided)
{
    const mdm_unet_shape wanted = {
        .height = shape[1], .width = shape[2], .tokens = m->tokens, .texts = guided && mdm_gpu_used() ? 2 : 1};
    mdm_weights *weights = NULL;
    if (m->unet && !memcmp(&wanted, &m->unet_shape, sizeof wanted))
        return MDM_OK;
    mdm_unet_free(&m->unet);
    MDM_TRY(mdm_open_unet(&weights, m));
    mdm_status status = mdm_unet_new(&m->unet, &m->unet_sizes, weights, m->store, &wanted, m->threads);
    mdm_weights_free(&weights);
    m->unet_shape = wanted;
    return status;
}

/* What the network is asked for each step of one drawing. */
typedef struct guidance {
    mdm_text_to_image *model;
    float strength;
    size_t count;
    float *noise;           /* [2][count]: what it sees with the prompt and without */
    float *context, *added; /* of both texts */
} guidance;

static mdm_status predict(void *user, float *noise, const float *input, float time)
{
    guidance *g = user;
    mdm_text_to_image *m = g->model;
    if (g->strength <= 1)
        return mdm_unet_run(m->unet, noise, input, time, g->context, g->added);
    float *other = g->noise + g->count;
    const size_t context = (size_t)m->tokens * (size_t)m->unet_sizes.context, added = (size_t)m->unet_sizes.added;
    MDM_TRY(mdm_unet_run(m->unet, g->noise, input, time, g->context, g->added));
    if (m->unet_shape.texts < 2)
        MDM_TRY(mdm_unet_run(m->unet, other, input, time, g->context + context, g->added + added));
    for (size_t i = 0; i < g->count; i++)
        noise[i] = other[i] + g->strength * (g->noise[i] - other[i]);
    return MDM_OK;
}

/* Sizes as SDXL is told them, all of the picture; or for the refiner the crop and how beautiful it is to be. */
static mdm_status add_sizes(const mdm_text_to_image *m, float *added, const mdm_asked *asked,
                            const mdm_drawing *drawing, float beauty)
{
    const mdm_unet_sizes *s = &m->unet_sizes;
    const float h = (float)drawing->height, w = (float)drawing->width;
    const int count = s->added_time ? (s->added - m->pooled) / s->added_time : 0;
    if (!s->added)
        return MDM_OK;
    return count == 5 ? mdm_unet_added(added, s, asked->pooled, m->pooled, (const float[]){h, w, 0, 0, beauty}, 5)
                      : mdm_unet_added(added, s, asked->pooled, m->pooled, (const float[]){h, w, 0, 0, h, w}, 6);
}

static mdm_status make_sampler(mdm_sampler **out, const mdm_text_to_image *m, const mdm_drawing *drawing)
{
    mdm_noise_schedule schedule = mdm_noise_schedule_sd;
    mdm_sampler_kind kind = drawing->sampler;
    if (kind >= MDM_SAMPLER_KINDS && m->scheduler)
        MDM_TRY(mdm_config_sampler(&kind, m->scheduler));
    if (kind >= MDM_SAMPLER_KINDS)
        kind = MDM_SAMPLER_EULER;
    if (m->scheduler)
        MDM_TRY(mdm_config_schedule(&schedule, kind, m->scheduler));
    schedule.karras = schedule.karras || drawing->karras;
    return mdm_sampler_new(out, kind, &schedule, drawing->steps);
}

static void fill_noise(float *latent, size_t count, const mdm_drawing *drawing)
{
    mdm_random random;
    if (drawing->noise) {
        memcpy(latent, drawing->noise, count * sizeof *latent);
        return;
    }
    mdm_random_seed(&random, drawing->seed, drawing->from ? "change" : "latent");
    for (size_t i = 0; i < count; i++)
        latent[i] = mdm_random_normal(&random);
}

static mdm_status run_sampler(const mdm_sampler *sampler, float *latent, const mdm_drawing *drawing, guidance *g)
{
    mdm_random random;
    const int first = drawing->from ? mdm_sampler_first_step(sampler, drawing->strength) : 0;
    mdm_random_seed(&random, drawing->seed, "ancestral");
    fill_noise(latent, g->count, drawing);
    const mdm_sampler_run run = {predict, g, &random, drawing->progress, drawing->watch, drawing->watcher};
    return mdm_sampler_draw(sampler, latent, drawing->from, g->count, first, &run);
}

mdm_status mdm_text_to_image_draw(mdm_text_to_image *model, float *latent, const mdm_drawing *drawing)
{
    int shape[3] = {0};
    mdm_sampler *sampler = NULL;
    guidance g = {.model = model, .strength = drawing->guidance};
    const size_t added = (size_t)model->unet_sizes.added,
                 context = (size_t)model->tokens * (size_t)model->unet_sizes.context;
    if (!model->prompt.context)
        return mdm_fail(MDM_ERR_INTERNAL, "a picture of nothing: mdm_text_to_image_ask comes first");
    MDM_TRY(mdm_text_to_image_shape(shape, model, drawing->width, drawing->height));
    g.count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    MDM_TRY(make_sampler(&sampler, model, drawing));
    mdm_status status = build_unet(model, shape, drawing->guidance > 1);
    if (!status)
        status = mdm_alloc(&g.noise, 2 * (g.count + context + added), sizeof *g.noise, "guidance");
    if (!status) {
        g.context = g.noise + 2 * g.count;
        g.added = g.context + 2 * context;
        memcpy(g.context, model->prompt.context, context * sizeof *g.context);
        memcpy(g.context + context, model->negative.context, context * sizeof *g.context);
        status = add_sizes(model, g.added, &model->prompt, drawing, 6);
    }
    if (!status)
        status = add_sizes(model, g.added + added, &model->negative, drawing, 2.5f);
    if (!status)
        status = run_sampler(sampler, latent, drawing, &g);
    mdm_free(&g.noise);
    mdm_sampler_free(&sampler);
    return status;
}

/* ---- decoding ---- */

static mdm_status build_vae(mdm_text_to_image *m, const int shape[3])
{
    const int height = shape[1] < TILE ? shape[1] : TILE, width = shape[2] < TILE ? shape[2] : TILE;
    mdm_weights *weights = NULL;
    if (m->vae && height == m->vae_height && width == m->vae_width)
        return MDM_OK;
    mdm_vae_free(&m->vae);
    MDM_TRY(mdm_open_vae(&weights, m));
    mdm_status status = mdm_vae_new(&m->vae, &m->vae_sizes, weights, MDM_VAE_DECODER, MDM_STORE_F32, height, width,
                                    OVERLAP, m->threads);
    mdm_weights_free(&weights);
    m->vae_height = height;
    m->vae_width = width;
    return status;
}

static void to_bytes(mdm_image *out, const float *planes)
{
    const size_t area = (size_t)out->width * (size_t)out->height;
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < 3 * out->width; x++) {
            float value = planes[(size_t)(x % 3) * area + (size_t)y * (size_t)out->width + (size_t)(x / 3)];
            out->data[(size_t)y * out->stride + (size_t)x] =
                (uint8_t)lrintf(fminf(fmaxf(value / 2 + 0.5f, 0), 1) * 255);
        }
}

mdm_status mdm_text_to_image_decode(mdm_text_to_image *model, mdm_image *out, const float *latent, int width,
                                    int height, const mdm_progress *progress)
{
    int shape[3] = {0};
    float *planes = NULL;
    MDM_TRY(mdm_text_to_image_shape(shape, model, width, height));
    MDM_TRY(build_vae(model, shape));
    MDM_TRY(mdm_alloc(&planes, 3 * (size_t)width * (size_t)height, sizeof *planes, "picture"));
    mdm_status status = mdm_vae_decode(model->vae, planes, latent, shape[1], shape[2], progress);
    if (!status)
        status = mdm_image_new(out, width, height, 3);
    if (!status)
        to_bytes(out, planes);
    mdm_free(&planes);
    return status;
}

mdm_status mdm_text_to_image_preview(mdm_text_to_image *model, mdm_image *out, const float *latent, int width,
                                     int height)
{
    int shape[3] = {0};
    mdm_image small = {0};
    mdm_weights *weights = NULL;
    MDM_TRY(mdm_text_to_image_shape(shape, model, width, height));
    if (!model->preview.channels) {
        MDM_TRY(mdm_open_vae(&weights, model));
        mdm_status status = mdm_latent_preview_read(&model->preview, &model->vae_sizes, weights, model->threads);
        mdm_weights_free(&weights);
        MDM_TRY(status);
    }
    MDM_TRY(mdm_latent_preview_draw(&small, &model->preview, latent, shape[1], shape[2]));
    mdm_status status = mdm_image_new(out, width, height, 3);
    if (!status)
        mdm_image_resize(out, &small);
    mdm_image_free(&small);
    return status;
}
