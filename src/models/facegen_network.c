/* The generator's network: reads its 8-bit weights and describes the graph (facegen.md has the drawing in words). A U-net of
 * two levels with a transformer at the bottom; the condition vector scales and shifts every block through a narrow matrix. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/facegen_internal.h"

typedef struct reader {
    mdm_nn *nn;
    const mdm_tensor_file *file;
    const char *path;
} reader;

#define Q8_BLOCK 32 /* values that share a scale */

/* NAME as floats, in PyTorch's shape. Stored either as it is (fp16) or as NAME.q8 (int8) with NAME.d (fp16, a scale for each
 * 32 values); 8-bit kernels lie in the order out, height, width, in. Caller frees. */
static mdm_status read_values(float **out, const reader *r, const char *name, int rank, const int64_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        if (!mdm_mul_size(&count, count, (size_t)shape[i]))
            return mdm_fail(MDM_ERR_INPUT, "%s: %s is too large", r->path, name);
    char quantised[80], scales[80];
    snprintf(quantised, sizeof quantised, "%s.q8", name);
    snprintf(scales, sizeof scales, "%s.d", name);
    const mdm_array *q = mdm_tensor_file_find(r->file, quantised), *d = mdm_tensor_file_find(r->file, scales);
    const mdm_array *array = q ? q : mdm_tensor_file_find(r->file, name);
    if (!array)
        return mdm_fail(MDM_ERR_INPUT, "%s: no tensor %s: the weights do not belong to the sizes in its .json", r->path,
                        name);
    bool kernel = q && rank == 4;
    bool same = array->rank == rank;
    for (int i = 0; i < rank && same; i++)
        same = array->shape[i] == shape[kernel && i ? i % 3 + 1 : i];
    size_t blocks = count / Q8_BLOCK, d_count = d ? mdm_array_count(d) : 0;
    if (!same || (q && (!d || q->dtype != MDM_I8 || count % Q8_BLOCK || d_count != blocks)))
        return mdm_fail(MDM_ERR_INPUT, "%s: %s has another shape than the sizes in its .json ask for", r->path, name);
    float *values = NULL, *scale = NULL;
    mdm_status status = mdm_alloc(&values, count, sizeof *values, name);
    if (!status && !q)
        status = mdm_array_to_f32(values, count, array);
    if (!status && q) {
        status = mdm_alloc(&scale, blocks, sizeof *scale, name);
        if (!status)
            status = mdm_array_to_f32(scale, blocks, d);
        if (!status) {
            const int8_t *codes = q->data;
            size_t in = kernel ? (size_t)shape[1] : 1, area = kernel ? (size_t)(shape[2] * shape[3]) : 1;
            for (size_t i = 0; i < count; i++) {
                /* out, y, x, in -> out, in, y, x */
                size_t to = kernel ? (i / (in * area) * in + i % in) * area + i / in % area : i;
                values[to] = (float)codes[i] * scale[i / Q8_BLOCK];
            }
        }
        mdm_free(&scale);
    }
    if (status)
        mdm_free(&values);
    *out = values;
    return status;
}

static mdm_node *tensor(const reader *r, const char *prefix, const char *name, mdm_store store, int rank,
                        const int64_t *shape)
{
    char full[64];
    float *values = NULL;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    mdm_status status = read_values(&values, r, full, rank, shape);
    if (status)
        return mdm_nn_fail(r->nn, status, "%s", mdm_error_message());
    mdm_node *node = mdm_nn_constant(r->nn, full, values, store, rank, shape);
    mdm_free(&values);
    return node;
}

static mdm_node *vector(const reader *r, const char *prefix, const char *name, int64_t count)
{
    return tensor(r, prefix, name, MDM_STORE_F32, 1, &count);
}

