/* Whisper's encoder, all of its states: two convolutions over the spectrogram, places in time, blocks of attention. */
#include "models/whisper_encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/layers.h"
#include "models/unet_blocks.h"

const mdm_whisper_encoder_sizes mdm_whisper_encoder_tiny = {
    .layers = 4,
    .width = 384,
    .heads = 6,
    .mels = 80,
    .frames = 3000,
};

struct mdm_whisper_encoder {
    mdm_whisper_encoder_sizes sizes;
    mdm_nn *nn;
};

static const float epsilon = 1e-5f;

/* ---- the graph ---- */

/* x [1,C,T,1] -> [1,out,T/stride,1]: the three taps of a convolution over time are a column of a picture one pixel wide. */
static mdm_node *convolve(const mdm_layers *l, mdm_node *x, const char *name, int out, int stride)
{
    char full[32];
    const int64_t count = out;
    const mdm_conv conv = {.stride = {stride, 1}, .pad = {1, 0, 1, 0}};
    if (!x)
        return NULL;
    snprintf(full, sizeof full, "%s.weight", name);
    mdm_node *w = mdm_layer_tensor(l, "encoder.", full, MDM_STORE_F32, 4, (int64_t[]){out, mdm_nn_dim(x, 2), 3, 1});
    snprintf(full, sizeof full, "%s.bias", name);
    mdm_node *b = mdm_layer_tensor(l, "encoder.", full, MDM_STORE_F32, 1, &count);
    return mdm_nn_activate(l->nn, mdm_nn_conv2d(l->nn, x, w, b, &conv), MDM_GELU_ERF);
}

/* Sines, then cosines, of each place: [1,length,width] */
static mdm_node *places(mdm_nn *nn, int length, int width)
{
    const int half = width / 2;
    float *table = NULL;
    if (mdm_alloc(&table, (size_t)length * (size_t)width, sizeof *table, "places") != MDM_OK)
        return mdm_nn_fail(nn, MDM_ERR_MEMORY, "no memory for the places of a spectrogram");
    for (int i = 0; i < length; i++)
        for (int c = 0; c < half; c++) {
            const double angle = i * exp(-log(10000) * c / (half - 1));
            table[i * width + c] = (float)sin(angle);
            table[i * width + half + c] = (float)cos(angle);
        }
    mdm_node *node = mdm_nn_constant(nn, "places", table, MDM_STORE_F32, 3, (int64_t[]){1, length, width});
    mdm_free(&table);
    return node;
}

/* x [1,L,C] */
static mdm_node *block(const mdm_layers *l, mdm_node *x, const mdm_whisper_encoder_sizes *s, int index)
{
    char p[64];
    mdm_nn *nn = l->nn;
    snprintf(p, sizeof p, "encoder.blocks.%d.", index);
    mdm_node *h = mdm_layer_norm(l, x, p, "attn_ln", epsilon);
    mdm_node *q = mdm_layer_linear(l, h, p, "attn.query", s->width, true);
    mdm_node *k = mdm_layer_linear(l, h, p, "attn.key", s->width, false);
    mdm_node *v = mdm_layer_linear(l, h, p, "attn.value", s->width, true);
    h = mdm_nn_attention(nn, q, k, v, s->heads, 0);
    x = mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "attn.out", s->width, true));

    h = mdm_layer_norm(l, x, p, "mlp_ln", epsilon);
    h = mdm_nn_activate(nn, mdm_layer_linear(l, h, p, "mlp.0", 4 * s->width, true), MDM_GELU_ERF);
    return mdm_nn_add(nn, x, mdm_layer_linear(l, h, p, "mlp.2", s->width, true));
}

