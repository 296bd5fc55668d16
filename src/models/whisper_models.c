/* Finding a Whisper, and converting it where that was not done yet. */
#include "models/whisper_models.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/hub_cache.h"
#include "models/whisper_convert.h"
#include "models/whisper_file.h"

static const mdm_whisper_model table[] = {
    {"tiny.en", "openai/whisper-tiny.en", 0.15},
    {"tiny", "openai/whisper-tiny", 0.15},
    {"base.en", "openai/whisper-base.en", 0.29},
    {"base", "openai/whisper-base", 0.29},
    {"small.en", "openai/whisper-small.en", 0.97},
    {"small", "openai/whisper-small", 0.97},
    {"medium.en", "openai/whisper-medium.en", 3.06},
    {"medium", "openai/whisper-medium", 3.06},
    {"large-v2", "openai/whisper-large-v2", 6.17},
    {"large-v3", "openai/whisper-large-v3", 3.09},
    {"large-v3-turbo", "openai/whisper-large-v3-turbo", 1.62},
};
enum { COUNT = sizeof table / sizeof *table };

const mdm_whisper_model *mdm_whisper_models(int *count)
{
    *count = COUNT;
    return table;
}

static const mdm_whisper_model *find(const char *name, size_t length)
{
    for (int i = 0; i < COUNT; i++)
        if (strlen(table[i].name) == length && !strncmp(table[i].name, name, length))
            return &table[i];
    return NULL;
}

const mdm_whisper_model *mdm_whisper_model_called(const char *name)
{
    static const char begin[] = "whisper-";
    return strncmp(name, begin, strlen(begin)) ? NULL : find(name + strlen(begin), strlen(name) - strlen(begin));
}

/* "small-q5_1" is small, q5_1. */
static const mdm_whisper_model *split_name(const char **precision, const char *name)
{
    const mdm_whisper_model *whole = find(name, strlen(name));
    const char *dash = strrchr(name, '-');
    *precision = whole || !dash ? "f16" : dash + 1;
    return whole || !dash ? whole : find(name, (size_t)(dash - name));
}

/* Where its weights are, in a form to convert. */
static mdm_status find_source(char **out, const mdm_whisper_model *model, const char *models)
{
    MDM_TRY(mdm_format(out, "%s/whisper-%s-ct2", models, model->name));
    if (mdm_file_exists(*out))
        return MDM_OK;
    mdm_free(out);
    if (mdm_hub_snapshot(out, model->repository) == MDM_OK)
        return MDM_OK;
    if (!strcmp(model->name, MDM_WHISPER_DEFAULT))
        return mdm_fail(MDM_ERR_DEVICE, "%s: no whisper-%s there; run ./setup, or use --transcribe none", models,
                        model->name);
    return mdm_fail(MDM_ERR_DEVICE,
                    "whisper-%s is not there. `mmdm models pull whisper-%s` gets it (%.2f GB, %s), or --whisper-model "
                    "takes the path of one of yours",
                    model->name, model->name, model->gigabytes, MDM_WHISPER_LICENCE);
}

static mdm_status named(char **path, const mdm_whisper_model *model, const char *precision, const char *models,
                        const char *name)
{
    char *source = NULL;
    MDM_TRY(mdm_format(path, "%s/whisper-%s.bin", models, name));
    if (mdm_file_exists(*path))
        return MDM_OK;
    mdm_status status = find_source(&source, model, models);
    if (status == MDM_OK)
        status = mdm_whisper_convert(*path, source, precision);
    mdm_free(&source);
    return status;
}

/* A file that begins like whisper.cpp's. */
static bool is_whisper_file(const char *path)
{
    int32_t magic = 0;
    mdm_mapping map;
    if (mdm_map_file(&map, path) != MDM_OK)
        return false;
    if (map.size >= sizeof magic)
        memcpy(&magic, map.data, sizeof magic);
    mdm_unmap_file(&map);
    return magic == MDM_WHISPER_MAGIC;
}

static mdm_status given(char **path, const char *models, const char *name)
{
    char *weights = NULL, hash[65];
    if (!mdm_file_exists(name))
        return mdm_fail(MDM_ERR_DEVICE, "%s: there is no such speech model", name);
    if (is_whisper_file(name))
        return mdm_strdup(path, name);
    MDM_TRY(mdm_whisper_weights(&weights, NULL, name));
    mdm_status status = mdm_sha256_file(hash, weights);
    if (status == MDM_OK)
        status = mdm_format(path, "%s/whisper-%.16s.bin", models, hash);
    if (status == MDM_OK && !mdm_file_exists(*path))
        status = mdm_whisper_convert(*path, name, "f16");
    mdm_free(&weights);
    return status;
}

static mdm_status unknown(const char *name)
{
    mdm_buffer list = {0};
    for (int i = 0; i < COUNT; i++)
        MDM_TRY(mdm_buffer_printf(&list, "%s%s", i ? ", " : "", table[i].name));
    mdm_status status = mdm_fail(MDM_ERR_CONFIG,
                                 "--whisper-model %s: expected one of %s, perhaps with -q5_1 or the like behind it, or "
                                 "a path with a / in it",
                                 name, (const char *)list.data);
    mdm_buffer_free(&list);
    return status;
}

mdm_status mdm_whisper_model_file(char **path, const char *models, const char *name)
{
    const char *precision;
    const mdm_whisper_model *model = split_name(&precision, name);
    *path = NULL;
    mdm_status status = model               ? named(path, model, precision, models, name)
                        : strchr(name, '/') ? given(path, models, name)
                                            : unknown(name);
    if (status != MDM_OK)
        mdm_free(path);
    return status;
}
