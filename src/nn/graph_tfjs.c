/* TFJS graph models as nn.h calls: nodes in JSON, weights in shards. Values of four axes are pictures, N,H,W,C in the file
 * and planes here. Scale and shift after a convolution go into its weights, clipping to 0..6 into its kernel. Known are the
 * operations of the models that are used; others are refused by name. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "nn/graph_internal.h"
#include "nn/nn_internal.h"

#define MAX_NODES  4096
#define MAX_INPUTS 8

typedef struct tf_node {
    const char *name, *op;
    const json_t *attributes;
    int input[MAX_INPUTS], input_count;
    int uses, user; /* how often it is read; the last node that does */
    bool visiting, done;
    const mdm_array *constant;
    mdm_node *node;
    int rank;
} tf_node;

typedef struct importer {
    mdm_graph *graph;
    mdm_nn *nn;
    json_t *root, *index; /* index: name -> number of the node */
    mdm_tensor_file *weights;
    tf_node *nodes;
    int count;
} importer;

static mdm_status bad(const importer *m, const tf_node *n, const char *format, ...) MDM_PRINTF(3, 4);
static mdm_status bad(const importer *m, const tf_node *n, const char *format, ...)
{
    char text[160];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return mdm_fail(MDM_ERR_INPUT, "%s: node \"%.64s\" (%.32s): %s", m->graph->path, n->name, n->op, text);
}

/* ---- reading ---- */

/* "name:0" and "name" are the same; "^name" only orders. */
static int number_of(const importer *m, const char *name)
{
    char plain[256];
    size_t length = strcspn(name, ":");
    if (name[0] == '^' || length >= sizeof plain)
        return -1;
    memcpy(plain, name, length);
    plain[length] = '\0';
    const json_t *number = json_object_get(m->index, plain);
    return number ? (int)json_integer_value(number) : -1;
}

static mdm_status read_nodes(importer *m)
{
    const json_t *list = json_object_get(json_object_get(m->root, "modelTopology"), "node"), *node;
    size_t i, count = json_array_size(list);
    if (count == 0 || count > MAX_NODES)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu nodes, expected 1..%d of a TFJS graph model", m->graph->path, count,
                        MAX_NODES);
    MDM_TRY(mdm_alloc(&m->nodes, count, sizeof *m->nodes, "TFJS nodes"));
    m->count = (int)count;
    if (!(m->index = json_object()))
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its names", m->graph->path);
    json_array_foreach(list, i, node)
    {
        tf_node *n = &m->nodes[i];
        MDM_TRY(mdm_json_string(&n->name, node, "name", m->graph->path));
        MDM_TRY(mdm_json_string(&n->op, node, "op", m->graph->path));
        n->attributes = json_object_get(node, "attr");
        if (json_object_get(m->index, n->name) || json_object_set_new(m->index, n->name, json_integer((json_int_t)i)))
            return bad(m, n, "two nodes have this name");
    }
    json_array_foreach(list, i, node)
    {
        tf_node *n = &m->nodes[i];
        const json_t *inputs = json_object_get(node, "input"), *input;
        size_t k;
        json_array_foreach(inputs, k, input)
        {
            const char *name = json_string_value(input);
            int number = name ? number_of(m, name) : -1;
            if (name && name[0] == '^')
                continue;
            if (number < 0 || n->input_count == MAX_INPUTS)
                return bad(m, n, "input %zu is not a node, or there are more than %d", k, MAX_INPUTS);
            n->input[n->input_count++] = number;
            m->nodes[number].uses++;
            m->nodes[number].user = (int)i;
        }
    }
    return MDM_OK;
}

/* ---- attributes ---- */

static size_t decode_base64(char *out, size_t room, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0;
    int have = 0;
    size_t n = 0;
    for (; *text && *text != '=' && n + 1 < room; text++) {
        const char *at = strchr(digits, *text);
        if (!at)
            break;
        bits = (bits << 6 | (unsigned)(at - digits)) & 0xffffff;
        if ((have += 6) >= 8)
            out[n++] = (char)(bits >> (have -= 8) & 0xff);
    }
    out[n] = '\0';
    return n;
}

