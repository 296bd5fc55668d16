/* PP-OCRv4's text recogniser: a crop 48 pixels high, a network a width class, and CTC's best path. */
#include "models/text_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/crop.h"
#include "nn/graph.h"

#define HEIGHT   48
#define MAX_KEYS 20000
#define MARGIN   0.08f

/* Widths a network is built for, when first needed; shorter text is padded. */
static const int widths[] = {96, 160, 320, 640, 1280};
#define WIDTHS (int)(sizeof widths / sizeof *widths)

struct mdm_text_reader {
    char *path;
    int threads;
    mdm_graph *graph[WIDTHS];
    unsigned char *keys; /* the list's text, lines cut by NUL */
    const char **key;    /* class 1 + i */
    int key_count;       /* with the space that the list leaves out */
    float input[3 * HEIGHT * 1280];
    float crop[3 * HEIGHT * 1280];
    float *scores; /* [steps][classes] */
    size_t score_count;
};

static mdm_status read_keys(mdm_text_reader *r, const char *models)
{
    char *path = NULL;
    size_t size = 0;
    MDM_TRY(mdm_join_path(&path, models, "ppocr_keys_v1.txt"));
    mdm_status status = mdm_file_exists(path) ? mdm_file_read(&r->keys, &size, path, 1 << 20)
                                              : mdm_fail(MDM_ERR_DEVICE,
                                                         "%s: the list of characters is not there; run ./demo or "
                                                         "`mmdm models pull`",
                                                         path);
    mdm_free(&path);
    if (status == MDM_OK)
        status = mdm_alloc(&r->key, MAX_KEYS, sizeof *r->key, "characters");
    if (status != MDM_OK)
        return status;
    for (char *line = (char *)r->keys; *line && r->key_count < MAX_KEYS - 1;) {
        char *end = strchr(line, '\n');
        r->key[r->key_count++] = line;
        if (!end)
            break;
        *end = '\0';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
        line = end + 1;
    }
    r->key[r->key_count++] = " ";
    return MDM_OK;
}

mdm_status mdm_text_reader_new(mdm_text_reader **out, const char *models, int threads)
{
    mdm_text_reader *r = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&r, 1, sizeof *r, "text reader"));
    r->threads = threads;
    mdm_status status = mdm_join_path(&r->path, models, "ch_PP-OCRv4_rec_infer.onnx");
    if (status == MDM_OK && !mdm_file_exists(r->path))
        status = mdm_fail(MDM_ERR_DEVICE, "%s: the model file is not there; run ./demo or `mmdm models pull`", r->path);
    if (status == MDM_OK)
        status = read_keys(r, models);
    if (status != MDM_OK)
        mdm_text_reader_free(&r);
    *out = r;
    return status;
}

void mdm_text_reader_free(mdm_text_reader **reader)
{
    mdm_text_reader *r = *reader;
    if (!r)
        return;
    for (int i = 0; i < WIDTHS; i++)
        mdm_graph_free(&r->graph[i]);
    mdm_free(&r->path);
    mdm_free(&r->keys);
    mdm_free(&r->key);
    mdm_free(&r->scores);
    mdm_free(reader);
}

/* The network of a width class, its scores' shape checked. */
static mdm_status graph_of(mdm_graph **out, mdm_text_reader *r, int class)
{
    int64_t shape[4];
    if (!r->graph[class]) {
        MDM_TRY(mdm_graph_load(&r->graph[class], r->path,
                               &(mdm_graph_options){.threads = r->threads, .height = HEIGHT, .width = widths[class]}));
        MDM_TRY(mdm_graph_output_shape(r->graph[class], 0, shape));
        size_t count = mdm_graph_output_size(r->graph[class], 0);
        if (shape[3] != r->key_count + 1 || shape[0] * shape[1] != 1) {
            mdm_graph_free(&r->graph[class]);
            return mdm_fail(MDM_ERR_INPUT, "%s: %lld classes for %d characters; get both files again", r->path,
                            (long long)shape[3], r->key_count);
        }
        if (count > r->score_count) {
            MDM_TRY(mdm_realloc(&r->scores, count, sizeof *r->scores, "text scores"));
            r->score_count = count;
        }
    }
    *out = r->graph[class];
    return MDM_OK;
}

