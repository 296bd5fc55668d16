/* CLIP's text transformer: token and position embeddings, blocks with causal attention, a final norm, a pooled vector. */
#include "models/clip_text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/layers.h"

const mdm_clip_text_sizes mdm_clip_text_l = {
    .layers = 12,
    .width = 768,
    .heads = 12,
    .hidden = 3072,
    .vocabulary = 49408,
    .positions = 77,
    .activation = MDM_GELU_QUICK,
    .epsilon = 1e-5f,
};

const mdm_clip_text_sizes mdm_clip_text_big_g = {
    .layers = 32,
    .width = 1280,
    .heads = 20,
    .hidden = 5120,
    .vocabulary = 49408,
    .positions = 77,
    .projection = 1280,
    .activation = MDM_GELU_ERF,
    .epsilon = 1e-5f,
};

struct mdm_clip_text {
    mdm_clip_text_sizes sizes;
    const mdm_array *embedding; /* [vocabulary][width], left in its file */
    mdm_nn *nn;
};

/* x [1,L,C] */
static mdm_node *block(const mdm_layers *l, mdm_node *x, const mdm_clip_text_sizes *s, const char *root, int index)
{
    char p[64];
    mdm_nn *nn = l->nn;
    snprintf(p, sizeof p, "%sencoder.layers.%d.", root, index);
    mdm_node *h = mdm_layer_norm(l, x, p, "layer_norm1", s->epsilon);
    mdm_node *q = mdm_layer_linear(l, h, p, "self_attn.q_proj", s->width, true);
    mdm_node *k = mdm_layer_linear(l, h, p, "self_attn.k_proj", s->width, true);
    mdm_node *v = mdm_layer_linear(l, h, p, "self_attn.v_proj", s->width, true);
    h = mdm_nn_attention_causal(nn, q, k, v, s->heads, 0);
    x = mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "self_attn.out_proj", s->width, true));

    h = mdm_layer_norm(l, x, p, "layer_norm2", s->epsilon);
    h = mdm_nn_activate(nn, mdm_layer_linear(l, h, p, "mlp.fc1", s->hidden, true), s->activation);
    return mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "mlp.fc2", s->width, true));
}

static void describe(const mdm_layers *l, const mdm_clip_text_sizes *s, const char *root)
{
    char p[64];
    mdm_nn *nn = l->nn;
    const int64_t sequence[3] = {1, s->positions, s->width};
    mdm_node *x = mdm_nn_input(nn, "tokens", 3, sequence);
    snprintf(p, sizeof p, "%sembeddings.", root);
    mdm_node *place =
        mdm_layer_tensor(l, p, "position_embedding.weight", MDM_STORE_F32, 2, (int64_t[]){s->positions, s->width});
    x = mdm_nn_add(nn, x, mdm_nn_reshape(nn, place, 3, sequence));
    for (int i = 0; i < s->layers; i++) {
        if (i == s->layers - 1)
            mdm_nn_output(nn, x, "penultimate");
        x = block(l, x, s, root, i);
    }
    x = mdm_layer_norm(l, x, root, "final_layer_norm", s->epsilon);
    mdm_nn_output(nn, x, "last");
    /* the row of the end token, as a product with a vector that is 1 there */
    mdm_node *pooled = mdm_nn_matmul(nn, mdm_nn_input(nn, "end", 3, (int64_t[]){1, 1, s->positions}), x);
    if (s->projection)
        pooled = mdm_layer_linear(l, pooled, "", "text_projection", s->projection, false);
    mdm_nn_output(nn, pooled, "pooled");
}

static mdm_status build(mdm_clip_text *clip, mdm_weights *weights, mdm_store store, int threads)
{
    const mdm_clip_text_sizes *s = &clip->sizes;
    MDM_TRY(mdm_nn_new_large(&clip->nn, "CLIP text encoder", threads));
    /* transformers writes the encoder without a projection with or without this prefix, as its version is */
    const char *table = "text_model.embeddings.token_embedding.weight";
    const char *root = mdm_weights_has(weights, table) ? "text_model." : "";
    table += strlen("text_model.") - strlen(root);
    clip->embedding = mdm_weights_take(weights, table);
    const mdm_array *e = clip->embedding;
    if (!e || e->rank != 2 || e->shape[0] != s->vocabulary || e->shape[1] != s->width)
        return mdm_fail(MDM_ERR_INPUT, "%s: no tensor \"%s\" of %d x %d", mdm_weights_path(weights), table,
                        s->vocabulary, s->width);
    const mdm_layers layers = {clip->nn, weights, store};
    describe(&layers, s, root);
    return mdm_layers_build(&layers, "");
}

