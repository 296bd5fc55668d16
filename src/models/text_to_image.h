/* Text to picture with Stable Diffusion's networks: SD 1.5, SDXL and its refiner, and any that replaces their U-net (CosmicMan).
 * The networks come from a folder as diffusers writes it; which of them there are says which model it is. */
#ifndef MDM_MODELS_TEXT_TO_IMAGE_H
#define MDM_MODELS_TEXT_TO_IMAGE_H

#include <stdint.h>

#include "base/log.h"
#include "media/image.h"
#include "models/diffusion_sampler.h"
#include "models/person_caption.h"
#include "nn/nn.h"

typedef struct mdm_text_to_image mdm_text_to_image;

typedef struct mdm_text_to_image_options {
    const char *base; /* folder of text encoders, tokenizers, autoencoder, scheduler and U-net */
    const char *unet; /* instead of the base's: a folder of config.json and weights, or a file of weights; or NULL */
    /* One file with the weights of all networks in the original naming; NULL: the base's files. Tokenizers still come from
     * `base`, and sizes and schedule where it has their config.json files, else they are the published ones of SD 1.5, SDXL
     * or the refiner. */
    const char *checkpoint;
    mdm_store store; /* of the U-net's and text encoders' matrices */
    int threads;     /* >= 1 */
} mdm_text_to_image_options;

/* Reads the sizes of all networks and checks that they belong together; weights are read when they are needed. A file that is
 * missing is MDM_ERR_DEVICE and named; one that is wrong MDM_ERR_INPUT. */
mdm_status mdm_text_to_image_open(mdm_text_to_image **out, const mdm_text_to_image_options *options);
void mdm_text_to_image_free(mdm_text_to_image **model);

/* What the pictures drawn from now on show. `negative`: what they do not; "" is a text like any other, NULL is none (zeros for
 * SDXL where its model_index.json says so, as in diffusers; "" for the others). The text encoders are in memory only here.
 * *tokens (may be NULL): of the prompt, with start and end; more than mdm_text_to_image_tokens: it was cut. */
mdm_status mdm_text_to_image_ask(mdm_text_to_image *model, const char *prompt, const char *negative, size_t *tokens);
int mdm_text_to_image_tokens(const mdm_text_to_image *model); /* 77 */

/* The caption with as many groups as the first tokenizer's tokens allow (person_caption.h). */
mdm_status mdm_text_to_image_fit(char text[MDM_CAPTION_TEXT], const mdm_text_to_image *model,
                                 const mdm_caption *caption);

/* Shape of the latent of a picture: channels, rows, columns. MDM_ERR_USAGE for sizes that are no multiple of what the networks
 * halve (64 px for SD 1.5 and the refiner, 32 for SDXL). */
mdm_status mdm_text_to_image_shape(int shape[3], const mdm_text_to_image *model, int width, int height);

typedef struct mdm_drawing {
    int width, height;        /* of the picture, px */
    mdm_sampler_kind sampler; /* MDM_SAMPLER_KINDS: the base's own */
    int steps;
    bool karras;    /* Karras' noise levels, also where the scheduler's file does not ask for them */
    float guidance; /* up to 1: none */
    uint64_t seed;
    const float *noise;           /* standard normal, of the latent's shape; NULL: the seed's (see below) */
    const float *from;            /* a latent to change; NULL: draw from nothing */
    double strength;              /* of the change, 0..1: the share of the steps that is run */
    const mdm_progress *progress; /* told of every step; may cancel (MDM_ERR_CANCELLED) */
    /* Shown what the finished latent will be about, after every step (mdm_text_to_image_preview makes a picture of it); may be NULL. */
    mdm_status (*watch)(void *watcher, const float *clean, int done);
    void *watcher;
} mdm_drawing;

/* latent [shape] of a picture of what was asked for. The seed's noise is base/random.h's normal numbers, channel by channel and
 * row by row, keyed "latent" (or "change" where there is `from`); what MDM_SAMPLER_EULER_ANCESTRAL adds is keyed "ancestral". */
mdm_status mdm_text_to_image_draw(mdm_text_to_image *model, float *latent, const mdm_drawing *drawing);

/* A quick look at a latent (mdm_image_free), of the picture's size but as coarse as the latent; the first one takes about as long as
 * decoding 256 x 128 px does (models/latent_preview.h). */
mdm_status mdm_text_to_image_preview(mdm_text_to_image *model, mdm_image *out, const float *latent, int width,
                                     int height);

/* The 8-bit picture (mdm_image_free) of a latent; in tiles where it is larger than 640 px. `progress` counts tiles. */
mdm_status mdm_text_to_image_decode(mdm_text_to_image *model, mdm_image *out, const float *latent, int width,
                                    int height, const mdm_progress *progress);

#endif
