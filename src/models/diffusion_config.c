/* Sizes from config.json: numbers with bounds, and fields that must have one value. */
#include "models/diffusion_config.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"

typedef struct config {
    json_t *root;
    const char *path;
} config;

/* ---- fields ---- */

static bool is_given(const config *c, const char *key)
{
    const json_t *value = json_object_get(c->root, key);
    return value && !json_is_null(value);
}

/* A whole number from 1 to `max`, or `absent` where the file does not say (absent < 0: it must). */
static mdm_status whole(int *out, const config *c, const char *key, int max, int absent)
{
    long long value = absent;
    if (is_given(c, key) || absent < 0)
        MDM_TRY(mdm_json_int(&value, c->root, key, 1, max, c->path));
    *out = (int)value;
    return MDM_OK;
}

static mdm_status real(double *out, const config *c, const char *key, double absent)
{
    *out = absent;
    return is_given(c, key) ? mdm_json_number(out, c->root, key, c->path) : MDM_OK;
}

/* The same number for each of `count`, or a list of as many. `least`: the smallest that is taken. */
static mdm_status list(int *out, int count, const config *c, const char *key, int least, int max, int absent)
{
    const json_t *value = json_object_get(c->root, key);
    if (json_is_array(value) && json_array_size(value) != (size_t)count)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %zu entries, expected %d", c->path, key, json_array_size(value),
                        count);
    for (int i = 0; i < count; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, (size_t)i) : value;
        if (!is_given(c, key) && absent >= least) {
            out[i] = absent;
            continue;
        }
        json_int_t number = json_integer_value(one);
        if (!json_is_integer(one) || number < least || number > max)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" must be whole numbers from %d to %d", c->path, key, least, max);
        out[i] = (int)number;
    }
    return MDM_OK;
}

/* "block_out_channels": how many levels, and their widths */
static mdm_status levels(int *count, int *channels, int most, const config *c)
{
    size_t given = json_array_size(json_object_get(c->root, "block_out_channels"));
    if (given < 1 || given > (size_t)most)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"block_out_channels\" has %zu entries, expected 1 to %d", c->path, given,
                        most);
    *count = (int)given;
    return list(channels, *count, c, "block_out_channels", 1, 1 << 14, -1);
}

/* A field and the one value it may have, as JSON; it may be absent where that is diffusers' default too. */
typedef struct fixed {
    const char *key, *value;
    bool optional;
} fixed;

static mdm_status check_fixed(const config *c, const fixed *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(c->root, fields[i].key);
        json_t *expected = json_loads(fields[i].value, JSON_DECODE_ANY, NULL);
        bool same = value ? json_equal(value, expected) : fields[i].optional;
        json_decref(expected);
        if (!same)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is not %s: a network of another kind, which is not known here",
                            c->path, fields[i].key, fields[i].value);
    }
    return MDM_OK;
}

#define CHECK_FIXED(c, fields) check_fixed(c, fields, sizeof(fields) / sizeof *(fields))

typedef mdm_status (*reader)(void *out, const config *c);

static mdm_status read_config(void *out, const char *path, reader read)
{
    config c = {.path = path};
    MDM_TRY(mdm_json_load(&c.root, path, (size_t)1 << 20));
    mdm_status status = json_is_object(c.root) ? read(out, &c) : mdm_fail(MDM_ERR_INPUT, "%s: not an object", path);
    json_decref(c.root);
    return status;
}

/* ---- CLIP ---- */

