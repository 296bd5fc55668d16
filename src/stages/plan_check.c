/* Reading a plan back after a person may have edited it: every mistake is refused with its line and reason. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "stages/plan.h"

#define MAX_PLAN ((size_t)64 << 20)

/* What is being checked, for errors. `path` is where we are: "persons/2/standin". */
typedef struct checker {
    const char *text, *where;
    size_t size;
} checker;

static mdm_status refuse(const checker *c, const char *path, const char *format, ...) MDM_PRINTF(3, 4);

static mdm_status refuse(const checker *c, const char *path, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return mdm_fail(MDM_ERR_CONFIG, "%s:%d: %s: %s", c->where, mdm_json_line(c->text, c->size, path),
                    *path ? path : "plan", reason);
}

/* Every key of `object` has to be one of the NULL-terminated `names`. */
static mdm_status check_keys(const checker *c, const char *path, json_t *object, const char *const *names)
{
    const char *key;
    json_t *value;
    int count = 0;
    while (names[count])
        count++;
    json_object_foreach(object, key, value)
    {
        int i = 0;
        while (i < count && strcmp(names[i], key) != 0)
            i++;
        if (i < count)
            continue;
        char inner[160];
        snprintf(inner, sizeof inner, "%s%s%.60s", path, *path ? "/" : "", key);
        const char *near = mdm_nearest_name(key, names, count);
        return refuse(c, inner, "unknown name%s%s%s", near ? ", did you mean \"" : "", near ? near : "",
                      near ? "\"" : "");
    }
    return MDM_OK;
}

static mdm_status need_type(const checker *c, const char *path, const char *key, const json_t *value, json_type type,
                            const char *expected)
{
    char inner[192];
    if (value && json_typeof(value) == type)
        return MDM_OK;
    snprintf(inner, sizeof inner, "%s%s%.60s", path, *path ? "/" : "", key);
    return refuse(c, inner, "%s, expected %s", value ? "wrong kind of value" : "missing", expected);
}

/* Sets the option of this name into a scratch settings to see whether the value is one. */
static mdm_status check_option(const checker *c, mdm_settings *settings, const char *path, const char *key,
                               const json_t *value)
{
    const mdm_option *option;
    char inner[96];
    MDM_TRY(need_type(c, path, key, value, JSON_STRING, "a text"));
    snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "/" : "", key);
    if (mdm_option_find(&option, MDM_FOR_JOBS, key) != MDM_OK ||
        mdm_option_set(settings, option, json_string_value(value)) != MDM_OK) {
        char reason[400];
        snprintf(reason, sizeof reason, "%s", mdm_error_message());
        return refuse(c, inner, "%s", strncmp(reason, "--", 2) == 0 ? reason + 2 : reason);
    }
    return MDM_OK;
}

static const char *const treatments[] = {"redraw", "keep", "coarsen", "remove"};

static int context_index(const char *name)
{
    for (int i = 0; i < MDM_CONTEXT_COUNT; i++)
        if (strcmp(mdm_context_name((mdm_context)i), name) == 0)
            return i;
    return -1;
}

static mdm_status check_policy(const checker *c, mdm_settings *settings, json_t *policy)
{
    const char *names[MDM_CONTEXT_COUNT + 1] = {NULL};
    for (int i = 0; i < MDM_CONTEXT_COUNT; i++)
        names[i] = mdm_context_name((mdm_context)i);
    MDM_TRY(check_keys(c, "policy", policy, names));
    for (int i = 0; i < MDM_CONTEXT_COUNT; i++) {
        char path[64];
        const json_t *value = json_object_get(policy, names[i]);
        MDM_TRY(need_type(c, "policy", names[i], value, JSON_STRING, "keep, coarsen, redraw or remove"));
        snprintf(path, sizeof path, "policy/%s", names[i]);
        int t = 0;
        while (t < 4 && strcmp(treatments[t], json_string_value(value)) != 0)
            t++;
        if (t == 4)
            return refuse(c, path, "\"%s\" is not keep, coarsen, redraw or remove", json_string_value(value));
        if (t == MDM_COARSEN && (!mdm_plan_values((mdm_context)i) || !mdm_plan_values((mdm_context)i)->groups) &&
            i != MDM_CONTEXT_GAZE)
            return refuse(c, path, "%s has no rough groups", names[i]);
        settings->context[i] = (mdm_treatment)t;
    }
    return MDM_OK;
}

