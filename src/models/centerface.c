/* CenterFace: pre- and post-processing around the imported graph. */
#include "models/centerface.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define CELL       4 /* px of the network's picture per cell of its maps */
#define OVERLAP    0.3f
#define LONGEST    2048 /* px: larger pictures are shrunk */
#define CANDIDATES 512

struct mdm_centerface {
    mdm_graph *graph;
    int width, height; /* of the picture; */
    int net_width, net_height;
    float *input, *map[4]; /* heat, size, offset, points */
    size_t map_size[4];
};

static int up_to_32(double side)
{
    int n = (int)ceil(side / 32) * 32;
    return n < 32 ? 32 : n;
}

mdm_status mdm_centerface_new(mdm_centerface **out, const char *models, int width, int height, int threads)
{
    mdm_centerface *d = NULL;
    char *path = NULL;
    static const int channels[4] = {1, 2, 2, 10};
    *out = NULL;
    MDM_TRY(mdm_alloc(&d, 1, sizeof *d, "CenterFace"));
    double shrink =
        (width > height ? width : height) > LONGEST ? (double)LONGEST / (width > height ? width : height) : 1;
    d->width = width, d->height = height;
    d->net_width = up_to_32(width * shrink), d->net_height = up_to_32(height * shrink);
    mdm_status status = mdm_join_path(&path, models, "centerface.onnx");
    if (!status)
        status = mdm_graph_load(
            &d->graph, path, &(mdm_graph_options){.threads = threads, .height = d->net_height, .width = d->net_width});
    if (!status)
        status = mdm_alloc(&d->input, (size_t)d->net_width * (size_t)d->net_height * 3, sizeof *d->input, "CenterFace");
    for (int i = 0; i < 4 && !status; i++) {
        d->map_size[i] = (size_t)channels[i] * (size_t)(d->net_width / CELL) * (size_t)(d->net_height / CELL);
        if (mdm_graph_output_size(d->graph, i) != d->map_size[i])
            status = mdm_fail(MDM_ERR_INPUT, "%s: output %d has %zu values, expected %zu; get the file again", path, i,
                              mdm_graph_output_size(d->graph, i), d->map_size[i]);
        else
            status = mdm_alloc(&d->map[i], d->map_size[i], sizeof *d->map[i], "CenterFace");
    }
    mdm_free(&path);
    if (status)
        mdm_centerface_free(&d);
    *out = d;
    return status;
}

void mdm_centerface_free(mdm_centerface **detector)
{
    mdm_centerface *d = *detector;
    if (!d)
        return;
    mdm_graph_free(&d->graph);
    mdm_free(&d->input);
    for (int i = 0; i < 4; i++)
        mdm_free(&d->map[i]);
    mdm_free(detector);
}

static int by_score(const void *a, const void *b)
{
    float x = ((const mdm_face_detection *)a)->score, y = ((const mdm_face_detection *)b)->score;
    return (x < y) - (x > y);
}

static float overlap(const mdm_face_detection *a, const mdm_face_detection *b)
{
    float w = fminf(a->x + a->width, b->x + b->width) - fmaxf(a->x, b->x),
          h = fminf(a->y + a->height, b->y + b->height) - fmaxf(a->y, b->y);
    float both = w > 0 && h > 0 ? w * h : 0, all = a->width * a->height + b->width * b->height - both;
    return all > 0 ? both / all : 0;
}

static int decode(mdm_face_detection *list, const mdm_centerface *d, float min_score)
{
    const int columns = d->net_width / CELL, rows = d->net_height / CELL;
    const size_t plane = (size_t)columns * (size_t)rows;
    const float sx = (float)d->width / (float)d->net_width, sy = (float)d->height / (float)d->net_height;
    int count = 0;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns && count < CANDIDATES; x++) {
            size_t i = (size_t)y * (size_t)columns + (size_t)x;
            float score = d->map[0][i];
            if (!(score > min_score))
                continue;
            float h = expf(fminf(d->map[1][i], 8)) * CELL, w = expf(fminf(d->map[1][plane + i], 8)) * CELL;
            float cy = ((float)y + d->map[2][i] + 0.5f) * CELL, cx = ((float)x + d->map[2][plane + i] + 0.5f) * CELL;
            mdm_face_detection *f = &list[count++];
            memset(f, 0, sizeof *f);
            float left = fmaxf(0, cx - w / 2), top = fmaxf(0, cy - h / 2);
            f->x = left * sx, f->y = top * sy, f->width = w * sx, f->height = h * sy, f->score = score;
            for (int k = 0; k < 5; k++) {
                f->point[k][0] = (d->map[3][(size_t)(2 * k + 1) * plane + i] * w + left) * sx;
                f->point[k][1] = (d->map[3][(size_t)(2 * k) * plane + i] * h + top) * sy;
            }
        }
    qsort(list, (size_t)count, sizeof *list, by_score);
    return count;
}

mdm_status mdm_centerface_run(mdm_face_detection *found, int max, int *count, mdm_centerface *d, const mdm_image *image,
                              float min_score)
{
    static const float none[3] = {0, 0, 0};
    mdm_face_detection list[CANDIDATES];
    *count = 0;
    if (image->width != d->width || image->height != d->height)
        return mdm_fail(MDM_ERR_INTERNAL, "CenterFace was built for %d x %d, the picture has %d x %d", d->width,
                        d->height, image->width, image->height);
    double sx = (double)d->width / d->net_width, sy = (double)d->height / d->net_height;
    const double m[6] = {sx, 0, 0.5 * sx - 0.5, 0, sy, 0.5 * sy - 0.5};
    mdm_image_sample(d->input, d->net_width, d->net_height, 1, image, m, 1, none);
    MDM_TRY(mdm_graph_set(d->graph, 0, d->input, (size_t)d->net_width * (size_t)d->net_height * 3));
    MDM_TRY(mdm_graph_run(d->graph));
    for (int i = 0; i < 4; i++)
        MDM_TRY(mdm_graph_get(d->graph, i, d->map[i], d->map_size[i]));
    int n = decode(list, d, min_score);
    for (int i = 0; i < n && *count < max; i++) {
        bool repeated = false;
        for (int k = 0; k < *count; k++)
            repeated |= overlap(&list[i], &found[k]) > OVERLAP;
        if (!repeated)
            found[(*count)++] = list[i];
    }
    return MDM_OK;
}
