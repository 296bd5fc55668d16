/* TFLite graphs as nn.h calls. Rank-4 tensors are pictures, N,H,W,C in the file and planes here; everything else keeps the
 * file's order. Field numbers are those of TFLite's public schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/flatbuffer.h"
#include "nn/graph_internal.h"
#include "nn/mediapipe_ops.h"

#define MAX_TENSORS 8192

typedef struct tensor {
    int rank;
    int64_t shape[8];
    int type;                  /* TFLite's: 0 f32, 1 f16, 2 i32 */
    const unsigned char *data; /* of a constant */
    size_t size;
    mdm_node *node;
    int uses;    /* how many operations and outputs read it */
    int same_as; /* DEQUANTIZE of a constant: its index + 1 */
} tensor;

typedef struct importer {
    mdm_graph *graph;
    mdm_nn *nn;
    mdm_fb buffer;
    tensor *tensors;
    uint32_t count;
    int64_t batch;      /* of the file's input; taken as 1 */
    bool resized;       /* the first input has another height and width than the file's */
    char operation[64]; /* being imported, for messages */
} importer;

static mdm_status bad(const importer *m, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: %s: %s", m->graph->path, m->operation, what);
}

static tensor *tensor_at(importer *m, int64_t index)
{
    if (index < 0 || index >= (int64_t)m->count)
        return NULL;
    tensor *t = &m->tensors[index];
    return t->same_as ? &m->tensors[t->same_as - 1] : t;
}

/* A constant's values as floats, caller frees; the count must be the shape's product. */
static mdm_status floats_of(float **out, size_t *count, const importer *m, const tensor *t)
{
    size_t n = 1;
    *out = NULL;
    for (int i = 0; i < t->rank; i++)
        if (t->shape[i] < 1 || !mdm_mul_size(&n, n, (size_t)t->shape[i]))
            return bad(m, "a constant with an impossible shape");
    size_t size = t->type == 1 ? 2 : 4;
    if (!t->data || t->type > 2 || n > t->size || n * size != t->size)
        return bad(m, "a weight is missing, sparse or of a type that is not known");
    MDM_TRY(mdm_alloc(out, n, sizeof **out, "constant"));
    mdm_array array = {.name = m->operation,
                       .dtype = t->type == 1   ? MDM_F16
                                : t->type == 2 ? MDM_I32
                                               : MDM_F32,
                       .rank = 1,
                       .shape = {(int64_t)n},
                       .data = t->data,
                       .size = t->size,
                       .scale = 1};
    *count = n;
    return mdm_array_to_f32(*out, n, &array);
}

/* out[a][b][c][d] of `order`ed axes from a row-major array of four axes. */
static void reorder(float *out, const float *in, const int64_t shape[4], const int order[4])
{
    int64_t stride[4] = {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1};
    for (int64_t a = 0; a < shape[order[0]]; a++)
        for (int64_t b = 0; b < shape[order[1]]; b++)
            for (int64_t c = 0; c < shape[order[2]]; c++)
                for (int64_t d = 0; d < shape[order[3]]; d++)
                    *out++ =
                        in[a * stride[order[0]] + b * stride[order[1]] + c * stride[order[2]] + d * stride[order[3]]];
}

/* A constant with four axes, in another order of axes; `rank` axes of the file are right-aligned. */
static mdm_status constant(mdm_node **out, importer *m, const tensor *t, const int order[4])
{
    int64_t shape[4] = {1, 1, 1, 1}, turned[4];
    float *values, *sorted = NULL;
    size_t count = 0;
    if (t->rank > 4)
        return bad(m, "a constant of more than four axes");
    for (int i = 0; i < t->rank; i++)
        shape[4 - t->rank + i] = t->shape[i];
    mdm_status status = floats_of(&values, &count, m, t);
    if (!status)
        status = mdm_alloc(&sorted, count, sizeof *sorted, "constant");
    if (!status) {
        reorder(sorted, values, shape, order);
        for (int i = 0; i < 4; i++)
            turned[i] = shape[order[i]];
        *out = mdm_nn_constant(m->nn, "constant", sorted, MDM_STORE_F32, 4, turned);
    }
    mdm_free(&values);
    mdm_free(&sorted);
    return status;
}

