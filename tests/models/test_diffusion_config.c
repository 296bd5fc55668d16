/* config.json of the published models gives their tables; files that ask for something else are refused with the field's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "common/ok.h"
#include "models/diffusion_config.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden/diffusion"

static char path[64];

static int name_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/mdm-config-%ld.json", (long)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static const char *put(const char *text)
{
    ok(mdm_file_write(path, text, strlen(text)));
    return path;
}

/* What the published files say of these networks, in their own words. */
#define CROSS_DOWN "\"CrossAttnDownBlock2D\""
#define CROSS_UP   "\"CrossAttnUpBlock2D\""
static const char sd15[] =
    "{\"_class_name\": \"UNet2DConditionModel\", \"act_fn\": \"silu\", \"attention_head_dim\": 8, "
    "\"block_out_channels\": [320, 640, 1280, 1280], \"center_input_sample\": false, \"cross_attention_dim\": 768, "
    "\"down_block_types\": [" CROSS_DOWN ", " CROSS_DOWN ", " CROSS_DOWN
    ", \"DownBlock2D\"], \"downsample_padding\": 1, "
    "\"flip_sin_to_cos\": true, \"freq_shift\": 0, \"in_channels\": 4, \"layers_per_block\": 2, "
    "\"mid_block_scale_factor\": 1, \"norm_eps\": 1e-05, \"norm_num_groups\": 32, \"out_channels\": 4, "
    "\"up_block_types\": [\"UpBlock2D\", " CROSS_UP ", " CROSS_UP ", " CROSS_UP "]}";
static const char sdxl[] =
    "{\"_class_name\": \"UNet2DConditionModel_New\", \"addition_embed_type\": \"text_time\", "
    "\"addition_time_embed_dim\": 256, \"attention_head_dim\": [5, 10, 20], \"block_out_channels\": [320, 640, 1280], "
    "\"class_embed_type\": null, \"cross_attention_dim\": 2048, \"down_block_types\": [\"DownBlock2D\", " CROSS_DOWN
    ", " CROSS_DOWN "], \"num_attention_heads\": null, \"projection_class_embeddings_input_dim\": 2816, "
    "\"transformer_layers_per_block\": [1, 2, 10], \"use_linear_projection\": true, "
    "\"up_block_types\": [" CROSS_UP ", " CROSS_UP ", \"UpBlock2D\"]}";
static const char refiner[] =
    "{\"addition_embed_type\": \"text_time\", \"addition_time_embed_dim\": 256, \"attention_head_dim\": [6, 12, 24, "
    "24], "
    "\"block_out_channels\": [384, 768, 1536, 1536], \"cross_attention_dim\": 1280, "
    "\"down_block_types\": [\"DownBlock2D\", " CROSS_DOWN ", " CROSS_DOWN ", \"DownBlock2D\"], "
    "\"projection_class_embeddings_input_dim\": 2560, \"transformer_layers_per_block\": 4, "
    "\"up_block_types\": [\"UpBlock2D\", " CROSS_UP ", " CROSS_UP ", \"UpBlock2D\"]}";

static void check_unet(const char *text, const mdm_unet_sizes *table)
{
    mdm_unet_sizes s;
    memset(&s, 0, sizeof s);
    ok(mdm_config_unet(&s, put(text)));
    assert_memory_equal(&s, table, sizeof s);
}

static void unets_are_the_tables(void **state)
{
    (void)state;
    check_unet(sd15, &mdm_unet_sd15);
    check_unet(sdxl, &mdm_unet_sdxl);
    check_unet(refiner, &mdm_unet_refiner);
}

