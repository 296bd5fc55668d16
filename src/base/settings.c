/* Names of the contexts, in the order of mdm_context. */
#include "base/settings.h"

#include <stddef.h>

const char *mdm_context_name(mdm_context context)
{
    static const char *const names[MDM_CONTEXT_COUNT] = {
        "age",   "gender",  "race",   "expression", "gaze",    "head_pose", "eyes",
        "mouth", "glasses", "speech", "voice",      "prosody", "scene",
    };
    return (int)context >= 0 && context < MDM_CONTEXT_COUNT ? names[context] : NULL;
}
