/* Making the plan: for every person keep, coarsen, redraw or remove each context, and describe the stand-in. */
#include "stages/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"

static const char *const treatment_names[] = {
    [MDM_REDRAW] = "redraw", [MDM_KEEP] = "keep", [MDM_COARSEN] = "coarsen", [MDM_REMOVE] = "remove"};

/* Contexts that move: what stands in the plan when they are not kept as recorded. Gaze and blinks are made by a process
 * seeded from the stand-in's seed_key; the figures are ordinary ones for a person at rest, chosen by us. */
static const struct {
    mdm_context context;
    const char *redraw, *prior, *remove;
} motions[] = {
    {MDM_CONTEXT_GAZE, "wander", "a slow random wander about straight ahead: 8 degrees across, 5 up and down, 1 s",
     "ahead"},
    {MDM_CONTEXT_EYES, "blinks", "blinks at random, 15 a minute, 0.2 s each; eyes else open", "open"},
    {MDM_CONTEXT_MOUTH, "rest", "lips at rest", "rest"},
};

/* Contexts of a stand-in's picture, in the order they are drawn; each has its own random stream. */
static const mdm_context looks[] = {MDM_CONTEXT_AGE, MDM_CONTEXT_GENDER, MDM_CONTEXT_RACE, MDM_CONTEXT_GLASSES};

/* ---- reading what describe saw: only ever called for contexts that are kept or coarsened ---------------------------- */

/* The value in a description: "x", true, or an object that holds one under a usual name. */
static const char *description_text(const json_t *value)
{
    static const char *const keys[] = {"bin", "value", "dominant", "class", "label"};
    for (size_t i = 0; json_is_object(value) && i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *inner = json_object_get(value, keys[i]);
        if (inner && !json_is_object(inner))
            value = inner;
    }
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    return json_string_value(value);
}

static double description_confidence(const json_t *value)
{
    const json_t *number = json_object_get(value, "confidence");
    double confidence = json_is_number(number) ? json_number_value(number) : 0.5;
    return confidence > 0.01 ? confidence : 0.01;
}

static int value_index(const mdm_context_values *values, const char *name)
{
    for (int i = 0; name && i < values->count; i++)
        if (strcasecmp(values->names[i], name) == 0)
            return i;
    return -1;
}

/* The person's value of a context: the most confident one over the person's tracks; -1 when nobody described it. */
static int source_value(mdm_context context, const char *person, const char *only_clip, const mdm_plan_clip *clips,
                        size_t clip_count, const mdm_plan_track *tracks, size_t track_count)
{
    const mdm_context_values *values = mdm_plan_values(context);
    double votes[16] = {0};
    int best = -1;
    for (size_t t = 0; t < track_count; t++) {
        if (strcmp(tracks[t].person, person) != 0 || (only_clip && strcmp(tracks[t].clip_id, only_clip) != 0))
            continue;
        const json_t *context_file = NULL;
        for (size_t c = 0; c < clip_count; c++)
            if (strcmp(clips[c].clip_id, tracks[t].clip_id) == 0)
                context_file = clips[c].context;
        size_t i;
        json_t *track;
        json_array_foreach(json_object_get(context_file, "tracks"), i, track)
        {
            if (json_integer_value(json_object_get(track, "id")) != tracks[t].track)
                continue;
            const json_t *described = json_object_get(track, mdm_context_name(context));
            int index = value_index(values, description_text(described));
            if (index >= 0)
                votes[index] += description_confidence(described);
        }
    }
    for (int i = 0; i < values->count; i++)
        if (votes[i] > 0 && (best < 0 || votes[i] > votes[best]))
            best = i;
    return best;
}

/* What the clip's description says of a track; NULL when there is none. */
static const json_t *described_track(const mdm_plan_track *track, const mdm_plan_clip *clips, size_t clip_count)
{
    size_t i;
    json_t *one;
    for (size_t c = 0; c < clip_count; c++)
        if (!strcmp(clips[c].clip_id, track->clip_id))
            json_array_foreach(json_object_get(clips[c].context, "tracks"), i, one)
            {
                if (json_integer_value(json_object_get(one, "id")) == track->track)
                    return one;
            }
    return NULL;
}

