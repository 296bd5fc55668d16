/* Tables of names: which tensor of a published form is which rows of whisper.cpp's. CTranslate2 keeps query, key and value (or key and value)
 * as one matrix; the others have them apart. */
#include "models/whisper_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* One tensor; `parts` are CTranslate2's. */
typedef struct mapping {
    const char *to, *ct2;
    int part, parts;
    const char *transformers;
} mapping;

static const mapping HEAD[] = {
    {"decoder.positional_embedding", "decoder/position_encodings/encodings", 0, 1, "decoder.embed_positions.weight"},
    {"encoder.positional_embedding", "encoder/position_encodings/encodings", 0, 1, "encoder.embed_positions.weight"},
    {"encoder.conv1.weight", "encoder/conv1/weight", 0, 1, "encoder.conv1.weight"},
    {"encoder.conv1.bias", "encoder/conv1/bias", 0, 1, "encoder.conv1.bias"},
    {"encoder.conv2.weight", "encoder/conv2/weight", 0, 1, "encoder.conv2.weight"},
    {"encoder.conv2.bias", "encoder/conv2/bias", 0, 1, "encoder.conv2.bias"},
    {"decoder.token_embedding.weight", "decoder/embeddings/weight", 0, 1, "decoder.embed_tokens.weight"},
    {"encoder.ln_post.weight", "encoder/layer_norm/gamma", 0, 1, "encoder.layer_norm.weight"},
    {"encoder.ln_post.bias", "encoder/layer_norm/beta", 0, 1, "encoder.layer_norm.bias"},
    {"decoder.ln.weight", "decoder/layer_norm/gamma", 0, 1, "decoder.layer_norm.weight"},
    {"decoder.ln.bias", "decoder/layer_norm/beta", 0, 1, "decoder.layer_norm.bias"},
};
static const mapping SELF_ATTENTION[] = {
    {"attn.query.weight", "self_attention/linear_0/weight", 0, 3, "self_attn.q_proj.weight"},
    {"attn.query.bias", "self_attention/linear_0/bias", 0, 3, "self_attn.q_proj.bias"},
    {"attn.key.weight", "self_attention/linear_0/weight", 1, 3, "self_attn.k_proj.weight"},
    {"attn.value.weight", "self_attention/linear_0/weight", 2, 3, "self_attn.v_proj.weight"},
    {"attn.value.bias", "self_attention/linear_0/bias", 2, 3, "self_attn.v_proj.bias"},
    {"attn.out.weight", "self_attention/linear_1/weight", 0, 1, "self_attn.out_proj.weight"},
    {"attn.out.bias", "self_attention/linear_1/bias", 0, 1, "self_attn.out_proj.bias"},
    {"attn_ln.weight", "self_attention/layer_norm/gamma", 0, 1, "self_attn_layer_norm.weight"},
    {"attn_ln.bias", "self_attention/layer_norm/beta", 0, 1, "self_attn_layer_norm.bias"},
};
static const mapping CROSS_ATTENTION[] = {
    {"cross_attn.query.weight", "attention/linear_0/weight", 0, 1, "encoder_attn.q_proj.weight"},
    {"cross_attn.query.bias", "attention/linear_0/bias", 0, 1, "encoder_attn.q_proj.bias"},
    {"cross_attn.key.weight", "attention/linear_1/weight", 0, 2, "encoder_attn.k_proj.weight"},
    {"cross_attn.value.weight", "attention/linear_1/weight", 1, 2, "encoder_attn.v_proj.weight"},
    {"cross_attn.value.bias", "attention/linear_1/bias", 1, 2, "encoder_attn.v_proj.bias"},
    {"cross_attn.out.weight", "attention/linear_2/weight", 0, 1, "encoder_attn.out_proj.weight"},
    {"cross_attn.out.bias", "attention/linear_2/bias", 0, 1, "encoder_attn.out_proj.bias"},
    {"cross_attn_ln.weight", "attention/layer_norm/gamma", 0, 1, "encoder_attn_layer_norm.weight"},
    {"cross_attn_ln.bias", "attention/layer_norm/beta", 0, 1, "encoder_attn_layer_norm.bias"},
};
static const mapping FEED_FORWARD[] = {
    {"mlp_ln.weight", "ffn/layer_norm/gamma", 0, 1, "final_layer_norm.weight"},
    {"mlp_ln.bias", "ffn/layer_norm/beta", 0, 1, "final_layer_norm.bias"},
    {"mlp.0.weight", "ffn/linear_0/weight", 0, 1, "fc1.weight"},
    {"mlp.0.bias", "ffn/linear_0/bias", 0, 1, "fc1.bias"},
    {"mlp.2.weight", "ffn/linear_1/weight", 0, 1, "fc2.weight"},
    {"mlp.2.bias", "ffn/linear_1/bias", 0, 1, "fc2.bias"},
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* By form: what all names begin with, and what those of a layer do. */
static const struct {
    const char *begin, *layer;
} NAMES[] = {
    [MDM_WHISPER_CT2] = {"", "%s%s/layer_%d/"},
    [MDM_WHISPER_TRANSFORMERS] = {"model.", "%s%s.layers.%d."},
    [MDM_WHISPER_OPENAI] = {"model_state_dict.", "%s%s.blocks.%d."},
};

/* `side` NULL: a tensor of no layer. */
static void name_source(mdm_whisper_source *out, const mapping *map, mdm_whisper_form form, const char *side, int layer)
{
    const char *own = form == MDM_WHISPER_CT2 ? map->ct2 : form == MDM_WHISPER_OPENAI ? map->to : map->transformers;
    int to = 0, from = 0;
    if (side) {
        to = snprintf(out->to, sizeof out->to, "%s.blocks.%d.", side, layer);
        from = snprintf(out->from, sizeof out->from, NAMES[form].layer, NAMES[form].begin, side, layer);
    } else {
        from = snprintf(out->from, sizeof out->from, "%s", NAMES[form].begin);
    }
    snprintf(out->to + to, sizeof out->to - (size_t)to, "%s", map->to);
    snprintf(out->from + from, sizeof out->from - (size_t)from, "%s", own);
    out->part = form == MDM_WHISPER_CT2 ? map->part : 0;
    out->parts = form == MDM_WHISPER_CT2 ? map->parts : 1;
}

static const mapping *head(const char *to)
{
    for (size_t i = 0; i < COUNT(HEAD); i++)
        if (!strcmp(HEAD[i].to, to))
            return &HEAD[i];
    return NULL;
}

mdm_status mdm_whisper_form_of(mdm_whisper_form *out, mdm_weights *weights)
{
    mdm_whisper_source source;
    for (int form = MDM_WHISPER_CT2; form <= MDM_WHISPER_OPENAI; form++) {
        *out = (mdm_whisper_form)form;
        name_source(&source, head("decoder.token_embedding.weight"), *out, NULL, 0);
        if (mdm_weights_has(weights, source.from))
            return MDM_OK;
    }
    return mdm_fail(MDM_ERR_INPUT,
                    "%s: none of its tensors is called like a Whisper's (CTranslate2, transformers or OpenAI's)",
                    mdm_weights_path(weights));
}

static int count_layers(mdm_weights *weights, mdm_whisper_form form, const char *side)
{
    mdm_whisper_source source;
    for (int layers = 0; layers < MDM_WHISPER_MAX_LAYERS; layers++) {
        name_source(&source, &SELF_ATTENTION[0], form, side, layers);
        if (!mdm_weights_has(weights, source.from))
            return layers;
    }
    return MDM_WHISPER_MAX_LAYERS;
}

static mdm_status find(const mdm_array **out, mdm_weights *weights, mdm_whisper_form form, const char *to, int rank)
{
    mdm_whisper_source source;
    name_source(&source, head(to), form, NULL, 0);
    *out = mdm_weights_take(weights, source.from);
    if (!*out || (*out)->rank != rank)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s is missing or has not %d axes; not a Whisper model",
                        mdm_weights_path(weights), source.from, rank);
    for (int i = 0; i < rank; i++)
        if ((*out)->shape[i] < 1 || (*out)->shape[i] > 1 << 20)
            return mdm_fail(MDM_ERR_INPUT, "%s: %s has %lld values along an axis", mdm_weights_path(weights),
                            source.from, (long long)(*out)->shape[i]);
    return MDM_OK;
}