/* bias: whether PREFIX.bias exists */
static mdm_node *linear(const reader *r, mdm_node *x, const char *prefix, const char *name, int in, int out, bool bias)
{
    char w[64], b[64];
    snprintf(w, sizeof w, "%s.weight", name);
    snprintf(b, sizeof b, "%s.bias", name);
    mdm_node *weight = tensor(r, prefix, w, MDM_STORE_F32, 2, (int64_t[]){out, in});
    return mdm_nn_linear(r->nn, x, weight, bias ? vector(r, prefix, b, out) : NULL);
}

static mdm_node *conv(const reader *r, mdm_node *x, const char *prefix, const char *name, int in, int out, int side)
{
    char w[64], b[64];
    int pad = side / 2;
    snprintf(w, sizeof w, "%s.weight", name);
    snprintf(b, sizeof b, "%s.bias", name);
    mdm_node *weight = tensor(r, prefix, w, MDM_STORE_F32, 4, (int64_t[]){out, in, side, side});
    return mdm_nn_conv2d(r->nn, x, weight, vector(r, prefix, b, out), &(mdm_conv){.pad = {pad, pad, pad, pad}});
}

/* condition vector -> count vectors of `channels`, one after another: [1, count * channels] */
static mdm_node *modulation(const reader *r, mdm_node *c, const char *prefix, const mdm_facegen_sizes *s, int channels,
                            int count)
{
    mdm_node *narrow = linear(r, c, prefix, "a", s->embedding, s->rank, false);
    return linear(r, narrow, prefix, "b", s->rank, count * channels, true);
}

/* the i-th of them with `rank` 4 as [1,C,1,1], with 3 as [1,1,C] */
static mdm_node *part(mdm_nn *nn, mdm_node *all, int i, int channels, int rank)
{
    mdm_node *v = mdm_nn_slice(nn, all, 0, (int64_t)i * channels, (int64_t)(i + 1) * channels);
    return mdm_nn_reshape(nn, v, rank, rank == 4 ? (int64_t[]){1, channels, 1, 1} : (int64_t[]){1, 1, channels, 0});
}

/* x * (1 + scale) + shift */
static mdm_node *modulate(mdm_nn *nn, mdm_node *x, mdm_node *scale, mdm_node *shift)
{
    return mdm_nn_add(nn, mdm_nn_mul(nn, x, mdm_nn_scale(nn, scale, 1, 1)), shift);
}

#define EPSILON 1e-6f

/* x [1,C,H,W]: two 3x3 convolutions, the second under the condition vector */
static mdm_node *residual(const reader *r, mdm_node *x, mdm_node *c, const char *prefix, const mdm_facegen_sizes *s,
                          int channels)
{
    char mod[64];
    mdm_nn *nn = r->nn;
    snprintf(mod, sizeof mod, "%smod.", prefix);
    mdm_node *m = modulation(r, c, mod, s, channels, 2);
    mdm_node *h = mdm_nn_rms_norm_channels(nn, x, vector(r, prefix, "g1", channels), EPSILON);
    h = conv(r, mdm_nn_activate(nn, h, MDM_SILU), prefix, "c1", channels, channels, 3);
    h = mdm_nn_rms_norm_channels(nn, h, vector(r, prefix, "g2", channels), EPSILON);
    h = modulate(nn, h, part(nn, m, 0, channels, 4), part(nn, m, 1, channels, 4));
    h = conv(r, mdm_nn_activate(nn, h, MDM_SILU), prefix, "c2", channels, channels, 3);
    return mdm_nn_add(nn, x, h);
}

/* a run of residual blocks NAME.0. .. NAME.(count - 1). */
static mdm_node *residuals(const reader *r, mdm_node *x, mdm_node *c, const char *name, int count,
                           const mdm_facegen_sizes *s, int channels)
{
    char prefix[64];
    for (int i = 0; i < count; i++) {
        snprintf(prefix, sizeof prefix, "%s.%d.", name, i);
        x = residual(r, x, c, prefix, s, channels);
    }
    return x;
}

typedef struct rotation {
    mdm_node *cos, *sin; /* [1,L,1,d/2] */
} rotation;

