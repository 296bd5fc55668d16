/* The attribute networks: alignments, graphs and calibration. The same in Python: tools/align_faces.py, attributes_net.py. */
#include "models/attributes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "nn/nn.h"

#define CLASSES 18
#define GROUPS  3
#define MOST    8 /* samples a pixel, each way */

static const int group_size[GROUPS] = {MDM_ATTRIBUTES_AGES, MDM_ATTRIBUTES_GENDERS, MDM_ATTRIBUTES_RACES};

typedef struct stage_size {
    int width, depth;
} stage_size;

/* A: thin residual network with SiLU. B: 5x5 depthwise kernels and pointwise pairs with hard-swish. */
static const struct {
    const char *name;
    int size, stem;
    stage_size stage[3];
    mdm_activation activation;
} networks[] = {
    [MDM_ATTRIBUTES_A] = {"attributes-a", 112, 32, {{64, 1}, {128, 3}, {256, 2}}, MDM_SILU},
    [MDM_ATTRIBUTES_B] = {"attributes-b", 128, 24, {{48, 2}, {112, 3}, {224, 6}}, MDM_HARDSWISH},
};

enum { EXPAND_B = 3, KERNEL_B = 5, TOP_B = 512 };

struct mdm_attributes {
    mdm_attributes_kind kind;
    mdm_nn *nn;
    float temperature[GROUPS];
    float *pixels, *fine; /* [3][size][size]; the finer samples of a row of pixels */
};

/* ---- graphs ---- */

typedef struct builder {
    mdm_nn *nn;
    const mdm_tensor_file *file;
    mdm_activation activation;
} builder;

static mdm_node *conv(const builder *b, mdm_node *x, const char *name, int in, int out, int side, int stride,
                      bool depthwise, bool active)
{
    char w[64], bias[64];
    const int pad = side / 2;
    snprintf(w, sizeof w, "%s.w", name);
    snprintf(bias, sizeof bias, "%s.b", name);
    mdm_node *kernel =
        mdm_nn_weight(b->nn, b->file, w, MDM_STORE_F32, 4, (int64_t[]){out, depthwise ? 1 : in, side, side});
    mdm_node *shift = mdm_nn_weight(b->nn, b->file, bias, MDM_STORE_F32, 1, (int64_t[]){out});
    return mdm_nn_conv2d(b->nn, x, kernel, shift,
                         &(mdm_conv){.stride = {stride, stride},
                                     .pad = {pad, pad, pad, pad},
                                     .groups = depthwise ? in : 1,
                                     .activation = active ? b->activation : MDM_LINEAR});
}

/* act(c2(act(c1(x))) + shortcut); the first of a stage halves: its shortcut is a 2x2 mean and a 1x1 convolution */
static mdm_node *block_a(const builder *b, mdm_node *x, const char *name, int in, int out, bool first)
{
    char c1[48], c2[48], sc[48];
    snprintf(c1, sizeof c1, "%s.c1", name);
    snprintf(c2, sizeof c2, "%s.c2", name);
    snprintf(sc, sizeof sc, "%s.sc", name);
    mdm_node *shortcut = x;
    if (first) {
        shortcut = mdm_nn_pool(b->nn, x, MDM_POOL_AVERAGE, (const int[]){2, 2}, (const int[]){2, 2},
                               (const int[]){0, 0, 0, 0}, false);
        shortcut = conv(b, shortcut, sc, in, out, 1, 1, false, false);
    }
    mdm_node *y = conv(b, x, c1, in, out, 3, first ? 2 : 1, false, true);
    y = conv(b, y, c2, out, out, 3, 1, false, false);
    return mdm_nn_activate(b->nn, mdm_nn_add(b->nn, y, shortcut), b->activation);
}