static void text_encoders_are_the_tables(void **state)
{
    (void)state;
    mdm_clip_text_sizes s;
    memset(&s, 0, sizeof s);
    ok(mdm_config_clip_text(&s, put("{\"architectures\": [\"CLIPTextModel\"], \"eos_token_id\": 2, \"hidden_act\": "
                                    "\"quick_gelu\", \"hidden_size\": 768, \"intermediate_size\": 3072, "
                                    "\"num_attention_heads\": 12, \"num_hidden_layers\": 12, \"projection_dim\": 768, "
                                    "\"vocab_size\": 49408}")));
    assert_memory_equal(&s, &mdm_clip_text_l, sizeof s);
    ok(mdm_config_clip_text(&s, put("{\"architectures\": [\"CLIPTextModelWithProjection\"], \"eos_token_id\": 2, "
                                    "\"hidden_act\": \"gelu\", \"hidden_size\": 1280, \"intermediate_size\": 5120, "
                                    "\"num_attention_heads\": 20, \"num_hidden_layers\": 32, \"projection_dim\": 1280, "
                                    "\"vocab_size\": 49408}")));
    assert_memory_equal(&s, &mdm_clip_text_big_g, sizeof s);
}

#define DOWN "\"DownEncoderBlock2D\""
#define UP   "\"UpDecoderBlock2D\""
#define VAE                                                                                                            \
    "\"block_out_channels\": [128, 256, 512, 512], \"down_block_types\": [" DOWN "," DOWN "," DOWN "," DOWN            \
    "], \"layers_per_block\": 2, \"up_block_types\": [" UP "," UP "," UP "," UP "]"

static void autoencoders_are_the_tables(void **state)
{
    (void)state;
    mdm_vae_sizes s;
    memset(&s, 0, sizeof s);
    ok(mdm_config_vae(&s, put("{" VAE "}")));
    assert_memory_equal(&s, &mdm_vae_sd15, sizeof s);
    ok(mdm_config_vae(&s, put("{" VAE ", \"scaling_factor\": 0.13025, \"force_upcast\": true}")));
    assert_memory_equal(&s, &mdm_vae_sdxl, sizeof s);
}

#define BETAS "\"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"steps_offset\": 1"

static void schedules_are_the_tables(void **state)
{
    (void)state;
    mdm_noise_schedule s;
    mdm_sampler_kind kind;
    const char *sdxl_file =
        "{\"_class_name\": \"EulerDiscreteScheduler\", \"clip_sample\": false, \"set_alpha_to_one\": "
        "false, \"timestep_spacing\": \"leading\", " BETAS "}";
    memset(&s, 0, sizeof s);
    ok(mdm_config_sampler(&kind, put(sdxl_file)));
    assert_int_equal(kind, MDM_SAMPLER_EULER);
    ok(mdm_config_schedule(&s, kind, path));
    assert_memory_equal(&s, &mdm_noise_schedule_sd, sizeof s);
    /* SD 1.5's own sampler is PNDM; what its file leaves out is the other samplers' default */
    put("{\"_class_name\": \"PNDMScheduler\", \"clip_sample\": false, \"set_alpha_to_one\": false, " BETAS "}");
    ok(mdm_config_sampler(&kind, path));
    assert_int_equal(kind, MDM_SAMPLER_DDIM);
    ok(mdm_config_schedule(&s, kind, path));
    assert_memory_equal(&s, &mdm_noise_schedule_sd, sizeof s);
    ok(mdm_config_schedule(&s, MDM_SAMPLER_EULER, path));
    assert_int_equal(s.spacing, MDM_SPACING_LINSPACE);
    put("{\"_class_name\": \"DDIMScheduler\"}");
    ok(mdm_config_schedule(&s, MDM_SAMPLER_DDIM, path));
    assert_true(s.end_clean && s.clip == 1 && !s.scaled && s.offset == 0 && s.train_steps == 1000);
    assert_true(!s.karras && !s.velocity);
    put("{\"prediction_type\": \"v_prediction\", \"use_karras_sigmas\": true}");
    for (kind = 0; kind < MDM_SAMPLER_KINDS; kind++) { /* Karras' levels are settings of two of them */
        ok(mdm_config_schedule(&s, kind, path));
        assert_true(s.velocity && s.karras == (kind == MDM_SAMPLER_EULER || kind == MDM_SAMPLER_DPMPP_2M));
    }
}

static void refuse(mdm_status status, const char *word)
{
    if (status != MDM_ERR_INPUT || !strstr(mdm_error_message(), word) || !strstr(mdm_error_message(), path))
        fail_msg("\"%s\" (%s) does not name \"%s\" and the file", mdm_error_message(), mdm_status_name(status), word);
}

