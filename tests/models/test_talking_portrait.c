/* EchoMimic's four pipelines at reduced size with random weights against a re-statement in torch (tools/make_echomimic_goldens.py): sound
 * to tokens, portrait to features, latents after all steps, pictures; runs that are stopped; folders that are not complete. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/golden.h"
#include "common/scratch.h"
#include "common/talking_folder.h"
#include "models/talking_portrait.h"
#include "models/voice_tokens.h"

enum { SIDE = TALKING_SIDE, FRAMES = TALKING_FRAMES, LATENT = TALKING_LATENT };

static mdm_tensor_file *goldens;
static float sound[TALKING_SAMPLES], noise[FRAMES * LATENT];
static mdm_image picture;

static int make_all(void **state)
{
    static int16_t samples[TALKING_SAMPLES];
    if (make_folder(state))
        return 1;
    talking_make_folder(folder);
    talking_sound(samples);
    for (int i = 0; i < TALKING_SAMPLES; i++)
        sound[i] = (float)samples[i] / 32768;
    talking_noise(noise, 7);
    ok(mdm_image_new(&picture, SIDE, SIDE, 3));
    talking_portrait(picture.data);
    ok(mdm_tensor_file_open(&goldens, TALKING_GOLDEN "/pipelines.safetensors"));
    return 0;
}

static int free_all(void **state)
{
    mdm_tensor_file_free(&goldens);
    mdm_image_free(&picture);
    return remove_folder(state);
}

static void compare(const char *name, const float *values, size_t count, double most)
{
    size_t expected = 0;
    float *want = golden(goldens, name, NULL, &expected);
    assert_int_equal(count, expected);
    const double error = relative_error(values, want, count);
    print_message("%s: %.2g relative\n", name, error);
    if (!(error < most))
        fail_msg("%s", name);
    mdm_free(&want);
}

/* ---- the voice ---- */

static void voices_agree(void **state)
{
    static const double fps[] = {24, 25, 29.97, 60};
    static const int frames[] = {0, 1, 13};
    char path[128];
    float *mel = NULL, head[80 * 8], tokens[4 * 30 * 24];
    size_t count = 0;
    mdm_weights *weights = NULL;
    mdm_heard_voice *voice = NULL;
    const mdm_whisper_encoder_sizes sizes = {.layers = 2, .width = 24, .heads = 2, .mels = 80, .frames = 3000};
    (void)state;
    ok(mdm_log_mel(&mel, &count, sound, TALKING_SAMPLES, 80));
    assert_int_equal(count, 110);
    for (int m = 0; m < 80; m++)
        memcpy(head + m * 8, mel + m * 110, 8 * sizeof *mel);
    compare("mel", head, sizeof head / sizeof *head, 1e-5);
    mdm_free(&mel);
    in_folder(path, "audio_processor/whisper_tiny.safetensors");
    ok(mdm_whisper_encoder_open(&weights, path));
    ok(mdm_voice_new(&voice, &sizes, weights, MDM_STORE_F32, sound, TALKING_SAMPLES, 1));
    mdm_weights_free(&weights);
    assert_int_equal(mdm_voice_token_count(voice), 30);
    for (int i = 0; i < 4; i++) {
        float *want = golden(goldens, "frames", NULL, NULL);
        assert_int_equal(mdm_voice_frames(voice, fps[i]), (int)want[i]);
        mdm_free(&want);
    }
    for (int i = 0; i < 4; i++) {
        const int frame = i < 3 ? frames[i] : mdm_voice_frames(voice, 24) - 1;
        ok(mdm_voice_tokens(tokens + (size_t)i * 30 * 24, voice, mdm_voice_centre(frame, 24)));
    }
    compare("tokens", tokens, sizeof tokens / sizeof *tokens, 1e-4);
    mdm_voice_free(&voice);
    assert_int_equal(mdm_log_mel(&mel, &count, sound, 639, 80), MDM_ERR_INPUT);
}