mdm_status mdm_whisper_read_sizes(mdm_whisper_sizes *out, mdm_weights *weights, mdm_whisper_form form)
{
    const mdm_array *embedding, *conv, *audio, *text;
    MDM_TRY(find(&embedding, weights, form, "decoder.token_embedding.weight", 2));
    MDM_TRY(find(&conv, weights, form, "encoder.conv1.weight", 3));
    MDM_TRY(find(&audio, weights, form, "encoder.positional_embedding", 2));
    MDM_TRY(find(&text, weights, form, "decoder.positional_embedding", 2));
    const int32_t state = (int32_t)embedding->shape[1];
    if (state % 64)
        return mdm_fail(MDM_ERR_INPUT, "%s: a width of %d, expected a multiple of 64; not a Whisper model",
                        mdm_weights_path(weights), state);
    *out = (mdm_whisper_sizes){.n_vocab = (int32_t)embedding->shape[0],
                               .n_audio_ctx = (int32_t)audio->shape[0],
                               .n_audio_state = state,
                               .n_audio_head = state / 64, /* heads are 64 wide in every Whisper */
                               .n_audio_layer = count_layers(weights, form, "encoder"),
                               .n_text_ctx = (int32_t)text->shape[0],
                               .n_text_state = state,
                               .n_text_head = state / 64,
                               .n_text_layer = count_layers(weights, form, "decoder"),
                               .n_mels = (int32_t)conv->shape[1]};
    return mdm_whisper_sizes_check(out, mdm_weights_path(weights));
}

mdm_status mdm_whisper_each_tensor(const mdm_whisper_sizes *sizes, mdm_whisper_form form,
                                   mdm_status (*put)(void *user, const mdm_whisper_source *source), void *user)
{
    static const struct {
        const mapping *table;
        size_t count;
        bool decoder; /* alone */
    } layer_tables[] = {{SELF_ATTENTION, COUNT(SELF_ATTENTION), false},
                        {CROSS_ATTENTION, COUNT(CROSS_ATTENTION), true},
                        {FEED_FORWARD, COUNT(FEED_FORWARD), false}};
    mdm_whisper_source source;
    for (size_t i = 0; i < COUNT(HEAD); i++) {
        name_source(&source, &HEAD[i], form, NULL, 0);
        MDM_TRY(put(user, &source));
    }
    for (int side = 0; side < 2; side++) {
        const char *name = side ? "decoder" : "encoder";
        const int layers = side ? sizes->n_text_layer : sizes->n_audio_layer;
        for (int layer = 0; layer < layers; layer++)
            for (size_t t = 0; t < COUNT(layer_tables); t++)
                for (size_t i = 0; i < layer_tables[t].count && (side || !layer_tables[t].decoder); i++) {
                    name_source(&source, &layer_tables[t].table[i], form, name, layer);
                    MDM_TRY(put(user, &source));
                }
    }
    return MDM_OK;
}
