/* Original checkpoints' names, table by table: what a name begins with, and what takes its place. */
#include "models/checkpoint_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/short_names.h"

typedef struct pair {
    const char *from, *to;
} pair;

/* What follows `start` in `text`, NULL when it does not begin so. */
static const char *after(const char *text, const char *start)
{
    size_t n = strlen(start);
    return strncmp(text, start, n) ? NULL : text + n;
}

/* "12.rest" -> 12 and "rest"; NULL when there is no number and dot */
static const char *number(int *out, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '.' || value < 0 || value > 999 || *text == '-' || *text == '+' || *text == ' ')
        return NULL;
    *out = (int)value;
    return end + 1;
}

/* OUT = START + name with the first fitting pair's beginning exchanged. */
static bool exchange(char out[MDM_CHECKPOINT_NAME], const char *start, const char *name, const pair *pairs,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *rest = after(name, pairs[i].from);
        if (rest) {
            snprintf(out, MDM_CHECKPOINT_NAME, "%s%s%s", start, pairs[i].to, rest);
            return true;
        }
    }
    return false;
}

#define EXCHANGE(out, start, name, pairs) exchange(out, start, name, pairs, sizeof(pairs) / sizeof *(pairs))

/* ---- U-net ---- */

static const pair residual_names[] = {
    {"in_layers.0.", "norm1."},  {"in_layers.2.", "conv1."},  {"emb_layers.1.", "time_emb_proj."},
    {"out_layers.0.", "norm2."}, {"out_layers.3.", "conv2."}, {"skip_connection.", "conv_shortcut."},
};

/* "in_layers.0.weight" of residual block `index` of BLOCK */
static bool residual_name(char out[MDM_CHECKPOINT_NAME], const char *block, int index, const char *name)
{
    char start[64];
    snprintf(start, sizeof start, "%sresnets.%d.", block, index);
    return EXCHANGE(out, start, name, residual_names);
}

static bool attention_name(char out[MDM_CHECKPOINT_NAME], const char *block, int index, const char *name)
{
    snprintf(out, MDM_CHECKPOINT_NAME, "%sattentions.%d.%s", block, index, name);
    return true;
}

/* "7.0.in_layers.0.weight" after "input_blocks." */
static bool down_name(char out[MDM_CHECKPOINT_NAME], const char *name, int residuals)
{
    char block[32];
    int place, part;
    if (!(name = number(&place, name)) || !(name = number(&part, name)) || place < 1)
        return false;
    const int level = (place - 1) / (residuals + 1), index = (place - 1) % (residuals + 1);
    snprintf(block, sizeof block, "down_blocks.%d.", level);
    if (index == residuals) {
        const char *rest = after(name, "op.");
        snprintf(out, MDM_CHECKPOINT_NAME, "%sdownsamplers.0.conv.%s", block, rest ? rest : "");
        return rest && part == 0;
    }
    return part == 0 ? residual_name(out, block, index, name) : part == 1 && attention_name(out, block, index, name);
}

/* "5.2.conv.weight" after "output_blocks." */
static bool up_name(char out[MDM_CHECKPOINT_NAME], const char *name, int residuals)
{
    char block[32];
    int place, part;
    if (!(name = number(&place, name)) || !(name = number(&part, name)))
        return false;
    const int index = place % (residuals + 1);
    snprintf(block, sizeof block, "up_blocks.%d.", place / (residuals + 1));
    if (part == 0)
        return residual_name(out, block, index, name);
    if (after(name, "conv.")) { /* after the transformer, or in its place */
        snprintf(out, MDM_CHECKPOINT_NAME, "%supsamplers.0.%s", block, name);
        return part <= 2;
    }
    return part == 1 && attention_name(out, block, index, name);
}

static bool middle_name(char out[MDM_CHECKPOINT_NAME], const char *name)
{
    int part;
    if (!(name = number(&part, name)))
        return false;
    return part == 1 ? attention_name(out, "mid_block.", 0, name)
                     : part <= 2 && residual_name(out, "mid_block.", part / 2, name);
}

bool mdm_checkpoint_unet_name(char out[MDM_CHECKPOINT_NAME], const char *original, int levels, int residuals)
{
    static const pair ends[] = {
        {"input_blocks.0.0.", "conv_in."},
        {"time_embed.0.", "time_embedding.linear_1."},
        {"time_embed.2.", "time_embedding.linear_2."},
        {"label_emb.0.0.", "add_embedding.linear_1."},
        {"label_emb.0.2.", "add_embedding.linear_2."},
        {"out.0.", "conv_norm_out."},
        {"out.2.", "conv_out."},
    };
    const char *rest;
    (void)levels;
    if (EXCHANGE(out, "", original, ends))
        return true;
    if ((rest = after(original, "input_blocks.")))
        return down_name(out, rest, residuals);
    if ((rest = after(original, "output_blocks.")))
        return up_name(out, rest, residuals);
    return (rest = after(original, "middle_block.")) && middle_name(out, rest);
}