/* The encoder sees 30 s at a time: stretches are computed again where they are asked for again, and do not mix. */
static void long_voices_are_heard_in_stretches(void **state)
{
    enum { LONG = 16000 * 70 };
    char path[128];
    float a[30 * 24], b[30 * 24];
    float *samples = random_normals(3, "long", LONG);
    mdm_weights *weights = NULL;
    mdm_heard_voice *voice = NULL;
    const mdm_whisper_encoder_sizes sizes = {.layers = 2, .width = 24, .heads = 2, .mels = 80, .frames = 3000};
    (void)state;
    in_folder(path, "audio_processor/whisper_tiny.safetensors");
    ok(mdm_whisper_encoder_open(&weights, path));
    for (int i = 0; i < LONG; i++)
        samples[i] *= 0.1f;
    ok(mdm_voice_new(&voice, &sizes, weights, MDM_STORE_F32, samples, LONG, 1));
    ok(mdm_voice_tokens(a, voice, 1498)); /* six states of the first stretch, four of the second */
    ok(mdm_voice_tokens(b, voice, 3400)); /* the third */
    ok(mdm_voice_tokens(b, voice, 1498));
    assert_memory_equal(a, b, sizeof a);
    ok(mdm_voice_tokens(a, voice, 3499 + 5)); /* past the end: the last state again and again */
    ok(mdm_voice_tokens(b, voice, 3499 + 900));
    assert_memory_equal(a + 9 * 72, b, 72 * sizeof *a);
    mdm_voice_free(&voice);
    mdm_weights_free(&weights);
    mdm_free(&samples);
}

/* ---- the pipelines ---- */

static mdm_talking *open_mode(mdm_talking_mode mode)
{
    mdm_talking *t = NULL;
    ok(mdm_talking_open(&t, &(mdm_talking_options){folder, mode, MDM_STORE_F32, 1}));
    ok(mdm_talking_look(t, &picture));
    ok(mdm_talking_listen(t, sound, TALKING_SAMPLES));
    return t;
}

/* The mask of the script, or its stripes; its drawings of landmarks come by the command line, in tests/cli/test_animate.c. */
static mdm_status show(void *user, float *seen, int frame)
{
    const bool posed = *(bool *)user;
    if (!posed)
        assert_int_equal(frame, 0);
    for (int i = 0; i < (posed ? 3 : 1) * SIDE * SIDE; i++) {
        const int x = i % SIDE, y = i / SIDE % SIDE, c = i / (SIDE * SIDE);
        seen[i] = posed ? (float)((7 * frame + 13 * c + 5 * y + 3 * x) % 32) / 31
                        : (float)(x >= 8 && x < 56 && y >= 6 && y < 58);
    }
    return MDM_OK;
}

static mdm_talking_clip clip_of(int frames, int steps, bool *posed)
{
    return (mdm_talking_clip){.frames = frames,
                              .fps = 24,
                              .show = show,
                              .user = posed,
                              .steps = steps,
                              .overlap = -1,
                              .guidance = -1,
                              .seed = 1};
}

static void audio_agrees(void **state)
{
    bool posed = false;
    mdm_image out = {0};
    double sum = 0;
    (void)state;
    mdm_talking *t = open_mode(MDM_TALKING_AUDIO);
    assert_int_equal(mdm_talking_frames(t, 24), 28);
    mdm_talking_clip clip = clip_of(TALKING_SHORT, 4, &posed);
    ok(mdm_talking_draw(t, &clip));
    compare("audio.short", mdm_talking_latents(t), TALKING_SHORT * LATENT, 1e-4);
    clip.frames = FRAMES;
    ok(mdm_talking_draw(t, &clip));
    compare("audio", mdm_talking_latents(t), FRAMES * LATENT, 1e-4);
    ok(mdm_talking_decode(t, &out, 0));
    float *want = golden(goldens, "audio.picture", NULL, NULL);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        sum +=
            fabs((double)out.data[(size_t)(i / SIDE % SIDE) * out.stride + (size_t)(i % SIDE * 3 + i / (SIDE * SIDE))] -
                 floor(255 * (double)want[i]));
    assert_true(sum / (3 * SIDE * SIDE) < 0.05);
    mdm_free(&want);
    mdm_image_free(&out);
    assert_int_equal(mdm_talking_decode(t, &out, FRAMES), MDM_ERR_INTERNAL);
    mdm_talking_free(&t);
    assert_null(t);
}

