/* Tests of the options table: defaults, lists, nearest names, conflicts, YAML with lines, keys, documentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/options.h"

/* Splits at blanks and parses; positional words are dropped. */
static mdm_status parse(mdm_settings *settings, const char *line)
{
    char copy[512], *argv[32];
    const char *positional[32];
    int argc = 0, count;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    mdm_status status = mdm_settings_parse(settings, MDM_FOR_JOBS, positional, &count, argc, argv);
    return status == MDM_OK ? mdm_settings_finish(settings) : status;
}

static mdm_status load(mdm_settings *settings, const char *text)
{
    mdm_settings_defaults(settings);
    return mdm_settings_load_text(settings, text, strlen(text), "job.yaml");
}

static void every_default_is_valid(void **state)
{
    (void)state;
    int count;
    const mdm_option *table = mdm_option_table(&count);
    mdm_settings settings;
    for (int i = 0; i < count; i++) {
        assert_true(table[i].offset < sizeof settings);
        for (int j = 0; j < i; j++) /* a command knows one option of a name */
            assert_true(strcmp(table[i].name, table[j].name) != 0 ||
                        (table[i].use != table[j].use && table[i].use != MDM_FOR_ALL && table[j].use != MDM_FOR_ALL));
        mdm_settings_defaults_for(&settings, table[i].use == MDM_FOR_ALL ? MDM_FOR_JOBS : table[i].use);
        if (!table[i].fallback || !table[i].fallback[0])
            continue;
        assert_int_equal(mdm_option_set(&settings, &table[i], table[i].fallback), MDM_OK);
        mdm_buffer text = {0};
        assert_int_equal(mdm_option_print(&text, &settings, &table[i]), MDM_OK);
        assert_string_equal((char *)text.data, table[i].fallback);
        mdm_buffer_free(&text);
    }
    int presets;
    const mdm_preset *preset = mdm_presets(&presets);
    for (int i = 0; i < presets; i++) {
        char line[64];
        snprintf(line, sizeof line, "--preset %s", preset[i].name);
        assert_int_equal(parse(&settings, line), MDM_OK);
        /* Its file says the same as a configuration. */
        char path[512];
        mdm_settings loaded;
        mdm_settings_defaults(&loaded);
        snprintf(path, sizeof path, "%s/presets/%s.yaml", MDM_SOURCE_DIR, preset[i].name);
        assert_int_equal(mdm_settings_load(&loaded, path), MDM_OK);
        assert_int_equal(mdm_settings_finish(&loaded), MDM_OK);
        assert_memory_equal(loaded.context, settings.context, sizeof loaded.context);
        assert_true(strlen(preset[i].help) > 20);
    }
}

static void nothing_is_kept_by_default(void **state)
{
    (void)state;
    mdm_settings s;
    assert_int_equal(parse(&s, ""), MDM_OK);
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++)
        assert_int_not_equal(s.context[c], MDM_KEEP);
    assert_int_equal(s.voice, MDM_VOICE_REMOVE);
    assert_int_equal(s.plates, MDM_COVER_BLUR);
}

static void lists_and_values_are_read(void **state)
{
    (void)state;
    mdm_settings s;
    assert_int_equal(parse(&s, "a.mp4 --keep age,gaze,head-pose,speech --coarsen race --remove glasses -o out --jobs=3 "
                               "--cover 0,1,20,30 --cover 5,6,7,8 --start 1:30 --end 1h2m --seed 18446744073709551615 "
                               "--exclude-person person-01,person-02 --plates fill --json"),
                     MDM_OK);
    assert_int_equal(s.context[MDM_CONTEXT_AGE], MDM_KEEP);
    assert_int_equal(s.context[MDM_CONTEXT_HEAD_POSE], MDM_KEEP);
    assert_int_equal(s.context[MDM_CONTEXT_RACE], MDM_COARSEN);
    assert_int_equal(s.context[MDM_CONTEXT_GLASSES], MDM_REMOVE);
    assert_int_equal(s.context[MDM_CONTEXT_GENDER], MDM_REDRAW);
    assert_int_equal(s.voice, MDM_VOICE_MASK);
    assert_string_equal(s.output, "out");
    assert_int_equal(s.cover_count, 2);
    assert_int_equal(s.cover[1][3], 8);
    assert_true(s.start == 90 && s.end == 3720);
    assert_true(s.seed == UINT64_MAX);
    assert_int_equal(s.exclude_count, 2);
    assert_int_equal(s.plates, MDM_COVER_FILL);
    assert_true(s.json && s.jobs == 3);
}

static void a_preset_comes_first_wherever_it_stands(void **state)
{
    (void)state;
    mdm_settings s;
    assert_int_equal(parse(&s, "--redraw gaze --preset interview"), MDM_OK);
    assert_int_equal(s.context[MDM_CONTEXT_GAZE], MDM_REDRAW);
    assert_int_equal(s.context[MDM_CONTEXT_AGE], MDM_KEEP);
}

