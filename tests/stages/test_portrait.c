/* The portrait stage: a stand-in of the job is used again only while the plan means the same one, and a generator that draws no
 * usable face leaves the person covered. Choosing by distance is tested on the gate's pictures. */
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
#include "base/json.h"
#include "common/fetched.h"
#include "common/ok.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "nn/tensor_file.h"
#include "stages/casting.h"
#include "stages/stage.h"

#define FACES    MMDM_SOURCE_DIR "/tests/face/golden"
#define NETWORKS MMDM_SOURCE_DIR "/tests/models/golden"

typedef struct job {
    char folder[64], work_folder[96], standins[96], weights[96];
    mdm_settings settings;
    mdm_clip_work work;
} job;

static void in(char *out, size_t size, const char *folder, const char *name)
{
    snprintf(out, size, "%s/%s", folder, name);
}

/* A one-frame clip of a picture with one track, with its mesh or without, and a plan that replaces it. */
static void open_job(job *j, const char *seed_key, bool meshed)
{
    *j = (job){.folder = "/tmp/mmdm-portrait-XXXXXX"};
    assert_non_null(mkdtemp(j->folder));
    in(j->work_folder, sizeof j->work_folder, j->folder, "clip");
    in(j->standins, sizeof j->standins, j->folder, "standins");
    in(j->weights, sizeof j->weights, j->folder, "weights");
    ok(mdm_make_folder(j->work_folder, 0700));
    ok(mdm_make_folder(j->standins, 0700));
    ok(mdm_make_folder(j->weights, 0700));
    j->settings.seed = 1;
    j->work = (mdm_clip_work){.clip_id = "clip-0001",
                              .source = FACES "/gate-good-a.png",
                              .folder = j->work_folder,
                              .models = models(),
                              .weights = j->weights,
                              .settings = &j->settings,
                              .standins = j->standins,
                              .threads = 1};
    ok(mdm_stage_ingest(&j->work));
    mdm_clip clip = {0};
    ok(mdm_clip_read(&clip, j->work_folder));
    int cut = 0;
    mdm_found found = {
        .frames = (int)clip.frames, .width = clip.width, .height = clip.height, .cut_count = 1, .cut = &cut};
    mdm_track *track;
    const float box[4] = {20, 20, 90, 90};
    ok(mdm_tracks_add(&track, &found.tracks, 0));
    ok(mdm_track_set_box(track, 0, box, 0.9f, MDM_TRACK_FILLED));
    if (meshed) {
        mdm_tensor_file *points = NULL;
        mdm_mesh mesh = {.presence = 1};
        ok(mdm_tensor_file_open(&points, FACES "/gate-golden.safetensors"));
        ok(mdm_array_to_f32(&mesh.point[0][0], 478 * 3, mdm_tensor_file_find(points, "gate-good-a.points")));
        ok(mdm_track_set_mesh(track, 0, &mesh));
        mdm_tensor_file_free(&points);
    }
    ok(mdm_found_write(&found, j->work_folder));
    mdm_tracks_free(&found.tracks);
    mdm_clip_free(&clip);

    char path[128];
    json_t *plan = json_pack("{s:i, s:[{s:s, s:s, s:[i], s:{s:s, s:s, s:s, s:b, s:s, s:i}}]}", "version", 1, "persons",
                             "id", "person-01", "action", "replace", "tracks", 0, "standin", "age", "30-39", "gender",
                             "male", "race", "East Asian", "glasses", 0, "seed_key", seed_key, "attempt", 0);
    assert_non_null(plan);
    in(path, sizeof path, j->work_folder, "plan.json");
    ok(mdm_json_save(plan, path));
    json_decref(plan);
}

static void close_job(job *j)
{
    ok(mdm_remove_tree(j->folder, false));
}

/* portraits.json has one person; returns its entry (of *root, which the caller decrefs). */
static json_t *entry(json_t **root, const job *j)
{
    char path[128];
    in(path, sizeof path, j->work_folder, "portraits.json");
    ok(mdm_json_load(root, path, 0));
    json_t *persons = json_object_get(*root, "persons");
    assert_int_equal(json_array_size(persons), 1);
    return json_array_get(persons, 0);
}

static void put_standin(const job *j, const char *seed_key)
{
    char path[128];
    json_t *record = json_pack("{s:s, s:s, s:i}", "id", "person-01", "seed_key", seed_key, "draw", 3);
    in(path, sizeof path, j->standins, "person-01.json");
    ok(mdm_json_save(record, path));
    json_decref(record);
    in(path, sizeof path, j->standins, "person-01.png");
    ok(mdm_copy_file(FACES "/gate-good-b.png", path));
}

/* The small generator under the real one's name: it draws noise, never a face. */
static void use_small_generator(const job *j)
{
    static const char *const copies[][2] = {
        {NETWORKS "/facegen-small.json", "facegen.json"},
        {NETWORKS "/facegen-small.safetensors", "facegen-small.safetensors"},
        {MMDM_SOURCE_DIR "/models/facegen-upsample.safetensors", "facegen-upsample.safetensors"},
        {MMDM_SOURCE_DIR "/models/attributes-a.json", "attributes-a.json"},
        {MMDM_SOURCE_DIR "/models/attributes-a.safetensors", "attributes-a.safetensors"},
    };
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        char path[160];
        in(path, sizeof path, j->weights, copies[i][1]);
        ok(mdm_copy_file(copies[i][0], path));
    }
}

