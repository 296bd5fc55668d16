/* The voice mask on a synthetic vowel: pitch and formants move as told, length and silence stay, and the same samples give
 * the same result however they are cut into blocks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/lpc.h"
#include "media/voice.h"

/* Pulses through three resonators: a vowel of known pitch (Hz) and formants. */
static void vowel(float *out, size_t count, int rate, double pitch)
{
    static const double FORMANTS[3] = {500, 1500, 2500};
    double next = 0, state[3][2] = {{0}};
    for (size_t n = 0; n < count; n++) {
        double x = 0;
        if ((double)n >= next) {
            x = 1;
            next += rate / pitch;
        }
        for (int f = 0; f < 3; f++) {
            double radius = exp(-3.14159265 * 80 / rate), angle = 6.283185307 * FORMANTS[f] / rate;
            double y = x + 2 * radius * cos(angle) * state[f][0] - radius * radius * state[f][1];
            state[f][1] = state[f][0];
            state[f][0] = y;
            x = y;
        }
        out[n] = (float)(x * 1e-3);
    }
    float peak = 0;
    for (size_t n = 0; n < count; n++)
        peak = fmaxf(peak, fabsf(out[n]));
    for (size_t n = 0; n < count; n++)
        out[n] *= 0.5f / peak;
}

static void pitch_and_formants_move(void **state)
{
    (void)state;
    static const int RATES[] = {16000, 44100, 8000};
    for (size_t r = 0; r < 3; r++) {
        size_t count = (size_t)RATES[r] * 2;
        float *samples = malloc(count * sizeof *samples);
        for (int down = 0; down < 2; down++) {
            mdm_voice_change change = {.pitch = down ? 0.82 : 1.2, .mcadams = down ? 1.1 : 0.9};
            mdm_voice_figures before, after;
            vowel(samples, count, RATES[r], 120);
            assert_int_equal(mdm_voice_measure(&before, samples, count, RATES[r]), MDM_OK);
            assert_true(fabs(before.pitch - 120) < 3);
            assert_true(fabs(before.formant[0] - 500) < 40);
            assert_int_equal(mdm_voice_mask_all(samples, count, RATES[r], 1, &change), MDM_OK);
            assert_int_equal(mdm_voice_measure(&after, samples, count, RATES[r]), MDM_OK);
            assert_true(fabs(after.pitch / before.pitch - change.pitch) < 0.06);
            double moved = after.formant[0] / before.formant[0];
            assert_true(down ? moved < 0.85 : moved > 1.15);
        }
        free(samples);
    }
}

static void blocks_do_not_matter(void **state)
{
    (void)state;
    enum { COUNT = 48000 };
    mdm_voice_change change = {1.2, 0.9};
    float *whole = malloc(COUNT * 2 * sizeof *whole), *cut = malloc(COUNT * 2 * sizeof *cut),
          *mono = malloc(COUNT * sizeof *mono);
    vowel(mono, COUNT, 48000, 150);
    for (size_t i = 0; i < COUNT; i++)
        whole[2 * i] = whole[2 * i + 1] = cut[2 * i] = cut[2 * i + 1] = mono[i];
    mdm_voice_mask *a, *b;
    assert_int_equal(mdm_voice_mask_new(&a, 48000, 2, &change), MDM_OK);
    assert_int_equal(mdm_voice_mask_new(&b, 48000, 2, &change), MDM_OK);
    assert_int_equal(mdm_voice_mask_process(a, whole, COUNT, 0), MDM_OK);
    for (size_t at = 0, size = 1; at < COUNT; size = size * 7 % 5003 + 1) {
        size_t count = COUNT - at < size ? COUNT - at : size;
        assert_int_equal(mdm_voice_mask_process(b, cut + 2 * at, count, 0), MDM_OK);
        at += count;
    }
    assert_memory_equal(whole, cut, COUNT * 2 * sizeof *whole);
    /* nothing comes out before the latency */
    for (size_t i = 0; i < 2 * mdm_voice_mask_latency(a); i++)
        assert_true(whole[i] == 0);
    mdm_voice_mask_free(&a);
    mdm_voice_mask_free(&b);
    free(whole);
    free(cut);
    free(mono);
}

static void timing_stays(void **state)
{
    (void)state;
    /* a burst between silences: it must sound at the same place, within the head's drift of 10 ms and a window */
    enum { COUNT = 32000, START = 12000, LENGTH = 8000 };
    float *samples = calloc(COUNT, sizeof *samples);
    mdm_voice_change change = {0.85, 1.1};
    vowel(samples + START, LENGTH, 16000, 110);
    assert_int_equal(mdm_voice_mask_all(samples, COUNT, 16000, 1, &change), MDM_OK);
    size_t first = COUNT, last = 0;
    for (size_t i = 0; i < COUNT; i++)
        if (fabsf(samples[i]) > 0.02f) {
            first = i < first ? i : first;
            last = i;
        }
    assert_true(first > START - 480 && first < START + 480);
    assert_true(last > START + LENGTH - 640 && last < START + LENGTH + 640);
    free(samples);
}

static void draws_are_keyed(void **state)
{
    (void)state;
    mdm_voice_change a, b, c;
    int up = 0;
    mdm_voice_draw(&a, 7, "person-01/voice");
    mdm_voice_draw(&b, 7, "person-01/voice");
    mdm_voice_draw(&c, 8, "person-01/voice");
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.pitch != c.pitch);
    for (uint64_t seed = 0; seed < 64; seed++) {
        mdm_voice_draw(&a, seed, "person-02/voice");
        up += a.pitch > 1;
        assert_true(fabs(log2(a.pitch)) * 12 >= 2.5 && fabs(log2(a.pitch)) * 12 <= 4.5);
        assert_true((a.pitch > 1) == (a.mcadams < 1));
    }
    assert_true(up > 16 && up < 48);
}

static void poles_and_back(void **state)
{
    (void)state;
    const double a[5] = {1, -1.2, 0.9, -0.5, 0.2};
    double poles[4][2], back[5];
    assert_true(mdm_lpc_poles(poles, a, 4));
    mdm_lpc_from_poles(back, (const double(*)[2])poles, 4);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(a[i] - back[i]) < 1e-9);
}

static void bad_arguments(void **state)
{
    (void)state;
    mdm_voice_mask *mask;
    mdm_voice_change change = {1, 1}, wild = {9, 1};
    assert_int_equal(mdm_voice_mask_new(&mask, 1000, 1, &change), MDM_ERR_INPUT);
    assert_int_equal(mdm_voice_mask_new(&mask, 16000, 3, &change), MDM_ERR_INPUT);
    assert_int_equal(mdm_voice_mask_new(&mask, 16000, 1, &wild), MDM_ERR_INPUT);
    assert_null(mask);
    float silence[1600] = {0};
    assert_int_equal(mdm_voice_mask_all(silence, 1600, 16000, 1, &change), MDM_OK);
    for (int i = 0; i < 1600; i++)
        assert_true(silence[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pitch_and_formants_move),
        cmocka_unit_test(blocks_do_not_matter),
        cmocka_unit_test(timing_stays),
        cmocka_unit_test(draws_are_keyed),
        cmocka_unit_test(poles_and_back),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
