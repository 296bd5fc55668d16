/* Looking at a portrait, listening to a voice, drawing the clip window by window, decoding it frame by frame. */
#include "models/talking_portrait.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/random.h"
#include "base/sha256.h"
#include "models/talking_portrait_internal.h"
#include "nn/gpu.h"

enum { WINDOW = 12, OVERLAP = 3 };

const mdm_talking_recipe mdm_talking_recipes[MDM_TALKING_MODES] = {
    [MDM_TALKING_AUDIO] = {"audio", "", false, 30, 2.5f, 1.5f, 2},
    [MDM_TALKING_AUDIO_ACC] = {"audio-acc", "_acc", false, 6, 1, 1.5f, 2},
    [MDM_TALKING_POSE] = {"pose", "_pose", true, 30, 2.5f, 0, 3},
    [MDM_TALKING_POSE_ACC] = {"pose-acc", "_pose_acc", true, 6, 1, 0, 3},
};

mdm_status mdm_talking_mode_named(mdm_talking_mode *out, const char *name)
{
    for (int i = 0; i < MDM_TALKING_MODES; i++)
        if (!strcmp(mdm_talking_recipes[i].name, name)) {
            *out = (mdm_talking_mode)i;
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_USAGE, "--mode %s: expected audio, audio-acc, pose or pose-acc", name);
}

mdm_status mdm_talking_open(mdm_talking **out, const mdm_talking_options *options)
{
    mdm_talking *t = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&t, 1, sizeof *t, "talking portrait"));
    t->recipe = &mdm_talking_recipes[options->mode];
    t->store = options->store;
    t->threads = options->threads;
    mdm_status status = mdm_strdup(&t->folder, options->folder);
    if (!status)
        status = mdm_talking_find(t);
    if (status)
        mdm_talking_free(&t);
    *out = t;
    return status;
}

void mdm_talking_free(mdm_talking **talking)
{
    mdm_talking *t = *talking;
    if (!t)
        return;
    mdm_echomimic_bank_free(&t->bank);
    mdm_voice_free(&t->voice);
    mdm_window_sampler_free(&t->sampler);
    mdm_vae_free(&t->decoder);
    mdm_free(&t->folder);
    mdm_free(talking);
}

int mdm_talking_factor(const mdm_talking *talking)
{
    return 1 << (talking->vae.levels - 1);
}

int mdm_talking_side(const mdm_talking *talking)
{
    return talking->trained;
}

mdm_status mdm_talking_check_side(const mdm_talking *talking, int side)
{
    const int step = mdm_talking_factor(talking) << (MDM_ECHOMIMIC_LEVELS - 1);
    if (side < step || side > 2048 || side % step)
        return mdm_fail(MDM_ERR_USAGE, "a picture of %d px; expected a multiple of %d up to 2048", side, step);
    return MDM_OK;
}

/* ---- the portrait ---- */

/* planes [3][side][side], -1..1 */
static void to_planes(float *planes, const mdm_image *image)
{
    const size_t side = (size_t)image->width;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            for (size_t c = 0; c < 3; c++)
                planes[(c * side + y) * side + x] = (float)image->data[y * image->stride + 3 * x + c] / 255 * 2 - 1;
}

/* Of the autoencoder, which on a CPU is worth no rounding. */
static mdm_store picture_store(const mdm_talking *t)
{
    return mdm_gpu_used() && t->store != MDM_STORE_F32 ? MDM_STORE_F16 : MDM_STORE_F32;
}

/* moments [2 * 4][side][side]: the first half is the mean, of which the portrait's latent is made without drawing. */
static mdm_status encode(float *moments, const mdm_talking *t, const mdm_image *portrait, int side)
{
    float *planes = NULL;
    mdm_weights *weights = NULL;
    mdm_vae *encoder = NULL;
    mdm_status status =
        mdm_alloc(&planes, 3 * (size_t)portrait->width * (size_t)portrait->height, sizeof *planes, "portrait");
    if (!status)
        status = mdm_talking_weights(&weights, t, MDM_TALKING_VAE);
    if (!status)
        status = mdm_vae_new(&encoder, &t->vae, weights, MDM_VAE_ENCODER, picture_store(t), side, side, 1, t->threads);
    mdm_weights_free(&weights);
    if (!status) {
        to_planes(planes, portrait);
        status = mdm_vae_encode(encoder, moments, planes, side, side, NULL);
    }
    mdm_vae_free(&encoder);
    mdm_free(&planes);
    return status;
}

