/* The ggml executor: contexts, leaves, building, running. Layers are in nn_layers.c, nn_conv.c, nn_picture.c, nn_shape.c. */
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/nn_internal.h"

#define MAX_ELEMENTS ((int64_t)1 << 31)

static mdm_status new_on(mdm_nn **out, const char *name, int threads, struct ggml_backend_device *card)
{
    mdm_nn *nn = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&nn, 1, sizeof *nn, "network"));
    snprintf(nn->name, sizeof nn->name, "%s", name);
    nn->threads = threads < 1 ? 1 : threads > 64 ? 64 : threads;
    struct ggml_init_params params = {.mem_size = ggml_tensor_overhead() * 4096, .no_alloc = true};
    nn->leaves = ggml_init(params);
    params.mem_size = ggml_tensor_overhead() * MDM_NN_MAX_NODES + ggml_graph_overhead_custom(MDM_NN_MAX_NODES, false);
    nn->nodes = ggml_init(params);
    nn->gpu = card != NULL;
    nn->backend = card ? ggml_backend_dev_init(card, NULL) : ggml_backend_cpu_init();
    if (!nn->leaves || !nn->nodes || !nn->backend) {
        mdm_nn_free(&nn);
        return mdm_fail(MDM_ERR_MEMORY, "network \"%s\": no memory for its context", name);
    }
    if (!card)
        ggml_backend_cpu_set_n_threads(nn->backend, nn->threads);
    *out = nn;
    return MDM_OK;
}

mdm_status mdm_nn_new(mdm_nn **out, const char *name, int threads)
{
    return new_on(out, name, threads, NULL);
}

mdm_status mdm_nn_new_large(mdm_nn **out, const char *name, int threads)
{
    return new_on(out, name, threads, mdm_gpu_device());
}

void mdm_nn_free(mdm_nn **nn)
{
    mdm_nn *n = *nn;
    if (!n)
        return;
    if (n->allocator)
        ggml_gallocr_free(n->allocator);
    if (n->weights)
        ggml_backend_buffer_free(n->weights);
    if (n->nodes)
        ggml_free(n->nodes);
    if (n->leaves)
        ggml_free(n->leaves);
    if (n->backend)
        ggml_backend_free(n->backend);
    for (size_t i = 0; i < n->leaf_count; i++)
        mdm_free(&n->leaf[i].host);
    mdm_free(&n->leaf);
    for (size_t i = 0; i < n->owned_count; i++)
        mdm_free(&n->owned[i]);
    mdm_free(&n->owned);
    mdm_free(&n->fusable);
    for (int i = 0; n->scratch && i < n->threads; i++)
        mdm_free(&n->scratch[i]);
    mdm_free(&n->scratch);
    mdm_free(nn);
}

mdm_node *mdm_nn_fail(mdm_nn *nn, mdm_status status, const char *format, ...)
{
    if (nn->status != MDM_OK)
        return NULL;
    nn->status = status;
    va_list list;
    va_start(list, format);
    vsnprintf(nn->message, sizeof nn->message, format, list);
    va_end(list);
    return NULL;
}

void *mdm_nn_own(mdm_nn *nn, size_t count, size_t size)
{
    void *memory = NULL;
    if (nn->owned_count == nn->owned_capacity) {
        size_t capacity = nn->owned_capacity ? nn->owned_capacity * 2 : 64;
        if (mdm_realloc(&nn->owned, capacity, sizeof *nn->owned, "network kernels") != MDM_OK)
            return mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for %zu kernels", capacity);
        nn->owned_capacity = capacity;
    }
    if (mdm_alloc(&memory, count, size, "network kernel") != MDM_OK)
        return mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for a kernel of %zu x %zu bytes", count, size);
    nn->owned[nn->owned_count++] = memory;
    return memory;
}

