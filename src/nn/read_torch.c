/* PyTorch's checkpoints: a ZIP file of data.pkl, which says what there is, and a member for each storage; or the same one after another
 * (read_torch_legacy.c). The pickle is read as data (nn/pickle.h). A state_dict, whole or inside a dictionary of other things, becomes arrays. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/torch_internal.h"

#define MAX_PICKLE ((size_t)64 << 20)
#define MAX_DEPTH  8       /* of dictionaries in dictionaries */
#define MAX_SEEN   1000000 /* entries of all of them */

typedef struct torch_file {
    mdm_tensor_file *file;
    mdm_zip zip;
    mdm_pickle pickle;
    const char *path;
    char root[256]; /* folder of the members, "archive/" */
    size_t seen;    /* entries of dictionaries: one may lie in many others, so the file's size is no bound */
} torch_file;

static bool is_text(const mdm_pickle_value *v, mdm_pickle_kind kind, const char *text)
{
    return v && v->kind == kind && !strcmp(v->text, text);
}

static mdm_status wrong(const torch_file *t, const char *name, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" %s; not a tensor as torch.save writes it", t->path, name, what);
}

bool mdm_torch_dtype(mdm_dtype *out, const char *name)
{
    static const struct {
        const char *name;
        mdm_dtype dtype;
    } types[] = {
        {"torch.FloatStorage", MDM_F32},  {"torch.HalfStorage", MDM_F16}, {"torch.BFloat16Storage", MDM_BF16},
        {"torch.DoubleStorage", MDM_F64}, {"torch.CharStorage", MDM_I8},  {"torch.ByteStorage", MDM_U8},
        {"torch.ShortStorage", MDM_I16},  {"torch.IntStorage", MDM_I32},  {"torch.LongStorage", MDM_I64},
        {"torch.BoolStorage", MDM_BOOL},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(name, types[i].name)) {
            *out = types[i].dtype;
            return true;
        }
    return false;
}

/* The member that a storage's identification ("storage", type, key, device, elements) names. */
static mdm_status find_storage(const mdm_zip_member **out, mdm_dtype *dtype, const torch_file *t,
                               const mdm_pickle_value *foreign, const char *name)
{
    char member[512];
    const mdm_pickle_value *id = mdm_pickle_item(&t->pickle, foreign, 0), *type = mdm_pickle_item(&t->pickle, id, 1),
                           *key = mdm_pickle_item(&t->pickle, id, 2);
    if (!foreign || foreign->kind != MDM_PICKLE_FOREIGN || !id || id->kind != MDM_PICKLE_LIST ||
        !is_text(mdm_pickle_item(&t->pickle, id, 0), MDM_PICKLE_TEXT, "storage") || !key ||
        key->kind != MDM_PICKLE_TEXT)
        return wrong(t, name, "has no storage");
    if (type->kind != MDM_PICKLE_NAME || !mdm_torch_dtype(dtype, type->text))
        return wrong(t, name, "is of a type that is not known");
    snprintf(member, sizeof member, "%sdata/%.200s", t->root, key->text);
    *out = mdm_zip_find(&t->zip, member);
    return *out ? MDM_OK : wrong(t, name, "has a storage that is not in the file");
}

/* shape and strides; rows must lie one after another */
static mdm_status read_shape(mdm_array *array, const torch_file *t, const mdm_pickle_value *shape,
                             const mdm_pickle_value *strides)
{
    if (!shape || shape->kind != MDM_PICKLE_LIST || shape->count > MDM_MAX_RANK || !strides ||
        strides->kind != MDM_PICKLE_LIST || strides->count != shape->count)
        return wrong(t, array->name, "has no shape");
    array->rank = (int)shape->count;
    for (size_t i = 0; i < shape->count; i++) {
        const mdm_pickle_value *extent = mdm_pickle_item(&t->pickle, shape, i);
        if (extent->kind != MDM_PICKLE_INT || extent->number < 0)
            return wrong(t, array->name, "has an impossible shape");
        array->shape[i] = extent->number;
    }
    int64_t expected = 1;
    for (size_t i = shape->count; i-- > 0;) {
        const mdm_pickle_value *stride = mdm_pickle_item(&t->pickle, strides, i);
        if (stride->kind != MDM_PICKLE_INT)
            return wrong(t, array->name, "has an impossible stride");
        if (array->shape[i] > 1 && stride->number != expected)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is not stored row by row; save it with .contiguous()", t->path,
                            array->name);
        if (array->shape[i] && expected > INT64_MAX / array->shape[i])
            return wrong(t, array->name, "has an impossible shape");
        expected *= array->shape[i] ? array->shape[i] : 1;
    }
    return MDM_OK;
}

/* torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, ...) */
static mdm_status add_tensor(const torch_file *t, const mdm_pickle_value *arguments, const char *name)
{
    mdm_array array = {.name = name, .scale = 1};
    const mdm_zip_member *storage = NULL;
    const mdm_pickle_value *offset = mdm_pickle_item(&t->pickle, arguments, 1);
    MDM_TRY(find_storage(&storage, &array.dtype, t, mdm_pickle_item(&t->pickle, arguments, 0), name));
    MDM_TRY(
        read_shape(&array, t, mdm_pickle_item(&t->pickle, arguments, 2), mdm_pickle_item(&t->pickle, arguments, 3)));
    size_t bytes = mdm_dtype_size(array.dtype), start = 0;
    if (!offset || offset->kind != MDM_PICKLE_INT || offset->number < 0 ||
        !mdm_mul_size(&start, (size_t)offset->number, bytes))
        return wrong(t, name, "begins nowhere");
    for (int i = 0; i < array.rank; i++)
        if (!mdm_mul_size(&bytes, bytes, (size_t)array.shape[i]))
            return wrong(t, name, "has an impossible shape");
    return mdm_tensor_file_add(t->file, &array, storage->data, storage->size, start, bytes, t->path);
}

