/* PLLaVA: a clip's frames are shown to it, and it answers questions about them. Source: Xu et al., 2024 (arXiv 2404.16994). */
#ifndef MDM_MODELS_PLLAVA_H
#define MDM_MODELS_PLLAVA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "media/image.h"
#include "models/language_model.h"
#include "models/pllava_config.h"

typedef struct mdm_pllava mdm_pllava;

#define MDM_PLLAVA_PROMPT                                                                                              \
    1392 /* positions for what is asked: with 400 written and the clip's 2,304 it is a context of 4,096 */

typedef struct mdm_pllava_options {
    const char *path; /* a checkpoint folder, or NAME.gguf of a pair (pllava_files.h) */
    const char *
        precision; /* "f32", "f16", "q8_0", "q4_K" or "q4_0": how a folder's weights are kept; of a pair, what sees: "f32" or another */
    double lora_alpha; /* of a folder's LoRA, which counts alpha / rank; the authors' 4 gives the most */
    int text_room;     /* positions of the language model beside the clip's; 0: MDM_PLLAVA_PROMPT and 400 */
    int threads;       /* >= 1 */
} mdm_pllava_options;

/* MDM_ERR_DEVICE: it is not there; MDM_ERR_INPUT: it is not complete or would write nonsense. */
mdm_status mdm_pllava_open(mdm_pllava **out, const mdm_pllava_options *options);
void mdm_pllava_free(mdm_pllava **pllava);

const mdm_pllava_sizes *mdm_pllava_sizes_of(const mdm_pllava *pllava);
/* Its language model, to be looked at. */
mdm_language_model *mdm_pllava_language(mdm_pllava *pllava);
/* The name of the template its words are meant for: "recaption", or "recaption-llavanext". */
const char *mdm_pllava_template_of(const mdm_pllava *pllava);

/* Puts `picture` (RGB) in the place of frame `index` of sizes.projector.frames. */
mdm_status mdm_pllava_show(mdm_pllava *pllava, int index, const mdm_image *picture, bool letterbox);
/* Looks at all frames that were shown. */
mdm_status mdm_pllava_look(mdm_pllava *pllava);

/* What it was shown and what it saw, until the next look: pixels [frames][3][side][side], features [frames][grid * grid][width of
 * CLIP], tokens [tokens][width of the language model]. NULL before. */
typedef struct mdm_pllava_seen {
    const float *pixels, *features, *tokens;
} mdm_pllava_seen;
mdm_pllava_seen mdm_pllava_seen_of(const mdm_pllava *pllava);

/* Reads text, the clip, text, after forgetting what was before: a caller then goes on with mdm_language_model_write. `progress` may
 * stop it. */
mdm_status mdm_pllava_ask(mdm_pllava *pllava, const char *before, const char *after, const mdm_progress *progress);

#endif