mdm_node *mdm_nn_can_fuse(mdm_nn *nn, mdm_node *node, mdm_activation *activation, float **slope)
{
    if (!node)
        return NULL;
    if (nn->fusable_count == nn->fusable_capacity) {
        size_t capacity = nn->fusable_capacity ? nn->fusable_capacity * 2 : 64;
        if (mdm_realloc(&nn->fusable, capacity, sizeof *nn->fusable, "operations") != MDM_OK)
            return mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for %zu operations", capacity);
        nn->fusable_capacity = capacity;
    }
    nn->fusable[nn->fusable_count++] = (mdm_fusable){node, activation, slope};
    return node;
}

bool mdm_nn_fuse(mdm_nn *nn, mdm_node *x, mdm_activation activation, mdm_node *slope)
{
    for (size_t i = nn->fusable_count; x && i-- > 0;) {
        mdm_fusable *f = &nn->fusable[i];
        if (f->node != x)
            continue;
        if (*f->activation != MDM_LINEAR)
            return false;
        if (slope) {
            mdm_leaf *leaf = mdm_nn_leaf_of(nn, slope);
            if (!mdm_nn_leaf_values(nn, leaf) || ((int64_t)leaf->count != x->ne[2] && leaf->count != 1))
                return false;
            *f->slope = mdm_nn_copy_vector(nn, slope, (int)x->ne[2], "the slope");
        }
        *f->activation = activation;
        return true;
    }
    return false;
}

float *mdm_nn_copy_vector(mdm_nn *nn, mdm_node *node, int count, const char *what)
{
    mdm_leaf *leaf = mdm_nn_leaf_of(nn, node);
    const float *values = mdm_nn_leaf_values(nn, leaf);
    if (!values || (leaf->count != (size_t)count && leaf->count != 1)) {
        mdm_nn_fail(nn, MDM_ERR_INPUT, "%s must be a weight of %d values", what, count);
        return NULL;
    }
    float *copy = mdm_nn_own(nn, (size_t)count, sizeof *copy);
    for (int i = 0; copy && i < count; i++)
        copy[i] = values[leaf->count == 1 ? 0 : i];
    mdm_nn_leaf_release(leaf);
    return copy;
}

mdm_leaf *mdm_nn_leaf_of(mdm_nn *nn, const mdm_node *node)
{
    for (size_t i = 0; i < nn->leaf_count; i++)
        if (nn->leaf[i].node == node)
            return &nn->leaf[i];
    return NULL;
}

/* ggml's extents from a shape in PyTorch's order; false when it is empty or too large. */
static bool to_extents(int64_t ne[4], size_t *count, int rank, const int64_t *shape)
{
    int64_t total = 1;
    for (int i = 0; i < 4; i++)
        ne[i] = 1;
    if (rank < 0 || rank > MDM_MAX_RANK)
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t extent = shape[rank - 1 - i];
        if (extent < 1 || extent > MAX_ELEMENTS / total)
            return false;
        total *= extent;
        if (i < 4)
            ne[i] = extent;
        else
            ne[3] *= extent;
    }
    *count = (size_t)total;
    return true;
}

static mdm_leaf *add_leaf(mdm_nn *nn, const char *name, enum ggml_type type, int rank, const int64_t *shape)
{
    int64_t ne[4];
    size_t count;
    if (nn->status)
        return NULL;
    if (!to_extents(ne, &count, rank, shape)) {
        mdm_nn_fail(nn, MDM_ERR_INPUT, "\"%s\" has an empty or too large shape", name);
        return NULL;
    }
    if (nn->leaf_count >= 4000) {
        mdm_nn_fail(nn, MDM_ERR_INPUT, "more than 4000 weights");
        return NULL;
    }
    if (nn->leaf_count == nn->leaf_capacity) {
        size_t capacity = nn->leaf_capacity ? nn->leaf_capacity * 2 : 64;
        if (mdm_realloc(&nn->leaf, capacity, sizeof *nn->leaf, "weights") != MDM_OK) {
            mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for %zu weights", capacity);
            return NULL;
        }
        nn->leaf_capacity = capacity;
    }
    mdm_leaf *leaf = &nn->leaf[nn->leaf_count++];
    memset(leaf, 0, sizeof *leaf);
    snprintf(leaf->name, sizeof leaf->name, "%s", name);
    if ((type == GGML_TYPE_Q8_0 || type == GGML_TYPE_Q4_0) && ne[0] % 32)
        type = GGML_TYPE_F32;
    leaf->node = ggml_new_tensor(nn->leaves, type, 4, ne);
    leaf->count = count;
    return leaf;
}

