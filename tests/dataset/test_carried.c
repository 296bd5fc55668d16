/* Tests of labels that people already have: the same boxes from every format; faces measured again, names left behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "dataset/carried.h"

static const mdm_carried_clip clip = {"drive", 10, 200, 100};

static json_t *read_text(const char *text, mdm_status expected)
{
    char path[64];
    json_t *items = json_array();
    snprintf(path, sizeof path, "/tmp/mdm-carried-%ld", (long)getpid());
    assert_int_equal(mdm_file_write(path, text, strlen(text)), MDM_OK);
    mdm_status status = mdm_carried_read(items, path, &clip);
    remove(path);
    if (status != expected)
        fail_msg("%d: %s", status, mdm_error_message());
    return items;
}

static void is_item(json_t *items, size_t index, const char *expected)
{
    char *text = json_dumps(json_array_get(items, index), JSON_COMPACT | JSON_PRESERVE_ORDER);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

#define FACE "{\"label\":\"face\",\"kind\":\"track\",\"boxes\":[[2,10.0,20.0,40.0,50.0],[3,12.0,20.0,40.0,50.0]]}"

static const char openlabel[] = "{\"%s\": {\"objects\": {\"7\": {\"name\": \"Anna Example\", \"type\": \"face\"}, "
                                "\"8\": {\"type\": \"the man who stole a car!\"}},"
                                "\"actions\": {\"0\": {\"name\": \"Anna\", \"type\": \"driver_actions/safe_drive\", "
                                "\"frame_intervals\": [{\"frame_start\": 1, "
                                "\"frame_end\": 4}, {\"frame_start\": 5, \"frame_end\": 99}]}}, \"frames\": {\"2\": "
                                "{\"objects\": {\"7\": {\"object_data\": "
                                "{\"bbox\": [{\"name\": \"b\", \"val\": [30, 45, 40, 50]}]}}, \"8\": {\"object_data\": "
                                "{\"bbox\": [{\"val\": [1, 1, 1, 1]}]}}}}, \"3\": "
                                "{\"objects\": {\"7\": {\"object_data\": {\"bbox\": [{\"name\": \"b\", \"val\": [32, "
                                "45, 40, 50]}]}}}}, \"77\": {\"objects\": {\"7\": "
                                "{\"object_data\": {\"bbox\": [{\"val\": [32, 45, 40, 50]}]}}}}}}}";

static void openlabel_and_vcd(void **state)
{
    (void)state;
    static const char *const roots[] = {"openlabel", "vcd"};
    for (int i = 0; i < 2; i++) {
        char text[2000];
        snprintf(text, sizeof text, openlabel, roots[i]);
        json_t *items = read_text(text, MDM_OK);
        assert_int_equal(json_array_size(items), 2); /* no sentence for a class */
        is_item(items, 0, FACE);
        is_item(items, 1, "{\"label\":\"driver_actions/safe_drive\",\"kind\":\"action\",\"frame_intervals\":[[1,4]]}");
        json_decref(items);
    }
}

static void coco(void **state)
{
    (void)state;
    json_t *items = read_text("{\"images\": [{\"id\": 1, \"file_name\": \"x/drive_000002.jpg\"}, {\"id\": 2, "
                              "\"file_name\": \"drive_3.jpg\"}, {\"id\": 3, "
                              "\"file_name\": \"drive2_000003.jpg\"}], \"categories\": [{\"id\": 1, \"name\": "
                              "\"face\"}], \"annotations\": [{\"image_id\": 1, "
                              "\"category_id\": 1, \"bbox\": [10, 20, 40, 50], \"track_id\": 5}, {\"image_id\": 2, "
                              "\"category_id\": 1, \"bbox\": [12, 20, 40, "
                              "50], \"attributes\": {\"track_id\": 5, \"name\": \"Anna\"}}, {\"image_id\": 3, "
                              "\"category_id\": 1, \"bbox\": [1, 1, 1, 1]}]}",
                              MDM_OK);
    assert_int_equal(json_array_size(items), 1);
    is_item(items, 0, FACE);
    json_decref(items);
}

