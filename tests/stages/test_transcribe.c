/* Speech on recordings whose words and their times are known: the espeak lines and the dashcam clips. Spoken personal data
 * must be covered nearly all of its time, with the margins that the transcribe stage adds, and little else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/audio.h"
#include "media/voice.h"
#include "models/name_lists.h"
#include "models/personal_text.h"
#include "models/speech.h"
#include "models/whisper_models.h"

static mdm_speech *speech;
static mdm_name_lists *lists;
static char shared[512];

static int set_up(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS"), *folder = getenv("MMDM_SHARED");
    char root[512], *model = NULL;
    snprintf(root, sizeof root, "%s", models ? models : MMDM_SOURCE_DIR "/.deps/models");
    snprintf(shared, sizeof shared, "%s/data", folder ? folder : MMDM_SOURCE_DIR "/../shared");
    if (mdm_whisper_model_file(&model, root, MDM_WHISPER_DEFAULT) != MDM_OK ||
        mdm_name_lists_load(&lists, root) != MDM_OK || mdm_speech_open(&speech, model, 1) != MDM_OK)
        print_message("no speech model: %s\n", mdm_error_message());
    mdm_free(&model);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mdm_speech_free(&speech);
    mdm_name_lists_free(&lists);
    return 0;
}

static bool load(float **samples, size_t *count, const char *folder, const char *name)
{
    char path[700];
    mdm_audio *audio = NULL;
    mdm_audio_options options = {.rate = MDM_SPEECH_RATE, .channels = 1};
    snprintf(path, sizeof path, "%s/%s/%s", shared, folder, name);
    if (!speech || !lists || !mdm_file_exists(path)) {
        print_message("%s or the speech model is absent\n", path);
        return false;
    }
    assert_int_equal(mdm_audio_open(&audio, path, &options), MDM_OK);
    assert_int_equal(mdm_audio_read_all(samples, count, audio, 1u << 24), MDM_OK);
    mdm_audio_free(&audio);
    return true;
}

static void hear(const mdm_word **words, size_t *count, const float *samples, size_t n)
{
    mdm_speech_reset(speech);
    for (size_t at = 0; at < n; at += 10000) /* blocks of any size */
        assert_int_equal(mdm_speech_feed(speech, samples + at, n - at < 10000 ? n - at : 10000), MDM_OK);
    assert_int_equal(mdm_speech_finish(speech, words, count), MDM_OK);
}

/* Adds to sums: personal time covered, personal time, other words' time cut, other time. */
static void score(double sums[4], const json_t *truth, const mdm_personal_span *spans, size_t count,
                  const mdm_word *words)
{
    size_t i;
    json_t *word;
    json_array_foreach(truth, i, word)
    {
        bool personal = json_is_string(json_object_get(word, "kind"));
        double start = json_number_value(json_object_get(word, "start"));
        double end = json_number_value(json_object_get(word, "end"));
        int steps = (int)lround((end - start) * 200);
        for (int k = 0; k < steps; k++) {
            double t = start + (k + 0.5) / 200;
            bool cut = false;
            for (size_t s = 0; s < count; s++) {
                double early, late;
                mdm_personal_margins(&early, &late, &spans[s], words);
                cut = cut || (t >= spans[s].start - early && t < spans[s].end + late);
            }
            sums[personal ? 1 : 3] += 0.005;
            sums[personal ? 0 : 2] += cut ? 0.005 : 0;
        }
    }
}

