/* What the plan does about a person who is still recognised in the result. */
#include <stdio.h>
#include <string.h>

#include "stages/plan.h"

#define SHARE_FEW  0.08 /* of a person's frames: so few are covered at once, */
#define SHARE_LAST 0.25 /* so many when no other stand-in is left to try */

static json_int_t length_of(const json_t *stretches)
{
    json_int_t frames = 0;
    size_t i;
    json_t *stretch;
    json_array_foreach(stretches, i, stretch)
    {
        frames += json_integer_value(json_array_get(stretch, 1)) - json_integer_value(json_array_get(stretch, 0)) + 1;
    }
    return frames;
}

/* The stretches are added to those that are covered already. */
static bool cover_stretches(json_t *entry, const char *clip_id, const json_t *stretches, json_int_t frames,
                            double share)
{
    json_t *clips = json_object_get(entry, "cover_frames"), *covered = json_object_get(clips, clip_id);
    const size_t count = json_array_size(stretches) + json_array_size(covered);
    if (!json_array_size(stretches) || count > MDM_PLAN_STRETCHES ||
        (double)(length_of(stretches) + length_of(covered)) > share * (double)frames)
        return false;
    if (!clips) {
        clips = json_object();
        json_object_set_new(entry, "cover_frames", clips);
    }
    if (!covered) {
        covered = json_array();
        json_object_set_new(clips, clip_id, covered);
    }
    json_array_extend(covered, (json_t *)stretches);
    return true;
}

static void draw_again(json_t *entry, json_t *standin, int attempt)
{
    char key[160];
    const char *old = json_string_value(json_object_get(standin, "seed_key"));
    const size_t stem = strcspn(old, "#");
    snprintf(key, sizeof key, "%.*s#%d", (int)(stem < 120 ? stem : 120), old, attempt);
    json_object_set_new(standin, "attempt", json_integer(attempt));
    json_object_set_new(standin, "seed_key", json_string(key));
    json_object_del(entry, "cover_frames"); /* the other stand-in's */
}

mdm_plan_retried mdm_plan_retry(json_t *plan, const char *person, const char *clip_id, int attempts,
                                const json_t *stretches, json_int_t frames)
{
    size_t i;
    json_t *entry;
    mdm_plan_retried did = MDM_PLAN_NOTHING;
    json_array_foreach(json_object_get(plan, "persons"), i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        json_t *standin = json_object_get(entry, "standin");
        if (!id || strcmp(id, person) != 0 || !json_object_get(json_object_get(entry, "clips"), clip_id))
            continue;
        if (strcmp(json_string_value(json_object_get(entry, "action")), "replace") != 0)
            continue;
        const int attempt = (int)json_integer_value(json_object_get(standin, "attempt")) + 1;
        if (cover_stretches(entry, clip_id, stretches, frames, attempt < attempts ? SHARE_FEW : SHARE_LAST)) {
            did = MDM_PLAN_STRETCHES_COVERED;
        } else if (attempt < attempts) {
            draw_again(entry, standin, attempt);
            did = MDM_PLAN_DRAWN_AGAIN;
        } else {
            json_object_set_new(entry, "action", json_string("cover"));
            json_object_del(entry, "cover_frames");
            did = MDM_PLAN_COVERED;
        }
    }
    return did;
}
