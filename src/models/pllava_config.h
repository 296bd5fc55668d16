/* The sizes of a PLLaVA checkpoint: CLIP's picture side, projector and pooling, and the LLaMA that writes; published ones as a table,
 * any other from its config.json. */
#ifndef MDM_MODELS_PLLAVA_CONFIG_H
#define MDM_MODELS_PLLAVA_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "models/clip_vision.h"
#include "models/pllava_projector.h"

typedef struct mdm_llama_sizes {
    int layers, width, heads, key_heads; /* key_heads: of keys and values, which several heads may share */
    int hidden;                          /* of the gated network in each block */
    int vocabulary, context;             /* tokens it knows, and positions it was trained for */
    double epsilon, rope_base;
} mdm_llama_sizes;

typedef struct mdm_pllava_sizes {
    mdm_clip_vision_sizes vision;
    mdm_pllava_projector_sizes projector;
    mdm_llama_sizes language;
    int image_token; /* stands for the clip in a prompt; has no vector of its own */
} mdm_pllava_sizes;

typedef struct mdm_pllava_published {
    const char *name;
    mdm_pllava_sizes sizes;
} mdm_pllava_published;

/* pllava-7b, -13b and -34b; `count` of them. */
const mdm_pllava_published *mdm_pllava_table(int *count);

/* Parameters of the language model. */
int64_t mdm_llama_parameters(const mdm_llama_sizes *sizes);

/* Reads FOLDER/config.json. MDM_ERR_INPUT names file, field, what it says and what was expected: a field that asks for something our
 * networks do not do is an error. */
mdm_status mdm_pllava_config_read(mdm_pllava_sizes *out, const char *folder);
/* The same of its text (NULL: there is none), for messages called `where`. */
mdm_status mdm_pllava_config_parse(mdm_pllava_sizes *out, const char *text, const char *where);

#endif
