/* Loading, layers and crops of the face-api networks. */
#include "models/faceapi.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static const float mean[3] = {122.782f, 117.001f, 104.298f};

mdm_status mdm_faceapi_open(mdm_faceapi *net, mdm_node **x, const char *models, const char *name, int size, int threads)
{
    char *path = NULL;
    *net = (mdm_faceapi){.size = size};
    MDM_TRY(mdm_format(&path, "%s/%s-weights_manifest.json", models, name));
    mdm_status status = mdm_tensor_file_open(&net->file, path);
    mdm_free(&path);
    MDM_TRY(status);
    MDM_TRY(mdm_alloc(&net->pixels, 3 * (size_t)size * (size_t)size, sizeof *net->pixels, "face crop"));
    MDM_TRY(mdm_nn_new(&net->nn, name, threads));
    *x = mdm_nn_input(net->nn, "image", 4, (int64_t[]){1, 3, size, size});
    return MDM_OK;
}

mdm_status mdm_faceapi_build(mdm_faceapi *net)
{
    mdm_status status = mdm_nn_build(net->nn);
    mdm_tensor_file_free(&net->file);
    return status;
}

void mdm_faceapi_close(mdm_faceapi *net)
{
    mdm_nn_free(&net->nn);
    mdm_tensor_file_free(&net->file);
    mdm_free(&net->pixels);
}

/* An array of the given rank as floats (caller frees); *array its shape. NULL and an error recorded when it is not there. */
static float *values_of(mdm_faceapi *net, const mdm_array **array, const char *name, int rank)
{
    const mdm_array *a = *array = mdm_tensor_file_find(net->file, name);
    if (!a || a->rank != rank) {
        mdm_nn_fail(net->nn, MDM_ERR_INPUT, "no weight \"%s\" of rank %d; get the model again (mmdm models verify)",
                    name, rank);
        return NULL;
    }
    size_t count = 1;
    float *values = NULL;
    for (int i = 0; i < rank; i++)
        count *= (size_t)a->shape[i];
    mdm_status status = mdm_alloc(&values, count, sizeof *values, name);
    if (!status)
        status = mdm_array_to_f32(values, count, a);
    if (status) {
        mdm_free(&values);
        mdm_nn_fail(net->nn, status, "%s", mdm_error_message());
    }
    return values;
}

/* A kernel [h,w,in,out] as [out,in,h,w], each output channel times its scale; depthwise [h,w,channels,1] as [channels,1,h,w]. */
static mdm_node *kernel_of(mdm_faceapi *net, const char *name, bool depthwise, const float *scale, int64_t scales)
{
    const mdm_array *a = NULL;
    float *in = values_of(net, &a, name, 4), *out = NULL;
    if (!in)
        return NULL;
    const int64_t h = a->shape[0], w = a->shape[1], inputs = depthwise ? a->shape[3] : a->shape[2],
                  outputs = depthwise ? a->shape[2] : a->shape[3];
    size_t count = (size_t)(h * w * inputs * outputs);
    mdm_node *node = NULL;
    mdm_status status = scale && scales != outputs ? mdm_fail(MDM_ERR_INPUT, "\"%s\" has %lld outputs but %lld scales",
                                                              name, (long long)outputs, (long long)scales)
                                                   : mdm_alloc(&out, count, sizeof *out, name);
    if (!status) {
        for (size_t i = 0; i < count; i++) {
            int64_t last = (int64_t)i % a->shape[3], third = (int64_t)i / a->shape[3] % a->shape[2];
            int64_t area = (int64_t)i / a->shape[3] / a->shape[2], o = depthwise ? third : last,
                    c = depthwise ? last : third;
            out[(o * inputs + c) * h * w + area] = scale ? in[i] * scale[o] : in[i];
        }
        node = mdm_nn_constant(net->nn, name, out, MDM_STORE_F32, 4, (int64_t[]){outputs, inputs, h, w});
    } else {
        mdm_nn_fail(net->nn, status, "%s", mdm_error_message());
    }
    mdm_free(&in);
    mdm_free(&out);
    return node;
}

/* TensorFlow's SAME: what is odd goes to the bottom and right. */
static void same_padding(int pad[4], const mdm_node *x, int64_t kernel_h, int64_t kernel_w, int stride)
{
    for (int axis = 0; axis < 2; axis++) {
        int n = (int)mdm_nn_dim(x, 1 - axis), k = (int)(axis ? kernel_w : kernel_h);
        int out = (n + stride - 1) / stride, total = (out - 1) * stride + k - n;
        total = total > 0 ? total : 0;
        pad[axis] = total / 2;
        pad[axis + 2] = total - total / 2;
    }
}

