/* Trying stand-ins on: whoever is drawn into the own picture is near, others are far, and the hair around the face counts. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "common/fetched.h"
#include "common/ok.h"
#include "nn/tensor_file.h"
#include "stages/rehearsal.h"

#define FACES MMDM_SOURCE_DIR "/tests/face/golden"

static void load(mdm_image *image, mdm_mesh *mesh, const mdm_tensor_file *points, const char *name)
{
    char text[512];
    snprintf(text, sizeof text, "%s/%s.png", FACES, name);
    ok(mdm_image_read(image, text, 3));
    snprintf(text, sizeof text, "%s.points", name);
    mesh->presence = 1;
    ok(mdm_array_to_f32(&mesh->point[0][0], MDM_MESH_POINTS * 3, mdm_tensor_file_find(points, text)));
}

static float worn(mdm_rehearsal *rehearsal, const mdm_tensor_file *points, const char *name)
{
    mdm_image image = {0};
    mdm_mesh mesh;
    float room;
    load(&image, &mesh, points, name);
    ok(mdm_rehearsal_try(&room, rehearsal, &image, &mesh));
    mdm_image_free(&image);
    print_message("%s drawn in: %.2f\n", name, (double)room);
    return room;
}

static void a_standin_is_tried_on(void **state)
{
    (void)state;
    static const char *const needed[] = {"face_landmark_with_attention.tflite", "faceres.json",
                                         "face_recognition_model-weights_manifest.json", "canonical-face-model.obj"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        need_file(models(), needed[i]);
    char folder[] = "/tmp/mmdm-rehearsal-XXXXXX";
    assert_non_null(mkdtemp(folder));
    mdm_settings settings = {.seed = 1};
    mdm_clip_work work = {.clip_id = "clip-0001",
                          .source = FACES "/gate-good-a.png",
                          .folder = folder,
                          .models = models(),
                          .settings = &settings,
                          .threads = 1};
    mdm_clip clip = {0};
    mdm_tensor_file *points = NULL;
    mdm_casting *casting = NULL;
    mdm_face_mesh *mesher = NULL;
    ok(mdm_stage_ingest(&work));
    ok(mdm_clip_read(&clip, folder));
    ok(mdm_tensor_file_open(&points, FACES "/gate-golden.safetensors"));
    ok(mdm_casting_new(&casting, models()));
    ok(mdm_face_mesh_new(&mesher, models(), 1));

    mdm_found found = {.frames = (int)clip.frames, .width = clip.width, .height = clip.height};
    mdm_track *track;
    mdm_image image = {0};
    mdm_mesh mesh;
    const float box[4] = {20, 20, 90, 90};
    load(&image, &mesh, points, "gate-good-a");
    mdm_image_free(&image);
    ok(mdm_tracks_add(&track, &found.tracks, 0));
    ok(mdm_track_set_mesh(track, 0, &mesh));
    ok(mdm_tracks_add(&track, &found.tracks, 0));
    ok(mdm_track_set_box(track, 0, box, 0.9f, MDM_TRACK_FILLED));

    mdm_rehearsal *rehearsal = NULL;
    const int seen = 0, unseen = 1;
    int count;
    ok(mdm_rehearsal_new(&rehearsal, &seen, 1, &clip, &found, &work, casting, mesher));
    mdm_rehearsal_person(rehearsal, &count);
    assert_int_equal(count, 1);
    float itself = worn(rehearsal, points, "gate-good-a"), other = worn(rehearsal, points, "gate-good-b"),
          third = worn(rehearsal, points, "gate-good-c");
    assert_true(itself < 0.5f);
    assert_true(other > itself + 0.4f && third > itself + 0.4f);
    assert_true(worn(rehearsal, points, "gate-good-b") == other); /* nothing is left of those before */
    mdm_rehearsal_free(&rehearsal);
    assert_null(rehearsal);

    ok(mdm_rehearsal_new(&rehearsal, &unseen, 1, &clip, &found, &work, casting, mesher));
    mdm_rehearsal_person(rehearsal, &count);
    assert_int_equal(count, 0);
    assert_true(isinf(worn(rehearsal, points, "gate-good-b"))); /* no frame shows the face */
    mdm_rehearsal_free(&rehearsal);

    mdm_face_mesh_free(&mesher);
    mdm_casting_free(&casting);
    mdm_tensor_file_free(&points);
    mdm_tracks_free(&found.tracks);
    mdm_clip_free(&clip);
    ok(mdm_remove_tree(folder, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standin_is_tried_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
