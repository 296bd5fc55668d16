/* fr_pose: an upright square around the face, ImageNet's mean and deviation, expectation over bins of 3 degrees. */
#include "models/head_pose.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define BINS   66
#define PIXELS MDM_HEAD_POSE_PIXELS
#define AROUND 1.2 /* side of the square over the longer side of the box of the mesh's points */

struct mdm_head_pose {
    mdm_graph *graph;
    float pixels[3 * PIXELS * PIXELS];
};

mdm_status mdm_head_pose_new(mdm_head_pose **out, const char *models, int threads)
{
    mdm_head_pose *net = NULL;
    char *path = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&net, 1, sizeof *net, "head pose network"));
    mdm_status status = mdm_join_path(&path, models, "fr_pose.onnx");
    if (!status)
        status = mdm_graph_load(&net->graph, path, &(mdm_graph_options){.threads = threads});
    for (int i = 0; i < 3 && !status; i++)
        if (mdm_graph_output_size(net->graph, i) != BINS)
            status = mdm_fail(MDM_ERR_INPUT, "%s: output %d has %zu values, expected %d; get the file again", path, i,
                              mdm_graph_output_size(net->graph, i), BINS);
    mdm_free(&path);
    if (status)
        mdm_head_pose_free(&net);
    *out = net;
    return status;
}

void mdm_head_pose_free(mdm_head_pose **net)
{
    if (*net)
        mdm_graph_free(&(*net)->graph);
    mdm_free(net);
}

/* Sum of i * softmax_i, in bins of 3 degrees from -99. */
static double expectation(const float logits[BINS])
{
    double largest = (double)logits[0], sum = 0, mean = 0;
    for (int i = 1; i < BINS; i++)
        largest = fmax(largest, (double)logits[i]);
    for (int i = 0; i < BINS; i++) {
        double p = exp((double)logits[i] - largest);
        sum += p;
        mean += p * i;
    }
    return 3 * mean / sum - 99;
}

mdm_status mdm_head_pose_run(mdm_head_pose *net, double angles[3], const mdm_image *image, const mdm_mesh *mesh)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    const size_t plane = (size_t)PIXELS * PIXELS;
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY}, none[3] = {0};
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], mesh->point[i][k]);
            high[k] = fmaxf(high[k], mesh->point[i][k]);
        }
    double side = AROUND * (double)fmaxf(high[0] - low[0], high[1] - low[1]), step = side / PIXELS;
    double x = (double)(low[0] + high[0]) / 2, y = (double)(low[1] + high[1]) / 2;
    const double m[6] = {step, 0, x - side / 2 + step / 2, 0, step, y - side / 2 + step / 2};
    mdm_image_sample(net->pixels, PIXELS, PIXELS, 1, image, m, 1 / 255.0f, none);
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < plane; i++)
            net->pixels[c * plane + i] = (net->pixels[c * plane + i] - mean[c]) / deviation[c];
    MDM_TRY(mdm_graph_set(net->graph, 0, net->pixels, 3 * plane));
    MDM_TRY(mdm_graph_run(net->graph));
    for (int i = 0; i < 3; i++) {
        float logits[BINS];
        MDM_TRY(mdm_graph_get(net->graph, i, logits, BINS));
        angles[i] = expectation(logits);
    }
    return MDM_OK;
}