/* ---- autoencoder ---- */

static const pair vae_residual_names[] = {{"nin_shortcut.", "conv_shortcut."}, {"norm", "norm"}, {"conv", "conv"}};
static const pair vae_attention_names[] = {
    {"norm.", "group_norm."}, {"q.", "to_q."}, {"k.", "to_k."}, {"v.", "to_v."}, {"proj_out.", "to_out.0."}};
/* diffusers' own names of 2022 */
static const pair vae_old_names[] = {{"query.", "to_q."},
                                     {"key.", "to_k."},
                                     {"value.", "to_v."},
                                     {"proj_attn.", "to_out.0."},
                                     {"group_norm.", "group_norm."}};

/* "2.block.1.norm1.weight" after "encoder.down." or "decoder.up." */
static bool vae_level_name(char out[MDM_CHECKPOINT_NAME], const char *half, const char *name, int levels)
{
    char start[96];
    int level, index;
    const char *rest;
    const bool up = half[0] == 'd';
    if (!(name = number(&level, name)) || level >= levels)
        return false;
    level = up ? levels - 1 - level : level; /* the original counts from the largest picture, both ways */
    if ((rest = after(name, "block.")) && (rest = number(&index, rest))) {
        snprintf(start, sizeof start, "%s%s_blocks.%d.resnets.%d.", half, up ? "up" : "down", level, index);
        return EXCHANGE(out, start, rest, vae_residual_names);
    }
    rest = after(name, up ? "upsample." : "downsample.");
    snprintf(out, MDM_CHECKPOINT_NAME, "%s%s_blocks.%d.%ssamplers.0.%s", half, up ? "up" : "down", level,
             up ? "up" : "down", rest ? rest : "");
    return rest != NULL;
}

static bool vae_middle_name(char out[MDM_CHECKPOINT_NAME], const char *half, const char *name)
{
    char start[64];
    const char *rest;
    for (int i = 1; i <= 2; i++) {
        char block[16];
        snprintf(block, sizeof block, "block_%d.", i);
        snprintf(start, sizeof start, "%smid_block.resnets.%d.", half, i - 1);
        if ((rest = after(name, block)))
            return EXCHANGE(out, start, rest, vae_residual_names);
    }
    snprintf(start, sizeof start, "%smid_block.attentions.0.", half);
    return (rest = after(name, "attn_1.")) && EXCHANGE(out, start, rest, vae_attention_names);
}

bool mdm_checkpoint_vae_name(char out[MDM_CHECKPOINT_NAME], const char *original, int levels)
{
    static const char *const halves[] = {"encoder.", "decoder."};
    const char *rest, *inner;
    if (after(original, "quant_conv.") || after(original, "post_quant_conv.")) {
        snprintf(out, MDM_CHECKPOINT_NAME, "%s", original);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        char old[64];
        if (!(rest = after(original, halves[i])))
            continue;
        if ((inner = after(rest, "mid_block.attentions.0."))) {
            snprintf(old, sizeof old, "%smid_block.attentions.0.", halves[i]);
            return EXCHANGE(out, old, inner, vae_old_names);
        }
        if ((inner = after(rest, "mid.")))
            return vae_middle_name(out, halves[i], inner);
        if ((inner = after(rest, i ? "up." : "down.")))
            return vae_level_name(out, halves[i], inner, levels);
        static const pair ends[] = {
            {"conv_in.", "conv_in."}, {"conv_out.", "conv_out."}, {"norm_out.", "conv_norm_out."}};
        return EXCHANGE(out, halves[i], rest, ends);
    }
    return false;
}

/* ---- OpenCLIP ---- */

/* A third of in_proj: rows of queries, keys or values. */
static mdm_array third_of(const mdm_array *array, int which)
{
    mdm_array part = *array;
    part.shape[0] = array->shape[0] / 3;
    part.size = array->size / 3;
    part.data = (const char *)array->data + (size_t)which * part.size;
    return part;
}

