/* PP-OCRv4's text detector: probability map, connected regions, smallest rectangles around them, grown back. */
#include "models/text_detector.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define STRIDE      32   /* sides of the input are multiples of it */
#define BINARY      0.3f /* probability of a pixel of text */
#define MIN_SCORE   0.6f /* mean probability of a region */
#define UNCLIP      1.5f /* regions are trained smaller than the text: grown by area / perimeter times this */
#define MIN_SIDE    3.0f /* px of the map */
#define MAX_LONGEST 4096

struct mdm_text_detector {
    char *path;
    int threads;
    mdm_graph *graph;
    int width, height; /* of the graph's input */
    mdm_image small;   /* the picture at that size */
    float *input, *map;
    int *label, *stack; /* a label and a place on the fill's stack a pixel */
    float (*edge)[2];   /* outer pixels of a region, then its hull */
};

static void drop_size(mdm_text_detector *d)
{
    mdm_graph_free(&d->graph);
    mdm_image_free(&d->small);
    mdm_free(&d->input);
    mdm_free(&d->map);
    mdm_free(&d->label);
    mdm_free(&d->stack);
    mdm_free(&d->edge);
    d->width = d->height = 0;
}

mdm_status mdm_text_detector_new(mdm_text_detector **out, const char *models, int threads)
{
    mdm_text_detector *d = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&d, 1, sizeof *d, "text detector"));
    d->threads = threads;
    mdm_status status = mdm_join_path(&d->path, models, "ch_PP-OCRv4_det_infer.onnx");
    if (status == MDM_OK && !mdm_file_exists(d->path))
        status = mdm_fail(MDM_ERR_DEVICE, "%s: the model file is not there; run ./demo or `mmdm models pull`", d->path);
    if (status != MDM_OK)
        mdm_text_detector_free(&d);
    *out = d;
    return status;
}

void mdm_text_detector_free(mdm_text_detector **detector)
{
    if (!*detector)
        return;
    drop_size(*detector);
    mdm_free(&(*detector)->path);
    mdm_free(detector);
}

static mdm_status take_size(mdm_text_detector *d, int width, int height)
{
    const size_t pixels = (size_t)width * (size_t)height;
    if (d->graph && d->width == width && d->height == height)
        return MDM_OK;
    drop_size(d);
    MDM_TRY(mdm_graph_load(&d->graph, d->path,
                           &(mdm_graph_options){.threads = d->threads, .height = height, .width = width}));
    if (mdm_graph_output_size(d->graph, 0) != pixels)
        return mdm_fail(MDM_ERR_INPUT, "%s: its map has %zu pixels, expected %zu; get the file again", d->path,
                        mdm_graph_output_size(d->graph, 0), pixels);
    MDM_TRY(mdm_image_new(&d->small, width, height, 3));
    MDM_TRY(mdm_alloc(&d->input, 3 * pixels, sizeof *d->input, "text detector"));
    MDM_TRY(mdm_alloc(&d->map, pixels, sizeof *d->map, "text detector"));
    MDM_TRY(mdm_alloc(&d->label, pixels, sizeof *d->label, "text detector"));
    MDM_TRY(mdm_alloc(&d->stack, pixels, sizeof *d->stack, "text detector"));
    MDM_TRY(mdm_alloc(&d->edge, 2 * pixels + 2, sizeof *d->edge, "text detector"));
    d->width = width;
    d->height = height;
    return MDM_OK;
}

/* Blue, green, red planes, each minus its mean over its deviation: the network was trained on OpenCV's channel order. */
static void fill_input(mdm_text_detector *d)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    const size_t pixels = (size_t)d->width * (size_t)d->height;
    for (int c = 0; c < 3; c++) {
        float scale = 1 / (255 * deviation[c]), shift = -mean[c] / deviation[c];
        float *plane = d->input + (size_t)c * pixels;
        for (int y = 0; y < d->height; y++) {
            const uint8_t *row = d->small.data + (size_t)y * d->small.stride;
            for (int x = 0; x < d->width; x++)
                *plane++ = (float)row[3 * x + 2 - c] * scale + shift;
        }
    }
}