/* Axial rotary positions: the first quarter of a head's width turns with the row, the second with the column. */
static rotation rotary(const reader *r, int side, int width)
{
    rotation out = {0};
    int half = width / 2, quarter = width / 4;
    size_t count = (size_t)(side * side) * (size_t)half;
    float *cosines = NULL, *sines = NULL;
    mdm_status status = mdm_alloc(&cosines, count, sizeof *cosines, "rotary positions");
    if (!status)
        status = mdm_alloc(&sines, count, sizeof *sines, "rotary positions");
    if (!status) {
        for (int p = 0; p < side * side; p++)
            for (int i = 0; i < half; i++) {
                double frequency = pow(100, -(double)(i % quarter) / quarter) * 1.5707963267948966;
                double angle = (i < quarter ? p / side : p % side) * frequency;
                cosines[p * half + i] = (float)cos(angle);
                sines[p * half + i] = (float)sin(angle);
            }
        int64_t shape[4] = {1, side * side, 1, half};
        out.cos = mdm_nn_constant(r->nn, "rotary.cos", cosines, MDM_STORE_F32, 4, shape);
        out.sin = mdm_nn_constant(r->nn, "rotary.sin", sines, MDM_STORE_F32, 4, shape);
    } else {
        mdm_nn_fail(r->nn, status, "%s", mdm_error_message());
    }
    mdm_free(&cosines);
    mdm_free(&sines);
    return out;
}

/* q or k [1,L,C] -> normalised per head and turned, [1,L,C] */
static mdm_node *turn(const reader *r, mdm_node *x, mdm_node *gain, const rotation *angles, int length, int heads,
                      int width)
{
    mdm_nn *nn = r->nn;
    x = mdm_nn_rms_norm(nn, mdm_nn_reshape(nn, x, 4, (int64_t[]){1, length, heads, width}), gain, EPSILON);
    mdm_node *a = mdm_nn_slice(nn, x, 0, 0, width / 2), *b = mdm_nn_slice(nn, x, 0, width / 2, width);
    mdm_node *u = mdm_nn_sub(nn, mdm_nn_mul(nn, a, angles->cos), mdm_nn_mul(nn, b, angles->sin));
    mdm_node *v = mdm_nn_add(nn, mdm_nn_mul(nn, a, angles->sin), mdm_nn_mul(nn, b, angles->cos));
    return mdm_nn_reshape(nn, mdm_nn_concat(nn, u, v, 0), 3, (int64_t[]){1, length, heads * width});
}

/* transformer block on x [1,L,C] */
static mdm_node *transformer(const reader *r, mdm_node *x, mdm_node *c, const rotation *angles, int index,
                             const mdm_facegen_sizes *s, int length)
{
    char prefix[64], mod[64];
    mdm_nn *nn = r->nn;
    const int width = s->c1 / s->heads;
    snprintf(prefix, sizeof prefix, "tf.%d.", index);
    snprintf(mod, sizeof mod, "tf.%d.mod.", index);
    mdm_node *m = modulation(r, c, mod, s, s->c1, 6);
    mdm_node *p[6]; /* scale, shift and gate of the attention, then of the feed-forward */
    for (int i = 0; i < 6; i++)
        p[i] = part(nn, m, i, s->c1, 3);

    mdm_node *h = modulate(nn, mdm_nn_rms_norm(nn, x, vector(r, prefix, "g1", s->c1), EPSILON), p[0], p[1]);
    mdm_node *qkv = linear(r, h, prefix, "qkv", s->c1, 3 * s->c1, false); /* [1,L,3C] */
    mdm_node *q = mdm_nn_slice(nn, qkv, 0, 0, s->c1), *k = mdm_nn_slice(nn, qkv, 0, s->c1, 2 * s->c1);
    mdm_node *v = mdm_nn_slice(nn, qkv, 0, 2 * s->c1, 3 * s->c1);
    q = turn(r, q, vector(r, prefix, "gq", width), angles, length, s->heads, width);
    k = turn(r, k, vector(r, prefix, "gk", width), angles, length, s->heads, width);
    h = linear(r, mdm_nn_attention(nn, q, k, v, s->heads, 0), prefix, "o", s->c1, s->c1, false);
    x = mdm_nn_add(nn, x, mdm_nn_mul(nn, h, p[2]));

    h = modulate(nn, mdm_nn_rms_norm(nn, x, vector(r, prefix, "g2", s->c1), EPSILON), p[3], p[4]);
    h = mdm_nn_swiglu(nn, linear(r, h, prefix, "w1", s->c1, 2 * s->hidden, false));
    h = linear(r, h, prefix, "w2", s->hidden, s->c1, false);
    return mdm_nn_add(nn, x, mdm_nn_mul(nn, h, p[5]));
}

