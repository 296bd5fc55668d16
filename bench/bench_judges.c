/* Calibration of the judges on a folder of face pictures of different people (FairFace's validation set): distances at
 * which one in 100, 1,000 and 10,000 pairs of strangers is taken for one person, for the table in src/models/recogniser.c;
 * and how the head-pose judge agrees with the mesh.
 *   bench_judges FOLDER MODELS */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "face/pose.h"
#include "faces.h"
#include "models/head_pose.h"

static bench_faces faces;
static int *kept;             /* the faces with a mesh */
static double (*poses)[2][3]; /* of a face: network, mesh */
static mdm_canonical canonical;

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
    bench_must(mdm_alloc(&pairs, count, sizeof *pairs, "pairs"), "pairs");
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++, at++)
            pairs[at] = (pair){mdm_recogniser_distance(kind, faces.vector[kind] + (size_t)kept[a] * (size_t)size,
                                                       faces.vector[kind] + (size_t)kept[b] * (size_t)size),
                               kept[a], kept[b]};
    qsort(pairs, count, sizeof *pairs, nearest_first);
    for (size_t i = 0; i < count; i++)
        under += pairs[i].distance < mdm_recogniser_match(kind);
    printf("%-14s 1e-2 %.4f  1e-3 %.4f  1e-4 %.4f; taken for one person at %.2f: %.2e of the pairs\n",
           mdm_recogniser_name(kind), (double)pairs[count / 100].distance, (double)pairs[count / 1000].distance,
           (double)pairs[count / 10000].distance, (double)mdm_recogniser_match(kind), (double)under / (double)count);
    for (int i = 0; i < 4; i++)
        printf("    nearest %s and %s: %.3f\n", faces.face[pairs[i].a].name, faces.face[pairs[i].b].name,
               (double)pairs[i].distance);
    mdm_free(&pairs);
}

static void tell_poses(int n)
{
    static const char *const axis[3] = {"yaw", "pitch", "roll"};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
            for (int j = 0; j < n; j++) {
                double p = poses[kept[j]][0][i], q = poses[kept[j]][1][k];
                x += p, y += q, xx += p * p, yy += q * q, xy += p * q;
            }
            double sx = sqrt(xx / n - x * x / n / n), sy = sqrt(yy / n - y * y / n / n);
            printf("fr_pose output %d, mesh %-5s r %+.3f, slope %+.2f\n", i, axis[k],
                   (xy / n - x * y / n / n) / sx / sy, (xy / n - x * y / n / n) / sy / sy);
        }
}

static void *open_head_pose(void *models)
{
    mdm_head_pose *head;
    bench_must(mdm_head_pose_new(&head, models, 1), "head pose");
    return head;
}

static void look(void *models, void *head, int at, const mdm_image *image, const mdm_mesh *mesh)
{
    (void)models;
    mdm_pose pose;
    mdm_pose_fit(&pose, (const float(*)[3])mesh->point, &canonical);
    mdm_pose_angles(poses[at][1], &pose);
    bench_must(mdm_head_pose_run(head, poses[at][0], image, mesh), faces.face[at].name);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_judges FOLDER MODELS\n");
        return 2;
    }
    int n = 0;
    bench_must(mdm_canonical_load(&canonical, argv[2]), "canonical face");
    bench_add_folder(&faces, argv[1]);
    bench_must(mdm_alloc(&kept, (size_t)faces.count, sizeof *kept, "faces"), "faces");
    bench_must(mdm_alloc(&poses, (size_t)faces.count, sizeof *poses, "poses"), "poses");
    bench_look_at(&faces, &(bench_look){.models = argv[2],
                                        .kinds = (1u << MDM_RECOGNISER_COUNT) - 1,
                                        .threads = 1,
                                        .open = open_head_pose,
                                        .face = look,
                                        .user = argv[2]});
    for (int i = 0; i < faces.count; i++)
        if (faces.face[i].meshed)
            kept[n++] = i;
    printf("%d of %d pictures, %d pairs\n", n, faces.count, n * (n - 1) / 2);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        tell_thresholds((mdm_recogniser_kind)k, n);
    tell_poses(n);
    bench_faces_free(&faces);
    return 0;
}
