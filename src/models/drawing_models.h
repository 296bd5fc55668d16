/* The published text-to-picture models that portraits can be drawn with: where they are to be had, under which licence, and the
 * recipe their authors give. */
#ifndef MDM_MODELS_DRAWING_MODELS_H
#define MDM_MODELS_DRAWING_MODELS_H

#include "models/text_to_image.h"

typedef struct mdm_drawing_model {
    const char *name;    /* of the backend */
    const char *base;    /* repository of text encoders, tokenizers, autoencoder, scheduler on the Hugging Face Hub */
    const char *unet;    /* repository of the U-net that takes the place of the base's; NULL: the base's own */
    const char *licence; /* what can be said of it without seeing the weights' pages */
    double gigabytes;    /* of text encoders, autoencoder and U-net in f32, by their parameters */
    bool two_encoders;   /* of text, as SDXL has */
    int side;            /* px of a picture, each way */
    mdm_sampler_kind sampler;
    int steps;
    float guidance;
    /* second pass over the latent, as the authors do it; strength 0: none unless it is asked for */
    double second_strength;
    int second_steps;
    float second_guidance;
} mdm_drawing_model;

/* The table, `count` of them; never freed. */
const mdm_drawing_model *mdm_drawing_models(int *count);
/* MDM_ERR_USAGE with the names there are when none is called so. */
mdm_status mdm_drawing_model_find(const mdm_drawing_model **out, const char *name);

/* The folder of one of its two repositories in the hub's cache; MDM_ERR_DEVICE says what to pull, how large it is and under which
 * licence. Caller frees. */
mdm_status mdm_drawing_model_folder(char **out, const mdm_drawing_model *model, const char *repository);
/* The model from the hub's cache. */
mdm_status mdm_drawing_model_open(mdm_text_to_image **out, const mdm_drawing_model *model, mdm_store store,
                                  int threads);

#endif
