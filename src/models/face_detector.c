/* MediaPipe's full-range face detector: letterboxed crop, decoding of 48 x 48 anchors, weighted non-maximum suppression. */
#include "models/face_detector.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define SIDE    192
#define GRID    48
#define ANCHORS (GRID * GRID)
#define COORDS  16
#define OVERLAP 0.3f /* intersection over union from which anchors are one face */

struct mdm_face_detector {
    mdm_graph *graph;
    int boxes, scores; /* outputs */
    float input[3 * SIDE * SIDE];
    float box[ANCHORS * COORDS], score[ANCHORS];
    mdm_face_detection candidate[ANCHORS];
};

mdm_status mdm_face_detector_new(mdm_face_detector **out, const char *models, int threads)
{
    mdm_face_detector *d = NULL;
    char *path = NULL;
    *out = NULL;
    MDM_TRY(mdm_join_path(&path, models, "face_detection_full_range.tflite"));
    mdm_status status = mdm_alloc(&d, 1, sizeof *d, "face detector");
    if (status == MDM_OK)
        status = mdm_graph_load(&d->graph, path, &(mdm_graph_options){.threads = threads});
    if (status == MDM_OK) {
        d->boxes = mdm_graph_output_index(d->graph, "reshaped_regressor_face_4");
        d->scores = mdm_graph_output_index(d->graph, "reshaped_classifier_face_4");
        if (d->boxes < 0 || d->scores < 0 || mdm_graph_output_size(d->graph, d->boxes) != ANCHORS * COORDS ||
            mdm_graph_output_size(d->graph, d->scores) != ANCHORS)
            status = mdm_fail(MDM_ERR_INPUT, "%s: not the full-range face detector; get it again", path);
    }
    mdm_free(&path);
    if (status != MDM_OK)
        mdm_face_detector_free(&d);
    *out = d;
    return status;
}

void mdm_face_detector_free(mdm_face_detector **detector)
{
    if (!*detector)
        return;
    mdm_graph_free(&(*detector)->graph);
    mdm_free(detector);
}

/* Black where the square reaches over the picture or over the region's shorter side. */
static void blacken(float *planes, const mdm_image *image, const float region[4], float left, float top, float scale)
{
    for (int i = 0; i < SIDE; i++) {
        float x = left + (float)i * scale, y = top + (float)i * scale;
        bool column = x < 0 || x > (float)(image->width - 1) || x < region[0] || x > region[0] + region[2];
        bool row = y < 0 || y > (float)(image->height - 1) || y < region[1] || y > region[1] + region[3];
        for (int c = 0; c < 3; c++) {
            float *plane = planes + c * SIDE * SIDE;
            for (int k = 0; k < SIDE; k++) {
                if (row)
                    plane[i * SIDE + k] = -1;
                if (column)
                    plane[k * SIDE + i] = -1;
            }
        }
    }
}

static int by_score(const void *a, const void *b)
{
    float x = ((const mdm_face_detection *)a)->score, y = ((const mdm_face_detection *)b)->score;
    return x < y ? 1 : x > y ? -1 : 0;
}

static float overlap(const mdm_face_detection *a, const mdm_face_detection *b)
{
    float w = fminf(a->x + a->width, b->x + b->width) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->height, b->y + b->height) - fmaxf(a->y, b->y);
    float both = w > 0 && h > 0 ? w * h : 0;
    return both > 0 ? both / (a->width * a->height + b->width * b->height - both) : 0;
}

static void add_weighted(mdm_face_detection *sum, const mdm_face_detection *d, float weight)
{
    sum->x += weight * d->x;
    sum->y += weight * d->y;
    sum->width += weight * d->width;
    sum->height += weight * d->height;
    for (int k = 0; k < MDM_FACE_POINTS; k++)
        for (int i = 0; i < 2; i++)
            sum->point[k][i] += weight * d->point[k][i];
}

/* Takes the best candidate, averages what overlaps it, and goes on with the rest. */
static int merge(mdm_face_detection *found, int max, mdm_face_detection *candidate, int candidates)
{
    int count = 0;
    qsort(candidate, (size_t)candidates, sizeof *candidate, by_score);
    while (candidates > 0 && count < max) {
        mdm_face_detection best = candidate[0], sum = {.score = best.score};
        float total = 0;
        int rest = 0;
        for (int i = 0; i < candidates; i++) {
            if (i == 0 || overlap(&best, &candidate[i]) > OVERLAP)
                total += candidate[i].score;
            else
                rest++;
        }
        rest = 0;
        for (int i = 0; i < candidates; i++) {
            if (i == 0 || overlap(&best, &candidate[i]) > OVERLAP)
                add_weighted(&sum, &candidate[i], candidate[i].score / total);
            else
                candidate[rest++] = candidate[i];
        }
        found[count++] = sum;
        candidates = rest;
    }
    return count;
}

mdm_status mdm_face_detector_run(mdm_face_detection *found, int max, int *count, mdm_face_detector *d,
                                 const mdm_image *image, const float region[4], float min_score)
{
    *count = 0;
    if (image->channels != 3 || !(region[2] >= 1) || !(region[3] >= 1) || !isfinite(region[0]) ||
        !isfinite(region[1]) || region[2] > 1e6f || region[3] > 1e6f)
        return mdm_fail(MDM_ERR_INTERNAL, "face detector: a region of %g x %g in a picture of %d channels",
                        (double)region[2], (double)region[3], image->channels);
    float side = fmaxf(region[2], region[3]), scale = side / SIDE;
    float left = region[0] - (side - region[2]) / 2, top = region[1] - (side - region[3]) / 2;
    const double m[6] = {scale, 0, left, 0, scale, top};
    mdm_image_sample(d->input, SIDE, SIDE, 1, image, m, 1 / 127.5f, (const float[3]){-1, -1, -1});
    blacken(d->input, image, region, left, top, scale);
    MDM_TRY(mdm_graph_set(d->graph, 0, d->input, 3 * SIDE * SIDE));
    MDM_TRY(mdm_graph_run(d->graph));
    MDM_TRY(mdm_graph_get(d->graph, d->boxes, d->box, ANCHORS * COORDS));
    MDM_TRY(mdm_graph_get(d->graph, d->scores, d->score, ANCHORS));
    int candidates = 0;
    for (int i = 0; i < ANCHORS; i++) {
        float score = 1 / (1 + expf(-fmaxf(-100, fminf(100, d->score[i]))));
        if (!(score >= min_score))
            continue;
        /* x, y of the centre, width, height, then the points: 192nds of the square, relative to the anchor's centre */
        const float *raw = d->box + i * COORDS;
        float ax = left + ((float)(i % GRID) + 0.5f) / GRID * side, ay = top + ((float)(i / GRID) + 0.5f) / GRID * side;
        mdm_face_detection *face = &d->candidate[candidates];
        face->score = score;
        face->width = raw[2] * scale;
        face->height = raw[3] * scale;
        face->x = ax + raw[0] * scale - face->width / 2;
        face->y = ay + raw[1] * scale - face->height / 2;
        for (int k = 0; k < MDM_FACE_POINTS; k++) {
            face->point[k][0] = ax + raw[4 + 2 * k] * scale;
            face->point[k][1] = ay + raw[5 + 2 * k] * scale;
        }
        candidates += face->width > 0 && face->height > 0;
    }
    *count = merge(found, max, d->candidate, candidates);
    return MDM_OK;
}
