/* A PLLaVA model on disk: a checkpoint folder as published (or of any LLaVA of transformers), or the pair of GGUF files that are made of
 * it: NAME.gguf, the language model, and NAME.vision.gguf, what sees. */
#ifndef MDM_MODELS_PLLAVA_FILES_H
#define MDM_MODELS_PLLAVA_FILES_H

#include <stdbool.h>

#include "models/language_checkpoint.h"
#include "models/pllava_config.h"
#include "nn/weights.h"

/* The published scripts' own: of rank 128 it is a scale of 0.03125. */
#define MDM_PLLAVA_LORA_ALPHA 4.0

typedef struct mdm_pllava_files {
    mdm_pllava_sizes sizes;
    mdm_weights *vision;                   /* "vision_tower." and "multi_modal_projector." */
    mdm_weights *language;                 /* NULL of a pair */
    mdm_language_checkpoint *checkpoint;   /* NULL of a pair */
    char *language_file, *folder, *config; /* of a pair its first file; of a folder itself, and its sizes as JSON */
} mdm_pllava_files;

/* Opens either. `precision` and `lora_alpha` are of a folder's language model (language_checkpoint.h). MDM_ERR_DEVICE: nothing is
 * there; MDM_ERR_INPUT: the model is not complete, or would write nonsense. */
mdm_status mdm_pllava_files_open(mdm_pllava_files *out, const char *path, const char *precision, double lora_alpha);
void mdm_pllava_files_close(mdm_pllava_files *files);

/* Whether `path` is a folder with a config.json. */
bool mdm_pllava_is_folder(const char *path);

/* Writes the pair TO (which ends in .gguf) and TO.vision.gguf of a folder, atomically each. precision: "f32", "f16", "q8_0", "q4_K" or
 * "q4_0", of the language model; what sees is kept as f32, f16 or q8_0. */
mdm_status mdm_pllava_convert(const char *to, const char *folder, const char *precision, double lora_alpha);

/* How what sees is kept beside a language model of `precision`. */
mdm_store mdm_pllava_vision_store(const char *precision);

#endif
