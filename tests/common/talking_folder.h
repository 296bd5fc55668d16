/* The reduced EchoMimic of tools/make_echomimic_goldens.py as a folder like the published one, with its random weights. Include after
 * <cmocka.h>. */
#ifndef MDM_TESTS_TALKING_FOLDER_H
#define MDM_TESTS_TALKING_FOLDER_H

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "common/ok.h"
#include "common/random_weights.h"

#define TALKING_GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/echomimic"

enum {
    TALKING_SIDE = 64,
    TALKING_FRAMES = 25,
    TALKING_SHORT = 10,
    TALKING_LATENT = 4 * 8 * 8,
    TALKING_SAMPLES = 17600
};

static inline void talking_write(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ok(mdm_file_write(path, text, strlen(text)));
}

static inline void talking_weights(const char *folder, const char *name, const char *shapes)
{
    char path[256];
    snprintf(path, sizeof path, TALKING_GOLDEN "/%s.json", shapes);
    json_t *json = weight_shapes(path);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    random_weights(path, json, 1);
    json_decref(json);
}

/* All four modes share their weights. */
static inline void talking_make_folder(const char *folder)
{
    static const char *const modes[] = {"", "_acc", "_pose", "_pose_acc"};
    char path[256];
    snprintf(path, sizeof path, "%s/audio_processor", folder);
    ok(mdm_make_folder(path, 0700));
    snprintf(path, sizeof path, "%s/sd-vae-ft-mse", folder);
    ok(mdm_make_folder(path, 0700));
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "denoising_unet%s.safetensors", modes[i]);
        talking_weights(folder, path, "denoising-unet");
        snprintf(path, sizeof path, "motion_module%s.safetensors", modes[i]);
        talking_weights(folder, path, "motion-module");
    }
    talking_weights(folder, "reference_unet.safetensors", "reference-unet");
    talking_weights(folder, "reference_unet_pose.safetensors", "reference-unet");
    talking_weights(folder, "face_locator.safetensors", "face-locator-1");
    talking_weights(folder, "face_locator_pose.safetensors", "face-locator-3");
    talking_weights(folder, "audio_processor/whisper_tiny.safetensors", "whisper-encoder");
    talking_weights(folder, "sd-vae-ft-mse/diffusion_pytorch_model.safetensors", "vae");
    talking_write(
        folder, "echomimic.json",
        "{\"sample_size\": 64, \"block_out_channels\": [8, 16, 24, 24], \"heads\": 2, \"norm_num_groups\": 8, "
        "\"face_locator_channels\": [4, 6, 8, 12], \"whisper\": {\"layers\": 2, \"width\": 24, \"heads\": 2}}");
    talking_write(folder, "sd-vae-ft-mse/config.json",
                  "{\"block_out_channels\": [8, 12, 16, 16], \"norm_num_groups\": 4, \"layers_per_block\": 2, "
                  "\"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\", "
                  "\"DownEncoderBlock2D\"], \"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", "
                  "\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}");
}

/* The portrait: TALKING_SIDE squared RGB bytes. */
static inline void talking_portrait(uint8_t *rgb)
{
    mdm_random random;
    mdm_random_seed(&random, 1, "picture");
    for (int i = 0; i < 3 * TALKING_SIDE * TALKING_SIDE; i++)
        rgb[i] = (uint8_t)(mdm_random_uniform(&random) * 256);
}

/* The sound: TALKING_SAMPLES 16-bit samples at 16 kHz. */
static inline void talking_sound(int16_t *samples)
{
    mdm_random random;
    mdm_random_seed(&random, 1, "sound");
    for (int i = 0; i < TALKING_SAMPLES; i++)
        samples[i] = (int16_t)rintf(mdm_random_normal(&random) * 3000);
}

/* The first noise: [TALKING_FRAMES][TALKING_LATENT]. */
static inline void talking_noise(float *noise, uint64_t seed)
{
    for (int i = 0; i < TALKING_FRAMES; i++) {
        char key[32];
        snprintf(key, sizeof key, "frame-%d", i);
        float *one = random_normals(seed, key, TALKING_LATENT);
        memcpy(noise + i * TALKING_LATENT, one, TALKING_LATENT * sizeof *one);
        mdm_free(&one);
    }
}

/* Landmarks: [TALKING_FRAMES][478][2]. */
static inline void talking_landmarks(float *points)
{
    float *base = random_normals(1, "landmarks", 478 * 2);
    for (int i = 0; i < TALKING_FRAMES; i++)
        for (int k = 0; k < 478 * 2; k++)
            points[i * 478 * 2 + k] = (base[k] * 14.0f + TALKING_SIDE / 2) + 0.25f * (float)i;
    mdm_free(&base);
}

#endif
