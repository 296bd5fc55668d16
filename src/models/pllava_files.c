/* Names of checkpoints in one naming, and opening and converting them. */
#include "models/pllava_files.h"

#include <gguf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/convert_weights.h"

#define NAME 256

/* ---- names ---- */

/* Beginnings of names, as PEFT's wrapper and transformers' versions have them, and what they stand for. The first that fits is taken. */
static const struct {
    const char *written, *ours;
} beginnings[] = {
    {"language_model.base_model.model.", ""}, {"model.language_model.model.", "model."},
    {"model.language_model.", "model."},      {"language_model.", ""},
    {"model.vision_tower.", "vision_tower."}, {"model.multi_modal_projector.", "multi_modal_projector."},
};
/* The same of parts in the middle or at the end. */
static const struct {
    const char *written, *ours;
} parts[] = {
    {"vision_tower.vision_model.", "vision_tower."},
    {".base_layer.weight", ".weight"},
    {".lora_A.default.weight", ".lora_A"},
    {".lora_B.default.weight", ".lora_B"},
    {".lora_A.weight", ".lora_A"},
    {".lora_B.weight", ".lora_B"},
};

static void our_name(char out[NAME], const char *written)
{
    if (!strncmp(written, "base_model.model.", 17))
        written += 17;
    snprintf(out, NAME, "%s", written);
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        const size_t length = strlen(beginnings[i].written);
        if (!strncmp(written, beginnings[i].written, length)) {
            snprintf(out, NAME, "%s%s", beginnings[i].ours, written + length);
            break;
        }
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *at = strstr(out, parts[i].written), rest[NAME];
        if (!at)
            continue;
        snprintf(rest, sizeof rest, "%s", at + strlen(parts[i].written));
        snprintf(at, NAME - (size_t)(at - out), "%s%s", parts[i].ours, rest);
    }
}

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* Which of the two networks is wanted of a file. */
typedef struct wanted {
    bool vision;
    int blocks; /* of CLIP that are used */
} wanted;

static mdm_status rename_one(mdm_weights *weights, const mdm_array *array, void *user)
{
    const wanted *w = user;
    char name[NAME];
    our_name(name, array->name);
    const bool sees = starts(name, "vision_tower.") || starts(name, "multi_modal_projector.");
    static const char block[] = "vision_tower.encoder.layers.";
    if (sees != w->vision || strstr(name, "position_ids") || strstr(name, "rotary_emb.inv_freq") ||
        starts(name, "vision_tower.post_layernorm.") || starts(name, "model.image_newline") ||
        starts(name, "image_newline") ||
        (starts(name, block) && strtol(name + sizeof block - 1, NULL, 10) >= w->blocks))
        return MDM_OK; /* computed, or after the layer that is taken */
    return mdm_weights_add(weights, name, array);
}

/* ---- opening ---- */

static mdm_status find_weights(char **out, const char *folder)
{
    static const char *const names[] = {"model.safetensors.index.json", "model.safetensors",
                                        "pytorch_model.bin.index.json", "pytorch_model.bin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        MDM_TRY(mdm_join_path(out, folder, names[i]));
        if (mdm_file_exists(*out))
            return MDM_OK;
        mdm_free(out);
    }
    return mdm_fail(MDM_ERR_DEVICE,
                    "%s: no model.safetensors, nor model.safetensors.index.json: the model is not there", folder);
}

static mdm_status open_folder(mdm_pllava_files *f, const char *folder, const char *precision, double lora_alpha)
{
    char *weights = NULL, *config = NULL;
    size_t size = 0;
    MDM_TRY(mdm_strdup(&f->folder, folder));
    MDM_TRY(mdm_pllava_config_read(&f->sizes, folder));
    MDM_TRY(mdm_join_path(&config, folder, "config.json"));
    mdm_status status = mdm_file_read((unsigned char **)&f->config, &size, config, (size_t)1 << 20);
    mdm_free(&config);
    if (!status)
        status = find_weights(&weights, folder);
    wanted w = {true, f->sizes.vision.taken};
    if (!status)
        status = mdm_weights_open_as(&f->vision, weights, rename_one, &w);
    w.vision = false;
    if (!status)
        status = mdm_weights_open_as(&f->language, weights, rename_one, &w);
    mdm_free(&weights);
    if (!status)
        status = mdm_language_checkpoint_new(
            &f->checkpoint, &(mdm_language_source){f->language, &f->sizes.language, f->folder, precision, lora_alpha});
    return status ? status : mdm_weights_all_taken(f->language, "");
}