static void the_jobs_standin_is_used_again(void **state)
{
    (void)state;
    job j;
    json_t *root = NULL;
    char path[160];
    open_job(&j, "person-01#0", true);
    put_standin(&j, "person-01#0");
    ok(mdm_stage_portrait(&j.work)); /* without any weights: nothing is drawn */
    assert_int_equal(json_integer_value(json_object_get(entry(&root, &j), "draw")), 3);
    json_decref(root);
    in(path, sizeof path, j.work_folder, "portraits/person-01.png");
    char a[65], b[65];
    ok(mdm_sha256_file(a, path));
    ok(mdm_sha256_file(b, FACES "/gate-good-b.png"));
    assert_string_equal(a, b);
    close_job(&j);
}

static void no_usable_face_means_covered(void **state)
{
    (void)state;
    job j;
    json_t *root = NULL;
    char path[160];
    need_file(models(), "face_landmark_with_attention.tflite");
    need_file(models(), "face_recognition_model-weights_manifest.json");
    need_file(MMDM_SOURCE_DIR "/models", "attributes-a.safetensors");
    need_file(MMDM_SOURCE_DIR "/models", "facegen-upsample.safetensors");
    open_job(&j, "person-01#1", true);
    put_standin(&j, "person-01#0"); /* of an attempt before: not wanted any more */
    use_small_generator(&j);
    ok(mdm_stage_portrait(&j.work));
    assert_non_null(json_object_get(entry(&root, &j), "failed"));
    json_decref(root);
    in(path, sizeof path, j.work_folder, "portraits/person-01.png");
    assert_false(mdm_file_exists(path)); /* animate plays only persons that have one; compose covers the others */
    close_job(&j);
}

static void nobody_is_drawn_for_a_face_without_a_mesh(void **state)
{
    (void)state;
    job j;
    json_t *root = NULL;
    open_job(&j, "person-01#0", false);
    ok(mdm_stage_portrait(&j.work)); /* without any weights: drawing would fail */
    assert_non_null(json_object_get(entry(&root, &j), "failed"));
    json_decref(root);
    close_job(&j);
}

static void load_face(mdm_casting_face *out, mdm_casting *casting, const mdm_tensor_file *points, const char *name)
{
    char path[512], key[64];
    mdm_image image = {0};
    mdm_mesh mesh = {.presence = 1};
    snprintf(path, sizeof path, "%s/%s.png", FACES, name);
    ok(mdm_image_read(&image, path, 3));
    snprintf(key, sizeof key, "%s.points", name);
    ok(mdm_array_to_f32(&mesh.point[0][0], 478 * 3, mdm_tensor_file_find(points, key)));
    ok(mdm_casting_embed(out, casting, &image, &mesh));
    mdm_image_free(&image);
}

static void room_is_the_nearest_in_either_network(void **state)
{
    (void)state;
    static mdm_casting_face face[3];
    need_file(models(), "face_recognition_model-weights_manifest.json");
    need_file(models(), "faceres.json");
    mdm_casting *casting = NULL;
    mdm_tensor_file *points = NULL;
    ok(mdm_casting_new(&casting, models()));
    ok(mdm_tensor_file_open(&points, FACES "/gate-golden.safetensors"));
    load_face(&face[0], casting, points, "gate-good-a");
    load_face(&face[1], casting, points, "gate-good-b");
    load_face(&face[2], casting, points, "gate-good-c");
    assert_true(isinf(mdm_casting_room(casting, &face[0], face, 0)));
    assert_true(mdm_casting_room(casting, &face[0], face, 3) < 0.05f); /* itself */
    float one = mdm_casting_room(casting, &face[0], &face[1], 1),
          two = mdm_casting_room(casting, &face[0], &face[2], 1);
    float both = mdm_casting_room(casting, &face[0], &face[1], 2);
    print_message("room between three faces: %.2f, %.2f\n", (double)one, (double)two);
    assert_true(both == fminf(one, two) && both > 1); /* a man, a woman, another woman: other people */
    const float *identity = face[0].embedding[0];     /* as the generator is asked for one */
    assert_true(isinf(mdm_casting_nearest(identity, face, 0)));
    assert_true(mdm_casting_nearest(identity, face, 3) == 0);
    assert_true(mdm_casting_nearest(identity, &face[1], 2) > 0.6f);
    mdm_tensor_file_free(&points);
    mdm_casting_free(&casting);
    assert_null(casting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_jobs_standin_is_used_again),
        cmocka_unit_test(no_usable_face_means_covered),
        cmocka_unit_test(nobody_is_drawn_for_a_face_without_a_mesh),
        cmocka_unit_test(room_is_the_nearest_in_either_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
