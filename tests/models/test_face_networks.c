/* Detector, mesh and recognisers on synthetic faces, the mesh against mediapipe; text detector and reader on a drawn line
 * (tools/make_nn_goldens.py, mesh and text). The model files are fetched by the set-up: what is absent is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/fetched.h"
#include "common/ok.h"
#include "models/face_mesh.h"
#include "models/head_pose.h"
#include "models/person_matte.h"
#include "models/recogniser.h"
#include "models/text_reader.h"
#include "nn/tensor_file.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/models/golden"

/* Two answers of mediapipe on a golden picture, the second from the square around the first. */
static void read_face(mdm_image *image, mdm_mesh answer[2], const char *name)
{
    char path[512];
    mdm_tensor_file *file;
    static float values[2 * MDM_MESH_POINTS * 3];
    snprintf(path, sizeof path, GOLDEN "/mesh-%s.png", name);
    ok(mdm_image_read(image, path, 3));
    ok(mdm_tensor_file_open(&file, GOLDEN "/mesh.safetensors"));
    const mdm_array *array = mdm_tensor_file_find(file, name);
    assert_non_null(array);
    ok(mdm_array_to_f32(values, sizeof values / sizeof *values, array));
    mdm_tensor_file_free(&file);
    for (int k = 0; k < 2; k++)
        memcpy(answer[k].point, values + k * MDM_MESH_POINTS * 3, sizeof answer[k].point);
}

static const char *const faces[] = {"upright", "turned"};

static void mesh_agrees_with_mediapipe(void **state)
{
    (void)state;
    need_file(models(), "face_landmark_with_attention.tflite");
    mdm_face_mesh *mesher;
    ok(mdm_face_mesh_new(&mesher, models(), 1));
    for (int f = 0; f < 2; f++) {
        mdm_image image;
        mdm_mesh want[2], got;
        mdm_face_roi roi;
        read_face(&image, want, faces[f]);
        mdm_face_roi_from_mesh(&roi, &want[0]);
        ok(mdm_face_mesh_run(&got, mesher, &image, &roi));
        assert_true(got.presence > 0.99f);
        for (int i = 0; i < MDM_MESH_POINTS; i++)
            for (int k = 0; k < 3; k++)
                if (!(fabsf(got.point[i][k] - want[1].point[i][k]) <=
                      1e-3f * roi.size)) /* mediapipe rounds the crop to bytes */
                    fail_msg("%s: point %d, axis %d is %g, expected %g (square of %g)", faces[f], i, k,
                             (double)got.point[i][k], (double)want[1].point[i][k], (double)roi.size);
        mdm_image_free(&image);
    }
    mdm_face_mesh_free(&mesher);
}

static void matte_agrees_with_mediapipe(void **state)
{
    (void)state;
    enum { EVERY = 4, SIDE = MDM_MATTE_SIDE / EVERY };
    need_file(models(), "selfie_segmentation.tflite");
    mdm_person_matte *matte;
    mdm_tensor_file *file;
    ok(mdm_person_matte_new(&matte, models(), 1));
    ok(mdm_tensor_file_open(&file, GOLDEN "/matte.safetensors"));
    for (int f = 0; f < 2; f++) {
        static float want[SIDE * SIDE];
        const float *person, *rgb, square[3] = {0, 0, MDM_MATTE_SIDE};
        char path[512];
        mdm_image image;
        snprintf(path, sizeof path, GOLDEN "/mesh-%s.png", faces[f]);
        ok(mdm_image_read(&image, path, 3));
        const mdm_array *array = mdm_tensor_file_find(file, faces[f]);
        assert_non_null(array);
        ok(mdm_array_to_f32(want, sizeof want / sizeof *want, array));
        ok(mdm_person_matte_run(&person, &rgb, matte, &image, square));
        for (int i = 0; i < SIDE * SIDE; i++) {
            const float got = person[i / SIDE * EVERY * MDM_MATTE_SIDE + i % SIDE * EVERY];
            if (!(fabsf(got - want[i]) <= 0.01f))
                fail_msg("%s: cell %d, %d is %g, expected %g", faces[f], i % SIDE, i / SIDE, (double)got,
                         (double)want[i]);
        }
        mdm_image_free(&image);
    }
    mdm_tensor_file_free(&file);
    mdm_person_matte_free(&matte);
}

