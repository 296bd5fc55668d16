/* The Hugging Face Hub's cache: where a repository's files lie. */
#include "models/hub_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static bool is_set(const char **value, const char *name)
{
    *value = getenv(name);
    return *value && **value;
}

static mdm_status cache_folder(char **out)
{
    const char *value;
    if (is_set(&value, "HF_HUB_CACHE"))
        return mdm_strdup(out, value);
    if (is_set(&value, "HF_HOME"))
        return mdm_join_path(out, value, "hub");
    if (is_set(&value, "HOME"))
        return mdm_format(out, "%s/.cache/huggingface/hub", value);
    return mdm_fail(MDM_ERR_CONFIG, "neither HF_HOME nor HOME is set: where models are kept is not known");
}

/* Letters, digits, ".", "_", "-", and one "/" between owner and name. */
static bool is_repository(const char *text)
{
    const char *slash = strchr(text, '/');
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return slash && slash != text && slash[1] && slash[1] != '.' && text[0] != '.' &&
           strspn(text, allowed) == (size_t)(slash - text) && strspn(slash + 1, allowed) == strlen(slash + 1);
}

mdm_status mdm_hub_folder(char **out, const char *repository)
{
    char *cache = NULL;
    if (!is_repository(repository))
        return mdm_fail(MDM_ERR_USAGE, "\"%s\" is no repository, expected OWNER/NAME", repository);
    MDM_TRY(cache_folder(&cache));
    const char *slash = strchr(repository, '/');
    mdm_status status = mdm_format(out, "%s/models--%.*s--%s", cache, (int)(slash - repository), repository, slash + 1);
    mdm_free(&cache);
    return status;
}

/* The revision in FOLDER/refs/main, a plain name. */
static mdm_status read_revision(char **out, const char *folder)
{
    char *path = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    MDM_TRY(mdm_format(&path, "%s/refs/main", folder));
    mdm_status status = mdm_file_read(&text, &size, path, 256);
    while (!status && size && (text[size - 1] == '\n' || text[size - 1] == ' '))
        text[--size] = '\0';
    if (!status && (!size || text[0] == '.' || strlen((char *)text) != size || strchr((char *)text, '/')))
        status = mdm_fail(MDM_ERR_INPUT, "%s: not the name of a revision", path);
    if (!status)
        status = mdm_strdup(out, (char *)text);
    mdm_free(&text);
    mdm_free(&path);
    return status;
}

mdm_status mdm_hub_snapshot(char **out, const char *repository)
{
    char *folder = NULL, *refs = NULL, *revision = NULL;
    MDM_TRY(mdm_hub_folder(&folder, repository));
    mdm_status status = mdm_format(&refs, "%s/refs/main", folder);
    if (!status && !mdm_file_exists(refs))
        status = mdm_fail(MDM_ERR_DEVICE, "%s is not in %s", repository, folder);
    if (!status)
        status = read_revision(&revision, folder);
    if (!status)
        status = mdm_format(out, "%s/snapshots/%s", folder, revision);
    mdm_free(&revision);
    mdm_free(&refs);
    mdm_free(&folder);
    return status;
}
