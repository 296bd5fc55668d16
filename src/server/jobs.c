/* Jobs: a folder each, which is the OUT of `mmdm run`, with private/page.json beside what the run writes. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "server/web.h"

enum { MOST_INPUTS = 2000, TAIL = 65536 };

mdm_status web_job_folder(char **out, const mdm_web *web, const char *id)
{
    char *page = NULL;
    MDM_TRY(web_path(out, web->jobs, id, NULL));
    mdm_status status = web_path(&page, *out, "private", "page.json", NULL);
    if (status == MDM_OK && !mdm_file_exists(page))
        status = mdm_fail(MDM_ERR_INPUT, "There is no such job.");
    mdm_free(&page);
    if (status != MDM_OK)
        mdm_free(out);
    return status;
}

/* page.json: {name, created, inputs: [{path, name}], uploads: [id], options: {name: value}, finished} */
static mdm_status load_page(json_t **out, const char *folder)
{
    char *path;
    *out = NULL;
    MDM_TRY(web_path(&path, folder, "private", "page.json", NULL));
    mdm_status status = mdm_json_load(out, path, (size_t)4 << 20);
    mdm_free(&path);
    return status;
}

static mdm_status save_page(const char *folder, const json_t *page)
{
    char *path;
    MDM_TRY(web_path(&path, folder, "private", "page.json", NULL));
    mdm_status status = mdm_json_save(page, path);
    mdm_free(&path);
    return status;
}

/* A file of private/ when there is one; NULL otherwise. */
static json_t *load_private(const char *folder, const char *a, const char *b, const char *name)
{
    char *path;
    json_t *value = NULL;
    if ((b ? web_path(&path, folder, "private", a, b, name, NULL) : web_path(&path, folder, "private", name, NULL)) !=
        MDM_OK)
        return NULL;
    if (mdm_file_exists(path))
        (void)mdm_json_load(&value, path, (size_t)256 << 20);
    mdm_free(&path);
    return value;
}

/* ---- a new job --------------------------------------------------------------------------------------------------------------- */

static mdm_status add_input(json_t *inputs, json_t *uploads, mdm_web *web, const json_t *input)
{
    const char *upload = json_string_value(json_object_get(input, "upload"));
    const char *entry = json_string_value(json_object_get(input, "entry"));
    char *path = NULL, *name = NULL;
    char ignored[WEB_IDS][WEB_SECRET];
    const char *id = upload ? upload : entry;
    if (!id || !web_match(ignored, "*", id))
        return mdm_fail(MDM_ERR_USAGE, "A recording is an upload or an entry of a folder.");
    mdm_status status = upload ? web_upload_path(&path, web, id) : web_place_path(&path, web, id);
    if (status == MDM_OK && upload)
        status = web_upload_name(&name, web, id);
    if (status == MDM_OK && !upload) {
        const char *slash = strrchr(path, '/');
        status = mdm_strdup(&name, slash ? slash + 1 : path);
    }
    json_t *value = status == MDM_OK ? json_pack("{s:s, s:s}", "path", path, "name", name) : NULL;
    if (status == MDM_OK && !value)
        status = mdm_fail(MDM_ERR_USAGE, "A name that is not UTF-8: use the command line for it.");
    if (value)
        json_array_append_new(inputs, value);
    if (status == MDM_OK && upload)
        json_array_append_new(uploads, json_string(upload));
    mdm_free(&path);
    mdm_free(&name);
    return status;
}

static mdm_status check_options(const json_t *values)
{
    mdm_options *options;
    MDM_TRY(web_options(&options, values));
    mdm_options_free(&options);
    return MDM_OK;
}

static json_t *new_page(const char *name, json_t *inputs, json_t *uploads, json_t *options)
{
    char created[32];
    const time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_pack("{s:i, s:s, s:s, s:O, s:O, s:O, s:b}", "version", 1, "name", name, "created", created, "inputs",
                     inputs, "uploads", uploads, "options", options, "finished", 0);
}

static mdm_status make_job(char id[WEB_SECRET], mdm_web *web, const json_t *page, json_t *uploads)
{
    char *folder, *hidden = NULL, secret[WEB_SECRET];
    size_t i;
    json_t *upload;
    web_secret(secret);
    snprintf(id, WEB_SECRET, "job-%.12s", secret);
    MDM_TRY(web_path(&folder, web->jobs, id, NULL));
    mdm_status status = web_path(&hidden, folder, "private", NULL);
    if (status == MDM_OK)
        status = mdm_make_folder(hidden, 0700);
    if (status == MDM_OK)
        status = save_page(folder, page);
    json_array_foreach(uploads, i, upload)
    {
        if (status == MDM_OK)
            status = web_upload_give(web, json_string_value(upload), id);
    }
    if (status == MDM_OK)
        status = web_job_go(web, folder);
    mdm_free(&hidden);
    mdm_free(&folder);
    return status;
}