/* x + project(act(expand(depthwise(x)))) */
static mdm_node *block_b(const builder *b, mdm_node *x, const char *name, int width)
{
    char dw[48], pw1[48], pw2[48];
    snprintf(dw, sizeof dw, "%s.dw", name);
    snprintf(pw1, sizeof pw1, "%s.pw1", name);
    snprintf(pw2, sizeof pw2, "%s.pw2", name);
    mdm_node *y = conv(b, x, dw, width, width, KERNEL_B, 1, true, false);
    y = conv(b, y, pw1, width, EXPAND_B * width, 1, 1, false, true);
    return mdm_nn_add(b->nn, x, conv(b, y, pw2, EXPAND_B * width, width, 1, 1, false, false));
}

static mdm_status build(mdm_attributes *a, const mdm_tensor_file *file)
{
    const bool is_b = a->kind == MDM_ATTRIBUTES_B;
    const int size = networks[a->kind].size;
    builder b = {a->nn, file, networks[a->kind].activation};
    mdm_node *x = mdm_nn_input(a->nn, "face", 4, (int64_t[]){1, 3, size, size});
    int width = networks[a->kind].stem;
    x = conv(&b, x, "stem", 3, width, 3, 2, false, true);
    for (int s = 0; s < 3; s++) {
        const stage_size stage = networks[a->kind].stage[s];
        char name[32];
        if (is_b) {
            snprintf(name, sizeof name, "d%d", s + 1);
            x = conv(&b, x, name, width, stage.width, 3, 2, false, true);
        }
        for (int i = 0; i < stage.depth; i++) {
            snprintf(name, sizeof name, "s%db%d", s + 1, i);
            x = is_b ? block_b(&b, x, name, stage.width)
                     : block_a(&b, x, name, i ? stage.width : width, stage.width, i == 0);
        }
        width = stage.width;
    }
    if (is_b) {
        x = conv(&b, x, "top", width, TOP_B, 1, 1, false, true);
        width = TOP_B;
    }
    x = mdm_nn_reshape(a->nn, mdm_nn_global_mean(a->nn, x), 2, (int64_t[]){1, width});
    x = mdm_nn_linear(a->nn, x, mdm_nn_weight(a->nn, file, "head.w", MDM_STORE_F32, 2, (int64_t[]){CLASSES, width}),
                      mdm_nn_weight(a->nn, file, "head.b", MDM_STORE_F32, 1, (int64_t[]){CLASSES}));
    mdm_nn_output(a->nn, x, "logits");
    return mdm_nn_build(a->nn);
}

/* ---- files ---- */

static mdm_status read_temperatures(mdm_attributes *a, const char *path)
{
    json_t *card = NULL, *list = NULL;
    MDM_TRY(mdm_json_load(&card, path, 1 << 20));
    mdm_status status = mdm_json_array(&list, card, "temperatures", path);
    for (int i = 0; i < GROUPS && !status; i++) {
        a->temperature[i] = (float)json_number_value(json_array_get(list, (size_t)i));
        if (!(a->temperature[i] > 0.1f && a->temperature[i] < 10))
            status = mdm_fail(MDM_ERR_INPUT, "%s: temperatures[%d] is %g, expected 0.1..10", path, i,
                              (double)a->temperature[i]);
    }
    json_decref(card);
    return status;
}

static mdm_status open_files(mdm_attributes *a, const char *folder, int threads)
{
    const char *name = networks[a->kind].name;
    const size_t side = (size_t)networks[a->kind].size;
    char *weights = NULL, *card = NULL;
    mdm_tensor_file *file = NULL;
    MDM_TRY(mdm_format(&weights, "%s/%s.safetensors", folder, name));
    mdm_status status = mdm_format(&card, "%s/%s.json", folder, name);
    if (!status && (!mdm_file_exists(weights) || !mdm_file_exists(card)))
        status =
            mdm_fail(MDM_ERR_DEVICE, "%s or its .json is missing: the weights of this project belong there", weights);
    if (!status)
        status = read_temperatures(a, card);
    if (!status)
        status = mdm_alloc(&a->pixels, 3 * side * side, sizeof(float), "face crop");
    if (!status)
        status = mdm_alloc(&a->fine, 3 * side * MOST * MOST, sizeof(float), "face crop");
    if (!status)
        status = mdm_tensor_file_open(&file, weights);
    if (!status)
        status = mdm_nn_new(&a->nn, name, threads);
    if (!status)
        status = build(a, file);
    mdm_tensor_file_free(&file);
    mdm_free(&weights);
    mdm_free(&card);
    return status;
}

