/* ONNX graphs as nn.h calls: the list of operations, values, arithmetic and activations. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/graph_onnx.h"
#include "nn/nn_internal.h"

void mdm_onnx_bad(mdm_onnx_import *m, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    mdm_onnx_text name = m->node->name.length ? m->node->name : m->node->op;
    mdm_nn_fail(m->nn, MDM_ERR_INPUT, "%s: node \"%.*s\" (%.*s): %s", m->graph->path,
                name.length > 64 ? 64 : name.length, name.at ? name.at : "",
                m->node->op.length > 32 ? 32 : m->node->op.length, m->node->op.at ? m->node->op.at : "", text);
}

mdm_onnx_value *mdm_onnx_in(mdm_onnx_import *m, const mdm_onnx_node *node, int k)
{
    int value = k < node->input_count ? m->onnx.links[node->first_input + k] : -1;
    return value >= 0 && m->values[value].known ? &m->values[value] : NULL;
}

mdm_node *mdm_onnx_as_node(mdm_onnx_import *m, mdm_onnx_value *value)
{
    if (value->node)
        return value->node;
    float *values = value->constant ? mdm_onnx_floats(m, value, 0) : NULL;
    if (!values) {
        mdm_onnx_bad(m, "an input is not a picture, matrix or constant");
        return NULL;
    }
    return value->node = mdm_nn_constant(m->nn, "constant", values, MDM_STORE_F32, value->rank, value->shape);
}

mdm_node *mdm_onnx_node_in(mdm_onnx_import *m, const mdm_onnx_node *node, int k)
{
    mdm_onnx_value *value = mdm_onnx_in(m, node, k);
    if (!value) {
        mdm_onnx_bad(m, "input %d is missing", k);
        return NULL;
    }
    return mdm_onnx_as_node(m, value);
}

static mdm_onnx_value *output(mdm_onnx_import *m, const mdm_onnx_node *node, int k)
{
    int value = k < node->output_count ? m->onnx.links[node->first_output + k] : -1;
    if (value < 0)
        return NULL;
    mdm_onnx_value *out = &m->values[value];
    if (out->known) {
        mdm_onnx_bad(m, "output %d is made twice", k);
        return NULL;
    }
    out->known = true;
    return out;
}

void mdm_onnx_set(mdm_onnx_import *m, const mdm_onnx_node *node, int k, mdm_node *x, int rank, const int64_t *shape)
{
    mdm_onnx_value *out = output(m, node, k);
    if (!out || !x)
        return;
    out->rank = rank;
    memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
    out->node = mdm_nn_reshape(m->nn, x, rank, shape);
}

void mdm_onnx_set_numbers(mdm_onnx_import *m, const mdm_onnx_node *node, const int64_t *numbers, size_t count, int rank)
{
    mdm_onnx_value *out = output(m, node, 0);
    if (!out)
        return;
    if (count > MDM_ONNX_MAX_SMALL || mdm_alloc(&out->numbers, count + 1, sizeof *numbers, "numbers") != MDM_OK) {
        mdm_onnx_bad(m, "%zu whole numbers, at most %d are worked out", count, MDM_ONNX_MAX_SMALL);
        return;
    }
    memcpy(out->numbers, numbers, count * sizeof *numbers);
    out->count = count;
    out->rank = rank;
    out->shape[0] = (int64_t)count;
}

bool mdm_onnx_scalar(float *out, const mdm_onnx_value *value)
{
    const mdm_onnx_tensor *t = value ? value->constant : NULL;
    if (!t || t->count != 1)
        return false;
    mdm_array array = {.name = "scalar", .dtype = t->dtype, .data = t->data, .size = t->size, .scale = 1};
    return mdm_array_to_f32(out, 1, &array) == MDM_OK;
}

float *mdm_onnx_floats(mdm_onnx_import *m, const mdm_onnx_value *value, size_t count)
{
    const mdm_onnx_tensor *t = value ? value->constant : NULL;
    if (!t || t->count == 0 || (count && t->count != count)) {
        mdm_onnx_bad(m, "expected a constant of %zu values, found %zu", count, t ? t->count : 0);
        return NULL;
    }
    float *out = mdm_nn_own(m->nn, t->count, sizeof *out);
    mdm_array array = {.name = "constant", .dtype = t->dtype, .data = t->data, .size = t->size, .scale = 1};
    return out && mdm_array_to_f32(out, t->count, &array) == MDM_OK ? out : NULL;
}

int64_t mdm_onnx_int(const mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, int64_t fallback)
{
    const mdm_onnx_attribute *a = mdm_onnx_find(&m->onnx, node, name);
    return a ? a->i : fallback;
}

float mdm_onnx_float(const mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, float fallback)
{
    const mdm_onnx_attribute *a = mdm_onnx_find(&m->onnx, node, name);
    return a ? a->f : fallback;
}

int mdm_onnx_ints(mdm_onnx_import *m, const mdm_onnx_node *node, const char *name, int k,
                  int64_t out[MDM_ONNX_MAX_INTS])
{
    const mdm_onnx_attribute *a = mdm_onnx_find(&m->onnx, node, name);
    if (a) {
        memcpy(out, a->ints, sizeof a->ints);
        return a->int_count;
    }
    const mdm_onnx_value *value = k >= 0 ? mdm_onnx_in(m, node, k) : NULL;
    if (!value || !value->numbers || value->count > MDM_ONNX_MAX_INTS)
        return -1;
    memcpy(out, value->numbers, value->count * sizeof *out);
    return (int)value->count;
}

int mdm_onnx_axis(mdm_onnx_import *m, int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank) {
        mdm_onnx_bad(m, "axis %lld of %d axes", (long long)axis, rank);
        return -1;
    }
    return (int)(axis < 0 ? axis + rank : axis);
}

int mdm_onnx_from_last(mdm_onnx_import *m, const mdm_onnx_value *value, int axis)
{
    int from_last = value->rank - 1 - axis;
    if (axis < 0)
        return -1;
    for (int i = value->rank - 4; i > axis; i--) /* axes between it and the last four must be empty */
        if (value->shape[i] != 1)
            from_last = -1;
    if (from_last >= 3 && axis < value->rank - 4 && value->shape[value->rank - 4] != 1)
        from_last = -1;
    for (int i = 0; i < value->rank - 4 && from_last >= 0; i++)
        if (i != axis && value->shape[i] != 1)
            from_last = -1;
    if (from_last < 0)
        mdm_onnx_bad(m, "axis %d of %d axes is out of the executor's reach", axis, value->rank);
    return from_last > 3 ? 3 : from_last;
}