/* Numbers of a list attribute, of which some writers make strings; returns how many, at most 4. */
static int integers(int out[4], const tf_node *n, const char *name)
{
    const json_t *list = json_object_get(json_object_get(json_object_get(n->attributes, name), "list"), "i");
    int count = 0;
    for (size_t i = 0; i < json_array_size(list) && i < 4; i++) {
        const json_t *value = json_array_get(list, i);
        long number =
            json_is_string(value) ? strtol(json_string_value(value), NULL, 10) : (long)json_integer_value(value);
        out[count++] = number >= 0 && number < 65536 ? (int)number : -1;
    }
    return count;
}

static bool says(const json_t *text, const char *word)
{
    char plain[32] = "";
    if (json_is_string(text))
        decode_base64(plain, sizeof plain, json_string_value(text));
    return strcmp(plain, word) == 0;
}

static bool attribute_says(const tf_node *n, const char *name, const char *word)
{
    return says(json_object_get(json_object_get(n->attributes, name), "s"), word);
}

/* ---- values ---- */

static size_t elements(const mdm_array *a)
{
    return mdm_array_count(a);
}

/* A constant's values in memory of the network; `count` 0: any number. */
static mdm_status floats(float **out, importer *m, const tf_node *n, int input, size_t count)
{
    const mdm_array *a = input < n->input_count ? m->nodes[n->input[input]].constant : NULL;
    if (!a || elements(a) == 0 || (count && elements(a) != count))
        return bad(m, n, "input %d is not a constant of %zu values", input, count);
    if (!(*out = mdm_nn_own(m->nn, elements(a), sizeof **out)))
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its weights", m->graph->path);
    return mdm_array_to_f32(*out, elements(a), a);
}

static mdm_status node_in(mdm_node **out, int *rank, importer *m, const tf_node *n, int input)
{
    const tf_node *in = input < n->input_count ? &m->nodes[n->input[input]] : NULL;
    if (!in || !in->node)
        return bad(m, n, "input %d is not a picture or matrix", input);
    *out = in->node;
    *rank = in->rank;
    return MDM_OK;
}

static bool scalar(float *out, const importer *m, const tf_node *n, int input)
{
    const mdm_array *a = input < n->input_count ? m->nodes[n->input[input]].constant : NULL;
    return a && elements(a) == 1 && mdm_array_to_f32(out, 1, a) == MDM_OK;
}

static void give(tf_node *n, mdm_node *x, int rank)
{
    n->node = x;
    n->rank = rank;
    n->done = true;
}

/* ---- convolutions and what follows them ---- */

/* Takes in the only reader of `last`, if it scales, shifts or clips; returns it, NULL when it does not. */
static tf_node *take_next(importer *m, const tf_node *last, float *weights, size_t per_channel, float *bias,
                          int channels, mdm_activation *activation)
{
    if (last->uses != 1)
        return NULL;
    tf_node *next = &m->nodes[last->user];
    int other = next->input_count == 2 && &m->nodes[next->input[0]] == last ? 1 : 0;
    const mdm_array *a = next->input_count == 2 ? m->nodes[next->input[other]].constant : NULL;
    float value, *values;
    bool relu = *activation == MDM_RELU || *activation == MDM_RELU6, one = scalar(&value, m, next, other);
    if (!strcmp(next->op, "Relu") && (relu || *activation == MDM_LINEAR))
        *activation = relu ? *activation : MDM_RELU;
    else if (!strcmp(next->op, "Relu6") && (relu || *activation == MDM_LINEAR))
        *activation = MDM_RELU6;
    else if (!strcmp(next->op, "Minimum") && relu && one && value == 6)
        *activation = MDM_RELU6;
    else if (!(!strcmp(next->op, "Maximum") && relu && one && value == 0)) {
        bool product = !strcmp(next->op, "Mul");
        bool sum = !strcmp(next->op, "Add") || !strcmp(next->op, "AddV2") || !strcmp(next->op, "BiasAdd");
        if ((!product && !sum) || *activation != MDM_LINEAR || !a || a->rank != 1 || elements(a) != (size_t)channels ||
            floats(&values, m, next, other, (size_t)channels) != MDM_OK)
            return NULL;
        for (int c = 0; c < channels; c++) {
            bias[c] = product ? bias[c] * values[c] : bias[c] + values[c];
            for (size_t k = 0; product && k < per_channel; k++)
                weights[(size_t)c * per_channel + k] *= values[c];
        }
    }
    return next;
}

