/* Imported graphs against onnxruntime and the numpy executors (tools/make_nn_goldens.py, graphs), and files that must be
 * refused. The model files are fetched by the set-up: what is absent is skipped. */
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
#include "base/memory.h"
#include "common/ok.h"
#include "nn/graph.h"

#define GOLDEN MMDM_SOURCE_DIR "/tests/nn/golden/graphs.safetensors"

static void path_of(char path[512], const char *name)
{
    const char *folder = getenv("MMDM_MODELS");
    snprintf(path, 512, "%s/%s", folder && *folder ? folder : MMDM_SOURCE_DIR "/.deps/models", name);
}

/* As `wave` in the script. */
static float *wave(size_t count, float scale, float offset)
{
    float *x = calloc(count, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((uint32_t)(i * 2654435761u) >> 8) / 16777216.0f * scale + offset;
    return x;
}

static const struct {
    const char *name;
    int height, width; /* given to the importer where the file leaves them open */
    int side[2];       /* of the input */
    float scale, offset;
} graphs[] = {
    {"centerface.onnx", 96, 128, {96, 128}, 255, 0},
    {"fr_detect.onnx", 0, 0, {240, 320}, 2, -1},
    {"fr_feature.onnx", 0, 0, {112, 112}, 2, -1},
    {"fr_pose.onnx", 0, 0, {224, 224}, 4, -2},
    {"ch_PP-OCRv4_det_infer.onnx", 64, 96, {64, 96}, 4, -2},
    {"ch_PP-OCRv4_rec_infer.onnx", 48, 96, {48, 96}, 2, -1},
    {"face_detection_full_range.tflite", 0, 0, {192, 192}, 2, -1},
    {"face_landmark.tflite", 0, 0, {192, 192}, 1, 0},
    {"MobileFaceNet.tflite", 0, 0, {112, 112}, 2, -1},
    {"faceres.json", 0, 0, {224, 224}, 255, 0},
};

static void compare(mdm_graph *graph, const mdm_tensor_file *golden, const char *name, int output)
{
    char key[96];
    float want[256], largest = 1;
    snprintf(key, sizeof key, "%s.%d", name, output);
    const mdm_array *array = mdm_tensor_file_find(golden, key);
    assert_non_null(array);
    size_t kept = array->size / sizeof(float), count = mdm_graph_output_size(graph, output);
    size_t step = (count + 255) / 256;
    float *got = calloc(count, sizeof *got);
    ok(mdm_array_to_f32(want, kept, array));
    ok(mdm_graph_get(graph, output, got, count));
    for (size_t i = 0; i < kept; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < kept; i++)
        if (!(i * step < count && fabsf(got[i * step] - want[i]) <= 1e-4f * largest))
            fail_msg("%s: output %d, element %zu is %g, expected %g", name, output, i * step, (double)got[i * step],
                     (double)want[i]);
    free(got);
}

static void graphs_agree_with_their_references(void **state)
{
    (void)state;
    mdm_tensor_file *golden;
    int seen = 0;
    ok(mdm_tensor_file_open(&golden, GOLDEN));
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
        char path[512];
        mdm_graph *graph;
        path_of(path, graphs[i].name);
        if (!mdm_file_exists(path)) {
            print_message("%s is absent: ./setup fetches it\n", path);
            continue;
        }
        ok(mdm_graph_load(&graph, path,
                          &(mdm_graph_options){.threads = 1, .height = graphs[i].height, .width = graphs[i].width}));
        size_t count = 3 * (size_t)graphs[i].side[0] * (size_t)graphs[i].side[1];
        float *x = wave(count, graphs[i].scale, graphs[i].offset);
        ok(mdm_graph_set(graph, 0, x, count));
        ok(mdm_graph_run(graph));
        for (int k = 0; k < mdm_graph_output_count(graph); k++)
            compare(graph, golden, graphs[i].name, k);
        free(x);
        mdm_graph_free(&graph);
        seen++;
    }
    mdm_tensor_file_free(&golden);
    if (!seen)
        skip();
}

static mdm_status load_bytes(const void *data, size_t size, const char *name)
{
    char path[64];
    mdm_graph *graph = NULL;
    snprintf(path, sizeof path, "/tmp/mdm-graph-%ld%s", (long)getpid(), name);
    ok(mdm_file_write(path, data, size));
    mdm_status status = mdm_graph_load(&graph, path, &(mdm_graph_options){.threads = 1, .height = 32, .width = 32});
    mdm_graph_free(&graph);
    unlink(path);
    return status;
}

static void absent_and_foreign_files_are_refused(void **state)
{
    (void)state;
    mdm_graph *graph;
    assert_int_equal(mdm_graph_load(&graph, "/nonexistent/x.onnx", &(mdm_graph_options){.threads = 1}), MDM_ERR_DEVICE);
    assert_null(graph);
    assert_int_equal(load_bytes("hello, world", 12, ".onnx"), MDM_ERR_INPUT);
    assert_int_equal(load_bytes("\x1c\0\0\0TFL3", 8, ".tflite"), MDM_ERR_INPUT);
    assert_int_equal(load_bytes("{\"modelTopology\": {\"node\": []}}", 31, ".json"), MDM_ERR_INPUT);
    /* a graph whose only node reads itself */
    static const char circle[] =
        "{\"weightsManifest\": [], \"signature\": {\"outputs\": {\"a\": {\"name\": \"a\"}}}, "
        "\"modelTopology\": {\"node\": [{\"name\": \"a\", \"op\": \"Relu\", \"input\": [\"a\"]}]}}";
    assert_int_equal(load_bytes(circle, sizeof circle - 1, ".json"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "own result"));
    static const char unknown[] = "{\"weightsManifest\": [], \"signature\": {\"outputs\": {\"a\": {\"name\": \"a\"}}}, "
                                  "\"modelTopology\": {\"node\": [{\"name\": \"a\", \"op\": \"Frobnicate\"}]}}";
    assert_int_equal(load_bytes(unknown, sizeof unknown - 1, ".json"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "Frobnicate")); /* the operation and the node are named */
}

/* Every prefix of a real file at some places, and single bytes changed: an error or a graph, never a crash. */
static void damaged_files_are_errors(void **state)
{
    (void)state;
    static const char *const names[] = {"fr_pose.onnx", "face_detection_full_range.tflite"};
    int seen = 0;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char path[512];
        unsigned char *data;
        size_t size;
        path_of(path, names[n]);
        if (!mdm_file_exists(path))
            continue;
        seen++;
        ok(mdm_file_read(&data, &size, path, (size_t)64 << 20));
        const char *extension = strrchr(names[n], '.');
        for (size_t i = 1; i < 12; i++)
            assert_int_not_equal(load_bytes(data, size * i / 12, extension), MDM_OK);
        for (uint32_t i = 1; i < 24; i++) {
            size_t at = i < 12 ? i * 7 : (size_t)(i * 2654435761u % size);
            unsigned char old = data[at];
            data[at] ^= (unsigned char)(1u << i % 8 | 0x80u);
            load_bytes(data, size, extension);
            data[at] = old;
        }
        mdm_free(&data);
    }
    if (!seen)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_agree_with_their_references),
        cmocka_unit_test(absent_and_foreign_files_are_refused),
        cmocka_unit_test(damaged_files_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
