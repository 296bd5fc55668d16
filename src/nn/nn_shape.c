/* Shapes and arithmetic of the ggml executor: views are made contiguous at once, so that every operation may assume it. */
#include <stdio.h>
#include <string.h>

#include "nn/kernel.h"
#include "nn/nn_internal.h"

#define CTX nn->nodes

int64_t mdm_nn_dim(const mdm_node *x, int from_last)
{
    return x && from_last >= 0 && from_last < 4 ? x->ne[from_last] : 0;
}

mdm_node *mdm_nn_reshape(mdm_nn *nn, mdm_node *x, int rank, const int64_t *shape)
{
    int64_t ne[4] = {1, 1, 1, 1}, total = 1;
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    for (int i = 0; i < rank; i++) {
        int64_t extent = shape[rank - 1 - i];
        if (extent < 1 || extent > ggml_nelements(x) / total)
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "reshape of %lld values to an extent of %lld",
                               (long long)ggml_nelements(x), (long long)extent);
        ne[i < 4 ? i : 3] *= extent;
        total *= extent;
    }
    if (total != ggml_nelements(x))
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "reshape of %lld values to %lld", (long long)ggml_nelements(x),
                           (long long)total);
    return ggml_reshape_4d(CTX, x, ne[0], ne[1], ne[2], ne[3]);
}

mdm_node *mdm_nn_permute(mdm_nn *nn, mdm_node *x, const int order[4])
{
    int axis[4] = {-1, -1, -1, -1}; /* ggml wants: source axis i becomes axis[i] */
    if (!x || nn->status)
        return NULL;
    for (int i = 0; i < 4; i++) {
        if (order[i] < 0 || order[i] > 3 || axis[3 - order[i]] >= 0)
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "permutation %d %d %d %d", order[0], order[1], order[2], order[3]);
        axis[3 - order[i]] = 3 - i;
    }
    return ggml_cont(CTX, ggml_permute(CTX, x, axis[0], axis[1], axis[2], axis[3]));
}

mdm_node *mdm_nn_concat(mdm_nn *nn, mdm_node *a, mdm_node *b, int from_last)
{
    a = mdm_nn_contiguous(nn, a);
    b = mdm_nn_contiguous(nn, b);
    if (!a || !b)
        return NULL;
    for (int i = 0; i < 4; i++)
        if (from_last < 0 || from_last > 3 || (i != from_last && a->ne[i] != b->ne[i]))
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "concatenation over axis %d of unlike shapes (%lld and %lld)",
                               from_last, (long long)a->ne[i], (long long)b->ne[i]);
    return ggml_concat(CTX, a, b, from_last);
}

mdm_node *mdm_nn_repeat(mdm_nn *nn, mdm_node *x, int from_last, int64_t times)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    if (from_last < 0 || from_last > 3 || times < 1)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "axis %d repeated %lld times", from_last, (long long)times);
    int64_t ne[4] = {x->ne[0], x->ne[1], x->ne[2], x->ne[3]};
    ne[from_last] *= times;
    return times == 1 ? x : ggml_repeat_4d(CTX, x, ne[0], ne[1], ne[2], ne[3]);
}

mdm_node *mdm_nn_slice(mdm_nn *nn, mdm_node *x, int from_last, int64_t from, int64_t to)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    if (from_last < 0 || from_last > 3 || from < 0 || to <= from || to > x->ne[from_last])
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "slice %lld..%lld of axis %d", (long long)from, (long long)to, from_last);
    int64_t ne[4] = {x->ne[0], x->ne[1], x->ne[2], x->ne[3]};
    ne[from_last] = to - from;
    return ggml_cont(CTX, ggml_view_4d(CTX, x, ne[0], ne[1], ne[2], ne[3], x->nb[1], x->nb[2], x->nb[3],
                                       (size_t)from * x->nb[from_last]));
}

typedef struct pad_call {
    int before[4];
} pad_call;

