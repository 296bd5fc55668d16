/* EchoMimic's face locator: convolutions from a drawing of the face to what is added to the denoising U-net's first layer. */
#include <stdio.h>

#include "base/memory.h"
#include "models/echomimic.h"
#include "models/layers.h"

struct mdm_face_locator {
    mdm_nn *nn;
};

static void describe(const mdm_layers *l, const mdm_echomimic_sizes *s, int channels, int height, int width)
{
    char block[32];
    mdm_nn *nn = l->nn;
    const int64_t shape[4] = {1, channels, (int64_t)height * MDM_ECHOMIMIC_LOCATOR_DOWN,
                              (int64_t)width * MDM_ECHOMIMIC_LOCATOR_DOWN};
    mdm_node *x = mdm_nn_input(nn, "picture", 4, shape);
    x = mdm_nn_activate(nn, mdm_layer_conv(l, x, "", "conv_in", s->locator[0], 3, 1), MDM_SILU);
    for (int i = 0; i < 2 * (MDM_ECHOMIMIC_LOCATOR - 1);
         i++) { /* each width once as it is, once to the next at half size */
        const int halve = i % 2;
        snprintf(block, sizeof block, "blocks.%d", i);
        x = mdm_layer_conv(l, x, "", block, s->locator[i / 2 + halve], 3, 1 + halve);
        x = mdm_nn_activate(nn, x, MDM_SILU);
    }
    mdm_nn_output(nn, mdm_layer_conv(l, x, "", "conv_out", s->channels[0], 3, 1), "face");
}

mdm_status mdm_face_locator_new(mdm_face_locator **out, const mdm_echomimic_sizes *sizes, mdm_weights *weights,
                                int channels, int height, int width, int threads)
{
    mdm_face_locator *locator = NULL;
    bool good = height > 0 && width > 0 && height <= 1024 && width <= 1024 && (channels == 1 || channels == 3);
    *out = NULL;
    for (int i = 0; i < MDM_ECHOMIMIC_LOCATOR; i++)
        good = good && sizes->locator[i] > 0 && sizes->locator[i] <= 1 << 16;
    if (!good)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: a face locator of %d channels for a latent of %d x %d; 1 or 3 channels, "
                        "sides of 1 to 1024",
                        mdm_weights_path(weights), channels, width, height);
    MDM_TRY(mdm_alloc(&locator, 1, sizeof *locator, "face locator"));
    mdm_status status = mdm_nn_new_large(&locator->nn, "face locator", threads);
    if (!status) {
        const mdm_layers layers = {locator->nn, weights, MDM_STORE_F32};
        describe(&layers, sizes, channels, height, width);
        status = mdm_layers_build(&layers, "");
    }
    if (status)
        mdm_face_locator_free(&locator);
    *out = locator;
    return status;
}

void mdm_face_locator_free(mdm_face_locator **locator)
{
    if (!*locator)
        return;
    mdm_nn_free(&(*locator)->nn);
    mdm_free(locator);
}

mdm_status mdm_face_locator_run(mdm_face_locator *locator, float *face, const float *picture)
{
    mdm_nn *nn = locator->nn;
    MDM_TRY(mdm_nn_set(nn, "picture", picture, mdm_nn_count(nn, "picture")));
    MDM_TRY(mdm_nn_run(nn));
    return mdm_nn_get(nn, "face", face, mdm_nn_count(nn, "face"));
}
