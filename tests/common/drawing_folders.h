/* The reduced models of tools/make_diffusion_goldens.py as folders that diffusers could have written: "sd15", "sdxl" and "refiner" with
 * their random weights and tokenizers. Include after <cmocka.h>. */
#ifndef MDM_TESTS_DRAWING_FOLDERS_H
#define MDM_TESTS_DRAWING_FOLDERS_H

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "common/ok.h"
#include "common/random_weights.h"

#define DRAWING_GOLDEN    MMDM_SOURCE_DIR "/tests/models/golden/diffusion"
#define DRAWING_TOKENIZER MMDM_SOURCE_DIR "/tests/nn/golden/clip-tokenizer"
/* PROMPT of the script */
#define DRAWING_PROMPT                                                                                                 \
    "A headshot, a Asian adult female, fit, a plain wall, short straight black hair, white cotton shirt"

enum { DRAWING_WIDTH = 64, DRAWING_HEIGHT = 32, DRAWING_LATENT = 4 * (DRAWING_HEIGHT / 4) * (DRAWING_WIDTH / 4) };

typedef struct drawing_part {
    const char *model, *name, *config, *file, *shapes;
} drawing_part;

static const drawing_part drawing_parts[] = {
    {"sd15", "text_encoder", "config.json", "model", "clip-l"},
    {"sd15", "unet", "config.json", "diffusion_pytorch_model", "unet-sd15"},
    {"sd15", "vae", "config.json", "diffusion_pytorch_model", "vae"},
    {"sd15", "scheduler", "scheduler_config.json", NULL, NULL},
    {"sdxl", "text_encoder", "config.json", "model", "clip-l"},
    {"sdxl", "text_encoder_2", "config.json", "model", "clip-big-g"},
    {"sdxl", "unet", "config.json", "diffusion_pytorch_model", "unet-sdxl"},
    {"sdxl", "vae", "config.json", "diffusion_pytorch_model", "vae"},
    {"sdxl", "scheduler", "scheduler_config.json", NULL, NULL},
    {"refiner", "text_encoder_2", "config.json", "model", "clip-big-g"},
    {"refiner", "unet", "config.json", "diffusion_pytorch_model", "unet-refiner"},
    {"refiner", "vae", "config.json", "diffusion_pytorch_model", "vae"},
    {"refiner", "scheduler", "scheduler_config.json", NULL, NULL},
};

static inline void drawing_copy(const char *from_folder, const char *from, const char *to_folder, const char *to)
{
    char source[256], target[256];
    snprintf(source, sizeof source, "%s/%s", from_folder, from);
    snprintf(target, sizeof target, "%s/%s", to_folder, to);
    ok(mdm_copy_file(source, target));
}

static inline void drawing_make_part(const char *folder, const drawing_part *p)
{
    char from[256], to[256], file[256];
    snprintf(from, sizeof from, DRAWING_GOLDEN "/%s/%s", p->model, p->name);
    snprintf(to, sizeof to, "%s/%s/%s", folder, p->model, p->name);
    ok(mdm_make_folder(to, 0700));
    drawing_copy(from, p->config, to, p->config);
    if (!p->file)
        return;
    snprintf(file, sizeof file, DRAWING_GOLDEN "/%s.json", p->shapes);
    json_t *shapes = json_load_file(file, 0, NULL);
    assert_non_null(shapes);
    snprintf(file, sizeof file, "%s/%s.safetensors", to, p->file);
    random_weights(file, shapes, 1);
    json_decref(shapes);
}

static inline void drawing_make_tokenizer(const char *folder, const char *model, const char *name, const char *padding)
{
    char to[256], file[256];
    snprintf(to, sizeof to, "%s/%s/%s", folder, model, name);
    ok(mdm_make_folder(to, 0700));
    drawing_copy(DRAWING_TOKENIZER, "vocab.json", to, "vocab.json");
    drawing_copy(DRAWING_TOKENIZER, "merges.txt", to, "merges.txt");
    snprintf(file, sizeof file, "%s/special_tokens_map.json", to);
    ok(mdm_file_write(file, padding, strlen(padding)));
}

/* FOLDER/sd15, FOLDER/sdxl and FOLDER/refiner. */
static inline void drawing_make_folders(const char *folder)
{
    static const char *const models[] = {"sd15", "sdxl", "refiner"};
    char to[256];
    for (size_t i = 0; i < sizeof drawing_parts / sizeof *drawing_parts; i++)
        drawing_make_part(folder, &drawing_parts[i]);
    for (size_t i = 0; i < 3; i++) {
        char from[256];
        snprintf(from, sizeof from, DRAWING_GOLDEN "/%s", models[i]);
        snprintf(to, sizeof to, "%s/%s", folder, models[i]);
        drawing_copy(from, "model_index.json", to, "model_index.json");
        if (i < 2)
            drawing_make_tokenizer(folder, models[i], "tokenizer", "{\"pad_token\": \"<|endoftext|>\"}");
        if (i > 0)
            drawing_make_tokenizer(folder, models[i], "tokenizer_2", "{\"pad_token\": \"!\"}");
    }
}

#endif