static mdm_status check_cover(const checker *c, mdm_settings *settings, json_t *cover)
{
    size_t i;
    json_t *rectangle;
    const mdm_option *option;
    MDM_TRY(mdm_option_find(&option, MDM_FOR_JOBS, "cover"));
    MDM_TRY(need_type(c, "channels", "cover", cover, JSON_ARRAY, "a list of [x, y, w, h]"));
    json_array_foreach(cover, i, rectangle)
    {
        char text[64], path[64];
        int x, y, w, h;
        snprintf(path, sizeof path, "channels/cover/%zu", i);
        if (json_unpack(rectangle, "[i, i, i, i!]", &x, &y, &w, &h) != 0)
            return refuse(c, path, "expected [x, y, w, h]");
        snprintf(text, sizeof text, "%d,%d,%d,%d", x, y, w, h);
        if (mdm_option_set(settings, option, text) != MDM_OK)
            return refuse(c, path, "expected [x, y, w, h] in pixels");
    }
    return MDM_OK;
}

static mdm_status check_channels(const checker *c, mdm_settings *settings, json_t *channels)
{
    static const char *const names[] = {"plates", "text", "words", "voice", "metadata", "cover", NULL};
    MDM_TRY(check_keys(c, "channels", channels, names));
    for (int i = 0; i < 5; i++)
        MDM_TRY(check_option(c, settings, "channels", names[i], json_object_get(channels, names[i])));
    /* Setting the voice touches its context, so the policy is taken after the channels. */
    return check_cover(c, settings, json_object_get(channels, "cover"));
}

/* ---- persons ------------------------------------------------------------------------------------------------------- */

static bool is_plain_id(const char *text, size_t max)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (n >= max || (!isalnum((unsigned char)text[n]) && text[n] != '-' && text[n] != '_'))
            return false;
    return n > 0;
}

/* The stand-in's value of a look as text; NULL when it is not there or of the wrong kind. */
static const char *standin_text(const json_t *standin, mdm_context context)
{
    const json_t *value = json_object_get(standin, mdm_context_name(context));
    if (context == MDM_CONTEXT_GLASSES)
        return json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : NULL;
    return json_string_value(value);
}

