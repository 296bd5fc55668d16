/* The part of the plan that one clip's stages read. */
#include <string.h>

#include "base/memory.h"
#include "stages/plan.h"

/* A person's entry as the clip sees it: its own tracks instead of the list of clips. */
static json_t *person_for_clip(const json_t *person, const char *clip_id)
{
    static const char *const copied[] = {"id", "action", "keep", "coarsen", "redraw", "remove", "standin"};
    json_t *tracks = json_object_get(json_object_get(person, "clips"), clip_id);
    if (!tracks || json_array_size(tracks) == 0)
        return NULL;
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        json_object_set(out, copied[i], json_object_get(person, copied[i]));
    json_object_set(out, "tracks", tracks);
    json_t *stretches = json_object_get(json_object_get(person, "cover_frames"), clip_id);
    if (stretches)
        json_object_set(out, "cover_frames", stretches);
    return out;
}

static bool holds_track(const json_t *persons, int track)
{
    size_t i, k;
    json_t *person, *number;
    json_array_foreach((json_t *)persons, i, person)
    {
        json_array_foreach(json_object_get(person, "tracks"), k, number)
        {
            if (json_integer_value(number) == track)
                return true;
        }
    }
    return false;
}

mdm_status mdm_plan_for_clip(json_t **out, const json_t *plan, const char *clip_id, const int *track_ids,
                             size_t track_count)
{
    static const char *const copied[] = {"version", "seed", "mode", "identity", "policy"};
    static const char *const channels[] = {"words", "voice", "metadata"};
    size_t i;
    json_t *person, *persons = json_array(), *clip = json_object();
    const json_t *treatments = json_object_get(plan, "channels");
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        json_t *entry = person_for_clip(person, clip_id);
        if (entry)
            json_array_append_new(persons, entry);
    }
    mdm_status status = MDM_OK;
    for (size_t t = 0; t < track_count && status == MDM_OK; t++)
        if (!holds_track(persons, track_ids[t]))
            status = mdm_fail(MDM_ERR_CONFIG,
                              "plan: %s: track %d belongs to no person; every face needs one (with "
                              "\"action\": \"cover\" if it is not to be replaced)",
                              clip_id, track_ids[t]);
    for (i = 0; i < sizeof copied / sizeof copied[0]; i++)
        json_object_set(clip, copied[i], json_object_get(plan, copied[i]));
    for (i = 0; i < sizeof channels / sizeof channels[0]; i++)
        json_object_set(clip, channels[i], json_object_get(treatments, channels[i]));
    json_object_set_new(clip, "clip_id", json_string(clip_id));
    json_object_set_new(clip, "persons", persons);
    json_object_set_new(clip, "regions",
                        json_pack("{s:O, s:O, s:O}", "plates", json_object_get(treatments, "plates"), "text",
                                  json_object_get(treatments, "text"), "cover", json_object_get(treatments, "cover")));
    if (status != MDM_OK)
        json_decref(clip);
    else
        *out = clip;
    return status;
}
