/* dlib's ResNet-29 as face-api carries it: 3x3 convolutions with a folded scale, 14 residual blocks, mean, one matrix. */
#include "models/dlib_face.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "models/faceapi.h"

struct mdm_dlib_face {
    mdm_faceapi net;
};

static mdm_node *layer(mdm_faceapi *net, mdm_node *x, const char *name, int stride, bool valid,
                       mdm_activation activation)
{
    char filters[64], bias[64], scale[64], shift[64];
    snprintf(filters, sizeof filters, "%s/conv/filters", name);
    snprintf(bias, sizeof bias, "%s/conv/bias", name);
    snprintf(scale, sizeof scale, "%s/scale/weights", name);
    snprintf(shift, sizeof shift, "%s/scale/biases", name);
    return mdm_faceapi_conv(net, x, filters, bias, scale, shift, stride, valid, activation);
}

/* relu(conv2(relu(conv1(x))) + x); with `down` conv1 has stride 2, and x is halved by means and widened by zeros to match. */
static mdm_node *block(mdm_faceapi *net, mdm_node *x, const char *name, bool down)
{
    char first[48], second[48];
    mdm_nn *nn = net->nn;
    snprintf(first, sizeof first, "%s/conv1", name);
    snprintf(second, sizeof second, "%s/conv2", name);
    mdm_node *y = layer(net, x, first, down ? 2 : 1, down, MDM_RELU);
    y = layer(net, y, second, 1, false, MDM_LINEAR);
    if (down && x && y) {
        const int two[2] = {2, 2}, none[4] = {0};
        x = mdm_nn_pool(nn, x, MDM_POOL_AVERAGE, two, two, none, false);
        if (!x)
            return NULL;
        int after_y[4] = {0}, after_x[4] = {0};
        for (int axis = 0; axis < 2; axis++)
            after_y[axis] = (int)(mdm_nn_dim(x, axis) - mdm_nn_dim(y, axis));
        after_x[2] = (int)(mdm_nn_dim(y, 2) - mdm_nn_dim(x, 2));
        if (after_y[0] > 0 || after_y[1] > 0)
            y = mdm_nn_pad(nn, y, none, after_y);
        if (after_x[2] > 0)
            x = mdm_nn_pad(nn, x, none, after_x);
    }
    return mdm_nn_activate(nn, mdm_nn_add(nn, x, y), MDM_RELU);
}

mdm_status mdm_dlib_face_new(mdm_dlib_face **out, const char *models, int threads)
{
    static const struct {
        const char *name;
        bool down;
    } blocks[] = {
        {"conv32_1", false},  {"conv32_2", false},        {"conv32_3", false},    {"conv64_down", true},
        {"conv64_1", false},  {"conv64_2", false},        {"conv64_3", false},    {"conv128_down", true},
        {"conv128_1", false}, {"conv128_2", false},       {"conv256_down", true}, {"conv256_1", false},
        {"conv256_2", false}, {"conv256_down_out", true},
    };
    mdm_dlib_face *net = NULL;
    mdm_node *x = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&net, 1, sizeof *net, "face descriptor network"));
    mdm_status status =
        mdm_faceapi_open(&net->net, &x, models, "face_recognition_model", MDM_DLIB_FACE_PIXELS, threads);
    if (!status) {
        mdm_faceapi *f = &net->net;
        x = layer(f, x, "conv32_down", 2, true, MDM_RELU);
        x = mdm_nn_pool(f->nn, x, MDM_POOL_MAX, (const int[]){3, 3}, (const int[]){2, 2}, (const int[]){0, 0, 0, 0},
                        false);
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            x = block(f, x, blocks[i].name, blocks[i].down);
        x = mdm_faceapi_dense(f, mdm_nn_global_mean(f->nn, x), "fc", NULL);
        mdm_nn_output(f->nn, x, "descriptor");
        status = mdm_faceapi_build(f);
    }
    if (status)
        mdm_dlib_face_free(&net);
    *out = net;
    return status;
}

void mdm_dlib_face_free(mdm_dlib_face **net)
{
    if (*net)
        mdm_faceapi_close(&(*net)->net);
    mdm_free(net);
}

mdm_status mdm_dlib_face_run_crop(mdm_dlib_face *net, float descriptor[MDM_DLIB_FACE_SIZE], const mdm_image *image,
                                  const double m[6])
{
    MDM_TRY(mdm_faceapi_run(&net->net, image, m));
    return mdm_nn_get(net->net.nn, "descriptor", descriptor, MDM_DLIB_FACE_SIZE);
}

mdm_status mdm_dlib_face_run(mdm_dlib_face *net, float descriptor[MDM_DLIB_FACE_SIZE], const mdm_image *image,
                             const float (*points)[3])
{
    double m[6];
    mdm_faceapi_descriptor_crop(m, points, MDM_DLIB_FACE_PIXELS);
    return mdm_dlib_face_run_crop(net, descriptor, image, m);
}

float mdm_dlib_face_distance(const float a[MDM_DLIB_FACE_SIZE], const float b[MDM_DLIB_FACE_SIZE])
{
    double sum = 0;
    for (int i = 0; i < MDM_DLIB_FACE_SIZE; i++)
        sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
    return (float)sqrt(sum);
}