static void describe(const mdm_layers *l, const mdm_whisper_encoder_sizes *s)
{
    char name[16];
    mdm_nn *nn = l->nn;
    mdm_node *x = mdm_nn_input(nn, "mel", 4, (int64_t[]){1, s->mels, s->frames, 1});
    x = convolve(l, convolve(l, x, "conv1", s->width, 1), "conv2", s->width, 2);
    x = x ? mdm_nn_add(nn, mdm_block_to_sequence(nn, x), places(nn, s->frames / 2, s->width)) : NULL;
    for (int i = 0; i <= s->layers; i++) {
        snprintf(name, sizeof name, "state.%d", i);
        mdm_nn_output(nn, x, name);
        if (i < s->layers)
            x = block(l, x, s, i);
    }
}

/* ---- building and running ---- */

/* Keeps the encoder's. */
static mdm_status encoder_only(mdm_weights *weights, const mdm_array *array, void *user)
{
    const char *name = array->name, *part = "model_state_dict.";
    (void)user;
    if (!strncmp(name, part, strlen(part)))
        name += strlen(part);
    return strncmp(name, "encoder.", strlen("encoder.")) ? MDM_OK : mdm_weights_add(weights, name, array);
}

mdm_status mdm_whisper_encoder_open(mdm_weights **out, const char *path)
{
    return mdm_weights_open_as(out, path, encoder_only, NULL);
}

mdm_status mdm_whisper_encoder_new(mdm_whisper_encoder **out, const mdm_whisper_encoder_sizes *sizes,
                                   mdm_weights *weights, mdm_store store, int threads)
{
    mdm_whisper_encoder *encoder = NULL;
    *out = NULL;
    if (sizes->layers < 1 || sizes->layers > 64 || sizes->width < 4 || sizes->width % 2 || sizes->heads < 1 ||
        sizes->mels < 1 || sizes->frames < 2 || sizes->frames % 2 || sizes->frames > 1 << 16)
        return mdm_fail(MDM_ERR_INPUT, "%s: a Whisper encoder of %d layers, width %d, %d heads, %d bands, %d frames",
                        mdm_weights_path(weights), sizes->layers, sizes->width, sizes->heads, sizes->mels,
                        sizes->frames);
    MDM_TRY(mdm_alloc(&encoder, 1, sizeof *encoder, "Whisper encoder"));
    encoder->sizes = *sizes;
    mdm_status status = mdm_nn_new(&encoder->nn, "Whisper encoder", threads);
    if (!status) {
        const mdm_layers layers = {encoder->nn, weights, store};
        static const char *const unused[] = {"positional_embedding", "ln_post.weight", "ln_post.bias"};
        char name[64];
        for (size_t i = 0; i < sizeof unused / sizeof *unused; i++) {
            snprintf(name, sizeof name, "encoder.%s", unused[i]);
            (void)mdm_weights_take(weights, name);
        }
        describe(&layers, &encoder->sizes);
        status = mdm_layers_build(&layers, "");
    }
    if (status)
        mdm_whisper_encoder_free(&encoder);
    *out = encoder;
    return status;
}

void mdm_whisper_encoder_free(mdm_whisper_encoder **encoder)
{
    if (!*encoder)
        return;
    mdm_nn_free(&(*encoder)->nn);
    mdm_free(encoder);
}

mdm_status mdm_whisper_encoder_run(mdm_whisper_encoder *encoder, float *states, const float *mel)
{
    char name[16];
    mdm_nn *nn = encoder->nn;
    const mdm_whisper_encoder_sizes *s = &encoder->sizes;
    const size_t length = (size_t)s->frames / 2, width = (size_t)s->width, all = (size_t)s->layers + 1;
    float *state = NULL;
    MDM_TRY(mdm_nn_set(nn, "mel", mel, mdm_nn_count(nn, "mel")));
    MDM_TRY(mdm_nn_run(nn));
    MDM_TRY(mdm_alloc(&state, length * width, sizeof *state, "states of a voice"));
    mdm_status status = MDM_OK;
    for (size_t k = 0; k < all && !status; k++) {
        snprintf(name, sizeof name, "state.%zu", k);
        status = mdm_nn_get(nn, name, state, length * width);
        for (size_t i = 0; i < length && !status; i++)
            memcpy(states + (i * all + k) * width, state + i * width, width * sizeof *state);
    }
    mdm_free(&state);
    return status;
}
