/* Tests of labels of faces, which are read as they were written, and of parts that no person is in two of. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/settings.h"
#include "dataset/labels.h"
#include "dataset/split.h"

static char path[64];

static int name_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/mdm-labels-%ld", (long)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return remove(path) != 0;
}

static mdm_face_label seen_label(int frame)
{
    mdm_face_label label = {.frame = frame, .track = 3, .time = frame / 25.0, .person = "person-01", .seen = true};
    for (int i = 0; i < 4; i++)
        label.box[i] = 10.25f + (float)i;
    for (int i = 0; i < MDM_LABEL_POINTS; i++)
        label.points[i][0] = (float)i, label.points[i][1] = 0.5f * (float)i;
    label.head[0] = -30.5f, label.head[1] = 2, label.head[2] = 1;
    label.gaze[0] = label.gaze[1] = NAN; /* must not be told */
    label.eyes[0] = 0.25f, label.eyes[1] = 0.5f;
    label.mouth = 0.125f;
    snprintf(label.expression, sizeof label.expression, "happy");
    return label;
}

static void labels_come_back(void **state)
{
    (void)state;
    mdm_out out = {0};
    const mdm_face_label covered = {.frame = 1, .track = 3, .time = 0.04, .person = "person-01", .covered = true};
    const mdm_face_label first = seen_label(0);
    mdm_status status = mdm_out_open(&out, path);
    if (!status)
        status = mdm_label_write(&out, "clip-0001", &first);
    if (!status)
        status = mdm_label_write(&out, "clip-0001", &covered);
    assert_int_equal(mdm_out_close(&out, status), MDM_OK);
    mdm_face_labels labels;
    assert_int_equal(mdm_labels_read(&labels, path, 2), MDM_OK);
    assert_int_equal(labels.count, 2);
    const mdm_face_label *a = &labels.item[0], *b = &labels.item[1];
    assert_true(a->seen && !a->covered && !b->seen && b->covered);
    assert_memory_equal(a->box, first.box, sizeof a->box);
    assert_memory_equal(a->points, first.points, sizeof a->points);
    assert_memory_equal(a->head, first.head, sizeof a->head);
    assert_memory_equal(a->eyes, first.eyes, sizeof a->eyes);
    assert_true(isnan(a->gaze[0]) && a->mouth == 0.125f);
    assert_string_equal(a->expression, "happy");
    assert_string_equal(b->person, "person-01");
    mdm_labels_free(&labels);
    assert_int_equal(mdm_labels_read(&labels, path, 1), MDM_ERR_INPUT); /* frame 1 of a clip of one frame */
    assert_non_null(strstr(mdm_error_message(), ":2:"));
}

static void shares_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "80", "80,10,20", "80,10,10,0", "80;20", "-80,180", "80,20,", "1000,0"};
    int s[3];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(mdm_split_shares(s, wrong[i]), MDM_ERR_USAGE);
    assert_int_equal(mdm_split_shares(s, "70,30"), MDM_OK);
    assert_true(s[0] == 70 && s[1] == 0 && s[2] == 30);
    assert_int_equal(mdm_split_shares(s, "80,15,5"), MDM_OK);
    assert_true(s[0] == 80 && s[1] == 15 && s[2] == 5);
}

/* 40 clips of 20 persons, two each; the first two persons meet in a clip. */
static void persons_stay_together(void **state)
{
    (void)state;
    static const int shares[MDM_PARTS] = {60, 20, 20};
    mdm_split_clip clips[40];
    char ids[40][16];
    int part[40], again[40], other[40], counts[MDM_PARTS] = {0}, differ = 0;
    for (int i = 0; i < 40; i++) {
        json_t *persons = json_pack("[{s:o}]", "id", json_sprintf("person-%02d", i / 2));
        if (i == 0)
            json_array_append_new(persons, json_pack("{s:s}", "id", "person-01"));
        snprintf(ids[i], sizeof ids[i], "clip-%04d", i);
        clips[i] = (mdm_split_clip){ids[i], persons, "id"};
    }
    assert_int_equal(mdm_split(part, clips, 40, shares, 1, true), MDM_OK);
    assert_int_equal(mdm_split(again, clips, 40, shares, 1, true), MDM_OK);
    assert_int_equal(mdm_split(other, clips, 40, shares, 2, true), MDM_OK);
    assert_memory_equal(part, again, sizeof part);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(part[i], part[i / 2 * 2]);
        counts[part[i]]++;
        differ += part[i] != other[i];
    }
    assert_int_equal(part[0], part[3]);
    assert_true(differ > 0 && counts[1] >= 6 && counts[2] >= 6 && counts[0] >= 22);
    for (int i = 0; i < 40; i++)
        json_decref((json_t *)clips[i].persons);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_come_back),
        cmocka_unit_test(shares_are_checked),
        cmocka_unit_test(persons_stay_together),
    };
    return cmocka_run_group_tests(tests, name_file, remove_file);
}