/* Where a video model's form contradicts the networks about this context. */
static void note_disagreements(json_t *notes, const char *context, const json_t *track, const char *clip)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(track, "disagreements"), i, one)
    {
        const char *about = json_string_value(json_object_get(one, "context")),
                   *said = json_string_value(json_object_get(one, "form")),
                   *networks = json_string_value(json_object_get(one, "networks"));
        if (about && said && networks && !strcmp(about, context))
            json_array_append_new(
                notes, json_sprintf("%s: the networks say %s, the video model %s (%s)", context, networks, said, clip));
    }
}

/* ---- deciding ------------------------------------------------------------------------------------------------------ */

typedef struct person_plan {
    const mdm_settings *settings;
    const char *id;
    const char *clip; /* with one identity per clip, else NULL */
    json_t *keep, *coarsen, *redraw, *remove, *standin, *notes;
} person_plan;

/* The draw of one context of one person: sees the seed, the person's id and the context's name, nothing of the source. */
static int draw(const person_plan *person, mdm_context context, const double *weights, int count)
{
    char key[128];
    mdm_random random;
    snprintf(key, sizeof key, "%s%s%s/%s", person->id, person->clip ? "/" : "", person->clip ? person->clip : "",
             mdm_context_name(context));
    mdm_random_seed(&random, person->settings->seed, key);
    return mdm_random_weighted(&random, weights, count);
}

static json_t *with_prior(const char *value, const char *prior)
{
    return json_pack("{s:s, s:s}", "value", value, "prior", prior);
}

/* A value of the rough group `group`, drawn with the prior's weights where those leave any. */
static int draw_in_group(const person_plan *person, mdm_context context, const char *group)
{
    const mdm_context_values *values = mdm_plan_values(context);
    double weights[16] = {0}, total = 0;
    for (int i = 0; i < values->count; i++)
        if (strcmp(values->groups[i], group) == 0)
            total += weights[i] = values->weights[i];
    for (int i = 0; total <= 0 && i < values->count; i++)
        weights[i] = strcmp(values->groups[i], group) == 0;
    return draw(person, context, weights, values->count);
}

/* `seen` is the source's value, -1 unless the treatment is keep or coarsen. Gives the value the stand-in gets. */
static int decide(person_plan *person, mdm_context context, int seen)
{
    const mdm_context_values *values = mdm_plan_values(context);
    const char *name = mdm_context_name(context);
    mdm_treatment treatment = person->settings->context[context];
    if ((treatment == MDM_KEEP || treatment == MDM_COARSEN) && seen < 0) {
        char text[160];
        snprintf(text, sizeof text, "%s was to be kept but could not be seen: it was drawn instead", name);
        json_array_append_new(person->notes, json_string(text));
        treatment = MDM_REDRAW;
    }
    int value;
    switch (treatment) {
    case MDM_KEEP:
        json_object_set_new(person->keep, name, json_string(values->names[seen]));
        return seen;
    case MDM_COARSEN:
        value = draw_in_group(person, context, values->groups[seen]);
        json_object_set_new(person->coarsen, name,
                            json_pack("{s:s, s:s}", "group", values->groups[seen], "value", values->names[value]));
        return value;
    case MDM_REMOVE:
        json_array_append_new(person->remove, json_string(name));
        if (context == MDM_CONTEXT_GLASSES || context == MDM_CONTEXT_EXPRESSION)
            return 0;                                                 /* none, neutral */
        return draw(person, context, values->weights, values->count); /* a face has some age; it is not written down */
    case MDM_REDRAW:
        break;
    }
    value = draw(person, context, values->weights, values->count);
    json_object_set_new(person->redraw, name, with_prior(values->names[value], values->prior));
    return value;
}