mdm_status mdm_talking_look(mdm_talking *talking, const mdm_image *portrait)
{
    float *moments = NULL;
    mdm_weights *weights = NULL;
    if (portrait->width != portrait->height || portrait->channels != 3)
        return mdm_fail(MDM_ERR_INPUT, "a portrait of %d x %d px in %d channels; expected a square one in colour",
                        portrait->width, portrait->height, portrait->channels);
    MDM_TRY(mdm_talking_check_side(talking, portrait->width));
    const int side = portrait->width / mdm_talking_factor(talking);
    MDM_TRY(mdm_alloc(&moments, 2 * MDM_ECHOMIMIC_LATENT * (size_t)side * (size_t)side, sizeof *moments, "portrait"));
    mdm_echomimic_bank_free(&talking->bank);
    mdm_vae_free(&talking->decoder);
    talking->side = 0;
    mdm_status status = encode(moments, talking, portrait, side);
    if (!status)
        status = mdm_talking_weights(&weights, talking, MDM_TALKING_REFERENCE);
    if (!status)
        status = mdm_reference_unet_run(&talking->bank, &talking->sizes, weights, talking->store, moments, side, side,
                                        talking->threads);
    mdm_weights_free(&weights);
    mdm_free(&moments);
    talking->side = status ? 0 : side;
    return status;
}

/* ---- the voice ---- */

mdm_status mdm_talking_listen(mdm_talking *talking, const float *samples, size_t count)
{
    mdm_weights *weights = NULL;
    mdm_voice_free(&talking->voice);
    MDM_TRY(mdm_talking_weights(&weights, talking, MDM_TALKING_WHISPER));
    mdm_status status =
        mdm_voice_new(&talking->voice, &talking->whisper, weights, MDM_STORE_F32, samples, count, talking->threads);
    mdm_weights_free(&weights);
    return status;
}

int mdm_talking_frames(const mdm_talking *talking, double fps)
{
    return mdm_voice_frames(talking->voice, fps);
}

/* ---- drawing ---- */

/* One call of mdm_talking_draw. */
typedef struct drawing {
    mdm_talking *t;
    const mdm_talking_clip *clip;
    mdm_windows windows;
    int steps;
    float guidance;
    bool guided;
    mdm_face_locator *locator;
    mdm_denoising_unet *unet;
    size_t latent, picture, map;  /* values of a frame's latent, of what the locator sees, and of what it gives */
    float *seen;                  /* [picture] */
    float *maps;                  /* [1 or window][map] */
    float *audio, *unconditional; /* [window][tokens][width]; [window][latent] */
} drawing;

static mdm_status locate(drawing *d, float *map, int frame)
{
    MDM_TRY(d->clip->show(d->clip->user, d->seen, frame));
    return mdm_face_locator_run(d->locator, map, d->seen);
}

static int64_t centre_of(const mdm_talking_clip *clip, int frame)
{
    return clip->times ? (int64_t)floor(clip->times[frame] * MDM_VOICE_STATES) : mdm_voice_centre(frame, clip->fps);
}

/* mdm_predict_window */
static mdm_status predict(void *user, float *velocity, const float *latents, int time, const int *frames, int count)
{
    drawing *d = user;
    mdm_talking *t = d->t;
    const size_t tokens = (size_t)mdm_voice_token_count(t->voice) * (size_t)t->whisper.width;
    for (int i = 0; i < count; i++) {
        MDM_TRY(mdm_voice_tokens(d->audio + (size_t)i * tokens, t->voice, centre_of(d->clip, frames[i])));
        if (t->recipe
                ->posed) /* a clip's maps would take 5 MB a frame, and to make them again is nothing beside the U-net */
            MDM_TRY(locate(d, d->maps + (size_t)i * d->map, frames[i]));
    }
    MDM_TRY(mdm_denoising_unet_run(d->unet, velocity, d->guided ? d->unconditional : NULL, latents, (float)time,
                                   d->audio, d->maps));
    for (size_t i = 0; i < (size_t)count * d->latent && d->guided; i++)
        velocity[i] = d->unconditional[i] + d->guidance * (velocity[i] - d->unconditional[i]);
    return MDM_OK;
}

