/* The rasteriser. Attributes of a triangle are planes over the picture: three numbers each, evaluated along its rows. */
#include "face/raster.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define MAX_SIDE    4096
#define FAR         1e9f
#define BEHIND      1e4f /* added to the depth of back faces */
#define SAMPLES     4    /* a side, of a polygon's pixel */
#define MAX_CORNERS 64

mdm_status mdm_canvas_begin(mdm_canvas *canvas, int left, int top, int width, int height, int attributes)
{
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || attributes < 1 ||
        attributes > MDM_RASTER_ATTRIBUTES)
        return mdm_fail(MDM_ERR_INTERNAL, "canvas of %d x %d with %d attributes", width, height, attributes);
    size_t pixels = (size_t)width * (size_t)height;
    if (pixels > canvas->capacity) {
        MDM_TRY(mdm_realloc(&canvas->value, pixels * MDM_RASTER_ATTRIBUTES, sizeof *canvas->value, "canvas"));
        MDM_TRY(mdm_realloc(&canvas->depth, pixels, sizeof *canvas->depth, "canvas"));
        MDM_TRY(mdm_realloc(&canvas->covered, pixels, 1, "canvas"));
        canvas->capacity = pixels;
    }
    canvas->left = left, canvas->top = top, canvas->width = width, canvas->height = height;
    canvas->attributes = attributes;
    memset(canvas->value, 0, pixels * (size_t)attributes * sizeof *canvas->value);
    memset(canvas->covered, 0, pixels);
    for (size_t i = 0; i < pixels; i++)
        canvas->depth[i] = FAR;
    return MDM_OK;
}

void mdm_canvas_free(mdm_canvas *canvas)
{
    mdm_free(&canvas->value);
    mdm_free(&canvas->depth);
    mdm_free(&canvas->covered);
    memset(canvas, 0, sizeof *canvas);
}

typedef struct plane {
    float at, dx, dy; /* value at the canvas's pixel (0, 0), and its steps */
} plane;

static void draw(mdm_canvas *c, const float (*p)[3], const float *attribute, const int *t)
{
    float ax = p[t[0]][0] - (float)c->left, ay = p[t[0]][1] - (float)c->top;
    float bx = p[t[1]][0] - (float)c->left, by = p[t[1]][1] - (float)c->top;
    float cx = p[t[2]][0] - (float)c->left, cy = p[t[2]][1] - (float)c->top;
    float area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (!(fabsf(area) > 1e-6f))
        return;
    int x0 = (int)fmaxf(0, floorf(fminf(ax, fminf(bx, cx)))),
        x1 = (int)fminf((float)c->width - 1, ceilf(fmaxf(ax, fmaxf(bx, cx))));
    int y0 = (int)fmaxf(0, floorf(fminf(ay, fminf(by, cy)))),
        y1 = (int)fminf((float)c->height - 1, ceilf(fmaxf(ay, fmaxf(by, cy))));
    /* barycentric weights of corners 1 and 2 as planes */
    plane w1 = {0, (cy - ay) / area, -(cx - ax) / area}, w2 = {0, -(by - ay) / area, (bx - ax) / area};
    w1.at = -(w1.dx * ax + w1.dy * ay);
    w2.at = -(w2.dx * ax + w2.dy * ay);
    const int n = c->attributes;
    plane depth = {0}, value[MDM_RASTER_ATTRIBUTES];
    for (int k = -1; k < n; k++) {
        float v0 = k < 0 ? p[t[0]][2] : attribute[t[0] * n + k];
        float d1 = (k < 0 ? p[t[1]][2] : attribute[t[1] * n + k]) - v0,
              d2 = (k < 0 ? p[t[2]][2] : attribute[t[2] * n + k]) - v0;
        plane q = {v0 + d1 * w1.at + d2 * w2.at, d1 * w1.dx + d2 * w2.dx, d1 * w1.dy + d2 * w2.dy};
        if (k < 0)
            depth = q;
        else
            value[k] = q;
    }
    if (area < 0)
        depth.at += BEHIND;
    const uint8_t mark = area < 0 ? 2 : 1;
    for (int y = y0; y <= y1; y++) {
        float b1 = w1.at + w1.dy * (float)y, b2 = w2.at + w2.dy * (float)y;
        for (int x = x0; x <= x1; x++) {
            float l1 = b1 + w1.dx * (float)x, l2 = b2 + w2.dx * (float)x;
            if (l1 < -1e-4f || l2 < -1e-4f || 1 - l1 - l2 < -1e-4f)
                continue;
            size_t i = (size_t)y * (size_t)c->width + (size_t)x;
            float z = depth.at + depth.dx * (float)x + depth.dy * (float)y;
            if (z >= c->depth[i])
                continue;
            c->depth[i] = z;
            c->covered[i] = mark;
            float *out = c->value + i * (size_t)n;
            for (int k = 0; k < n; k++)
                out[k] = value[k].at + value[k].dx * (float)x + value[k].dy * (float)y;
        }
    }
}

void mdm_raster(mdm_canvas *canvas, const float (*points)[3], const float *attribute, const int (*triangles)[3],
                int count)
{
    for (int i = 0; i < count; i++)
        draw(canvas, points, attribute, triangles[i]);
}

/* Adds the part of [from, to) that lies in each pixel of a row; pixel i spans i - 0.5 .. i + 0.5. */
static void add_span(float *row, int width, float from, float to, float weight)
{
    from += 0.5f, to += 0.5f;
    from = from < 0 ? 0 : from;
    to = to > (float)width ? (float)width : to;
    if (!(to > from))
        return;
    int first = (int)from, last = (int)to;
    if (first >= width)
        return;
    if (first == last) {
        row[first] += weight * (to - from);
        return;
    }
    row[first] += weight * ((float)first + 1 - from);
    for (int i = first + 1; i < last; i++)
        row[i] += weight;
    if (last < width)
        row[last] += weight * (to - (float)last);
}

void mdm_fill_polygon(float *mask, int width, int height, const float (*corner)[2], int count)
{
    memset(mask, 0, (size_t)width * (size_t)height * sizeof *mask);
    for (int y = 0; y < height; y++)
        for (int s = 0; s < SAMPLES; s++) {
            float at = (float)y + ((float)s + 0.5f) / SAMPLES - 0.5f, crossing[MAX_CORNERS];
            int n = 0;
            for (int i = 0; i < count && n < MAX_CORNERS; i++) {
                const float *a = corner[i], *b = corner[(i + 1) % count];
                if ((a[1] <= at) != (b[1] <= at)) {
                    float x = a[0] + (at - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
                    int k = n++;
                    for (; k > 0 && crossing[k - 1] > x; k--)
                        crossing[k] = crossing[k - 1];
                    crossing[k] = x;
                }
            }
            for (int i = 0; i + 1 < n; i += 2)
                add_span(mask + (size_t)y * (size_t)width, width, crossing[i], crossing[i + 1], 1.0f / SAMPLES);
        }
}
