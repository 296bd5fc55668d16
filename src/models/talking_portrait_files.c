/* Where the weights of a talking portrait lie, and the sizes of its networks. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "models/checkpoint_names.h"
#include "models/diffusion_config.h"
#include "models/short_names.h"
#include "models/talking_portrait_internal.h"

/* ---- files ---- */

/* FOLDER/<name>, with the mode's ending where it has weights of its own, and one of the endings of tensor files. Reference U-net and locator
 * know the two drivers apart, but not the accelerated weights. */
static const struct {
    const char *name;
    bool by_mode, by_driver;
} parts[MDM_TALKING_PARTS] = {
    [MDM_TALKING_DENOISING] = {"denoising_unet", true, false},
    [MDM_TALKING_MOTION] = {"motion_module", true, false},
    [MDM_TALKING_REFERENCE] = {"reference_unet", false, true},
    [MDM_TALKING_LOCATOR] = {"face_locator", false, true},
    [MDM_TALKING_WHISPER] = {"audio_processor/whisper_tiny", false, false},
    [MDM_TALKING_VAE] = {"sd-vae-ft-mse/diffusion_pytorch_model", false, false},
};

static mdm_status find_part(char **out, const mdm_talking *t, mdm_talking_part part)
{
    static const char *const endings[] = {".safetensors", ".gguf", ".pth", ".pt", ".bin"};
    const char *mode = parts[part].by_mode                         ? t->recipe->ending
                       : parts[part].by_driver && t->recipe->posed ? "_pose"
                                                                   : "";
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        MDM_TRY(mdm_format(out, "%s/%s%s%s", t->folder, parts[part].name, mode, endings[i]));
        if (mdm_file_exists(*out))
            return MDM_OK;
        mdm_free(out);
    }
    return mdm_fail(MDM_ERR_DEVICE, "%s/%s%s is missing (.pth, .safetensors, .gguf, .pt or .bin), which mode %s needs",
                    t->folder, parts[part].name, mode, t->recipe->name);
}

/* mdm_weights_rename */
static mdm_status lengthen(mdm_weights *weights, const mdm_array *array, void *user)
{
    char name[256];
    (void)user;
    return mdm_weights_add(weights, mdm_name_lengthen(name, sizeof name, array->name) ? name : array->name, array);
}

mdm_status mdm_talking_weights(mdm_weights **out, const mdm_talking *talking, mdm_talking_part part)
{
    char *path = NULL;
    *out = NULL;
    MDM_TRY(find_part(&path, talking, part));
    mdm_status status;
    if (part == MDM_TALKING_WHISPER)
        status = mdm_whisper_encoder_open(out, path);
    else if (part == MDM_TALKING_VAE)
        status = mdm_checkpoint_open(out, path, MDM_CHECKPOINT_VAE, talking->vae.levels, talking->vae.residuals);
    else
        status = mdm_weights_open_as(out, path, lengthen, NULL);
    mdm_free(&path);
    return status;
}

/* ---- sizes ---- */

/* A whole number from 1 to 65536 where the object has it. */
static mdm_status whole(int *out, const json_t *object, const char *key, const char *path)
{
    long long value = *out;
    if (json_object_get(object, key))
        MDM_TRY(mdm_json_int(&value, object, key, 1, 1 << 16, path));
    *out = (int)value;
    return MDM_OK;
}

static mdm_status wholes(int *out, size_t count, const json_t *object, const char *key, const char *path)
{
    const json_t *list = json_object_get(object, key);
    if (list && json_array_size(list) != count)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is no list of %zu numbers", path, key, count);
    for (size_t i = 0; list && i < count; i++) {
        const json_t *one = json_array_get(list, i);
        if (!json_is_integer(one) || json_integer_value(one) < 1 || json_integer_value(one) > 1 << 16)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" must be whole numbers from 1 to 65536", path, key);
        out[i] = (int)json_integer_value(one);
    }
    return MDM_OK;
}

static mdm_status read_sizes(mdm_talking *t, const json_t *root, const char *path)
{
    mdm_echomimic_sizes *s = &t->sizes;
    mdm_whisper_encoder_sizes *w = &t->whisper;
    const json_t *whisper = json_object_get(root, "whisper");
    MDM_TRY(wholes(s->channels, MDM_ECHOMIMIC_LEVELS, root, "block_out_channels", path));
    MDM_TRY(wholes(s->locator, MDM_ECHOMIMIC_LOCATOR, root, "face_locator_channels", path));
    MDM_TRY(whole(&s->heads, root, "heads", path));
    MDM_TRY(whole(&s->groups, root, "norm_num_groups", path));
    MDM_TRY(whole(&t->trained, root, "sample_size", path));
    MDM_TRY(whole(&w->layers, whisper, "layers", path));
    MDM_TRY(whole(&w->width, whisper, "width", path));
    MDM_TRY(whole(&w->heads, whisper, "heads", path));
    s->audio_width = w->width;
    return MDM_OK;
}

static mdm_status read_config(mdm_talking *t)
{
    char *path = NULL;
    json_t *root = NULL;
    MDM_TRY(mdm_join_path(&path, t->folder, "echomimic.json"));
    mdm_status status = MDM_OK;
    if (mdm_file_exists(path)) {
        status = mdm_json_load(&root, path, (size_t)1 << 20);
        if (!status)
            status = read_sizes(t, root, path);
        json_decref(root);
    }
    mdm_free(&path);
    return status;
}

static mdm_status read_vae(mdm_talking *t)
{
    char *path = NULL;
    MDM_TRY(mdm_join_path(&path, t->folder, "sd-vae-ft-mse/config.json"));
    mdm_status status = mdm_file_exists(path) ? mdm_config_vae(&t->vae, path) : MDM_OK;
    mdm_free(&path);
    if (!status && (t->vae.latent != MDM_ECHOMIMIC_LATENT || t->vae.levels != 4))
        status =
            mdm_fail(MDM_ERR_INPUT, "%s/sd-vae-ft-mse: an autoencoder of %d channels and %d levels, expected %d and 4",
                     t->folder, t->vae.latent, t->vae.levels, MDM_ECHOMIMIC_LATENT);
    return status;
}

mdm_status mdm_talking_find(mdm_talking *talking)
{
    talking->sizes = mdm_echomimic_published;
    talking->whisper = mdm_whisper_encoder_tiny;
    talking->vae = mdm_vae_sd15;
    talking->trained = 512;
    for (int part = 0; part < MDM_TALKING_PARTS; part++) {
        char *path = NULL;
        MDM_TRY(find_part(&path, talking, (mdm_talking_part)part));
        mdm_free(&path);
    }
    MDM_TRY(read_config(talking));
    return read_vae(talking);
}