static void decide_motion(person_plan *person)
{
    for (size_t i = 0; i < sizeof motions / sizeof motions[0]; i++) {
        mdm_context context = motions[i].context;
        const char *name = mdm_context_name(context);
        switch (person->settings->context[context]) {
        case MDM_KEEP:
            json_object_set_new(person->keep, name, json_string("as recorded"));
            break;
        case MDM_COARSEN:
            json_object_set_new(
                person->coarsen, name,
                json_pack("{s:s, s:s}", "group", "steps of 10 degrees", "value", "as recorded, rounded"));
            break;
        case MDM_REDRAW:
            json_object_set_new(person->redraw, name, with_prior(motions[i].redraw, motions[i].prior));
            break;
        case MDM_REMOVE:
            json_array_append_new(person->remove, json_string(name));
            break;
        }
    }
    if (person->settings->context[MDM_CONTEXT_HEAD_POSE] == MDM_KEEP)
        json_object_set_new(person->keep, "head_pose", json_string("as recorded"));
    /* Speech keeps lip timing with the words. */
    if (person->settings->context[MDM_CONTEXT_SPEECH] == MDM_KEEP &&
        person->settings->context[MDM_CONTEXT_MOUTH] == MDM_REDRAW) {
        json_object_del(person->redraw, "mouth");
        json_object_set_new(person->keep, "mouth", json_string("lip timing, for the kept speech"));
    }
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) { /* what stays although nobody asked for it */
        const char *why = mdm_context_residual(person->settings, (mdm_context)c);
        if (why)
            json_array_append_new(person->notes, json_sprintf("%s stays as recorded although not asked for: %s",
                                                              mdm_context_name((mdm_context)c), why));
    }
}

/* Expression moves too, but has a list of values. Kept means as recorded, frame by frame. */
static void decide_expression(person_plan *person)
{
    if (person->settings->context[MDM_CONTEXT_EXPRESSION] == MDM_KEEP)
        json_object_set_new(person->keep, "expression", json_string("as recorded"));
    else
        decide(person, MDM_CONTEXT_EXPRESSION, -1);
}

static json_t *clips_of(const char *person, const char *only_clip, const mdm_plan_track *tracks, size_t count)
{
    json_t *clips = json_object();
    for (size_t t = 0; t < count; t++) {
        if (strcmp(tracks[t].person, person) != 0 || (only_clip && strcmp(tracks[t].clip_id, only_clip) != 0))
            continue;
        json_t *list = json_object_get(clips, tracks[t].clip_id);
        if (!list) {
            json_object_set_new(clips, tracks[t].clip_id, json_array());
            list = json_object_get(clips, tracks[t].clip_id);
        }
        json_array_append_new(list, json_integer(tracks[t].track));
    }
    return clips;
}

static bool is_excluded(const mdm_settings *settings, const char *person)
{
    for (int i = 0; i < settings->exclude_count; i++)
        if (strcmp(settings->exclude[i], person) == 0)
            return true;
    return false;
}

static mdm_status plan_person(json_t *persons, const mdm_settings *settings, const char *id, const char *clip,
                              const mdm_plan_clip *clips, size_t clip_count, const mdm_plan_track *tracks,
                              size_t track_count)
{
    person_plan person = {settings,      id,           clip,          json_object(), json_object(),
                          json_object(), json_array(), json_object(), json_array()};
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        mdm_context context = looks[i];
        mdm_treatment treatment = settings->context[context];
        /* The only place where a source value is read, and only for contexts the policy keeps something of. */
        int seen = treatment == MDM_KEEP || treatment == MDM_COARSEN
                       ? source_value(context, id, clip, clips, clip_count, tracks, track_count)
                       : -1;
        for (size_t t = 0; seen >= 0 && t < track_count; t++)
            if (!strcmp(tracks[t].person, id) && (!clip || !strcmp(tracks[t].clip_id, clip)))
                note_disagreements(person.notes, mdm_context_name(context),
                                   described_track(&tracks[t], clips, clip_count), tracks[t].clip_id);
        int value = decide(&person, context, seen);
        json_t *set = context == MDM_CONTEXT_GLASSES ? json_boolean(value == 1)
                                                     : json_string(mdm_plan_values(context)->names[value]);
        json_object_set_new(person.standin, mdm_context_name(context), set);
    }
    decide_expression(&person);
    decide_motion(&person);
    char seed_key[128];
    snprintf(seed_key, sizeof seed_key, "%s%s%s#0", id, clip ? "/" : "", clip ? clip : "");
    json_object_set_new(person.standin, "seed_key", json_string(seed_key));
    json_object_set_new(person.standin, "attempt", json_integer(0));
    json_t *entry = json_pack(
        "{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", id, "clips", clips_of(id, clip, tracks, track_count),
        "action", is_excluded(settings, id) ? "cover" : "replace", "keep", person.keep, "coarsen", person.coarsen,
        "redraw", person.redraw, "remove", person.remove, "standin", person.standin, "notes", person.notes);
    if (!entry || json_array_append_new(persons, entry) != 0)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its plan", id);
    return MDM_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------- */