static mdm_node *bias_of(mdm_faceapi *net, const char *name, const float *scale, const char *shift, int64_t scales)
{
    const mdm_array *a = NULL, *s = NULL;
    float *values = values_of(net, &a, name, 1), *shifts = shift ? values_of(net, &s, shift, 1) : NULL;
    mdm_node *node = NULL;
    if (values && (!shift || (shifts && s->shape[0] == a->shape[0] && scales == a->shape[0]))) {
        for (int64_t i = 0; i < a->shape[0] && shift; i++)
            values[i] = values[i] * scale[i] + shifts[i];
        node = mdm_nn_constant(net->nn, name, values, MDM_STORE_F32, 1, a->shape);
    } else if (values && shifts) {
        mdm_nn_fail(net->nn, MDM_ERR_INPUT, "\"%s\" and \"%s\" differ in length", name, shift);
    }
    mdm_free(&values);
    mdm_free(&shifts);
    return node;
}

mdm_node *mdm_faceapi_conv(mdm_faceapi *net, mdm_node *x, const char *filters, const char *bias, const char *scale,
                           const char *shift, int stride, bool valid, mdm_activation activation)
{
    const mdm_array *s = NULL;
    float *scales = scale ? values_of(net, &s, scale, 1) : NULL;
    if (!x || (scale && !scales))
        return NULL;
    int64_t count = s ? s->shape[0] : 0;
    mdm_node *w = kernel_of(net, filters, false, scales, count), *b = bias_of(net, bias, scales, shift, count);
    mdm_free(&scales);
    if (!w || !b)
        return NULL;
    mdm_conv c = {.stride = {stride, stride}, .activation = activation};
    if (!valid)
        same_padding(c.pad, x, mdm_nn_dim(w, 1), mdm_nn_dim(w, 0), stride);
    return mdm_nn_conv2d(net->nn, x, w, b, &c);
}

mdm_node *mdm_faceapi_separable(mdm_faceapi *net, mdm_node *x, const char *name, int stride)
{
    char depthwise[96], pointwise[96], bias[96];
    snprintf(depthwise, sizeof depthwise, "%s/depthwise_filter", name);
    snprintf(pointwise, sizeof pointwise, "%s/pointwise_filter", name);
    snprintf(bias, sizeof bias, "%s/bias", name);
    mdm_node *d = kernel_of(net, depthwise, true, NULL, 0);
    if (!x || !d)
        return NULL;
    mdm_conv c = {.stride = {stride, stride}, .groups = (int)mdm_nn_dim(d, 3)};
    same_padding(c.pad, x, mdm_nn_dim(d, 1), mdm_nn_dim(d, 0), stride);
    x = mdm_nn_conv2d(net->nn, x, d, NULL, &c);
    return mdm_faceapi_conv(net, x, pointwise, bias, NULL, NULL, 1, false, MDM_LINEAR);
}

mdm_node *mdm_faceapi_dense(mdm_faceapi *net, mdm_node *x, const char *weights, const char *bias)
{
    const mdm_array *a = NULL;
    float *in = x ? values_of(net, &a, weights, 2) : NULL, *out = NULL;
    if (!in)
        return NULL;
    mdm_node *w = NULL;
    const int64_t inputs = a->shape[0], outputs = a->shape[1];
    mdm_status status = mdm_alloc(&out, (size_t)(inputs * outputs), sizeof *out, weights);
    if (!status) {
        for (int64_t i = 0; i < inputs * outputs; i++)
            out[i % outputs * inputs + i / outputs] = in[i];
        w = mdm_nn_constant(net->nn, weights, out, MDM_STORE_F32, 2, (int64_t[]){outputs, inputs});
    } else {
        mdm_nn_fail(net->nn, status, "%s", mdm_error_message());
    }
    mdm_free(&in);
    mdm_free(&out);
    x = mdm_nn_reshape(net->nn, x, 2, (int64_t[]){1, inputs});
    return mdm_nn_linear(net->nn, x, w, bias ? bias_of(net, bias, NULL, NULL, 0) : NULL);
}