static mdm_node *condition(const reader *r, const mdm_facegen_sizes *s)
{
    mdm_nn *nn = r->nn;
    const int values = MDM_FACEGEN_VALUES * MDM_FACEGEN_FEATURES, e = s->embedding;
    mdm_node *time = mdm_nn_input(nn, "time", 2, (int64_t[]){1, MDM_FACEGEN_TIME});
    mdm_node *numbers = mdm_nn_input(nn, "values", 2, (int64_t[]){1, values});
    mdm_node *who = mdm_nn_input(nn, "identity", 2, (int64_t[]){1, MDM_FACEGEN_IDENTITY});
    mdm_node *sum = mdm_nn_input(nn, "classes", 2, (int64_t[]){1, e}); /* rows of class_table, added up */
    time = linear(r, time, "", "t1", MDM_FACEGEN_TIME, e, true);
    time = linear(r, mdm_nn_activate(nn, time, MDM_SILU), "", "t2", e, e, true);
    numbers = linear(r, numbers, "", "k1", values, e, true);
    numbers = linear(r, mdm_nn_activate(nn, numbers, MDM_SILU), "", "k2", e, e, true);
    /* without a bias: an unknown identity is zero and adds nothing */
    who = linear(r, who, "", "i1", MDM_FACEGEN_IDENTITY, e, false);
    who = linear(r, mdm_nn_activate(nn, who, MDM_SILU), "", "i2", e, e, false);
    sum = mdm_nn_add(nn, mdm_nn_add(nn, mdm_nn_add(nn, sum, time), numbers), who);
    return mdm_nn_activate(nn, sum, MDM_SILU);
}

