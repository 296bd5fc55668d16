/* What is installed, which stages can run, and the command that would bring the rest. */
#include <libavcodec/avcodec.h>
#include <libavutil/avutil.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "mmdm.h"
#include "nn/gpu.h"
#include "pipeline/catalog.h"

/* What a stage needs beside the libraries the program is linked to. Judges that only verify uses are "verify". */
typedef struct check {
    bool *ready;
    mdm_finding_fn tell;
    void *user;
} check;

static void report(check *c, const char *part, bool ready, const char *detail, const char *remedy, bool needed)
{
    mdm_finding finding = {part, ready, detail, ready ? "" : remedy};
    if (!ready && needed)
        *c->ready = false;
    c->tell(c->user, &finding);
}

static void check_codecs(check *c)
{
    static const struct {
        const char *name, *part;
    } encoders[] = {{"libx264", "H.264 encoder"}, {"aac", "AAC encoder"}};
    char detail[96];
    snprintf(detail, sizeof detail, "%s", av_version_info());
    report(c, "library FFmpeg", true, detail, "", true);
    for (size_t i = 0; i < sizeof encoders / sizeof encoders[0]; i++) {
        bool there = avcodec_find_encoder_by_name(encoders[i].name) != NULL;
        report(c, encoders[i].part, there, there ? encoders[i].name : "not in this FFmpeg",
               "apt-get install libavcodec-extra", true);
    }
}

static bool uses_stage(const json_t *file, const char *stage)
{
    size_t i;
    json_t *use;
    json_array_foreach(json_object_get(file, "used_by"), i, use)
    {
        if (json_is_string(use) && strcmp(json_string_value(use), stage) == 0)
            return true;
    }
    return false;
}

/* A stage is ready when every file of the catalogue that it uses is there. */
static void check_stage(check *c, const mdm_catalog *catalog, const char *stage)
{
    char part[64], detail[400] = "";
    size_t i, missing = 0, have = 0;
    json_t *file;
    snprintf(part, sizeof part, "stage %s", stage);
    json_array_foreach(catalog->files, i, file)
    {
        char *path;
        if (!uses_stage(file, stage) || json_is_true(json_object_get(file, "optional")) ||
            mdm_catalog_path(&path, catalog, file) != MDM_OK)
            continue;
        bool there = mdm_file_exists(path);
        have += there;
        if (!there) {
            size_t used = strlen(detail);
            snprintf(detail + used, sizeof detail - used, "%s%s", missing++ ? ", " : "missing ",
                     json_string_value(json_object_get(file, "name")));
        }
        mdm_free(&path);
    }
    if (!missing)
        snprintf(detail, sizeof detail, have ? "%zu model files" : "needs no downloaded model", have);
    report(c, part, missing == 0, detail, "./setup (or mmdm models pull)", true);
}

static void check_weights(check *c, const char *folder)
{
    char **names = NULL, detail[MDM_MAX_PATH + 64] = "";
    size_t count = 0, found = 0;
    if (mdm_list_folder(&names, &count, folder) != MDM_OK) {
        report(c, "own weights", false, folder, "run from the repository, or give --weights", true);
        return;
    }
    for (size_t i = 0; i < count; i++)
        found += strstr(names[i], ".safetensors") != NULL;
    mdm_names_free(&names, count);
    snprintf(detail, sizeof detail, "%zu files in %s", found, folder);
    report(c, "own weights", found > 0, detail, "run from the repository, or give --weights", true);
}

mdm_status mdm_doctor(bool *ready, const mdm_options *options, mdm_finding_fn tell, void *user)
{
    check c = {ready, tell, user};
    const char *models, *weights;
    char detail[128];
    mdm_catalog catalog;
    mdm_settings settings;
    *ready = true;
    mdm_settings_defaults(&settings);
    MDM_TRY(mdm_options_get(&models, (mdm_options *)options, "models"));
    snprintf(settings.models, sizeof settings.models, "%s", models);
    MDM_TRY(mdm_options_get(&weights, (mdm_options *)options, "weights"));
    snprintf(settings.weights, sizeof settings.weights, "%s", weights);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    snprintf(detail, sizeof detail, "%ld cores, %.1f GiB of memory", cores,
             (double)pages * (double)page / 1073741824.0);
    report(&c, "machine", true, detail, "", false);
    mdm_gpu_describe(detail, sizeof detail);
    report(&c, "GPU", true, detail, "", false);
    check_codecs(&c);
    if (mdm_catalog_load(&catalog, &settings) != MDM_OK) {
        report(&c, "model catalogue", false, mdm_error_message(), "run from the repository, or give --weights", true);
        mdm_catalog_free(&catalog);
        return MDM_OK;
    }
    report(&c, "models folder", mdm_file_exists(catalog.models), catalog.models, "./setup", true);
    check_weights(&c, catalog.weights);
    for (int s = 0; s < MDM_STAGE_COUNT; s++)
        check_stage(&c, &catalog, mdm_stage_at((mdm_stage_id)s)->stage.name);
    mdm_catalog_free(&catalog);
    return MDM_OK;
}