/* ---- arithmetic ---- */

static bool broadcast(mdm_onnx_value *out, const mdm_onnx_value *a, const mdm_onnx_value *b)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        int ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        int64_t na = ia < 0 ? 1 : a->shape[ia], nb = ib < 0 ? 1 : b->shape[ib];
        if (na != nb && na != 1 && nb != 1)
            return false;
        out->shape[i] = na == 1 ? nb : na;
    }
    return true;
}

static int64_t number_of(char op, int64_t a, int64_t b)
{
    switch (op) {
    case '+':
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case '-':
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case '*':
        return (int64_t)((uint64_t)a * (uint64_t)b);
    default:
        return b == 0 || (a == INT64_MIN && b == -1) ? 0 : a / b;
    }
}

/* Takes in what only multiplies by or adds one number to this result, in one pass with it; returns the last such node. */
static const mdm_onnx_node *take_scalars(mdm_onnx_import *m, const mdm_onnx_node *node, float *factor, float *offset)
{
    for (;;) {
        int made = m->onnx.links[node->first_output];
        const mdm_onnx_value *value = made >= 0 ? &m->values[made] : NULL;
        if (!value || value->uses != 1 || m->done[value->user[0]])
            return node;
        const mdm_onnx_node *next = &m->onnx.nodes[value->user[0]];
        bool product = mdm_onnx_is(next->op, "Mul"), sum = mdm_onnx_is(next->op, "Add");
        float s;
        if ((!product && !sum) || next->input_count != 2 || next->output_count != 1)
            return node;
        int other = m->onnx.links[next->first_input] == made ? 1 : 0;
        const mdm_onnx_value *constant = mdm_onnx_in(m, next, other);
        if (!constant || constant->rank > 1 || !mdm_onnx_scalar(&s, constant))
            return node;
        *factor *= product ? s : 1;
        *offset = product ? *offset * s : *offset + s;
        m->done[next - m->onnx.nodes] = true;
        node = next;
    }
}

