/* config.json of a LLaVA kind of model: what it leaves out has transformers' own defaults. */
#include "models/pllava_config.h"

#include <string.h>

#include "base/json.h"

/* ---- the published ones ---- */

#define VISION                                                                                                         \
    {                                                                                                                  \
        .layers = 24, .taken = 23, .width = 1024, .heads = 16, .hidden = 4096, .side = 336, .patch = 14,               \
        .activation = MDM_GELU_QUICK, .epsilon = 1e-5f                                                                 \
    }
#define PROJECTOR(d)                                                                                                   \
    {                                                                                                                  \
        .frames = 16, .grid = 24, .pooled = {16, 12, 12}, .width = d                                                   \
    }

static const mdm_pllava_published table[] = {
    {"pllava-7b", {VISION, PROJECTOR(4096), {32, 4096, 32, 32, 11008, 32064, 4096, 1e-5, 1e4}, 32000}},
    {"pllava-13b", {VISION, PROJECTOR(5120), {40, 5120, 40, 40, 13824, 32064, 4096, 1e-5, 1e4}, 32000}},
    {"pllava-34b", {VISION, PROJECTOR(7168), {60, 7168, 56, 8, 20480, 64064, 4096, 1e-5, 5e6}, 64000}},
};

const mdm_pllava_published *mdm_pllava_table(int *count)
{
    *count = (int)(sizeof table / sizeof *table);
    return table;
}

int64_t mdm_llama_parameters(const mdm_llama_sizes *s)
{
    const int64_t d = s->width, keys = d / s->heads * s->key_heads;
    return 2 * s->vocabulary * d + d + s->layers * (2 * d * d + 2 * d * keys + 3 * d * s->hidden + 2 * d);
}

/* ---- fields ---- */

typedef struct section {
    const json_t *object; /* NULL: absent */
    const char *where;
} section;

/* A field that is a whole number. */
typedef struct whole {
    const char *key;
    int *out;
    int most, absent; /* absent 0: it must be there */
} whole;

static bool is_given(const section *s, const char *key)
{
    const json_t *value = json_object_get(s->object, key);
    return value && !json_is_null(value);
}

static mdm_status read_wholes(const section *s, const whole *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        long long value = fields[i].absent;
        if (is_given(s, fields[i].key) || !fields[i].absent)
            MDM_TRY(mdm_json_int(&value, s->object, fields[i].key, 1, fields[i].most, s->where));
        *fields[i].out = (int)value;
    }
    return MDM_OK;
}

#define READ_WHOLES(s, fields) read_wholes(s, fields, sizeof(fields) / sizeof *(fields))

static mdm_status read_number(double *out, const section *s, const char *key, double absent)
{
    *out = absent;
    if (is_given(s, key))
        MDM_TRY(mdm_json_number(out, s->object, key, s->where));
    return *out > 0 ? MDM_OK
                    : mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is %g, expected a number above 0", s->where, key, *out);
}

/* A field that may only have the one value our networks know, or be absent. */
typedef struct fixed {
    const char *key, *value;
} fixed;

static mdm_status check_fixed(const section *s, const fixed *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(s->object, fields[i].key);
        json_t *expected = json_loads(fields[i].value, JSON_DECODE_ANY, NULL);
        const bool same = !value || json_equal(value, expected);
        json_decref(expected);
        if (!same)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is not %s: a model of another kind, which is not known here",
                            s->where, fields[i].key, fields[i].value);
    }
    return MDM_OK;
}

#define CHECK_FIXED(s, fields) check_fixed(s, fields, sizeof(fields) / sizeof *(fields))

/* ---- CLIP ---- */

/* "vision_feature_layer": 0 is what goes into the first block, -1 what comes out of the last. */
static mdm_status read_layer(int *taken, int layers, const section *top)
{
    long long layer = -2;
    if (is_given(top, "vision_feature_layer"))
        MDM_TRY(mdm_json_int(&layer, top->object, "vision_feature_layer", -layers, layers, top->where));
    *taken = (int)(layer < 0 ? layers + 1 + layer : layer);
    return *taken >= 1 ? MDM_OK
                       : mdm_fail(MDM_ERR_INPUT, "%s: \"vision_feature_layer\" is %lld, before the first of %d blocks",
                                  top->where, layer, layers);
}

static mdm_status read_vision(mdm_clip_vision_sizes *v, const section *s)
{
    const whole fields[] = {
        {"num_hidden_layers", &v->layers, 128, 12},  {"hidden_size", &v->width, 1 << 13, 768},
        {"num_attention_heads", &v->heads, 128, 12}, {"intermediate_size", &v->hidden, 1 << 15, 3072},
        {"image_size", &v->side, 1024, 224},         {"patch_size", &v->patch, 64, 32},
    };
    static const fixed only[] = {
        {"hidden_act", "\"quick_gelu\""}, {"num_channels", "3"}, {"model_type", "\"clip_vision_model\""}};
    double epsilon;
    MDM_TRY(CHECK_FIXED(s, only));
    MDM_TRY(READ_WHOLES(s, fields));
    MDM_TRY(read_number(&epsilon, s, "layer_norm_eps", 1e-5));
    v->epsilon = (float)epsilon;
    v->activation = MDM_GELU_QUICK;
    if (v->width % v->heads || v->side % v->patch || v->side / v->patch > 64)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d heads of a width of %d, patches of %d px of a side of %d: cannot be",
                        s->where, v->heads, v->width, v->patch, v->side);
    return MDM_OK;
}

