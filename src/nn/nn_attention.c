/* Attention over many positions as a custom operation of ggml: sixteen queries at a time against all keys, so that their scores stay in
 * the second-level cache. ggml's own path writes all scores of all heads to memory: 512 MB for 64 x 64 positions of 8 heads. */
#include <string.h>

#include "nn/kernel.h"
#include "nn/nn_internal.h"

#define MANY ((int64_t)1 << 18) /* scores of a head from which on this path is the faster one */

enum { ROWS = MDM_GEMM_ROWS, COLUMNS = MDM_GEMM_COLUMNS };

typedef struct attention_call {
    int heads, width, queries, keys;
    float scale;
    const mdm_nn *nn; /* whose scratch is allocated at build */
} attention_call;

/* A thread's scratch, in this order. */
typedef struct room {
    float *keys;    /* panels of ROWS keys: [width][ROWS] each */
    float *values;  /* panels of ROWS of the width: [keys][ROWS] each */
    float *queries; /* [width][COLUMNS] */
    float *scores;  /* [keys, rounded up][COLUMNS] */
    float *out;     /* [width, rounded up][COLUMNS] */
} room;

static size_t panels(int count)
{
    return (size_t)((count + ROWS - 1) / ROWS);
}

static size_t lay_out(room *r, float *scratch, const attention_call *c)
{
    const size_t sizes[] = {panels(c->keys) * ROWS * (size_t)c->width, panels(c->width) * ROWS * (size_t)c->keys,
                            (size_t)c->width * COLUMNS, panels(c->keys) * ROWS * COLUMNS,
                            panels(c->width) * ROWS * COLUMNS};
    float **part[] = {&r->keys, &r->values, &r->queries, &r->scores, &r->out};
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        *part[i] = scratch ? scratch + at : NULL;
        at += sizes[i];
    }
    return at;
}

/* keys and values of one head, [keys][stride], into panels; what is past the end is 0 */
static void pack(const room *r, const attention_call *c, const float *keys, const float *values, size_t stride)
{
    for (size_t p = 0; p < panels(c->keys); p++)
        for (int i = 0; i < ROWS; i++) {
            const int key = (int)p * ROWS + i;
            float *to = r->keys + p * ROWS * (size_t)c->width + i;
            for (int d = 0; d < c->width; d++)
                to[d * ROWS] = key < c->keys ? keys[(size_t)key * stride + (size_t)d] : 0;
        }
    for (int key = 0; key < c->keys; key++)
        for (size_t d = 0; d < panels(c->width) * ROWS; d++)
            r->values[(d / ROWS * (size_t)c->keys + (size_t)key) * ROWS + d % ROWS] =
                d < (size_t)c->width ? values[(size_t)key * stride + d] : 0;
}

/* `count` queries from `q` [.][stride] on, to `out` of the same layout. */
static void attend(const room *r, const attention_call *c, float *out, const float *q, size_t stride, int count)
{
    float sum[COLUMNS];
    for (int d = 0; d < c->width; d++)
        for (int j = 0; j < COLUMNS; j++)
            r->queries[d * COLUMNS + j] = j < count ? q[(size_t)j * stride + (size_t)d] * c->scale : 0;
    for (size_t p = 0; p < panels(c->keys); p++)
        mdm_gemm_block(r->scores + p * ROWS * COLUMNS, COLUMNS, r->keys + p * ROWS * (size_t)c->width, r->queries,
                       c->width, NULL, ROWS, COLUMNS);
    mdm_exp_columns(r->scores, sum, c->keys);
    for (size_t p = 0; p < panels(c->width); p++)
        mdm_gemm_block(r->out + p * ROWS * COLUMNS, COLUMNS, r->values + p * ROWS * (size_t)c->keys, r->scores, c->keys,
                       NULL, ROWS, COLUMNS);
    for (int j = 0; j < count; j++)
        for (int d = 0; d < c->width; d++)
            out[(size_t)j * stride + (size_t)d] = r->out[d * COLUMNS + j] / sum[j];
}

static void run_attention(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    const attention_call *c = user;
    const size_t stride = (size_t)(c->heads * c->width);
    const int heads = c->heads * (int)dst->ne[2],
              split = heads % nth ? nth : 1; /* else threads share a head's queries */
    room r;
    lay_out(&r, c->nn->scratch[ith], c);
    for (int unit = ith; unit < heads * split; unit += nth) {
        const int head = unit / split, part = unit % split;
        const size_t image = (size_t)(head / c->heads), column = (size_t)(head % c->heads * c->width),
                     q = image * (size_t)c->queries * stride + column, k = image * (size_t)c->keys * stride + column;
        const int tiles = (c->queries + COLUMNS - 1) / COLUMNS, to = tiles * (part + 1) / split;
        pack(&r, c, (const float *)dst->src[1]->data + k, (const float *)dst->src[2]->data + k, stride);
        for (int tile = tiles * part / split; tile < to; tile++) {
            const int from = tile * COLUMNS, left = c->queries - from;
            const size_t at = q + (size_t)from * stride;
            attend(&r, c, (float *)dst->data + at, (const float *)dst->src[0]->data + at, stride,
                   left < COLUMNS ? left : COLUMNS);
        }
    }
}

mdm_node *mdm_nn_attention_tiled(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale)
{
    room r;
    if (q->ne[1] * k->ne[1] < MANY || q->ne[2] != k->ne[2])
        return NULL;
    attention_call *c = mdm_nn_own(nn, 1, sizeof *c);
    if (!c)
        return NULL;
    *c = (attention_call){heads, (int)(q->ne[0] / heads), (int)q->ne[1], (int)k->ne[1], scale, nn};
    const size_t scratch = lay_out(&r, NULL, c);
    if (scratch > nn->scratch_floats)
        nn->scratch_floats = scratch;
    return mdm_nn_custom(nn, q->ne, (mdm_node *[]){q, k, v}, 3, run_attention, c, false);
}
