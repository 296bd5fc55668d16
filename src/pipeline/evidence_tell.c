/* evidence.json in plain words, for `mmdm verify`. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "mmdm.h"

typedef struct teller {
    void (*say)(void *user, const char *line);
    void *user;
    mdm_buffer line;
} teller;

static double real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void end_line(teller *t)
{
    t->say(t->user, t->line.data ? (const char *)t->line.data : "");
    t->line.size = 0;
}

static mdm_status tell_recognisers(teller *t, const json_t *person)
{
    const char *name;
    json_t *judge;
    json_object_foreach(json_object_get(person, "reidentification"), name, judge)
    {
        const json_t *rate = json_object_get(judge, "true_match_rate");
        MDM_TRY(mdm_buffer_printf(
            &t->line, "    %s: recognised in %lld of %lld frames, on average %.2f (the same person %s %.2f); ", name,
            whole(judge, "match_frames"), whole(judge, "frames"), real(judge, "clip_average"),
            json_is_true(json_object_get(judge, "higher_is_closer")) ? "from" : "under", real(judge, "threshold")));
        if (json_is_number(rate))
            MDM_TRY(mdm_buffer_printf(&t->line, "knows the recording's own frames again in %.0f %%",
                                      100 * json_number_value(rate)));
        else
            MDM_TRY(mdm_buffer_printf(&t->line, "too few own frames to know its rate"));
        MDM_TRY(mdm_buffer_printf(&t->line, json_is_true(json_object_get(judge, "decides")) ? "; decides" : ""));
        end_line(t);
    }
    return MDM_OK;
}

static mdm_status tell_contexts(teller *t, const json_t *person)
{
    const char *name, *key;
    json_t *context, *value;
    json_object_foreach(json_object_get(person, "contexts"), name, context)
    {
        MDM_TRY(mdm_buffer_printf(&t->line, "    %s (%s):", name,
                                  json_string_value(json_object_get(context, "treatment"))));
        json_object_foreach(context, key, value)
        {
            const char *axis;
            json_t *angle;
            if (json_is_integer(value))
                MDM_TRY(mdm_buffer_printf(&t->line, " %s %lld", key, (long long)json_integer_value(value)));
            else if (json_is_real(value))
                MDM_TRY(mdm_buffer_printf(&t->line, " %s %.3g", key, json_real_value(value)));
            else if (json_is_boolean(value) && strcmp(key, "independent") != 0)
                MDM_TRY(mdm_buffer_printf(&t->line, " %s %s", key, json_is_true(value) ? "yes" : "no"));
            else if (json_is_string(value) && strcmp(key, "treatment") != 0 && strcmp(key, "judge") != 0)
                MDM_TRY(mdm_buffer_printf(&t->line, " %s %s", key, json_string_value(value)));
            else if (json_is_object(value)) {
                MDM_TRY(mdm_buffer_printf(&t->line, " %s", key));
                json_object_foreach(value, axis, angle)
                    MDM_TRY(mdm_buffer_printf(&t->line, " %s %.1f", axis, json_number_value(angle)));
            }
        }
        MDM_TRY(mdm_buffer_printf(&t->line, " [%s%s]", json_string_value(json_object_get(context, "judge")),
                                  json_is_true(json_object_get(context, "independent")) ? "" : ", not independent"));
        end_line(t);
    }
    return MDM_OK;
}

static mdm_status tell_person(teller *t, const json_t *person)
{
    const json_t *frames = json_object_get(person, "frames");
    MDM_TRY(mdm_buffer_printf(&t->line, "%s: %lld frames with a face: %lld replaced, %lld covered, %lld neither",
                              json_string_value(json_object_get(person, "id")), whole(frames, "face"),
                              whole(frames, "replaced"), whole(frames, "covered"), whole(frames, "none")));
    end_line(t);
    MDM_TRY(tell_recognisers(t, person));
    MDM_TRY(tell_contexts(t, person));
    const json_t *detected = json_object_get(person, "detected");
    if (json_is_object(detected)) {
        MDM_TRY(mdm_buffer_printf(&t->line, "    a detector finds the face in %lld of %lld looks that showed it before",
                                  whole(detected, "after"), whole(detected, "before")));
        end_line(t);
    }
    MDM_TRY(mdm_buffer_printf(&t->line, "    flicker %.2f times the recording's", real(person, "flicker_ratio")));
    if (json_is_number(json_object_get(person, "pulse_correlation")))
        MDM_TRY(mdm_buffer_printf(&t->line, "; pulse signals correlate by %.2f", real(person, "pulse_correlation")));
    end_line(t);
    return MDM_OK;
}

static mdm_status tell(teller *t, const json_t *evidence)
{
    size_t i;
    json_t *entry;
    const json_t *uncovered = json_object_get(evidence, "uncovered"),
                 *untouched = json_object_get(evidence, "untouched");
    json_array_foreach(json_object_get(evidence, "persons"), i, entry) MDM_TRY(tell_person(t, entry));
    MDM_TRY(mdm_buffer_printf(&t->line, "uncovered faces: %lld in %lld frames (CenterFace)", whole(uncovered, "faces"),
                              whole(uncovered, "frames")));
    if (json_is_object(untouched))
        MDM_TRY(mdm_buffer_printf(&t->line, "; untouched pixels: %.1f dB, at most %lld apart", real(untouched, "psnr"),
                                  whole(untouched, "max_diff")));
    end_line(t);
    json_array_foreach(json_object_get(evidence, "reasons"), i, entry)
    {
        MDM_TRY(mdm_buffer_printf(&t->line, "FAULT %s: %s", json_string_value(json_object_get(entry, "code")),
                                  json_string_value(json_object_get(entry, "text"))));
        end_line(t);
    }
    MDM_TRY(mdm_buffer_printf(&t->line, json_is_true(json_object_get(evidence, "pass")) ? "passed" : "not passed"));
    end_line(t);
    return MDM_OK;
}

mdm_status mdm_evidence_tell(const char *folder, void (*say)(void *user, const char *line), void *user)
{
    json_t *evidence;
    teller t = {.say = say, .user = user};
    mdm_status status = mdm_json_load_from(&evidence, folder, "evidence.json", 0);
    if (!status)
        status = tell(&t, evidence);
    mdm_buffer_free(&t.line);
    json_decref(evidence);
    return status;
}
