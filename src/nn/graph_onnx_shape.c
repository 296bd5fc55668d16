/* ONNX's operations on shapes: reshaping, turning, joining, cutting, and the whole numbers that say how. */
#include <string.h>

#include "nn/graph_onnx.h"

void mdm_onnx_shape(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    if (!in) {
        mdm_onnx_bad(m, "its input is missing");
        return;
    }
    mdm_onnx_set_numbers(m, node, in->shape, (size_t)in->rank, 1);
}

void mdm_onnx_cast(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int64_t to = mdm_onnx_int(m, node, "to", 0);
    if (in && in->numbers && (to == 6 || to == 7)) /* int32, int64 */
        mdm_onnx_set_numbers(m, node, in->numbers, in->count, in->rank);
    else if (in && to == 1)
        mdm_onnx_set(m, node, 0, mdm_onnx_node_in(m, node, 0), in->rank, in->shape);
    else
        mdm_onnx_bad(m, "a cast to type %lld", (long long)to);
}

static void reshape_to(mdm_onnx_import *m, const mdm_onnx_node *node, int rank, const int64_t *shape)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    if (in && in->numbers && !in->node)
        mdm_onnx_set_numbers(m, node, in->numbers, in->count, rank);
    else
        mdm_onnx_set(m, node, 0, mdm_onnx_node_in(m, node, 0), rank, shape);
}

