/* What is said about one clip in the dataset: its metadata row, and the shared part of its evidence. */
#include <string.h>

#include "base/memory.h"
#include "dataset/pack.h"

/* Copies the named members that are there; others become null, so that all rows have the same columns. */
static void copy_members(json_t *out, const json_t *from, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_object_get(from, names[i]);
        json_object_set_new(out, names[i], value ? json_deep_copy(value) : json_null());
    }
}

#define COPY(out, from, names) copy_members(out, from, names, sizeof(names) / sizeof(names)[0])

/* A context's figures: `before` and everything compared with it only if the context was kept (or its group). */
static json_t *shared_context(const json_t *context)
{
    static const char *const kept[] = {"treatment",
                                       "before",
                                       "after",
                                       "agree",
                                       "agree_frames",
                                       "frames",
                                       "error",
                                       "unit",
                                       "correlation",
                                       "deviation",
                                       "lips",
                                       "lids",
                                       "blink_f1",
                                       "self_agree_frames",
                                       "offset",
                                       "mesh_error",
                                       "perclos",
                                       "perclos_after",
                                       "perclos_difference",
                                       "zone_agreement",
                                       "judge",
                                       "independent"};
    static const char *const other[] = {"treatment", "after", "judge", "independent"};
    const char *treatment = json_string_value(json_object_get(context, "treatment"));
    json_t *out = json_object();
    if (treatment && strcmp(treatment, "keep") == 0) {
        const char *key;
        json_t *value;
        COPY(out, context, kept);
        void *next;
        json_object_foreach_safe(out, next, key, value)
        {
            if (json_is_null(value))
                json_object_del(out, key);
        }
    } else if (treatment && strcmp(treatment, "remove") == 0) {
        json_object_set_new(out, "treatment", json_string("remove"));
    } else {
        COPY(out, context, other);
    }
    return out;
}

static json_t *shared_person(const json_t *person)
{
    static const char *const copied[] = {"id", "frames", "detected", "reidentification", "pulse_correlation"};
    const char *name;
    json_t *context, *contexts = json_object(), *out = json_object();
    COPY(out, person, copied);
    json_object_foreach(json_object_get(person, "contexts"), name, context)
        json_object_set_new(contexts, name, shared_context(context));
    json_object_set_new(out, "contexts", contexts);
    return out;
}

/* Only counts of texts and words leave, never the texts. */
static json_t *shared_counts(const json_t *from, const char *const *names, size_t count)
{
    json_t *out;
    if (!json_is_object(from))
        return json_null();
    out = json_object();
    copy_members(out, from, names, count);
    return out;
}

mdm_status mdm_pack_shared_evidence(json_t **out, const mdm_pack_clip *clip)
{
    static const char *const copied[] = {"untouched", "timing", "flicker_ratio", "voice"};
    static const char *const uncovered[] = {"frames", "faces", "detector"};
    static const char *const text[] = {"regions", "readable_after", "readers"};
    static const char *const words[] = {"personal", "covered_share"};
    static const char *const metadata[] = {"source_tags"};
    size_t i;
    json_t *person, *persons = json_array();
    *out = json_object();
    COPY(*out, clip->evidence, copied);
    json_object_set_new(*out, "uncovered", shared_counts(json_object_get(clip->evidence, "uncovered"), uncovered, 3));
    json_object_set_new(*out, "text", shared_counts(json_object_get(clip->evidence, "text"), text, 3));
    json_object_set_new(*out, "words", shared_counts(json_object_get(clip->evidence, "words"), words, 2));
    json_object_set_new(*out, "metadata", shared_counts(json_object_get(clip->evidence, "metadata"), metadata, 1));
    json_array_foreach(json_object_get(clip->evidence, "persons"), i, person)
        json_array_append_new(persons, shared_person(person));
    json_object_set_new(*out, "persons", persons);
    json_object_set_new(*out, "clip_id", json_string(clip->clip_id));
    return *out ? MDM_OK : mdm_fail(MDM_ERR_MEMORY, "no memory for the evidence of %s", clip->clip_id);
}