static mdm_status convolution(importer *m, tf_node *n, bool depthwise)
{
    mdm_node *x = NULL;
    int rank = 0, strides[4], dilations[4];
    float *values, *bias;
    MDM_TRY(node_in(&x, &rank, m, n, 0));
    MDM_TRY(floats(&values, m, n, 1, 0));
    const mdm_array *w = m->nodes[n->input[1]].constant;
    if (rank != 4 || w->rank != 4 || n->input_count != 2)
        return bad(m, n, "expected a picture and a kernel of four axes");
    /* kernels: H,W,I,O; depthwise H,W,C,multiplier */
    const int64_t high = w->shape[0], wide = w->shape[1], ins = depthwise ? 1 : w->shape[2];
    const int64_t outs = depthwise ? w->shape[2] : w->shape[3];
    if (high > 64 || wide > 64 || outs > 65536 || (depthwise && w->shape[3] != 1))
        return bad(m, n, "a kernel of %lld x %lld, or a depth multiplier over 1", (long long)high, (long long)wide);
    float *turned = mdm_nn_own(m->nn, elements(w), sizeof *turned);
    if (!turned || !(bias = mdm_nn_own(m->nn, (size_t)outs, sizeof *bias)))
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its weights", m->graph->path);
    for (int64_t t = 0; t < high * wide; t++)
        for (int64_t i = 0; i < ins; i++)
            for (int64_t o = 0; o < outs; o++)
                turned[(o * ins + i) * high * wide + t] = values[(t * ins + i) * outs + o];
    mdm_conv conv = {.groups = depthwise ? (int)outs : 1, .dilation = {1, 1}};
    if (integers(strides, n, "strides") != 4 || strides[1] < 1 || strides[2] < 1)
        return bad(m, n, "its strides are missing");
    conv.stride[0] = strides[1], conv.stride[1] = strides[2];
    if (integers(dilations, n, "dilations") == 4 && dilations[1] > 0 && dilations[2] > 0)
        conv.dilation[0] = dilations[1], conv.dilation[1] = dilations[2];
    const int size[2] = {(int)high, (int)wide};
    if (attribute_says(n, "padding", "SAME"))
        mdm_same_padding(conv.pad, mdm_nn_dim(x, 1), mdm_nn_dim(x, 0), size, conv.stride, conv.dilation);
    else if (!attribute_says(n, "padding", "VALID"))
        return bad(m, n, "its padding is neither SAME nor VALID");
    tf_node *last = n, *next;
    while ((next = take_next(m, last, turned, (size_t)(ins * high * wide), bias, (int)outs, &conv.activation))) {
        next->done = true;
        last = next;
    }
    mdm_node *kernel = mdm_nn_constant(m->nn, n->name, turned, MDM_STORE_F32, 4, (int64_t[]){outs, ins, high, wide});
    mdm_node *shift = mdm_nn_constant(m->nn, n->name, bias, MDM_STORE_F32, 1, (int64_t[]){outs});
    n->done = true;
    give(last, mdm_nn_conv2d(m->nn, x, kernel, shift, &conv), 4);
    return MDM_OK;
}

/* ---- other operations ---- */

static mdm_status placeholder(importer *m, tf_node *n)
{
    const json_t *dims = json_object_get(json_object_get(json_object_get(n->attributes, "shape"), "shape"), "dim");
    int64_t shape[4];
    if (json_array_size(dims) != 4 || m->graph->input_count)
        return bad(m, n, "expected one input, a picture of four axes");
    for (size_t i = 0; i < 4; i++) {
        const json_t *size = json_object_get(json_array_get(dims, i), "size");
        shape[i] = json_is_string(size) ? strtol(json_string_value(size), NULL, 10) : json_integer_value(size);
        if (i > 0 && (shape[i] < 1 || shape[i] > 65536))
            return bad(m, n, "extent %lld at axis %zu", (long long)shape[i], i);
    }
    m->graph->input_count = 1;
    give(n, mdm_nn_input(m->nn, "in0", 4, (int64_t[]){1, shape[3], shape[1], shape[2]}), 4);
    return MDM_OK;
}