/* A tensor behind the calls that wrap it, NULL when the value is something else. */
static const mdm_pickle_value *tensor_arguments(const torch_file *t, const mdm_pickle_value *value)
{
    for (int i = 0; i < 4 && value && value->kind == MDM_PICKLE_CALL; i++) {
        const mdm_pickle_value *name = mdm_pickle_item(&t->pickle, value, 0),
                               *arguments = mdm_pickle_item(&t->pickle, value, 1);
        if (is_text(name, MDM_PICKLE_NAME, "torch._utils._rebuild_tensor_v2"))
            return arguments;
        if (!is_text(name, MDM_PICKLE_NAME, "torch._utils._rebuild_parameter"))
            return NULL;
        value = mdm_pickle_item(&t->pickle, arguments, 0);
    }
    return NULL;
}

/* Adds what is in a dictionary; names inside of dictionaries in it begin with their keys. */
static mdm_status add_dict(torch_file *t, const mdm_pickle_value *dict, const char *prefix, int depth)
{
    if (depth > MAX_DEPTH)
        return mdm_fail(MDM_ERR_INPUT, "%s: dictionaries more than %d deep", t->path, MAX_DEPTH);
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const mdm_pickle_value *key = mdm_pickle_item(&t->pickle, dict, i),
                               *value = mdm_pickle_item(&t->pickle, dict, i + 1);
        char *name = NULL;
        if (++t->seen > MAX_SEEN)
            return mdm_fail(MDM_ERR_INPUT, "%s: more than %d entries in its dictionaries", t->path, MAX_SEEN);
        if (key->kind != MDM_PICKLE_TEXT)
            continue; /* an optimiser's state, by numbers */
        const mdm_pickle_value *arguments = tensor_arguments(t, value);
        MDM_TRY(mdm_format(&name, "%s%s", prefix, key->text));
        mdm_status status = arguments ? add_tensor(t, arguments, name) : MDM_OK;
        mdm_free(&name);
        MDM_TRY(status);
        if (value->kind == MDM_PICKLE_DICT) {
            MDM_TRY(mdm_format(&name, "%s%s.", prefix, key->text));
            status = add_dict(t, value, name, depth + 1);
            mdm_free(&name);
            MDM_TRY(status);
        }
    }
    return MDM_OK;
}

/* The state_dict of a checkpoint that has other things too. */
static const mdm_pickle_value *inner(const torch_file *t, const mdm_pickle_value *root)
{
    for (size_t i = 0; i + 1 < root->count; i += 2) {
        const mdm_pickle_value *value = mdm_pickle_item(&t->pickle, root, i + 1);
        if (is_text(mdm_pickle_item(&t->pickle, root, i), MDM_PICKLE_TEXT, "state_dict") &&
            value->kind == MDM_PICKLE_DICT)
            return value;
    }
    return root;
}

/* Fills in members and pickle from a ZIP file. */
static mdm_status read_zip(torch_file *t)
{
    const char *end = "data.pkl";
    MDM_TRY(mdm_zip_read(&t->zip, t->file->map.data, t->file->map.size, t->path));
    const mdm_zip_member *pickle = NULL;
    for (size_t i = 0; i < t->zip.count && !pickle; i++) {
        const char *name = t->zip.member[i].name;
        size_t length = strlen(name);
        if (length < strlen(end) || strcmp(name + length - strlen(end), end) != 0 ||
            length - strlen(end) >= sizeof t->root)
            continue;
        pickle = &t->zip.member[i];
        snprintf(t->root, sizeof t->root, "%.*s", (int)(length - strlen(end)), name);
    }
    if (!pickle || pickle->size > MAX_PICKLE)
        return mdm_fail(MDM_ERR_INPUT, "%s: a ZIP file without a data.pkl of at most %zu MiB; not a PyTorch checkpoint",
                        t->path, MAX_PICKLE >> 20);
    return mdm_pickle_read(&t->pickle, pickle->data, pickle->size, t->path);
}

static mdm_status read_arrays(torch_file *t)
{
    const mdm_mapping *map = &t->file->map;
    MDM_TRY(mdm_is_zip(map->data, map->size)
                ? read_zip(t)
                : mdm_torch_legacy_read(&t->zip, &t->pickle, map->data, map->size, t->path));
    const mdm_pickle_value *root = &t->pickle.value[t->pickle.root];
    if (root->kind != MDM_PICKLE_DICT)
        return mdm_fail(MDM_ERR_INPUT, "%s: not a dictionary of tensors; save the state_dict of a network", t->path);
    return add_dict(t, inner(t, root), "", 0);
}

mdm_status mdm_read_torch(mdm_tensor_file *file, const char *path)
{
    torch_file t = {.file = file, .path = path};
    mdm_status status = read_arrays(&t);
    mdm_pickle_free(&t.pickle);
    mdm_zip_free(&t.zip);
    return status;
}