static mdm_status make_room(drawing *d)
{
    const mdm_talking *t = d->t;
    const size_t area = (size_t)t->side * (size_t)t->side, window = (size_t)d->windows.size;
    d->latent = MDM_ECHOMIMIC_LATENT * area;
    d->map = (size_t)t->sizes.channels[0] * area;
    d->picture = (t->recipe->posed ? 3u : 1u) * area * MDM_ECHOMIMIC_LOCATOR_DOWN * MDM_ECHOMIMIC_LOCATOR_DOWN;
    MDM_TRY(mdm_alloc(&d->seen, d->picture, sizeof *d->seen, "face"));
    MDM_TRY(mdm_alloc(&d->maps, (t->recipe->posed ? window : 1) * d->map, sizeof *d->maps, "face"));
    MDM_TRY(mdm_alloc(&d->audio, window * (size_t)mdm_voice_token_count(t->voice) * (size_t)t->whisper.width,
                      sizeof *d->audio, "voice"));
    return d->guided ? mdm_alloc(&d->unconditional, window * d->latent, sizeof(float), "velocities") : MDM_OK;
}

static mdm_status make_networks(drawing *d)
{
    mdm_talking *t = d->t;
    mdm_weights *weights = NULL, *motion = NULL;
    const mdm_denoising_shape shape = {
        .height = t->side,
        .width = t->side,
        .frames = d->windows.size,
        .tokens = mdm_voice_token_count(t->voice),
        .face_maps = t->recipe->posed ? d->windows.size : 1,
        .guided = d->guided,
    };
    MDM_TRY(mdm_talking_weights(&weights, t, MDM_TALKING_LOCATOR));
    mdm_status status =
        mdm_face_locator_new(&d->locator, &t->sizes, weights, t->recipe->posed ? 3 : 1, t->side, t->side, t->threads);
    mdm_weights_free(&weights);
    if (!status && !t->recipe->posed)
        status = locate(d, d->maps, 0);
    if (!status)
        status = mdm_talking_weights(&weights, t, MDM_TALKING_DENOISING);
    if (!status)
        status = mdm_talking_weights(&motion, t, MDM_TALKING_MOTION);
    if (!status)
        status = mdm_denoising_unet_new(&d->unet, &t->sizes, weights, motion, &t->bank, t->store, &shape, t->threads);
    mdm_weights_free(&weights);
    mdm_weights_free(&motion);
    return status;
}

/* A run that is kept is gone on with only where all of this is the same. */
static void name_job(char job[65], const drawing *d)
{
    const mdm_talking_clip *c = d->clip;
    char text[1024];
    unsigned char digest[32];
    mdm_sha256 hash;
    mdm_sha256_start(&hash);
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++) /* portrait, autoencoder and reference U-net */
        mdm_sha256_add(&hash, d->t->bank.state[i], d->t->bank.size[i] * sizeof *d->t->bank.state[i]);
    mdm_voice_hash(&hash, d->t->voice);
    snprintf(text, sizeof text, "%s %d %d %g %d %d %d %d %.17g %llu %.400s %.400s", d->t->recipe->name,
             (int)d->t->store, d->steps, (double)d->guidance, d->windows.frames, d->windows.size, d->windows.overlap,
             d->windows.open, c->fps, (unsigned long long)c->seed, d->t->folder, c->job ? c->job : "");
    mdm_sha256_add(&hash, text, strlen(text));
    if (c->times)
        mdm_sha256_add(&hash, c->times, (size_t)c->frames * sizeof *c->times);
    if (c->noise)
        mdm_sha256_add(&hash, c->noise, (size_t)c->frames * d->latent * sizeof *c->noise);
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(job, digest);
}

static void fill_noise(float *latents, const drawing *d)
{
    const float clamp = d->t->recipe->clamp;
    for (int i = 0; i < d->windows.frames; i++) {
        float *out = latents + (size_t)i * d->latent;
        char key[32];
        mdm_random random;
        snprintf(key, sizeof key, "frame-%d", i);
        mdm_random_seed(&random, d->clip->seed, key);
        for (size_t k = 0; k < d->latent; k++) {
            const float value = d->clip->noise ? d->clip->noise[(size_t)i * d->latent + k] : mdm_random_normal(&random);
            out[k] = clamp > 0 ? mdm_clampf(value, -clamp, clamp) : value;
        }
    }
}