static mdm_status add_thirds(mdm_weights *w, const char *block, const char *end, const mdm_array *array)
{
    static const char letters[] = "qkv";
    if (array->rank < 1 || array->shape[0] % 3)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" cannot be divided by three", mdm_weights_path(w), array->name);
    for (int i = 0; i < 3; i++) {
        char name[MDM_CHECKPOINT_NAME];
        const mdm_array part = third_of(array, i);
        snprintf(name, sizeof name, "%sself_attn.%c_proj.%s", block, letters[i], end);
        MDM_TRY(mdm_weights_add(w, name, &part));
    }
    return MDM_OK;
}

static mdm_status add_open_clip(mdm_weights *w, const mdm_array *array, const char *name)
{
    static const pair ends[] = {{"positional_embedding", "embeddings.position_embedding.weight"},
                                {"token_embedding.", "embeddings.token_embedding."},
                                {"ln_final.", "final_layer_norm."}};
    static const pair blocks[] = {{"ln_1.", "layer_norm1."},
                                  {"ln_2.", "layer_norm2."},
                                  {"attn.out_proj.", "self_attn.out_proj."},
                                  {"mlp.c_fc.", "mlp.fc1."},
                                  {"mlp.c_proj.", "mlp.fc2."}};
    char out[MDM_CHECKPOINT_NAME], block[64];
    const char *rest = after(name, "transformer.resblocks."), *end;
    int index;
    if (!strcmp(name, "logit_scale"))
        return MDM_OK;
    if (!strcmp(name, "text_projection"))
        return mdm_weights_add_turned(w, "text_projection.weight", array);
    if (!rest || !(rest = number(&index, rest)))
        return mdm_weights_add(w, EXCHANGE(out, "text_model.", name, ends) ? out : name, array);
    snprintf(block, sizeof block, "text_model.encoder.layers.%d.", index);
    if ((end = after(rest, "attn.in_proj_")))
        return add_thirds(w, block, end, array);
    return mdm_weights_add(w, EXCHANGE(out, block, rest, blocks) ? out : name, array);
}

/* ---- files ---- */

typedef struct request {
    mdm_checkpoint_part part;
    int levels, residuals;
} request;

/* What each network's tensors begin with in a whole checkpoint. */
static const char *const unet_prefixes[] = {"model.diffusion_model.", NULL};
static const char *const vae_prefixes[] = {"first_stage_model.", NULL};
static const char *const text_prefixes[] = {"cond_stage_model.transformer.", "conditioner.embedders.0.transformer.",
                                            NULL};
static const char *const large_prefixes[] = {"conditioner.embedders.1.model.", "conditioner.embedders.0.model.", NULL};
static const char *const *const prefixes[] = {unet_prefixes, vae_prefixes, text_prefixes, large_prefixes};
/* The rest of what is in such files, of networks that are not run: averaged weights, the schedule. */
static const char *const left_out[] = {"model_ema.", "alphas_",   "betas", "sqrt_",  "log_one_minus_",
                                       "posterior_", "denoiser.", "loss.", "logvar", "scale_factor"};

static bool is_of_another(const char *name, int part)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (after(name, left_out[i]))
            return true;
    for (int p = 0; p < 4; p++)
        for (const char *const *prefix = prefixes[p]; p != part && *prefix; prefix++)
            if (after(name, *prefix))
                return true;
    return false;
}

static mdm_status add_renamed(mdm_weights *w, const mdm_array *array, void *user)
{
    const request *r = user;
    const char *name = NULL;
    char out[MDM_CHECKPOINT_NAME], wide[MDM_CHECKPOINT_NAME];
    for (const char *const *prefix = prefixes[r->part]; *prefix && !name; prefix++)
        name = after(array->name, *prefix);
    if (!name && is_of_another(array->name, (int)r->part))
        return MDM_OK;
    const bool whole = name != NULL;
    name = name ? name : array->name;
    switch (r->part) {
    case MDM_CHECKPOINT_UNET:
        name = mdm_name_lengthen(wide, sizeof wide, name) ? wide : name;
        name = mdm_checkpoint_unet_name(out, name, r->levels, r->residuals) ? out : name;
        break;
    case MDM_CHECKPOINT_VAE:
        name = mdm_checkpoint_vae_name(out, name, r->levels) ? out : name;
        break;
    case MDM_CHECKPOINT_TEXT:
        break;
    case MDM_CHECKPOINT_TEXT_LARGE:
        if (whole)
            return add_open_clip(w, array, name);
    }
    return mdm_weights_add(w, name, array);
}

mdm_status mdm_checkpoint_open(mdm_weights **out, const char *path, mdm_checkpoint_part part, int levels, int residuals)
{
    request r = {part, levels, residuals};
    return mdm_weights_open_as(out, path, add_renamed, &r);
}