static void detector_finds_the_face_and_its_roi_settles(void **state)
{
    (void)state;
    need_file(models(), "face_detection_full_range.tflite");
    need_file(models(), "face_landmark_with_attention.tflite");
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    ok(mdm_face_detector_new(&detector, models(), 1));
    ok(mdm_face_mesh_new(&mesher, models(), 1));
    for (int f = 0; f < 2; f++) {
        mdm_image image;
        mdm_mesh want[2], got;
        mdm_face_detection found[4];
        mdm_face_roi roi, expected;
        int count;
        read_face(&image, want, faces[f]);
        /* half the size in a region that reaches over the picture, as a face far away is seen */
        const float region[4] = {-128, -128, 512, 512};
        ok(mdm_face_detector_run(found, 4, &count, detector, &image, region, 0.5f));
        assert_int_equal(count, 1);
        mdm_face_roi_from_detection(&roi, &found[0]);
        mdm_face_roi_from_mesh(&expected, &want[1]);
        assert_true(hypotf(roi.cx - expected.cx, roi.cy - expected.cy) < 0.15f * expected.size);
        assert_true(roi.size > 0.6f * expected.size && roi.size < 1.4f * expected.size);
        assert_true(fabsf(roi.angle - expected.angle) < 0.12f);
        ok(mdm_face_mesh_settle(&got, mesher, &image, &roi, 2));
        double sum = 0;
        for (int i = 0; i < MDM_MESH_POINTS; i++)
            sum +=
                hypot((double)(got.point[i][0] - want[1].point[i][0]), (double)(got.point[i][1] - want[1].point[i][1]));
        assert_true(sum / MDM_MESH_POINTS < 0.015 * (double)expected.size);
        mdm_image_free(&image);
    }
    mdm_image blank;
    ok(mdm_image_new(&blank, 200, 120, 3));
    int count = 9;
    mdm_face_detection found[4];
    ok(mdm_face_detector_run(found, 4, &count, detector, &blank, (const float[]){0, 0, 200, 120}, 0.3f));
    assert_int_equal(count, 0);
    assert_int_not_equal(mdm_face_detector_run(found, 4, &count, detector, &blank, (const float[]){0, 0, 0, 120}, 0.3f),
                         MDM_OK);
    mdm_image_free(&blank);
    mdm_face_detector_free(&detector);
    mdm_face_mesh_free(&mesher);
}

/* The wide input is the fast path to what overlapping squares see: the same face, at the same scale and phase, in both. */
static void wide_detector_agrees_with_the_square(void **state)
{
    (void)state;
    need_file(models(), "face_detection_full_range.tflite");
    mdm_face_detector *square, *wide;
    ok(mdm_face_detector_new(&square, models(), 1));
    ok(mdm_face_detector_new_wide(&wide, models(), 384, 256, 1));
    for (int f = 0; f < 2; f++) {
        mdm_image image;
        mdm_mesh answer[2];
        mdm_face_detection a[4], b[4];
        int in_square, in_wide;
        read_face(&image, answer, faces[f]);
        /* 192 pixels for 768: the face is 40 px wide; the wide one reaches 128 and 64 of them further */
        ok(mdm_face_detector_run(a, 4, &in_square, square, &image, (const float[]){-256, -256, 768, 768}, 0.5f));
        ok(mdm_face_detector_run(b, 4, &in_wide, wide, &image, (const float[]){-768, -512, 1536, 1024}, 0.5f));
        assert_int_equal(in_square, 1);
        assert_int_equal(in_wide, 1);
        assert_true(fabsf(a->x - b->x) < 0.1f * a->width && fabsf(a->y - b->y) < 0.1f * a->height);
        assert_true(fabsf(a->width - b->width) < 0.1f * a->width);
        for (int k = 0; k < MDM_FACE_POINTS; k++)
            assert_true(hypotf(a->point[k][0] - b->point[k][0], a->point[k][1] - b->point[k][1]) < 0.1f * a->width);
        mdm_image_free(&image);
    }
    mdm_face_detector_free(&square);
    assert_int_not_equal(mdm_face_detector_new_wide(&square, models(), 200, 192, 1), MDM_OK);
    assert_null(square);
    mdm_face_detector_free(&wide);
}

static void recognisers_know_a_turned_face_again(void **state)
{
    (void)state;
    static float vector[3][MDM_RECOGNISER_MAX];
    need_file(models(), "MobileFaceNet.tflite");
    need_file(models(), "faceres.json");
    need_file(models(), "face_recognition_model.bin");
    for (mdm_recogniser_kind kind = MDM_RECOGNISER_DLIB; kind <= MDM_RECOGNISER_MOBILEFACENET; kind++) {
        mdm_recogniser *recogniser;
        ok(mdm_recogniser_new(&recogniser, kind, models(), 1));
        for (int f = 0; f < 3; f++) { /* the third: the first in negative, which is somebody else to every network */
            mdm_image image;
            mdm_mesh mesh[2];
            read_face(&image, mesh, faces[f % 2]);
            for (size_t i = 0; f == 2 && i < image.stride * (size_t)image.height; i++)
                image.data[i] = (uint8_t)(255 - image.data[i]);
            ok(mdm_recogniser_embed(recogniser, &image, &mesh[1], vector[f]));
            mdm_image_free(&image);
        }
        float same = mdm_recogniser_distance(kind, vector[0], vector[1]),
              other = mdm_recogniser_distance(kind, vector[0], vector[2]);
        if (!(same < 0.5f * mdm_recogniser_same(kind) && other > same))
            fail_msg("%s: %g between turns of one face, %g to its negative", mdm_recogniser_name(kind), (double)same,
                     (double)other);
        mdm_recogniser_free(&recogniser);
    }
    mdm_recogniser *none;
    assert_int_equal(mdm_recogniser_new(&none, MDM_RECOGNISER_MOBILEFACENET, "/nonexistent", 1), MDM_ERR_DEVICE);
    assert_null(none);
}

