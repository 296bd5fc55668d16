/* The sampler of velocities against the published numbers of its schedule, and windows over a clip: where they lie, that drawing frame by
 * frame as soon as possible is drawing all of them at once, and that a run which was stopped anywhere goes on to the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "common/random_weights.h"
#include "common/scratch.h"
#include "models/velocity_sampler.h"
#include "models/window_sampler.h"

enum { VALUES = 3, MOST = 100 };

/* ---- the schedule ---- */

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * fabs(expected) + 1e-12))
        fail_msg("%.9g, expected %.9g", value, expected);
}

static void schedule_is_the_published_one(void **state)
{
    static const int six[] = {999, 832, 666, 499, 332, 166},
                     thirty[] = {999, 966, 932, 899, 866, 832, 799, 766, 732, 699, 666, 632, 599, 566, 532,
                                 499, 466, 432, 399, 366, 332, 299, 266, 232, 199, 166, 132, 99,  66,  32};
    static const struct {
        int step;
        float expected[3];
    } vectors[] = {{0, {.97913271f, -.51159793f, .29356736f}},
                   {3, {.87676424f, -.53592950f, .43518889f}},
                   {5, {.72364992f, -.53375995f, .56162560f}}};
    mdm_velocity_sampler s;
    (void)state;
    ok(mdm_velocity_sampler_init(&s, 30));
    for (int i = 0; i < 30; i++)
        assert_int_equal(mdm_velocity_time(&s, i), thirty[i]);
    ok(mdm_velocity_sampler_init(&s, 6));
    for (int i = 0; i < 6; i++)
        assert_int_equal(mdm_velocity_time(&s, i), six[i]);
    near((double)s.kept[0], .99914998);
    near((double)s.kept[499], .14252944);
    near((double)s.kept[833], .00396236638);
    assert_true(fabs((double)s.kept[998] - 6.2774e-8) < 1e-11);
    assert_true(s.kept[999] == 0);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        float x[3] = {1, -.5f, .25f};
        mdm_velocity_step(&s, vectors[i].step, x, (const float[]){.3f, .2f, -.7f}, 3);
        for (int k = 0; k < 3; k++)
            near((double)x[k], (double)vectors[i].expected[k]);
    }
    assert_int_equal(mdm_velocity_sampler_init(&s, 0), MDM_ERR_USAGE);
    assert_int_equal(mdm_velocity_sampler_init(&s, 1001), MDM_ERR_USAGE);
}

/* ---- windows ---- */

static void expect_frames(const mdm_windows *w, int step, int i, int first, int last)
{
    int frames[MDM_WINDOW_MAX];
    const int count = mdm_window_frames(frames, w, step, i);
    if (frames[0] != first || frames[count - 1] != last)
        fail_msg("window %d of step %d: %d to %d, expected %d to %d", i, step, frames[0], frames[count - 1], first,
                 last);
}

static void windows_lie_where_they_should(void **state)
{
    (void)state;
    mdm_windows w = {.frames = 25, .size = 12, .overlap = 3, .shift = 2};
    assert_int_equal(mdm_windows_count(&w, 0), 3);
    expect_frames(&w, 0, 2, 18, 4); /* on to the beginning */
    expect_frames(&w, 3, 0, 6, 17);
    expect_frames(&w, 3, 2, 24, 10);
    w.open = true;
    assert_int_equal(mdm_windows_count(&w, 0), 3);
    expect_frames(&w, 0, 2, 13, 24);
    expect_frames(&w, 1, 0, 0, 11); /* cut off at the beginning */
    expect_frames(&w, 1, 1, 2, 13);
    expect_frames(&w, 1, 3, 13, 24);
    w = (mdm_windows){.frames = 10, .size = 12, .overlap = 3, .shift = 3};
    assert_int_equal(mdm_windows_count(&w, 5), 1);
    expect_frames(&w, 2, 0, 6, 5); /* one window, which turns */
    w.open = true;
    expect_frames(&w, 2, 0, 0, 9);
}

