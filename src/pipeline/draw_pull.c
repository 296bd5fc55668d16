/* mmdm models with large models of the user's: which there are, pull NAME (the files from the hub), convert. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "mmdm.h"
#include "models/convert_weights.h"
#include "models/drawing_models.h"
#include "models/hub_cache.h"
#include "models/pllava_files.h"
#include "models/pllava_models.h"
#include "models/talking_models.h"
#include "models/whisper_convert.h"
#include "models/whisper_models.h"
#include "pipeline/hub_pull.h"

#define TOKENIZER(folder)                                                                                              \
    {folder, "vocab.json", false, false}, {folder, "merges.txt", false, false},                                        \
        {folder, "special_tokens_map.json", false, true},                                                              \
    {                                                                                                                  \
        folder, "tokenizer_config.json", false, true                                                                   \
    }
#define NETWORK(folder, stem)                                                                                          \
    {folder, "config.json", false, false},                                                                             \
    {                                                                                                                  \
        folder, stem, true, false                                                                                      \
    }

static const mdm_hub_file base[] = {
    {"", "model_index.json", false, false},
    {"scheduler", "scheduler_config.json", false, false},
    TOKENIZER("tokenizer"),
    NETWORK("text_encoder", "model"),
    NETWORK("vae", "diffusion_pytorch_model"),
    /* of SDXL only; last, so that they can be left out */
    TOKENIZER("tokenizer_2"),
    NETWORK("text_encoder_2", "model"),
};
static const mdm_hub_file unet[] = {NETWORK("", "diffusion_pytorch_model")};

enum { BASE = sizeof base / sizeof *base, SECOND = 6, UNET = sizeof unet / sizeof *unet };

/* EchoMimic's: what all modes need, then each mode's own, by the two drivers. */
static const mdm_hub_file talking[] = {
    {"audio_processor", "whisper_tiny.pt", false, false},
    {"sd-vae-ft-mse", "config.json", false, true},
    {"sd-vae-ft-mse", "diffusion_pytorch_model", true, false},
};
static const char *const by_mode[] = {"denoising_unet", "motion_module"}, *const by_driver[] = {"reference_unet",
                                                                                                "face_locator"};

/* PLLaVA's. */
static const mdm_hub_file captioner[] = {
    {"", "config.json", false, false},
    {"", "tokenizer.json", false, false},
    {"", "tokenizer_config.json", false, false},
    {"", "model", true, false},
};

/* All of EchoMimic, or what one mode needs of it. */
static mdm_status pull_talking(const mdm_talking_recipe *only, const mdm_hub_settings *settings)
{
    enum { SHARED = sizeof talking / sizeof *talking, MOST = SHARED + 4 * MDM_TALKING_MODES };
    mdm_hub_file files[MOST];
    char names[MOST][40];
    size_t count = 0;
    for (; count < SHARED; count++)
        files[count] = talking[count];
    for (int i = 0; i < MDM_TALKING_MODES; i++) {
        const mdm_talking_recipe *r = &mdm_talking_recipes[i];
        if (only && r != only)
            continue;
        for (int k = 0; k < 4; k++) {
            bool there = false;
            if (k < 2)
                snprintf(names[count], sizeof names[count], "%s%s.pth", by_mode[k], r->ending);
            else
                snprintf(names[count], sizeof names[count], "%s%s.pth", by_driver[k - 2], r->posed ? "_pose" : "");
            for (size_t before = SHARED; before < count; before++)
                there = there || !strcmp(names[before], names[count]);
            if (!there)
                files[count] = (mdm_hub_file){"", names[count], false, false}, count++;
        }
    }
    return mdm_hub_pull(mdm_echomimic.repository, files, count, settings);
}

/* "echomimic" or "echomimic-MODE" */
static bool is_talking(const mdm_talking_recipe **only, const char *name)
{
    const size_t length = strlen(mdm_echomimic.name);
    *only = NULL;
    if (strncmp(name, mdm_echomimic.name, length) != 0)
        return false;
    for (int i = 0; i < MDM_TALKING_MODES; i++)
        if (name[length] == '-' && !strcmp(name + length + 1, mdm_talking_recipes[i].name))
            *only = &mdm_talking_recipes[i];
    return !name[length] || *only;
}

typedef struct relay {
    void (*tell)(void *user, double done, double total);
    void *user;
} relay;

