/* mmdm models with text-to-picture models: which there are, pull NAME (the files from the hub, the base's and the U-net's), convert. */
#include "base/memory.h"
#include "mmdm.h"
#include "models/convert_weights.h"
#include "models/drawing_models.h"
#include "models/hub_cache.h"
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

mdm_status mdm_drawing_pull(const char *name, void (*tell)(void *user, double done, double total), void *user)
{
    relay r = {tell, user};
    const mdm_progress progress = {update, &r};
    const mdm_drawing_model *model;
    mdm_hub_settings settings = mdm_hub_settings_default();
    settings.progress = &progress;
    MDM_TRY(mdm_drawing_model_find(&model, name));
    MDM_TRY(mdm_hub_pull(model->base, base, model->two_encoders ? BASE : BASE - SECOND, &settings));
    return model->unet ? mdm_hub_pull(model->unet, unet, UNET, &settings) : MDM_OK;
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
            table[i].name, table[i].base, table[i].unet, table[i].licence, table[i].gigabytes, present,
        };
        tell_one(user, &info);
        mdm_free(&base);
        mdm_free(&unet);
    }
}

mdm_status mdm_models_convert(const char *to, const char *from, const char *precision)
{
    mdm_store store = MDM_STORE_F32;
    MDM_TRY(mdm_store_named(&store, precision));
    return mdm_convert_weights(to, from, store);
}
