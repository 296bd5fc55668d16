/* Tests of packing: what must not leave does not, the same input gives the same bytes, persons are never in two parts,
 * pages are escaped, pictures have a place beside videos. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/options.h"
#include "common/scratch.h"
#include "dataset/html.h"
#include "dataset/pack.h"

static json_t *parsed(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s in %s", error.text, text);
    return value;
}

/* A clip of persons `a` and, if not 0, `b`. */
static mdm_pack_clip clip_of(const char *id, int a, int b, const char *media)
{
    char plan[600], evidence[900];
    snprintf(
        plan, sizeof plan,
        "{\"voice\": \"mask\", \"persons\": [{\"id\": \"person-%02d\", \"action\": \"replace\", \"remove\": [\"race\"],"
        "\"keep\": {\"gaze\": \"as recorded\"}, \"standin\": {\"age\": \"30-39\", \"gender\": \"male\", \"race\": "
        "\"White\","
        "\"glasses\": false, \"seed_key\": \"SECRET-KEY\"}}%s]}",
        a, b ? ", {\"id\": \"person-99\", \"action\": \"cover\", \"remove\": [], \"keep\": {}, \"standin\": {}}" : "");
    snprintf(evidence, sizeof evidence,
             "{\"pass\": true, \"reasons\": [{\"code\": \"text\", \"text\": \"SECRET-PLATE\"}], \"judges\": "
             "[{\"name\": \"J\", "
             "\"measures\": \"reidentification\", \"true_match_rate\": 0.9%d}], \"uncovered\": {\"frames\": 0, "
             "\"faces\": 0, "
             "\"examples\": [\"SECRET-BOX\"]}, \"text\": {\"regions\": 1, \"readings\": [\"SECRET-TEXT\"]}, "
             "\"persons\": [{\"id\": "
             "\"person-%02d\", \"frames\": {\"face\": 10, \"replaced\": 9, \"covered\": 1, \"none\": 0}, \"contexts\": "
             "{\"age\": "
             "{\"treatment\": \"redraw\", \"before\": \"SECRET-AGE\", \"after\": \"30-39\", \"agree\": false}, "
             "\"gaze\": {\"treatment\": "
             "\"keep\", \"error\": 2.5, \"before\": \"KEPT-BEFORE\"}, \"race\": {\"treatment\": \"remove\", \"after\": "
             "\"SECRET-RACE\"}}}]}",
             a, a);
    return (mdm_pack_clip){
        .clip_id = id,
        .media = media,
        .clip = parsed("{\"video\": {\"frames\": 10, \"fps\": 25.0, \"width\": 64, \"height\": 48}, \"audio\": "
                       "{\"codec\": \"aac\"}, "
                       "\"source\": {\"path\": \"SECRET-PATH\", \"sha256\": \"SECRET-HASH\"}}"),
        .plan = parsed(plan),
        .evidence = parsed(evidence),
        .transcript = parsed("{\"text\": \"call [PHONE]\", \"words\": [\"SECRET-WORD\"]}"),
        .passed = media != NULL,
    };
}

static void free_clip(mdm_pack_clip *clip)
{
    json_decref((json_t *)clip->clip);
    json_decref((json_t *)clip->plan);
    json_decref((json_t *)clip->evidence);
    json_decref((json_t *)clip->transcript);
}

static void pack_into(const char *name, const mdm_pack_clip *clips, size_t count)
{
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    snprintf(settings.title, sizeof settings.title, "A \"title\": <b>");
    json_t *policy = parsed("{\"age\": \"redraw\", \"gaze\": \"keep\"}"),
           *channels = parsed("{\"voice\": \"mask\", \"cover\": [[7, 7, 7, 7]]}");
    const mdm_pack_info info = {&settings, policy, channels, NULL, NULL, NULL, "0"};
    assert_int_equal(mdm_make_folder(scratch(name), 0755), MDM_OK);
    if (mdm_pack(scratch(name), &info, clips, count) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    json_decref(policy);
    json_decref(channels);
}

static void secrets_stay_behind(void **state)
{
    (void)state;
    static const char *const files[] = {"a/README.md", "a/train/metadata.jsonl", "a/audit/report.json",
                                        "a/audit/report.html"};
    assert_int_equal(mdm_file_write(scratch("m.mp4"), "video", 5), MDM_OK);
    mdm_pack_clip clips[] = {clip_of("clip-0001", 1, 0, scratch("m.mp4")), clip_of("clip-0002", 2, 0, NULL)};
    pack_into("a", clips, 2);
    pack_into("b", clips, 2);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *text = text_of(files[i]);
        if (strstr(text, "SECRET"))
            fail_msg("%s: %.40s", files[i], strstr(text, "SECRET"));
        free(text);
    }
    char *report = text_of("a/audit/report.json"), *row = text_of("a/train/metadata.jsonl");
    assert_non_null(strstr(report, "KEPT-BEFORE"));
    assert_non_null(strstr(report, "\"text\"\n")); /* the reason's code for the clip that was held back */
    assert_non_null(strstr(row, "\"race\":null"));
    assert_non_null(strstr(row, "\"frames_replaced\":9"));
    assert_non_null(strstr(row, "masked voice"));
    assert_null(strstr(row, "clip-0002"));
    free(report), free(row);
    char *a = text_of("a/SHA256SUMS"), *b = text_of("b/SHA256SUMS");
    assert_string_equal(a, b);
    free(a), free(b);
    free_clip(&clips[0]), free_clip(&clips[1]);
}

