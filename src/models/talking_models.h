/* The published talking portraits: where they are to be had, under which licence, and how large. */
#ifndef MDM_MODELS_TALKING_MODELS_H
#define MDM_MODELS_TALKING_MODELS_H

#include "models/talking_portrait.h"

typedef struct mdm_talking_model {
    const char *name;       /* of the backend */
    const char *repository; /* on the Hugging Face Hub */
    const char *licence;    /* what can be said of it without seeing the weights' pages */
    double gigabytes;       /* of all modes */
} mdm_talking_model;

extern const mdm_talking_model mdm_echomimic;

/* The folder in the hub's cache; MDM_ERR_DEVICE says what to pull, how large it is and under which licence. Caller frees. */
mdm_status mdm_talking_model_folder(char **out, const mdm_talking_model *model);

#endif