/* A network that tells frames, places in the window and times apart. */
static mdm_status network(void *user, float *velocity, const float *latents, int time, const int *frames, int count)
{
    int *left = user;
    if (left && --*left < 0)
        return mdm_fail(MDM_ERR_AGAIN, "stopped");
    for (int i = 0; i < count; i++)
        for (int k = 0; k < VALUES; k++)
            velocity[i * VALUES + k] = 0.7f * latents[i * VALUES + k] + 0.3f * latents[(i + 1) % count * VALUES + k] +
                                       0.01f * (float)(frames[i] + k) - 0.001f * (float)time + 0.1f * (float)i;
    return MDM_OK;
}

/* All windows of a step, then all frames. */
static void draw_plainly(float *latents, const mdm_windows *w, int steps)
{
    mdm_velocity_sampler s;
    ok(mdm_velocity_sampler_init(&s, steps));
    for (int step = 0; step < steps; step++) {
        float sum[MOST * VALUES] = {0}, in[MDM_WINDOW_MAX * VALUES], v[MDM_WINDOW_MAX * VALUES];
        int seen[MOST] = {0}, frames[MDM_WINDOW_MAX];
        for (int i = 0; i < mdm_windows_count(w, step); i++) {
            const int count = mdm_window_frames(frames, w, step, i);
            for (int k = 0; k < count; k++)
                memcpy(in + k * VALUES, latents + frames[k] * VALUES, VALUES * sizeof *in);
            ok(network(NULL, v, in, mdm_velocity_time(&s, step), frames, count));
            for (int k = 0; k < count; k++, seen[frames[k - 1]]++)
                for (int c = 0; c < VALUES; c++)
                    sum[frames[k] * VALUES + c] += v[k * VALUES + c];
        }
        for (int i = 0; i < w->frames * VALUES; i++) {
            assert_true(seen[i / VALUES] > 0);
            sum[i] /= (float)seen[i / VALUES];
        }
        mdm_velocity_step(&s, step, latents, sum, (size_t)w->frames * VALUES);
    }
}

static void fill(mdm_window_sampler *s, int frames)
{
    float *noise = random_normals(1, "noise", (size_t)frames * VALUES);
    memcpy(mdm_window_sampler_latents(s), noise, (size_t)frames * VALUES * sizeof *noise);
    mdm_free(&noise);
}

