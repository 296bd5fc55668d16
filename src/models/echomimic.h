/* EchoMimic's networks: a portrait, a voice and drawn landmarks in, the latents of a talking face out, a window of frames at a time.
 * The reference U-net looks at the portrait once and leaves a bank of features; the denoising U-net attends to that bank, to the
 * voice and, in its motion modules, from frame to frame. Source: Chen et al., 2024; names of networks and weights as published. */
#ifndef MDM_MODELS_ECHOMIMIC_H
#define MDM_MODELS_ECHOMIMIC_H

#include "nn/nn.h"
#include "nn/weights.h"

#define MDM_ECHOMIMIC_LEVELS       4
#define MDM_ECHOMIMIC_BANK         16 /* transformers of a U-net */
#define MDM_ECHOMIMIC_LOCATOR      4  /* widths of the face locator before its last layer */
#define MDM_ECHOMIMIC_POSITIONS    32 /* frames in a window, at most */
#define MDM_ECHOMIMIC_LATENT       4  /* channels of a latent */
#define MDM_ECHOMIMIC_LOCATOR_DOWN 8  /* pixels of a drawing to one of its features: those of the latent */

typedef struct mdm_echomimic_sizes {
    int channels[MDM_ECHOMIMIC_LEVELS]; /* of both U-nets, largest picture first; the last level has no transformers */
    int heads, groups;
    int audio_width;                    /* of one token of the voice */
    float audio_gain;                   /* what the voice is attended to with */
    int locator[MDM_ECHOMIMIC_LOCATOR]; /* widths of the face locator; its last layer is channels[0] wide */
} mdm_echomimic_sizes;

extern const mdm_echomimic_sizes mdm_echomimic_published;

/* A picture or latent is seen as height x width of the latent, multiples of 8; pictures are 8 times as large. */

/* ---- the reference U-net ---- */

/* What each transformer of the reference U-net saw of the portrait, in the order down, middle, up: state[i] is [positions][width]
 * and has size[i] values. */
typedef struct mdm_echomimic_bank {
    float *state[MDM_ECHOMIMIC_BANK];
    size_t size[MDM_ECHOMIMIC_BANK];
} mdm_echomimic_bank;

/* Runs the reference U-net (all of `weights`: reference_unet.pth) on the portrait's latent [4][height][width], at time 0; it
 * is freed before this returns. Free the bank with mdm_echomimic_bank_free. */
mdm_status mdm_reference_unet_run(mdm_echomimic_bank *bank, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                  mdm_store store, const float *latent, int height, int width, int threads);
void mdm_echomimic_bank_free(mdm_echomimic_bank *bank);

/* ---- the denoising U-net ---- */

typedef struct mdm_denoising_unet mdm_denoising_unet;

/* What one graph is built for. */
typedef struct mdm_denoising_shape {
    int height, width; /* of the latent */
    int frames;        /* of the window: 1 to MDM_ECHOMIMIC_POSITIONS */
    int tokens;        /* of the voice to a frame */
    int face_maps;     /* 1, for all frames, or `frames` */
    bool guided;       /* with the unconditional half too: no bank, a silent voice, no face; twice the work and room */
} mdm_denoising_shape;

/* Takes every tensor of `weights` (denoising_unet*.pth) and `motion` (motion_module*.pth); both may be freed afterwards. The
 * bank must be of the same latent size; keys and values are made of it, once. */
mdm_status mdm_denoising_unet_new(mdm_denoising_unet **out, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                  mdm_weights *motion, const mdm_echomimic_bank *bank, mdm_store store,
                                  const mdm_denoising_shape *shape, int threads);
void mdm_denoising_unet_free(mdm_denoising_unet **unet);

/* One window at `time` (0..999). latents [frames][4][height][width]; audio [frames][tokens][audio_width]; face
 * [face_maps][channels[0]][height][width]. conditional and, where guided, unconditional (else NULL) are as large as latents:
 * the velocity (v) that is predicted with and without all of that. */
mdm_status mdm_denoising_unet_run(mdm_denoising_unet *unet, float *conditional, float *unconditional,
                                  const float *latents, float time, const float *audio, const float *face);

/* ---- the face locator ---- */

typedef struct mdm_face_locator mdm_face_locator;

/* channels: 1, a mask of the face, or 3, a drawing of its landmarks. Takes every tensor of `weights` (face_locator*.pth). */
mdm_status mdm_face_locator_new(mdm_face_locator **out, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                int channels, int height, int width, int threads);
void mdm_face_locator_free(mdm_face_locator **locator);

/* face [channels[0]][height][width] of the picture [channels][8 height][8 width], 0..1 */
mdm_status mdm_face_locator_run(mdm_face_locator *locator, float *face, const float *picture);

#endif
