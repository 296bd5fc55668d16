/* The published Whispers by name, and the file of the one that is asked for. */
#ifndef MDM_MODELS_WHISPER_MODELS_H
#define MDM_MODELS_WHISPER_MODELS_H

#include <stdbool.h>

#include "base/status.h"

#define MDM_WHISPER_DEFAULT "tiny.en" /* set-up brings it */
#define MDM_WHISPER_LICENCE "MIT (OpenAI)"

typedef struct mdm_whisper_model {
    const char *name;       /* "small" */
    const char *repository; /* of OpenAI's on the Hugging Face Hub */
    double gigabytes;       /* of its weights there */
} mdm_whisper_model;

/* The table, `count` of them; never freed. */
const mdm_whisper_model *mdm_whisper_models(int *count);
/* The one called "whisper-NAME"; NULL when there is none. */
const mdm_whisper_model *mdm_whisper_model_called(const char *name);

/* The whisper.cpp file of a model. `name`: one of the table, perhaps with a precision behind it ("small-q5_1"), which is
 * whisper-NAME.bin in the folder `models`, made there from whisper-NAME-ct2 or from the hub's cache where it is not yet; or a path: a file of
 * whisper.cpp's is taken as it is, other forms (models/whisper_convert.h) are converted into the folder `models` once, under a name made of
 * their weights' checksum. MDM_ERR_DEVICE says what to pull or give. Free *path with mdm_free. */
mdm_status mdm_whisper_model_file(char **path, const char *models, const char *name);

#endif