static void run_pad(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const pad_call *call = user;
    const struct ggml_tensor *x = dst->src[0];
    const float *in = x->data;
    float *out = dst->data;
    int64_t rows = dst->ne[1] * dst->ne[2] * dst->ne[3];
    for (int64_t r = ith; r < rows; r += nth) {
        int64_t i1 = r % dst->ne[1] - call->before[1], i2 = r / dst->ne[1] % dst->ne[2] - call->before[2];
        int64_t i3 = r / (dst->ne[1] * dst->ne[2]) - call->before[3];
        float *row = out + r * dst->ne[0];
        memset(row, 0, (size_t)dst->ne[0] * sizeof(float));
        if (i1 >= 0 && i1 < x->ne[1] && i2 >= 0 && i2 < x->ne[2] && i3 >= 0 && i3 < x->ne[3])
            memcpy(row + call->before[0], in + ((i3 * x->ne[2] + i2) * x->ne[1] + i1) * x->ne[0],
                   (size_t)x->ne[0] * sizeof(float));
    }
}

mdm_node *mdm_nn_pad(mdm_nn *nn, mdm_node *x, const int before[4], const int after[4])
{
    int64_t ne[4];
    if (!x || nn->status)
        return NULL;
    for (int i = 0; i < 4; i++) {
        if (before[i] < 0 || after[i] < 0 || before[i] > 65536 || after[i] > 65536)
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "padding by %d and %d", before[i], after[i]);
        ne[i] = x->ne[i] + before[i] + after[i];
    }
    pad_call *call = mdm_nn_own(nn, 1, sizeof *call);
    if (!call)
        return NULL;
    memcpy(call->before, before, sizeof call->before);
    return mdm_nn_custom(nn, ne, &x, 1, run_pad, call, false);
}

mdm_node *mdm_nn_mean(mdm_nn *nn, mdm_node *x, int from_last)
{
    if (!(x = mdm_nn_contiguous(nn, x)))
        return NULL;
    if (from_last == 0)
        return ggml_mean(CTX, x);
    if (from_last < 0 || from_last > 3)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "mean over axis %d", from_last);
    int order[4] = {0, 1, 2, 3};
    order[3] = 3 - from_last;
    order[3 - from_last] = 3;
    return mdm_nn_permute(nn, ggml_mean(CTX, mdm_nn_permute(nn, x, order)), order);
}

/* ---- arithmetic ---- */

/* Both operands with the same extents as far as ggml needs: its second operand is repeated into the first. */
static bool match(mdm_nn *nn, mdm_node **a, mdm_node **b, const char *what)
{
    *a = mdm_nn_contiguous(nn, *a);
    *b = mdm_nn_contiguous(nn, *b);
    if (!*a || !*b)
        return false;
    if (ggml_can_repeat(*b, *a))
        return true;
    int64_t ne[4];
    for (int i = 0; i < 4; i++) {
        ne[i] = (*a)->ne[i] > (*b)->ne[i] ? (*a)->ne[i] : (*b)->ne[i];
        if (ne[i] % (*a)->ne[i] || ne[i] % (*b)->ne[i]) {
            mdm_nn_fail(nn, MDM_ERR_INPUT, "%s of unlike shapes: axis %d from the last has %lld and %lld", what, i,
                        (long long)(*a)->ne[i], (long long)(*b)->ne[i]);
            return false;
        }
    }
    *a = ggml_repeat_4d(CTX, *a, ne[0], ne[1], ne[2], ne[3]);
    return true;
}

typedef struct sum_call {
    mdm_activation activation;
    float *slope;
} sum_call;

static void run_sum(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const sum_call *call = user;
    int64_t plane = dst->ne[0] * dst->ne[1], planes = dst->ne[2] * dst->ne[3];
    for (int64_t p = ith; p < planes; p += nth) {
        const float *a = (const float *)dst->src[0]->data + p * plane,
                    *b = (const float *)dst->src[1]->data + p * plane;
        float *out = (float *)dst->data + p * plane;
        for (int64_t i = 0; i < plane; i++)
            out[i] = a[i] + b[i];
        if (call->activation != MDM_LINEAR)
            mdm_activate_row(out, (int)plane, call->activation, call->slope ? call->slope[p % dst->ne[2]] : 0.01f);
    }
}