static void a_line_of_text_is_found_and_read(void **state)
{
    (void)state;
    need_file(models(), "ch_PP-OCRv4_det_infer.onnx");
    need_file(models(), "ch_PP-OCRv4_rec_infer.onnx");
    mdm_text_detector *detector;
    mdm_text_reader *reader;
    mdm_image image, upright;
    mdm_text_quad quads[8];
    char text[64];
    float confidence;
    int count;
    ok(mdm_text_detector_new(&detector, models(), 1));
    ok(mdm_text_reader_new(&reader, models(), 1));
    ok(mdm_image_read(&image, GOLDEN "/text-line.png", 3));
    ok(mdm_text_detector_run(quads, 8, &count, detector, &image, 640));
    assert_int_equal(count, 1);
    ok(mdm_text_reader_run(text, sizeof text, &confidence, reader, &image, &quads[0]));
    assert_string_equal(text, "AB 123 CD");
    assert_true(confidence > 0.8f);
    assert_true(quads[0].corner[0][0] < 45 && quads[0].corner[2][0] > 250 && quads[0].corner[0][1] < 56 &&
                quads[0].corner[2][1] > 76);
    ok(mdm_text_reader_run(text, 4, &confidence, reader, &image, &quads[0])); /* cut, not overrun */
    assert_int_equal(strlen(text), 3);
    /* turned a quarter: the line runs upwards */
    ok(mdm_image_new(&upright, image.height, image.width, 3));
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++)
            memcpy(upright.data + (size_t)y * upright.stride + 3 * (size_t)x,
                   image.data + (size_t)x * image.stride + 3 * (size_t)(image.width - 1 - y), 3);
    const float right = (float)image.width - 1;
    mdm_text_quad standing = {.score = 1};
    for (int i = 0; i < 4; i++) { /* corner i of the standing quad is the next one of the lying quad */
        standing.corner[i][0] = quads[0].corner[(i + 1) % 4][1];
        standing.corner[i][1] = right - quads[0].corner[(i + 1) % 4][0];
    }
    ok(mdm_text_reader_run(text, sizeof text, &confidence, reader, &upright, &standing));
    assert_string_equal(text, "AB 123 CD");
    mdm_text_quad flat = {.corner = {{5, 5}, {5, 5}, {5, 5}, {5, 5}}};
    ok(mdm_text_reader_run(text, sizeof text, &confidence, reader, &image, &flat));
    assert_string_equal(text, "");
    mdm_image_free(&image);
    mdm_image_free(&upright);
    mdm_text_detector_free(&detector);
    mdm_text_reader_free(&reader);
}

/* The picture turned by 15 degrees about the face's middle: roll follows, yaw and pitch hardly move. */
static void head_pose_follows_a_turn(void **state)
{
    (void)state;
    need_file(models(), "fr_pose.onnx");
    mdm_head_pose *net;
    mdm_image image, turned;
    mdm_mesh want[2];
    double before[3], after[3];
    const double c = cos(15 * 0.017453292519943295), s = sin(15 * 0.017453292519943295);
    ok(mdm_head_pose_new(&net, models(), 1));
    read_face(&image, want, faces[0]);
    ok(mdm_head_pose_run(net, before, &image, &want[1]));
    const double x = (double)want[1].point[1][0], y = (double)want[1].point[1][1];
    ok(mdm_image_new(&turned, image.width, image.height, 3));
    mdm_image_warp(&turned, &image, (const double[6]){c, s, x - c * x - s * y, -s, c, y + s * x - c * y}, -1);
    for (int i = 0; i < MDM_MESH_POINTS; i++) {
        double dx = (double)want[1].point[i][0] - x, dy = (double)want[1].point[i][1] - y;
        want[1].point[i][0] = (float)(x + c * dx - s * dy);
        want[1].point[i][1] = (float)(y + s * dx + c * dy);
    }
    ok(mdm_head_pose_run(net, after, &turned, &want[1]));
    print_message("yaw %+.1f, pitch %+.1f, roll %+.1f\n", after[0] - before[0], after[1] - before[1],
                  after[2] - before[2]);
    assert_true(fabs(fabs(after[2] - before[2]) - 15) < 5);
    assert_true(fabs(after[0] - before[0]) < 6 && fabs(after[1] - before[1]) < 6);
    mdm_image_free(&image);
    mdm_image_free(&turned);
    mdm_head_pose_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mesh_agrees_with_mediapipe),
        cmocka_unit_test(matte_agrees_with_mediapipe),
        cmocka_unit_test(detector_finds_the_face_and_its_roi_settles),
        cmocka_unit_test(head_pose_follows_a_turn),
        cmocka_unit_test(wide_detector_agrees_with_the_square),
        cmocka_unit_test(recognisers_know_a_turned_face_again),
        cmocka_unit_test(a_line_of_text_is_found_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
