/* MediaPipe's full-range face detector: letterboxed crop, decoding of an anchor every four pixels, weighted non-maximum
 * suppression. All its layers are convolutions, so it also runs on inputs larger than the square it was trained on. */
#include "models/face_detector.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define SIDE     192
#define STEP     4  /* pixels from anchor to anchor */
#define COARSEST 32 /* pixels a place of its coarsest layer stands for */
#define LONGEST  2048
#define COORDS   16
#define OVERLAP  0.3f /* intersection over union from which anchors are one face */

struct mdm_face_detector {
    mdm_graph *graph;
    int boxes, scores; /* outputs */
    int width, height; /* of the input */
    int anchors;
    float *input;       /* [3][height][width] */
    float *box, *score; /* [anchors][COORDS], [anchors] */
    mdm_face_detection *candidate;
};

static mdm_status load(mdm_face_detector *d, const char *path, int threads)
{
    const size_t pixels = (size_t)d->width * (size_t)d->height, anchors = (size_t)d->anchors;
    MDM_TRY(mdm_graph_load(&d->graph, path,
                           &(mdm_graph_options){.threads = threads, .height = d->height, .width = d->width}));
    d->boxes = mdm_graph_output_index(d->graph, "reshaped_regressor_face_4");
    d->scores = mdm_graph_output_index(d->graph, "reshaped_classifier_face_4");
    if (d->boxes < 0 || d->scores < 0 || mdm_graph_output_size(d->graph, d->boxes) != anchors * COORDS ||
        mdm_graph_output_size(d->graph, d->scores) != anchors)
        return mdm_fail(MDM_ERR_INPUT, "%s: not the full-range face detector; get it again", path);
    MDM_TRY(mdm_alloc(&d->input, 3 * pixels, sizeof *d->input, "face detector"));
    MDM_TRY(mdm_alloc(&d->box, anchors * COORDS, sizeof *d->box, "face detector"));
    MDM_TRY(mdm_alloc(&d->score, anchors, sizeof *d->score, "face detector"));
    return mdm_alloc(&d->candidate, anchors, sizeof *d->candidate, "face detector");
}

mdm_status mdm_face_detector_new_wide(mdm_face_detector **out, const char *models, int width, int height, int threads)
{
    mdm_face_detector *d = NULL;
    char *path = NULL;
    *out = NULL;
    if (width < COARSEST || height < COARSEST || width > LONGEST || height > LONGEST || width % COARSEST ||
        height % COARSEST)
        return mdm_fail(MDM_ERR_INTERNAL, "face detector: %d x %d pixels, expected multiples of %d up to %d", width,
                        height, COARSEST, LONGEST);
    MDM_TRY(mdm_join_path(&path, models, "face_detection_full_range.tflite"));
    mdm_status status = mdm_alloc(&d, 1, sizeof *d, "face detector");
    if (status == MDM_OK) {
        d->width = width, d->height = height;
        d->anchors = (width / STEP) * (height / STEP);
        status = load(d, path, threads);
    }
    mdm_free(&path);
    if (status != MDM_OK)
        mdm_face_detector_free(&d);
    *out = d;
    return status;
}

mdm_status mdm_face_detector_new(mdm_face_detector **out, const char *models, int threads)
{
    return mdm_face_detector_new_wide(out, models, SIDE, SIDE, threads);
}

void mdm_face_detector_free(mdm_face_detector **detector)
{
    mdm_face_detector *d = *detector;
    if (!d)
        return;
    mdm_graph_free(&d->graph);
    mdm_free(&d->input);
    mdm_free(&d->box);
    mdm_free(&d->score);
    mdm_free(&d->candidate);
    mdm_free(detector);
}

/* Black where the input reaches over the picture or over the region. */
static void blacken(mdm_face_detector *d, const mdm_image *image, const float region[4], float left, float top,
                    float scale)
{
    const size_t width = (size_t)d->width, height = (size_t)d->height;
    for (size_t i = 0; i < width; i++) {
        float x = left + (float)i * scale;
        bool outside = x < 0 || x > (float)(image->width - 1) || x < region[0] || x > region[0] + region[2];
        for (size_t row = 0; outside && row < 3 * height; row++)
            d->input[row * width + i] = -1;
    }
    for (size_t i = 0; i < height; i++) {
        float y = top + (float)i * scale;
        bool outside = y < 0 || y > (float)(image->height - 1) || y < region[1] || y > region[1] + region[3];
        for (size_t at = i * width; outside && at < (i + 1) * width; at++)
            d->input[at] = d->input[at + width * height] = d->input[at + 2 * width * height] = -1;
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
    const float width = (float)d->width, height = (float)d->height;
    const float scale = fmaxf(region[2] / width, region[3] / height);
    const float left = region[0] - (width * scale - region[2]) / 2, top = region[1] - (height * scale - region[3]) / 2;
    const double m[6] = {scale, 0, left, 0, scale, top};
    mdm_image_sample(d->input, d->width, d->height, 1, image, m, 1 / 127.5f, (const float[3]){-1, -1, -1});
    blacken(d, image, region, left, top, scale);
    MDM_TRY(mdm_graph_set(d->graph, 0, d->input, 3 * (size_t)d->width * (size_t)d->height));
    MDM_TRY(mdm_graph_run(d->graph));
    MDM_TRY(mdm_graph_get(d->graph, d->boxes, d->box, (size_t)d->anchors * COORDS));
    MDM_TRY(mdm_graph_get(d->graph, d->scores, d->score, (size_t)d->anchors));
    const int columns = d->width / STEP;
    int candidates = 0;
    for (int i = 0; i < d->anchors; i++) {
        float score = 1 / (1 + expf(-fmaxf(-100, fminf(100, d->score[i]))));
        if (!(score >= min_score))
            continue;
        /* x, y of the centre, width, height, then the points: pixels of the input, relative to the anchor's centre */
        const float *raw = d->box + (size_t)i * COORDS;
        float ax = left + ((float)(i % columns) + 0.5f) * STEP * scale,
              ay = top + ((float)(i / columns) + 0.5f) * STEP * scale;
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
