/* TFJS weights: a manifest (a list of groups, or inside a graph model's JSON) and binary shards beside it, optionally
 * quantised to 8 or 16 bits by scale and minimum, or to half floats. Facts: models.md 0. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "nn/tensor_file_internal.h"

#define MAX_SHARDS ((size_t)1 << 30)

static mdm_status add_shard(mdm_tensor_file *file, const char *path, const char *shard)
{
    /* a shard is a plain name beside the manifest: nothing that could lead elsewhere */
    if (!shard || !*shard || strchr(shard, '/') || !strcmp(shard, "..") || strlen(shard) > 200)
        return mdm_fail(MDM_ERR_INPUT, "%s: shard \"%s\", expected a plain file name", path, shard ? shard : "");
    const char *slash = strrchr(path, '/');
    char *full = NULL;
    mdm_status status =
        slash ? mdm_format(&full, "%.*s/%s", (int)(slash - path), path, shard) : mdm_strdup(&full, shard);
    unsigned char *data = NULL;
    size_t size = 0;
    if (!status)
        status = mdm_file_read(&data, &size, full, MAX_SHARDS);
    if (!status && size > MAX_SHARDS - file->extra_size)
        status = mdm_fail(MDM_ERR_INPUT, "%s: shards of more than %zu bytes", path, MAX_SHARDS);
    if (!status)
        status = mdm_realloc(&file->extra, file->extra_size + size + 1, 1, "shards");
    if (!status) {
        memcpy(file->extra + file->extra_size, data, size);
        file->extra_size += size;
    }
    mdm_free(&data);
    mdm_free(&full);
    return status;
}

static mdm_status dtype_of(mdm_dtype *out, const char *name, const char *path)
{
    static const struct {
        const char *name;
        mdm_dtype dtype;
    } types[] = {{"float32", MDM_F32}, {"int32", MDM_I32},   {"uint8", MDM_U8},
                 {"uint16", MDM_U16},  {"float16", MDM_F16}, {"bool", MDM_BOOL}};
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name)) {
            *out = types[i].dtype;
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_INPUT, "%s: type \"%s\" is not known", path, name ? name : "");
}

/* The arrays lie one after another; offsets are only known once all shards are in, so data pointers are set at the end. */
static mdm_status add_weight(mdm_tensor_file *file, const json_t *weight, size_t *at, const char *path)
{
    const char *name;
    json_t *shape;
    mdm_array array = {.scale = 1};
    MDM_TRY(mdm_json_string(&name, weight, "name", path));
    MDM_TRY(mdm_json_array(&shape, weight, "shape", path));
    array.name = name;
    const json_t *quantised = json_object_get(weight, "quantization");
    MDM_TRY(dtype_of(&array.dtype, json_string_value(json_object_get(quantised ? quantised : weight, "dtype")), path));
    if (quantised && array.dtype != MDM_F16) {
        MDM_TRY(mdm_json_number(&array.scale, quantised, "scale", path));
        MDM_TRY(mdm_json_number(&array.offset, quantised, "min", path));
        if (!isfinite(array.scale) || !isfinite(array.offset))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\": scale and minimum must be finite", path, name);
    }
    if (json_array_size(shape) > MDM_MAX_RANK)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %zu axes", path, name, json_array_size(shape));
    array.rank = (int)json_array_size(shape);
    size_t bytes = mdm_dtype_size(array.dtype);
    for (int i = 0; i < array.rank; i++) {
        array.shape[i] = json_integer_value(json_array_get(shape, (size_t)i));
        if (array.shape[i] < 0 || !mdm_mul_size(&bytes, bytes, (size_t)array.shape[i]))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has an impossible shape", path, name);
    }
    MDM_TRY(mdm_tensor_file_add(file, &array, file->extra, file->extra_size, *at, bytes, path));
    *at += bytes;
    return MDM_OK;
}

static mdm_status read_manifest(mdm_tensor_file *file, const json_t *manifest, const char *path)
{
    size_t at = 0, g;
    const json_t *group;
    json_array_foreach(manifest, g, group)
    {
        json_t *paths;
        MDM_TRY(mdm_json_array(&paths, group, "paths", path));
        for (size_t i = 0; i < json_array_size(paths); i++)
            MDM_TRY(add_shard(file, path, json_string_value(json_array_get(paths, i))));
    }
    json_array_foreach(manifest, g, group)
    {
        json_t *weights;
        MDM_TRY(mdm_json_array(&weights, group, "weights", path));
        for (size_t i = 0; i < json_array_size(weights); i++)
            MDM_TRY(add_weight(file, json_array_get(weights, i), &at, path));
    }
    if (at != file->extra_size)
        return mdm_fail(MDM_ERR_INPUT, "%s: its weights take %zu bytes, the shards hold %zu; get the files again", path,
                        at, file->extra_size);
    return MDM_OK;
}

mdm_status mdm_read_tfjs(mdm_tensor_file *file, const char *path)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)file->map.data, file->map.size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return mdm_fail(MDM_ERR_INPUT, "%s: line %d: %s", path, error.line, error.text);
    const json_t *manifest = json_is_array(root) ? root : json_object_get(root, "weightsManifest");
    mdm_status status =
        json_is_array(manifest)
            ? read_manifest(file, manifest, path)
            : mdm_fail(MDM_ERR_INPUT, "%s: no list of weights; expected a TFJS model or weights manifest", path);
    json_decref(root);
    return status;
}
