/* Review: what is known of a clip, the decision about it, and changes of the plan. A change is checked like any edited plan before it
 * takes the plan's place; the job's next run does what follows from it and no more. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "server/web.h"

static mdm_status load_file(json_t **out, const char *folder, const char *name)
{
    char *path;
    *out = NULL;
    MDM_TRY(web_path(&path, folder, "private", name, NULL));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(out, path, (size_t)256 << 20)
                                              : mdm_fail(MDM_ERR_INPUT, "There is nothing to review yet.");
    mdm_free(&path);
    return status;
}

static json_t *load_of_clip(const char *folder, const char *clip, const char *name)
{
    char *path;
    json_t *value = NULL;
    if (web_path(&path, folder, "private", "work", clip, name, NULL) != MDM_OK)
        return NULL;
    if (mdm_file_exists(path))
        (void)mdm_json_load(&value, path, (size_t)256 << 20);
    mdm_free(&path);
    return value;
}

static json_t *or_null(json_t *value)
{
    return value ? value : json_null();
}

static json_t *persons_in(const json_t *plan, const char *clip)
{
    size_t i;
    json_t *person, *list = json_array();
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        if (json_object_get(json_object_get(person, "clips"), clip))
            json_array_append(list, person);
    }
    return list;
}

web_result web_clip_show(web_request *request)
{
    char *folder;
    json_t *plan = NULL;
    const char *id = request->id[1];
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = load_file(&plan, folder, "plan.json");
    json_t *clip = status == MDM_OK ? load_of_clip(folder, id, "clip.json") : NULL;
    if (status == MDM_OK && !clip)
        status = mdm_fail(MDM_ERR_INPUT, "There is nothing to review yet.");
    if (status != MDM_OK) {
        json_decref(plan);
        mdm_free(&folder);
        return web_status(request, status);
    }
    json_t *evidence = load_of_clip(folder, id, "evidence.json"), *compose = load_of_clip(folder, id, "compose.json"),
           *tracks = load_of_clip(folder, id, "tracks.json");
    json_object_del(json_object_get(clip, "source"), "path"); /* the browser has no need of it */
    json_t *out = json_pack("{s:O, s:O, s:O, s:O, s:o, s:O, s:O, s:O}", "clip", clip, "evidence", or_null(evidence),
                            "composed", or_null(json_object_get(compose, "tracks")), "tracks",
                            or_null(json_object_get(tracks, "tracks")), "persons", persons_in(plan, id), "cover",
                            or_null(json_object_get(json_object_get(plan, "channels"), "cover")), "channels",
                            or_null(json_object_get(plan, "channels")), "mode", or_null(json_object_get(plan, "mode")));
    json_decref(evidence);
    json_decref(compose);
    json_decref(tracks);
    json_decref(clip);
    json_decref(plan);
    mdm_free(&folder);
    return web_json(request, 200, out);
}

/* ---- decisions ------------------------------------------------------------------------------------------------------------------- */

static mdm_status need_rest(const char *folder)
{
    return web_job_runs(folder, NULL) ? mdm_fail(MDM_ERR_AGAIN, "The job runs; wait for its end or stop it first.")
                                      : MDM_OK;
}

/* A file {"version": 1, "clips": {"clip-0001": decision}}; written only when it changes. */
static mdm_status set_decision(const char *folder, const char *name, const char *clip, const char *decision)
{
    char *path;
    json_t *file = NULL;
    MDM_TRY(web_path(&path, folder, "private", name, NULL));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(&file, path, 0) : MDM_OK;
    if (!file)
        file = json_pack("{s:i, s:{}}", "version", 1, "clips");
    json_t *clips = json_object_get(file, "clips");
    const char *before = json_string_value(json_object_get(clips, clip));
    if (status == MDM_OK && strcmp(before ? before : "", decision) != 0) {
        if (*decision)
            json_object_set_new(clips, clip, json_string(decision));
        else
            json_object_del(clips, clip);
        status = mdm_json_save(file, path);
    }
    json_decref(file);
    mdm_free(&path);
    return status;
}

/* review.json changes the dataset: packing leaves out what is rejected. approved.json only remembers what was looked at. */
static mdm_status decide(const char *folder, const char *clip, const char *decision)
{
    const bool rejected = strcmp(decision, "rejected") == 0;
    MDM_TRY(set_decision(folder, "review.json", clip, rejected ? decision : ""));
    return set_decision(folder, "approved.json", clip, rejected ? "" : decision);
}

web_result web_clip_decide(web_request *request)
{
    char *folder;
    const char *decision = json_string_value(json_object_get(request->json, "decision"));
    if (!decision || (strcmp(decision, "approved") != 0 && strcmp(decision, "rejected") != 0 && *decision))
        return web_fail(request, 422, "The decision is approved, rejected or empty.");
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = need_rest(folder);
    if (status == MDM_OK && strcmp(decision, "approved") == 0) {
        json_t *evidence = load_of_clip(folder, request->id[1], "evidence.json");
        if (!json_is_true(json_object_get(evidence, "pass")))
            status =
                mdm_fail(MDM_ERR_USAGE,
                         "This clip did not pass its checks: it cannot be approved. Change something and check again, "
                         "or reject it.");
        json_decref(evidence);
    }
    if (status == MDM_OK)
        status = decide(folder, request->id[1], decision);
    mdm_free(&folder);
    return status == MDM_OK ? web_json(request, 200, json_object()) : web_status(request, status);
}