mdm_status mdm_clip_text_new(mdm_clip_text **out, const mdm_clip_text_sizes *sizes, mdm_weights *weights,
                             mdm_store store, int threads)
{
    mdm_clip_text *clip = NULL;
    *out = NULL;
    if (sizes->layers < 1 || sizes->width < 1 || sizes->heads < 1 || sizes->positions < 2 || sizes->hidden < 1)
        return mdm_fail(MDM_ERR_INPUT, "%s: a text encoder of %d layers, width %d, %d heads, %d positions",
                        mdm_weights_path(weights), sizes->layers, sizes->width, sizes->heads, sizes->positions);
    MDM_TRY(mdm_alloc(&clip, 1, sizeof *clip, "text encoder"));
    clip->sizes = *sizes;
    mdm_status status = build(clip, weights, store, threads);
    if (status)
        mdm_clip_text_free(&clip);
    *out = clip;
    return status;
}

void mdm_clip_text_free(mdm_clip_text **clip)
{
    if (!*clip)
        return;
    mdm_nn_free(&(*clip)->nn);
    mdm_free(clip);
}

/* tokens [positions][width]: each token's row of the table */
static mdm_status embed(float *tokens, const mdm_clip_text *clip, const int32_t *ids)
{
    const size_t width = (size_t)clip->sizes.width, row = mdm_dtype_bytes(clip->embedding->dtype, width);
    for (int i = 0; i < clip->sizes.positions; i++) {
        if (ids[i] < 0 || ids[i] >= clip->sizes.vocabulary)
            return mdm_fail(MDM_ERR_INPUT,
                            "token %d of a vocabulary of %d; tokenizer and text encoder do not belong together",
                            (int)ids[i], clip->sizes.vocabulary);
        mdm_array one = *clip->embedding;
        one.data = (const char *)one.data + (size_t)ids[i] * row;
        one.size = row;
        MDM_TRY(mdm_array_to_f32(tokens + (size_t)i * width, width, &one));
    }
    return MDM_OK;
}

static size_t end_of(const mdm_clip_text *clip, const int32_t *ids)
{
    const size_t positions = (size_t)clip->sizes.positions;
    size_t at = 0;
    if (clip->sizes.end_token) {
        while (at < positions && ids[at] != clip->sizes.end_token)
            at++;
        return at < positions ? at : 0;
    }
    for (size_t i = 1; i < positions; i++)
        at = ids[i] > ids[at] ? i : at;
    return at;
}

static mdm_status get(mdm_nn *nn, float *values, const char *name)
{
    return values ? mdm_nn_get(nn, name, values, mdm_nn_count(nn, name)) : MDM_OK;
}

mdm_status mdm_clip_text_run(mdm_clip_text *clip, const mdm_clip_text_states *states, const int32_t *ids)
{
    const size_t positions = (size_t)clip->sizes.positions, count = positions * (size_t)clip->sizes.width;
    float *tokens = NULL, *end;
    MDM_TRY(mdm_alloc(&tokens, count + positions, sizeof *tokens, "token embeddings"));
    end = tokens + count;
    end[end_of(clip, ids)] = 1;
    mdm_status status = embed(tokens, clip, ids);
    if (!status)
        status = mdm_nn_set(clip->nn, "tokens", tokens, count);
    if (!status)
        status = mdm_nn_set(clip->nn, "end", end, positions);
    if (!status)
        status = mdm_nn_run(clip->nn);
    if (!status)
        status = get(clip->nn, states->last, "last");
    if (!status)
        status = get(clip->nn, states->penultimate, "penultimate");
    if (!status)
        status = get(clip->nn, states->pooled, "pooled");
    mdm_free(&tokens);
    return status;
}