mdm_node *mdm_nn_add(mdm_nn *nn, mdm_node *a, mdm_node *b)
{
    if (a && b && !nn->status && !nn->gpu && ggml_are_same_shape(a, b) &&
        a->ne[2] * a->ne[3] >= 4) { /* pictures: can take an activation */
        sum_call *call = mdm_nn_own(nn, 1, sizeof *call);
        mdm_node *arguments[2] = {a, b};
        return call ? mdm_nn_can_fuse(nn, mdm_nn_custom(nn, a->ne, arguments, 2, run_sum, call, false),
                                      &call->activation, &call->slope)
                    : NULL;
    }
    if (a && b && ggml_nelements(a) < ggml_nelements(b)) {
        mdm_node *larger = b;
        b = a;
        a = larger;
    }
    return match(nn, &a, &b, "sum") ? ggml_add(CTX, a, b) : NULL;
}

mdm_node *mdm_nn_sub(mdm_nn *nn, mdm_node *a, mdm_node *b)
{
    return match(nn, &a, &b, "difference") ? ggml_sub(CTX, a, b) : NULL;
}

mdm_node *mdm_nn_mul(mdm_nn *nn, mdm_node *a, mdm_node *b)
{
    if (a && b && ggml_nelements(a) < ggml_nelements(b)) {
        mdm_node *larger = b;
        b = a;
        a = larger;
    }
    return match(nn, &a, &b, "product") ? ggml_mul(CTX, a, b) : NULL;
}

mdm_node *mdm_nn_div(mdm_nn *nn, mdm_node *a, mdm_node *b)
{
    return match(nn, &a, &b, "quotient") ? ggml_div(CTX, a, b) : NULL;
}

mdm_node *mdm_nn_scale(mdm_nn *nn, mdm_node *x, float factor, float offset)
{
    x = mdm_nn_contiguous(nn, x);
    return x ? ggml_scale_bias(CTX, x, factor, offset) : NULL;
}

mdm_node *mdm_nn_clamp(mdm_nn *nn, mdm_node *x, float low, float high)
{
    x = mdm_nn_contiguous(nn, x);
    if (!x)
        return NULL;
    return ggml_clamp(CTX, ggml_cont(CTX, x), low, high); /* ggml clamps in place: others may read x */
}

mdm_node *mdm_nn_matmul(mdm_nn *nn, mdm_node *a, mdm_node *b)
{
    a = mdm_nn_contiguous(nn, a);
    b = mdm_nn_contiguous(nn, b);
    if (!a || !b)
        return NULL;
    if (a->ne[0] != b->ne[1] || a->ne[2] % b->ne[2] || a->ne[3] % b->ne[3])
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "product of matrices %lld x %lld and %lld x %lld", (long long)a->ne[1],
                           (long long)a->ne[0], (long long)b->ne[1], (long long)b->ne[0]);
    mdm_node *turned = ggml_cont(CTX, ggml_transpose(CTX, b)); /* [N,K] */
    return ggml_mul_mat(CTX, turned, a);
}

mdm_node *mdm_nn_embedding(mdm_nn *nn, mdm_node *table, const int32_t *ids, int count)
{
    mdm_node *out = NULL;
    for (int i = 0; i < count && table && !nn->status; i++) {
        if (ids[i] < 0 || ids[i] >= table->ne[1])
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "row %d of a table of %lld", (int)ids[i], (long long)table->ne[1]);
        mdm_node *row = mdm_nn_slice(nn, table, 1, ids[i], ids[i] + 1);
        out = out ? mdm_nn_concat(nn, out, row, 1) : row;
    }
    return out;
}