static const int keep_order[4] = {0, 1, 2, 3}, to_planes[4] = {0, 3, 1, 2};

/* The node of an argument; constants become leaves, planes where the other operand is a picture. */
static mdm_status argument(mdm_node **out, importer *m, int64_t index, bool picture)
{
    tensor *t = tensor_at(m, index);
    if (!t)
        return bad(m, "an argument that does not exist");
    if (t->node) {
        *out = t->node;
        return MDM_OK;
    }
    return constant(out, m, t, picture ? to_planes : keep_order);
}

static mdm_activation activation_of(int64_t code)
{
    return code == 1 ? MDM_RELU : code == 3 ? MDM_RELU6 : code == 4 ? MDM_TANH : MDM_LINEAR;
}

static mdm_node *activated(importer *m, mdm_node *x, int64_t code)
{
    return mdm_nn_activate(m->nn, x, activation_of(code));
}

typedef struct operation {
    mdm_fb_vector in, out;
    mdm_fb_table options;
    bool has_options;
    mdm_fb_vector custom;
    int64_t in_index[8], out_index, kind;
    tensor *result;
    char name[48]; /* of a custom one */
} operation;

/* TFLite's codes, as far as they are needed by name. */
enum { ADD = 0, MUL = 18, RELU = 19, SUB = 41, ABS = 101 };

static int64_t option(const operation *o, int field, int bytes)
{
    return o->has_options ? mdm_fb_int(&o->options, field, bytes, 0) : 0;
}

static mdm_status conv(importer *m, const operation *o, bool depthwise)
{
    tensor *x = tensor_at(m, o->in_index[0]), *w = tensor_at(m, o->in_index[1]);
    mdm_node *kernel, *bias = NULL;
    if (!x || !x->node || x->rank != 4 || !w || w->rank != 4)
        return bad(m, "a convolution without picture or kernel");
    /* kernels: O,H,W,I; depthwise 1,H,W,C */
    MDM_TRY(constant(&kernel, m, w, depthwise ? (const int[4]){3, 0, 1, 2} : to_planes));
    if (o->in.count > 2 && o->in_index[2] >= 0)
        MDM_TRY(argument(&bias, m, o->in_index[2], false));
    int kernel_size[2] = {(int)w->shape[1], (int)w->shape[2]};
    int stride[2] = {(int)option(o, 2, 4), (int)option(o, 1, 4)};
    int dilation[2] = {(int)option(o, depthwise ? 6 : 5, 4), (int)option(o, depthwise ? 5 : 4, 4)};
    mdm_conv c = {.groups = depthwise ? (int)mdm_nn_dim(x->node, 2) : 1,
                  .activation = activation_of(option(o, depthwise ? 4 : 3, 1))};
    for (int i = 0; i < 2; i++) {
        c.stride[i] = stride[i] < 1 ? 1 : stride[i];
        c.dilation[i] = dilation[i] < 1 ? 1 : dilation[i];
    }
    if (option(o, 0, 1) == 0)
        mdm_same_padding(c.pad, mdm_nn_dim(x->node, 1), mdm_nn_dim(x->node, 0), kernel_size, c.stride, c.dilation);
    if (depthwise && option(o, 3, 4) > 1)
        return bad(m, "a depth multiplier over 1");
    o->result->node = mdm_nn_conv2d(m->nn, x->node, kernel, bias, &c);
    return MDM_OK;
}

static mdm_status pool(importer *m, const operation *o, mdm_pool_kind kind)
{
    tensor *x = tensor_at(m, o->in_index[0]);
    int pad[4] = {0}, one[2] = {1, 1};
    int stride[2] = {(int)option(o, 2, 4), (int)option(o, 1, 4)},
        kernel[2] = {(int)option(o, 4, 4), (int)option(o, 3, 4)};
    if (!x || !x->node || x->rank != 4 || stride[0] < 1 || stride[1] < 1)
        return bad(m, "pooling without a picture or stride");
    if (option(o, 0, 1) == 0)
        mdm_same_padding(pad, mdm_nn_dim(x->node, 1), mdm_nn_dim(x->node, 0), kernel, stride, one);
    o->result->node = activated(m, mdm_nn_pool(m->nn, x->node, kind, kernel, stride, pad, false), option(o, 5, 1));
    return MDM_OK;
}

