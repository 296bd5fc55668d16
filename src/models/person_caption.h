/* People in words, the way CosmicMan was trained (Li et al., 2024, "Annotate Anyone"): a shot and 20 groups of attributes, each
 * from a declared list of words, as a struct, as a caption and back; and one group of our own, of what a stand-in must look like.
 *
 *     A headshot, a European adult female, slim, facing the camera neutral expression even light, a plain wall, short straight black hair
 */
#ifndef MDM_MODELS_PERSON_CAPTION_H
#define MDM_MODELS_PERSON_CAPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"
#include "base/status.h"
#include "nn/clip_tokenizer.h"

/* In the order of the caption, so that cutting its end costs clothes before it costs who it is. */
enum {
    MDM_CAPTION_WHO, /* country, age, gender */
    MDM_CAPTION_BODY,
    MDM_CAPTION_LOOK,       /* not one of the training's: what makes a portrait that can be animated, and glasses */
    MDM_CAPTION_BACKGROUND, /* any words without a comma */
    MDM_CAPTION_HAIR,
    MDM_CAPTION_SPECIAL, /* one-piece wear */
    MDM_CAPTION_DRESS,
    MDM_CAPTION_TOP,
    MDM_CAPTION_COAT,
    MDM_CAPTION_BOTTOM,
    MDM_CAPTION_SHOES,
    MDM_CAPTION_BAG,
    MDM_CAPTION_HAT,
    MDM_CAPTION_BELT,
    MDM_CAPTION_SCARF,
    MDM_CAPTION_STYLE,
    MDM_CAPTION_HEADBAND,
    MDM_CAPTION_HEADSCARF,
    MDM_CAPTION_VEIL,
    MDM_CAPTION_SOCKS,
    MDM_CAPTION_TIES,
    MDM_CAPTION_GROUPS,
};

#define MDM_CAPTION_FIELDS 8  /* of a group, at most */
#define MDM_CAPTION_WORD   64 /* bytes of a value, with its end */
#define MDM_CAPTION_TEXT   1024

/* "" is not said. A group of which nothing is said is left out. */
typedef struct mdm_caption {
    char shot[MDM_CAPTION_WORD];
    char value[MDM_CAPTION_GROUPS][MDM_CAPTION_FIELDS][MDM_CAPTION_WORD];
} mdm_caption;

/* Name of field `field` of a group ("hair color"), NULL past its last. */
const char *mdm_caption_field(int group, int field);
/* The declared words of a field; NULL and 0 for MDM_CAPTION_BACKGROUND, which is free. `group` -1: the shots. */
const char *const *mdm_caption_words(int *count, int group, int field);
/* Sets a value; MDM_ERR_INPUT when it is not one of the declared words. */
mdm_status mdm_caption_set(mdm_caption *caption, int group, int field, const char *value);

/* The caption with at most the first `groups` groups of which something is said. */
void mdm_caption_print(char text[MDM_CAPTION_TEXT], const mdm_caption *caption, int groups);
/* The same with as many groups as fit into the encoder's `length` tokens (77); *kept (may be NULL): how many those are. */
mdm_status mdm_caption_fit(char text[MDM_CAPTION_TEXT], const mdm_caption *caption, const mdm_clip_tokenizer *tokenizer,
                           int length, int *kept);
/* The struct behind a caption, adjectives in any order. MDM_ERR_INPUT naming the phrase that is in no group. */
mdm_status mdm_caption_parse(mdm_caption *caption, const char *text);

/* A headshot that can be animated of somebody as planned (classes as in the plan, "30-39", "female", "White"; NULL: not said): frontal,
 * neutral, evenly lit, plain wall, plain clothes. Hair and clothes, which a plan does not name, are drawn from the declared words. */
mdm_status mdm_caption_of_standin(mdm_caption *caption, const char *age, const char *gender, const char *race,
                                  bool glasses, mdm_random *random);

#endif