mdm_node *mdm_nn_input(mdm_nn *nn, const char *name, int rank, const int64_t *shape)
{
    mdm_leaf *leaf = add_leaf(nn, name, GGML_TYPE_F32, rank, shape);
    if (!leaf)
        return NULL;
    leaf->input = leaf->needed = true;
    return leaf->node;
}

static enum ggml_type ggml_type_of(mdm_store store)
{
    static const enum ggml_type types[] = {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0};
    return types[store];
}

mdm_status mdm_store_named(mdm_store *out, const char *name)
{
    static const char *const names[] = {"f32", "f16", "q8_0", "q4_0"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(names[i], name)) {
            *out = (mdm_store)i;
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_USAGE, "precision %s: expected f32, f16, q8_0 or q4_0", name);
}

bool mdm_nn_on_gpu(const mdm_nn *nn)
{
    return nn->gpu;
}

mdm_store mdm_nn_kernel_store(const mdm_nn *nn, mdm_store store)
{
    return nn->gpu && store != MDM_STORE_F32 ? MDM_STORE_F16 : MDM_STORE_F32;
}

mdm_node *mdm_nn_constant(mdm_nn *nn, const char *name, const float *values, mdm_store store, int rank,
                          const int64_t *shape)
{
    mdm_leaf *leaf = add_leaf(nn, name, ggml_type_of(store), rank, shape);
    if (!leaf)
        return NULL;
    if (mdm_alloc(&leaf->host, leaf->count, sizeof(float), "weight") != MDM_OK)
        return mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for weight \"%s\"", name);
    memcpy(leaf->host, values, leaf->count * sizeof(float));
    return leaf->node;
}

static int significant(int rank, const int64_t *shape)
{
    while (rank > 0 && shape[rank - 1] == 1)
        rank--;
    return rank;
}

static void shape_text(char text[128], int rank, const int64_t *shape)
{
    text[0] = '\0';
    for (int i = 0, n = 0; i < rank && n < 100; i++)
        n += snprintf(text + n, 128 - (size_t)n, " %lld", (long long)shape[i]);
}

const float *mdm_nn_leaf_values(mdm_nn *nn, mdm_leaf *leaf)
{
    if (!leaf || leaf->host || !leaf->array.data)
        return leaf ? leaf->host : NULL;
    mdm_status status = mdm_alloc(&leaf->host, leaf->count, sizeof(float), "weight");
    if (!status)
        status = mdm_array_to_f32(leaf->host, leaf->count, &leaf->array);
    if (status) {
        mdm_free(&leaf->host);
        mdm_nn_fail(nn, status, "%s", mdm_error_message());
    }
    return leaf->host;
}

void mdm_nn_leaf_release(mdm_leaf *leaf)
{
    if (leaf->array.data)
        mdm_free(&leaf->host);
}

/* A leaf of the array's values, once its shape is known to be right; `lazy`: the array stays until build. */
static mdm_node *convert(mdm_nn *nn, const mdm_array *array, mdm_store store, int rank, const int64_t *shape, bool lazy)
{
    mdm_leaf *leaf = add_leaf(nn, array->name, ggml_type_of(store), rank, shape);
    if (!leaf)
        return NULL;
    leaf->array = *array;
    if (lazy)
        return leaf->node;
    const float *values = mdm_nn_leaf_values(nn, leaf);
    leaf->array.data = NULL;
    return values ? leaf->node : NULL;
}