static mdm_status reshape(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]);
    if (!x || !x->node)
        return bad(m, "reshape of a constant");
    mdm_node *flat = x->rank == 4 ? mdm_to_channels_last(m->nn, x->node) : x->node;
    int64_t shape[8];
    memcpy(shape, o->result->shape, sizeof shape);
    if (o->result->rank > 0 && m->batch > 1 && shape[0] == m->batch)
        shape[0] = 1;
    if (m->resized && x->rank == 4 && o->result->rank == 3 &&
        shape[2] > 0) /* a row a place: as many as there are now */
        shape[1] = mdm_nn_dim(x->node, 0) * mdm_nn_dim(x->node, 1) * mdm_nn_dim(x->node, 2) / shape[2];
    flat = mdm_nn_reshape(m->nn, flat, o->result->rank, shape);
    o->result->node = o->result->rank == 4 ? mdm_from_channels_last(m->nn, flat) : flat;
    return MDM_OK;
}

static mdm_status pad(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]), *p = tensor_at(m, o->in_index[1]);
    if (!x || !x->node || x->rank != 4 || !p || !p->data || p->type != 2 || p->size != 32)
        return bad(m, "padding that is not four pairs of numbers");
    int32_t pairs[4][2];
    memcpy(pairs, p->data, sizeof pairs);
    /* N,H,W,C pairs -> last axis first: W, H, C, N */
    const int axis[4] = {2, 1, 3, 0};
    int before[4], after[4];
    for (int i = 0; i < 4; i++)
        before[i] = pairs[axis[i]][0], after[i] = pairs[axis[i]][1];
    o->result->node = mdm_nn_pad(m->nn, x->node, before, after);
    return MDM_OK;
}

static mdm_status concat(importer *m, const operation *o)
{
    int64_t axis = option(o, 0, 4);
    int rank = o->result->rank;
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return bad(m, "an axis that does not exist");
    static const int picture_axis[4] = {3, 1, 0, 2};
    int from_last = rank == 4 ? picture_axis[axis] : rank - 1 - (int)axis;
    mdm_node *joined = NULL;
    for (uint32_t i = 0; i < o->in.count; i++) {
        mdm_node *next;
        MDM_TRY(argument(&next, m, mdm_fb_vector_int(&o->in, i, 4), rank == 4));
        joined = joined ? mdm_nn_concat(m->nn, joined, next, from_last) : next;
    }
    o->result->node = joined;
    return MDM_OK;
}

static mdm_status resize(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]), *s = tensor_at(m, o->in_index[1]);
    int32_t size[2];
    if (!x || !x->node || x->rank != 4 || !s || !s->data || s->type != 2 || s->size != sizeof size)
        return bad(m, "resizing without a picture or size");
    memcpy(size, s->data, sizeof size);
    for (int i = 0; i < 2 && m->resized; i++) { /* by the same factor as in the file */
        int64_t grown = size[i] * mdm_nn_dim(x->node, 1 - i);
        if (size[i] < 1 || x->shape[1 + i] < 1 || grown % x->shape[1 + i])
            return bad(m, "resizing that does not fit this size of input");
        size[i] = (int32_t)(grown / x->shape[1 + i]);
    }
    mdm_resize how = option(o, 2, 1)   ? MDM_BILINEAR_ALIGN_CORNERS
                     : option(o, 3, 1) ? MDM_BILINEAR
                                       : MDM_BILINEAR_ASYMMETRIC;
    o->result->node = mdm_nn_resize(m->nn, x->node, size[0], size[1], how);
    return MDM_OK;
}

static mdm_status fully_connected(importer *m, const operation *o)
{
    mdm_node *x, *w, *b = NULL;
    MDM_TRY(argument(&x, m, o->in_index[0], false));
    MDM_TRY(argument(&w, m, o->in_index[1], false));
    if (o->in.count > 2 && o->in_index[2] >= 0)
        MDM_TRY(argument(&b, m, o->in_index[2], false));
    o->result->node = activated(m, mdm_nn_linear(m->nn, x, w, b), option(o, 0, 1));
    return MDM_OK;
}

