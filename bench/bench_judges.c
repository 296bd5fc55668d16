/* Calibration of the judges on a folder of face pictures of different people (FairFace's validation set): distances at
 * which one in 100, 1,000 and 10,000 pairs of strangers is taken for one person, for the table in src/models/recogniser.c;
 * and how the head-pose judge agrees with the mesh.
 *   bench_judges FOLDER MODELS */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "face/pose.h"
#include "models/head_pose.h"
#include "models/recogniser.h"

#define MOST 4096

static float *vectors[MDM_RECOGNISER_COUNT];
static char *kept[MOST];
static double poses[MOST][2][3]; /* network, mesh */

static void must(mdm_status status, const char *what)
{
    if (status) {
        fprintf(stderr, "%s: %s\n", what, mdm_error_message());
        exit(1);
    }
}

typedef struct pair {
    float distance;
    int a, b;
} pair;

static int nearest_first(const void *a, const void *b)
{
    float x = ((const pair *)a)->distance, y = ((const pair *)b)->distance;
    return (x > y) - (x < y);
}

static void tell_thresholds(mdm_recogniser_kind kind, int n)
{
    size_t count = (size_t)n * (size_t)(n - 1) / 2, at = 0, under = 0;
    int size = mdm_recogniser_size(kind);
    pair *pairs;
    must(mdm_alloc(&pairs, count, sizeof *pairs, "pairs"), "pairs");
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++, at++)
            pairs[at] = (pair){mdm_recogniser_distance(kind, vectors[kind] + (size_t)a * (size_t)size,
                                                       vectors[kind] + (size_t)b * (size_t)size),
                               a, b};
    qsort(pairs, count, sizeof *pairs, nearest_first);
    for (size_t i = 0; i < count; i++)
        under += pairs[i].distance < mdm_recogniser_match(kind);
    printf("%-14s 1e-2 %.4f  1e-3 %.4f  1e-4 %.4f; taken for one person at %.2f: %.2e of the pairs\n",
           mdm_recogniser_name(kind), (double)pairs[count / 100].distance, (double)pairs[count / 1000].distance,
           (double)pairs[count / 10000].distance, (double)mdm_recogniser_match(kind), (double)under / (double)count);
    for (int i = 0; i < 4; i++)
        printf("    nearest %s and %s: %.3f\n", kept[pairs[i].a], kept[pairs[i].b], (double)pairs[i].distance);
    mdm_free(&pairs);
}

static void tell_poses(int n)
{
    static const char *const axis[3] = {"yaw", "pitch", "roll"};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
            for (int j = 0; j < n; j++) {
                double p = poses[j][0][i], q = poses[j][1][k];
                x += p, y += q, xx += p * p, yy += q * q, xy += p * q;
            }
            double sx = sqrt(xx / n - x * x / n / n), sy = sqrt(yy / n - y * y / n / n);
            printf("fr_pose output %d, mesh %-5s r %+.3f, slope %+.2f\n", i, axis[k], (xy / n - x * y / n / n) / sx / sy,
                   (xy / n - x * y / n / n) / sy / sy);
        }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_judges FOLDER MODELS\n");
        return 2;
    }
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    mdm_head_pose *head;
    mdm_recogniser *net[MDM_RECOGNISER_COUNT];
    mdm_canonical canonical;
    char **names;
    size_t count;
    int n = 0;
    must(mdm_face_detector_new(&detector, argv[2], 1), "detector");
    must(mdm_face_mesh_new(&mesher, argv[2], 1), "mesh");
    must(mdm_head_pose_new(&head, argv[2], 1), "head pose");
    must(mdm_canonical_load(&canonical, argv[2]), "canonical face");
    must(mdm_list_folder(&names, &count, argv[1]), argv[1]);
    count = count < MOST ? count : MOST;
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++) {
        must(mdm_recogniser_new(&net[k], (mdm_recogniser_kind)k, argv[2], 1), "recogniser");
        must(mdm_alloc(&vectors[k], count * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k), sizeof(float), "vectors"),
             "vectors");
    }
    for (size_t i = 0; i < count; i++) {
        char *path;
        mdm_image image;
        mdm_face_detection face;
        mdm_face_roi roi;
        mdm_mesh mesh = {.presence = 0};
        int found = 0;
        must(mdm_join_path(&path, argv[1], names[i]), names[i]);
        must(mdm_image_read(&image, path, 3), path);
        const float region[4] = {-0.15f * (float)image.width, -0.15f * (float)image.height, 1.3f * (float)image.width,
                                 1.3f * (float)image.height};
        must(mdm_face_detector_run(&face, 1, &found, detector, &image, region, 0.5f), path);
        if (found)
            mdm_face_roi_from_detection(&roi, &face);
        else /* the pictures are cut around one face */
            roi = (mdm_face_roi){(float)image.width / 2, (float)image.height / 2, (float)image.width, 0};
        must(mdm_face_mesh_settle(&mesh, mesher, &image, &roi, 3), path);
        if (mesh.presence > 0.5f) {
            for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
                must(mdm_recogniser_embed(net[k], &image, &mesh,
                                          vectors[k] + (size_t)n * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k)),
                     path);
            mdm_pose pose;
            mdm_pose_fit(&pose, (const float(*)[3])mesh.point, &canonical);
            mdm_pose_angles(poses[n][1], &pose);
            must(mdm_head_pose_run(head, poses[n][0], &image, &mesh), path);
            kept[n++] = names[i];
        }
        mdm_image_free(&image);
        mdm_free(&path);
    }
    printf("%d of %zu pictures, %d pairs\n", n, count, n * (n - 1) / 2);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        tell_thresholds((mdm_recogniser_kind)k, n);
    tell_poses(n);
    return 0;
}