static mdm_node *check_and_convert(mdm_nn *nn, const mdm_array *array, mdm_store store, int rank, const int64_t *shape,
                                   bool lazy)
{
    const bool trim = lazy; /* of published checkpoints, where a 1x1 kernel may be a matrix */
    int has = trim ? significant(array->rank, array->shape) : array->rank;
    int wants = trim ? significant(rank, shape) : rank;
    bool same = has == wants;
    for (int i = 0; same && i < wants; i++)
        same = array->shape[i] == shape[i];
    if (same)
        return convert(nn, array, store, rank, shape, lazy);
    char found[128], expected[128];
    shape_text(found, array->rank, array->shape);
    shape_text(expected, rank, shape);
    return mdm_nn_fail(nn, MDM_ERR_INPUT, "weight \"%s\" has shape%s, expected%s", array->name, found, expected);
}

mdm_node *mdm_nn_array(mdm_nn *nn, const mdm_array *array, mdm_store store, int rank, const int64_t *shape)
{
    return nn->status ? NULL : check_and_convert(nn, array, store, rank, shape, true);
}

mdm_node *mdm_nn_weight(mdm_nn *nn, const mdm_tensor_file *file, const char *name, mdm_store store, int rank,
                        const int64_t *shape)
{
    if (nn->status)
        return NULL;
    const mdm_array *array = mdm_tensor_file_find(file, name);
    if (!array)
        return mdm_nn_fail(nn, MDM_ERR_INPUT,
                           "weight \"%s\" is not in the file; get the model again (mmdm models verify)", name);
    return check_and_convert(nn, array, store, rank, shape, false);
}

mdm_node *mdm_nn_contiguous(mdm_nn *nn, mdm_node *x)
{
    if (!x || nn->status)
        return NULL;
    return ggml_is_contiguous(x) ? x : ggml_cont(nn->nodes, x);
}

mdm_node *mdm_nn_custom(mdm_nn *nn, const int64_t ne[4], mdm_node *const *arguments, int count, mdm_custom_run run,
                        void *user, bool serial)
{
    struct ggml_tensor *list[8];
    if (nn->status)
        return NULL;
    if (count < 1 || count > 8)
        return mdm_nn_fail(nn, MDM_ERR_INTERNAL, "an operation with %d arguments, expected 1..8", count);
    for (int i = 0; i < count; i++)
        if (!(list[i] = mdm_nn_contiguous(nn, arguments[i])))
            return NULL;
    return ggml_custom_4d(nn->nodes, GGML_TYPE_F32, ne[0], ne[1], ne[2], ne[3], list, count, run,
                          serial ? 1 : GGML_N_TASKS_MAX, user);
}

typedef struct host_call {
    mdm_host_operation operation;
    int count;
} host_call;

static void run_host(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    (void)nth;
    const host_call *call = user;
    const float *arguments[8];
    if (ith != 0)
        return;
    for (int i = 0; i < call->count; i++)
        arguments[i] = dst->src[i]->data;
    call->operation.run(dst->data, arguments, call->operation.user);
}

mdm_node *mdm_nn_host(mdm_nn *nn, const mdm_host_operation *operation, mdm_node *const *arguments, int count, int rank,
                      const int64_t *shape)
{
    int64_t ne[4];
    size_t total;
    if (nn->status)
        return NULL;
    if (!to_extents(ne, &total, rank, shape))
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "a host operation with an empty or too large shape");
    host_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    call->operation = *operation;
    call->count = count;
    return mdm_nn_custom(nn, ne, arguments, count, run_host, call, true);
}

void mdm_nn_output(mdm_nn *nn, mdm_node *x, const char *name)
{
    if (!x || nn->status) {
        mdm_nn_fail(nn, MDM_ERR_INTERNAL, "output \"%s\" does not exist", name);
        return;
    }
    if (nn->output_count == 32) {
        mdm_nn_fail(nn, MDM_ERR_INPUT, "more than 32 outputs");
        return;
    }
    mdm_named *named = &nn->output[nn->output_count++];
    snprintf(named->name, sizeof named->name, "%s", name);
    x = mdm_nn_contiguous(nn, x);
    if (mdm_nn_leaf_of(nn, x))
        x = ggml_cont(nn->nodes, x); /* a leaf that is an output as well gets a node of its own */
    named->node = x;
}