static void other_networks_are_refused(void **state)
{
    (void)state;
    mdm_unet_sizes u;
    mdm_vae_sizes v;
    mdm_clip_text_sizes t;
    mdm_noise_schedule n;
    refuse(mdm_config_unet(&u, put("[]")), "object");
    refuse(mdm_config_unet(&u, put("{")), "json");
    refuse(mdm_config_unet(&u, put("{}")), "block_out_channels");
    refuse(mdm_config_unet(&u, put("{\"block_out_channels\": [1, 2, 3, 4, 5]}")), "block_out_channels");
    refuse(mdm_config_unet(&u, put("{\"block_out_channels\": [1, -2]}")), "block_out_channels");
    refuse(mdm_config_unet(&u, put("{\"block_out_channels\": [8], \"cross_attention_dim\": [8]}")),
           "cross_attention_dim");
    refuse(mdm_config_unet(&u, put("{\"time_cond_proj_dim\": 256}")), "time_cond_proj_dim");
    refuse(mdm_config_unet(&u, put("{\"class_embed_type\": \"projection\"}")), "class_embed_type");
    refuse(mdm_config_unet(&u, put("{\"block_out_channels\": [8], \"cross_attention_dim\": 8, "
                                   "\"down_block_types\": [\"AttnDownBlock2D\"]}")),
           "AttnDownBlock2D");
    refuse(mdm_config_unet(&u, put("{\"block_out_channels\": [8, 8], \"cross_attention_dim\": 8, "
                                   "\"attention_head_dim\": [1, 2, 3]}")),
           "attention_head_dim");
    refuse(mdm_config_vae(&v, put("{\"shift_factor\": 0.1}")), "shift_factor");
    refuse(mdm_config_vae(&v, put("{\"block_out_channels\": [8], \"down_block_types\": [\"X\"]}")), "down_block_types");
    refuse(mdm_config_clip_text(&t, put("{}")), "num_hidden_layers");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_DDIM, put("{\"prediction_type\": \"sample\"}")), "prediction_type");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_DDIM, put("{\"timestep_spacing\": \"odd\"}")), "timestep_spacing");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_DDIM, put("{\"beta_schedule\": \"cosine\"}")), "beta_schedule");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_DDIM, put("{\"steps_offset\": 1e3}")), "steps_offset");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_EULER, put("{\"use_beta_sigmas\": true}")), "use_beta_sigmas");
    refuse(mdm_config_schedule(&n, MDM_SAMPLER_EULER, put("{\"timestep_type\": \"continuous\"}")), "timestep_type");
}

/* As diffusers itself writes them, with every default spelled out. */
static void files_of_diffusers_are_read(void **state)
{
    (void)state;
    mdm_unet_sizes u;
    mdm_clip_text_sizes t;
    mdm_noise_schedule n;
    mdm_vae_sizes v;
    ok(mdm_config_unet(&u, GOLDEN "/refiner/unet/config.json"));
    assert_true(u.levels == 4 && u.depth[0] == 0 && u.depth[2] == 2 && u.middle_depth == 2 && u.added == 64);
    ok(mdm_config_clip_text(&t, GOLDEN "/sdxl/text_encoder_2/config.json"));
    assert_true(t.projection == 24 && t.end_token == 644 && t.activation == MDM_GELU_ERF);
    ok(mdm_config_vae(&v, GOLDEN "/sd15/vae/config.json"));
    assert_true(v.levels == 3 && v.scale == 0.13025f);
    ok(mdm_config_schedule(&n, MDM_SAMPLER_EULER, GOLDEN "/sdxl/scheduler/scheduler_config.json"));
    assert_true(n.spacing == MDM_SPACING_LEADING && n.scaled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unets_are_the_tables),        cmocka_unit_test(text_encoders_are_the_tables),
        cmocka_unit_test(autoencoders_are_the_tables), cmocka_unit_test(schedules_are_the_tables),
        cmocka_unit_test(other_networks_are_refused),  cmocka_unit_test(files_of_diffusers_are_read),
    };
    return cmocka_run_group_tests(tests, name_file, remove_file);
}