web_result web_jobs_new(web_request *request)
{
    const char *name = json_string_value(json_object_get(request->json, "name"));
    json_t *wanted = json_object_get(request->json, "inputs"), *options = json_object_get(request->json, "options"),
           *input;
    json_t *inputs = json_array(), *uploads = json_array();
    char id[WEB_SECRET];
    size_t i;
    mdm_status status = MDM_OK;
    if (!name || !web_is_name(name) || strlen(name) > 100)
        status = mdm_fail(MDM_ERR_USAGE, "The dataset needs a name of at most 100 letters, without slashes.");
    else if (!json_array_size(wanted) || json_array_size(wanted) > MOST_INPUTS)
        status = mdm_fail(MDM_ERR_USAGE, "Choose at least one recording, and at most %d; a folder counts as one.",
                          MOST_INPUTS);
    else if (!json_is_object(options))
        status = mdm_fail(MDM_ERR_USAGE, "The options are missing.");
    if (status == MDM_OK)
        status = check_options(options);
    json_array_foreach(wanted, i, input)
    {
        if (status == MDM_OK)
            status = add_input(inputs, uploads, request->web, input);
    }
    json_t *page = status == MDM_OK ? new_page(name, inputs, uploads, options) : NULL;
    if (status == MDM_OK)
        status = make_job(id, request->web, page, uploads);
    json_decref(page);
    json_decref(inputs);
    json_decref(uploads);
    return status == MDM_OK ? web_json(request, 201, json_pack("{s:s}", "id", id)) : web_status(request, status);
}

mdm_status web_job_go(mdm_web *web, const char *folder)
{
    json_t *page, *input;
    const char **paths = NULL;
    char **words = NULL;
    size_t i;
    MDM_TRY(load_page(&page, folder));
    json_t *inputs = json_object_get(page, "inputs");
    mdm_status status = mdm_alloc(&paths, json_array_size(inputs), sizeof *paths, "inputs");
    json_array_foreach(inputs, i, input)
    {
        const char *path = json_string_value(json_object_get(input, "path"));
        if (status == MDM_OK)
            paths[i] = path ? path : "";
    }
    if (status == MDM_OK && json_is_true(json_object_get(page, "finished")))
        status = mdm_fail(MDM_ERR_AGAIN, "This job is finished: its recordings and working files are gone.");
    if (status == MDM_OK)
        status = web_words(&words, json_object_get(page, "options"), folder, paths, json_array_size(inputs));
    if (status == MDM_OK)
        status = web_launch(web, folder, words);
    web_words_free(&words);
    mdm_free(&paths);
    json_decref(page);
    return status;
}

/* ---- what is known of a job ---------------------------------------------------------------------------------------------------- */

/* The last lines of a file of private/. Caller frees. */
static mdm_status tail_of(char **out, const char *folder, const char *name)
{
    char *path;
    MDM_TRY(web_path(&path, folder, "private", name, NULL));
    FILE *file = fopen(path, "re");
    mdm_free(&path);
    MDM_TRY(mdm_alloc(out, TAIL + 1, 1, "events"));
    if (!file)
        return MDM_OK;
    if (fseek(file, -TAIL, SEEK_END) != 0)
        rewind(file);
    (*out)[fread(*out, 1, TAIL, file)] = '\0';
    fclose(file);
    return MDM_OK;
}

/* The last event, when it is the result of a whole run. */
static json_t *last_result(const char *folder)
{
    char *text;
    json_t *found = NULL;
    if (tail_of(&text, folder, "events.jsonl") != MDM_OK)
        return NULL;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        json_t *event = json_loads(line, 0, NULL);
        const char *kind = json_string_value(json_object_get(event, "event"));
        if (kind && strcmp(kind, "result") == 0) {
            json_decref(found);
            found = json_incref(event);
        }
        json_decref(event);
    }
    mdm_free(&text);
    return found;
}

/* What a run that ended without a result said last. */
static json_t *last_words(const char *folder)
{
    char *text, *last = NULL;
    if (tail_of(&text, folder, "errors.txt") != MDM_OK)
        return json_string("");
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (*line)
            last = line;
    if (last && strncmp(last, "mmdm: ", 6) == 0)
        last += 6;
    json_t *words = json_string(last ? last : "");
    mdm_free(&text);
    return words ? words : json_string("");
}

static int64_t written_at(const char *folder, const char *a, const char *b, const char *name)
{
    char *path;
    struct stat info;
    int64_t at = 0;
    if ((b ? web_path(&path, folder, "private", a, b, name, NULL) : web_path(&path, folder, "private", name, NULL)) !=
        MDM_OK)
        return 0;
    if (stat(path, &info) == 0)
        at = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    mdm_free(&path);
    return at;
}