static void frames_are_drawn_as_soon_as_they_can_be(void **state)
{
    static const int lengths[] = {1, 5, 11, 12, 13, 18, 20, 21, 22, 25, 36, 37, 99};
    static const struct {
        int size, overlap;
    } shapes[] = {{12, 3}, {12, 0}, {12, 11}, {32, 16}, {1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
            for (int open = 0; open < 2; open++) {
                const mdm_windows w = {lengths[i], shapes[k].size, shapes[k].overlap, 3, open != 0};
                mdm_window_sampler *s = NULL;
                float *want = random_normals(1, "noise", (size_t)lengths[i] * VALUES);
                draw_plainly(want, &w, 5);
                ok(mdm_window_sampler_new(&s, &(mdm_window_options){.windows = w, .steps = 5, .values = VALUES}));
                fill(s, w.frames);
                ok(mdm_window_sampler_run(s, network, NULL, NULL));
                if (!(relative_error(mdm_window_sampler_latents(s), want, (size_t)w.frames * VALUES) < 1e-5))
                    fail_msg("%d frames in windows of %d, %d shared, %s", w.frames, w.size, w.overlap,
                             open ? "open" : "closed");
                mdm_window_sampler_free(&s);
                mdm_free(&want);
            }
}

/* ---- stopping ---- */

static mdm_window_sampler *open_run(const char *name, const char *job, const mdm_windows *w, bool goes_on)
{
    char path[128];
    mdm_window_sampler *s = NULL;
    in_folder(path, name);
    ok(mdm_window_sampler_new(
        &s, &(mdm_window_options){.windows = *w, .steps = 3, .values = VALUES, .folder = path, .job = job}));
    assert_int_equal(mdm_window_sampler_goes_on(s), goes_on);
    return s;
}

static bool stop(void *user, double done, double total)
{
    (void)total;
    return done < *(double *)user;
}

static void stopped_runs_go_on(void **state)
{
    (void)state;
    for (int open = 0; open < 2; open++) {
        const mdm_windows w = {31, 12, 3, 2, open != 0};
        char name[32];
        float want[31 * VALUES];
        mdm_window_sampler *s = NULL;
        ok(mdm_window_sampler_new(&s, &(mdm_window_options){.windows = w, .steps = 3, .values = VALUES}));
        fill(s, 31);
        ok(mdm_window_sampler_run(s, network, NULL, NULL));
        memcpy(want, mdm_window_sampler_latents(s), sizeof want);
        mdm_window_sampler_free(&s);
        for (int at = 0; at < 3 * 4; at++) {
            int left = at;
            snprintf(name, sizeof name, "run-%d-%d", open, at);
            s = open_run(name, "one", &w, false);
            fill(s, 31);
            assert_int_equal(mdm_window_sampler_run(s, network, &left, NULL), MDM_ERR_AGAIN);
            mdm_window_sampler_free(&s);
            s = open_run(name, "one", &w, true);
            double last = at + 2;
            const mdm_progress progress = {stop, &last};
            const mdm_status status = mdm_window_sampler_run(s, network, NULL, &progress);
            assert_true(status == MDM_ERR_CANCELLED || status == MDM_OK);
            mdm_window_sampler_free(&s);
            s = open_run(name, "one", &w, true);
            ok(mdm_window_sampler_run(s, network, NULL, NULL));
            assert_memory_equal(mdm_window_sampler_latents(s), want, sizeof want);
            mdm_window_sampler_free(&s);
            int none = 0;
            s = open_run(name, "one", &w, true); /* finished: nothing is asked any more */
            ok(mdm_window_sampler_run(s, network, &none, NULL));
            assert_memory_equal(mdm_window_sampler_latents(s), want, sizeof want);
            mdm_window_sampler_free(&s);
        }
        s = open_run(name, "another", &w, false);
        mdm_window_sampler_free(&s);
    }
}

/* A record that was written over by anything is no record. */
static void broken_records_are_begun_anew(void **state)
{
    char path[128];
    unsigned char *text = NULL;
    size_t size = 0;
    const mdm_windows w = {31, 12, 3, 2, false};
    (void)state;
    int left = 5;
    mdm_window_sampler *s = open_run("broken", "one", &w, false);
    fill(s, 31);
    assert_int_equal(mdm_window_sampler_run(s, network, &left, NULL), MDM_ERR_AGAIN);
    mdm_window_sampler_free(&s);
    in_folder(path, "broken/run.safetensors");
    ok(mdm_file_read(&text, &size, path, 1 << 20));
    for (size_t at = 0; at < size; at++) {
        unsigned char *copy = NULL;
        ok(mdm_alloc(&copy, size, 1, "copy"));
        memcpy(copy, text, size);
        copy[at] ^= 0x81;
        ok(mdm_file_write(path, copy, size));
        mdm_free(&copy);
        char run[128];
        in_folder(run, "broken");
        const mdm_window_options o = {.windows = w, .steps = 3, .values = VALUES, .folder = run, .job = "one"};
        ok(mdm_window_sampler_new(&s, &o));
        if (!mdm_window_sampler_goes_on(s))
            fill(s, 31);
        (void)mdm_window_sampler_run(s, network, NULL, NULL); /* must not read or write what is not its own */
        mdm_window_sampler_free(&s);
    }
    mdm_free(&text);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    mdm_window_sampler *s = NULL;
    const mdm_windows wrong[] = {{0, 12, 3, 2, false},
                                 {25, 33, 3, 2, false},
                                 {25, 12, 12, 2, false},
                                 {25, 0, 0, 2, false},
                                 {25, 12, -1, 2, false}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_not_equal(
            mdm_window_sampler_new(&s, &(mdm_window_options){.windows = wrong[i], .steps = 3, .values = VALUES}),
            MDM_OK);
        assert_null(s);
    }
    assert_int_equal(mdm_window_sampler_new(&s, &(mdm_window_options){.windows = {.frames = 25, .size = 12},
                                                                      .steps = 3,
                                                                      .values = VALUES,
                                                                      .folder = "/proc/none"}),
                     MDM_ERR_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule_is_the_published_one),           cmocka_unit_test(windows_lie_where_they_should),
        cmocka_unit_test(frames_are_drawn_as_soon_as_they_can_be), cmocka_unit_test(stopped_runs_go_on),
        cmocka_unit_test(broken_records_are_begun_anew),           cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
