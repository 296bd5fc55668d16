/* ONNX's layers. A convolution takes in what follows it as long as nothing else reads it: batch norm, scale and shift go into
 * its weights, an activation into its kernel. */
#include <math.h>
#include <string.h>

#include "nn/graph_onnx.h"
#include "nn/nn_internal.h"

/* ---- what follows a convolution ---- */

typedef struct fusion {
    int value;             /* the last value taken in */
    int outs;              /* output channels */
    float *weights, *bias; /* [outs][inner] or, transposed, [ins][outs][inner] */
    size_t ins, inner;
    mdm_activation activation;
    mdm_node *slope;
    float alpha;
} fusion;

static void scale_channel(fusion *f, int channel, float scale, float shift)
{
    for (size_t i = 0; i < f->ins; i++)
        for (size_t k = 0; k < f->inner; k++)
            f->weights[(i * (size_t)f->outs + (size_t)channel) * f->inner + k] *= scale;
    f->bias[channel] = f->bias[channel] * scale + shift;
}

/* The only node that reads `value`, NULL when there are none or several. */
static const mdm_onnx_node *only_user(const mdm_onnx_import *m, int value)
{
    const mdm_onnx_value *v = &m->values[value];
    return v->uses == 1 && !m->done[v->user[0]] ? &m->onnx.nodes[v->user[0]] : NULL;
}

static void take(mdm_onnx_import *m, fusion *f, const mdm_onnx_node *node)
{
    m->done[node - m->onnx.nodes] = true;
    f->value = m->onnx.links[node->first_output];
}

/* The other operand of a node of two, when it is constant: one value or one for each channel. */
static const mdm_onnx_value *other_constant(const mdm_onnx_import *m, const mdm_onnx_node *node, const fusion *f)
{
    if (node->input_count != 2)
        return NULL;
    int a = m->onnx.links[node->first_input], b = m->onnx.links[node->first_input + 1], other = a == f->value ? b : a;
    const mdm_onnx_value *v = other >= 0 && other != f->value ? &m->values[other] : NULL;
    if (!v || !v->constant || v->rank > 4)
        return NULL;
    if (v->constant->count == 1)
        return v;
    bool channels = v->rank >= 3 && v->constant->count == (size_t)f->outs && v->shape[v->rank - 3] == f->outs;
    return channels ? v : NULL;
}

static bool take_affine(mdm_onnx_import *m, fusion *f, const mdm_onnx_node *node)
{
    bool product = mdm_onnx_is(node->op, "Mul"), sum = mdm_onnx_is(node->op, "Add");
    const mdm_onnx_value *other = product || sum ? other_constant(m, node, f) : NULL;
    float *values = other ? mdm_onnx_floats(m, other, 0) : NULL;
    if (!values)
        return false;
    for (int c = 0; c < f->outs; c++) {
        float v = values[other->constant->count == 1 ? 0 : c];
        scale_channel(f, c, product ? v : 1, sum ? v : 0);
    }
    return true;
}

/* scale and shift of a batch norm's channels; false when it is not one of `channels`. */
static bool batch_norm_values(mdm_onnx_import *m, const mdm_onnx_node *node, int channels, float **scale, float **shift)
{
    float *p[4], epsilon = mdm_onnx_float(m, node, "epsilon", 1e-5f);
    for (int i = 0; i < 4; i++)
        if (!(p[i] = mdm_onnx_floats(m, mdm_onnx_in(m, node, i + 1), (size_t)channels)))
            return false;
    for (int c = 0; c < channels; c++) {
        float gain = p[0][c] / sqrtf(fmaxf(p[3][c], 0) + epsilon);
        p[1][c] -= p[2][c] * gain;
        p[0][c] = gain;
    }
    *scale = p[0];
    *shift = p[1];
    return true;
}

