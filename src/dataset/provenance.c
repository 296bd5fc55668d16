/* What says where the files of a dataset come from: a sidecar a clip that marks it as synthetic, and the bill of the models. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "dataset/pack.h"
#include "media/mark.h"

/* ---- sidecars -------------------------------------------------------------------------------------------------------------- */

/* Actions and hash as C2PA 2.x names them. It is not signed: who publishes the dataset signs, or does not. */
static json_t *sidecar(const mdm_pack_info *info, const mdm_pack_clip *clip, const char *hash)
{
    size_t length = strlen(clip->media);
    const char *type = length > 4 && strcmp(clip->media + length - 4, ".png") == 0 ? "image/png" : "video/mp4";
    json_t *agent = json_pack("{s:s, s:s}", "name", "mmdm", "version", info->version);
    json_t *actions = json_pack("{s:[{s:s, s:s, s:O, s:s}]}", "actions", "action", "c2pa.edited", "digitalSourceType",
                                "http://cv.iptc.org/newscodes/" MDM_SOURCE_TYPE, "softwareAgent", agent, "description",
                                "Every person was replaced by a synthetic stand-in, or covered.");
    return json_pack("{s:[o], s:s, s:s, s:[{s:s, s:o}, {s:s, s:{s:s, s:s}}], s:s}", "claim_generator_info", agent,
                     "title", clip->clip_id, "format", type, "assertions", "label", "c2pa.actions.v2", "data", actions,
                     "label", "c2pa.hash.data", "data", "alg", "sha256", "hash", hash, "signature_status", "unsigned");
}

mdm_status mdm_pack_sidecar(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clip)
{
    char *inner, *path = NULL, hash[65];
    json_t *value = NULL;
    MDM_TRY(mdm_join_path(&inner, folder, "provenance"));
    mdm_status status = mdm_make_folder(inner, 0755);
    if (status == MDM_OK)
        status = mdm_format(&path, "%s/%.40s.json", inner, clip->clip_id);
    if (status == MDM_OK)
        status = mdm_sha256_file(hash, clip->media);
    if (status == MDM_OK)
        value = sidecar(info, clip, hash);
    if (status == MDM_OK)
        status = mdm_json_save(value, path);
    json_decref(value);
    mdm_free(&path);
    mdm_free(&inner);
    return status;
}

/* ---- models ------------------------------------------------------------------------------------------------------------------ */

/* "find, verify" */
static json_t *joined(const json_t *names)
{
    mdm_buffer text = {0};
    json_t *name;
    size_t i;
    json_array_foreach((json_t *)names, i, name)(void)
        mdm_buffer_printf(&text, "%s%s", i ? ", " : "", json_string_value(name));
    json_t *out = json_string(text.data ? (const char *)text.data : "");
    mdm_buffer_free(&text);
    return out;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_t *component(const json_t *file)
{
    const json_t *source = json_object_get(file, "source");
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:s, s:[{s:s, s:s}], s:[{s:{s:s}}], s:[{s:s, s:s}, {s:s, s:o}, {s:s, s:s}]}", "type",
        strstr(text_of(file, "name"), ".txt") || strstr(text_of(file, "name"), ".obj") ? "data"
                                                                                       : "machine-learning-model",
        "bom-ref", text_of(file, "name"), "name", text_of(file, "name"), "description", text_of(file, "what"), "hashes",
        "alg", "SHA-256", "content", text_of(file, "sha256"), "licenses", "license", "name", text_of(file, "licence"),
        "properties", "name", "mmdm:role", "value", text_of(file, "role"), "name", "mmdm:stages", "value",
        joined(json_object_get(file, "used_by")), "name", "mmdm:package", "value", text_of(source, "package"));
    if (text_of(source, "version")[0])
        json_object_set_new(out, "version", json_string(text_of(source, "version")));
    return out;
}

/* A model the user brought: its weights are not the catalogue's, so that there is no hash to give. */
static json_t *brought(const char *name, const char *stage)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "type", "machine-learning-model", "bom-ref",
                     name, "name", name, "description",
                     "weights of the publisher's own, see docs/drawing.md and docs/echomimic.md", "properties", "name",
                     "mmdm:role", "value", "make", "name", "mmdm:stages", "value", stage);
}

mdm_status mdm_pack_models(const char *path, const mdm_pack_info *info)
{
    json_t *components = json_array(), *file;
    size_t i;
    json_array_foreach((json_t *)info->models, i, file)
    {
        if (json_array_size(json_object_get(file, "used_by")) || strcmp(text_of(file, "role"), "judge") == 0)
            json_array_append_new(components, component(file));
    }
    if (info->settings->portrait[0] && strcmp(info->settings->portrait, "embedded") != 0)
        json_array_append_new(components, brought(info->settings->portrait, "portrait"));
    if (info->settings->animate[0] && strcmp(info->settings->animate, "embedded") != 0)
        json_array_append_new(components, brought(info->settings->animate, "animate"));
    json_t *bill = json_pack("{s:s, s:s, s:i, s:{s:{s:[{s:s, s:s, s:s}]}}, s:o}", "bomFormat", "CycloneDX",
                             "specVersion", "1.6", "version", 1, "metadata", "tools", "components", "type",
                             "application", "name", "mmdm", "version", info->version, "components", components);
    mdm_status status =
        bill ? mdm_json_save(bill, path) : mdm_fail(MDM_ERR_INTERNAL, "%s: the bill of models cannot be made", path);
    json_decref(bill);
    return status;
}