static bool update(void *user, double done, double total)
{
    const relay *r = user;
    if (r->tell)
        r->tell(r->user, done, total);
    return true;
}

/* As transformers writes it; the vocabulary with it. */
static const mdm_hub_file whisper[] = {
    {"", "config.json", false, false},
    {"", "vocab.json", false, false},
    {"", "model", true, false},
};

mdm_status mdm_drawing_pull(const char *name, void (*tell)(void *user, double done, double total), void *user)
{
    relay r = {tell, user};
    const mdm_progress progress = {update, &r};
    const mdm_drawing_model *model;
    mdm_hub_settings settings = mdm_hub_settings_default();
    settings.progress = &progress;
    const mdm_talking_recipe *only;
    const mdm_whisper_model *listener = mdm_whisper_model_called(name);
    if (listener)
        return mdm_hub_pull(listener->repository, whisper, sizeof whisper / sizeof *whisper, &settings);
    const mdm_pllava_model *pllava = mdm_pllava_model_named(name);
    if (pllava)
        return mdm_hub_pull(pllava->repository, captioner, sizeof captioner / sizeof *captioner, &settings);
    if (is_talking(&only, name))
        return pull_talking(only, &settings);
    if (mdm_drawing_model_find(&model, name))
        return mdm_fail(
            MDM_ERR_USAGE,
            "no model is called %s; `mmdm models list` names them, and echomimic-audio, -audio-acc, -pose or "
            "-pose-acc is one mode of echomimic",
            name);
    MDM_TRY(mdm_hub_pull(model->base, base, model->two_encoders ? BASE : BASE - SECOND, &settings));
    return model->unet ? mdm_hub_pull(model->unet, unet, UNET, &settings) : MDM_OK;
}

static void list_whispers(void (*tell_one)(void *user, const mdm_drawing_info *info), void *user)
{
    int count;
    const mdm_whisper_model *table = mdm_whisper_models(&count);
    for (int i = 0; i < count; i++) {
        char *folder = NULL, name[32];
        snprintf(name, sizeof name, "whisper-%s", table[i].name);
        const bool present = !mdm_hub_snapshot(&folder, table[i].repository);
        tell_one(user, &(mdm_drawing_info){name, "transcribe", table[i].repository, NULL, MDM_WHISPER_LICENCE,
                                           table[i].gigabytes, present});
        mdm_free(&folder);
    }
}

void mdm_drawing_list(void (*tell_one)(void *user, const mdm_drawing_info *info), void *user)
{
    int count;
    const mdm_drawing_model *table = mdm_drawing_models(&count);
    for (int i = 0; i < count; i++) {
        char *base = NULL, *unet = NULL;
        const bool present =
            !mdm_hub_snapshot(&base, table[i].base) && (!table[i].unet || !mdm_hub_snapshot(&unet, table[i].unet));
        const mdm_drawing_info info = {
            table[i].name, "portrait", table[i].base, table[i].unet, table[i].licence, table[i].gigabytes, present,
        };
        tell_one(user, &info);
        mdm_free(&base);
        mdm_free(&unet);
    }
    char *folder = NULL;
    const bool present = !mdm_hub_snapshot(&folder, mdm_echomimic.repository);
    tell_one(user, &(mdm_drawing_info){mdm_echomimic.name, "animate", mdm_echomimic.repository, NULL,
                                       mdm_echomimic.licence, mdm_echomimic.gigabytes, present});
    mdm_free(&folder);
    const mdm_pllava_model *captioners = mdm_pllava_models(&count);
    for (int i = 0; i < count; i++) {
        const bool there = !mdm_hub_snapshot(&folder, captioners[i].repository);
        tell_one(user, &(mdm_drawing_info){captioners[i].name, "caption", captioners[i].repository, NULL,
                                           captioners[i].licence, captioners[i].gigabytes, there});
        mdm_free(&folder);
    }
    list_whispers(tell_one, user);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

mdm_status mdm_models_convert(const char *to, const char *from, const char *precision)
{
    mdm_store store = MDM_STORE_F32;
    if (ends_with(to, ".bin"))
        return mdm_whisper_convert(to, from, precision);
    if (mdm_pllava_is_folder(from))
        return mdm_pllava_convert(to, from, precision, MDM_PLLAVA_LORA_ALPHA);
    MDM_TRY(mdm_store_named(&store, precision));
    return mdm_convert_weights(to, from, store);
}