static bool take_batch_norm(mdm_onnx_import *m, fusion *f, const mdm_onnx_node *node)
{
    float *scale, *shift;
    if (!mdm_onnx_is(node->op, "BatchNormalization") || !batch_norm_values(m, node, f->outs, &scale, &shift))
        return false;
    for (int c = 0; c < f->outs; c++)
        scale_channel(f, c, scale[c], shift[c]);
    return true;
}

/* x, x + 3, clip to 0..6, times x, by 6: Paddle's way of writing HardSwish. */
static bool take_hard_swish(mdm_onnx_import *m, fusion *f)
{
    const mdm_onnx_value *v = &m->values[f->value];
    if (v->uses != 2)
        return false;
    const mdm_onnx_node *add = &m->onnx.nodes[v->user[0]], *mul = &m->onnx.nodes[v->user[1]];
    float three = 0, six = 0, low = mdm_onnx_float(m, add, "min", 0), high;
    if (!mdm_onnx_is(add->op, "Add") || !mdm_onnx_is(mul->op, "Mul") ||
        !mdm_onnx_scalar(&three, mdm_onnx_in(m, add, 1)) || three != 3)
        return false;
    const mdm_onnx_node *clip = only_user(m, m->onnx.links[add->first_output]);
    if (!clip || !mdm_onnx_is(clip->op, "Clip") || only_user(m, m->onnx.links[clip->first_output]) != mul)
        return false;
    low = mdm_onnx_float(m, clip, "min", -1), high = mdm_onnx_float(m, clip, "max", -1);
    mdm_onnx_scalar(&low, mdm_onnx_in(m, clip, 1));
    mdm_onnx_scalar(&high, mdm_onnx_in(m, clip, 2));
    const mdm_onnx_node *div = only_user(m, m->onnx.links[mul->first_output]);
    if (low != 0 || high != 6 || !div || !mdm_onnx_is(div->op, "Div") ||
        !mdm_onnx_scalar(&six, mdm_onnx_in(m, div, 1)) || six != 6)
        return false;
    take(m, f, add);
    take(m, f, clip);
    take(m, f, mul);
    take(m, f, div);
    f->activation = MDM_HARDSWISH;
    return true;
}

/* x, (x * 1,) sigmoid, times x. */
static bool take_swish(mdm_onnx_import *m, fusion *f)
{
    const mdm_onnx_value *v = &m->values[f->value];
    if (v->uses != 2)
        return false;
    const mdm_onnx_node *first = &m->onnx.nodes[v->user[0]], *mul = &m->onnx.nodes[v->user[1]], *one = NULL;
    float s = 0;
    if (mdm_onnx_is(first->op, "Mul") && mdm_onnx_scalar(&s, mdm_onnx_in(m, first, 1)) && s == 1) {
        one = first;
        first = only_user(m, m->onnx.links[one->first_output]);
    }
    if (!first || !mdm_onnx_is(first->op, "Sigmoid") || !mdm_onnx_is(mul->op, "Mul") ||
        only_user(m, m->onnx.links[first->first_output]) != mul)
        return false;
    if (one)
        take(m, f, one);
    take(m, f, first);
    take(m, f, mul);
    f->activation = MDM_SILU;
    return true;
}

