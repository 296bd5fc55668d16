/* The catalogue of downloadable models: listing, checking and fetching them. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/options.h"
#include "mmdm.h"
#include "pipeline/catalog.h"

#define MAX_MODEL ((curl_off_t)16 << 30)

mdm_status mdm_catalog_load(mdm_catalog *out, const mdm_settings *settings)
{
    memset(out, 0, sizeof *out);
    MDM_TRY(mdm_job_find_folders(out->models, out->weights, settings));
    char *path;
    MDM_TRY(mdm_join_path(&path, out->weights, "catalog.json"));
    mdm_status status = mdm_json_load(&out->root, path, 0);
    if (status == MDM_OK)
        status = mdm_json_array(&out->files, out->root, "files", path);
    mdm_free(&path);
    return status;
}

void mdm_catalog_free(mdm_catalog *catalog)
{
    json_decref(catalog->root);
    catalog->root = catalog->files = NULL;
}

/* "find, verify" */
static void join_uses(char *out, size_t room, const json_t *uses)
{
    size_t i, used = 0;
    json_t *use;
    out[0] = '\0';
    json_array_foreach((json_t *)uses, i, use)
    {
        int n = snprintf(out + used, room - used, "%s%s", i ? ", " : "", json_string_value(use));
        if (n < 0 || (size_t)n >= room - used)
            return;
        used += (size_t)n;
    }
}

mdm_status mdm_catalog_path(char **out, const mdm_catalog *catalog, const json_t *file)
{
    const char *name;
    MDM_TRY(mdm_json_string(&name, file, "name", "catalog.json"));
    if (name[0] == '/' || strstr(name, ".."))
        return mdm_fail(MDM_ERR_CONFIG, "catalog.json: \"%s\" is not a plain file name", name);
    /* Weights trained in this project lie beside the catalogue; the others are where the set-up puts them. */
    const char *registry = json_string_value(json_object_get(json_object_get(file, "source"), "registry"));
    bool own = registry && strcmp(registry, "repository") == 0;
    return mdm_join_path(out, own ? catalog->weights : catalog->models, name);
}

typedef mdm_status (*model_work)(const char **problem, char *text, size_t room, const mdm_model_info *model,
                                 const char *path, const json_t *file);

static mdm_status for_each_model(const mdm_options *options, mdm_model_fn tell, void *user, model_work work);

static mdm_status look(const char **problem, char *text, size_t room, const mdm_model_info *model, const char *path,
                       const json_t *file)
{
    (void)text, (void)room, (void)path, (void)file;
    *problem = model->present ? NULL : "not there";
    return MDM_OK;
}

static mdm_status verify(const char **problem, char *text, size_t room, const mdm_model_info *model, const char *path,
                         const json_t *file)
{
    char hash[65];
    (void)file;
    *problem = NULL;
    if (!model->present) {
        *problem = "not there";
        return MDM_OK;
    }
    MDM_TRY(mdm_sha256_file(hash, path));
    if (strcmp(hash, model->sha256) != 0) {
        snprintf(text, room, "damaged: SHA-256 is %.12s..., expected %.12s...", hash, model->sha256);
        *problem = text;
    }
    return MDM_OK;
}

/* ---- fetching ---------------------------------------------------------------------------------------------------------- */

static size_t take_bytes(char *data, size_t size, size_t count, void *user)
{
    return fwrite(data, size, count, user) * size;
}

static mdm_status fetch(const char *address, const char *to)
{
    FILE *file = fopen(to, "wbx");
    if (!file)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot create", to);
    CURL *curl = curl_easy_init();
    CURLcode code = curl ? CURLE_OK : CURLE_FAILED_INIT;
    if (curl) {
        curl_easy_setopt(curl, CURLOPT_URL, address);
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, MAX_MODEL);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
        code = curl_easy_perform(curl);
        curl_easy_cleanup(curl);
    }
    if (fclose(file) != 0)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot write", to);
    return code == CURLE_OK ? MDM_OK : mdm_fail(MDM_ERR_AGAIN, "%s: %s", address, curl_easy_strerror(code));
}

