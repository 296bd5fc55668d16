/* Where the parts of a text-to-picture model lie in a diffusers folder, their sizes, and whether they belong together. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "models/text_to_image_internal.h"

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

mdm_status mdm_open_part(mdm_weights **out, const char *folder, const char *stem)
{
    static const char *const endings[] = {".safetensors", ".safetensors.index.json", ".fp16.safetensors",
                                          ".safetensors.index.fp16.json", ".bin"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *path = NULL;
        const bool torch =
            !strcmp(endings[i], ".bin") && !strcmp(stem, "model"); /* transformers calls those otherwise */
        MDM_TRY(mdm_format(&path, "%s/%s%s%s", folder, torch ? "pytorch_" : "", stem, endings[i]));
        mdm_status status = MDM_OK;
        bool there = mdm_file_exists(path);
        if (there)
            status = mdm_weights_open(out, path);
        mdm_free(&path);
        if (there)
            return status;
    }
    return mdm_fail(MDM_ERR_DEVICE,
                    "%s/%s.safetensors is missing (and so are its variants .fp16, .index.json and .bin)", folder, stem);
}

/* ---- parts ---- */

static mdm_status find_text(mdm_text_part *part, const char *base, const char *folder, const char *tokenizer)
{
    char *config = NULL;
    MDM_TRY(mdm_join_path(&part->folder, base, folder));
    part->there = has_file(part->folder, "config.json");
    if (!part->there) {
        mdm_free(&part->folder);
        return MDM_OK;
    }
    MDM_TRY(mdm_join_path(&part->tokenizer, base, tokenizer));
    MDM_TRY(need_file(&config, part->folder, "config.json"));
    mdm_status status = mdm_config_clip_text(&part->sizes, config);
    mdm_free(&config);
    return status;
}

/* A folder of config.json and weights, or a file of weights with the sizes of the base's config.json. */
static mdm_status find_unet(mdm_text_to_image *m, const mdm_text_to_image_options *options)
{
    char *config = NULL;
    const bool file = options->unet && mdm_file_exists(options->unet) && !has_file(options->unet, ".");
    if (options->unet && !file)
        MDM_TRY(mdm_strdup(&m->unet_folder, options->unet));
    else
        MDM_TRY(mdm_join_path(&m->unet_folder, options->base, "unet"));
    if (file)
        MDM_TRY(mdm_strdup(&m->unet_file, options->unet));
    MDM_TRY(need_file(&config, m->unet_folder, "config.json"));
    mdm_status status = mdm_config_unet(&m->unet_sizes, config);
    mdm_free(&config);
    return status;
}

static mdm_status find_vae(mdm_text_to_image *m, const char *base)
{
    char *config = NULL;
    MDM_TRY(mdm_join_path(&m->vae_folder, base, "vae"));
    MDM_TRY(need_file(&config, m->vae_folder, "config.json"));
    mdm_status status = mdm_config_vae(&m->vae_sizes, config);
    mdm_free(&config);
    return status;
}

static mdm_status find_scheduler(mdm_text_to_image *m, const char *base)
{
    char *folder = NULL;
    MDM_TRY(mdm_join_path(&folder, base, "scheduler"));
    mdm_status status = need_file(&m->scheduler, folder, "scheduler_config.json");
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
    MDM_TRY(find_text(&model->text[0], base, "text_encoder", "tokenizer"));
    MDM_TRY(find_text(&model->text[1], base, "text_encoder_2", "tokenizer_2"));
    MDM_TRY(find_unet(model, options));
    MDM_TRY(find_vae(model, base));
    MDM_TRY(find_scheduler(model, base));
    MDM_TRY(read_index(model, base));
    MDM_TRY(check_text(model, base));
    return check_latent(model);
}