static bool take_activation(mdm_onnx_import *m, fusion *f, const mdm_onnx_node *node)
{
    static const struct {
        const char *op;
        mdm_activation activation;
    } known[] = {{"Relu", MDM_RELU},
                 {"Sigmoid", MDM_SIGMOID},
                 {"Tanh", MDM_TANH},
                 {"HardSwish", MDM_HARDSWISH},
                 {"Elu", MDM_ELU}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (mdm_onnx_is(node->op, known[i].op)) {
            f->activation = known[i].activation;
            return true;
        }
    if (mdm_onnx_is(node->op, "LeakyRelu")) {
        f->activation = MDM_LEAKY_RELU;
        f->alpha = mdm_onnx_float(m, node, "alpha", 0.01f);
        return true;
    }
    const mdm_onnx_value *slope = mdm_onnx_is(node->op, "PRelu") ? mdm_onnx_in(m, node, 1) : NULL;
    if (slope && slope->constant && (slope->constant->count == 1 || slope->constant->count == (size_t)f->outs)) {
        f->activation = MDM_PRELU;
        float *values = mdm_onnx_floats(m, slope, 0);
        f->slope = values ? mdm_nn_constant(m->nn, "slope", values, MDM_STORE_F32, 1,
                                            (int64_t[]){(int64_t)slope->constant->count})
                          : NULL;
        return f->slope != NULL;
    }
    float low = -1, high = -1;
    if (mdm_onnx_is(node->op, "Clip")) {
        low = mdm_onnx_float(m, node, "min", -1), high = mdm_onnx_float(m, node, "max", -1);
        mdm_onnx_scalar(&low, mdm_onnx_in(m, node, 1));
        mdm_onnx_scalar(&high, mdm_onnx_in(m, node, 2));
        f->activation = MDM_RELU6;
    }
    return low == 0 && high == 6;
}

static void take_what_follows(mdm_onnx_import *m, fusion *f, bool activations)
{
    const mdm_onnx_node *node;
    while ((node = only_user(m, f->value)) && (take_batch_norm(m, f, node) || take_affine(m, f, node)))
        take(m, f, node);
    if (!activations || take_hard_swish(m, f) || take_swish(m, f))
        return;
    if ((node = only_user(m, f->value)) && node->output_count == 1 && take_activation(m, f, node))
        take(m, f, node);
}

/* ---- convolutions ---- */

/* Two numbers of an attribute, 1 where it is absent. */
static bool pair(int out[2], mdm_onnx_import *m, const mdm_onnx_node *node, const char *name)
{
    int64_t values[MDM_ONNX_MAX_INTS] = {1, 1};
    int count = mdm_onnx_ints(m, node, name, -1, values);
    bool ok = (count == 2 || count == -1) && values[0] >= 1 && values[0] <= 1024 && values[1] >= 1 && values[1] <= 1024;
    out[0] = ok ? (int)values[0] : 1;
    out[1] = ok ? (int)values[1] : 1;
    if (!ok)
        mdm_onnx_bad(m, "attribute \"%s\" is not two sizes", name);
    return ok;
}

/* top, left, bottom, right of a window over `in`, which has four axes. */
static bool padding(int pad[4], mdm_onnx_import *m, const mdm_onnx_node *node, const mdm_onnx_value *in,
                    const int kernel[2], const int stride[2], const int dilation[2])
{
    int64_t values[MDM_ONNX_MAX_INTS] = {0};
    int count = mdm_onnx_ints(m, node, "pads", -1, values);
    const mdm_onnx_attribute *automatic = mdm_onnx_find(&m->onnx, node, "auto_pad");
    if (automatic && mdm_onnx_is(automatic->text, "SAME_UPPER")) {
        mdm_same_padding(pad, in->shape[2], in->shape[3], kernel, stride, dilation);
        return true;
    }
    bool ok = (count == 4 || count == -1) && !(automatic && mdm_onnx_is(automatic->text, "SAME_LOWER"));
    for (int i = 0; i < 4 && ok; i++) {
        ok = values[i] >= 0 && values[i] <= 1024;
        pad[i] = (int)values[i];
    }
    if (!ok)
        mdm_onnx_bad(m, "its padding is not known");
    return ok;
}

static void set_fused(mdm_onnx_import *m, const fusion *f, mdm_node *x)
{
    mdm_onnx_value *out = &m->values[f->value];
    if (!x || out->known)
        return;
    out->known = true;
    out->rank = 4;
    for (int i = 0; i < 4; i++)
        out->shape[i] = mdm_nn_dim(x, 3 - i);
    out->node = x;
}

/* Weights and bias of a convolution as floats of its own. */
static bool start(mdm_onnx_import *m, fusion *f, const mdm_onnx_node *node, bool transposed)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0), *w = mdm_onnx_in(m, node, 1), *b = mdm_onnx_in(m, node, 2);
    if (!in || in->rank != 4 || !w || !w->constant || w->rank != 4 || node->output_count != 1) {
        mdm_onnx_bad(m, "expected a picture and constant weights of 4 axes");
        return false;
    }
    *f = (fusion){.value = m->onnx.links[node->first_output], .outs = (int)w->shape[transposed ? 1 : 0]};
    f->ins = transposed ? (size_t)w->shape[0] : 1;
    f->inner = w->constant->count / (f->ins * (size_t)(f->outs > 0 ? f->outs : 1));
    f->weights = mdm_onnx_floats(m, w, 0);
    f->bias = b ? mdm_onnx_floats(m, b, (size_t)f->outs) : mdm_nn_own(m->nn, (size_t)f->outs, sizeof *f->bias);
    return f->weights && f->bias && f->value >= 0;
}