static mdm_status pull(const char **problem, char *text, size_t room, const mdm_model_info *model, const char *path,
                       const json_t *file)
{
    char *temporary = NULL, *address = NULL, hash[65];
    const char *base = getenv("MMDM_MODEL_BASE");
    MDM_TRY(verify(problem, text, room, model, path, file));
    if (!*problem)
        return MDM_OK;
    if (!base || !*base) {
        *problem = "missing or damaged; ./setup gets it, or set MMDM_MODEL_BASE to an address that serves it";
        return MDM_OK;
    }
    mdm_status status = mdm_temp_name(&temporary, path);
    char *slash = temporary ? strrchr(temporary, '/') : NULL;
    if (slash) { /* some files lie in a folder of their model */
        *slash = '\0';
        status = mdm_make_folder(temporary, 0755);
        *slash = '/';
    }
    if (status == MDM_OK)
        status = mdm_join_path(&address, base, model->file);
    if (status == MDM_OK)
        status = fetch(address, temporary);
    if (status == MDM_OK)
        status = mdm_sha256_file(hash, temporary);
    if (status == MDM_OK && strcmp(hash, model->sha256) != 0)
        status = mdm_fail(MDM_ERR_INPUT, "%s: not the expected file (SHA-256 %.12s..., expected %.12s...)", address,
                          hash, model->sha256);
    if (status == MDM_OK)
        status = mdm_temp_commit(temporary, path);
    else
        mdm_temp_discard(temporary);
    *problem = NULL;
    if (status != MDM_OK && status != MDM_ERR_WRITE) { /* one that cannot be had does not stop the others */
        snprintf(text, room, "%s", mdm_error_message());
        *problem = text;
        status = MDM_OK;
    }
    mdm_free(&temporary);
    mdm_free(&address);
    return status;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------ */

static mdm_status one_model(const mdm_catalog *catalog, const json_t *file, mdm_model_fn tell, void *user,
                            model_work work, size_t *problems)
{
    char uses[128], text[512] = "", *path;
    const char *problem = NULL;
    long long bytes;
    mdm_model_info model = {0};
    MDM_TRY(mdm_json_string(&model.file, file, "name", "catalog.json"));
    MDM_TRY(mdm_json_string(&model.sha256, file, "sha256", "catalog.json"));
    MDM_TRY(mdm_json_string(&model.licence, file, "licence", "catalog.json"));
    MDM_TRY(mdm_json_string(&model.name, file, "what", "catalog.json"));
    MDM_TRY(mdm_json_int(&bytes, file, "bytes", 0, INT64_MAX, "catalog.json"));
    join_uses(uses, sizeof uses, json_object_get(file, "used_by"));
    model.needed_by = uses;
    model.bytes = (uint64_t)bytes;
    MDM_TRY(mdm_catalog_path(&path, catalog, file));
    model.present = mdm_file_exists(path);
    mdm_status status = work(&problem, text, sizeof text, &model, path, file);
    mdm_free(&path);
    if (status == MDM_OK)
        tell(user, &model, problem);
    *problems += problem != NULL;
    return status;
}

static mdm_status for_each_model(const mdm_options *options, mdm_model_fn tell, void *user, model_work work)
{
    mdm_catalog catalog;
    const char *models, *weights;
    mdm_settings settings;
    size_t i, problems = 0;
    json_t *file;
    mdm_settings_defaults(&settings);
    /* Options are opaque here too: only the two folders matter. */
    MDM_TRY(mdm_options_get(&models, (mdm_options *)options, "models"));
    snprintf(settings.models, sizeof settings.models, "%s", models);
    MDM_TRY(mdm_options_get(&weights, (mdm_options *)options, "weights"));
    snprintf(settings.weights, sizeof settings.weights, "%s", weights);
    mdm_status status = mdm_catalog_load(&catalog, &settings);
    if (status == MDM_OK && work == pull)
        status = mdm_make_folder(catalog.models, 0755);
    json_array_foreach(catalog.files, i, file)
    {
        if (status == MDM_OK)
            status = one_model(&catalog, file, tell, user, work, &problems);
    }
    mdm_catalog_free(&catalog);
    if (status == MDM_OK && problems && work != look)
        status =
            mdm_fail(MDM_ERR_DEVICE, "%zu model file%s missing or damaged", problems, problems == 1 ? " is" : "s are");
    return status;
}

mdm_status mdm_models_list(const mdm_options *options, mdm_model_fn tell, void *user)
{
    return for_each_model(options, tell, user, look);
}

mdm_status mdm_models_verify(const mdm_options *options, mdm_model_fn tell, void *user)
{
    return for_each_model(options, tell, user, verify);
}

mdm_status mdm_models_pull(const mdm_options *options, mdm_model_fn tell, void *user)
{
    return for_each_model(options, tell, user, pull);
}