static void covered(const char *truth_file, const char *folder, const char *prefix, const char *suffix, double least)
{
    char path[700];
    json_t *root, *truth;
    const char *name;
    double all[4] = {0};
    snprintf(path, sizeof path, "%s/tests/stages/data/%s", MMDM_SOURCE_DIR, truth_file);
    assert_int_equal(mdm_json_load(&root, path, 0), MDM_OK);
    json_object_foreach(root, name, truth)
    {
        char file[128];
        float *samples;
        size_t n, count, span_count;
        const mdm_word *words;
        mdm_personal_span *spans;
        snprintf(file, sizeof file, "%s%s%s", prefix, name, suffix);
        if (!load(&samples, &n, folder, file)) {
            json_decref(root);
            skip();
        }
        hear(&words, &count, samples, n);
        assert_int_equal(mdm_personal_find(&spans, &span_count, words, count, lists), MDM_OK);
        double sums[4] = {0};
        score(sums, truth, spans, span_count, words);
        char *redacted;
        assert_int_equal(mdm_personal_redact(&redacted, words, count, spans, span_count), MDM_OK);
        print_message("%s: personal time covered %.1f %%, other speech cut %.2f of %.2f s: %s\n", file,
                      sums[1] > 0 ? 100 * sums[0] / sums[1] : 100.0, sums[2], sums[3], redacted);
        mdm_free(&redacted);
        for (int k = 0; k < 4; k++)
            all[k] += sums[k];
        mdm_free(&spans);
        mdm_free(&samples);
    }
    json_decref(root);
    print_message("all: personal time covered %.1f %%, other speech cut %.1f %%\n", 100 * all[0] / all[1],
                  100 * all[2] / all[3]);
    assert_true(all[0] >= least * all[1]);
    assert_true(all[2] <= 0.02 * all[3]);
}

static void espeak_lines_are_covered(void **state)
{
    (void)state;
    covered("espeak_words.json", "speech", "espeak_pii_", ".wav", 0.95);
}

static void dashcam_speech_is_covered(void **state)
{
    (void)state;
    covered("dashcam_words.json", "clips", "", "", 0.95); /* the same lines in noise */
}

static void ordinary_speech_is_left_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name, *said;
        size_t names; /* words that are names */
    } CASES[] = {
        {"jfk.wav",
         "And so my fellow Americans ask not what your country can do for you, ask what you can do for your country",
         0},
        {"austen-0870.wav",
         "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do "
         "for them",
         3},
        {"austen-0890.wav", "unless to be rather cold hearted and rather selfish is to be ill disposed", 0},
        {"cards_5.wav", "eight of spades four of clubs seven of hearts", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        float *samples;
        size_t n, count, span_count, cut = 0;
        const mdm_word *words;
        mdm_personal_span *spans;
        if (!load(&samples, &n, "speech", CASES[i].name))
            skip();
        hear(&words, &count, samples, n);
        mdm_buffer text = {0};
        for (size_t w = 0; w < count; w++) {
            assert_int_equal(mdm_buffer_printf(&text, "%s ", words[w].text), MDM_OK);
            assert_true(words[w].start <= words[w].end);
            assert_true(w == 0 || words[w].start >= words[w - 1].end - 1e-6);
            assert_true(words[w].end <= (double)n / MDM_SPEECH_RATE + 1e-6);
        }
        double wer = 1;
        assert_int_equal(mdm_word_error_rate(&wer, CASES[i].said, (const char *)text.data), MDM_OK);
        assert_true(wer <= 0.12);
        assert_int_equal(mdm_personal_find(&spans, &span_count, words, count, lists), MDM_OK);
        for (size_t s = 0; s < span_count; s++)
            cut += spans[s].last - spans[s].first + 1;
        assert_int_equal(cut, CASES[i].names);
        mdm_buffer_free(&text);
        mdm_free(&spans);
        mdm_free(&samples);
    }
}

/* A minute and a half in windows: memory is one window, words stay in order across the cuts, silence gives none. */
static void long_recordings_in_windows(void **state)
{
    (void)state;
    float *samples, *silence;
    size_t n, count;
    const mdm_word *words;
    if (!load(&samples, &n, "speech", "jfk.wav"))
        skip();
    mdm_speech_reset(speech);
    for (int i = 0; i < 5; i++)
        assert_int_equal(mdm_speech_feed(speech, samples, n), MDM_OK);
    assert_int_equal(mdm_speech_finish(speech, &words, &count), MDM_OK);
    assert_true(count >= 5 * 20 && count <= 5 * 24); /* 22 words each */
    for (size_t w = 1; w < count; w++)
        assert_true(words[w].start >= words[w - 1].end - 1e-6);
    assert_true(words[count - 1].end > 53 && words[count - 1].end <= 55.01);
    assert_int_equal(mdm_alloc(&silence, 160000, sizeof *silence, "silence"), MDM_OK);
    hear(&words, &count, silence, 160000);
    assert_int_equal(count, 0);
    mdm_free(&silence);
    mdm_free(&samples);
}