static void accelerated_audio_agrees(void **state)
{
    bool posed = false;
    double times[FRAMES];
    (void)state;
    mdm_talking *t = open_mode(MDM_TALKING_AUDIO_ACC);
    mdm_talking_clip clip = clip_of(FRAMES, 0, &posed);
    ok(mdm_talking_draw(t, &clip));
    compare("audio-acc", mdm_talking_latents(t), FRAMES * LATENT, 1e-4);
    for (int i = 0; i < FRAMES; i++)
        times[i] = i / 24.0 + 1e-9;
    clip.times = times; /* the same by the times of the frames */
    ok(mdm_talking_draw(t, &clip));
    compare("audio-acc", mdm_talking_latents(t), FRAMES * LATENT, 1e-4);
    mdm_talking_free(&t);
}

static void pose_agrees(void **state)
{
    bool posed = true;
    (void)state;
    for (int acc = 0; acc < 2; acc++) {
        mdm_talking *t = open_mode(acc ? MDM_TALKING_POSE_ACC : MDM_TALKING_POSE);
        mdm_talking_clip clip = clip_of(FRAMES, acc ? 0 : 4, &posed);
        ok(mdm_talking_draw(t, &clip));
        compare(acc ? "pose-acc.stripes" : "pose.stripes", mdm_talking_latents(t), FRAMES * LATENT, 1e-4);
        clip.open = true;
        ok(mdm_talking_draw(t, &clip));
        compare(acc ? "pose-acc.stripes.open" : "pose.stripes.open", mdm_talking_latents(t), FRAMES * LATENT, 1e-4);
        mdm_talking_free(&t);
    }
}

/* Noise that is given is the seed's where it is the same, and cut where the mode says so. */
static void noise_is_taken(void **state)
{
    bool posed = false;
    float mine[FRAMES * LATENT];
    (void)state;
    mdm_talking *t = open_mode(MDM_TALKING_AUDIO_ACC);
    mdm_talking_clip clip = clip_of(FRAMES, 1, &posed);
    clip.noise = noise;
    ok(mdm_talking_draw(t, &clip));
    memcpy(mine, mdm_talking_latents(t), sizeof mine);
    clip.noise = NULL;
    clip.seed = 7;
    ok(mdm_talking_draw(t, &clip));
    assert_memory_equal(mdm_talking_latents(t), mine, sizeof mine);
    clip.seed = 8;
    ok(mdm_talking_draw(t, &clip));
    assert_memory_not_equal(mdm_talking_latents(t), mine, sizeof mine);
    mdm_talking_free(&t);
}

static bool stop(void *user, double done, double total)
{
    int *left = user;
    assert_true(total == 18);
    (void)done;
    return --*left > 0;
}

static void cancelled_clips_go_on(void **state)
{
    bool posed = false;
    char path[128];
    int left = 5, once = 1;
    float want[FRAMES * LATENT];
    const mdm_progress progress = {stop, &left}, one = {stop, &once};
    (void)state;
    mdm_talking *t = open_mode(MDM_TALKING_AUDIO_ACC);
    mdm_talking_clip clip = clip_of(FRAMES, 0, &posed);
    ok(mdm_talking_draw(t, &clip));
    memcpy(want, mdm_talking_latents(t), sizeof want);
    in_folder(path, "kept");
    clip.folder = path;
    clip.progress = &progress;
    assert_int_equal(mdm_talking_draw(t, &clip), MDM_ERR_CANCELLED);
    mdm_talking_free(&t);
    t = open_mode(MDM_TALKING_AUDIO_ACC);
    left = 18 - 5 + 1; /* no more than what was left is run */
    ok(mdm_talking_draw(t, &clip));
    assert_int_equal(left, 1);
    assert_memory_equal(mdm_talking_latents(t), want, sizeof want);
    sound[100] += 0.5f; /* another voice: begun anew */
    ok(mdm_talking_listen(t, sound, TALKING_SAMPLES));
    sound[100] -= 0.5f;
    clip.progress = &one;
    assert_int_equal(mdm_talking_draw(t, &clip), MDM_ERR_CANCELLED);
    mdm_talking_free(&t);
}

/* ---- what is wrong ---- */

static void must_say(mdm_status status, mdm_status expected, const char *word)
{
    if (status != expected || !strstr(mdm_error_message(), word))
        fail_msg("%s: \"%s\" does not say \"%s\"", mdm_status_name(status), mdm_error_message(), word);
}