static void binary(mdm_onnx_import *m, const mdm_onnx_node *node, char op)
{
    mdm_onnx_value *a = mdm_onnx_in(m, node, 0), *b = mdm_onnx_in(m, node, 1), out = {0};
    if (!a || !b || !broadcast(&out, a, b)) {
        mdm_onnx_bad(m, "its inputs do not go together");
        return;
    }
    if (a->numbers && b->numbers && (a->count == b->count || a->count == 1 || b->count == 1)) {
        int64_t numbers[MDM_ONNX_MAX_SMALL];
        size_t count = a->count > b->count ? a->count : b->count;
        for (size_t i = 0; i < count; i++)
            numbers[i] = number_of(op, a->numbers[a->count == 1 ? 0 : i], b->numbers[b->count == 1 ? 0 : i]);
        mdm_onnx_set_numbers(m, node, numbers, count, out.rank);
        return;
    }
    float s;
    mdm_node *x = NULL;
    const bool right = mdm_onnx_scalar(&s, b) && (op != '/' || s != 0);
    if (right || (mdm_onnx_scalar(&s, a) && op != '/')) {
        float factor = op == '*' ? s : op == '/' ? 1 / s : op == '-' && !right ? -1 : 1;
        float offset = op == '+' ? s : op == '-' ? (right ? -s : s) : 0;
        node = take_scalars(m, node, &factor, &offset);
        x = mdm_nn_scale(m->nn, mdm_onnx_as_node(m, right ? a : b), factor, offset);
    } else {
        mdm_node *xa = mdm_onnx_as_node(m, a), *xb = mdm_onnx_as_node(m, b);
        x = op == '+'   ? mdm_nn_add(m->nn, xa, xb)
            : op == '-' ? mdm_nn_sub(m->nn, xa, xb)
            : op == '*' ? mdm_nn_mul(m->nn, xa, xb)
                        : mdm_nn_div(m->nn, xa, xb);
    }
    mdm_onnx_set(m, node, 0, x, out.rank, out.shape);
}

static void add(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    binary(m, node, '+');
}

static void sub(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    binary(m, node, '-');
}

static void mul(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    binary(m, node, '*');
}

static void divide(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    binary(m, node, '/');
}

static void set_like(mdm_onnx_import *m, const mdm_onnx_node *node, mdm_node *x)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    if (in)
        mdm_onnx_set(m, node, 0, x, in->rank, in->shape);
}

static void power(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    float exponent = 0;
    mdm_node *x = mdm_onnx_node_in(m, node, 0);
    if (!mdm_onnx_scalar(&exponent, mdm_onnx_in(m, node, 1)) || (exponent != 2 && exponent != 0.5f)) {
        mdm_onnx_bad(m, "exponent %g, expected 2 or 0.5", (double)exponent);
        return;
    }
    set_like(m, node, exponent == 2 ? mdm_nn_mul(m->nn, x, x) : mdm_nn_activate(m->nn, x, MDM_SQRT));
}

static void clip(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    float low = mdm_onnx_float(m, node, "min", -3.4e38f), high = mdm_onnx_float(m, node, "max", 3.4e38f);
    mdm_onnx_scalar(&low, mdm_onnx_in(m, node, 1));
    mdm_onnx_scalar(&high, mdm_onnx_in(m, node, 2));
    set_like(m, node, mdm_nn_clamp(m->nn, mdm_onnx_node_in(m, node, 0), low, high));
}

static void hard_sigmoid(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    float alpha = mdm_onnx_float(m, node, "alpha", 0.2f), beta = mdm_onnx_float(m, node, "beta", 0.5f);
    set_like(m, node, mdm_nn_clamp(m->nn, mdm_nn_scale(m->nn, mdm_onnx_node_in(m, node, 0), alpha, beta), 0, 1));
}