/* `value` has to be one of the context's. */
static mdm_status check_value(const checker *c, const char *path, mdm_context context, const char *value)
{
    const mdm_context_values *values = mdm_plan_values(context);
    for (int i = 0; i < values->count; i++)
        if (strcmp(values->names[i], value) == 0)
            return MDM_OK;
    const char *near = mdm_nearest_name(value, values->names, values->count);
    return refuse(c, path, "\"%s\" is not a value of %s%s%s%s", value, mdm_context_name(context),
                  near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* What was decided about a look ("" where it was removed), and in which list. */
static const char *decided_value(const char **list, const json_t *person, const char *name)
{
    static const char *const others[] = {"coarsen", "redraw"};
    const char *value = json_string_value(json_object_get(json_object_get(person, "keep"), name));
    *list = "keep";
    for (int k = 0; k < 2 && !value; k++) {
        value = json_string_value(json_object_get(json_object_get(json_object_get(person, others[k]), name), "value"));
        *list = others[k];
    }
    return value;
}

static mdm_status check_look(const checker *c, const char *path, json_t *person, mdm_context context)
{
    const char *name = mdm_context_name(context), *list;
    const char *value = standin_text(json_object_get(person, "standin"), context);
    const char *decided = decided_value(&list, person, name);
    char inner[96];
    if (decided) {
        snprintf(inner, sizeof inner, "%s/%s/%s", path, list, name);
        MDM_TRY(check_value(c, inner, context, decided));
    }
    snprintf(inner, sizeof inner, "%s/standin/%s", path, name);
    if (!value)
        return refuse(c, inner, "missing or wrong kind of value, expected %s",
                      context == MDM_CONTEXT_GLASSES ? "true or false" : "a text");
    MDM_TRY(check_value(c, inner, context, value));
    /* What was decided and what the stand-in gets are two places for one thing: they have to agree. */
    if (decided && strcmp(decided, value) != 0)
        return refuse(c, inner, "\"%s\" here but \"%s\" under \"%s\": change both", value, decided, list);
    return MDM_OK;
}

static mdm_status check_standin(const checker *c, const char *path, json_t *person)
{
    static const char *const names[] = {"age", "gender", "race", "glasses", "seed_key", "attempt", NULL};
    static const mdm_context looks[] = {MDM_CONTEXT_AGE, MDM_CONTEXT_GENDER, MDM_CONTEXT_RACE, MDM_CONTEXT_GLASSES};
    char inner[80];
    json_t *standin = json_object_get(person, "standin");
    MDM_TRY(need_type(c, path, "standin", standin, JSON_OBJECT, "a description { ... }"));
    snprintf(inner, sizeof inner, "%s/standin", path);
    MDM_TRY(check_keys(c, inner, standin, names));
    for (int i = 0; i < 4; i++)
        MDM_TRY(check_look(c, path, person, looks[i]));
    const char *key = json_string_value(json_object_get(standin, "seed_key"));
    snprintf(inner, sizeof inner, "%s/standin/seed_key", path);
    if (!key || !*key || strlen(key) > 100)
        return refuse(c, inner, "expected a text of 1 to 100 characters");
    const json_t *attempt = json_object_get(standin, "attempt");
    snprintf(inner, sizeof inner, "%s/standin/attempt", path);
    if (!json_is_integer(attempt) || json_integer_value(attempt) < 0 || json_integer_value(attempt) > 1000)
        return refuse(c, inner, "expected a whole number from 0 to 1000");
    return MDM_OK;
}

static mdm_status check_decisions(const checker *c, const char *path, json_t *person)
{
    static const char *const lists[] = {"keep", "coarsen", "redraw"};
    const char *names[MDM_CONTEXT_COUNT + 1] = {NULL};
    for (int i = 0; i < MDM_CONTEXT_COUNT; i++)
        names[i] = mdm_context_name((mdm_context)i);
    for (int k = 0; k < 3; k++) {
        char inner[96];
        const char *name;
        json_t *list = json_object_get(person, lists[k]), *value;
        MDM_TRY(need_type(c, path, lists[k], list, JSON_OBJECT, "contexts { ... }"));
        snprintf(inner, sizeof inner, "%s/%s", path, lists[k]);
        MDM_TRY(check_keys(c, inner, list, names));
        json_object_foreach(list, name, value)
        {
            snprintf(inner, sizeof inner, "%s/%s/%s", path, lists[k], name);
            if (k == 0 ? !json_is_string(value) : !json_is_string(json_object_get(value, "value")))
                return refuse(c, inner, "expected %s", k == 0 ? "a text" : "{\"value\": a text, ...}");
            for (int other = 0; other < k; other++)
                if (json_object_get(json_object_get(person, lists[other]), name))
                    return refuse(c, inner, "%s is under \"%s\" too", name, lists[other]);
        }
    }
    size_t i;
    json_t *removed, *list = json_object_get(person, "remove");
    MDM_TRY(need_type(c, path, "remove", list, JSON_ARRAY, "a list of contexts"));
    json_array_foreach(list, i, removed)
    {
        if (json_is_string(removed) && context_index(json_string_value(removed)) >= 0)
            continue;
        char inner[96];
        snprintf(inner, sizeof inner, "%s/remove/%zu", path, i);
        return refuse(c, inner, "expected the name of a context");
    }
    return MDM_OK;
}

static mdm_status check_clips(const checker *c, const char *path, json_t *person, json_t *owners)
{
    const char *clip;
    json_t *tracks, *track, *clips = json_object_get(person, "clips");
    MDM_TRY(need_type(c, path, "clips", clips, JSON_OBJECT, "{\"clip-0001\": [track, ...], ...}"));
    json_object_foreach(clips, clip, tracks)
    {
        char inner[128], owner[96];
        size_t i;
        snprintf(inner, sizeof inner, "%s/clips/%.40s", path, clip);
        if (!is_plain_id(clip, 40) || !json_is_array(tracks))
            return refuse(c, inner, "expected a clip's id and a list of tracks");
        json_array_foreach(tracks, i, track)
        {
            json_int_t number = json_integer_value(track);
            if (!json_is_integer(track) || number < 0 || number > 1000000)
                return refuse(c, inner, "a track is a whole number from 0");
            snprintf(owner, sizeof owner, "%.40s/%lld", clip, (long long)number);
            if (json_object_get(owners, owner))
                return refuse(c, inner, "track %lld belongs to another person already", (long long)number);
            json_object_set_new(owners, owner, json_true());
        }
    }
    return MDM_OK;
}

/* Not every person has any. */
static mdm_status check_stretches(const checker *c, const char *path, json_t *person)
{
    const char *clip;
    json_t *stretches, *stretch, *clips = json_object_get(person, "cover_frames");
    if (!clips)
        return MDM_OK;
    MDM_TRY(need_type(c, path, "cover_frames", clips, JSON_OBJECT, "{\"clip-0001\": [[first, last], ...], ...}"));
    json_object_foreach(clips, clip, stretches)
    {
        char inner[128];
        size_t i;
        snprintf(inner, sizeof inner, "%s/cover_frames/%.40s", path, clip);
        if (!json_object_get(json_object_get(person, "clips"), clip))
            return refuse(c, inner, "the person has no track in that clip");
        if (!json_is_array(stretches) || json_array_size(stretches) > MDM_PLAN_STRETCHES)
            return refuse(c, inner, "expected a list of at most %d stretches of frames", MDM_PLAN_STRETCHES);
        json_array_foreach(stretches, i, stretch)
        {
            const json_t *first = json_array_get(stretch, 0), *last = json_array_get(stretch, 1);
            if (json_array_size(stretch) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
                json_integer_value(first) < 0 || json_integer_value(last) < json_integer_value(first) ||
                json_integer_value(last) > INT_MAX)
                return refuse(c, inner, "stretch %zu is not [first, last], two frame numbers from 0", i);
        }
    }
    return MDM_OK;
}

static mdm_status check_person(const checker *c, size_t index, json_t *person, json_t *owners)
{
    static const char *const names[] = {"id",     "clips",   "action", "keep",         "coarsen", "redraw",
                                        "remove", "standin", "notes",  "cover_frames", NULL};
    char path[48], inner[80];
    snprintf(path, sizeof path, "persons/%zu", index);
    if (!json_is_object(person))
        return refuse(c, path, "expected a person { ... }");
    MDM_TRY(check_keys(c, path, person, names));
    const char *id = json_string_value(json_object_get(person, "id"));
    snprintf(inner, sizeof inner, "%s/id", path);
    if (!id || !is_plain_id(id, 31))
        return refuse(c, inner, "expected an id such as person-01");
    const char *action = json_string_value(json_object_get(person, "action"));
    snprintf(inner, sizeof inner, "%s/action", path);
    if (!action || (strcmp(action, "replace") != 0 && strcmp(action, "cover") != 0))
        return refuse(c, inner, "expected replace or cover");
    MDM_TRY(check_clips(c, path, person, owners));
    MDM_TRY(check_stretches(c, path, person));
    MDM_TRY(check_decisions(c, path, person));
    return check_standin(c, path, person);
}

/* Checks everything; what it reads on the way goes into `settings`. */
static mdm_status check_plan(const checker *c, mdm_settings *settings, const json_t *plan)
{
    static const char *const names[] = {"version", "seed", "mode", "identity", "policy", "channels", "persons", NULL};
    json_t *root = (json_t *)plan;
    if (!json_is_object(plan))
        return refuse(c, "", "expected an object { ... }");
    MDM_TRY(check_keys(c, "", root, names));
    if (json_integer_value(json_object_get(plan, "version")) != 1)
        return refuse(c, "version", "expected 1");
    MDM_TRY(check_option(c, settings, "", "seed", json_object_get(plan, "seed")));
    MDM_TRY(check_option(c, settings, "", "mode", json_object_get(plan, "mode")));
    MDM_TRY(check_option(c, settings, "", "identity", json_object_get(plan, "identity")));
    json_t *channels = json_object_get(plan, "channels"), *policy = json_object_get(plan, "policy"),
           *persons = json_object_get(plan, "persons"), *person;
    MDM_TRY(need_type(c, "", "channels", channels, JSON_OBJECT, "an object"));
    MDM_TRY(need_type(c, "", "policy", policy, JSON_OBJECT, "an object"));
    MDM_TRY(need_type(c, "", "persons", persons, JSON_ARRAY, "a list"));
    MDM_TRY(check_channels(c, settings, channels));
    MDM_TRY(check_policy(c, settings, policy));
    if (settings->voice == MDM_VOICE_KEEP && settings->context[MDM_CONTEXT_SPEECH] != MDM_KEEP)
        return refuse(c, "channels/voice", "a kept voice says the words: speech has to be kept too");
    json_t *owners = json_object();
    mdm_status status = MDM_OK;
    size_t i;
    json_array_foreach(persons, i, person)
    {
        status = check_person(c, i, person, owners);
        if (status != MDM_OK)
            break;
    }
    json_decref(owners);
    return status;
}

mdm_status mdm_plan_check(const json_t *plan, const char *text, size_t size, const char *where)
{
    mdm_settings settings;
    const checker c = {text, where, size};
    mdm_settings_defaults(&settings);
    return check_plan(&c, &settings, plan);
}

mdm_status mdm_plan_load(json_t **out, const char *path)
{
    unsigned char *text;
    size_t size;
    json_error_t error;
    *out = NULL;
    if (mdm_file_read(&text, &size, path, MAX_PLAN) != MDM_OK)
        return mdm_fail_context(MDM_ERR_CONFIG, "the plan");
    mdm_status status = MDM_OK;
    json_t *plan = json_loadb((char *)text, size, JSON_REJECT_DUPLICATES, &error);
    if (!plan)
        status = mdm_fail(MDM_ERR_CONFIG, "%s:%d: not valid JSON: %s", path, error.line, error.text);
    else
        status = mdm_plan_check(plan, (char *)text, size, path);
    mdm_free(&text);
    if (status != MDM_OK)
        json_decref(plan);
    else
        *out = plan;
    return status;
}

mdm_status mdm_plan_settings(mdm_settings *settings, const json_t *plan)
{
    const checker c = {"", "plan", 0};
    settings->cover_count = 0;
    return check_plan(&c, settings, plan);
}