static const struct {
    const char *line, *message;
} mistakes[] = {
    {"--kepp age", "did you mean 'keep'"},
    {"--keep genre", "did you mean 'gender'"},
    {"--keep pose", "did you mean 'head_pose'"},
    {"--keep xyzzy", "expected one of age, gender"},
    {"--plates blr", "did you mean 'blur'"},
    {"--preset intervew", "did you mean 'interview'"},
    {"--coarsen gender", "no rough groups"},
    {"--keep age --redraw age", "age is named by both --keep and --redraw"},
    {"--jobs -1", "whole number from 0 to 256"},
    {"--jobs 3x", "'3x'"},
    {"--seed -3", "'-3'"},
    {"--cover 1,2,3", "rectangle"},
    {"--cover 1,2,3,0", "rectangle"},
    {"--start 1..3x", "'1..3x'"},
    {"--start nan", "'nan'"},
    {"--start 10 --end 5", "not after"},
    {"--keep", "needs a value (LIST)"},
    {"--force=maybe", "true or false"},
    {"-z", "'-z'"},
    {"--keep voice", "needs --keep speech"},
    {"--remove head_pose", "--exclude-person"},
    {"--remove scene", "--mode portrait"},
};

static void mistakes_are_usage_errors_with_a_hint(void **state)
{
    (void)state;
    mdm_settings s;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_int_equal(parse(&s, mistakes[i].line), MDM_ERR_USAGE);
        if (!strstr(mdm_error_message(), mistakes[i].message))
            fail_msg("%s: %s", mistakes[i].line, mdm_error_message());
    }
}

static void yaml_sets_the_same_options(void **state)
{
    (void)state;
    mdm_settings s;
    assert_int_equal(load(&s, "# a job\nkeep: [age, gaze]\nexclude_person:\n  - person-03\ncover: [0, 1, 20, 30]\n"
                              "plates: mosaic\nforce: yes\nstart: 1:30\nseed: 7\npreset: street\n"),
                     MDM_OK);
    assert_int_equal(s.context[MDM_CONTEXT_GAZE], MDM_KEEP);
    assert_int_equal(s.context[MDM_CONTEXT_HEAD_POSE], MDM_KEEP);
    assert_string_equal(s.exclude[0], "person-03");
    assert_int_equal(s.cover[0][2], 20);
    assert_int_equal(s.plates, MDM_COVER_MOSAIC);
    assert_true(s.force && s.start == 90 && s.seed == 7);
    assert_int_equal(load(&s, "cover: ['1,2,3,4', '5,6,7,8']\n"), MDM_OK);
    assert_int_equal(s.cover_count, 2);
    assert_int_equal(load(&s, ""), MDM_OK);
}

static const struct {
    const char *text, *message;
} yaml_mistakes[] = {
    {"keep: [age]\nplates: blurr\n", "job.yaml:2: --plates: 'blurr'"},
    {"\n\nkep: [age]\n", "job.yaml:3: unknown option 'kep': did you mean 'keep'?"},
    {"keep: [age]\nkeep: [gaze]\n", "job.yaml:2: this option is there twice"},
    {"keep:\n  age: true\n", "job.yaml:2: options cannot be nested"},
    {"plates: [blur]\n", "job.yaml:1: this option takes one value"},
    {"keep: &a [age]\nredraw: *a\n", "job.yaml:2: anchors"},
    {"keep: [age\nplates: blur\n", "job.yaml:2:"},
    {"- keep\n", "job.yaml:1: a list is not expected here"},
    {"keep: [[age]]\n", "job.yaml:1: a list is not expected here"},
    {"hello\n", "job.yaml:1: expected lines such as"},
    {"keep: [age]\nredraw: [age]\n", "job.yaml:2: age is named by both"},
    {"config: other.yaml\n", "job.yaml:1: a configuration cannot name"},
};

static void yaml_mistakes_name_the_line(void **state)
{
    (void)state;
    mdm_settings s;
    for (size_t i = 0; i < sizeof yaml_mistakes / sizeof yaml_mistakes[0]; i++) {
        assert_int_equal(load(&s, yaml_mistakes[i].text), MDM_ERR_CONFIG);
        if (strncmp(mdm_error_message(), yaml_mistakes[i].message, strlen(yaml_mistakes[i].message)) != 0)
            fail_msg("%s: %s", yaml_mistakes[i].text, mdm_error_message());
    }
}