static mdm_status constant(importer *m, tf_node *n)
{
    if (!(n->constant = mdm_tensor_file_find(m->weights, n->name)))
        return bad(m, n, "its values are not among the weights");
    n->done = true;
    return MDM_OK;
}

static mdm_status matrix(importer *m, tf_node *n)
{
    mdm_node *x = NULL, *b = NULL;
    int rank = 0;
    float *values, *turned, *bias;
    mdm_activation activation = MDM_LINEAR;
    MDM_TRY(node_in(&x, &rank, m, n, 0));
    MDM_TRY(floats(&values, m, n, 1, 0));
    const mdm_array *w = m->nodes[n->input[1]].constant;
    const json_t *transposed = json_object_get(n->attributes, "transpose_b"),
                 *first = json_object_get(n->attributes, "transpose_a");
    if (rank != 2 || w->rank != 2 || json_is_true(json_object_get(transposed, "b")) ||
        json_is_true(json_object_get(first, "b")))
        return bad(m, n, "expected a matrix by a constant one, neither turned");
    const int64_t ins = w->shape[0], outs = w->shape[1];
    if (!(turned = mdm_nn_own(m->nn, elements(w), sizeof *turned)))
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its weights", m->graph->path);
    for (int64_t i = 0; i < ins; i++)
        for (int64_t o = 0; o < outs; o++)
            turned[o * ins + i] = values[i * outs + o];
    const json_t *fused = json_object_get(json_object_get(json_object_get(n->attributes, "fused_ops"), "list"), "s"),
                 *op;
    size_t k;
    json_array_foreach(fused, k, op)
    {
        if (says(op, "BiasAdd") && !b) {
            MDM_TRY(floats(&bias, m, n, 2, (size_t)outs));
            b = mdm_nn_constant(m->nn, n->name, bias, MDM_STORE_F32, 1, (int64_t[]){outs});
        } else if (says(op, "Relu")) {
            activation = MDM_RELU;
        } else {
            return bad(m, n, "a fused operation that is not known");
        }
    }
    x = mdm_nn_linear(m->nn, x, mdm_nn_constant(m->nn, n->name, turned, MDM_STORE_F32, 2, (int64_t[]){outs, ins}), b);
    give(n, activation == MDM_LINEAR ? x : mdm_nn_activate(m->nn, x, activation), 2);
    return MDM_OK;
}

static mdm_status mean(importer *m, tf_node *n)
{
    mdm_node *x = NULL;
    int rank = 0;
    float *axes;
    MDM_TRY(node_in(&x, &rank, m, n, 0));
    MDM_TRY(floats(&axes, m, n, 1, 2));
    if (rank != 4 || axes[0] != 1 || axes[1] != 2)
        return bad(m, n, "only a picture's mean over height and width is known");
    bool keep = json_is_true(json_object_get(json_object_get(n->attributes, "keep_dims"), "b"));
    x = mdm_nn_global_mean(m->nn, x);
    give(n, keep ? x : mdm_nn_reshape(m->nn, x, 2, (int64_t[]){1, mdm_nn_dim(x, 2)}), keep ? 4 : 2);
    return MDM_OK;
}