/* NAME.vision.gguf of NAME.gguf */
static mdm_status beside(char **out, const char *path)
{
    const size_t length = strlen(path);
    if (length < 6 || strcmp(path + length - 5, ".gguf") != 0)
        return mdm_fail(MDM_ERR_USAGE, "%s: a folder with a config.json, or a file NAME.gguf, is expected", path);
    return mdm_format(out, "%.*s.vision.gguf", (int)(length - 5), path);
}

static mdm_status open_pair(mdm_pllava_files *f, const char *path)
{
    char *vision = NULL;
    mdm_tensor_file *file = NULL;
    MDM_TRY(beside(&vision, path));
    mdm_status status = mdm_strdup(&f->language_file, path);
    if (!status && !mdm_file_exists(path))
        status = mdm_fail(MDM_ERR_DEVICE, "%s is not there; mmdm models convert makes it of a checkpoint", path);
    if (!status && !mdm_file_exists(vision))
        status = mdm_fail(MDM_ERR_DEVICE, "%s is missing: it sees what %s tells; mmdm models convert makes both",
                          vision, path);
    if (!status)
        status = mdm_tensor_file_open(&file, vision);
    if (!status)
        status = mdm_pllava_config_parse(&f->sizes, mdm_tensor_file_meta(file, "pllava.config"), vision);
    mdm_tensor_file_free(&file);
    if (!status)
        status = mdm_weights_open(&f->vision, vision);
    mdm_free(&vision);
    return status;
}

bool mdm_pllava_is_folder(const char *path)
{
    char *config = NULL;
    const bool there = !mdm_join_path(&config, path, "config.json") && mdm_file_exists(config);
    mdm_free(&config);
    return there;
}

mdm_status mdm_pllava_files_open(mdm_pllava_files *out, const char *path, const char *precision, double lora_alpha)
{
    memset(out, 0, sizeof *out);
    mdm_status status =
        mdm_pllava_is_folder(path) ? open_folder(out, path, precision, lora_alpha) : open_pair(out, path);
    if (status)
        mdm_pllava_files_close(out);
    return status;
}

void mdm_pllava_files_close(mdm_pllava_files *files)
{
    mdm_language_checkpoint_free(&files->checkpoint);
    mdm_weights_free(&files->vision);
    mdm_weights_free(&files->language);
    mdm_free(&files->language_file);
    mdm_free(&files->folder);
    mdm_free(&files->config);
}

/* ---- converting ---- */

mdm_store mdm_pllava_vision_store(const char *precision)
{
    return !strcmp(precision, "f32") ? MDM_STORE_F32 : !strcmp(precision, "f16") ? MDM_STORE_F16 : MDM_STORE_Q8_0;
}

mdm_status mdm_pllava_convert(const char *to, const char *folder, const char *precision, double lora_alpha)
{
    mdm_pllava_files files;
    char *vision = NULL;
    MDM_TRY(beside(&vision, to));
    mdm_status status = mdm_pllava_files_open(&files, folder, precision, lora_alpha);
    if (!status) {
        const char *const meta[] = {"pllava.config", files.config, NULL};
        status = mdm_language_checkpoint_write(to, files.checkpoint);
        if (!status)
            status = mdm_convert_opened(vision, files.vision, mdm_pllava_vision_store(precision), meta);
        mdm_pllava_files_close(&files);
    }
    mdm_free(&vision);
    return status;
}