/* Best class at every step; repeats and blanks (class 0) go. */
static void decode(char *text, size_t size, float *confidence, const mdm_text_reader *r, size_t steps)
{
    const size_t classes = (size_t)r->key_count + 1;
    size_t last = 0, at = 0;
    double sum = 0;
    int kept = 0;
    for (size_t t = 0; t < steps; t++) {
        const float *row = r->scores + t * classes;
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (row[c] > row[best])
                best = c;
        if (best != 0 && best != last) {
            size_t length = strlen(r->key[best - 1]);
            if (at + length + 1 > size)
                break;
            memcpy(text + at, r->key[best - 1], length);
            at += length;
            sum += (double)row[best];
            kept++;
        }
        last = best;
    }
    text[at] = '\0';
    *confidence = kept ? (float)(sum / kept) : 0;
}

/* Moves the corners outwards by MARGIN of the short side: read with its ends cut, a line loses spaces and letters. */
static void widen(float out[4][2], const float corner[4][2])
{
    float u[2] = {corner[1][0] - corner[0][0], corner[1][1] - corner[0][1]};
    float v[2] = {corner[3][0] - corner[0][0], corner[3][1] - corner[0][1]};
    float wide = hypotf(u[0], u[1]), high = hypotf(v[0], v[1]), by = MARGIN * fminf(wide, high);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            out[i][k] = corner[i][k] + by * ((i == 1 || i == 2 ? 1 : -1) * u[k] / fmaxf(wide, 1e-6f) +
                                             (i >= 2 ? 1 : -1) * v[k] / fmaxf(high, 1e-6f));
}

mdm_status mdm_text_reader_run(char *text, size_t size, float *confidence, mdm_text_reader *r, const mdm_image *image,
                               const mdm_text_quad *quad)
{
    *confidence = 0;
    if (size == 0)
        return mdm_fail(MDM_ERR_INTERNAL, "text reader: no room for the text");
    text[0] = '\0';
    float p[4][2];
    widen(p, quad->corner);
    double wide = fmax(hypot(p[1][0] - p[0][0], p[1][1] - p[0][1]), hypot(p[2][0] - p[3][0], p[2][1] - p[3][1]));
    double high = fmax(hypot(p[3][0] - p[0][0], p[3][1] - p[0][1]), hypot(p[2][0] - p[1][0], p[2][1] - p[1][1]));
    if (!(wide >= 1) || !(high >= 1) || wide > 65536 || high > 65536)
        return MDM_OK; /* nothing to read */
    /* where the line starts, its direction, and the way down; upright ones are turned a quarter clockwise */
    int upright = high >= 1.5 * wide, o = upright ? 3 : 0, right = upright ? 0 : 1, down = upright ? 2 : 3;
    double length = upright ? high : wide, thickness = upright ? wide : high;
    int width = (int)ceil(HEIGHT * length / thickness);
    width = width < 8 ? 8 : width > widths[WIDTHS - 1] ? widths[WIDTHS - 1] : width;
    int class = 0;
    while (widths[class] < width)
        class ++;
    mdm_graph *graph = NULL;
    MDM_TRY(graph_of(&graph, r, class));
    double m[6];
    for (int k = 0; k < 2; k++) {
        double across = (p[right][k] - p[o][k]) / width, along = (p[down][k] - p[o][k]) / HEIGHT;
        m[3 * k] = across;
        m[3 * k + 1] = along;
        m[3 * k + 2] = p[o][k] + across / 2 + along / 2;
    }
    MDM_TRY(mdm_crop_sample(r->crop, width, HEIGHT, image, m, 2 / 255.0f, (const float[3]){-1, -1, -1}));
    const size_t full = (size_t)widths[class];
    memset(r->input, 0, 3 * HEIGHT * full * sizeof *r->input);
    for (size_t row = 0; row < 3 * HEIGHT; row++) /* planes in the order blue, green, red */
        memcpy(r->input + ((2 - row / HEIGHT) * HEIGHT + row % HEIGHT) * full, r->crop + row * (size_t)width,
               (size_t)width * sizeof *r->input);
    size_t count = mdm_graph_output_size(graph, 0);
    MDM_TRY(mdm_graph_set(graph, 0, r->input, 3 * HEIGHT * full));
    MDM_TRY(mdm_graph_run(graph));
    MDM_TRY(mdm_graph_get(graph, 0, r->scores, count));
    decode(text, size, confidence, r, count / ((size_t)r->key_count + 1));
    return MDM_OK;
}