/* ---- regions ---- */

static int by_place(const void *a, const void *b)
{
    const float *p = a, *q = b;
    return p[0] != q[0] ? (p[0] < q[0] ? -1 : 1) : p[1] < q[1] ? -1 : p[1] > q[1];
}

static float turn(const float *o, const float *a, const float *b)
{
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
}

/* Convex hull of `count` points (sorted in place) into `hull`, which has room for count + 1; Andrew's monotone chain. */
static int convex_hull(float (*hull)[2], float (*point)[2], int count)
{
    int n = 0;
    qsort(point, (size_t)count, sizeof *point, by_place);
    if (count < 3) {
        memcpy(hull, point, (size_t)count * sizeof *hull);
        return count;
    }
    for (int pass = 0, floor = 0; pass < 2; pass++, floor = n - 1)
        for (int i = 0; i < count; i++) {
            const float *p = point[pass ? count - 1 - i : i];
            if (pass && i == 0)
                continue;
            while (n - floor >= 2 && turn(hull[n - 2], hull[n - 1], p) <= 0)
                n--;
            memcpy(hull[n++], p, sizeof *hull);
        }
    return n - 1;
}

typedef struct rectangle {
    float cx, cy, ux, uy; /* centre; direction of its width */
    float width, height;
} rectangle;

/* The smallest rectangle around a hull has a side along one of its edges. */
static rectangle smallest_rectangle(const float (*hull)[2], int count)
{
    rectangle best = {.cx = hull[0][0], .cy = hull[0][1], .ux = 1};
    float least = INFINITY;
    for (int i = 0; i < count; i++) {
        const float *a = hull[i], *b = hull[(i + 1) % count];
        float length = hypotf(b[0] - a[0], b[1] - a[1]);
        if (!(length > 0))
            continue;
        float ux = (b[0] - a[0]) / length, uy = (b[1] - a[1]) / length;
        float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
        for (int k = 0; k < count; k++) {
            float along = hull[k][0] * ux + hull[k][1] * uy, across = hull[k][1] * ux - hull[k][0] * uy;
            low[0] = fminf(low[0], along), high[0] = fmaxf(high[0], along);
            low[1] = fminf(low[1], across), high[1] = fmaxf(high[1], across);
        }
        float width = high[0] - low[0], height = high[1] - low[1];
        if (width * height < least) {
            float along = (low[0] + high[0]) / 2, across = (low[1] + high[1]) / 2;
            least = width * height;
            best = (rectangle){along * ux - across * uy, along * uy + across * ux, ux, uy, width, height};
        }
    }
    /* width along the reading direction: the side that is closer to level points to the right */
    if (fabsf(best.ux) < fabsf(best.uy))
        best = (rectangle){best.cx, best.cy, -best.uy, best.ux, best.height, best.width};
    if (best.ux < 0)
        best.ux = -best.ux, best.uy = -best.uy;
    return best;
}

/* Fills one region with `mark` and keeps its outer pixels; returns their number. */
static int flood(mdm_text_detector *d, int start, int mark)
{
    int top = 0, edges = 0;
    d->stack[top++] = start;
    d->label[start] = mark;
    while (top > 0) {
        int at = d->stack[--top], x = at % d->width, y = at / d->width, inside = 0;
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++) {
                int nx = x + dx, ny = y + dy, next = ny * d->width + nx;
                if (nx < 0 || ny < 0 || nx >= d->width || ny >= d->height || !(d->map[next] > BINARY))
                    continue;
                inside++;
                if (!d->label[next]) {
                    d->label[next] = mark;
                    d->stack[top++] = next;
                }
            }
        if (inside < 9) {
            d->edge[edges][0] = (float)x;
            d->edge[edges++][1] = (float)y;
        }
    }
    return edges;
}

