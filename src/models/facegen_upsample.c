/* Enlarging a portrait: bilinear x2 plus what a residual network of 3x3 convolutions adds. */
#include "models/facegen_upsample.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/nn.h"

#define LEAK      0.2f
#define SHUFFLED  4 /* channels of `up` to one of the enlarged picture's */
#define MAX_WIDTH 256
#define MAX_DEPTH 64
#define MAX_CONVS (2 * MAX_DEPTH + 4)

typedef struct layer {
    float *weight; /* [out][in][3][3] */
    float *bias;
    int in, out;
} layer;

enum { HEAD, BODY, UP, TAIL, BLOCKS }; /* of `layers`; from BLOCKS on a and b of each block */

struct mdm_facegen_upsample {
    layer layers[MAX_CONVS];
    int depth, threads;
    mdm_nn *nn; /* for width x height */
    int width, height;
};

static mdm_status read_part(float **out, const mdm_tensor_file *file, const char *path, const char *name, int rank,
                            const int64_t *shape)
{
    const mdm_array *array = mdm_tensor_file_find(file, name);
    size_t count = 1;
    bool same = array && array->rank == rank;
    for (int i = 0; i < rank && same; i++) {
        same = array->shape[i] == shape[i];
        count *= (size_t)shape[i];
    }
    if (!same)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s is missing or of another shape than its neighbours ask for", path, name);
    MDM_TRY(mdm_alloc(out, count, sizeof **out, name));
    MDM_TRY(mdm_array_to_f32(*out, count, array));
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*out)[i]))
            return mdm_fail(MDM_ERR_INPUT, "%s: %s has a value that is not finite", path, name);
    return MDM_OK;
}

/* The file's kernels are out, y, x, in. */
static mdm_status read_layer(layer *l, const mdm_tensor_file *file, const char *path, const char *name, int in, int out)
{
    char full[64];
    float *stored = NULL;
    snprintf(full, sizeof full, "%s.bias", name);
    *l = (layer){.in = in, .out = out};
    MDM_TRY(read_part(&l->bias, file, path, full, 1, (int64_t[]){out}));
    snprintf(full, sizeof full, "%s.weight", name);
    mdm_status status = read_part(&stored, file, path, full, 4, (int64_t[]){out, 3, 3, in});
    if (!status)
        status = mdm_alloc(&l->weight, (size_t)(out * in) * 9, sizeof *l->weight, name);
    for (int o = 0; o < out && !status; o++)
        for (int i = 0; i < in; i++)
            for (int k = 0; k < 9; k++)
                l->weight[(o * in + i) * 9 + k] = stored[(o * 9 + k) * in + i];
    mdm_free(&stored);
    return status;
}

static mdm_status read_layers(mdm_facegen_upsample *net, const mdm_tensor_file *file, const char *path)
{
    const mdm_array *head = mdm_tensor_file_find(file, "head.weight"), *up = mdm_tensor_file_find(file, "up.weight");
    if (!head || !up || head->rank != 4 || up->rank != 4 || head->shape[0] < 1 || head->shape[0] > MAX_WIDTH ||
        up->shape[0] < SHUFFLED || up->shape[0] > MAX_WIDTH || up->shape[0] % SHUFFLED)
        return mdm_fail(MDM_ERR_INPUT, "%s: head and up are not those of an enlarging network", path);
    const int width = (int)head->shape[0], raised = (int)up->shape[0];
    char name[48];
    for (;; net->depth++) {
        snprintf(name, sizeof name, "block.%d.a.weight", net->depth);
        if (!mdm_tensor_file_find(file, name))
            break;
        if (net->depth == MAX_DEPTH)
            return mdm_fail(MDM_ERR_INPUT, "%s: more than %d blocks", path, MAX_DEPTH);
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "block.%d.%c", net->depth, k ? 'b' : 'a');
            MDM_TRY(read_layer(&net->layers[BLOCKS + 2 * net->depth + k], file, path, name, width, width));
        }
    }
    MDM_TRY(read_layer(&net->layers[HEAD], file, path, "head", 3, width));
    MDM_TRY(read_layer(&net->layers[BODY], file, path, "body", width, width));
    MDM_TRY(read_layer(&net->layers[UP], file, path, "up", width, raised));
    return read_layer(&net->layers[TAIL], file, path, "tail", raised / SHUFFLED, 3);
}

mdm_status mdm_facegen_upsample_new(mdm_facegen_upsample **out, const char *folder, const char *name, int threads)
{
    char *path = NULL;
    mdm_tensor_file *file = NULL;
    mdm_facegen_upsample *net = NULL;
    *out = NULL;
    MDM_TRY(mdm_format(&path, "%s/%s.safetensors", folder, name));
    mdm_status status = mdm_file_exists(path)
                            ? MDM_OK
                            : mdm_fail(MDM_ERR_DEVICE, "%s is missing: the weights of this project belong there", path);
    if (!status)
        status = mdm_tensor_file_open(&file, path);
    if (!status)
        status = mdm_alloc(&net, 1, sizeof *net, "enlarging network");
    if (!status) {
        net->threads = threads;
        status = read_layers(net, file, path);
    }
    mdm_tensor_file_free(&file);
    mdm_free(&path);
    if (status)
        mdm_facegen_upsample_free(&net);
    *out = net;
    return status;
}

