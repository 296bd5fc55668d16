/* Names of the contexts, and which of them stay whatever was asked. */
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

const char *mdm_context_residual(const mdm_settings *settings, mdm_context context)
{
    if (settings->context[context] == MDM_KEEP)
        return NULL;
    if (settings->mode == MDM_MODE_SCENE && context == MDM_CONTEXT_SCENE)
        return "scene mode keeps the footage around the faces";
    if (context == MDM_CONTEXT_HEAD_POSE)
        return "a stand-in's head is where and as the person's was";
    if (settings->voice == MDM_VOICE_MASK && context == MDM_CONTEXT_PROSODY)
        return "masking a voice shifts it but leaves its melody and pace";
    return NULL;
}
