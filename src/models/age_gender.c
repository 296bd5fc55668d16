/* face-api's age and gender network: a small Xception, two heads on its mean. */
#include "models/age_gender.h"

#include <stdio.h>

#include "base/memory.h"
#include "models/faceapi.h"

#define PIXELS 112

struct mdm_age_gender {
    mdm_faceapi net;
};

/* PREFIX/separable_convK on ReLU(x) */
static mdm_node *separable(mdm_faceapi *net, mdm_node *x, const char *prefix, int index, bool active)
{
    char name[64];
    snprintf(name, sizeof name, "%s/separable_conv%d", prefix, index);
    return mdm_faceapi_separable(net, active ? mdm_nn_activate(net->nn, x, MDM_RELU) : x, name, 1);
}

/* Halves the picture: two separable convolutions and a maximum, plus a 1x1 convolution of stride 2 as shortcut. */
static mdm_node *reduction(mdm_faceapi *net, mdm_node *x, const char *prefix, bool active)
{
    char filters[64], bias[64];
    snprintf(filters, sizeof filters, "%s/expansion_conv/filters", prefix);
    snprintf(bias, sizeof bias, "%s/expansion_conv/bias", prefix);
    mdm_node *y = separable(net, separable(net, x, prefix, 0, active), prefix, 1, true);
    /* SAME on an even side: the odd row of padding is at the bottom and right */
    y = mdm_nn_pool(net->nn, y, MDM_POOL_MAX, (const int[]){3, 3}, (const int[]){2, 2}, (const int[]){0, 0, 1, 1},
                    false);
    return mdm_nn_add(net->nn, y, mdm_faceapi_conv(net, x, filters, bias, NULL, NULL, 2, false, MDM_LINEAR));
}

mdm_status mdm_age_gender_new(mdm_age_gender **out, const char *models, int threads)
{
    mdm_age_gender *net = NULL;
    mdm_node *x = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&net, 1, sizeof *net, "age and gender network"));
    mdm_faceapi *f = &net->net;
    mdm_status status = mdm_faceapi_open(f, &x, models, "age_gender_model", PIXELS, threads);
    if (!status) {
        x = mdm_faceapi_conv(f, x, "entry_flow/conv_in/filters", "entry_flow/conv_in/bias", NULL, NULL, 2, false,
                             MDM_RELU);
        x = reduction(f, x, "entry_flow/reduction_block_0", false);
        x = reduction(f, x, "entry_flow/reduction_block_1", true);
        for (int i = 0; i < 2; i++) {
            char prefix[40];
            snprintf(prefix, sizeof prefix, "middle_flow/main_block_%d", i);
            mdm_node *y = x;
            for (int k = 0; k < 3; k++)
                y = separable(f, y, prefix, k, true);
            x = mdm_nn_add(f->nn, x, y);
        }
        x = reduction(f, x, "exit_flow/reduction_block", true);
        x = mdm_nn_activate(f->nn, mdm_faceapi_separable(f, x, "exit_flow/separable_conv", 1), MDM_RELU);
        x = mdm_nn_global_mean(f->nn, x); /* [1,512,1,1] */
        mdm_nn_output(f->nn, mdm_faceapi_dense(f, x, "fc/age/weights", "fc/age/bias"), "age");
        mdm_nn_output(f->nn, mdm_nn_softmax(f->nn, mdm_faceapi_dense(f, x, "fc/gender/weights", "fc/gender/bias")),
                      "gender");
        status = mdm_faceapi_build(f);
    }
    if (status)
        mdm_age_gender_free(&net);
    *out = net;
    return status;
}

void mdm_age_gender_free(mdm_age_gender **net)
{
    if (*net)
        mdm_faceapi_close(&(*net)->net);
    mdm_free(net);
}

mdm_status mdm_age_gender_run_crop(mdm_age_gender *net, mdm_age_gender_result *result, const mdm_image *image,
                                   const double m[6])
{
    float gender[2]; /* male, female */
    MDM_TRY(mdm_faceapi_run(&net->net, image, m));
    MDM_TRY(mdm_nn_get(net->net.nn, "age", &result->age, 1));
    MDM_TRY(mdm_nn_get(net->net.nn, "gender", gender, 2));
    result->gender_prob[0] = gender[1];
    result->gender_prob[1] = gender[0];
    return MDM_OK;
}

mdm_status mdm_age_gender_run(mdm_age_gender *net, mdm_age_gender_result *result, const mdm_image *image,
                              const float (*points)[3])
{
    double m[6];
    mdm_faceapi_portrait_crop(m, points, PIXELS);
    return mdm_age_gender_run_crop(net, result, image, m);
}