/* A leaf's values to where it was given room; an input's are 0 so far. */
static mdm_status fill(mdm_nn *nn, mdm_leaf *leaf)
{
    mdm_node *node = leaf->node;
    void *converted = NULL;
    const size_t size = ggml_nbytes(node);
    if (node->type == GGML_TYPE_F16 && leaf->array.data && leaf->array.dtype == MDM_F16) {
        ggml_backend_tensor_set(node, leaf->array.data, 0, size);
        return MDM_OK;
    }
    const float *values = mdm_nn_leaf_values(nn, leaf);
    if (nn->status)
        return mdm_fail(nn->status, "network \"%s\": %s", nn->name, nn->message);
    if (!values) {
        ggml_backend_tensor_memset(node, 0, 0, size);
        return MDM_OK;
    }
    if (node->type == GGML_TYPE_F32) {
        ggml_backend_tensor_set(node, values, 0, size);
        return MDM_OK;
    }
    MDM_TRY(mdm_alloc(&converted, 1, size, "weight"));
    ggml_quantize_chunk(node->type, values, converted, 0, (int64_t)leaf->count / node->ne[0], node->ne[0], NULL);
    ggml_backend_tensor_set(node, converted, 0, size);
    mdm_free(&converted);
    return MDM_OK;
}

/* Uploads the weights the graph reads; the rest lives on in packed kernels only. */
static mdm_status upload(mdm_nn *nn)
{
    ggml_backend_buffer_type_t type = ggml_backend_get_default_buffer_type(nn->backend);
    size_t alignment = ggml_backend_buft_get_alignment(type), total = alignment;
    for (int i = 0; i < ggml_graph_n_nodes(nn->graph); i++) {
        const mdm_node *node = ggml_graph_node(nn->graph, i);
        for (int k = 0; k < GGML_MAX_SRC; k++) {
            mdm_node *source = node->src[k];
            mdm_leaf *leaf = source ? mdm_nn_leaf_of(nn, source->view_src ? source->view_src : source) : NULL;
            if (leaf)
                leaf->needed = true;
        }
    }
    for (size_t i = 0; i < nn->leaf_count; i++)
        if (nn->leaf[i].needed)
            total += ggml_backend_buft_get_alloc_size(type, nn->leaf[i].node) + alignment;
    nn->weights = ggml_backend_alloc_buffer(nn->backend, total);
    if (!nn->weights)
        return mdm_fail(MDM_ERR_MEMORY, "network \"%s\": no %zu bytes for its weights", nn->name, total);
    char *base = ggml_backend_buffer_get_base(nn->weights);
    size_t at = 0;
    for (size_t i = 0; i < nn->leaf_count; i++) {
        mdm_leaf *leaf = &nn->leaf[i];
        if (leaf->needed) {
            at = (at + alignment - 1) / alignment * alignment;
            if (ggml_backend_tensor_alloc(nn->weights, leaf->node, base + at) != GGML_STATUS_SUCCESS)
                return mdm_fail(MDM_ERR_MEMORY, "network \"%s\": weight \"%s\" does not fit", nn->name, leaf->name);
            at += ggml_backend_buft_get_alloc_size(type, leaf->node);
            MDM_TRY(fill(nn, leaf));
        }
        mdm_free(&leaf->host);
    }
    return MDM_OK;
}

/* The card computes every node, or the network is not for it. */
static mdm_status check_operations(mdm_nn *nn)
{
    for (int i = 0; nn->gpu && i < ggml_graph_n_nodes(nn->graph); i++) {
        mdm_node *node = ggml_graph_node(nn->graph, i);
        if (!ggml_backend_supports_op(nn->backend, node))
            return mdm_fail(MDM_ERR_DEVICE,
                            "network \"%s\": %s has no operation %s (of %lld x %lld x %lld x %lld); use the CPU",
                            nn->name, ggml_backend_name(nn->backend), ggml_op_desc(node), (long long)node->ne[3],
                            (long long)node->ne[2], (long long)node->ne[1], (long long)node->ne[0]);
    }
    return MDM_OK;
}

