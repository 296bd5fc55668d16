/* Stand-ins drawn from words, framed. */
#include "stages/portrait_words.h"

#include <math.h>

#include "base/memory.h"
#include "face/single_face.h"
#include "models/person_caption.h"
#include "nn/gpu.h"

/* Outer corners of the eyes in the embedded generator's pictures, as shares of a side. */
#define EYE_LEFT  0.272
#define EYE_RIGHT 0.724
#define EYE_LINE  0.355
enum { CORNER_LEFT = 33, CORNER_RIGHT = 263 };

struct mdm_portrait_words {
    const mdm_drawing_model *backend;
    mdm_text_to_image *model;
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
};

mdm_status mdm_portrait_words_new(mdm_portrait_words **out, const mdm_drawing_model *backend,
                                  mdm_face_detector *detector, mdm_face_mesh *mesher, int threads)
{
    mdm_portrait_words *w = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&w, 1, sizeof *w, "portraits from words"));
    w->backend = backend;
    w->detector = detector;
    w->mesher = mesher;
    const mdm_store store = mdm_gpu_used() ? MDM_STORE_F16 : MDM_STORE_F32; /* f16 is what the card multiplies fast */
    mdm_status status = mdm_drawing_model_open(&w->model, w->backend, store, threads);
    if (status)
        mdm_portrait_words_free(&w);
    *out = w;
    return status;
}

void mdm_portrait_words_free(mdm_portrait_words **words)
{
    if (!*words)
        return;
    mdm_text_to_image_free(&(*words)->model);
    mdm_free(words);
}

mdm_status mdm_portrait_frame(mdm_image *out, const mdm_image *picture, const mdm_mesh *mesh)
{
    const float *a = mesh->point[CORNER_LEFT], *b = mesh->point[CORNER_RIGHT];
    const double dx = (double)b[0] - (double)a[0], dy = (double)b[1] - (double)a[1];
    /* pixels of the picture for one of the frame, along and across the eyes */
    const double span = (EYE_RIGHT - EYE_LEFT) * MDM_PORTRAIT_SIDE, u = dx / span, v = dy / span;
    const double left = EYE_LEFT * MDM_PORTRAIT_SIDE, line = EYE_LINE * MDM_PORTRAIT_SIDE;
    const double m[6] = {u, -v, (double)a[0] - u * left + v * line, v, u, (double)a[1] - v * left - u * line};
    MDM_TRY(mdm_image_new(out, MDM_PORTRAIT_SIDE, MDM_PORTRAIT_SIDE, 3));
    const double shrink = hypot(u, v);
    if (shrink < 1.5) {
        mdm_image_warp(out, picture, m, -1);
        return MDM_OK;
    }
    /* much smaller: sampled finely, then averaged, so that nothing flickers into patterns */
    const int fine = (int)fmin(ceil(shrink), 8);
    mdm_image large = {0};
    mdm_status status = mdm_image_new(&large, fine * MDM_PORTRAIT_SIDE, fine * MDM_PORTRAIT_SIDE, 3);
    if (status) {
        mdm_image_free(out);
        return status;
    }
    const double half = (fine - 1) / (2.0 * fine), n[6] = {m[0] / fine, m[1] / fine, m[2] - (m[0] + m[1]) * half,
                                                           m[3] / fine, m[4] / fine, m[5] - (m[3] + m[4]) * half};
    mdm_image_warp(&large, picture, n, -1);
    mdm_image_resize(out, &large);
    mdm_image_free(&large);
    return MDM_OK;
}

/* ---- drawing ---- */

static mdm_status ask(mdm_portrait_words *w, const json_t *standin, uint64_t seed, const char *key)
{
    char prompt[MDM_CAPTION_TEXT];
    mdm_caption caption;
    mdm_random random;
    mdm_random_seed(&random, seed, key);
    MDM_TRY(mdm_caption_of_standin(&caption, json_string_value(json_object_get(standin, "age")),
                                   json_string_value(json_object_get(standin, "gender")),
                                   json_string_value(json_object_get(standin, "race")),
                                   json_is_true(json_object_get(standin, "glasses")), &random));
    MDM_TRY(mdm_text_to_image_fit(prompt, w->model, &caption));
    return mdm_text_to_image_ask(w->model, prompt, "", NULL);
}

static mdm_status draw_whole(mdm_image *out, mdm_portrait_words *w, uint64_t seed, const char *key,
                             const mdm_progress *progress)
{
    int shape[3] = {0};
    float *latent = NULL;
    mdm_random random;
    mdm_random_seed(&random, seed, key);
    const mdm_drawing_model *b = w->backend;
    const mdm_drawing drawing = {
        .width = b->side,
        .height = b->side,
        .sampler = b->sampler,
        .steps = b->steps,
        .guidance = b->guidance,
        .seed = mdm_random_u64(&random),
        .progress = progress,
    };
    MDM_TRY(mdm_text_to_image_shape(shape, w->model, b->side, b->side));
    MDM_TRY(mdm_alloc(&latent, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof *latent, "latent"));
    mdm_status status = mdm_text_to_image_draw(w->model, latent, &drawing);
    if (!status)
        status = mdm_text_to_image_decode(w->model, out, latent, b->side, b->side, NULL);
    mdm_free(&latent);
    return status;
}

mdm_status mdm_portrait_words_draw(mdm_image *out, mdm_portrait_words *words, const json_t *standin, uint64_t seed,
                                   const char *key, const mdm_progress *progress)
{
    mdm_image whole = {0};
    mdm_mesh mesh;
    bool found = false;
    MDM_TRY(ask(words, standin, seed, key));
    mdm_status status = draw_whole(&whole, words, seed, key, progress);
    if (!status)
        status = mdm_single_face(&found, &mesh, words->detector, words->mesher, &whole);
    if (!status && found)
        status = mdm_portrait_frame(out, &whole, &mesh);
    if (!status && !found) {
        status = mdm_image_new(out, MDM_PORTRAIT_SIDE, MDM_PORTRAIT_SIDE, 3);
        if (!status)
            mdm_image_resize(out, &whole);
    }
    mdm_image_free(&whole);
    return status;
}