static mdm_status describe(importer *m, tf_node *n)
{
    mdm_node *x = NULL;
    int rank = 0;
    if (!strcmp(n->op, "Placeholder"))
        return placeholder(m, n);
    if (!strcmp(n->op, "Conv2D"))
        return convolution(m, n, false);
    if (!strcmp(n->op, "DepthwiseConv2dNative"))
        return convolution(m, n, true);
    if (!strcmp(n->op, "MatMul") || !strcmp(n->op, "_FusedMatMul"))
        return matrix(m, n);
    if (!strcmp(n->op, "Mean"))
        return mean(m, n);
    static const struct {
        const char *op;
        mdm_activation activation;
    } activations[] = {{"Identity", MDM_LINEAR}, {"Relu", MDM_RELU}, {"Relu6", MDM_RELU6}, {"Sigmoid", MDM_SIGMOID}};
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (!strcmp(n->op, activations[i].op)) {
            MDM_TRY(node_in(&x, &rank, m, n, 0));
            give(n, mdm_nn_activate(m->nn, x, activations[i].activation), rank);
            return MDM_OK;
        }
    if (!strcmp(n->op, "Softmax")) {
        MDM_TRY(node_in(&x, &rank, m, n, 0));
        give(n, mdm_nn_softmax(m->nn, x), rank);
        return rank == 2 ? MDM_OK : bad(m, n, "only of a matrix's rows is known");
    }
    return bad(m, n, "this operation is not known");
}

/* Describes a node after what it reads, with a stack of its own: a hostile file must not choose the depth of ours. */
static mdm_status visit(importer *m, int *stack, int start)
{
    int top = 0;
    stack[top++] = start;
    while (top > 0) {
        tf_node *n = &m->nodes[stack[top - 1]];
        int missing = -1;
        for (int k = 0; k < n->input_count && missing < 0 && !n->done; k++)
            if (!m->nodes[n->input[k]].done)
                missing = n->input[k];
        if (missing >= 0) {
            if (m->nodes[missing].visiting || top == m->count)
                return bad(m, &m->nodes[missing], "it reads its own result");
            n->visiting = true;
            stack[top++] = missing;
            continue;
        }
        n->visiting = false;
        if (!n->done)
            MDM_TRY(describe(m, n));
        if (m->nn->status)
            return mdm_fail_context(mdm_nn_build(m->nn), "%s: node \"%.64s\"", m->graph->path, n->name);
        top--;
    }
    return MDM_OK;
}

static mdm_status import(importer *m)
{
    const char *path = m->graph->path, *key;
    json_t *output;
    int *stack = NULL;
    MDM_TRY(mdm_json_load(&m->root, path, 0));
    MDM_TRY(mdm_tensor_file_open(&m->weights, path));
    MDM_TRY(read_nodes(m));
    for (int i = 0; i < m->count; i++) /* first, so that a convolution sees the constants of what follows it */
        if (!strcmp(m->nodes[i].op, "Const"))
            MDM_TRY(constant(m, &m->nodes[i]));
    json_t *outputs = json_object_get(json_object_get(m->root, "signature"), "outputs");
    if (json_object_size(outputs) == 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: its signature names no outputs", path);
    json_object_foreach(outputs, key, output)
    {
        const char *name = json_string_value(json_object_get(output, "name"));
        int number = name ? number_of(m, name) : -1;
        if (number < 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: output \"%.64s\" is not a node", path, key);
        m->nodes[number].uses += 2; /* never taken in by another node */
    }
    MDM_TRY(mdm_alloc(&stack, (size_t)m->count + 1, sizeof *stack, "TFJS nodes"));
    mdm_status status = MDM_OK;
    json_object_foreach(outputs, key, output)
    {
        const char *name = json_string_value(json_object_get(output, "name"));
        int number = number_of(m, name);
        char plain[64];
        if (status == MDM_OK)
            status = visit(m, stack, number);
        if (status == MDM_OK && !m->nodes[number].node)
            status = bad(m, &m->nodes[number], "an output that nothing makes");
        snprintf(plain, sizeof plain, "%.*s", (int)strcspn(name, ":") > 63 ? 63 : (int)strcspn(name, ":"), name);
        if (status == MDM_OK)
            status = mdm_graph_add_output(m->graph, m->nodes[number].node, plain);
    }
    mdm_free(&stack);
    return status;
}

mdm_status mdm_import_tfjs(mdm_graph *graph, const char *path, const mdm_graph_options *options)
{
    (void)path;
    (void)options;
    importer m = {.graph = graph, .nn = graph->nn};
    mdm_status status = import(&m);
    mdm_free(&m.nodes);
    json_decref(m.index);
    json_decref(m.root);
    mdm_tensor_file_free(&m.weights);
    return status;
}