/* `mmdm portrait --backend` has rows of its own, also of names that jobs use otherwise. */
static void a_picture_from_words_has_its_own_options(void **state)
{
    (void)state;
    mdm_settings s;
    const char *words[8];
    int count;
    char *argv[] = {"--describe", "a man, a wall", "--guidance=2.5", "-o", "x.png", "--sampler", "ddim", "--seed", "7"};
    assert_int_equal(mdm_settings_parse(&s, MDM_FOR_DRAWING, words, &count, 9, argv), MDM_OK);
    assert_string_equal(s.drawing.describe, "a man, a wall");
    assert_true(s.drawing.guidance == 2.5 && s.seed == 7 && s.drawing.tries == 8 && !s.drawing.no_negative);
    assert_string_equal(s.drawing.sampler, "ddim");
    assert_string_equal(s.drawing.backend, "cosmicman-sdxl");
    assert_string_equal(s.output, "x.png");
    assert_string_equal(s.describe, ""); /* the job's */

    static const char text[] = "describe: a woman\nsteps: 12\nno-negative: yes\njson: true\n";
    mdm_settings_defaults_for(&s, MDM_FOR_DRAWING);
    assert_int_equal(mdm_settings_load_text(&s, text, strlen(text), "draw.yaml"), MDM_OK);
    assert_true(s.drawing.steps == 12 && s.drawing.no_negative && s.json);
    assert_string_equal(s.drawing.describe, "a woman");

    static const struct {
        const char *name, *value, *said;
    } wrong[] = {
        {"--stepps", "3", "did you mean 'steps'"},        {"--keep", "age", "--keep does not go with"},
        {"--sampler", "eular", "did you mean 'euler'"},   {"--guidance", "nan", "a number from 0 to 1000"},
        {"--second-pass", "1.5", "a number from 0 to 1"}, {"--tries", "-1", "a whole number from 0 to 1000"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *line[] = {(char *)(uintptr_t)wrong[i].name, (char *)(uintptr_t)wrong[i].value};
        assert_int_equal(mdm_settings_parse(&s, MDM_FOR_DRAWING, words, &count, 2, line), MDM_ERR_USAGE);
        if (!strstr(mdm_error_message(), wrong[i].said))
            fail_msg("%s does not say %s", mdm_error_message(), wrong[i].said);
    }
    assert_int_equal(parse(&s, "--steps 3"), MDM_ERR_USAGE);
    assert_non_null(strstr(mdm_error_message(), "mmdm portrait --backend"));
}

static void keys_change_with_what_they_cover(void **state)
{
    (void)state;
    mdm_settings a, b;
    char find_a[65], find_b[65], plan_a[65], plan_b[65];
    assert_int_equal(parse(&a, "--keep age --jobs 1"), MDM_OK);
    assert_int_equal(parse(&b, "--keep gaze --jobs 2"), MDM_OK);
    assert_int_equal(mdm_settings_key(find_a, &a, MDM_STALE_FIND), MDM_OK);
    assert_int_equal(mdm_settings_key(find_b, &b, MDM_STALE_FIND), MDM_OK);
    assert_int_equal(mdm_settings_key(plan_a, &a, MDM_STALE_PLAN), MDM_OK);
    assert_int_equal(mdm_settings_key(plan_b, &b, MDM_STALE_PLAN), MDM_OK);
    assert_string_equal(find_a, find_b);
    assert_string_not_equal(plan_a, plan_b);
}

static void the_documentation_is_up_to_date(void **state)
{
    (void)state;
    mdm_buffer text = {0};
    unsigned char *committed;
    size_t size;
    assert_int_equal(mdm_options_markdown(&text), MDM_OK);
    assert_int_equal(mdm_file_read(&committed, &size, MDM_SOURCE_DIR "/docs/options.md", 1 << 20), MDM_OK);
    assert_string_equal((char *)committed, (char *)text.data);
    mdm_free(&committed);
    for (int use = MDM_FOR_JOBS; use < MDM_FOR_ALL; use++) {
        text.size = 0;
        assert_int_equal(mdm_options_help(&text, (mdm_option_use)use), MDM_OK);
        assert_int_equal(strstr((char *)text.data, "--guidance FACTOR") != NULL, use == MDM_FOR_DRAWING);
        assert_int_equal(strstr((char *)text.data, "--landmarks FILE") != NULL, use == MDM_FOR_TALKING);
        assert_int_equal(strstr((char *)text.data, "--keep LIST") != NULL, use == MDM_FOR_JOBS);
        assert_non_null(strstr((char *)text.data, "--models FOLDER"));
        for (char *line = strtok((char *)text.data, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(strlen(line) <= 110);
    }
    mdm_buffer_free(&text);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--markdown") == 0) { /* `mmdm options --markdown` before there is an mmdm */
        mdm_buffer text = {0};
        if (mdm_options_markdown(&text) == MDM_OK)
            fputs((char *)text.data, stdout);
        mdm_buffer_free(&text);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_valid),
        cmocka_unit_test(nothing_is_kept_by_default),
        cmocka_unit_test(lists_and_values_are_read),
        cmocka_unit_test(a_preset_comes_first_wherever_it_stands),
        cmocka_unit_test(mistakes_are_usage_errors_with_a_hint),
        cmocka_unit_test(yaml_sets_the_same_options),
        cmocka_unit_test(yaml_mistakes_name_the_line),
        cmocka_unit_test(a_picture_from_words_has_its_own_options),
        cmocka_unit_test(keys_change_with_what_they_cover),
        cmocka_unit_test(the_documentation_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
