/* Calibration of the judges on a folder of face pictures of different people (FairFace's validation set): distances at
 * which one in 100, 1,000 and 10,000 pairs of strangers is taken for one person, for the table in src/models/recogniser.c;
 * what of that a face's size, blur or turn makes worse; and how the head-pose judge agrees with the mesh.
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

/* The same pictures as a camera far away or out of focus would have taken them. */
static const struct {
    const char *name;
    float width; /* px of the face; 0: as it is */
    float blur;  /* sigma over the face's width */
} spoilt[] = {{"40 px wide", 40, 0}, {"24 px wide", 24, 0}, {"blurred by 4 % of its width", 0, 0.04f}};
enum { SPOILT = sizeof spoilt / sizeof *spoilt, JUDGES = MDM_RECOGNISER_FR_FEATURE }; /* all but the tests' own */
static float *spoilt_vector[SPOILT][JUDGES];                                          /* [count][mdm_recogniser_size] */

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

/* Pairs of strangers in one view, as recording and result are: both turned by `low` to `high` degrees to one side, within 10 of each other. */
static void tell_turned(mdm_recogniser_kind kind, int n, double low, double high)
{
    const size_t size = (size_t)mdm_recogniser_size(kind);
    int pairs = 0, same = 0;
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) {
            const double x = poses[kept[a]][1][0], y = poses[kept[b]][1][0];
            if (fabs(x) < low || fabs(x) >= high || fabs(y) < low || fabs(y) >= high || fabs(x - y) > 10)
                continue;
            pairs++;
            same += mdm_recogniser_distance(kind, faces.vector[kind] + (size_t)kept[a] * size,
                                            faces.vector[kind] + (size_t)kept[b] * size) < mdm_recogniser_match(kind);
        }
    printf("%-14s both turned by %.0f to %.0f degrees: %.4f of %d pairs taken for one person\n",
           mdm_recogniser_name(kind), low, high, pairs ? (double)same / pairs : NAN, pairs);
}

static void tell_spoilt(mdm_recogniser_kind kind, int n, int how)
{
    const size_t size = (size_t)mdm_recogniser_size(kind);
    const float *v = spoilt_vector[how][kind];
    int pairs = 0, same = 0, known = 0;
    for (int a = 0; a < n; a++) {
        known += mdm_recogniser_distance(kind, v + (size_t)kept[a] * size,
                                         faces.vector[kind] + (size_t)kept[a] * size) < mdm_recogniser_match(kind);
        for (int b = a + 1; b < n; b++, pairs++)
            same += mdm_recogniser_distance(kind, v + (size_t)kept[a] * size, v + (size_t)kept[b] * size) <
                    mdm_recogniser_match(kind);
    }
    printf("%-14s %s: %.4f of %d pairs of strangers taken for one person; %.4f of the faces known again in full size\n",
           mdm_recogniser_name(kind), spoilt[how].name, (double)same / pairs, pairs, (double)known / n);
}

/* What a thread looks with. */
typedef struct eyes {
    mdm_head_pose *head;
    mdm_recogniser *judge[JUDGES];
} eyes;

static void *open_eyes(void *models)
{
    eyes *own;
    bench_must(mdm_alloc(&own, 1, sizeof *own, "networks"), "networks");
    bench_must(mdm_head_pose_new(&own->head, models, 1), "head pose");
    for (int k = 0; k < JUDGES; k++)
        bench_must(mdm_recogniser_new(&own->judge[k], (mdm_recogniser_kind)k, models, 1), "recogniser");
    return own;
}

static void look_at_spoilt(eyes *own, int at, const mdm_image *image, const mdm_mesh *mesh, int how)
{
    const float width = hypotf(mesh->point[454][0] - mesh->point[234][0], mesh->point[454][1] - mesh->point[234][1]);
    const float scale = spoilt[how].width > 0 ? fminf(1, spoilt[how].width / width) : 1;
    mdm_image small = {0};
    mdm_mesh moved = *mesh;
    bench_must(mdm_image_new(&small, (int)fmaxf(8, (float)image->width * scale),
                             (int)fmaxf(8, (float)image->height * scale), 3),
               "picture");
    mdm_image_resize(&small, image);
    for (int i = 0; i < MDM_MESH_POINTS; i++)
        for (int k = 0; k < 3; k++)
            moved.point[i][k] = k < 2 ? (mesh->point[i][k] + 0.5f) * scale - 0.5f : mesh->point[i][k] * scale;
    if (spoilt[how].blur > 0) {
        const size_t n = (size_t)small.width * (size_t)small.height * 3;
        float *soft;
        bench_must(mdm_alloc(&soft, n, sizeof *soft, "picture"), "picture");
        for (size_t i = 0; i < n; i++)
            soft[i] = (float)small.data[i / (3 * (size_t)small.width) * small.stride + i % (3 * (size_t)small.width)];
        bench_must(mdm_blur_float(soft, small.width, small.height, 3, spoilt[how].blur * width), "blur");
        for (size_t i = 0; i < n; i++)
            small.data[i / (3 * (size_t)small.width) * small.stride + i % (3 * (size_t)small.width)] = (uint8_t)soft[i];
        mdm_free(&soft);
    }
    for (int k = 0; k < JUDGES; k++)
        bench_must(mdm_recogniser_embed(own->judge[k], &small, &moved,
                                        spoilt_vector[how][k] +
                                            (size_t)at * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k)),
                   faces.face[at].name);
    mdm_image_free(&small);
}

static void look(void *models, void *with, int at, const mdm_image *image, const mdm_mesh *mesh)
{
    (void)models;
    eyes *own = with;
    mdm_pose pose;
    mdm_pose_fit(&pose, (const float(*)[3])mesh->point, &canonical);
    mdm_pose_angles(poses[at][1], &pose);
    bench_must(mdm_head_pose_run(own->head, poses[at][0], image, mesh), faces.face[at].name);
    for (int how = 0; how < SPOILT; how++)
        look_at_spoilt(own, at, image, mesh, how);
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
    for (int how = 0; how < SPOILT; how++)
        for (int k = 0; k < JUDGES; k++)
            bench_must(mdm_alloc(&spoilt_vector[how][k],
                                 (size_t)faces.count * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k),
                                 sizeof(float), "vectors"),
                       "vectors");
    bench_look_at(&faces, &(bench_look){.models = argv[2],
                                        .kinds = (1u << MDM_RECOGNISER_COUNT) - 1,
                                        .threads = 1,
                                        .open = open_eyes,
                                        .face = look,
                                        .user = argv[2]});
    for (int i = 0; i < faces.count; i++)
        if (faces.face[i].meshed)
            kept[n++] = i;
    printf("%d of %d pictures, %d pairs\n", n, faces.count, n * (n - 1) / 2);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        tell_thresholds((mdm_recogniser_kind)k, n);
    for (int k = 0; k < JUDGES; k++) {
        tell_turned((mdm_recogniser_kind)k, n, 0, 15);
        tell_turned((mdm_recogniser_kind)k, n, 15, 30);
        tell_turned((mdm_recogniser_kind)k, n, 30, 52);
        for (int how = 0; how < SPOILT; how++)
            tell_spoilt((mdm_recogniser_kind)k, n, how);
    }
    tell_poses(n);
    bench_faces_free(&faces);
    return 0;
}