static void prelu(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    mdm_onnx_value *slope = mdm_onnx_in(m, node, 1);
    if (!slope) {
        mdm_onnx_bad(m, "its slope is missing");
        return;
    }
    set_like(m, node, mdm_nn_prelu(m->nn, mdm_onnx_node_in(m, node, 0), mdm_onnx_as_node(m, slope)));
}

static void pass(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    if (in && in->numbers)
        mdm_onnx_set_numbers(m, node, in->numbers, in->count, in->rank);
    else
        set_like(m, node, mdm_onnx_node_in(m, node, 0));
}

static const struct {
    const char *op;
    mdm_activation activation;
} activations[] = {
    {"Relu", MDM_RELU}, {"Sigmoid", MDM_SIGMOID}, {"Tanh", MDM_TANH}, {"HardSwish", MDM_HARDSWISH},
    {"Abs", MDM_ABS},   {"Exp", MDM_EXP},         {"Sqrt", MDM_SQRT}, {"Elu", MDM_ELU},
};

static const struct {
    const char *op;
    void (*describe)(mdm_onnx_import *m, const mdm_onnx_node *node);
} operations[] = {
    {"Conv", mdm_onnx_conv},
    {"ConvTranspose", mdm_onnx_conv_transposed},
    {"BatchNormalization", mdm_onnx_batch_norm},
    {"MaxPool", mdm_onnx_pool},
    {"AveragePool", mdm_onnx_pool},
    {"GlobalAveragePool", mdm_onnx_global_pool},
    {"MatMul", mdm_onnx_matmul},
    {"Gemm", mdm_onnx_gemm},
    {"Softmax", mdm_onnx_softmax},
    {"Resize", mdm_onnx_resize},
    {"Upsample", mdm_onnx_resize},
    {"Add", add},
    {"Sub", sub},
    {"Mul", mul},
    {"Div", divide},
    {"Pow", power},
    {"Clip", clip},
    {"HardSigmoid", hard_sigmoid},
    {"PRelu", prelu},
    {"Identity", pass},
    {"Dropout", pass},
    {"Cast", mdm_onnx_cast},
    {"Shape", mdm_onnx_shape},
    {"Reshape", mdm_onnx_reshape},
    {"Flatten", mdm_onnx_flatten},
    {"Squeeze", mdm_onnx_squeeze},
    {"Unsqueeze", mdm_onnx_unsqueeze},
    {"Transpose", mdm_onnx_transpose},
    {"Concat", mdm_onnx_concat},
    {"Slice", mdm_onnx_slice},
    {"Split", mdm_onnx_split},
    {"Gather", mdm_onnx_gather},
    {"ReduceMean", mdm_onnx_reduce_mean},
};

static void describe(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    m->node = node;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (mdm_onnx_is(node->op, operations[i].op)) {
            operations[i].describe(m, node);
            return;
        }
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (mdm_onnx_is(node->op, activations[i].op)) {
            set_like(m, node, mdm_nn_activate(m->nn, mdm_onnx_node_in(m, node, 0), activations[i].activation));
            return;
        }
    mdm_onnx_bad(m, "this operation is not known");
}

/* ---- the graph ---- */

static mdm_status take_constants(mdm_onnx_import *m)
{
    for (size_t i = 0; i < m->onnx.tensor_count; i++) {
        const mdm_onnx_tensor *t = &m->onnx.tensors[i];
        int number = m->onnx.tensor_value[i];
        if (number < 0 || m->values[number].known)
            continue;
        mdm_onnx_value *value = &m->values[number];
        value->known = true;
        value->constant = t;
        value->rank = t->rank;
        memcpy(value->shape, t->shape, sizeof t->shape);
        size_t width = mdm_dtype_size(t->dtype);
        if ((t->dtype != MDM_I64 && t->dtype != MDM_I32) || t->count > MDM_ONNX_MAX_SMALL)
            continue;
        MDM_TRY(mdm_alloc(&value->numbers, t->count + 1, sizeof *value->numbers, "ONNX numbers"));
        value->count = t->count;
        for (size_t k = 0; k < t->count; k++) {
            int32_t narrow;
            if (width == 8) {
                memcpy(&value->numbers[k], t->data + 8 * k, 8);
            } else {
                memcpy(&narrow, t->data + 4 * k, 4);
                value->numbers[k] = narrow;
            }
        }
    }
    return MDM_OK;
}

