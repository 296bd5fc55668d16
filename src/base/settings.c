/* Names of the contexts, and which of them stay whatever was asked. */
#include "base/settings.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

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

mdm_status mdm_split_shares(int out[3], const char *text)
{
    int share[3] = {0}, count = 0, sum = 0;
    bool good = *text != '\0';
    for (const char *at = text; good && *at; count++) {
        int digits = 0, value = 0;
        for (; isdigit((unsigned char)*at) && digits < 4; at++, digits++)
            value = 10 * value + (*at - '0');
        good = digits > 0 && digits < 4 && count < 3 && (*at == '\0' || (*at == ',' && at[1]));
        if (good)
            share[count] = value, sum += value;
        at += *at == ',';
    }
    if (!good || sum != 100 || count < 2)
        return mdm_fail(MDM_ERR_USAGE,
                        "--split: '%s' is not percent of training, validation and test that add up to 100, as 80,10,10",
                        text);
    out[0] = share[0];
    out[1] = count == 3 ? share[1] : 0;
    out[2] = share[count - 1];
    return MDM_OK;
}