/* ---- changes of the plan ---------------------------------------------------------------------------------------------------------- */

/* Checks a changed plan as `mmdm plan` does and puts it in the old one's place. */
static mdm_status save_plan(const char *folder, const json_t *plan)
{
    char *path, *fresh = NULL;
    MDM_TRY(web_path(&path, folder, "private", "plan.json", NULL));
    mdm_status status = web_path(&fresh, folder, "private", "plan-changed.json.tmp", NULL);
    if (status == MDM_OK)
        status = mdm_json_save(plan, fresh);
    if (status == MDM_OK)
        status = mdm_plan_verify(fresh);
    if (status == MDM_OK)
        status = mdm_json_save(plan, path);
    mdm_temp_discard(fresh);
    mdm_free(&fresh);
    mdm_free(&path);
    return status;
}

/* Another draw: the key's stem gets the next number, "person-01~2#0". */
static mdm_status draw_again(json_t *standin)
{
    char key[100];
    const char *old = json_string_value(json_object_get(standin, "seed_key"));
    if (!old)
        return mdm_fail(MDM_ERR_USAGE, "The plan has no key to draw from.");
    const size_t stem = strcspn(old, "~#");
    const long number = old[stem] == '~' ? strtol(old + stem + 1, NULL, 10) : 0;
    snprintf(key, sizeof key, "%.*s~%ld#0", (int)(stem < 70 ? stem : 70), old, number + 1);
    json_object_set_new(standin, "seed_key", json_string(key));
    json_object_set_new(standin, "attempt", json_integer(0));
    return MDM_OK;
}

/* A look chosen by hand is not what was kept or drawn: it is written down as such. */
static void choose_look(json_t *person, const char *name, const json_t *value)
{
    static const char *const lists[] = {"keep", "coarsen", "redraw"};
    const char *text = json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : json_string_value(value);
    for (int i = 0; i < 3; i++)
        json_object_del(json_object_get(person, lists[i]), name);
    json_object_set_new(json_object_get(person, "redraw"), name,
                        json_pack("{s:s, s:s}", "value", text ? text : "", "prior", "chosen by hand in review"));
    json_object_set(json_object_get(person, "standin"), name, (json_t *)value);
}

static mdm_status edit_person(json_t *person, json_t *changes)
{
    static const char *const looks[] = {"age", "gender", "race", "glasses"};
    const json_t *action = json_object_get(changes, "action"), *chosen = json_object_get(changes, "standin");
    json_t *standin = json_object_get(person, "standin");
    if (action)
        json_object_set(person, "action", (json_t *)action);
    for (int i = 0; i < 4; i++) {
        const json_t *value = json_object_get(chosen, looks[i]);
        if (value && !json_equal((json_t *)value, json_object_get(standin, looks[i])))
            choose_look(person, looks[i], value);
    }
    if (json_is_true(json_object_get(changes, "again"))) {
        json_object_del(person, "cover_frames"); /* the other stand-in's */
        MDM_TRY(draw_again(standin));
    }
    return MDM_OK;
}

static mdm_status edit_persons(json_t *plan, const char *id, json_t *changes)
{
    size_t i;
    json_t *person;
    bool found = false;
    const char *clip =
        json_string_value(json_object_get(changes, "clip")); /* of several entries of one person, that of a clip */
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        const char *own = json_string_value(json_object_get(person, "id"));
        if (!own || strcmp(own, id) != 0 || (clip && !json_object_get(json_object_get(person, "clips"), clip)))
            continue;
        found = true;
        MDM_TRY(edit_person(person, changes));
    }
    return found ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "There is no such person in the plan.");
}

static web_result change_plan(web_request *request, mdm_status (*change)(json_t *plan, const char *id, json_t *changes))
{
    char *folder;
    json_t *plan = NULL;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = need_rest(folder);
    if (status == MDM_OK)
        status = load_file(&plan, folder, "plan.json");
    if (status == MDM_OK)
        status = change(plan, request->id[1], request->json);
    if (status == MDM_OK)
        status = save_plan(folder, plan);
    json_decref(plan);
    mdm_free(&folder);
    return status == MDM_OK ? web_json(request, 200, json_object()) : web_status(request, status);
}

web_result web_person_edit(web_request *request)
{
    return change_plan(request, edit_persons);
}

static mdm_status edit_cover(json_t *plan, const char *id, json_t *changes)
{
    json_t *rectangles = json_object_get(changes, "rectangles");
    (void)id;
    if (!json_is_array(rectangles))
        return mdm_fail(MDM_ERR_USAGE, "A list of rectangles [x, y, width, height] is expected.");
    json_object_set(json_object_get(plan, "channels"), "cover", rectangles);
    return MDM_OK;
}

web_result web_cover_edit(web_request *request)
{
    return change_plan(request, edit_cover);
}
