/* The reduced PLLaVA of tools/make_pllava_goldens.py as a folder like the published ones, with its random weights. Include after
 * <cmocka.h>. */
#ifndef MDM_TESTS_PLLAVA_FOLDER_H
#define MDM_TESTS_PLLAVA_FOLDER_H

#include <stdio.h>

#include "base/file.h"
#include "common/ok.h"
#include "common/random_weights.h"
#include "media/image.h"

#define PLLAVA_GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/pllava"

/* FRAMES, BEFORE and AFTER of the script */
enum { PLLAVA_FRAMES = 4 };
static const int pllava_frames[PLLAVA_FRAMES][2] = {{90, 51}, {88, 50}, {40, 40}, {51, 90}};
#define PLLAVA_BEFORE "USER: "
#define PLLAVA_AFTER  "\n USER: describe the video. ASSISTANT:"

static inline void pllava_copy(const char *from, const char *to, const char *name)
{
    char source[256], target[256];
    snprintf(source, sizeof source, PLLAVA_GOLDEN "/%s/%s", from, name);
    snprintf(target, sizeof target, "%s/%s", to, name);
    ok(mdm_copy_file(source, target));
}

/* Names and shapes of all its weights. */
static inline json_t *pllava_shapes(void)
{
    json_t *shapes = weight_shapes(PLLAVA_GOLDEN "/vision.json"),
           *language = weight_shapes(PLLAVA_GOLDEN "/language.json");
    json_object_update(shapes, language);
    json_decref(language);
    return shapes;
}

/* `tokenizer`: "model" or "tokenizer-first" */
static inline void pllava_make_folder(const char *folder, const char *tokenizer)
{
    char path[256];
    ok(mdm_make_folder(folder, 0700));
    pllava_copy("model", folder, "config.json");
    pllava_copy(tokenizer, folder, "tokenizer.json");
    pllava_copy(tokenizer, folder, "tokenizer_config.json");
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    json_t *shapes = pllava_shapes();
    random_weights(path, shapes, 1);
    json_decref(shapes);
}

/* The script's picture(width, height). */
static inline void pllava_picture(mdm_image *out, int width, int height)
{
    mdm_random random;
    char key[64];
    snprintf(key, sizeof key, "picture %dx%d", width, height);
    mdm_random_seed(&random, 1, key);
    ok(mdm_image_new(out, width, height, 3));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int ramp[3] = {x * 255 / width, y * 255 / height, (x + y) % 256};
            for (int c = 0; c < 3; c++)
                out->data[(size_t)y * out->stride + (size_t)(x * 3 + c)] =
                    (uint8_t)(((int)(mdm_random_u64(&random) >> 56) + 3 * ramp[c]) / 4);
        }
}

#endif