static mdm_status run(drawing *d)
{
    char job[65] = "";
    mdm_talking *t = d->t;
    MDM_TRY(make_room(d));
    mdm_window_sampler_free(&t->sampler);
    mdm_vae_free(&t->decoder); /* makes room */
    name_job(job, d);
    MDM_TRY(mdm_window_sampler_new(
        &t->sampler,
        &(mdm_window_options){
            .windows = d->windows, .steps = d->steps, .values = d->latent, .folder = d->clip->folder, .job = job}));
    t->frames = d->windows.frames;
    if (mdm_window_sampler_goes_on(t->sampler))
        mdm_log(MDM_LOG_INFO, "a run that was stopped is gone on with");
    else
        fill_noise(mdm_window_sampler_latents(t->sampler), d);
    MDM_TRY(make_networks(d));
    return mdm_window_sampler_run(t->sampler, predict, d, d->clip->progress);
}

mdm_status mdm_talking_draw(mdm_talking *talking, const mdm_talking_clip *clip)
{
    const mdm_talking_recipe *recipe = talking->recipe;
    if (!talking->side || !talking->voice)
        return mdm_fail(MDM_ERR_INTERNAL, "a talking portrait without %s", talking->side ? "a voice" : "a portrait");
    if (clip->frames < 1 || (!clip->times && !(clip->fps > 0 && clip->fps <= 1000)))
        return mdm_fail(MDM_ERR_USAGE, "a clip of %d frames at %g a second", clip->frames, clip->fps);
    drawing d = {
        .t = talking,
        .clip = clip,
        .windows = {.frames = clip->frames,
                    .size = clip->window ? clip->window : WINDOW,
                    .overlap = clip->overlap < 0 ? OVERLAP : clip->overlap,
                    .shift = recipe->shift,
                    .open = clip->open},
        .steps = clip->steps ? clip->steps : recipe->steps,
        .guidance = clip->guidance < 0 ? recipe->guidance : clip->guidance,
    };
    if (d.windows.size > clip->frames) {
        d.windows.size = clip->frames; /* one window */
        d.windows.overlap = 0;
    }
    d.guided = d.guidance > 1;
    mdm_status status = run(&d);
    mdm_face_locator_free(&d.locator);
    mdm_denoising_unet_free(&d.unet);
    mdm_free(&d.seen);
    mdm_free(&d.maps);
    mdm_free(&d.audio);
    mdm_free(&d.unconditional);
    return status;
}

/* ---- pictures ---- */

const float *mdm_talking_latents(const mdm_talking *talking)
{
    return talking->sampler ? mdm_window_sampler_latents(talking->sampler) : NULL;
}

static mdm_status make_decoder(mdm_talking *t)
{
    mdm_weights *weights = NULL;
    if (t->decoder)
        return MDM_OK;
    MDM_TRY(mdm_talking_weights(&weights, t, MDM_TALKING_VAE));
    mdm_status status =
        mdm_vae_new(&t->decoder, &t->vae, weights, MDM_VAE_DECODER, picture_store(t), t->side, t->side, 1, t->threads);
    mdm_weights_free(&weights);
    return status;
}

mdm_status mdm_talking_decode(mdm_talking *talking, mdm_image *out, int frame)
{
    const int side = talking->side, pixels = side * mdm_talking_factor(talking);
    const size_t latent = MDM_ECHOMIMIC_LATENT * (size_t)side * (size_t)side, plane = (size_t)pixels * (size_t)pixels;
    float *planes = NULL;
    if (!talking->sampler || !side || frame < 0 || frame >= talking->frames)
        return mdm_fail(MDM_ERR_INTERNAL, "frame %d of a clip of %d", frame, talking->frames);
    MDM_TRY(make_decoder(talking));
    MDM_TRY(mdm_alloc(&planes, 3 * plane, sizeof *planes, "picture"));
    mdm_status status =
        mdm_vae_decode(talking->decoder, planes, mdm_window_sampler_latents(talking->sampler) + (size_t)frame * latent,
                       side, side, NULL);
    if (!status)
        status = mdm_image_new(out, pixels, pixels, 3);
    for (size_t i = 0; i < plane && !status; i++)
        for (size_t c = 0; c < 3; c++) /* cut off, not rounded, as the authors' */
            out->data[i / (size_t)pixels * out->stride + 3 * (i % (size_t)pixels) + c] =
                (uint8_t)(255 * mdm_clampf(planes[c * plane + i] / 2 + 0.5f, 0, 1));
    mdm_free(&planes);
    return status;
}
