/* What sees, what writes, and the way from one to the other. */
#include "models/pllava.h"

#include <string.h>

#include "base/memory.h"
#include "models/pllava_files.h"
#include "models/video_frames.h"

struct mdm_pllava {
    mdm_pllava_sizes sizes;
    mdm_nn *nn;
    mdm_language_model *language;
    float *pixels, *features, *tokens;
    size_t pixel_count, feature_count, token_count; /* floats */
    bool looked;
};

static mdm_status build_vision(mdm_pllava *p, mdm_weights *weights, const mdm_pllava_options *options)
{
    const mdm_clip_vision_sizes *v = &p->sizes.vision;
    MDM_TRY(mdm_nn_new_large(&p->nn, "PLLaVA's vision", options->threads));
    const mdm_layers l = {p->nn, weights, mdm_pllava_vision_store(options->precision)};
    mdm_node *x = mdm_nn_input(p->nn, "pixels", 4, (int64_t[]){p->sizes.projector.frames, 3, v->side, v->side});
    x = mdm_clip_vision_features(&l, x, v, "vision_tower.");
    mdm_nn_output(p->nn, x, "features");
    mdm_nn_output(p->nn, mdm_pllava_project(&l, x, &p->sizes.projector, "multi_modal_projector."), "tokens");
    MDM_TRY(mdm_layers_build(&l, ""));
    p->pixel_count = mdm_nn_count(p->nn, "pixels");
    p->feature_count = mdm_nn_count(p->nn, "features");
    p->token_count = mdm_nn_count(p->nn, "tokens");
    MDM_TRY(mdm_alloc(&p->pixels, p->pixel_count, sizeof *p->pixels, "a clip's frames"));
    MDM_TRY(mdm_alloc(&p->features, p->feature_count, sizeof *p->features, "a clip's features"));
    return mdm_alloc(&p->tokens, p->token_count, sizeof *p->tokens, "a clip's tokens");
}

static mdm_status open_language(mdm_pllava *p, mdm_pllava_files *files, const mdm_pllava_options *options)
{
    const int text = options->text_room ? options->text_room : MDM_PLLAVA_PROMPT + 400;
    const mdm_language_options how = {.context = mdm_pllava_tokens(&p->sizes.projector) + text,
                                      .threads = options->threads,
                                      .exact = !strcmp(options->precision, "f32")};
    MDM_TRY(files->checkpoint ? mdm_language_model_take(&p->language, files->checkpoint, &how)
                              : mdm_language_model_open(&p->language, files->language_file, &how));
    const int width = mdm_language_model_width(p->language), words = mdm_language_model_vocabulary(p->language);
    if (width != p->sizes.language.width || words != p->sizes.language.vocabulary)
        return mdm_fail(MDM_ERR_INPUT, "%s: a width of %d and %d words, what sees was made for %d and %d",
                        options->path, width, words, p->sizes.language.width, p->sizes.language.vocabulary);
    return MDM_OK;
}

mdm_status mdm_pllava_open(mdm_pllava **out, const mdm_pllava_options *options)
{
    mdm_pllava *p = NULL;
    mdm_pllava_files files;
    *out = NULL;
    MDM_TRY(mdm_pllava_files_open(&files, options->path, options->precision, options->lora_alpha));
    mdm_status status = mdm_alloc(&p, 1, sizeof *p, "PLLaVA");
    if (!status) {
        p->sizes = files.sizes;
        status = build_vision(p, files.vision, options);
    }
    if (!status)
        status = open_language(p, &files, options);
    mdm_pllava_files_close(&files);
    if (status)
        mdm_pllava_free(&p);
    *out = p;
    return status;
}

void mdm_pllava_free(mdm_pllava **pllava)
{
    mdm_pllava *p = *pllava;
    if (!p)
        return;
    mdm_nn_free(&p->nn);
    mdm_language_model_free(&p->language);
    mdm_free(&p->pixels);
    mdm_free(&p->features);
    mdm_free(&p->tokens);
    mdm_free(pllava);
}

const mdm_pllava_sizes *mdm_pllava_sizes_of(const mdm_pllava *pllava)
{
    return &pllava->sizes;
}

mdm_language_model *mdm_pllava_language(mdm_pllava *pllava)
{
    return pllava->language;
}

const char *mdm_pllava_template_of(const mdm_pllava *pllava)
{
    int32_t *ids = NULL;
    size_t count = 0;
    /* where it is one token, the model was trained with it */
    const bool marked =
        !mdm_language_model_tokens(&ids, &count, pllava->language, "<|im_start|>", false, true) && count == 1;
    mdm_free(&ids);
    return marked ? "recaption-llavanext" : "recaption";
}

mdm_status mdm_pllava_show(mdm_pllava *pllava, int index, const mdm_image *picture, bool letterbox)
{
    const int side = pllava->sizes.vision.side;
    mdm_image shrunk = {0}, square = {0};
    if (index < 0 || index >= pllava->sizes.projector.frames || picture->channels != 3)
        return mdm_fail(MDM_ERR_INTERNAL, "frame %d of %d, of %d channels", index, pllava->sizes.projector.frames,
                        picture->channels);
    mdm_status status = mdm_frame_shrink(&shrunk, picture, side);
    if (!status)
        status = mdm_frame_square(&square, &shrunk, side, letterbox);
    if (!status)
        mdm_clip_normalise(pllava->pixels + (size_t)index * 3 * (size_t)side * (size_t)side, &square);
    mdm_image_free(&shrunk);
    mdm_image_free(&square);
    return status;
}

mdm_status mdm_pllava_look(mdm_pllava *pllava)
{
    mdm_pllava *p = pllava;
    MDM_TRY(mdm_nn_set(p->nn, "pixels", p->pixels, p->pixel_count));
    MDM_TRY(mdm_nn_run(p->nn));
    MDM_TRY(mdm_nn_get(p->nn, "features", p->features, p->feature_count));
    MDM_TRY(mdm_nn_get(p->nn, "tokens", p->tokens, p->token_count));
    p->looked = true;
    return MDM_OK;
}

mdm_pllava_seen mdm_pllava_seen_of(const mdm_pllava *pllava)
{
    return pllava->looked ? (mdm_pllava_seen){pllava->pixels, pllava->features, pllava->tokens}
                          : (mdm_pllava_seen){NULL, NULL, NULL};
}

static mdm_status read_text(mdm_pllava *p, const char *text, bool begin, const mdm_progress *progress)
{
    int32_t *ids = NULL;
    size_t count = 0;
    MDM_TRY(mdm_language_model_tokens(&ids, &count, p->language, text, begin, true));
    mdm_status status = mdm_language_model_read(p->language, ids, count, progress);
    mdm_free(&ids);
    return status;
}

mdm_status mdm_pllava_ask(mdm_pllava *pllava, const char *before, const char *after, const mdm_progress *progress)
{
    mdm_pllava *p = pllava;
    if (!p->looked)
        return mdm_fail(MDM_ERR_INTERNAL, "asked about a clip that was not looked at");
    mdm_language_model_forget(p->language, 0);
    MDM_TRY(read_text(p, before, true, progress));
    MDM_TRY(mdm_language_model_read_vectors(p->language, p->tokens, (size_t)mdm_pllava_tokens(&p->sizes.projector),
                                            progress));
    return read_text(p, after, false, progress);
}
