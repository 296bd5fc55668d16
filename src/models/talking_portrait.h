/* EchoMimic's pipelines: a portrait, a voice and, in the pose modes, a drawing of the face's landmarks for each frame become a talking
 * face. Source: Chen et al., 2024, and the configurations published with the weights. Networks are in memory when they are needed. */
#ifndef MDM_MODELS_TALKING_PORTRAIT_H
#define MDM_MODELS_TALKING_PORTRAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "media/image.h"
#include "nn/nn.h"

/* The published modes: driven by the voice alone or by landmarks as well; "acc" are the accelerated weights, 6 steps without guidance. */
typedef enum mdm_talking_mode {
    MDM_TALKING_AUDIO,
    MDM_TALKING_AUDIO_ACC,
    MDM_TALKING_POSE,
    MDM_TALKING_POSE_ACC,
    MDM_TALKING_MODES
} mdm_talking_mode;

/* What the authors' configuration of a mode says. */
typedef struct mdm_talking_recipe {
    const char *name;   /* "audio", "audio-acc", "pose", "pose-acc" */
    const char *ending; /* of the names of its U-net and motion modules: "", "_acc", "_pose", "_pose_acc" */
    bool posed; /* the face locator sees a drawing of landmarks for each frame, else one mask of where the face is */
    int steps;
    float guidance;
    float clamp; /* the first noise is cut to +-clamp; 0: it is not */
    int shift;   /* frames that windows move on by, from step to step */
} mdm_talking_recipe;

extern const mdm_talking_recipe mdm_talking_recipes[MDM_TALKING_MODES];
mdm_status mdm_talking_mode_named(mdm_talking_mode *out, const char *name);

typedef struct mdm_talking mdm_talking;

typedef struct mdm_talking_options {
    /* The published folder: denoising_unet*, motion_module*, reference_unet*, face_locator* (.pth, .safetensors or .gguf),
     * audio_processor/whisper_tiny.pt, sd-vae-ft-mse/; and, for networks of other sizes, echomimic.json (docs/echomimic.md). */
    const char *folder;
    mdm_talking_mode mode;
    mdm_store store; /* of the U-nets' matrices */
    int threads;     /* >= 1 */
} mdm_talking_options;

/* Reads the sizes and looks whether every file is there: MDM_ERR_DEVICE names the first one that is not. */
mdm_status mdm_talking_open(mdm_talking **out, const mdm_talking_options *options);
void mdm_talking_free(mdm_talking **talking);

/* Pixels of a latent pixel, each way; sides of pictures are multiples of 8 times that (64 with the published networks). */
int mdm_talking_factor(const mdm_talking *talking);
/* The side of pictures that the networks were trained with: 512, or "sample_size" of echomimic.json. */
int mdm_talking_side(const mdm_talking *talking);
/* MDM_ERR_USAGE for a side that cannot be drawn. */
mdm_status mdm_talking_check_side(const mdm_talking *talking, int side);

/* Whose face it is: a square RGB picture. Reads autoencoder and reference U-net, and frees both. */
mdm_status mdm_talking_look(mdm_talking *talking, const mdm_image *portrait);

/* What it says: samples [count] at 16 kHz, -1..1. */
mdm_status mdm_talking_listen(mdm_talking *talking, const float *samples, size_t count);
/* Frames of a video as long as what was listened to, as the authors count them. */
int mdm_talking_frames(const mdm_talking *talking, double fps);

typedef struct mdm_talking_clip {
    int frames;
    double fps;          /* where each frame's place in the voice is; or, for frames at other times: */
    const double *times; /* [frames] seconds from the first sample of the voice; NULL: by fps */
    /* What the face locator is shown of a frame: picture [channels][side][side], 0..1; 3 channels in the pose modes, else 1, and it is asked for frame 0 only. */
    mdm_status (*show)(void *user, float *picture, int frame);
    void *user;
    int steps, window, overlap; /* 0, 0, -1: the authors' (window 12, overlap 3) */
    float guidance;             /* below 0: the authors'; up to 1: none */
    bool open;                  /* no window goes on from the clip's end to its beginning (window_sampler.h) */
    uint64_t seed;
    const float *noise; /* [frames][4][side / factor][side / factor]; NULL: the seed's */
    const char *folder,
        *job; /* where the run is kept, so that it can be gone on with, and what else it depends on; NULL: nowhere */
    const mdm_progress *progress; /* windows of all steps; may cancel */
} mdm_talking_clip;

/* Draws the latents of the clip; U-net and face locator are in memory only here. The seed's noise is base/random.h's normal numbers,
 * channel by channel and row by row, keyed "frame-<number>". */
mdm_status mdm_talking_draw(mdm_talking *talking, const mdm_talking_clip *clip);
/* Of the clip that was drawn last, [frames][4][side / factor][side / factor]. */
const float *mdm_talking_latents(const mdm_talking *talking);
/* The picture (mdm_image_free) of one of its frames. */
mdm_status mdm_talking_decode(mdm_talking *talking, mdm_image *out, int frame);

#endif
