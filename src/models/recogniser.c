/* Face recognisers: a table of networks and their crops. */
#include "models/recogniser.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/crop.h"
#include "models/dlib_face.h"
#include "models/face_align.h"
#include "nn/graph.h"

static const struct {
    const char *name, *file, *output; /* output NULL: the first */
    int numbers, side;                /* side of the crop, pixels */
    void (*crop)(double m[6], const mdm_mesh *mesh, int side);
    float scale, offset; /* network input = pixel * scale + offset */
    float same;          /* the limit that is usual for the network */
    /* Distance that 1 in 100, 1,000, 10,000 pairs of strangers fall below: bench/bench_judges.c on 668 of 699 pictures of FairFace's
     * validation set (all 222,778 pairs; in the others the mesh found no face). */
    float far[MDM_FARS];
} kinds[MDM_RECOGNISER_COUNT] = {
    {"dlib", NULL, NULL, MDM_DLIB_FACE_SIZE, 0, NULL, 0, 0, MDM_DLIB_FACE_SAME, {0.508f, 0.416f, 0.344f}},
    {"faceres", "faceres.json", "global_pooling/Mean", 1024, 224, mdm_align_box, 1, 0, 0.45f, {0.421f, 0.348f, 0.293f}},
    {"mobilefacenet",
     "MobileFaceNet.tflite",
     NULL,
     192,
     112,
     mdm_align_arcface,
     1 / 128.0f,
     -127.5f / 128,
     0.55f,
     {0.420f, 0.285f, 0.209f}},
    {"fr_feature",
     "fr_feature.onnx",
     NULL,
     512,
     112,
     mdm_align_arcface,
     1 / 128.0f,
     -127.5f / 128,
     0.55f,
     {0.600f, 0.440f, 0.322f}},
};

struct mdm_recogniser {
    mdm_recogniser_kind kind;
    mdm_dlib_face *dlib;
    mdm_graph *graph;
    int output;
    float *pixels;
};

static mdm_status open_graph(mdm_recogniser *r, const char *models, int threads)
{
    char *path = NULL;
    MDM_TRY(mdm_join_path(&path, models, kinds[r->kind].file));
    mdm_status status = mdm_graph_load(&r->graph, path, &(mdm_graph_options){.threads = threads});
    if (status == MDM_OK) {
        const char *output = kinds[r->kind].output;
        r->output = output ? mdm_graph_output_index(r->graph, output) : 0;
        if (r->output < 0 || mdm_graph_output_size(r->graph, r->output) != (size_t)kinds[r->kind].numbers)
            status = mdm_fail(MDM_ERR_INPUT, "%s: no output of %d numbers; get the file again", path,
                              kinds[r->kind].numbers);
    }
    if (status == MDM_OK)
        status = mdm_alloc(&r->pixels, (size_t)(3 * kinds[r->kind].side * kinds[r->kind].side), sizeof *r->pixels,
                           "face crop");
    mdm_free(&path);
    return status;
}

mdm_status mdm_recogniser_new(mdm_recogniser **out, mdm_recogniser_kind kind, const char *models, int threads)
{
    mdm_recogniser *r = NULL;
    *out = NULL;
    if ((int)kind < 0 || kind >= MDM_RECOGNISER_COUNT)
        return mdm_fail(MDM_ERR_INTERNAL, "recogniser %d, expected 0..%d", (int)kind, MDM_RECOGNISER_COUNT - 1);
    MDM_TRY(mdm_alloc(&r, 1, sizeof *r, "recogniser"));
    r->kind = kind;
    mdm_status status =
        kind == MDM_RECOGNISER_DLIB ? mdm_dlib_face_new(&r->dlib, models, threads) : open_graph(r, models, threads);
    if (status != MDM_OK)
        mdm_recogniser_free(&r);
    *out = r;
    return status;
}

void mdm_recogniser_free(mdm_recogniser **recogniser)
{
    if (!*recogniser)
        return;
    mdm_dlib_face_free(&(*recogniser)->dlib);
    mdm_graph_free(&(*recogniser)->graph);
    mdm_free(&(*recogniser)->pixels);
    mdm_free(recogniser);
}

const char *mdm_recogniser_name(mdm_recogniser_kind kind)
{
    return kinds[kind].name;
}

int mdm_recogniser_size(mdm_recogniser_kind kind)
{
    return kinds[kind].numbers;
}

float mdm_recogniser_same(mdm_recogniser_kind kind)
{
    return kinds[kind].same;
}

float mdm_recogniser_at(mdm_recogniser_kind kind, mdm_far far)
{
    return kinds[kind].far[far];
}

float mdm_recogniser_match(mdm_recogniser_kind kind)
{
    return fmaxf(kinds[kind].same, kinds[kind].far[MDM_FAR_1E3]);
}

mdm_status mdm_recogniser_embed(mdm_recogniser *r, const mdm_image *image, const mdm_mesh *mesh, float *out)
{
    if (r->dlib)
        return mdm_dlib_face_run(r->dlib, out, image, mesh->point);
    const int side = kinds[r->kind].side, numbers = kinds[r->kind].numbers;
    const float offset = kinds[r->kind].offset;
    double m[6], length = 0;
    kinds[r->kind].crop(m, mesh, side);
    MDM_TRY(mdm_crop_sample(r->pixels, side, side, image, m, kinds[r->kind].scale,
                            (const float[3]){offset, offset, offset}));
    MDM_TRY(mdm_graph_set(r->graph, 0, r->pixels, (size_t)(3 * side * side)));
    MDM_TRY(mdm_graph_run(r->graph));
    MDM_TRY(mdm_graph_get(r->graph, r->output, out, (size_t)numbers));
    for (int i = 0; i < numbers; i++)
        length += (double)out[i] * out[i];
    if (!(length > 0) || !isfinite(length))
        return mdm_fail(MDM_ERR_INTERNAL, "recogniser %s: a vector of length %g", kinds[r->kind].name, length);
    for (int i = 0; i < numbers; i++)
        out[i] = (float)(out[i] / sqrt(length));
    return MDM_OK;
}

float mdm_recogniser_distance(mdm_recogniser_kind kind, const float *a, const float *b)
{
    double product = 0, difference = 0;
    for (int i = 0; i < kinds[kind].numbers; i++) {
        product += (double)a[i] * b[i];
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return (float)(kind == MDM_RECOGNISER_DLIB ? sqrt(difference) : 1 - product);
}

void mdm_recogniser_mean(mdm_recogniser_kind kind, float *sum, int count)
{
    double length = 0;
    for (int i = 0; i < kinds[kind].numbers; i++)
        length += (double)sum[i] * (double)sum[i];
    double by = mdm_recogniser_higher_is_closer(kind) ? sqrt(length) : count;
    for (int i = 0; i < kinds[kind].numbers && by > 0; i++)
        sum[i] = (float)((double)sum[i] / by);
}

double mdm_recogniser_likeness(mdm_recogniser_kind kind, double distance)
{
    return mdm_recogniser_higher_is_closer(kind) ? 1 - distance : distance;
}

bool mdm_recogniser_higher_is_closer(mdm_recogniser_kind kind)
{
    return kind != MDM_RECOGNISER_DLIB;
}