static void incomplete_folders_are_named(void **state)
{
    static const char *const files[] = {"denoising_unet_pose",          "motion_module_pose",
                                        "reference_unet_pose",          "face_locator_pose",
                                        "audio_processor/whisper_tiny", "sd-vae-ft-mse/diffusion_pytorch_model"};
    char path[128], away[128];
    mdm_talking *t = NULL;
    const mdm_talking_options options = {folder, MDM_TALKING_POSE, MDM_STORE_F32, 1};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[100];
        snprintf(name, sizeof name, "%s.safetensors", files[i]);
        in_folder(path, name);
        in_folder(away, "away");
        assert_int_equal(rename(path, away), 0);
        must_say(mdm_talking_open(&t, &options), MDM_ERR_DEVICE, files[i]);
        assert_null(t);
        assert_int_equal(rename(away, path), 0);
    }
}

static void wrong_sizes_are_named(void **state)
{
    static const struct {
        const char *json, *word;
    } wrong[] = {{"{\"block_out_channels\": [8, 16]}", "block_out_channels"},
                 {"{\"face_locator_channels\": [8, 16, 0, 3]}", "face_locator_channels"},
                 {"{\"heads\": -1}", "heads"},
                 {"{\"heads\": \"8\"}", "heads"},
                 {"[", "echomimic.json"}};
    char path[128];
    unsigned char *good = NULL;
    size_t size = 0;
    mdm_talking *t = NULL;
    const mdm_talking_options options = {folder, MDM_TALKING_AUDIO, MDM_STORE_F32, 1};
    (void)state;
    in_folder(path, "echomimic.json");
    ok(mdm_file_read(&good, &size, path, 4096));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        talking_write(folder, "echomimic.json", wrong[i].json);
        must_say(mdm_talking_open(&t, &options), MDM_ERR_INPUT, wrong[i].word);
    }
    ok(mdm_file_write(path, good, size));
    mdm_free(&good);
}

static void wrong_pictures_and_clips_are_refused(void **state)
{
    bool posed = false;
    mdm_image odd = {0};
    mdm_talking *t = NULL;
    (void)state;
    ok(mdm_talking_open(&t, &(mdm_talking_options){folder, MDM_TALKING_AUDIO, MDM_STORE_F32, 1}));
    mdm_talking_clip clip = clip_of(FRAMES, 1, &posed);
    must_say(mdm_talking_draw(t, &clip), MDM_ERR_INTERNAL, "without a portrait");
    ok(mdm_image_new(&odd, 64, 128, 3));
    must_say(mdm_talking_look(t, &odd), MDM_ERR_INPUT, "64 x 128");
    mdm_image_free(&odd);
    ok(mdm_image_new(&odd, 96, 96, 3));
    must_say(mdm_talking_look(t, &odd), MDM_ERR_USAGE, "multiple of 64");
    mdm_image_free(&odd);
    ok(mdm_talking_look(t, &picture));
    must_say(mdm_talking_draw(t, &clip), MDM_ERR_INTERNAL, "without a voice");
    must_say(mdm_talking_listen(t, sound, 100), MDM_ERR_INPUT, "100 samples");
    ok(mdm_talking_listen(t, sound, TALKING_SAMPLES));
    clip.fps = NAN;
    must_say(mdm_talking_draw(t, &clip), MDM_ERR_USAGE, "25 frames");
    clip.fps = 24;
    clip.window = 33;
    clip.frames = 100;
    must_say(mdm_talking_draw(t, &clip), MDM_ERR_USAGE, "windows of 33");
    clip.window = 0;
    clip.steps = 1001;
    must_say(mdm_talking_draw(t, &clip), MDM_ERR_USAGE, "1001 steps");
    mdm_talking_mode mode;
    must_say(mdm_talking_mode_named(&mode, "posed"), MDM_ERR_USAGE, "pose-acc");
    mdm_talking_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(voices_agree),          cmocka_unit_test(long_voices_are_heard_in_stretches),
        cmocka_unit_test(audio_agrees),          cmocka_unit_test(accelerated_audio_agrees),
        cmocka_unit_test(pose_agrees),           cmocka_unit_test(noise_is_taken),
        cmocka_unit_test(cancelled_clips_go_on), cmocka_unit_test(incomplete_folders_are_named),
        cmocka_unit_test(wrong_sizes_are_named), cmocka_unit_test(wrong_pictures_and_clips_are_refused),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