mdm_status mdm_attributes_new(mdm_attributes **out, const char *weights, mdm_attributes_kind kind, int threads)
{
    mdm_attributes *a = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&a, 1, sizeof *a, "attribute network"));
    a->kind = kind;
    mdm_status status = open_files(a, weights, threads);
    if (status)
        mdm_attributes_free(&a);
    *out = a;
    return status;
}

void mdm_attributes_free(mdm_attributes **attributes)
{
    if (!*attributes)
        return;
    mdm_nn_free(&(*attributes)->nn);
    mdm_free(&(*attributes)->pixels);
    mdm_free(&(*attributes)->fine);
    mdm_free(attributes);
}

/* ---- alignment ---- */

typedef struct square {
    double side, x, y, roll; /* px, centre, radians */
} square;

static void mean_of(double out[2], const mdm_mesh *mesh, const int index[4])
{
    out[0] = out[1] = 0;
    for (int i = 0; i < 4; i++) {
        out[0] += (double)mesh->point[index[i]][0] / 4;
        out[1] += (double)mesh->point[index[i]][1] / 4;
    }
}

/* Eyes and mouth: the eye line gives the roll; the side is the larger of 2.6 eye distances and 2.45 eye-to-mouth distances
 * (one shrinks with yaw, the other with pitch). */
static square align_a(const mdm_mesh *mesh)
{
    double r[2], l[2], m[2];
    mean_of(r, mesh, (const int[]){33, 133, 159, 145});
    mean_of(l, mesh, (const int[]){263, 362, 386, 374});
    mean_of(m, mesh, (const int[]){61, 291, 0, 17});
    double ex = (r[0] + l[0]) / 2, ey = (r[1] + l[1]) / 2, dx = l[0] - r[0], dy = l[1] - r[1];
    double side = fmax(2.6 * hypot(dx, dy), 2.45 * hypot(m[0] - ex, m[1] - ey));
    return (square){side, ex + 0.42 * (m[0] - ex), ey + 0.42 * (m[1] - ey), atan2(dy, dx)};
}

static const short oval[] = {10,  338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
                             152, 148, 176, 149, 150, 136, 172, 58,  132, 93,  234, 127, 162, 21,  54,  103, 67,  109};

/* Face oval: the line from forehead to chin is upright; the longer side of the oval's box in that frame, times 1.3. */
static square align_b(const mdm_mesh *mesh)
{
    double dx = (double)(mesh->point[152][0] - mesh->point[10][0]),
           dy = (double)(mesh->point[152][1] - mesh->point[10][1]);
    double roll = atan2(-dx, dy), c = cos(roll), s = sin(roll), low[2] = {1e30, 1e30}, high[2] = {-1e30, -1e30};
    for (size_t i = 0; i < sizeof oval / sizeof *oval; i++) {
        double x = (double)mesh->point[oval[i]][0], y = (double)mesh->point[oval[i]][1],
               q[2] = {c * x + s * y, -s * x + c * y};
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], q[k]);
            high[k] = fmax(high[k], q[k]);
        }
    }
    double u = (low[0] + high[0]) / 2, v = (low[1] + high[1]) / 2;
    return (square){1.3 * fmax(high[0] - low[0], high[1] - low[1]), c * u - s * v, s * u + c * v, roll};
}

/* The crop, normalised. Each pixel is the mean of n x n bilinear samples at the centres of its parts, as in training; there
 * it was rounded to 8 bits too. */