/* Names of the clips that have work folders; the caller frees them as mdm_list_folder's. */
static void clip_names(char ***names, size_t *count, const char *folder)
{
    char *work;
    *names = NULL;
    *count = 0;
    if (web_path(&work, folder, "private", "work", NULL) != MDM_OK)
        return;
    if (mdm_file_exists(work))
        (void)mdm_list_folder(names, count, work);
    mdm_free(&work);
}

/* Plan, decisions or motions were changed after the last result. */
static bool is_changed(const char *folder)
{
    const int64_t result = written_at(folder, NULL, NULL, "result.json");
    char **names;
    size_t count;
    bool changed = result && (written_at(folder, NULL, NULL, "plan.json") > result ||
                              written_at(folder, NULL, NULL, "review.json") > result);
    clip_names(&names, &count, folder);
    for (size_t i = 0; i < count && result; i++)
        changed |= written_at(folder, "work", names[i], "motion-edit.json") > result;
    mdm_names_free(&names, count);
    return changed;
}

static json_t *describe(const char *id, const char *folder, const json_t *page)
{
    const bool runs = web_job_runs(folder, NULL), finished = json_is_true(json_object_get(page, "finished"));
    json_t *result = runs ? NULL : last_result(folder), *names = json_array(), *input;
    const char *state = finished ? "finished" : runs ? "running" : result ? "done" : "stopped";
    size_t i;
    json_array_foreach(json_object_get(page, "inputs"), i, input)
        json_array_append(names, json_object_get(input, "name"));
    json_t *out = json_pack("{s:s, s:O, s:O, s:s, s:o, s:O}", "id", id, "name", json_object_get(page, "name"),
                            "created", json_object_get(page, "created"), "state", state, "inputs", names, "options",
                            json_object_get(page, "options"));
    json_object_set_new(out, "changed", json_boolean(!finished && !runs && is_changed(folder)));
    if (result)
        json_object_set(out, "result", result);
    if (strcmp(state, "stopped") == 0)
        json_object_set_new(out, "problem", last_words(folder));
    json_decref(result);
    return out;
}

web_result web_jobs_list(web_request *request)
{
    char **names;
    size_t count;
    json_t *list = json_array();
    mdm_status status = mdm_list_folder(&names, &count, request->web->jobs);
    for (size_t i = 0; status == MDM_OK && i < count; i++) {
        char *folder;
        json_t *page = NULL;
        if (web_job_folder(&folder, request->web, names[i]) != MDM_OK)
            continue;
        if (load_page(&page, folder) == MDM_OK)
            json_array_append_new(list, describe(names[i], folder, page));
        json_decref(page);
        mdm_free(&folder);
    }
    if (status == MDM_OK)
        mdm_names_free(&names, count);
    if (status == MDM_OK)
        return web_json(request, 200, json_pack("{s:o}", "jobs", list));
    json_decref(list);
    return web_status(request, status);
}

/* ---- its clips ------------------------------------------------------------------------------------------------------------------ */

/* The name people know the recording by: an input's, or of a file in a folder that is one. */
static const char *known_name(const json_t *page, const char *path)
{
    size_t i;
    json_t *input;
    const char *slash = path ? strrchr(path, '/') : NULL;
    json_array_foreach(json_object_get(page, "inputs"), i, input)
    {
        const char *own = json_string_value(json_object_get(input, "path"));
        if (own && path && strcmp(own, path) == 0)
            return json_string_value(json_object_get(input, "name"));
    }
    return slash ? slash + 1 : "";
}

static json_t *message_of(const json_t *result, const char *id, const char *key)
{
    size_t i;
    json_t *clip;
    json_array_foreach(json_object_get(result, "clips"), i, clip)
    {
        const char *own = json_string_value(json_object_get(clip, "id"));
        if (own && strcmp(own, id) == 0)
            return json_incref(json_object_get(clip, key));
    }
    return json_string("");
}

static json_t *one_clip(const char *folder, const json_t *page, const json_t *result, const json_t *decisions[2],
                        const char *id)
{
    json_t *clip = load_private(folder, "work", id, "clip.json"),
           *evidence = load_private(folder, "work", id, "evidence.json");
    const json_t *decided = NULL;
    for (int i = 0; i < 2 && !decided; i++)
        decided = json_object_get(json_object_get(decisions[i], "clips"), id);
    const char *path = json_string_value(json_object_get(json_object_get(clip, "source"), "path"));
    json_t *pass = json_object_get(evidence, "pass"), *reasons = json_object_get(evidence, "reasons");
    json_t *out = json_pack("{s:s, s:s, s:O, s:O, s:s, s:o, s:o}", "id", id, "name", known_name(page, path), "pass",
                            pass ? pass : json_null(), "reasons", reasons ? reasons : json_null(), "decision",
                            json_is_string(decided) ? json_string_value(decided) : "", "state",
                            message_of(result, id, "state"), "message", message_of(result, id, "message"));
    json_decref(clip);
    json_decref(evidence);
    return out;
}