void mdm_facegen_upsample_free(mdm_facegen_upsample **net)
{
    if (*net) {
        for (int i = 0; i < MAX_CONVS; i++) {
            mdm_free(&(*net)->layers[i].weight);
            mdm_free(&(*net)->layers[i].bias);
        }
        mdm_nn_free(&(*net)->nn);
    }
    mdm_free(net);
}

static mdm_node *conv(const mdm_facegen_upsample *net, mdm_node *x, int index, mdm_activation activation)
{
    const layer *l = &net->layers[index];
    char name[32];
    snprintf(name, sizeof name, "%d.weight", index);
    mdm_node *weight = mdm_nn_constant(net->nn, name, l->weight, MDM_STORE_F32, 4, (int64_t[]){l->out, l->in, 3, 3});
    snprintf(name, sizeof name, "%d.bias", index);
    mdm_node *bias = mdm_nn_constant(net->nn, name, l->bias, MDM_STORE_F32, 1, (int64_t[]){l->out});
    return mdm_nn_conv2d(net->nn, x, weight, bias,
                         &(mdm_conv){.pad = {1, 1, 1, 1}, .activation = activation, .alpha = LEAK});
}

static void describe(const mdm_facegen_upsample *net, int width, int height)
{
    mdm_nn *nn = net->nn;
    const float leak = LEAK;
    mdm_node *image = mdm_nn_input(nn, "image", 4, (int64_t[]){1, 3, height, width});             /* 0..1 */
    mdm_node *first = conv(net, mdm_nn_scale(nn, image, 1, -0.5f), HEAD, MDM_LINEAR), *x = first; /* [1,width,h,w] */
    for (int i = 0; i < net->depth; i++) {
        mdm_node *y = conv(net, x, BLOCKS + 2 * i, MDM_LEAKY_RELU);
        x = mdm_nn_add(nn, x, conv(net, y, BLOCKS + 2 * i + 1, MDM_LINEAR));
    }
    x = mdm_nn_add(nn, conv(net, x, BODY, MDM_LINEAR), first);
    x = mdm_nn_prelu(nn, x, mdm_nn_constant(nn, "leak", &leak, MDM_STORE_F32, 1, (int64_t[]){1}));
    x = mdm_nn_pixel_shuffle(nn, conv(net, x, UP, MDM_LEAKY_RELU), 2); /* [1,raised/4,2h,2w] */
    image = mdm_nn_resize(nn, image, 2 * height, 2 * width, MDM_BILINEAR);
    mdm_nn_output(nn, mdm_nn_add(nn, image, conv(net, x, TAIL, MDM_LINEAR)), "large");
}

static mdm_status build_for(mdm_facegen_upsample *net, int width, int height)
{
    if (net->nn && net->width == width && net->height == height)
        return MDM_OK;
    mdm_nn_free(&net->nn);
    MDM_TRY(mdm_nn_new(&net->nn, "enlarging network", net->threads));
    describe(net, width, height);
    mdm_status status = mdm_nn_build(net->nn);
    if (status)
        mdm_nn_free(&net->nn);
    net->width = width, net->height = height;
    return status;
}

mdm_status mdm_facegen_upsample_forward(float *out, mdm_facegen_upsample *net, const float *in, int width, int height)
{
    if (width < 1 || height < 1 || width > MDM_FACEGEN_UPSAMPLE_SIDE || height > MDM_FACEGEN_UPSAMPLE_SIDE)
        return mdm_fail(MDM_ERR_INPUT, "a picture of %d x %d cannot be enlarged: at most %d a side", width, height,
                        MDM_FACEGEN_UPSAMPLE_SIDE);
    const size_t count = 3 * (size_t)width * (size_t)height;
    MDM_TRY(build_for(net, width, height));
    MDM_TRY(mdm_nn_set(net->nn, "image", in, count));
    MDM_TRY(mdm_nn_run(net->nn));
    return mdm_nn_get(net->nn, "large", out, 4 * count);
}

mdm_status mdm_facegen_upsample_run(mdm_image *out, mdm_facegen_upsample *net, const mdm_image *in)
{
    const size_t pixels = (size_t)in->width * (size_t)in->height;
    float *small = NULL, *large = NULL;
    *out = (mdm_image){0};
    if (in->channels != 3)
        return mdm_fail(MDM_ERR_INPUT, "a picture of %d channels cannot be enlarged: RGB is expected", in->channels);
    mdm_status status = mdm_alloc(&small, pixels, 3 * sizeof *small, "picture");
    if (!status)
        status = mdm_alloc(&large, pixels, 12 * sizeof *large, "picture");
    if (!status) {
        const double same[6] = {1, 0, 0, 0, 1, 0};
        const float none[3] = {0};
        mdm_image_sample(small, in->width, in->height, 1, in, same, 1 / 255.0f, none);
        status = mdm_facegen_upsample_forward(large, net, small, in->width, in->height);
    }
    if (!status)
        status = mdm_image_new(out, 2 * in->width, 2 * in->height, 3);
    for (int y = 0; !status && y < out->height; y++)
        for (int x = 0; x < out->width; x++)
            for (size_t k = 0; k < 3; k++) {
                float v = large[4 * pixels * k + (size_t)y * (size_t)out->width + (size_t)x];
                out->data[(size_t)y * out->stride + 3 * (size_t)x + k] =
                    (uint8_t)lroundf(255 * fminf(fmaxf(v, 0), 1)); /* fmaxf: not-a-number becomes 0 */
            }
    mdm_free(&small);
    mdm_free(&large);
    return status;
}