static void label_studio(void **state)
{
    (void)state;
    json_t *items = read_text("[{\"data\": {\"video\": \"/data/local-files/?d=a/drive.mp4\"}, \"annotations\": "
                              "[{\"result\": [{\"value\": {\"labels\": [\"face\"], "
                              "\"sequence\": [{\"frame\": 3, \"x\": 5, \"y\": 20, \"width\": 20, \"height\": 50, "
                              "\"enabled\": true}, {\"frame\": 5, \"x\": 7, \"y\": "
                              "20, \"width\": 20, \"height\": 50, \"enabled\": false}, {\"frame\": 9, \"x\": 7, \"y\": "
                              "20, \"width\": 20, \"height\": 50}]}}]}]}, "
                              "{\"data\": {\"video\": \"other.mp4\"}, \"annotations\": [{\"result\": [{\"value\": "
                              "{\"labels\": [\"face\"], \"sequence\": "
                              "[{\"frame\": 1, \"x\": 1, \"y\": 1, \"width\": 1, \"height\": 1}]}}]}]}]",
                              MDM_OK);
    assert_int_equal(json_array_size(items), 1);
    is_item(items, 0,
            "{\"label\":\"face\",\"kind\":\"track\",\"boxes\":[[2,10.0,20.0,40.0,50.0],[3,12.0,20.0,40.0,50.0],[4,14.0,"
            "20.0,40.0,50.0],"
            "[8,14.0,20.0,40.0,50.0]]}");
    json_decref(items);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{}", "[]", "[1]", "{\"images\": []}", "{\"openlabel\": 1}", "{"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        json_decref(read_text(wrong[i], MDM_ERR_INPUT));
    assert_true(mdm_carried_names("drive_ann.json", "drive") && mdm_carried_names("a/drive", "drive"));
    assert_false(mdm_carried_names("drive2.json", "drive") || mdm_carried_names(NULL, "drive"));
}

/* Face in frame 2 is measured, in frame 3 it is covered; a hand is carried, a nose inside the face is not. */
static void faces_are_measured_again(void **state)
{
    (void)state;
    mdm_face_label seen[2] = {{.frame = 2, .seen = true, .box = {13, 22, 38, 50}}, {.frame = 3, .covered = true}};
    const mdm_face_labels faces = {seen, 2};
    json_t *out, *changes,
        *items = json_loads("[" FACE ", {\"label\": \"hand\", \"kind\": \"track\", \"boxes\": [[2, 100, 10, 9, 9]]}, "
                            "{\"label\": \"nose\", \"kind\": \"track\", "
                            "\"boxes\": [[2, 25, 40, 5, 5]]}, {\"label\": \"face\", \"kind\": \"track\", \"boxes\": "
                            "[[2, 150, 20, 20, 20]]}, {\"label\": \"a\", "
                            "\"kind\": \"action\", \"frame_intervals\": [[0, 9]]}]",
                            0, NULL);
    assert_non_null(items);
    assert_int_equal(mdm_carried_remeasure(&out, &changes, items, &faces, true), MDM_OK);
    assert_int_equal(json_array_size(out), 3);
    is_item(out, 0, "{\"label\":\"face\",\"kind\":\"track\",\"remeasured\":true,\"boxes\":[[2,13.0,22.0,38.0,50.0]]}");
    is_item(out, 1, "{\"label\":\"hand\",\"kind\":\"track\",\"remeasured\":false,\"boxes\":[[2,100,10,9,9]]}");
    is_item(out, 2, "{\"label\":\"a\",\"kind\":\"action\",\"frame_intervals\":[[0,9]],\"remeasured\":false}");
    assert_int_equal(json_array_size(changes), 5);
    const json_t *first = json_array_get(changes, 0);
    assert_int_equal(json_integer_value(json_object_get(first, "frames_before")), 2);
    assert_int_equal(json_integer_value(json_object_get(first, "frames_after")), 1);
    assert_true(fabs(json_number_value(json_object_get(first, "mean_overlap")) - 0.8) < 0.05);
    json_decref(out), json_decref(changes);
    assert_int_equal(mdm_carried_remeasure(&out, &changes, items, &faces, false), MDM_OK);
    assert_int_equal(json_array_size(out), 2); /* in portrait mode the scene's boxes are of another picture */
    json_decref(out), json_decref(changes), json_decref(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openlabel_and_vcd),
        cmocka_unit_test(coco),
        cmocka_unit_test(label_studio),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(faces_are_measured_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