/* Only the slice that takes everything: the attention mesh uses it to give an output a second name. */
static mdm_status strided_slice(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]);
    if (!x || !x->node || x->rank != o->result->rank || memcmp(x->shape, o->result->shape, sizeof x->shape))
        return bad(m, "a slice that changes the shape");
    o->result->node = x->node;
    return MDM_OK;
}

/* MediaPipe's Convolution2DTransposeBias where kernel and stride are one size: kernel O,H,W,I and a bias. */
static mdm_status transposed_conv(importer *m, const operation *o)
{
    const tensor *x = tensor_at(m, o->in_index[0]), *w = o->in.count > 2 ? tensor_at(m, o->in_index[1]) : NULL;
    mdm_node *kernel, *bias;
    if (!x || !x->node || x->rank != 4 || !w || w->rank != 4 || w->shape[1] != w->shape[2] || o->result->rank != 4 ||
        o->result->shape[1] != w->shape[1] * x->shape[1] || o->result->shape[2] != w->shape[2] * x->shape[2])
        return bad(m, "a transposed convolution whose kernel is not its stride");
    MDM_TRY(constant(&kernel, m, w, (const int[4]){3, 0, 1, 2}));
    MDM_TRY(argument(&bias, m, o->in_index[2], false));
    o->result->node = mdm_nn_conv2d_transposed(m->nn, x->node, kernel, bias, (int)w->shape[1]);
    return MDM_OK;
}

static mdm_status custom(importer *m, const operation *o, const char *name)
{
    if (!strcmp(name, "Convolution2DTransposeBias"))
        return transposed_conv(m, o);
    const unsigned char *options = o->custom.count ? m->buffer.data + o->custom.at : NULL;
    mdm_node *x, *matrix = NULL;
    MDM_TRY(argument(&x, m, o->in_index[0], true));
    if (o->in.count > 1)
        MDM_TRY(argument(&matrix, m, o->in_index[1], false));
    if (!strcmp(name, "Landmarks2TransformMatrix"))
        o->result->node = mdm_landmarks_to_matrix(m->nn, x, options, o->custom.count);
    else if (!strcmp(name, "TransformTensorBilinear") && o->result->rank == 4)
        o->result->node = mdm_transform_bilinear(m->nn, x, matrix, (int)o->result->shape[1], (int)o->result->shape[2]);
    else if (!strcmp(name, "TransformLandmarks"))
        o->result->node = mdm_transform_landmarks(m->nn, x, matrix);
    else
        return bad(m, "a custom operation that is not known");
    return MDM_OK;
}

typedef mdm_node *(*binary)(mdm_nn *, mdm_node *, mdm_node *);

static mdm_status arithmetic(importer *m, const operation *o, binary apply)
{
    mdm_node *a, *b;
    bool picture = o->result->rank == 4;
    MDM_TRY(argument(&a, m, o->in_index[0], picture));
    MDM_TRY(argument(&b, m, o->in_index[1], picture));
    o->result->node = activated(m, apply(m->nn, a, b), option(o, 0, 1));
    return MDM_OK;
}

static mdm_status prelu(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]), *s = tensor_at(m, o->in_index[1]);
    mdm_node *slope;
    if (!x || !x->node || !s)
        return bad(m, "PReLU without input or slope");
    MDM_TRY(constant(&slope, m, s, x->rank == 4 ? to_planes : keep_order));
    bool fused = x->rank == 4 && x->uses == 1 && mdm_nn_fuse(m->nn, x->node, MDM_PRELU, slope);
    o->result->node = fused ? x->node : mdm_nn_prelu(m->nn, x->node, slope);
    return MDM_OK;
}

static mdm_status simple(importer *m, const operation *o, mdm_activation activation)
{
    mdm_node *x;
    tensor *t = tensor_at(m, o->in_index[0]);
    MDM_TRY(argument(&x, m, o->in_index[0], o->result->rank == 4));
    bool fused = t->uses == 1 && mdm_nn_fuse(m->nn, x, activation, NULL);
    o->result->node = fused ? x : mdm_nn_activate(m->nn, x, activation);
    return MDM_OK;
}