mdm_status mdm_faceapi_run(mdm_faceapi *net, const mdm_image *image, const double m[6])
{
    const int size = net->size;
    const size_t area = (size_t)size * (size_t)size;
    float offset[3];
    for (int c = 0; c < 3; c++)
        offset[c] = -mean[c] / 255;
    double step = hypot(m[0], m[3]);
    int fine = step > 4 ? 4 : step > 1.5 ? (int)ceil(step) : 1; /* samples a pixel, each way */
    if (fine == 1) {
        mdm_image_sample(net->pixels, size, size, 1, image, m, 1.0f / 255, offset);
    } else {
        float *large = NULL;
        const int side = size * fine;
        const double shift = 0.5 / fine - 0.5, n = fine; /* fine pixel i lies at (i + 0.5) / fine - 0.5 */
        const double f[6] = {m[0] / n, m[1] / n, m[2] + (m[0] + m[1]) * shift,
                             m[3] / n, m[4] / n, m[5] + (m[3] + m[4]) * shift};
        MDM_TRY(mdm_alloc(&large, 3 * area * (size_t)(fine * fine), sizeof *large, "face crop"));
        mdm_image_sample(large, side, side, 1, image, f, 1.0f / 255, offset);
        for (size_t i = 0; i < 3 * area; i++) {
            int plane = (int)(i / area), y = (int)(i % area) / size, x = (int)(i % area) % size;
            float sum = 0;
            for (int v = 0; v < fine; v++)
                for (int u = 0; u < fine; u++)
                    sum += large[((size_t)plane * (size_t)side + (size_t)(y * fine + v)) * (size_t)side +
                                 (size_t)(x * fine + u)];
            net->pixels[i] = sum / (float)(fine * fine);
        }
        mdm_free(&large);
    }
    MDM_TRY(mdm_nn_set(net->nn, "image", net->pixels, 3 * area));
    return mdm_nn_run(net->nn);
}

/* ---- crops ---- */

static const int eye_a[] = {33, 160, 158, 133, 153, 144}, eye_b[] = {362, 385, 387, 263, 373, 380};
static const int mouth[] = {61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87};
/* cheeks, jaw and brows: the outline of the 68 points face-api works with */
static const int outline[] = {234, 93,  132, 58,  172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365,
                              397, 288, 361, 323, 454, 70,  63,  105, 66,  107, 336, 296, 334, 293, 300};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static void centre_of(double out[2], const float (*points)[3], const int *index, int count)
{
    out[0] = out[1] = 0;
    for (int i = 0; i < count; i++) {
        out[0] += (double)points[index[i]][0] / count;
        out[1] += (double)points[index[i]][1] / count;
    }
}

/* A square of `side` pixels turned by the angle of (ax, ay), whose point (u, v) of 0..1 lies at (x, y). */
static void square(double m[6], double side, double ax, double ay, double u, double v, double x, double y, int size)
{
    double length = hypot(ax, ay), c = length > 0 ? ax / length : 1, s = length > 0 ? ay / length : 0, k = side / size;
    double px = u * size - 0.5, py = v * size - 0.5;
    m[0] = k * c;
    m[1] = -k * s;
    m[3] = k * s;
    m[4] = k * c;
    m[2] = x - m[0] * px - m[1] * py;
    m[5] = y - m[3] * px - m[4] * py;
}

void mdm_faceapi_descriptor_crop(double m[6], const float (*points)[3], int size)
{
    double a[2], b[2], c[2];
    centre_of(a, points, eye_a, COUNT(eye_a));
    centre_of(b, points, eye_b, COUNT(eye_b));
    centre_of(c, points, mouth, COUNT(mouth));
    double distance = (hypot(c[0] - a[0], c[1] - a[1]) + hypot(c[0] - b[0], c[1] - b[1])) / 2;
    square(m, distance / 0.45, b[0] - a[0], b[1] - a[1], 0.5, 0.43, (a[0] + b[0] + c[0]) / 3, (a[1] + b[1] + c[1]) / 3,
           size);
}

void mdm_faceapi_portrait_crop(double m[6], const float (*points)[3], int size)
{
    double a[2], b[2], low[2] = {1e30, 1e30}, high[2] = {-1e30, -1e30};
    centre_of(a, points, eye_a, COUNT(eye_a));
    centre_of(b, points, eye_b, COUNT(eye_b));
    double dx = b[0] - a[0], dy = b[1] - a[1], length = hypot(dx, dy), c = length > 0 ? dx / length : 1,
           s = length > 0 ? dy / length : 0;
    for (int i = 0; i < COUNT(outline); i++) {
        double x = (double)points[outline[i]][0], y = (double)points[outline[i]][1],
               q[2] = {c * x + s * y, -s * x + c * y};
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], q[k]);
            high[k] = fmax(high[k], q[k]);
        }
    }
    double side = 1.2 * fmax(high[0] - low[0], high[1] - low[1]), u = (low[0] + high[0]) / 2,
           v = (low[1] + high[1]) / 2;
    square(m, side, dx, dy, 0.5, 0.5, c * u - s * v, s * u + c * v, size);
}