void mdm_onnx_conv(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    fusion f;
    mdm_conv conv = {.groups = (int)mdm_onnx_int(m, node, "group", 1)};
    if (!start(m, &f, node, false))
        return;
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0), *w = mdm_onnx_in(m, node, 1);
    const int kernel[2] = {(int)w->shape[2], (int)w->shape[3]};
    if (!pair(conv.stride, m, node, "strides") || !pair(conv.dilation, m, node, "dilations") ||
        !padding(conv.pad, m, node, in, kernel, conv.stride, conv.dilation))
        return;
    take_what_follows(m, &f, true);
    conv.activation = f.activation;
    conv.slope = f.slope;
    conv.alpha = f.alpha;
    mdm_node *weight = mdm_nn_constant(m->nn, "kernel", f.weights, MDM_STORE_F32, 4, w->shape);
    mdm_node *bias = mdm_nn_constant(m->nn, "bias", f.bias, MDM_STORE_F32, 1, (int64_t[]){f.outs});
    set_fused(m, &f, mdm_nn_conv2d(m->nn, mdm_onnx_node_in(m, node, 0), weight, bias, &conv));
}

void mdm_onnx_conv_transposed(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    fusion f;
    int stride[2], dilation[2], pad[4];
    if (!start(m, &f, node, true))
        return;
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0), *w = mdm_onnx_in(m, node, 1);
    const int kernel[2] = {(int)w->shape[2], (int)w->shape[3]};
    if (!pair(stride, m, node, "strides") || !pair(dilation, m, node, "dilations") ||
        !padding(pad, m, node, in, kernel, stride, dilation))
        return;
    if (mdm_onnx_int(m, node, "group", 1) != 1 || pad[0] || pad[1] || pad[2] || pad[3] || stride[0] != stride[1] ||
        dilation[0] != 1 || dilation[1] != 1 || mdm_onnx_find(&m->onnx, node, "output_padding")) {
        mdm_onnx_bad(m, "only dense transposed convolutions without padding are known");
        return;
    }
    take_what_follows(m, &f, false);
    mdm_node *weight = mdm_nn_constant(m->nn, "kernel", f.weights, MDM_STORE_F32, 4, w->shape);
    mdm_node *bias = mdm_nn_constant(m->nn, "bias", f.bias, MDM_STORE_F32, 1, (int64_t[]){f.outs});
    set_fused(m, &f, mdm_nn_conv2d_transposed(m->nn, mdm_onnx_node_in(m, node, 0), weight, bias, stride[0]));
}

void mdm_onnx_batch_norm(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    float *scale, *shift;
    if (!in || in->rank != 4) {
        mdm_onnx_bad(m, "expected a picture");
        return;
    }
    if (!batch_norm_values(m, node, (int)in->shape[1], &scale, &shift))
        return;
    const int64_t shape[4] = {1, in->shape[1], 1, 1};
    mdm_node *x =
        mdm_nn_mul(m->nn, mdm_onnx_node_in(m, node, 0), mdm_nn_constant(m->nn, "gain", scale, MDM_STORE_F32, 4, shape));
    x = mdm_nn_add(m->nn, x, mdm_nn_constant(m->nn, "shift", shift, MDM_STORE_F32, 4, shape));
    mdm_onnx_set(m, node, 0, x, 4, in->shape);
}