/* ---- LLaMA ---- */

/* transformers 5 keeps it in an object of its own */
static mdm_status read_rope(double *base, const section *s)
{
    static const fixed only[] = {{"rope_type", "\"default\""}, {"type", "\"default\""}, {"factor", "1.0"}};
    const section apart = {json_object_get(s->object, "rope_parameters"), s->where};
    const section scaling = {json_object_get(s->object, "rope_scaling"), s->where};
    MDM_TRY(CHECK_FIXED(&apart, only));
    MDM_TRY(CHECK_FIXED(&scaling, only));
    return read_number(base, is_given(s, "rope_theta") ? s : &apart, "rope_theta", 1e4);
}

static mdm_status read_language(mdm_llama_sizes *m, const section *s)
{
    int head = 0;
    const whole fields[] = {
        {"num_hidden_layers", &m->layers, 256, 32},     {"hidden_size", &m->width, 1 << 14, 4096},
        {"num_attention_heads", &m->heads, 256, 32},    {"intermediate_size", &m->hidden, 1 << 17, 11008},
        {"vocab_size", &m->vocabulary, 1 << 18, 32000}, {"max_position_embeddings", &m->context, 1 << 20, 2048},
    };
    static const fixed only[] = {{"hidden_act", "\"silu\""}, {"attention_bias", "false"},
                                 {"mlp_bias", "false"},      {"model_type", "\"llama\""},
                                 {"pretraining_tp", "1"},    {"tie_word_embeddings", "false"}};
    MDM_TRY(CHECK_FIXED(s, only));
    MDM_TRY(READ_WHOLES(s, fields));
    const whole heads[] = {{"num_key_value_heads", &m->key_heads, 256, m->heads},
                           {"head_dim", &head, 1024, m->width / m->heads ? m->width / m->heads : 1}};
    MDM_TRY(READ_WHOLES(s, heads));
    MDM_TRY(read_number(&m->epsilon, s, "rms_norm_eps", 1e-6));
    MDM_TRY(read_rope(&m->rope_base, s));
    if (m->width % m->heads || m->heads % m->key_heads || head != m->width / m->heads || head % 2)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: %d heads of %d on a width of %d, %d of keys: a network of another kind, not known here",
                        s->where, m->heads, head, m->width, m->key_heads);
    return MDM_OK;
}

/* ---- all of it ---- */

static mdm_status read_pooling(mdm_pllava_projector_sizes *p, const section *s)
{
    const json_t *shape = json_object_get(s->object, "pooling_shape");
    static const int published[3] = {16, 12, 12};
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(shape, i);
        const long long value = is_given(s, "pooling_shape") ? json_integer_value(one) : published[i];
        if (value < 1 || value > 64)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"pooling_shape\" must be three whole numbers from 1 to 64", s->where);
        p->pooled[i] = (int)value;
    }
    return MDM_OK;
}

static mdm_status read_all(mdm_pllava_sizes *m, const json_t *root, const char *where)
{
    static const fixed only[] = {{"vision_feature_select_strategy", "\"default\""},
                                 {"projector_hidden_act", "\"gelu\""},
                                 {"multimodal_projector_bias", "true"},
                                 {"use_pooling", "true"},
                                 {"pooling_method", "\"avg\""}};
    const section top = {root, where}, vision = {json_object_get(root, "vision_config"), where},
                  language = {json_object_get(root, "text_config"), where};
    const char *token = is_given(&top, "image_token_id") ? "image_token_id" : "image_token_index";
    const whole fields[] = {{"num_frames", &m->projector.frames, 64, 16}, {token, &m->image_token, 1 << 18, 32000}};
    if (!json_is_object(vision.object) || !json_is_object(language.object))
        return mdm_fail(MDM_ERR_INPUT, "%s: no \"vision_config\" and \"text_config\": not a PLLaVA or LLaVA model",
                        where);
    MDM_TRY(CHECK_FIXED(&top, only));
    MDM_TRY(READ_WHOLES(&top, fields));
    MDM_TRY(read_vision(&m->vision, &vision));
    MDM_TRY(read_layer(&m->vision.taken, m->vision.layers, &top));
    MDM_TRY(read_language(&m->language, &language));
    MDM_TRY(read_pooling(&m->projector, &top));
    m->projector.grid = mdm_clip_vision_grid(&m->vision);
    m->projector.width = m->language.width;
    if (m->image_token >= m->language.vocabulary)
        return mdm_fail(MDM_ERR_INPUT, "%s: the image's token is %d of a vocabulary of %d", where, m->image_token,
                        m->language.vocabulary);
    return MDM_OK;
}

mdm_status mdm_pllava_config_read(mdm_pllava_sizes *out, const char *folder)
{
    json_t *root = NULL;
    memset(out, 0, sizeof *out);
    MDM_TRY(mdm_json_load_from(&root, folder, "config.json", (size_t)1 << 20));
    const mdm_status status = read_all(out, root, folder);
    json_decref(root);
    return status;
}

mdm_status mdm_pllava_config_parse(mdm_pllava_sizes *out, const char *text, const char *where)
{
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    memset(out, 0, sizeof *out);
    if (!root)
        return mdm_fail(MDM_ERR_INPUT, "%s: does not say the model's sizes; mmdm models convert makes such a file",
                        where);
    const mdm_status status = read_all(out, root, where);
    json_decref(root);
    return status;
}