static mdm_status read_clip_text(void *out, const config *c)
{
    mdm_clip_text_sizes *s = out;
    double epsilon;
    const char *activation, *made;
    int end;
    MDM_TRY(whole(&s->layers, c, "num_hidden_layers", 128, -1));
    MDM_TRY(whole(&s->width, c, "hidden_size", 1 << 14, -1));
    MDM_TRY(whole(&s->heads, c, "num_attention_heads", 1 << 10, -1));
    MDM_TRY(whole(&s->hidden, c, "intermediate_size", 1 << 16, -1));
    MDM_TRY(whole(&s->vocabulary, c, "vocab_size", 1 << 20, -1));
    MDM_TRY(whole(&s->positions, c, "max_position_embeddings", 1 << 12, 77));
    MDM_TRY(real(&epsilon, c, "layer_norm_eps", 1e-5));
    MDM_TRY(whole(&end, c, "eos_token_id", 1 << 20, 49407));
    MDM_TRY(mdm_json_string(&activation, c->root, "hidden_act", c->path));
    if (strcmp(activation, "quick_gelu") != 0 && strcmp(activation, "gelu") != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"hidden_act\" is \"%s\", expected \"quick_gelu\" or \"gelu\"", c->path,
                        activation);
    s->activation = activation[0] == 'q' ? MDM_GELU_QUICK : MDM_GELU_ERF;
    s->epsilon = (float)epsilon;
    s->end_token = end == 2 ? 0 : end; /* 2 was written by mistake; transformers takes the largest number then */
    made = json_string_value(json_array_get(json_object_get(c->root, "architectures"), 0));
    s->projection = 0;
    if (made && !strcmp(made, "CLIPTextModelWithProjection"))
        MDM_TRY(whole(&s->projection, c, "projection_dim", 1 << 14, 512));
    return MDM_OK;
}

mdm_status mdm_config_clip_text(mdm_clip_text_sizes *out, const char *path)
{
    return read_config(out, path, read_clip_text);
}

/* ---- U-net ---- */

/* "down_block_types": which levels have transformers; depth of the others becomes 0 */
static mdm_status clear_depths(mdm_unet_sizes *s, const config *c)
{
    const json_t *down = json_object_get(c->root, "down_block_types"), *up = json_object_get(c->root, "up_block_types");
    for (int i = 0; i < s->levels; i++) {
        const char *kind = json_string_value(json_array_get(down, (size_t)i));
        const char *mirror = json_string_value(json_array_get(up, (size_t)(s->levels - 1 - i)));
        bool plain = kind && !strcmp(kind, "DownBlock2D") && mirror && !strcmp(mirror, "UpBlock2D");
        bool cross = kind && !strcmp(kind, "CrossAttnDownBlock2D") && mirror && !strcmp(mirror, "CrossAttnUpBlock2D");
        if (!plain && !cross)
            return mdm_fail(
                MDM_ERR_INPUT,
                "%s: level %d is of blocks %s and %s, expected DownBlock2D and UpBlock2D, or both CrossAttn", c->path,
                i, kind ? kind : "(none)", mirror ? mirror : "(none)");
        if (plain)
            s->depth[i] = 0;
    }
    return MDM_OK;
}