/* ---- the rest ---- */

static void set_picture(mdm_onnx_import *m, const mdm_onnx_node *node, mdm_node *x)
{
    int64_t shape[4];
    for (int i = 0; i < 4; i++)
        shape[i] = mdm_nn_dim(x, 3 - i);
    if (x)
        mdm_onnx_set(m, node, 0, x, 4, shape);
}

void mdm_onnx_pool(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    static const int one[2] = {1, 1};
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int kernel[2], stride[2], pad[4];
    bool average = mdm_onnx_is(node->op, "AveragePool");
    if (!in || in->rank != 4 || mdm_onnx_int(m, node, "ceil_mode", 0) || node->output_count != 1) {
        mdm_onnx_bad(m, "expected a picture and no rounding up");
        return;
    }
    if (!pair(kernel, m, node, "kernel_shape") || !pair(stride, m, node, "strides") ||
        !padding(pad, m, node, in, kernel, stride, one))
        return;
    set_picture(m, node,
                mdm_nn_pool(m->nn, mdm_onnx_node_in(m, node, 0), average ? MDM_POOL_AVERAGE : MDM_POOL_MAX, kernel,
                            stride, pad, mdm_onnx_int(m, node, "count_include_pad", 0) != 0));
}

void mdm_onnx_global_pool(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    if (!in || in->rank != 4)
        mdm_onnx_bad(m, "expected a picture");
    else
        set_picture(m, node, mdm_nn_global_mean(m->nn, mdm_onnx_node_in(m, node, 0)));
}

/* x [.., in] by a constant matrix, [in, out] or turned [out, in]. */
static void dense(mdm_onnx_import *m, const mdm_onnx_node *node, bool turned, const mdm_onnx_value *bias)
{
    const mdm_onnx_value *x = mdm_onnx_in(m, node, 0), *w = mdm_onnx_in(m, node, 1);
    int64_t ins = w->shape[turned ? 1 : 0], outs = w->shape[turned ? 0 : 1], shape[MDM_MAX_RANK];
    float *values = mdm_onnx_floats(m, w, 0);
    float *matrix = values && !turned ? mdm_nn_own(m->nn, w->constant->count, sizeof *matrix) : values;
    if (!matrix || x->rank < 1 || x->shape[x->rank - 1] != ins) {
        mdm_onnx_bad(m, "a matrix of %lld inputs on %lld values", (long long)ins,
                     x->rank ? (long long)x->shape[x->rank - 1] : 0);
        return;
    }
    for (int64_t i = 0; i < ins && !turned; i++)
        for (int64_t o = 0; o < outs; o++)
            matrix[o * ins + i] = values[i * outs + o];
    mdm_node *b = NULL;
    if (bias) {
        float *shift = mdm_onnx_floats(m, bias, (size_t)outs);
        if (!shift || !(b = mdm_nn_constant(m->nn, "bias", shift, MDM_STORE_F32, 1, (int64_t[]){outs})))
            return;
    }
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = outs;
    mdm_node *weight = mdm_nn_constant(m->nn, "matrix", matrix, MDM_STORE_F32, 2, (int64_t[]){outs, ins});
    mdm_onnx_set(m, node, 0, mdm_nn_linear(m->nn, mdm_onnx_node_in(m, node, 0), weight, b), x->rank, shape);
}

void mdm_onnx_matmul(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *a = mdm_onnx_in(m, node, 0), *b = mdm_onnx_in(m, node, 1);
    int64_t shape[MDM_MAX_RANK];
    if (a && b && b->constant && b->rank == 2) {
        dense(m, node, false, NULL);
        return;
    }
    if (!a || !b || a->rank != b->rank || a->rank < 2 || a->rank > 4) {
        mdm_onnx_bad(m, "a product of values of %d and %d axes", a ? a->rank : 0, b ? b->rank : 0);
        return;
    }
    memcpy(shape, a->shape, sizeof shape);
    shape[a->rank - 1] = b->shape[b->rank - 1];
    mdm_node *xa = mdm_onnx_node_in(m, node, 0), *xb = mdm_onnx_node_in(m, node, 1);
    mdm_onnx_set(m, node, 0, mdm_nn_matmul(m->nn, xa, xb), a->rank, shape);
}