static mdm_status take_input(mdm_onnx_import *m, const mdm_graph_options *options)
{
    if (m->onnx.input_count != 1 || m->onnx.inputs[0].rank != 4)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu inputs, expected one picture of 4 axes", m->graph->path,
                        m->onnx.input_count);
    const mdm_onnx_input *in = &m->onnx.inputs[0];
    int64_t shape[4] = {1, in->shape[1], options->height > 0 ? options->height : in->shape[2],
                        options->width > 0 ? options->width : in->shape[3]};
    for (int i = 1; i < 4; i++)
        if (shape[i] < 1 || shape[i] > 65536)
            return mdm_fail(MDM_ERR_INPUT, "%s: the file leaves its input's size open: give a height and width",
                            m->graph->path);
    mdm_onnx_value *value = &m->values[in->value];
    if (value->known)
        return mdm_fail(MDM_ERR_INPUT, "%s: its input is a constant", m->graph->path);
    *value = (mdm_onnx_value){.known = true, .rank = 4, .uses = value->uses, .user = {value->user[0], value->user[1]}};
    memcpy(value->shape, shape, sizeof shape);
    value->node = mdm_nn_input(m->nn, "in0", 4, shape);
    m->graph->input_count = 1;
    return MDM_OK;
}

static void count_uses(mdm_onnx_import *m)
{
    const mdm_onnx *o = &m->onnx;
    for (size_t n = 0; n < o->node_count; n++)
        for (int k = 0; k < o->nodes[n].input_count; k++) {
            int value = o->links[o->nodes[n].first_input + k];
            if (value < 0)
                continue;
            if (m->values[value].uses < 2)
                m->values[value].user[m->values[value].uses] = (int)n;
            m->values[value].uses++;
        }
    for (size_t i = 0; i < o->output_count; i++)
        m->values[o->outputs[i]].uses += 3; /* never taken in by another node */
}

static mdm_status import(mdm_onnx_import *m, const mdm_mapping *map, const mdm_graph_options *options)
{
    MDM_TRY(mdm_onnx_open(&m->onnx, m->graph->path, map->data, map->size));
    MDM_TRY(mdm_alloc(&m->values, m->onnx.value_count + 1, sizeof *m->values, "ONNX values"));
    MDM_TRY(mdm_alloc(&m->done, m->onnx.node_count + 1, sizeof *m->done, "ONNX nodes"));
    count_uses(m);
    MDM_TRY(take_constants(m));
    MDM_TRY(take_input(m, options));
    for (size_t n = 0; n < m->onnx.node_count && !m->nn->status; n++)
        if (!m->done[n])
            describe(m, &m->onnx.nodes[n]);
    for (size_t i = 0; i < m->onnx.output_count && !m->nn->status; i++) {
        int number = m->onnx.outputs[i];
        mdm_onnx_text text = m->onnx.values[number];
        char name[64];
        snprintf(name, sizeof name, "%.*s", text.length > 63 ? 63 : text.length, text.at);
        if (!m->values[number].node)
            return mdm_fail(MDM_ERR_INPUT, "%s: output \"%s\" is made by no node", m->graph->path, name);
        MDM_TRY(mdm_graph_add_output(m->graph, m->values[number].node, name));
    }
    return MDM_OK;
}

mdm_status mdm_import_onnx(mdm_graph *graph, const mdm_mapping *map, const mdm_graph_options *options)
{
    mdm_onnx_import m = {.graph = graph, .nn = graph->nn};
    mdm_status status = import(&m, map, options);
    for (size_t i = 0; m.values && i < m.onnx.value_count; i++)
        mdm_free(&m.values[i].numbers);
    mdm_free(&m.values);
    mdm_free(&m.done);
    mdm_onnx_close(&m.onnx);
    return status;
}