static void describe(const reader *r, const mdm_facegen_sizes *s)
{
    mdm_nn *nn = r->nn;
    const int pixels = 3 * s->patch * s->patch, side0 = s->picture / s->patch, side1 = side0 / 2,
              length = side1 * side1;
    mdm_node *c = condition(r, s);
    mdm_node *x = mdm_nn_input(nn, "z", 4, (int64_t[]){1, 3, s->picture, s->picture});
    x = conv(r, mdm_nn_pixel_unshuffle(nn, x, s->patch), "", "inp", pixels, s->c0, 3); /* [1,c0,side0,side0] */
    x = mdm_nn_add(nn, x, tensor(r, "", "p0", MDM_STORE_F32, 3, (int64_t[]){s->c0, side0, side0}));
    mdm_node *skip0 = x, *skip1 = residuals(r, x, c, "d0", s->down0, s, s->c0);

    x = conv(r, mdm_nn_pixel_unshuffle(nn, skip1, 2), "", "down", 4 * s->c0, s->c1, 1); /* [1,c1,side1,side1] */
    x = mdm_nn_add(nn, x, tensor(r, "", "p1", MDM_STORE_F32, 3, (int64_t[]){s->c1, side1, side1}));
    mdm_node *skip2 = x = residuals(r, x, c, "d1", s->down1, s, s->c1);

    rotation angles = rotary(r, side1, s->c1 / s->heads);
    x = mdm_nn_permute(nn, mdm_nn_reshape(nn, x, 4, (int64_t[]){1, 1, s->c1, length}), (const int[]){0, 1, 3, 2});
    x = mdm_nn_reshape(nn, x, 3, (int64_t[]){1, length, s->c1});
    for (int i = 0; i < s->blocks; i++)
        x = transformer(r, x, c, &angles, i, s, length);
    x = mdm_nn_permute(nn, mdm_nn_reshape(nn, x, 4, (int64_t[]){1, 1, length, s->c1}), (const int[]){0, 1, 3, 2});
    x = mdm_nn_reshape(nn, x, 4, (int64_t[]){1, s->c1, side1, side1});

    x = conv(r, mdm_nn_concat(nn, x, skip2, 2), "", "f1", 2 * s->c1, s->c1, 1);
    x = residuals(r, x, c, "u1", s->up1, s, s->c1);
    x = mdm_nn_pixel_shuffle(nn, conv(r, x, "", "up", s->c1, 4 * s->c0, 1), 2); /* [1,c0,side0,side0] */
    for (int i = 0; i < s->up0; i++) {
        char prefix[64];
        if (i == 0)
            x = conv(r, mdm_nn_concat(nn, x, skip1, 2), "", "f0.0", 2 * s->c0, s->c0, 1);
        if (i == s->up0 - 1)
            x = conv(r, mdm_nn_concat(nn, x, skip0, 2), "", "f0.1", 2 * s->c0, s->c0, 1);
        snprintf(prefix, sizeof prefix, "u0.%d.", i);
        x = residual(r, x, c, prefix, s, s->c0);
    }
    mdm_node *m = modulation(r, c, "mo.", s, s->c0, 2);
    x = mdm_nn_rms_norm_channels(nn, x, vector(r, "", "go", s->c0), EPSILON);
    x = modulate(nn, x, part(nn, m, 0, s->c0, 4), part(nn, m, 1, s->c0, 4));
    x = conv(r, mdm_nn_activate(nn, x, MDM_SILU), "", "out", s->c0, pixels, 3);
    mdm_nn_output(nn, mdm_nn_pixel_shuffle(nn, x, s->patch), "f");
}

/* The tables that are not part of the graph. */
static mdm_status read_tables(mdm_facegen *g, const reader *r)
{
    for (int i = 0; i < MDM_FACEGEN_CLASSES; i++) {
        char name[32];
        snprintf(name, sizeof name, "cls.%d.weight", i);
        int64_t shape[2] = {g->class_count[i] + 1, g->sizes.embedding};
        MDM_TRY(read_values(&g->class_table[i], r, name, 2, shape));
    }
    const int64_t n = MDM_FACEGEN_IDENTITY, cells = MDM_FACEGEN_RACES * MDM_FACEGEN_GENDERS;
    MDM_TRY(read_values(&g->identity_centre, r, "identity.centre", 1, &n));
    MDM_TRY(read_values(&g->identity_cell, r, "identity.cell", 2, (int64_t[]){cells, n}));
    MDM_TRY(read_values(&g->identity_age, r, "identity.age", 2, (int64_t[]){MDM_FACEGEN_AGES, n}));
    return read_values(&g->identity_factor, r, "identity.factor", 2, (int64_t[]){n, n});
}

mdm_status mdm_facegen_build(mdm_facegen *facegen, const char *weights, int threads)
{
    mdm_tensor_file *file = NULL;
    MDM_TRY(mdm_tensor_file_open(&file, weights));
    mdm_status status = mdm_nn_new(&facegen->nn, "face generator", threads);
    reader r = {.nn = facegen->nn, .file = file, .path = weights};
    if (!status)
        status = read_tables(facegen, &r);
    if (!status) {
        describe(&r, &facegen->sizes);
        status = mdm_nn_build(facegen->nn);
    }
    mdm_tensor_file_free(&file);
    return status;
}