static const char *choice_name(const mdm_settings *settings, const char *option, mdm_buffer *scratch)
{
    const mdm_option *found;
    scratch->size = 0;
    if (mdm_option_find(&found, MDM_FOR_JOBS, option) != MDM_OK || mdm_option_print(scratch, settings, found) != MDM_OK)
        return "";
    return (const char *)scratch->data;
}

static json_t *plan_head(const mdm_settings *settings)
{
    static const char *const channel_names[] = {"plates", "text", "words", "voice", "metadata"};
    mdm_buffer text = {0};
    char seed[24];
    json_t *policy = json_object(), *channels = json_object(), *cover = json_array();
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++)
        json_object_set_new(policy, mdm_context_name((mdm_context)c),
                            json_string(treatment_names[settings->context[c]]));
    for (size_t i = 0; i < sizeof channel_names / sizeof channel_names[0]; i++)
        json_object_set_new(channels, channel_names[i], json_string(choice_name(settings, channel_names[i], &text)));
    for (int i = 0; i < settings->cover_count; i++) {
        const int *r = settings->cover[i];
        json_array_append_new(cover, json_pack("[i, i, i, i]", r[0], r[1], r[2], r[3]));
    }
    json_object_set_new(channels, "cover", cover);
    snprintf(seed, sizeof seed, "%" PRIu64, settings->seed);
    json_t *plan = json_pack("{s:i, s:s, s:o, s:o, s:o}", "version", 1, "seed", seed, "policy", policy, "channels",
                             channels, "persons", json_array());
    json_object_set_new(plan, "mode", json_string(choice_name(settings, "mode", &text)));
    json_object_set_new(plan, "identity", json_string(choice_name(settings, "identity", &text)));
    mdm_buffer_free(&text);
    return plan;
}

/* Is this the first track of its person (in its clip, when `per_clip`)? */
static bool is_first(const mdm_plan_track *tracks, size_t index, bool per_clip)
{
    for (size_t t = 0; t < index; t++)
        if (strcmp(tracks[t].person, tracks[index].person) == 0 &&
            (!per_clip || strcmp(tracks[t].clip_id, tracks[index].clip_id) == 0))
            return false;
    return true;
}

static mdm_status check_excluded(const mdm_settings *settings, const mdm_plan_track *tracks, size_t count)
{
    for (int i = 0; i < settings->exclude_count; i++) {
        bool known = false;
        for (size_t t = 0; t < count && !known; t++)
            known = strcmp(tracks[t].person, settings->exclude[i]) == 0;
        if (!known)
            return mdm_fail(MDM_ERR_USAGE,
                            "--exclude-person: nobody is called '%s' (person-01 and so on: see plan.json)",
                            settings->exclude[i]);
    }
    return MDM_OK;
}

mdm_status mdm_plan_make(json_t **out, const mdm_settings *settings, const mdm_plan_clip *clips, size_t clip_count,
                         const mdm_plan_track *tracks, size_t track_count)
{
    *out = NULL;
    MDM_TRY(check_excluded(settings, tracks, track_count));
    bool per_clip = settings->identity == MDM_IDENTITY_PER_CLIP;
    json_t *plan = plan_head(settings);
    if (!plan)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for the plan");
    mdm_status status = MDM_OK;
    for (size_t t = 0; t < track_count && status == MDM_OK; t++)
        if (is_first(tracks, t, per_clip))
            status = plan_person(json_object_get(plan, "persons"), settings, tracks[t].person,
                                 per_clip ? tracks[t].clip_id : NULL, clips, clip_count, tracks, track_count);
    if (status != MDM_OK)
        json_decref(plan);
    else
        *out = plan;
    return status;
}