static mdm_status mean(importer *m, const operation *o)
{
    tensor *x = tensor_at(m, o->in_index[0]), *axes = tensor_at(m, o->in_index[1]);
    int32_t want[2] = {1, 2};
    if (!x || !x->node || x->rank != 4 || !axes || !axes->data || axes->size != 8 || memcmp(axes->data, want, 8))
        return bad(m, "a mean over axes other than height and width");
    mdm_node *pooled = mdm_nn_global_mean(m->nn, x->node);
    if (o->result->rank != 4)
        pooled = mdm_nn_reshape(m->nn, pooled, 2, (int64_t[]){1, mdm_nn_dim(x->node, 2)});
    o->result->node = pooled;
    return MDM_OK;
}

static mdm_status dequantize(importer *m, const operation *o)
{
    int64_t source = o->in_index[0];
    tensor *x = tensor_at(m, source);
    if (!x || !x->data)
        return bad(m, "DEQUANTIZE of something that is no constant");
    o->result->same_as = (int)source + 1;
    return MDM_OK;
}

static mdm_status import_operation(importer *m, const operation *o, int64_t code, const char *custom_name)
{
    switch (code) {
    case 0:
        return arithmetic(m, o, mdm_nn_add);
    case 1:
        return pool(m, o, MDM_POOL_AVERAGE);
    case 2:
        return concat(m, o);
    case 3:
        return conv(m, o, false);
    case 4:
        return conv(m, o, true);
    case 6:
        return dequantize(m, o);
    case 9:
        return fully_connected(m, o);
    case 14:
        return simple(m, o, MDM_SIGMOID);
    case 17:
        return pool(m, o, MDM_POOL_MAX);
    case 18:
        return arithmetic(m, o, mdm_nn_mul);
    case 19:
        return simple(m, o, MDM_RELU);
    case 21:
        return simple(m, o, MDM_RELU6);
    case 22:
        return reshape(m, o);
    case 23:
        return resize(m, o);
    case 32:
        return custom(m, o, custom_name);
    case 34:
        return pad(m, o);
    case 40:
        return mean(m, o);
    case 41:
        return arithmetic(m, o, mdm_nn_sub);
    case 45:
        return strided_slice(m, o);
    case 54:
        return prelu(m, o);
    case 101:
        return simple(m, o, MDM_ABS);
    case 117:
        return simple(m, o, MDM_HARDSWISH);
    default:
        return bad(m, "an operation that is not known");
    }
}

static mdm_status read_tensors(importer *m, const mdm_fb_table *subgraph, const mdm_fb_vector *buffers)
{
    mdm_fb_vector list = mdm_fb_vector_field(subgraph, 0, 4);
    if (list.count == 0 || list.count > MAX_TENSORS)
        return bad(m, "no tensors, or too many");
    MDM_TRY(mdm_alloc(&m->tensors, list.count, sizeof *m->tensors, "tensors"));
    m->count = list.count;
    for (uint32_t i = 0; i < list.count; i++) {
        mdm_fb_table table, buffer;
        tensor *t = &m->tensors[i];
        if (!mdm_fb_vector_table(&table, &list, i))
            return bad(m, "a tensor outside the file");
        mdm_fb_vector shape = mdm_fb_vector_field(&table, 0, 4);
        if (shape.count > 8)
            return bad(m, "a tensor of more than eight axes");
        t->rank = (int)shape.count;
        for (int k = 0; k < t->rank; k++)
            t->shape[k] = mdm_fb_vector_int(&shape, (uint32_t)k, 4);
        t->type = (int)mdm_fb_int(&table, 1, 1, 0);
        int64_t index = mdm_fb_int(&table, 2, 4, 0);
        if (index > 0 && mdm_fb_vector_table(&buffer, buffers, (uint32_t)index)) {
            mdm_fb_vector data = mdm_fb_vector_field(&buffer, 0, 1);
            if (data.count) {
                t->data = m->buffer.data + data.at;
                t->size = data.count;
            }
        }
    }
    return MDM_OK;
}