/* ---- metadata.jsonl ---------------------------------------------------------------------------------------------------- */

static const json_t *evidence_person(const mdm_pack_clip *clip, const char *id)
{
    size_t i;
    json_t *person;
    json_array_foreach(json_object_get(clip->evidence, "persons"), i, person)
    {
        const char *name = json_string_value(json_object_get(person, "id"));
        if (name && strcmp(name, id) == 0)
            return person;
    }
    return NULL;
}

static bool is_removed(const json_t *person, const char *context)
{
    size_t i;
    json_t *removed;
    json_array_foreach(json_object_get(person, "remove"), i, removed)
    {
        if (strcmp(json_string_value(removed), context) == 0)
            return true;
    }
    return false;
}

/* A stand-in in a row: how it looks, which of that is true of the person, and in how many frames it is there. */
static json_t *row_person(const mdm_pack_clip *clip, const json_t *person)
{
    static const char *const looks[] = {"age", "gender", "race", "glasses"};
    const char *id = json_string_value(json_object_get(person, "id"));
    const json_t *standin = json_object_get(person, "standin");
    const json_t *frames = json_object_get(evidence_person(clip, id), "frames");
    /* What was done counts, not what was planned: a stand-in nobody can see has no look. */
    bool replaced = json_integer_value(json_object_get(frames, "replaced")) > 0;
    json_t *out = json_object(), *kept = json_array();
    json_object_set_new(out, "standin", json_string(id));
    json_object_set_new(out, "action", json_string(replaced ? "replaced" : "covered"));
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        json_t *value = json_object_get(standin, looks[i]);
        bool told = replaced && value && !is_removed(person, looks[i]);
        json_object_set_new(out, looks[i], told ? json_incref(value) : json_null());
    }
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(person, "keep"), name, value) json_array_append_new(kept, json_string(name));
    json_object_set_new(out, "kept", kept);
    static const char *const counts[] = {"face", "replaced", "covered"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char column[32] = "frames_";
        memcpy(column + 7, counts[i], strlen(counts[i]) + 1);
        json_t *number = json_object_get(frames, counts[i]);
        json_object_set_new(out, column, json_is_integer(number) ? json_incref(number) : json_integer(0));
    }
    return out;
}

mdm_status mdm_pack_row(json_t **out, const mdm_pack_clip *clip, const char *file_name)
{
    const json_t *video = json_object_get(clip->clip, "video"), *audio = json_object_get(clip->clip, "audio");
    size_t i;
    json_t *person, *persons = json_array();
    const char *voice = json_string_value(json_object_get(clip->plan, "voice"));
    bool has_sound = json_is_object(audio) && voice && strcmp(voice, "remove") != 0;
    json_array_foreach(json_object_get(clip->plan, "persons"), i, person)
        json_array_append_new(persons, row_person(clip, person));
    const char *text = has_sound ? json_string_value(json_object_get(clip->transcript, "text")) : NULL;
    json_t *frames = json_object_get(video, "frames"), *fps = json_object_get(video, "fps");
    *out = json_object();
    json_object_set_new(*out, "file_name", json_string(file_name));
    json_object_set_new(*out, "clip_id", json_string(clip->clip_id));
    json_object_set(*out, "frames", frames ? frames : json_null());
    json_object_set_new(*out, "fps", json_real(json_number_value(fps)));
    json_object_set(*out, "width", json_object_get(video, "width"));
    json_object_set(*out, "height", json_object_get(video, "height"));
    json_object_set_new(*out, "sound",
                        json_string(!has_sound                   ? "none"
                                    : strcmp(voice, "keep") == 0 ? "original voice"
                                                                 : "masked voice"));
    json_object_set_new(*out, "transcript", json_string(text ? text : ""));
    json_object_set_new(*out, "persons", persons);
    json_object_set_new(*out, "synthetic", json_true());
    return *out ? MDM_OK : mdm_fail(MDM_ERR_MEMORY, "no memory for the row of %s", clip->clip_id);
}