static json_t *clips_of(const char *folder, const json_t *page)
{
    char **names;
    size_t count;
    json_t *list = json_array(), *result = load_private(folder, NULL, NULL, "result.json"),
           *rejected = load_private(folder, NULL, NULL, "review.json"),
           *approved = load_private(folder, NULL, NULL, "approved.json");
    const json_t *decisions[2] = {rejected, approved};
    clip_names(&names, &count, folder);
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], "clip-", 5) == 0) {
            json_t *clip = one_clip(folder, page, result, decisions, names[i]);
            if (clip)
                json_array_append_new(list, clip);
        }
    mdm_names_free(&names, count);
    json_decref(result);
    json_decref(rejected);
    json_decref(approved);
    return list;
}

web_result web_job_show(web_request *request)
{
    char *folder, *dataset = NULL;
    json_t *page = NULL, *out = NULL;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status != MDM_OK)
        return web_status(request, status);
    status = load_page(&page, folder);
    if (status == MDM_OK)
        status = web_path(&dataset, folder, "dataset", NULL);
    if (status == MDM_OK) {
        out = describe(request->id[0], folder, page);
        json_object_set_new(out, "clips", clips_of(folder, page));
        json_object_set_new(out, "dataset", mdm_file_exists(dataset) ? json_string(dataset) : json_null());
    }
    json_decref(page);
    mdm_free(&dataset);
    mdm_free(&folder);
    return status == MDM_OK ? web_json(request, 200, out) : web_status(request, status);
}

/* ---- what can be done to it ------------------------------------------------------------------------------------------------------ */

typedef mdm_status (*job_act)(web_request *request, const char *folder);

static web_result act(web_request *request, job_act action)
{
    char *folder;
    mdm_status status = web_job_folder(&folder, request->web, request->id[0]);
    if (status == MDM_OK)
        status = action(request, folder);
    mdm_free(&folder);
    return status == MDM_OK ? web_json(request, 200, json_object()) : web_status(request, status);
}

static mdm_status need_rest(const char *folder)
{
    return web_job_runs(folder, NULL) ? mdm_fail(MDM_ERR_AGAIN, "The job runs; stop it first.") : MDM_OK;
}

static mdm_status start_job(web_request *request, const char *folder)
{
    return web_job_go(request->web, folder);
}

static mdm_status cancel_job(web_request *request, const char *folder)
{
    long pid;
    (void)request;
    if (!web_job_runs(folder, &pid))
        return MDM_OK;
    return kill((pid_t)pid, SIGTERM) == 0 || errno == ESRCH
               ? MDM_OK
               : mdm_fail(MDM_ERR_INTERNAL, "The job cannot be stopped: %s.", strerror(errno));
}

static mdm_status remove_uploads(const mdm_web *web, const json_t *page)
{
    size_t i;
    json_t *upload;
    json_array_foreach(json_object_get(page, "uploads"), i, upload)
    {
        char ignored[WEB_IDS][WEB_SECRET];
        const char *id = json_string_value(upload);
        if (id && web_match(ignored, "*", id))
            MDM_TRY(web_upload_remove(web, id));
    }
    return MDM_OK;
}

/* Only the dataset, and what is private about it, stay: the working files and uploaded copies go. */
static mdm_status finish_job(web_request *request, const char *folder)
{
    mdm_options *options = NULL;
    json_t *page;
    MDM_TRY(need_rest(folder));
    MDM_TRY(load_page(&page, folder));
    json_object_set_new(page, "finished", json_true());
    mdm_status status = save_page(folder, page);
    if (status == MDM_OK)
        status = mdm_options_new(&options);
    if (status == MDM_OK)
        status = mdm_options_set(options, "output", folder);
    if (status == MDM_OK)
        status = mdm_wipe_work(options);
    if (status == MDM_OK)
        status = remove_uploads(request->web, page);
    mdm_options_free(&options);
    json_decref(page);
    return status;
}

static mdm_status delete_job(web_request *request, const char *folder)
{
    json_t *page = NULL;
    MDM_TRY(need_rest(folder));
    mdm_status status = load_page(&page, folder);
    if (status == MDM_OK)
        status = remove_uploads(request->web, page);
    json_decref(page);
    return status == MDM_OK ? mdm_remove_tree(folder, true) : status;
}

web_result web_job_start(web_request *request)
{
    return act(request, start_job);
}

web_result web_job_cancel(web_request *request)
{
    return act(request, cancel_job);
}

web_result web_job_finish(web_request *request)
{
    return act(request, finish_job);
}

web_result web_job_delete(web_request *request)
{
    return act(request, delete_job);
}