static mdm_status read_unet(void *out, const config *c)
{
    static const fixed fields[] = {
        {"mid_block_type", "\"UNetMidBlock2DCrossAttn\"", true},
        {"flip_sin_to_cos", "true", true},
        {"freq_shift", "0", true},
        {"act_fn", "\"silu\"", true},
        {"center_input_sample", "false", true},
        {"class_embed_type", "null", true},
        {"encoder_hid_dim_type", "null", true},
        {"time_cond_proj_dim", "null", true},
        {"time_embedding_type", "\"positional\"", true},
        {"resnet_time_scale_shift", "\"default\"", true},
        {"only_cross_attention", "false", true},
        {"dual_cross_attention", "false", true},
        {"conv_in_kernel", "3", true},
        {"conv_out_kernel", "3", true},
        {"downsample_padding", "1", true},
    };
    mdm_unet_sizes *s = out;
    double epsilon;
    const char *added = json_string_value(json_object_get(c->root, "addition_embed_type"));
    MDM_TRY(CHECK_FIXED(c, fields));
    MDM_TRY(levels(&s->levels, s->channels, MDM_UNET_LEVELS, c));
    MDM_TRY(whole(&s->in, c, "in_channels", 64, 4));
    MDM_TRY(whole(&s->out, c, "out_channels", 64, 4));
    MDM_TRY(whole(&s->residuals, c, "layers_per_block", 4, 2));
    MDM_TRY(whole(&s->context, c, "cross_attention_dim", 1 << 14, -1));
    MDM_TRY(whole(&s->groups, c, "norm_num_groups", 1 << 10, 32));
    MDM_TRY(real(&epsilon, c, "norm_eps", 1e-5));
    s->epsilon = (float)epsilon;
    /* the field that is called the width of a head has always meant how many there are */
    const char *heads = is_given(c, "num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
    MDM_TRY(list(s->heads, s->levels, c, heads, 1, 1 << 10, 8));
    MDM_TRY(list(s->depth, s->levels, c, "transformer_layers_per_block", 1, 64, 1));
    s->middle_depth = s->depth[s->levels - 1];
    MDM_TRY(clear_depths(s, c));
    s->added = s->added_time = 0;
    if (is_given(c, "addition_embed_type")) {
        if (!added || strcmp(added, "text_time") != 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"addition_embed_type\" is not \"text_time\"", c->path);
        MDM_TRY(whole(&s->added, c, "projection_class_embeddings_input_dim", 1 << 16, -1));
        MDM_TRY(whole(&s->added_time, c, "addition_time_embed_dim", 1 << 12, -1));
    }
    return MDM_OK;
}

mdm_status mdm_config_unet(mdm_unet_sizes *out, const char *path)
{
    return read_config(out, path, read_unet);
}

/* ---- VAE ---- */

static mdm_status same_blocks(const config *c, const char *key, const char *kind, int count)
{
    for (int i = 0; i < count; i++) {
        const char *block = json_string_value(json_array_get(json_object_get(c->root, key), (size_t)i));
        if (!block || strcmp(block, kind) != 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" must be %d times \"%s\"", c->path, key, count, kind);
    }
    return MDM_OK;
}

static mdm_status read_vae(void *out, const config *c)
{
    static const fixed fields[] = {
        {"act_fn", "\"silu\"", true},
        {"in_channels", "3", true},
        {"out_channels", "3", true},
        {"shift_factor", "null", true},
        {"latents_mean", "null", true},
        {"latents_std", "null", true},
        {"use_quant_conv", "true", true},
        {"use_post_quant_conv", "true", true},
        {"mid_block_add_attention", "true", true},
    };
    mdm_vae_sizes *s = out;
    double scale;
    MDM_TRY(CHECK_FIXED(c, fields));
    MDM_TRY(levels(&s->levels, s->channels, MDM_VAE_LEVELS, c));
    MDM_TRY(same_blocks(c, "down_block_types", "DownEncoderBlock2D", s->levels));
    MDM_TRY(same_blocks(c, "up_block_types", "UpDecoderBlock2D", s->levels));
    MDM_TRY(whole(&s->latent, c, "latent_channels", 64, 4));
    MDM_TRY(whole(&s->residuals, c, "layers_per_block", 8, 1));
    MDM_TRY(whole(&s->groups, c, "norm_num_groups", 1 << 10, 32));
    MDM_TRY(real(&scale, c, "scaling_factor", 0.18215));
    s->scale = (float)scale;
    return MDM_OK;
}

mdm_status mdm_config_vae(mdm_vae_sizes *out, const char *path)
{
    return read_config(out, path, read_vae);
}

/* ---- scheduler ---- */

static mdm_status read_sampler(void *out, const config *c)
{
    static const struct {
        const char *name;
        mdm_sampler_kind kind;
    } classes[] = {{"EulerDiscreteScheduler", MDM_SAMPLER_EULER},
                   {"EulerAncestralDiscreteScheduler", MDM_SAMPLER_EULER_ANCESTRAL},
                   {"DDIMScheduler", MDM_SAMPLER_DDIM},
                   {"DPMSolverMultistepScheduler", MDM_SAMPLER_DPMPP_2M}};
    const char *name = json_string_value(json_object_get(c->root, "_class_name"));
    *(mdm_sampler_kind *)out = MDM_SAMPLER_DDIM;
    for (size_t i = 0; name && i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(name, classes[i].name))
            *(mdm_sampler_kind *)out = classes[i].kind;
    return MDM_OK;
}

mdm_status mdm_config_sampler(mdm_sampler_kind *out, const char *path)
{
    return read_config(out, path, read_sampler);
}

static mdm_status read_spacing(mdm_spacing *out, const config *c)
{
    static const char *const names[] = {"leading", "trailing", "linspace"};
    const char *name = json_string_value(json_object_get(c->root, "timestep_spacing"));
    for (int i = 0; name && i < 3; i++)
        if (!strcmp(name, names[i])) {
            *out = (mdm_spacing)i;
            return MDM_OK;
        }
    return name ? mdm_fail(MDM_ERR_INPUT, "%s: \"timestep_spacing\" is \"%s\", expected leading, trailing or linspace",
                           c->path, name)
                : MDM_OK;
}

static mdm_status read_schedule(void *out, const config *c)
{
    static const fixed fields[] = {
        {"use_exponential_sigmas", "false", true},
        {"use_beta_sigmas", "false", true},
        {"interpolation_type", "\"linear\"", true},
        {"trained_betas", "null", true},
        {"rescale_betas_zero_snr", "false", true},
        {"thresholding", "false", true},
        {"algorithm_type", "\"dpmsolver++\"", true},
        {"solver_order", "2", true},
        {"solver_type", "\"midpoint\"", true},
        {"use_flow_sigmas", "false", true},
        {"final_sigmas_type", "\"zero\"", true},
        {"euler_at_final", "false", true},
        {"use_lu_lambdas", "false", true},
        {"timestep_type", "\"discrete\"", true},
        {"sigma_min", "null", true},
        {"sigma_max", "null", true},
    };
    mdm_noise_schedule *s = out;
    double range;
    const char *name = json_string_value(json_object_get(c->root, "beta_schedule")),
               *predicts = json_string_value(json_object_get(c->root, "prediction_type"));
    const json_t *offset = json_object_get(c->root, "steps_offset"), *clip = json_object_get(c->root, "clip_sample"),
                 *one = json_object_get(c->root, "set_alpha_to_one");
    MDM_TRY(CHECK_FIXED(c, fields));
    MDM_TRY(whole(&s->train_steps, c, "num_train_timesteps", 100000, 1000));
    MDM_TRY(real(&s->beta_start, c, "beta_start", 0.0001));
    MDM_TRY(real(&s->beta_end, c, "beta_end", 0.02));
    MDM_TRY(real(&range, c, "clip_sample_range", 1));
    s->velocity = predicts && !strcmp(predicts, "v_prediction");
    if (predicts && !s->velocity && strcmp(predicts, "epsilon") != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"prediction_type\" is \"%s\", expected epsilon or v_prediction", c->path,
                        predicts);
    s->karras = json_is_true(json_object_get(c->root, "use_karras_sigmas"));
    s->scaled = name && !strcmp(name, "scaled_linear");
    if (name && !s->scaled && strcmp(name, "linear") != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"beta_schedule\" is \"%s\", expected linear or scaled_linear", c->path,
                        name);
    MDM_TRY(read_spacing(&s->spacing, c));
    s->offset = (int)json_integer_value(offset);
    if ((offset && !json_is_integer(offset)) || s->offset < 0 || s->offset >= s->train_steps)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"steps_offset\" is not a whole number from 0 to %d", c->path,
                        s->train_steps - 1);
    s->end_clean = !one || json_is_true(one);
    s->clip = !clip || json_is_true(clip) ? (float)range : 0;
    return MDM_OK;
}

mdm_status mdm_config_schedule(mdm_noise_schedule *out, mdm_sampler_kind kind, const char *path)
{
    out->spacing = kind == MDM_SAMPLER_DDIM ? MDM_SPACING_LEADING : MDM_SPACING_LINSPACE;
    MDM_TRY(read_config(out, path, read_schedule));
    if (kind == MDM_SAMPLER_DDIM || kind == MDM_SAMPLER_EULER_ANCESTRAL)
        out->karras = false; /* theirs have no such setting, and pass over it */
    return MDM_OK;
}
