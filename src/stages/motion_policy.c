/* What the plan says about a person's motion, for animate. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/animate.h"

/* Kept unless the plan's lists say otherwise; a context in no list at all was not kept. */
static mdm_treatment treatment_of(const json_t *person, mdm_context context)
{
    const char *name = mdm_context_name(context);
    size_t i;
    json_t *removed;
    if (json_object_get(json_object_get(person, "keep"), name))
        return MDM_KEEP;
    if (json_object_get(json_object_get(person, "coarsen"), name))
        return MDM_COARSEN;
    json_array_foreach(json_object_get(person, "remove"), i, removed)
    {
        if (json_is_string(removed) && strcmp(json_string_value(removed), name) == 0)
            return MDM_REMOVE;
    }
    return MDM_REDRAW;
}

void mdm_motion_policy_of(mdm_motion_policy *out, const json_t *plan, const json_t *person)
{
    const char *seed = json_string_value(json_object_get(plan, "seed"));
    const char *clip = json_string_value(json_object_get(plan, "clip_id"));
    const char *key = json_string_value(json_object_get(json_object_get(person, "standin"), "seed_key"));
    *out = (mdm_motion_policy){
        .expression = treatment_of(person, MDM_CONTEXT_EXPRESSION),
        .mouth = treatment_of(person, MDM_CONTEXT_MOUTH),
        .eyes = treatment_of(person, MDM_CONTEXT_EYES),
        .gaze = treatment_of(person, MDM_CONTEXT_GAZE),
        .race =
            treatment_of(person, MDM_CONTEXT_RACE) == MDM_KEEP || treatment_of(person, MDM_CONTEXT_RACE) == MDM_COARSEN,
        .seed = seed ? strtoull(seed, NULL, 10) : 0,
    };
    snprintf(out->key, sizeof out->key, "%.100s/%.40s", key ? key : "", clip ? clip : "");
}
