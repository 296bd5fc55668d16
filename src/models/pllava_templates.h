/* How a question about a clip is put to PLLaVA: who speaks, and where the clip stands in the text. */
#ifndef MDM_MODELS_PLLAVA_TEMPLATES_H
#define MDM_MODELS_PLLAVA_TEMPLATES_H

#include <stdbool.h>

#include "base/status.h"

typedef struct mdm_pllava_template {
    const char *name;
    const char *system;        /* said first, with `end_user` behind it; "" : nothing */
    const char *user, *answer; /* how the two speakers are announced */
    const char *end_user;      /* behind what the user says */
    bool alone;                /* the clip is a turn of the user's own, else it stands before the question */
    const char *clip_end;      /* behind the clip in its turn */
    const char *question;      /* when none is given */
} mdm_pllava_template;

/* "recaption", "plain" (Vicuna), or one of them with "-llavanext" behind (the 34B model); MDM_ERR_USAGE names them. */
mdm_status mdm_pllava_template_find(const mdm_pllava_template **out, const char *name);

/* The text before and after the clip; `system` and `question` are the template's own when NULL. Caller frees both. */
mdm_status mdm_pllava_template_fill(char **before, char **after, const mdm_pllava_template *t, const char *system,
                                    const char *question);

#endif