void mdm_onnx_gemm(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *a = mdm_onnx_in(m, node, 0), *b = mdm_onnx_in(m, node, 1);
    if (!a || !b || a->rank != 2 || !b->constant || b->rank != 2 || mdm_onnx_int(m, node, "transA", 0) ||
        mdm_onnx_float(m, node, "alpha", 1) != 1 || mdm_onnx_float(m, node, "beta", 1) != 1)
        mdm_onnx_bad(m, "expected x B + c with a constant B");
    else
        dense(m, node, mdm_onnx_int(m, node, "transB", 0) != 0, mdm_onnx_in(m, node, 2));
}

void mdm_onnx_softmax(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int axis = in ? mdm_onnx_axis(m, mdm_onnx_int(m, node, "axis", -1), in->rank) : -1;
    if (axis < 0 || axis != in->rank - 1)
        mdm_onnx_bad(m, "only over the last axis is known");
    else
        mdm_onnx_set(m, node, 0, mdm_nn_softmax(m->nn, mdm_onnx_node_in(m, node, 0)), in->rank, in->shape);
}

void mdm_onnx_resize(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    const mdm_onnx_value *scales = mdm_onnx_in(m, node, mdm_onnx_is(node->op, "Upsample") ? 1 : 2),
                         *sizes = mdm_onnx_in(m, node, 3);
    const mdm_onnx_attribute *mode = mdm_onnx_find(&m->onnx, node, "mode");
    const mdm_onnx_attribute *where = mdm_onnx_find(&m->onnx, node, "coordinate_transformation_mode");
    int64_t size[2] = {0, 0};
    float *factor = scales && scales->constant && scales->constant->count == 4 ? mdm_onnx_floats(m, scales, 4) : NULL;
    for (int i = 0; i < 2 && in && in->rank == 4; i++) {
        if (factor && factor[2 + i] > 0 && factor[2 + i] < 256)
            size[i] = (int64_t)floor((double)in->shape[2 + i] * (double)factor[2 + i]);
        else if (sizes && sizes->numbers && sizes->count == 4)
            size[i] = sizes->numbers[2 + i];
    }
    bool nearest = !mode || mdm_onnx_is(mode->text, "nearest"), linear = mode && mdm_onnx_is(mode->text, "linear");
    bool asymmetric = where && mdm_onnx_is(where->text, "asymmetric");
    const mdm_onnx_attribute *rounding = mdm_onnx_find(&m->onnx, node, "nearest_mode");
    bool floors = mdm_onnx_is(node->op, "Upsample") || (asymmetric && rounding && mdm_onnx_is(rounding->text, "floor"));
    bool half = !where || mdm_onnx_is(where->text, "half_pixel") || mdm_onnx_is(where->text, "pytorch_half_pixel");
    bool corners = where && mdm_onnx_is(where->text, "align_corners");
    if (size[0] < 1 || size[1] < 1 || size[0] > 65536 || size[1] > 65536 ||
        !(nearest ? floors : linear && (half || corners || asymmetric))) {
        mdm_onnx_bad(m, "this way of resizing is not known");
        return;
    }
    mdm_resize how = nearest      ? MDM_NEAREST
                     : corners    ? MDM_BILINEAR_ALIGN_CORNERS
                     : asymmetric ? MDM_BILINEAR_ASYMMETRIC
                                  : MDM_BILINEAR;
    set_picture(m, node, mdm_nn_resize(m->nn, mdm_onnx_node_in(m, node, 0), (int)size[0], (int)size[1], how));
}
