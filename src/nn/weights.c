/* The weights of one network over one or several files: a sorted list of names with what was taken of it. */
#include "nn/weights.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define MAX_FILES 256

typedef struct weight {
    mdm_array array; /* its name is ours */
    bool taken;
} weight;

struct mdm_weights {
    char *path;
    mdm_tensor_file *file[MAX_FILES];
    int file_count;
    weight *weight; /* sorted by name */
    size_t count, capacity;
    mdm_weights_rename rename; /* NULL: names stay */
    void *user;
    float **turned; /* matrices that had to be copied */
    size_t turned_count;
};

/* ---- opening ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

mdm_status mdm_weights_add(mdm_weights *weights, const char *name, const mdm_array *array)
{
    char *copy = NULL;
    if (weights->count == weights->capacity) {
        size_t capacity = weights->capacity ? weights->capacity * 2 : 256;
        MDM_TRY(mdm_realloc(&weights->weight, capacity, sizeof *weights->weight, "list of weights"));
        weights->capacity = capacity;
    }
    MDM_TRY(mdm_strdup(&copy, name));
    weight *w = &weights->weight[weights->count++];
    *w = (weight){.array = *array};
    w->array.name = copy;
    return MDM_OK;
}

mdm_status mdm_weights_add_turned(mdm_weights *weights, const char *name, const mdm_array *array)
{
    const size_t rows = (size_t)array->shape[0], columns = array->rank == 2 ? (size_t)array->shape[1] : 0;
    float *values = NULL, *turned = NULL;
    if (array->rank != 2)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %d axes, expected a matrix", weights->path, array->name,
                        array->rank);
    MDM_TRY(mdm_realloc(&weights->turned, weights->turned_count + 1, sizeof *weights->turned, "matrices"));
    mdm_status status = mdm_alloc(&turned, rows * columns, sizeof *turned, "matrix");
    if (status)
        return status;
    weights->turned[weights->turned_count++] = turned;
    status = mdm_alloc(&values, rows * columns, sizeof *values, "matrix");
    if (!status)
        status = mdm_array_to_f32(values, rows * columns, array);
    for (size_t i = 0; i < rows * columns && !status; i++)
        turned[i % columns * rows + i / columns] = values[i];
    mdm_free(&values);
    const mdm_array result = {
        .dtype = MDM_F32,
        .rank = 2,
        .shape = {(int64_t)columns, (int64_t)rows},
        .data = turned,
        .size = rows * columns * sizeof *turned,
        .scale = 1,
    };
    return status ? status : mdm_weights_add(weights, name, &result);
}

static mdm_status add_file(mdm_weights *w, const char *path)
{
    if (w->file_count == MAX_FILES)
        return mdm_fail(MDM_ERR_INPUT, "%s: split over more than %d files", w->path, MAX_FILES);
    MDM_TRY(mdm_tensor_file_open(&w->file[w->file_count], path));
    const mdm_tensor_file *file = w->file[w->file_count++];
    size_t count = mdm_tensor_file_count(file);
    for (size_t i = 0; i < count; i++) {
        const mdm_array *array = mdm_tensor_file_at(file, i);
        MDM_TRY(w->rename ? w->rename(w, array, w->user) : mdm_weights_add(w, array->name, array));
    }
    return MDM_OK;
}

static bool seen_before(json_t *names, const char *name)
{
    bool seen = json_object_get(names, name) != NULL;
    json_object_set_new(names, name, json_true());
    return seen;
}

/* Each file that the "weight_map" of an index names, once. */
static mdm_status add_split(mdm_weights *w, const json_t *map, json_t *names)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *name = json_string_value(value);
        char *path = NULL;
        if (!name || !*name || strchr(name, '/') || name[0] == '.')
            return mdm_fail(MDM_ERR_INPUT, "%s: the file of \"%s\" is not a plain name", w->path, tensor);
        if (seen_before(names, name))
            continue;
        const char *slash = strrchr(w->path, '/');
        MDM_TRY(mdm_format(&path, "%.*s%s", slash ? (int)(slash - w->path + 1) : 0, w->path, name));
        mdm_status status = add_file(w, path);
        mdm_free(&path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

static mdm_status open_split(mdm_weights *w)
{
    json_t *root = NULL, *map = NULL, *names = json_object();
    mdm_status status = mdm_json_load(&root, w->path, 0);
    if (!status)
        status = mdm_json_object(&map, root, "weight_map", w->path);
    if (!status)
        status = add_split(w, map, names);
    json_decref(names);
    json_decref(root);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const weight *)a)->array.name, ((const weight *)b)->array.name);
}

