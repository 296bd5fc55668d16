/* Where the parts of a text-to-picture model lie in a diffusers folder, their sizes, and whether they belong together. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/memory_room.h"
#include "models/checkpoint_names.h"
#include "models/text_to_image_internal.h"
#include "nn/gpu.h"

/* Whether FOLDER/NAME is a file. */
static bool has_file(const char *folder, const char *name)
{
    char *path = NULL;
    bool there = !mdm_join_path(&path, folder, name) && mdm_file_exists(path);
    mdm_free(&path);
    return there;
}

/* *out = FOLDER/NAME, which must be a file. */
static mdm_status need_file(char **out, const char *folder, const char *name)
{
    MDM_TRY(mdm_join_path(out, folder, name));
    if (mdm_file_exists(*out))
        return MDM_OK;
    mdm_status status = mdm_fail(MDM_ERR_DEVICE, "%s is missing: the model in %s is not complete", *out, folder);
    mdm_free(out);
    return status;
}

/* ---- weights ---- */

static mdm_status find_weights(char **out, const char *folder, const char *stem)
{
    static const char *const endings[] = {
        ".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".safetensors.index.fp16.json", ".bin",
        ".gguf"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const bool torch =
            !strcmp(endings[i], ".bin") && !strcmp(stem, "model"); /* transformers calls those otherwise */
        MDM_TRY(mdm_format(out, "%s/%s%s%s", folder, torch ? "pytorch_" : "", stem, endings[i]));
        if (mdm_file_exists(*out))
            return MDM_OK;
        mdm_free(out);
    }
    return mdm_fail(MDM_ERR_DEVICE,
                    "%s/%s.safetensors is missing (and so are its variants .fp16, .index.json, .bin and .gguf)", folder,
                    stem);
}

/* Passes on what was opened, or says that it does not fit. On a card, its memory is asked when the network is built. */
static mdm_status check_room(mdm_weights **weights, const mdm_text_to_image *model, mdm_store store, mdm_status status)
{
    if (!status && !mdm_gpu_used())
        status = mdm_memory_fits(mdm_weights_memory(*weights, store), mdm_weights_path(*weights),
                                 model->store == MDM_STORE_F32 ? "--precision f16 or q8_0 takes less"
                                                               : "close other programs, or use another machine");
    if (status)
        mdm_weights_free(weights);
    return status;
}

mdm_status mdm_open_text(mdm_weights **out, const mdm_text_to_image *model, int index)
{
    char *path = NULL;
    if (model->checkpoint)
        return check_room(
            out, model, model->store,
            mdm_checkpoint_open(out, model->checkpoint, index ? MDM_CHECKPOINT_TEXT_LARGE : MDM_CHECKPOINT_TEXT, 0, 0));
    MDM_TRY(find_weights(&path, model->text[index].folder, "model"));
    mdm_status status = mdm_weights_open(out, path);
    mdm_free(&path);
    return check_room(out, model, model->store, status);
}

mdm_status mdm_open_unet(mdm_weights **out, const mdm_text_to_image *model)
{
    const mdm_unet_sizes *s = &model->unet_sizes;
    const char *given = model->unet_file ? model->unet_file : model->checkpoint;
    char *path = NULL;
    MDM_TRY(given ? mdm_strdup(&path, given) : find_weights(&path, model->unet_folder, "diffusion_pytorch_model"));
    mdm_status status = mdm_checkpoint_open(out, path, MDM_CHECKPOINT_UNET, s->levels, s->residuals);
    mdm_free(&path);
    return check_room(out, model, model->store, status);
}

mdm_status mdm_open_vae(mdm_weights **out, const mdm_text_to_image *model)
{
    char *path = NULL;
    MDM_TRY(model->checkpoint ? mdm_strdup(&path, model->checkpoint)
                              : find_weights(&path, model->vae_folder, "diffusion_pytorch_model"));
    mdm_status status =
        mdm_checkpoint_open(out, path, MDM_CHECKPOINT_VAE, model->vae_sizes.levels, model->vae_sizes.residuals);
    mdm_free(&path);
    return check_room(out, model, MDM_STORE_F32, status);
}