static void fill(mdm_attributes *a, const mdm_image *image, const mdm_mesh *mesh)
{
    const int size = networks[a->kind].size;
    square q = a->kind == MDM_ATTRIBUTES_A ? align_a(mesh) : align_b(mesh);
    int n = (int)ceil(q.side / size - 1e-6);
    n = n < 1 ? 1 : n > MOST ? MOST : n;
    /* fine sample (i, j) of row y lies at ((i + .5) / n, y + (j + .5) / n) in continuous output coordinates */
    double k = q.side / size, c = k * cos(q.roll), s = k * sin(q.roll), h = size / 2.0, step = 1.0 / n;
    double x0 = q.x - c * h + s * h - 0.5, y0 = q.y - s * h - c * h - 0.5;
    const float none[3] = {0};
    for (int y = 0; y < size; y++) {
        double u = 0.5 * step, v = y + 0.5 * step;
        const double m[6] = {c * step, -s * step, c * u - s * v + x0, s * step, c * step, s * u + c * v + y0};
        mdm_image_sample(a->fine, size * n, n, 0, image, m, 1, none); /* n rows of size * n, R,G,B interleaved */
        for (int x = 0; x < size; x++)
            for (int channel = 0; channel < 3; channel++) {
                float sum = 0;
                for (int j = 0; j < n; j++)
                    for (int i = 0; i < n; i++)
                        sum += a->fine[((size_t)j * (size_t)(size * n) + (size_t)(x * n + i)) * 3 + (size_t)channel];
                a->pixels[((size_t)channel * (size_t)size + (size_t)y) * (size_t)size + (size_t)x] =
                    (rintf(sum / (float)(n * n)) / 255 - 0.5f) / 0.25f;
            }
    }
}

/* ---- running ---- */

static mdm_status forward(mdm_attributes *a, float logits[CLASSES])
{
    const size_t size = (size_t)networks[a->kind].size;
    MDM_TRY(mdm_nn_set(a->nn, "face", a->pixels, 3 * size * size));
    MDM_TRY(mdm_nn_run(a->nn));
    return mdm_nn_get(a->nn, "logits", logits, CLASSES);
}

mdm_status mdm_attributes_logits(mdm_attributes *attributes, float logits[CLASSES], const mdm_image *image,
                                 const mdm_mesh *mesh)
{
    fill(attributes, image, mesh);
    return forward(attributes, logits);
}

/* Adds half of each group's probabilities to `prob`. */
static void add_half(float prob[CLASSES], const mdm_attributes *a, const float logits[CLASSES])
{
    for (int g = 0, from = 0; g < GROUPS; from += group_size[g++]) {
        float top = -1e30f, sum = 0, e[MDM_ATTRIBUTES_AGES];
        for (int i = 0; i < group_size[g]; i++)
            top = fmaxf(top, logits[from + i]);
        for (int i = 0; i < group_size[g]; i++)
            sum += e[i] = expf((logits[from + i] - top) / a->temperature[g]);
        for (int i = 0; i < group_size[g]; i++)
            prob[from + i] += e[i] / sum / 2;
    }
}

mdm_status mdm_attributes_run(mdm_attributes *attributes, const mdm_image *image, const mdm_mesh *mesh,
                              mdm_attributes_result *result)
{
    const int size = networks[attributes->kind].size;
    float logits[CLASSES], prob[CLASSES] = {0};
    fill(attributes, image, mesh);
    MDM_TRY(forward(attributes, logits));
    add_half(prob, attributes, logits);
    for (int row = 0; row < 3 * size; row++) {
        float *p = attributes->pixels + (size_t)row * (size_t)size;
        for (int x = 0; x < size / 2; x++) {
            float swap = p[x];
            p[x] = p[size - 1 - x];
            p[size - 1 - x] = swap;
        }
    }
    MDM_TRY(forward(attributes, logits));
    add_half(prob, attributes, logits);
    memcpy(result->age_prob, prob, sizeof result->age_prob);
    memcpy(result->gender_prob, prob + MDM_ATTRIBUTES_AGES, sizeof result->gender_prob);
    memcpy(result->race_prob, prob + MDM_ATTRIBUTES_AGES + MDM_ATTRIBUTES_GENDERS, sizeof result->race_prob);
    return MDM_OK;
}
