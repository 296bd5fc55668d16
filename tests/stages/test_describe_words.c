/* The describe backend `pllava` with a reduced model of random weights: what it adds to a description, that a form is filled in whatever
 * the model would rather say, and what the plan tells of a disagreement. Needs the lists of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"
#include "common/fetched.h"
#include "common/ffmpeg_tool.h"
#include "common/pllava_folder.h"
#include "common/scratch.h"
#include "models/person_form.h"
#include "stages/describe_words.h"
#include "stages/plan.h"

static char model[128], clip_path[128];

static int make_all(void **state)
{
    char command[512];
    const int failed = make_folder(state);
    in_folder(model, "model");
    in_folder(clip_path, "clip.mkv");
    pllava_make_folder(model, "model");
    snprintf(command, sizeof command, "-f lavfi -i testsrc2=s=192x108:d=2:r=10 -c:v ffv1 -pix_fmt yuv444p %s",
             clip_path);
    return failed || !ffmpeg(command);
}

static void a_description_gets_words(void **state)
{
    (void)state;
    static mdm_settings settings;
    char work_folder[128];
    mdm_clip clip = {0};
    mdm_found found = {.width = 192, .height = 108};
    mdm_track *track = NULL;
    need_file(models(), "common-words.txt");
    need_file(models(), "first-names-male.txt");
    in_folder(work_folder, "work");
    ok(mdm_make_folder(work_folder, 0700));
    mdm_settings_defaults(&settings);
    snprintf(settings.describe, sizeof settings.describe, "pllava");
    snprintf(settings.caption.model, sizeof settings.caption.model, "%s", model);
    ok(mdm_describe_words_ready(&settings));
    const mdm_clip_work work = {.clip_id = "clip-0001",
                                .source = clip_path,
                                .folder = work_folder,
                                .models = models(),
                                .settings = &settings,
                                .threads = 1};
    ok(mdm_stage_ingest((mdm_clip_work *)(uintptr_t)&work));
    ok(mdm_clip_read(&clip, work_folder));
    ok(mdm_tracks_add(&track, &found.tracks, 3));
    for (int n = 3; n < 12; n++)
        ok(mdm_track_set_box(track, n, (const float[4]){150, 5, 30, 40}, 1, MDM_TRACK_SEEN)); /* at the edge */
    json_t *context = json_pack("{s:[{s:i, s:i, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:b}}], s:{s:s}, s:[]}", "tracks", "id",
                                0, "looks", 3, "age", "bin", "30-39", "gender", "value", "male", "race", "value",
                                "White", "glasses", "value", 0, "scene", "caption", "a video", "networks");
    assert_non_null(context);
    ok(mdm_describe_words(context, &work, &clip, &found));
    const json_t *one = json_array_get(json_object_get(context, "tracks"), 0),
                 *scene = json_object_get(context, "scene");
    assert_true(json_is_string(json_object_get(scene, "dense")));
    assert_string_equal(json_string_value(json_object_get(scene, "caption")), "a video");
    assert_true(json_is_object(json_object_get(one, "form")));
    assert_true(json_is_array(json_object_get(one, "disagreements")));
    mdm_caption words;
    const char *text = json_string_value(json_object_get(one, "words"));
    if (*text)
        ok(mdm_caption_parse(&words, text));
    print_message("form: \"%s\", %zu disagreements\n", text, json_array_size(json_object_get(one, "disagreements")));
    json_decref(context);
    mdm_found_free(&found);
    mdm_clip_free(&clip);
}

static void a_missing_model_is_told_before_anything_else(void **state)
{
    (void)state;
    static mdm_settings settings;
    mdm_settings_defaults(&settings);
    ok(mdm_describe_words_ready(&settings)); /* not asked for */
    snprintf(settings.describe, sizeof settings.describe, "pllava");
    snprintf(settings.caption.model, sizeof settings.caption.model, "%s/nothing.gguf", folder);
    assert_int_equal(mdm_describe_words_ready(&settings), MDM_ERR_DEVICE);
    assert_non_null(strstr(mdm_error_message(), "--describe-model"));
}

/* One person, whose form says another gender and another age. */
static json_t *plan_with(mdm_treatment gender)
{
    static mdm_settings settings;
    json_t *plan = NULL, *context = json_pack("{s:[{s:i, s:{s:s, s:f}, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}]}",
                                              "tracks", "id", 0, "gender", "value", "male", "confidence", 0.9,
                                              "disagreements", "context", "gender", "networks", "male", "form",
                                              "female", "context", "age", "networks", "30-39", "form", "elderly");
    mdm_settings_defaults(&settings);
    settings.context[MDM_CONTEXT_GENDER] = gender;
    const mdm_plan_clip clip = {.clip_id = "clip-0001", .context = context};
    const mdm_plan_track track = {.clip_id = "clip-0001", .track = 0, .person = "person-01"};
    ok(mdm_plan_make(&plan, &settings, &clip, 1, &track, 1));
    json_decref(context);
    return plan;
}

static bool notes_have(const json_t *plan, const char *words)
{
    const json_t *notes = json_object_get(json_array_get(json_object_get(plan, "persons"), 0), "notes");
    for (size_t i = 0; i < json_array_size(notes); i++)
        if (strstr(json_string_value(json_array_get(notes, i)), words))
            return true;
    return false;
}

static void the_plan_tells_disagreements_about_what_is_kept(void **state)
{
    (void)state;
    json_t *kept = plan_with(MDM_KEEP), *drawn = plan_with(MDM_REDRAW);
    assert_true(notes_have(kept, "gender: the networks say male, the video model female (clip-0001)"));
    assert_false(notes_have(kept, "elderly")); /* age is drawn: nothing about it is looked at */
    assert_false(notes_have(drawn, "female"));
    json_decref(kept);
    json_decref(drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_gets_words),
        cmocka_unit_test(a_missing_model_is_told_before_anything_else),
        cmocka_unit_test(the_plan_tells_disagreements_about_what_is_kept),
    };
    return cmocka_run_group_tests(tests, make_all, remove_folder);
}