/* With the voice detector speech gives the same words; noise, in which Whisper may hear some, gives none. */
static void nobody_is_heard_in_noise(void **state)
{
    (void)state;
    const char *models = getenv("MMDM_MODELS");
    char path[512];
    mdm_vad *vad = NULL;
    mdm_buffer without = {0}, with = {0};
    float *samples;
    size_t n, count;
    const mdm_word *words;
    snprintf(path, sizeof path, "%s/silero_vad_16k_op15.onnx", models ? models : MMDM_SOURCE_DIR "/.deps/models");
    if (!load(&samples, &n, "speech", "jfk.wav") || mdm_vad_open(&vad, path) != MDM_OK) {
        print_message("no voice detector: %s\n", mdm_error_message());
        skip();
    }
    for (int k = 0; k < 2; k++) {
        mdm_speech_use_vad(speech, k ? vad : NULL);
        hear(&words, &count, samples, n);
        for (size_t w = 0; w < count; w++)
            assert_int_equal(mdm_buffer_printf(k ? &with : &without, "%s %.3f ", words[w].text, words[w].start),
                             MDM_OK);
    }
    assert_string_equal(with.data, without.data);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        samples[i] = ((float)(x >> 8) / 8388608.0f - 1) * 0.2f;
    }
    hear(&words, &count, samples, n);
    assert_int_equal(count, 0);
    mdm_speech_use_vad(speech, NULL);
    mdm_vad_free(&vad);
    mdm_buffer_free(&with);
    mdm_buffer_free(&without);
    mdm_free(&samples);
}

static void masked_speech_is_still_understood(void **state)
{
    (void)state;
    float *samples;
    size_t n, count;
    const mdm_word *words;
    if (!load(&samples, &n, "speech", "jfk.wav"))
        skip();
    for (int draw = 1; draw <= 2; draw++) {
        char key[32];
        mdm_voice_change change;
        mdm_buffer text = {0};
        float *copy;
        snprintf(key, sizeof key, "person-%02d/voice", draw);
        mdm_voice_draw(&change, (uint64_t)draw * 5, key);
        assert_int_equal(mdm_alloc(&copy, n, sizeof *copy, "copy"), MDM_OK);
        memcpy(copy, samples, n * sizeof *copy);
        assert_int_equal(mdm_voice_mask_all(copy, n, MDM_SPEECH_RATE, 1, &change), MDM_OK);
        hear(&words, &count, copy, n);
        for (size_t w = 0; w < count; w++)
            assert_int_equal(mdm_buffer_printf(&text, "%s ", words[w].text), MDM_OK);
        double wer = 1;
        assert_int_equal(mdm_word_error_rate(&wer,
                                             "and so my fellow americans ask not what your country can do for you ask "
                                             "what you can do for your country",
                                             (const char *)text.data),
                         MDM_OK);
        print_message("pitch x %.2f, McAdams %.2f: WER %.2f\n", change.pitch, change.mcadams, wer);
        assert_true(wer <= 0.25);
        mdm_buffer_free(&text);
        mdm_free(&copy);
    }
    mdm_free(&samples);
}

static void word_error_rate_by_hand(void **state)
{
    (void)state;
    double wer = 9;
    assert_int_equal(mdm_word_error_rate(&wer, "ten of clubs", "10 of Clubs."), MDM_OK);
    assert_true(wer == 0);
    assert_int_equal(mdm_word_error_rate(&wer, "a b c d", "a x c"), MDM_OK);
    assert_true(fabs(wer - 0.5) < 1e-9);
    assert_int_equal(mdm_word_error_rate(&wer, "", ""), MDM_OK);
    assert_true(wer == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_error_rate_by_hand),    cmocka_unit_test(espeak_lines_are_covered),
        cmocka_unit_test(dashcam_speech_is_covered),  cmocka_unit_test(ordinary_speech_is_left_alone),
        cmocka_unit_test(long_recordings_in_windows), cmocka_unit_test(masked_speech_is_still_understood),
        cmocka_unit_test(nobody_is_heard_in_noise),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