static mdm_status sort(mdm_weights *w)
{
    if (w->count)
        qsort(w->weight, w->count, sizeof *w->weight, by_name);
    for (size_t i = 1; i < w->count; i++)
        if (!by_name(&w->weight[i], &w->weight[i - 1]))
            return mdm_fail(MDM_ERR_INPUT, "%s: there are two tensors \"%s\"", w->path, w->weight[i].array.name);
    return MDM_OK;
}

mdm_status mdm_weights_open(mdm_weights **out, const char *path)
{
    return mdm_weights_open_as(out, path, NULL, NULL);
}

mdm_status mdm_weights_open_as(mdm_weights **out, const char *path, mdm_weights_rename rename, void *user)
{
    mdm_weights *w = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&w, 1, sizeof *w, "weights"));
    w->rename = rename;
    w->user = user;
    mdm_status status = mdm_strdup(&w->path, path);
    if (!status)
        status = ends_with(path, ".index.json") ? open_split(w) : add_file(w, path);
    if (!status)
        status = sort(w);
    if (status)
        mdm_weights_free(&w);
    *out = w;
    return status;
}

void mdm_weights_free(mdm_weights **weights)
{
    mdm_weights *w = *weights;
    if (!w)
        return;
    for (int i = 0; i < w->file_count; i++)
        mdm_tensor_file_free(&w->file[i]);
    for (size_t i = 0; i < w->count; i++) {
        char *name = (char *)(uintptr_t)w->weight[i].array.name;
        mdm_free(&name);
    }
    for (size_t i = 0; i < w->turned_count; i++)
        mdm_free(&w->turned[i]);
    mdm_free(&w->turned);
    mdm_free(&w->weight);
    mdm_free(&w->path);
    mdm_free(weights);
}

const char *mdm_weights_path(const mdm_weights *weights)
{
    return weights->path;
}

/* ---- taking ---- */

size_t mdm_weights_count(const mdm_weights *weights)
{
    return weights->count;
}

const mdm_array *mdm_weights_at(const mdm_weights *weights, size_t index)
{
    return index < weights->count ? &weights->weight[index].array : NULL;
}

size_t mdm_weights_memory(const mdm_weights *weights, mdm_store store)
{
    static const double bytes[] = {
        [MDM_STORE_F32] = 4, [MDM_STORE_F16] = 2, [MDM_STORE_Q8_0] = 34.0 / 32, [MDM_STORE_Q4_0] = 18.0 / 32};
    double sum = 0;
    for (size_t i = 0; i < weights->count; i++) {
        const mdm_array *a = &weights->weight[i].array;
        sum += (double)mdm_array_count(a) * bytes[a->rank == 2 ? store : MDM_STORE_F32];
    }
    return sum < (double)SIZE_MAX / 2 ? (size_t)sum : SIZE_MAX / 2;
}

static weight *find(const mdm_weights *w, const char *name)
{
    const weight key = {.array = {.name = name}};
    return w->count ? bsearch(&key, w->weight, w->count, sizeof key, by_name) : NULL;
}

const mdm_array *mdm_weights_take(mdm_weights *weights, const char *name)
{
    weight *found = find(weights, name);
    if (!found)
        return NULL;
    found->taken = true;
    return &found->array;
}

bool mdm_weights_has(const mdm_weights *weights, const char *name)
{
    return find(weights, name) != NULL;
}

mdm_status mdm_weights_all_taken(const mdm_weights *weights, const char *prefix)
{
    for (size_t i = 0; i < weights->count; i++) {
        const char *name = weights->weight[i].array.name;
        if (!weights->weight[i].taken && !strncmp(name, prefix, strlen(prefix)) && !ends_with(name, "position_ids"))
            return mdm_fail(MDM_ERR_INPUT,
                            "%s: nothing in this network is called \"%s\"; the file belongs to another one",
                            weights->path, name);
    }
    return MDM_OK;
}
