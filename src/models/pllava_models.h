/* The published PLLaVAs: where they are to be had, under which licence, and how large. */
#ifndef MDM_MODELS_PLLAVA_MODELS_H
#define MDM_MODELS_PLLAVA_MODELS_H

#include "base/status.h"

typedef struct mdm_pllava_model {
    const char *name;       /* "pllava-7b" */
    const char *repository; /* on the Hugging Face Hub */
    const char *licence;    /* what can be said of it without seeing the weights' pages */
    double gigabytes;       /* of 16-bit weights, by their parameters */
} mdm_pllava_model;

/* The table, `count` of them; never freed. */
const mdm_pllava_model *mdm_pllava_models(int *count);
/* NULL when none is called so. */
const mdm_pllava_model *mdm_pllava_model_named(const char *name);

/* The folder of pllava-7b in the hub's cache; MDM_ERR_DEVICE says what to pull, how large it is and under which licence. Caller frees. */
mdm_status mdm_pllava_model_folder(char **out);

#endif
