/* What the files of text-to-picture share: the model's folders and sizes, and the parts that are in memory. */
#ifndef MDM_MODELS_TEXT_TO_IMAGE_INTERNAL_H
#define MDM_MODELS_TEXT_TO_IMAGE_INTERNAL_H

#include "models/diffusion_config.h"
#include "models/latent_preview.h"
#include "models/text_to_image.h"

/* A text encoder and its tokenizer; SD 1.5 has the first, the refiner the second, SDXL both. */
typedef struct mdm_text_part {
    bool there;
    char *folder, *tokenizer; /* NULL when not there */
    mdm_clip_text_sizes sizes;
} mdm_text_part;

/* What the networks are told of one text. */
typedef struct mdm_asked {
    float *context; /* [tokens][unet.context] */
    float *pooled;  /* [pooled width], NULL where the U-net takes none */
} mdm_asked;

struct mdm_text_to_image {
    mdm_store store;
    int threads;
    mdm_text_part text[2];
    char *unet_folder, *vae_folder;
    char *scheduler;  /* scheduler_config.json; NULL: as SD 1.5 and SDXL were trained */
    char *unet_file;  /* a file of weights instead of what is in unet_folder, or NULL */
    char *checkpoint; /* a file of all weights, or NULL */
    mdm_unet_sizes unet_sizes;
    mdm_vae_sizes vae_sizes;
    bool zeros_for_nothing; /* no negative prompt is zeros, else the empty text */
    int tokens, pooled;     /* of a text; width of its pooled vector */

    mdm_asked prompt, negative; /* of mdm_text_to_image_ask; NULL before */
    mdm_unet *unet;             /* built for unet_shape, NULL before the first drawing */
    mdm_unet_shape unet_shape;
    mdm_vae *vae; /* built for latents of vae_height x vae_width */
    int vae_height, vae_width;
    mdm_latent_preview preview; /* channels 0 before the first one */
};

/* Fills folders and sizes from options. */
mdm_status mdm_text_to_image_find(mdm_text_to_image *model, const mdm_text_to_image_options *options);

/* The weights of a network: of the checkpoint, of the U-net's own file, or in the network's folder STEM.safetensors ("model",
 * "diffusion_pytorch_model"), one split over files, the fp16 variant of either, PyTorch's .bin, or .gguf. MDM_ERR_DEVICE naming them when
 * there is none. `index`: which text encoder. */
mdm_status mdm_open_text(mdm_weights **out, const mdm_text_to_image *model, int index);
mdm_status mdm_open_unet(mdm_weights **out, const mdm_text_to_image *model);
mdm_status mdm_open_vae(mdm_weights **out, const mdm_text_to_image *model);

#endif