/* 12 clips; the shared person-99 ties the first three together. */
/* Rate, use and note of a judge are of the same clip: one that is blind in the second clip is not "used". */
static void a_judge_is_told_where_it_knew_fewest(void **state)
{
    (void)state;
    static const char *const lines[] = {"{\"judges\": [{\"name\": \"J\", \"measures\": \"who\", \"true_match_rate\": "
                                        "null, \"used\": true, \"note\": \"unknown\"}]}",
                                        "{\"judges\": [{\"name\": \"J\", \"measures\": \"who\", \"true_match_rate\": "
                                        "0.7, \"used\": false, \"note\": \"blind\"}]}",
                                        "{\"judges\": [{\"name\": \"J\", \"measures\": \"who\", \"true_match_rate\": "
                                        "0.97, \"used\": true, \"note\": \"\"}]}"};
    mdm_pack_clip clips[3];
    mdm_settings settings;
    json_t *report;
    mdm_settings_defaults(&settings);
    for (int i = 0; i < 3; i++) {
        clips[i] = clip_of("clip-0001", 1, 0, NULL);
        json_decref((json_t *)clips[i].evidence);
        clips[i].evidence = parsed(lines[i]);
    }
    assert_int_equal(mdm_report_json(&report, &(mdm_pack_info){.settings = &settings, .version = "0"}, clips, 3),
                     MDM_OK);
    const json_t *judge = json_array_get(json_object_get(report, "judges"), 0);
    assert_int_equal(json_array_size(json_object_get(report, "judges")), 1);
    assert_true(json_number_value(json_object_get(judge, "true_match_rate")) == 0.7);
    assert_true(json_is_false(json_object_get(judge, "used")));
    assert_string_equal(json_string_value(json_object_get(judge, "note")), "blind");
    json_decref(report);
    for (int i = 0; i < 3; i++)
        free_clip(&clips[i]);
}

static void persons_are_in_one_part_only(void **state)
{
    (void)state;
    mdm_pack_clip clips[12];
    static char ids[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(ids[i], sizeof ids[i], "clip-%04d", i + 1);
        clips[i] = clip_of(ids[i], i + 1, i < 3, scratch("m.mp4"));
    }
    pack_into("parts", clips, 12);
    int tested = 0, together = 0;
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "parts/test/%s.mp4", ids[i]);
        tested += mdm_file_exists(scratch(name));
        together += i < 3 && mdm_file_exists(scratch(name));
    }
    assert_true(tested >= 2 && tested <= 4); /* a fifth of ten groups; the tied one counts three clips */
    assert_true(together == 0 || together == 3);
    char *card = text_of("parts/README.md");
    assert_non_null(strstr(card, "split: test"));
    assert_non_null(strstr(card, "pretty_name: \"A \\\"title\\\": <b>\""));
    free(card);
    for (int i = 0; i < 12; i++)
        free_clip(&clips[i]);
}

static void stills_lie_beside_videos(void **state)
{
    (void)state;
    assert_int_equal(mdm_file_write(scratch("s.png"), "still", 5), MDM_OK);
    mdm_pack_clip clips[] = {clip_of("clip-0001", 1, 0, scratch("m.mp4")),
                             clip_of("clip-0002", 2, 0, scratch("s.png"))};
    pack_into("mixed", clips, 2);
    assert_true(mdm_file_exists(scratch("mixed/stills/train/clip-0002.png")));
    assert_true(mdm_file_exists(scratch("mixed/train/clip-0001.mp4")));
    pack_into("only", clips + 1, 1);
    assert_true(mdm_file_exists(scratch("only/train/clip-0002.png")));
    free_clip(&clips[0]), free_clip(&clips[1]);
}

/* Who listens elsewhere is named on card, report and page; nobody is where the sound stayed here. */
static void sound_that_left_is_told_of(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        mdm_settings settings;
        mdm_buffer page = {0};
        unsigned char *card;
        size_t size;
        json_t *report;
        mdm_settings_defaults(&settings);
        snprintf(settings.gemini_model, sizeof settings.gemini_model, "gemini-<x>");
        if (sent)
            snprintf(settings.transcribe, sizeof settings.transcribe, "gemini");
        const mdm_pack_info info = {.settings = &settings, .version = "0"};
        assert_int_equal(mdm_pack_card(scratch("card.md"), &info, 0, 0, &(mdm_pack_content){0}), MDM_OK);
        assert_int_equal(mdm_file_read(&card, &size, scratch("card.md"), 1 << 20), MDM_OK);
        assert_int_equal(strstr((char *)card, "was sent to Google") != NULL, sent);
        assert_int_equal(mdm_report_json(&report, &info, NULL, 0), MDM_OK);
        assert_int_equal(json_object_get(report, "sound_sent") != NULL, sent);
        assert_int_equal(mdm_report_html(&page, report, NULL, 0), MDM_OK);
        assert_int_equal(strstr((char *)page.data, "left the machine") != NULL, sent);
        assert_int_equal(strstr((char *)page.data, "gemini-&lt;x&gt;") != NULL, sent);
        json_decref(report);
        mdm_buffer_free(&page);
        mdm_free(&card);
    }
}

static void text_is_escaped(void **state)
{
    (void)state;
    mdm_buffer out = {0};
    json_t *value = parsed("{\"a\": \"<script>\", \"b\": [1], \"c\": 0.12345, \"d\": true}");
    assert_int_equal(mdm_html_value(&out, value), MDM_OK);
    assert_null(strstr((char *)out.data, "<"));
    assert_non_null(strstr((char *)out.data, "a &lt;script&gt;"));
    assert_non_null(strstr((char *)out.data, "c 0.123"));
    json_decref(value);
    mdm_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_stay_behind),          cmocka_unit_test(a_judge_is_told_where_it_knew_fewest),
        cmocka_unit_test(persons_are_in_one_part_only), cmocka_unit_test(stills_lie_beside_videos),
        cmocka_unit_test(sound_that_left_is_told_of),   cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