/* ---- parts ---- */

/* What a whole checkpoint is of, by the text encoders in it. */
typedef struct published {
    const char *tensor;
    const mdm_clip_text_sizes *text[2];
    const mdm_unet_sizes *unet;
    const mdm_vae_sizes *vae;
} published;

static const published models[] = {
    {"conditioner.embedders.1.model.ln_final.weight",
     {&mdm_clip_text_l, &mdm_clip_text_big_g},
     &mdm_unet_sdxl,
     &mdm_vae_sdxl},
    {"conditioner.embedders.0.model.ln_final.weight", {NULL, &mdm_clip_text_big_g}, &mdm_unet_refiner, &mdm_vae_sdxl},
    {"cond_stage_model.transformer.text_model.final_layer_norm.weight",
     {&mdm_clip_text_l, NULL},
     &mdm_unet_sd15,
     &mdm_vae_sd15},
};

static mdm_status recognise(const published **out, const char *checkpoint)
{
    mdm_tensor_file *file = NULL;
    *out = NULL;
    MDM_TRY(mdm_tensor_file_open(&file, checkpoint));
    for (size_t i = 0; i < sizeof models / sizeof *models && !*out; i++)
        if (mdm_tensor_file_find(file, models[i].tensor))
            *out = &models[i];
    mdm_tensor_file_free(&file);
    return *out ? MDM_OK
                : mdm_fail(MDM_ERR_INPUT, "%s: no checkpoint of SD 1.5, SDXL or its refiner in the original naming",
                           checkpoint);
}

static mdm_status find_text(mdm_text_part *part, const char *base, const char *folder, const char *tokenizer,
                            const mdm_clip_text_sizes *sizes, const published *model)
{
    char *config = NULL;
    MDM_TRY(mdm_join_path(&part->folder, base, folder));
    const bool configured = has_file(part->folder, "config.json");
    part->there = model ? sizes != NULL : configured;
    if (!part->there) {
        mdm_free(&part->folder);
        return MDM_OK;
    }
    MDM_TRY(mdm_join_path(&part->tokenizer, base, tokenizer));
    if (!configured) {
        part->sizes = *sizes;
        return MDM_OK;
    }
    MDM_TRY(need_file(&config, part->folder, "config.json"));
    mdm_status status = mdm_config_clip_text(&part->sizes, config);
    mdm_free(&config);
    return status;
}

/* A folder of config.json and weights, or a file of weights with the sizes of the base's config.json. */
static mdm_status find_unet(mdm_text_to_image *m, const mdm_text_to_image_options *options, const published *model)
{
    char *config = NULL;
    const bool file = options->unet && mdm_file_exists(options->unet) && !has_file(options->unet, ".");
    if (options->unet && !file)
        MDM_TRY(mdm_strdup(&m->unet_folder, options->unet));
    else
        MDM_TRY(mdm_join_path(&m->unet_folder, options->base, "unet"));
    if (file)
        MDM_TRY(mdm_strdup(&m->unet_file, options->unet));
    if (model && !has_file(m->unet_folder, "config.json")) {
        m->unet_sizes = *model->unet;
        return MDM_OK;
    }
    MDM_TRY(need_file(&config, m->unet_folder, "config.json"));
    mdm_status status = mdm_config_unet(&m->unet_sizes, config);
    mdm_free(&config);
    if (!status && options->unet && !file) /* not the checkpoint's */
        status = find_weights(&m->unet_file, options->unet, "diffusion_pytorch_model");
    return status;
}

