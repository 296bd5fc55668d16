/* face-api's expression network: four densely connected blocks of separable convolutions, a mean, one matrix, softmax. */
#include "models/expression.h"

#include <stdio.h>

#include "base/memory.h"
#include "models/faceapi.h"

#define PIXELS 112

const char *const mdm_expression_names[MDM_EXPRESSIONS] = {"neutral", "happy",     "sad",      "angry",
                                                           "fearful", "disgusted", "surprised"};

struct mdm_expression {
    mdm_faceapi net;
};

/* o1 = conv0(x) (stride 2), each of conv1..conv3 sees the ReLU of the sum of all before. */
static mdm_node *block(mdm_faceapi *net, mdm_node *x, int index)
{
    char name[4][32], filters[48], bias[48];
    mdm_nn *nn = net->nn;
    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof name[i], "dense%d/conv%d", index, i);
    if (index == 0) {
        snprintf(filters, sizeof filters, "%s/filters", name[0]);
        snprintf(bias, sizeof bias, "%s/bias", name[0]);
        x = mdm_faceapi_conv(net, x, filters, bias, NULL, NULL, 2, false, MDM_RELU);
    } else {
        x = mdm_nn_activate(nn, mdm_faceapi_separable(net, x, name[0], 2), MDM_RELU);
    }
    mdm_node *sum = mdm_nn_add(nn, x, mdm_faceapi_separable(net, x, name[1], 1));
    for (int i = 2; i < 4; i++)
        sum = mdm_nn_add(nn, sum, mdm_faceapi_separable(net, mdm_nn_activate(nn, sum, MDM_RELU), name[i], 1));
    return mdm_nn_activate(nn, sum, MDM_RELU);
}

mdm_status mdm_expression_new(mdm_expression **out, const char *models, int threads)
{
    mdm_expression *net = NULL;
    mdm_node *x = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&net, 1, sizeof *net, "expression network"));
    mdm_status status = mdm_faceapi_open(&net->net, &x, models, "face_expression_model", PIXELS, threads);
    if (!status) {
        for (int i = 0; i < 4; i++)
            x = block(&net->net, x, i); /* [1,32,56,56] .. [1,256,7,7] */
        x = mdm_faceapi_dense(&net->net, mdm_nn_global_mean(net->net.nn, x), "fc/weights", "fc/bias");
        mdm_nn_output(net->net.nn, mdm_nn_softmax(net->net.nn, x), "prob");
        status = mdm_faceapi_build(&net->net);
    }
    if (status)
        mdm_expression_free(&net);
    *out = net;
    return status;
}

void mdm_expression_free(mdm_expression **net)
{
    if (*net)
        mdm_faceapi_close(&(*net)->net);
    mdm_free(net);
}

mdm_status mdm_expression_run_crop(mdm_expression *net, mdm_expression_result *result, const mdm_image *image,
                                   const double m[6])
{
    MDM_TRY(mdm_faceapi_run(&net->net, image, m));
    return mdm_nn_get(net->net.nn, "prob", result->prob, MDM_EXPRESSIONS);
}

void mdm_expression_crop(double m[6], const float (*points)[3])
{
    mdm_faceapi_portrait_crop(m, points, PIXELS);
}

mdm_status mdm_expression_run(mdm_expression *net, mdm_expression_result *result, const mdm_image *image,
                              const float (*points)[3])
{
    double m[6];
    mdm_expression_crop(m, points);
    return mdm_expression_run_crop(net, result, image, m);
}