static mdm_status add_inputs(importer *m, const mdm_fb_table *subgraph, const mdm_graph_options *options)
{
    mdm_fb_vector inputs = mdm_fb_vector_field(subgraph, 1, 4);
    for (uint32_t i = 0; i < inputs.count; i++) {
        tensor *t = tensor_at(m, mdm_fb_vector_int(&inputs, i, 4));
        char name[16];
        if (!t || t->data || t->rank != 4 || t->type != 0)
            return bad(m, "an input that is not a picture of floats");
        if (i == 0)
            m->batch = t->shape[0];
        snprintf(name, sizeof name, "in%u", i);
        int64_t shape[4] = {1, t->shape[3], t->shape[1], t->shape[2]};
        if (i == 0 && options->height > 0 && options->width > 0) {
            m->resized = options->height != shape[2] || options->width != shape[3];
            shape[2] = options->height, shape[3] = options->width;
        }
        t->node = mdm_nn_input(m->nn, name, 4, shape);
        m->graph->input_count++;
    }
    return inputs.count ? MDM_OK : bad(m, "no inputs");
}

static mdm_status add_outputs(importer *m, const mdm_fb_table *subgraph)
{
    mdm_fb_vector outputs = mdm_fb_vector_field(subgraph, 2, 4), list = mdm_fb_vector_field(subgraph, 0, 4);
    for (uint32_t i = 0; i < outputs.count; i++) {
        int64_t index = mdm_fb_vector_int(&outputs, i, 4);
        tensor *t = tensor_at(m, index);
        mdm_fb_table table;
        char name[64] = "";
        if (!t || !t->node || !mdm_fb_vector_table(&table, &list, (uint32_t)index))
            return bad(m, "an output that nothing makes");
        mdm_fb_string(name, sizeof name, &table, 3);
        MDM_TRY(mdm_graph_add_output(m->graph, t->rank == 4 ? mdm_to_channels_last(m->nn, t->node) : t->node, name));
    }
    return outputs.count ? MDM_OK : bad(m, "no outputs");
}

static void count_uses(importer *m, const mdm_fb_table *subgraph, const mdm_fb_vector *operations)
{
    mdm_fb_vector outputs = mdm_fb_vector_field(subgraph, 2, 4);
    for (uint32_t i = 0; i <= operations->count; i++) {
        mdm_fb_table table;
        mdm_fb_vector list = outputs;
        if (i < operations->count) {
            if (!mdm_fb_vector_table(&table, operations, i))
                continue;
            list = mdm_fb_vector_field(&table, 1, 4);
        }
        for (uint32_t k = 0; k < list.count; k++) {
            int64_t index = mdm_fb_vector_int(&list, k, 4);
            if (index >= 0 && index < (int64_t)m->count && m->tensors[index].uses < 1000)
                m->tensors[index].uses++;
        }
    }
}

static mdm_status read_operation(operation *o, importer *m, const mdm_fb_vector *operations, const mdm_fb_vector *codes,
                                 uint32_t i)
{
    mdm_fb_table table, code;
    *o = (operation){0};
    snprintf(m->operation, sizeof m->operation, "operation %u", i);
    if (!mdm_fb_vector_table(&table, operations, i) ||
        !mdm_fb_vector_table(&code, codes, (uint32_t)mdm_fb_int(&table, 0, 4, 0)))
        return bad(m, "it lies outside the file");
    o->kind = mdm_fb_int(&code, 3, 4, 0);
    if (o->kind == 0)
        o->kind = mdm_fb_int(&code, 0, 1, 0);
    mdm_fb_string(o->name, sizeof o->name, &code, 1);
    snprintf(m->operation, sizeof m->operation, "operation %u (code %d%s%.30s)", i, (int)o->kind, o->name[0] ? " " : "",
             o->name);
    o->in = mdm_fb_vector_field(&table, 1, 4);
    o->out = mdm_fb_vector_field(&table, 2, 4);
    o->has_options = mdm_fb_table_field(&o->options, &table, 4);
    o->custom = mdm_fb_vector_field(&table, 5, 1);
    for (uint32_t k = 0; k < 8; k++)
        o->in_index[k] = k < o->in.count ? mdm_fb_vector_int(&o->in, k, 4) : -1;
    o->out_index = mdm_fb_vector_int(&o->out, 0, 4);
    if (o->in.count == 0 || o->out.count != 1 || o->out_index < 0 || o->out_index >= (int64_t)m->count)
        return bad(m, "no arguments, or other than one result");
    o->result = &m->tensors[o->out_index];
    return MDM_OK;
}

/* relu(x) + alpha * (x - |x|), which old converters made of PReLU with the slope 2 alpha, in five operations beginning
 * with `relu` at `first`: one PReLU, in the kernel of the convolution before it. */