static mdm_status find_vae(mdm_text_to_image *m, const char *base, const published *model)
{
    char *config = NULL;
    MDM_TRY(mdm_join_path(&m->vae_folder, base, "vae"));
    if (model && !has_file(m->vae_folder, "config.json")) {
        m->vae_sizes = *model->vae;
        return MDM_OK;
    }
    MDM_TRY(need_file(&config, m->vae_folder, "config.json"));
    mdm_status status = mdm_config_vae(&m->vae_sizes, config);
    mdm_free(&config);
    return status;
}

static mdm_status find_scheduler(mdm_text_to_image *m, const char *base, const published *model)
{
    char *folder = NULL;
    MDM_TRY(mdm_join_path(&folder, base, "scheduler"));
    mdm_status status = MDM_OK;
    if (!model || has_file(folder, "scheduler_config.json"))
        status = need_file(&m->scheduler, folder, "scheduler_config.json");
    mdm_free(&folder);
    return status;
}

static mdm_status read_index(mdm_text_to_image *m, const char *base)
{
    json_t *index = NULL;
    m->zeros_for_nothing = m->text[1].there;
    if (!has_file(base, "model_index.json"))
        return MDM_OK;
    MDM_TRY(mdm_json_load_from(&index, base, "model_index.json", (size_t)1 << 20));
    if (json_is_false(json_object_get(index, "force_zeros_for_empty_prompt")))
        m->zeros_for_nothing = false;
    json_decref(index);
    return MDM_OK;
}

/* ---- do they belong together? ---- */

static mdm_status check_text(mdm_text_to_image *m, const char *base)
{
    const mdm_text_part *a = &m->text[0], *b = &m->text[1];
    const int context = (a->there ? a->sizes.width : 0) + (b->there ? b->sizes.width : 0);
    if (!a->there && !b->there)
        return mdm_fail(MDM_ERR_DEVICE, "%s/text_encoder/config.json is missing, and so is text_encoder_2's", base);
    if (a->there && b->there && a->sizes.positions != b->sizes.positions)
        return mdm_fail(MDM_ERR_INPUT, "%s: text encoders of %d and %d tokens", base, a->sizes.positions,
                        b->sizes.positions);
    if (context != m->unet_sizes.context)
        return mdm_fail(MDM_ERR_INPUT, "%s: a U-net that reads texts of width %d, the text encoders in %s give %d",
                        m->unet_folder, m->unet_sizes.context, base, context);
    m->tokens = a->there ? a->sizes.positions : b->sizes.positions;
    m->pooled = b->there ? (b->sizes.projection ? b->sizes.projection : b->sizes.width) : 0;
    if (m->unet_sizes.added && !b->there)
        return mdm_fail(MDM_ERR_INPUT, "%s: this U-net needs text_encoder_2, which %s does not have", m->unet_folder,
                        base);
    return MDM_OK;
}

static mdm_status check_latent(const mdm_text_to_image *m)
{
    if (m->unet_sizes.in != m->vae_sizes.latent || m->unet_sizes.out != m->vae_sizes.latent)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: a U-net from %d to %d channels, the autoencoder has %d; only text to picture is known",
                        m->unet_folder, m->unet_sizes.in, m->unet_sizes.out, m->vae_sizes.latent);
    return MDM_OK;
}

mdm_status mdm_text_to_image_find(mdm_text_to_image *model, const mdm_text_to_image_options *options)
{
    const char *base = options->base;
    const published *known = NULL;
    if (options->checkpoint) {
        MDM_TRY(recognise(&known, options->checkpoint));
        MDM_TRY(mdm_strdup(&model->checkpoint, options->checkpoint));
    }
    MDM_TRY(find_text(&model->text[0], base, "text_encoder", "tokenizer", known ? known->text[0] : NULL, known));
    MDM_TRY(find_text(&model->text[1], base, "text_encoder_2", "tokenizer_2", known ? known->text[1] : NULL, known));
    MDM_TRY(find_unet(model, options, known));
    MDM_TRY(find_vae(model, base, known));
    MDM_TRY(find_scheduler(model, base, known));
    MDM_TRY(read_index(model, base));
    MDM_TRY(check_text(model, base));
    return check_latent(model);
}