mdm_status mdm_nn_build(mdm_nn *nn)
{
    if (nn->status)
        return mdm_fail(nn->status, "network \"%s\": %s", nn->name, nn->message);
    if (nn->built || nn->output_count == 0)
        return mdm_fail(MDM_ERR_INTERNAL, "network \"%s\" is built already or has no output", nn->name);
    nn->graph = ggml_new_graph_custom(nn->nodes, MDM_NN_MAX_NODES, false);
    for (int i = 0; i < nn->output_count; i++) {
        ggml_set_output(nn->output[i].node);
        ggml_build_forward_expand(nn->graph, nn->output[i].node);
    }
    MDM_TRY(check_operations(nn));
    MDM_TRY(upload(nn));
    MDM_TRY(mdm_alloc(&nn->scratch, (size_t)nn->threads, sizeof *nn->scratch, "scratch"));
    for (int i = 0; i < nn->threads; i++)
        MDM_TRY(mdm_alloc(&nn->scratch[i], nn->scratch_floats + 16, sizeof(float), "scratch"));
    nn->allocator = ggml_gallocr_new(ggml_backend_get_default_buffer_type(nn->backend));
    if (!nn->allocator || !ggml_gallocr_alloc_graph(nn->allocator, nn->graph))
        return mdm_fail(MDM_ERR_MEMORY, "network \"%s\": no memory for its activations", nn->name);
    nn->built = true;
    return MDM_OK;
}

static mdm_node *find_node(const mdm_nn *nn, const char *name)
{
    for (int i = 0; i < nn->output_count; i++)
        if (!strcmp(nn->output[i].name, name))
            return nn->output[i].node;
    for (size_t i = 0; i < nn->leaf_count; i++)
        if (nn->leaf[i].input && !strcmp(nn->leaf[i].name, name))
            return nn->leaf[i].node;
    return NULL;
}

mdm_status mdm_nn_set(mdm_nn *nn, const char *input, const float *values, size_t count)
{
    mdm_node *node = find_node(nn, input);
    if (!nn->built || !node || (size_t)ggml_nelements(node) != count)
        return mdm_fail(MDM_ERR_INTERNAL, "network \"%s\": input \"%s\" with %zu values, expected %lld", nn->name,
                        input, count, node ? (long long)ggml_nelements(node) : 0);
    ggml_backend_tensor_set(node, values, 0, count * sizeof(float));
    return MDM_OK;
}

mdm_status mdm_nn_run(mdm_nn *nn)
{
    if (!nn->built)
        return mdm_fail(MDM_ERR_INTERNAL, "network \"%s\" is not built", nn->name);
    if (ggml_backend_graph_compute(nn->backend, nn->graph) != GGML_STATUS_SUCCESS)
        return mdm_fail(MDM_ERR_INTERNAL, "network \"%s\": ggml could not compute it", nn->name);
    return MDM_OK;
}

mdm_status mdm_nn_get(mdm_nn *nn, const char *output, float *values, size_t count)
{
    const mdm_node *node = find_node(nn, output);
    if (!nn->built || !node || (size_t)ggml_nelements(node) != count)
        return mdm_fail(MDM_ERR_INTERNAL, "network \"%s\": output \"%s\" with %zu values, expected %lld", nn->name,
                        output, count, node ? (long long)ggml_nelements(node) : 0);
    ggml_backend_tensor_get(node, values, 0, count * sizeof(float));
    return MDM_OK;
}

size_t mdm_nn_count(const mdm_nn *nn, const char *leaf_or_output)
{
    const mdm_node *node = find_node(nn, leaf_or_output);
    return node ? (size_t)ggml_nelements(node) : 0;
}

bool mdm_nn_shape(const mdm_nn *nn, const char *output, int64_t shape[4])
{
    const mdm_node *node = find_node(nn, output);
    for (int i = 0; i < 4; i++)
        shape[i] = node ? node->ne[3 - i] : 0;
    return node != NULL;
}
