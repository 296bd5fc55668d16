/* The figures of the whole dataset: totals, judges, each delivered clip, the quarantine. */
#include <string.h>

#include "dataset/pack.h"

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void add_to(json_t *totals, const char *key, long long value)
{
    json_object_set_new(totals, key, json_integer(whole(totals, key) + value));
}

/* Adds one clip's figures to the totals. */
static void count_clip(json_t *totals, json_t *persons, const mdm_pack_clip *clip)
{
    static const char *const counts[] = {"face", "replaced", "covered", "none"};
    size_t i;
    json_t *person;
    add_to(totals, "clips", 1);
    add_to(totals, clip->passed ? "delivered" : "quarantined", 1);
    if (!clip->passed)
        return;
    add_to(totals, "frames", whole(json_object_get(clip->clip, "video"), "frames"));
    add_to(totals, "uncovered_faces", whole(json_object_get(clip->evidence, "uncovered"), "faces"));
    json_array_foreach(json_object_get(clip->evidence, "persons"), i, person)
    {
        const json_t *frames = json_object_get(person, "frames");
        const char *id = json_string_value(json_object_get(person, "id"));
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            char key[32] = "face_frames_";
            memcpy(key + 12, counts[k], strlen(counts[k]) + 1);
            add_to(totals, key, whole(frames, counts[k]));
        }
        if (id)
            json_object_set_new(persons, id, json_true());
    }
}

/* Judges by name and what they measure; the same network in several clips is the line of the one in which it knew fewest. */
static void merge_judges(json_t *judges, const json_t *more)
{
    size_t i, k;
    json_t *judge, *known;
    json_array_foreach((json_t *)more, i, judge)
    {
        json_t *same = NULL;
        json_array_foreach(judges, k, known)
        {
            if (json_equal(json_object_get(known, "name"), json_object_get(judge, "name")) &&
                json_equal(json_object_get(known, "measures"), json_object_get(judge, "measures")))
                same = known;
        }
        if (!same) {
            json_array_append_new(judges, json_deep_copy(judge));
            continue;
        }
        json_t *old = json_object_get(same, "true_match_rate"), *rate = json_object_get(judge, "true_match_rate");
        if (json_is_number(rate) && (!json_is_number(old) || json_number_value(rate) < json_number_value(old)))
            json_object_update(same, judge);
    }
}

/* Codes only: the texts may speak of what was seen in the source. */
static json_t *reason_codes(const mdm_pack_clip *clip)
{
    size_t i, k;
    json_t *reason, *have, *codes = json_array();
    json_array_foreach(json_object_get(clip->evidence, "reasons"), i, reason)
    {
        json_t *code = json_object_get(reason, "code");
        bool known = !json_is_string(code);
        json_array_foreach(codes, k, have) known = known || json_equal(have, code);
        if (!known)
            json_array_append(codes, code);
    }
    if (clip->failure)
        json_array_append_new(codes, json_string(clip->failure));
    return codes;
}

/* A figure about so few persons would tell what one of them is. */
enum { FEWEST_PERSONS = 5 };

mdm_status mdm_report_json(json_t **out, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count)
{
    json_t *totals = json_object(), *persons = json_object(), *judges = json_array(), *rows = json_array(),
           *quarantine = json_array();
    mdm_status status = MDM_OK;
    static const char *const zero[] = {
        "clips",           "delivered",        "quarantined",          "frames",
        "uncovered_faces", "face_frames_face", "face_frames_replaced", "face_frames_covered",
        "face_frames_none"};
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++)
        json_object_set_new(totals, zero[i], json_integer(0));
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        count_clip(totals, persons, &clips[i]);
        merge_judges(judges, json_object_get(clips[i].evidence, "judges"));
        json_t *row = NULL;
        if (clips[i].passed) {
            status = mdm_pack_shared_evidence(&row, &clips[i]);
            json_array_append_new(rows, row);
        } else {
            json_array_append_new(
                quarantine, json_pack("{s:s, s:o}", "clip_id", clips[i].clip_id, "reasons", reason_codes(&clips[i])));
        }
    }
    size_t person_count = json_object_size(persons);
    json_object_set_new(totals, "persons", json_integer((json_int_t)person_count));
    json_decref(persons);
    *out = json_pack("{s:i, s:{s:s, s:s}, s:o, s:o, s:o, s:o}", "version", 1, "tool", "name", "mmdm", "version",
                     info->version, "totals", totals, "judges", judges, "clips", rows, "quarantine", quarantine);
    json_object_set(*out, "policy", (json_t *)info->policy);
    json_t *channels = json_copy((json_t *)info->channels);
    json_object_del(channels, "cover"); /* where something was covered is nobody's business */
    json_object_set_new(*out, "channels", channels);
    json_t *residual = json_object();
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        const char *why = mdm_context_residual(info->settings, (mdm_context)c);
        if (why)
            json_object_set_new(residual, mdm_context_name((mdm_context)c), json_string(why));
    }
    json_object_set_new(*out, "as_recorded_all_the_same", residual);
    if (strcmp(info->settings->transcribe, "gemini") == 0)
        json_object_set_new(*out, "sound_sent",
                            json_pack("{s:s, s:s}", "to", "Google", "model", info->settings->gemini_model));
    json_object_set(*out, "attacks", info->attacks ? (json_t *)info->attacks : json_null());
    bool enough = info->redrawn && person_count >= FEWEST_PERSONS;
    json_object_set(*out, "redrawn", enough ? (json_t *)info->redrawn : json_null());
    return status;
}