static mdm_status split_prelu(bool *taken, importer *m, const operation *relu, const mdm_fb_vector *operations,
                              const mdm_fb_vector *codes, uint32_t first)
{
    operation part[4]; /* ABS, SUB, MUL, ADD */
    static const int64_t kinds[4] = {ABS, SUB, MUL, ADD};
    for (uint32_t k = 0; k < 4; k++) {
        MDM_TRY(read_operation(&part[k], m, operations, codes, first + 1 + k));
        if (part[k].kind != kinds[k] || part[k].result->node || part[k].result->data || option(&part[k], 0, 1))
            return MDM_OK;
    }
    const int64_t x = relu->in_index[0], slope = part[2].in_index[0];
    tensor *t = tensor_at(m, x), *s = tensor_at(m, slope);
    bool same = part[0].in_index[0] == x && part[1].in_index[0] == x && part[1].in_index[1] == part[0].out_index &&
                part[2].in_index[1] == part[1].out_index && part[3].in_index[0] == relu->out_index &&
                part[3].in_index[1] == part[2].out_index;
    for (int k = 0; k < 3 && same; k++)
        same = part[k].result->uses == 1;
    if (!same || !t || !t->node || t->rank != 4 || t->uses != 3 || relu->result->uses != 1 || !s || s->rank != 1 ||
        !s->data)
        return MDM_OK;
    float *values;
    size_t count;
    MDM_TRY(floats_of(&values, &count, m, s));
    for (size_t i = 0; i < count; i++)
        values[i] *= 2;
    mdm_node *leaf = mdm_nn_constant(m->nn, "slope", values, MDM_STORE_F32, 4, (int64_t[]){1, (int64_t)count, 1, 1});
    mdm_free(&values);
    bool fused = mdm_nn_fuse(m->nn, t->node, MDM_PRELU, leaf);
    part[3].result->node = fused ? t->node : mdm_nn_prelu(m->nn, t->node, leaf);
    *taken = part[3].result->node != NULL;
    return MDM_OK;
}

static mdm_status import_all(importer *m, const mdm_graph_options *options)
{
    mdm_fb_table root, subgraph;
    snprintf(m->operation, sizeof m->operation, "file");
    if (!mdm_fb_root(&root, &m->buffer))
        return bad(m, "not a TFLite file");
    mdm_fb_vector subgraphs = mdm_fb_vector_field(&root, 2, 4), codes = mdm_fb_vector_field(&root, 1, 4);
    mdm_fb_vector buffers = mdm_fb_vector_field(&root, 4, 4);
    if (!mdm_fb_vector_table(&subgraph, &subgraphs, 0))
        return bad(m, "no graph in it");
    MDM_TRY(read_tensors(m, &subgraph, &buffers));
    MDM_TRY(add_inputs(m, &subgraph, options));
    mdm_fb_vector operations = mdm_fb_vector_field(&subgraph, 3, 4);
    count_uses(m, &subgraph, &operations);
    for (uint32_t i = 0; i < operations.count; i++) {
        operation o;
        MDM_TRY(read_operation(&o, m, &operations, &codes, i));
        if (o.kind == RELU && i + 4 < operations.count) {
            bool taken = false;
            MDM_TRY(split_prelu(&taken, m, &o, &operations, &codes, i));
            if (taken) {
                i += 4;
                continue;
            }
        }
        if (o.result->node || o.result->data || o.result->same_as)
            return bad(m, "its result exists already");
        MDM_TRY(import_operation(m, &o, o.kind, o.name));
        if (!o.result->node && !o.result->same_as)
            return mdm_nn_build(m->nn) ? mdm_fail_context(MDM_ERR_INPUT, "%s: %s", m->graph->path, m->operation)
                                       : bad(m, "it makes nothing");
    }
    return add_outputs(m, &subgraph);
}

mdm_status mdm_import_tflite(mdm_graph *graph, const mdm_mapping *map, const mdm_graph_options *options)
{
    importer m = {.graph = graph, .nn = graph->nn, .buffer = {map->data, map->size}, .batch = 1};
    mdm_status status = import_all(&m, options);
    mdm_free(&m.tensors);
    return status;
}