void mdm_onnx_reshape(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t wanted[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK], total = 1, known = 1;
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int rank = mdm_onnx_ints(m, node, "shape", 1, wanted), open = -1;
    if (!in || rank < 0 || rank > MDM_MAX_RANK) {
        mdm_onnx_bad(m, "its shape is not known while the graph is described");
        return;
    }
    for (int i = 0; i < in->rank; i++)
        total *= in->shape[i];
    for (int i = 0; i < rank; i++) {
        shape[i] = wanted[i] == 0 && i < in->rank ? in->shape[i] : wanted[i];
        if (shape[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (shape[i] < 1 || shape[i] > total || (known *= shape[i]) > total) {
            mdm_onnx_bad(m, "extent %lld at axis %d", (long long)wanted[i], i);
            return;
        }
    }
    if (open >= 0)
        shape[open] = total / known;
    reshape_to(m, node, rank, shape); /* nn.h checks the product */
}

void mdm_onnx_flatten(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int64_t axis = mdm_onnx_int(m, node, "axis", 1), shape[2] = {1, 1};
    if (!in || axis < 0 || axis > in->rank) {
        mdm_onnx_bad(m, "axis %lld", (long long)axis);
        return;
    }
    for (int i = 0; i < in->rank; i++)
        shape[i >= axis] *= in->shape[i];
    reshape_to(m, node, 2, shape);
}

void mdm_onnx_squeeze(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t axes[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK];
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int count = mdm_onnx_ints(m, node, "axes", 1, axes), rank = 0;
    if (!in) {
        mdm_onnx_bad(m, "its input is missing");
        return;
    }
    for (int i = 0; i < in->rank; i++) {
        bool drop = count < 0 && in->shape[i] == 1;
        for (int k = 0; k < count; k++)
            drop = drop || (axes[k] < 0 ? axes[k] + in->rank : axes[k]) == i;
        if (drop && in->shape[i] != 1) {
            mdm_onnx_bad(m, "axis %d has extent %lld, expected 1", i, (long long)in->shape[i]);
            return;
        }
        if (!drop)
            shape[rank++] = in->shape[i];
    }
    reshape_to(m, node, rank, shape);
}

void mdm_onnx_unsqueeze(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t axes[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK];
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int count = mdm_onnx_ints(m, node, "axes", 1, axes);
    if (!in || count < 0 || in->rank + count > MDM_MAX_RANK) {
        mdm_onnx_bad(m, "its axes are missing or too many");
        return;
    }
    int rank = in->rank + count, from = 0;
    for (int i = 0; i < rank; i++) {
        bool fresh = false;
        for (int k = 0; k < count; k++)
            fresh = fresh || (axes[k] < 0 ? axes[k] + rank : axes[k]) == i;
        shape[i] = fresh || from == in->rank ? 1 : in->shape[from++];
    }
    if (from != in->rank) {
        mdm_onnx_bad(m, "its axes repeat");
        return;
    }
    reshape_to(m, node, rank, shape);
}

void mdm_onnx_transpose(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t perm[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK], four[4] = {1, 1, 1, 1};
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int count = mdm_onnx_ints(m, node, "perm", -1, perm), place[MDM_MAX_RANK], live = 0, order[4] = {0, 1, 2, 3};
    if (!in || (count >= 0 && count != in->rank)) {
        mdm_onnx_bad(m, "its axes are missing");
        return;
    }
    unsigned seen = 0;
    for (int i = 0; i < in->rank; i++) {
        if (count < 0)
            perm[i] = in->rank - 1 - i;
        if (perm[i] < 0 || perm[i] >= in->rank || seen >> perm[i] & 1) {
            mdm_onnx_bad(m, "axis %lld in its order", (long long)perm[i]);
            return;
        }
        seen |= 1u << perm[i];
        shape[i] = in->shape[perm[i]];
        live += in->shape[i] != 1;
    }
    if (live > 4) {
        mdm_onnx_bad(m, "%d axes of more than 1, at most 4 can be turned", live);
        return;
    }
    /* axes of extent 1 do not matter: the others, right-aligned in the executor's four */
    int at = 4 - live;
    for (int i = 0; i < in->rank; i++) {
        place[i] = -1;
        if (in->shape[i] != 1) {
            place[i] = at;
            four[at++] = in->shape[i];
        }
    }
    at = 4 - live;
    for (int i = 0; i < in->rank; i++)
        if (place[perm[i]] >= 0)
            order[at++] = place[perm[i]];
    mdm_node *x = mdm_nn_reshape(m->nn, mdm_onnx_node_in(m, node, 0), 4, four);
    mdm_onnx_set(m, node, 0, mdm_nn_permute(m->nn, x, order), in->rank, shape);
}

void mdm_onnx_concat(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    mdm_onnx_value *first = mdm_onnx_in(m, node, 0);
    int64_t numbers[MDM_ONNX_MAX_SMALL], shape[MDM_MAX_RANK];
    size_t count = 0;
    bool whole = true;
    if (!first) {
        mdm_onnx_bad(m, "input 0 is missing");
        return;
    }
    for (int k = 0; k < node->input_count && whole; k++) {
        const mdm_onnx_value *in = mdm_onnx_in(m, node, k);
        whole = in && in->numbers && !in->node && count + in->count <= MDM_ONNX_MAX_SMALL;
        if (whole) {
            memcpy(numbers + count, in->numbers, in->count * sizeof *numbers);
            count += in->count;
        }
    }
    if (whole) {
        mdm_onnx_set_numbers(m, node, numbers, count, 1);
        return;
    }
    int axis = mdm_onnx_axis(m, mdm_onnx_int(m, node, "axis", 0), first->rank);
    int from_last = mdm_onnx_from_last(m, first, axis);
    mdm_node *x = mdm_onnx_as_node(m, first);
    memcpy(shape, first->shape, sizeof shape);
    for (int k = 1; k < node->input_count && axis >= 0 && x; k++) {
        const mdm_onnx_value *in = mdm_onnx_in(m, node, k);
        if (!in || in->rank != first->rank) {
            mdm_onnx_bad(m, "input %d is missing or has other axes", k);
            return;
        }
        for (int i = 0; i < in->rank; i++)
            if (i != axis && in->shape[i] != first->shape[i]) {
                mdm_onnx_bad(m, "input %d has another extent at axis %d", k, i);
                return;
            }
        x = mdm_nn_concat(m->nn, x, mdm_onnx_node_in(m, node, k), from_last);
        shape[axis] += in->shape[axis];
    }
    mdm_onnx_set(m, node, 0, x, first->rank, shape);
}

void mdm_onnx_slice(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t starts[MDM_ONNX_MAX_INTS], ends[MDM_ONNX_MAX_INTS], axes[MDM_ONNX_MAX_INTS], steps[MDM_ONNX_MAX_INTS];
    int64_t shape[MDM_MAX_RANK];
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int count = mdm_onnx_ints(m, node, "starts", 1, starts), named = mdm_onnx_ints(m, node, "axes", 3, axes);
    int stepped = mdm_onnx_ints(m, node, "steps", 4, steps);
    if (!in || count < 0 || count > in->rank || mdm_onnx_ints(m, node, "ends", 2, ends) != count ||
        (named >= 0 && named != count)) {
        mdm_onnx_bad(m, "its bounds are missing");
        return;
    }
    memcpy(shape, in->shape, sizeof shape);
    mdm_node *x = in->numbers && !in->node ? NULL : mdm_onnx_node_in(m, node, 0);
    for (int i = 0; i < count; i++) {
        int axis = mdm_onnx_axis(m, named >= 0 ? axes[i] : i, in->rank);
        if (axis < 0 || (stepped == count && steps[i] != 1)) {
            mdm_onnx_bad(m, "only steps of 1 are known");
            return;
        }
        int64_t extent = shape[axis], from = starts[i] < -extent ? 0 : starts[i] < 0 ? starts[i] + extent : starts[i];
        int64_t to = ends[i] < -extent ? 0 : ends[i] < 0 ? ends[i] + extent : ends[i] > extent ? extent : ends[i];
        if (from >= to) {
            mdm_onnx_bad(m, "%lld to %lld of %lld", (long long)from, (long long)to, (long long)extent);
            return;
        }
        if (in->numbers && !in->node) { /* one axis */
            mdm_onnx_set_numbers(m, node, in->numbers + from, (size_t)(to - from), 1);
            return;
        }
        if (from > 0 || to < extent)
            x = mdm_nn_slice(m->nn, x, mdm_onnx_from_last(m, in, axis), from, to);
        shape[axis] = to - from;
    }
    mdm_onnx_set(m, node, 0, x, in->rank, shape);
}

void mdm_onnx_split(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t sizes[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK], from = 0;
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int axis = in ? mdm_onnx_axis(m, mdm_onnx_int(m, node, "axis", 0), in->rank) : -1;
    int count = mdm_onnx_ints(m, node, "split", 1, sizes);
    if (axis < 0 || (count >= 0 && count != node->output_count)) {
        mdm_onnx_bad(m, "its sizes do not go with its outputs");
        return;
    }
    memcpy(shape, in->shape, sizeof shape);
    int from_last = mdm_onnx_from_last(m, in, axis);
    mdm_node *x = mdm_onnx_node_in(m, node, 0);
    for (int k = 0; k < node->output_count && x; k++) {
        int64_t size = count < 0 ? in->shape[axis] / node->output_count : sizes[k];
        if (size < 1 || size > in->shape[axis] - from) {
            mdm_onnx_bad(m, "part %d has extent %lld", k, (long long)size);
            return;
        }
        shape[axis] = size;
        mdm_onnx_set(m, node, k, mdm_nn_slice(m->nn, x, from_last, from, from + size), in->rank, shape);
        from += size;
    }
}

void mdm_onnx_gather(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0), *index = mdm_onnx_in(m, node, 1);
    int64_t numbers[MDM_ONNX_MAX_SMALL], shape[MDM_MAX_RANK];
    if (!in || !index || !index->numbers || index->rank > 1 || index->count > MDM_ONNX_MAX_SMALL) {
        mdm_onnx_bad(m, "only known indices are");
        return;
    }
    int axis = mdm_onnx_axis(m, mdm_onnx_int(m, node, "axis", 0), in->rank);
    if (axis < 0)
        return;
    for (size_t i = 0; i < index->count; i++) {
        numbers[i] = index->numbers[i] < 0 ? index->numbers[i] + in->shape[axis] : index->numbers[i];
        if (numbers[i] < 0 || numbers[i] >= in->shape[axis]) {
            mdm_onnx_bad(m, "index %lld of %lld", (long long)index->numbers[i], (long long)in->shape[axis]);
            return;
        }
    }
    if (in->numbers && !in->node) {
        for (size_t i = 0; i < index->count; i++)
            numbers[i] = in->numbers[numbers[i]];
        mdm_onnx_set_numbers(m, node, numbers, index->count, index->rank);
        return;
    }
    if (index->count != 1) {
        mdm_onnx_bad(m, "only one index of a picture or matrix is known");
        return;
    }
    mdm_node *x =
        mdm_nn_slice(m->nn, mdm_onnx_node_in(m, node, 0), mdm_onnx_from_last(m, in, axis), numbers[0], numbers[0] + 1);
    int rank = 0;
    for (int i = 0; i < in->rank; i++)
        if (i != axis || index->rank == 1)
            shape[rank++] = i == axis ? 1 : in->shape[i];
    mdm_onnx_set(m, node, 0, x, rank, shape);
}

void mdm_onnx_reduce_mean(mdm_onnx_import *m, const mdm_onnx_node *node)
{
    int64_t axes[MDM_ONNX_MAX_INTS], shape[MDM_MAX_RANK];
    const mdm_onnx_value *in = mdm_onnx_in(m, node, 0);
    int count = mdm_onnx_ints(m, node, "axes", 1, axes), rank = 0;
    bool gone[MDM_MAX_RANK] = {false}, keep = mdm_onnx_int(m, node, "keepdims", 1) != 0;
    if (!in || count < 1) {
        mdm_onnx_bad(m, "its axes are missing");
        return;
    }
    mdm_node *x = mdm_onnx_node_in(m, node, 0);
    for (int i = 0; i < count; i++) {
        int axis = mdm_onnx_axis(m, axes[i], in->rank);
        if (axis < 0 || gone[axis]) {
            mdm_onnx_bad(m, "axis %lld", (long long)axes[i]);
            return;
        }
        gone[axis] = true;
    }
    bool picture = in->rank == 4 && count == 2 && gone[2] && gone[3];
    if (picture)
        x = mdm_nn_global_mean(m->nn, x);
    for (int i = in->rank - 1; i >= 0 && !picture; i--)
        if (gone[i])
            x = mdm_nn_mean(m->nn, x, mdm_onnx_from_last(m, in, i));
    for (int i = 0; i < in->rank; i++)
        if (!gone[i] || keep)
            shape[rank++] = gone[i] ? 1 : in->shape[i];
    mdm_onnx_set(m, node, 0, x, rank, shape);
}