static float mean_inside(const mdm_text_detector *d, const rectangle *r)
{
    float reach_x = (fabsf(r->ux) * r->width + fabsf(r->uy) * r->height) / 2;
    float reach_y = (fabsf(r->uy) * r->width + fabsf(r->ux) * r->height) / 2;
    int x0 = (int)fmaxf(0, floorf(r->cx - reach_x)), x1 = (int)fminf((float)d->width - 1, ceilf(r->cx + reach_x));
    int y0 = (int)fmaxf(0, floorf(r->cy - reach_y)), y1 = (int)fminf((float)d->height - 1, ceilf(r->cy + reach_y));
    double sum = 0;
    int count = 0;
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            float px = (float)x - r->cx, py = (float)y - r->cy;
            if (fabsf(px * r->ux + py * r->uy) > r->width / 2 + 0.01f ||
                fabsf(py * r->ux - px * r->uy) > r->height / 2 + 0.01f)
                continue;
            sum += (double)d->map[y * d->width + x];
            count++;
        }
    return count ? (float)(sum / count) : 0;
}

static void to_quad(mdm_text_quad *quad, const rectangle *r, float sx, float sy)
{
    float grow = UNCLIP * r->width * r->height / (2 * (r->width + r->height));
    float w = r->width / 2 + grow, h = r->height / 2 + grow;
    const float sign[4][2] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
    for (int i = 0; i < 4; i++) {
        float x = r->cx + sign[i][0] * w * r->ux - sign[i][1] * h * r->uy;
        float y = r->cy + sign[i][0] * w * r->uy + sign[i][1] * h * r->ux;
        quad->corner[i][0] = (x + 0.5f) * sx - 0.5f;
        quad->corner[i][1] = (y + 0.5f) * sy - 0.5f;
    }
}

mdm_status mdm_text_detector_run(mdm_text_quad *quads, int max, int *count, mdm_text_detector *d,
                                 const mdm_image *image, int longest)
{
    *count = 0;
    if (image->channels != 3 || longest < STRIDE || longest > MAX_LONGEST)
        return mdm_fail(MDM_ERR_INTERNAL, "text detector: a picture of %d channels, longest side %d", image->channels,
                        longest);
    int longer = image->width > image->height ? image->width : image->height;
    double shrink = longer > longest ? (double)longest / longer : 1;
    int width = (int)fmax(1, round(image->width * shrink / STRIDE)) * STRIDE;
    int height = (int)fmax(1, round(image->height * shrink / STRIDE)) * STRIDE;
    mdm_status status = take_size(d, width, height);
    if (status != MDM_OK) {
        drop_size(d);
        return status;
    }
    const size_t pixels = (size_t)width * (size_t)height;
    mdm_image_resize(&d->small, image);
    fill_input(d);
    MDM_TRY(mdm_graph_set(d->graph, 0, d->input, 3 * pixels));
    MDM_TRY(mdm_graph_run(d->graph));
    MDM_TRY(mdm_graph_get(d->graph, 0, d->map, pixels));
    memset(d->label, 0, pixels * sizeof *d->label);
    float sx = (float)image->width / (float)width, sy = (float)image->height / (float)height;
    int mark = 0;
    for (int at = 0; at < (int)pixels && *count < max; at++) {
        if (d->label[at] || !(d->map[at] > BINARY))
            continue;
        int edges = flood(d, at, ++mark);
        float(*hull)[2] = d->edge + edges; /* a region of n pixels leaves room for n more: see take_size */
        int corners = convex_hull(hull, d->edge, edges);
        rectangle r = smallest_rectangle((const float(*)[2])hull, corners);
        if (fminf(r.width, r.height) < MIN_SIDE)
            continue;
        float score = mean_inside(d, &r);
        if (score < MIN_SCORE)
            continue;
        quads[*count].score = score;
        to_quad(&quads[(*count)++], &r, sx, sy);
    }
    return MDM_OK;
}
