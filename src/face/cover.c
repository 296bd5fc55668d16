/* Mosaic, blur and fill of a shape with a soft rim (cover.h). */
#include "face/cover.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"

#define FACE_CELLS  4.0f  /* across the grown box: 3 over the face itself; of 5 a recogniser still knew one of 37 px */
#define FACE_WIDTH  1.35f /* of the mesh's extent, which ends at brows, chin and temples */
#define FACE_HEIGHT 1.55f
#define FACE_UP     0.08f /* more forehead than neck */
#define TEXT_CELLS  2.0f
#define MIN_CELL    3.0f /* pixels */

mdm_shape mdm_shape_rectangle(int x, int y, int w, int h)
{
    const float x0 = (float)x - 0.5f, y0 = (float)y - 0.5f, x1 = x0 + (float)w, y1 = y0 + (float)h;
    return (mdm_shape){{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, false, FACE_CELLS};
}

mdm_shape mdm_shape_face(const float box[4])
{
    const float cx = box[0] + box[2] / 2.0f, cy = box[1] + box[3] * (0.5f - FACE_UP);
    const float rx = box[2] * FACE_WIDTH / 2.0f, ry = box[3] * FACE_HEIGHT / 2.0f;
    return (mdm_shape){
        {{cx - rx, cy - ry}, {cx + rx, cy - ry}, {cx + rx, cy + ry}, {cx - rx, cy + ry}}, true, FACE_CELLS};
}

static float side(const mdm_shape *shape, int i)
{
    const float *a = shape->corner[i], *b = shape->corner[(i + 1) & 3];
    return hypotf(b[0] - a[0], b[1] - a[1]);
}

/* Length of the shorter pair of sides. */
static float short_side(const mdm_shape *shape)
{
    return fminf((side(shape, 0) + side(shape, 2)) / 2.0f, (side(shape, 1) + side(shape, 3)) / 2.0f);
}

mdm_shape mdm_shape_quad(const float corner[4][2], float margin)
{
    mdm_shape shape = {.ellipse = false, .cells = TEXT_CELLS};
    memcpy(shape.corner, corner, sizeof shape.corner);
    const float grow = margin * short_side(&shape), along = side(&shape, 0), across = side(&shape, 1);
    const float u = along > 0.0f ? grow / along : 0.0f, v = across > 0.0f ? grow / across : 0.0f;
    static const float to[4][2] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
    for (int axis = 0; axis < 2; axis++) {
        const float du = (corner[1][axis] + corner[2][axis] - corner[0][axis] - corner[3][axis]) / 2.0f * u;
        const float dv = (corner[2][axis] + corner[3][axis] - corner[0][axis] - corner[1][axis]) / 2.0f * v;
        for (int i = 0; i < 4; i++)
            shape.corner[i][axis] = corner[i][axis] + to[i][0] * du + to[i][1] * dv;
    }
    return shape;
}

static float cell_size(const mdm_shape *shape)
{
    return fmaxf(MIN_CELL, short_side(shape) / fmaxf(shape->cells, 0.5f));
}

static float rim(const mdm_shape *shape)
{
    return fmaxf(2.0f, cell_size(shape) / 3.0f);
}

void mdm_shape_bounds(int rect[4], const mdm_shape *shape, int width, int height)
{
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    const float margin = rim(shape) + 1.0f;
    memset(rect, 0, 4 * sizeof *rect);
    for (int i = 0; i < 4; i++)
        for (int axis = 0; axis < 2; axis++) {
            if (!isfinite(shape->corner[i][axis]))
                return;
            low[axis] = fminf(low[axis], shape->corner[i][axis] - margin);
            high[axis] = fmaxf(high[axis], shape->corner[i][axis] + margin);
        }
    const int limit[2] = {width, height};
    int from[2], to[2];
    for (int axis = 0; axis < 2; axis++) {
        from[axis] = low[axis] <= 0.0f ? 0 : low[axis] >= (float)limit[axis] ? limit[axis] : (int)low[axis];
        to[axis] = high[axis] <= 0.0f                       ? 0
                   : high[axis] >= (float)(limit[axis] - 1) ? limit[axis]
                                                            : (int)ceilf(high[axis]) + 1;
        if (from[axis] >= to[axis])
            return;
    }
    rect[0] = from[0];
    rect[1] = from[1];
    rect[2] = to[0] - from[0];
    rect[3] = to[1] - from[1];
}

/* A shape as the distance from it asks for it. */
typedef struct outline {
    bool ellipse;
    float turn;                  /* corner order decides the sign: +1 or -1 */
    float edge[4][2], length[4]; /* from each corner to the next */
    const float (*corner)[2];
    float cx, cy, ux, uy, vx, vy, det, radius; /* of the ellipse: centre, half axes, the shorter one's length */
} outline;

static outline outline_of(const mdm_shape *shape)
{
    outline o = {.ellipse = shape->ellipse, .corner = shape->corner};
    const float(*c)[2] = shape->corner;
    float area = 0.0f;
    for (int i = 0; i < 4; i++) {
        const float *p = c[i], *q = c[(i + 1) & 3];
        area += p[0] * q[1] - q[0] * p[1];
        o.edge[i][0] = q[0] - p[0];
        o.edge[i][1] = q[1] - p[1];
        o.length[i] = hypotf(o.edge[i][0], o.edge[i][1]);
    }
    o.turn = area >= 0.0f ? 1.0f : -1.0f;
    o.cx = (c[0][0] + c[2][0]) / 2.0f, o.cy = (c[0][1] + c[2][1]) / 2.0f;
    o.ux = (c[1][0] - c[0][0]) / 2.0f, o.uy = (c[1][1] - c[0][1]) / 2.0f;
    o.vx = (c[3][0] - c[0][0]) / 2.0f, o.vy = (c[3][1] - c[0][1]) / 2.0f;
    o.det = o.ux * o.vy - o.uy * o.vx;
    o.radius = fminf(hypotf(o.ux, o.uy), hypotf(o.vx, o.vy));
    return o;
}

/* Distance in pixels outside the shape; 0 or less inside. */
static float outside_by(const outline *o, float x, float y)
{
    if (o->ellipse) {
        if (fabsf(o->det) < 1e-6f)
            return INFINITY;
        const float px = x - o->cx, py = y - o->cy;
        const float a = (px * o->vy - py * o->vx) / o->det, b = (o->ux * py - o->uy * px) / o->det;
        return (sqrtf(a * a + b * b) - 1.0f) * o->radius;
    }
    float worst = -INFINITY;
    for (int i = 0; i < 4; i++) {
        if (!(o->length[i] > 1e-6f))
            continue;
        const float *p = o->corner[i], *e = o->edge[i];
        const float away = o->turn * ((x - p[0]) * e[1] - (y - p[1]) * e[0]) / o->length[i];
        worst = away > worst ? away : worst;
    }
    return worst;
}

/* The mosaic's colours: `columns` x `rows` cells of `cell` pixels from (left, top). */
typedef struct mosaic {
    float cell, left, top;
    int columns, rows, channels;
    float *colour; /* [rows][columns][channels] */
    float mean[3];
} mosaic;

static mdm_status make_mosaic(mosaic *m, const mdm_image *image, const mdm_shape *shape, const int rect[4])
{
    m->cell = cell_size(shape);
    m->channels = image->channels;
    /* The grid hangs on the shape, not on the picture: it moves with a face instead of flickering over it. */
    const float anchor_x = (shape->corner[0][0] + shape->corner[2][0]) / 2.0f;
    const float anchor_y = (shape->corner[0][1] + shape->corner[2][1]) / 2.0f;
    m->left = anchor_x - ceilf((anchor_x - (float)rect[0]) / m->cell) * m->cell;
    m->top = anchor_y - ceilf((anchor_y - (float)rect[1]) / m->cell) * m->cell;
    m->columns = (int)(((float)(rect[0] + rect[2]) - m->left) / m->cell) + 2;
    m->rows = (int)(((float)(rect[1] + rect[3]) - m->top) / m->cell) + 2;
    const size_t cells = (size_t)m->columns * (size_t)m->rows, channels = (size_t)m->channels;
    float *weight = NULL;
    MDM_TRY(mdm_alloc(&m->colour, cells * channels, sizeof *m->colour, "a cover"));
    const mdm_status status = mdm_alloc(&weight, cells, sizeof *weight, "a cover");
    if (status != MDM_OK) {
        mdm_free(&m->colour);
        return status;
    }
    double total[3] = {0.0, 0.0, 0.0};
    for (int y = rect[1]; y < rect[1] + rect[3]; y++) {
        const uint8_t *p = image->data + (size_t)y * image->stride + (size_t)rect[0] * channels;
        const size_t row = (size_t)(((float)y - m->top) / m->cell) * (size_t)m->columns;
        for (int x = rect[0]; x < rect[0] + rect[2]; x++, p += channels) {
            const size_t at = row + (size_t)(((float)x - m->left) / m->cell);
            for (size_t c = 0; c < channels; c++)
                m->colour[at * channels + c] += (float)p[c];
            weight[at] += 1.0f;
        }
    }
    double count = 0.0;
    for (size_t i = 0; i < cells; i++) {
        count += (double)weight[i];
        for (size_t c = 0; c < channels; c++)
            total[c] += (double)m->colour[i * channels + c];
    }
    for (size_t c = 0; c < channels; c++)
        m->mean[c] = (float)(total[c] / (count > 0.0 ? count : 1.0));
    for (size_t i = 0; i < cells; i++)
        for (size_t c = 0; c < channels; c++)
            m->colour[i * channels + c] = weight[i] > 0.0f ? m->colour[i * channels + c] / weight[i] : m->mean[c];
    mdm_free(&weight);
    return MDM_OK;
}

static int clamp_index(int i, int size)
{
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

/* What hides the pixel at (x, y), a value a channel. */
static void mosaic_at(float out[3], const mosaic *m, mdm_cover kind, float x, float y)
{
    if (kind == MDM_COVER_FILL) {
        memcpy(out, m->mean, sizeof m->mean);
        return;
    }
    const float u = (x - m->left) / m->cell, v = (y - m->top) / m->cell;
    if (kind == MDM_COVER_MOSAIC) {
        const int cell = clamp_index((int)v, m->rows) * m->columns + clamp_index((int)u, m->columns);
        memcpy(out, m->colour + (size_t)(cell * m->channels), (size_t)m->channels * sizeof *out);
        return;
    }
    const float fx = floorf(u - 0.5f), fy = floorf(v - 0.5f), wx = u - 0.5f - fx, wy = v - 0.5f - fy;
    const int x0 = clamp_index((int)fx, m->columns), x1 = clamp_index((int)fx + 1, m->columns);
    const int y0 = clamp_index((int)fy, m->rows), y1 = clamp_index((int)fy + 1, m->rows);
    const float *top = m->colour + (size_t)(y0 * m->columns * m->channels);
    const float *bottom = m->colour + (size_t)(y1 * m->columns * m->channels);
    for (int c = 0; c < m->channels; c++) {
        const float a = top[x0 * m->channels + c], b = top[x1 * m->channels + c];
        const float d = bottom[x0 * m->channels + c], e = bottom[x1 * m->channels + c];
        out[c] = (a + wx * (b - a)) * (1.0f - wy) + (d + wx * (e - d)) * wy;
    }
}

mdm_status mdm_cover_region(mdm_image *image, const mdm_shape *shape, mdm_cover kind)
{
    int rect[4];
    mdm_shape_bounds(rect, shape, image->width, image->height);
    if (kind == MDM_COVER_KEEP || rect[2] < 1)
        return MDM_OK;
    mosaic m = {0};
    MDM_TRY(make_mosaic(&m, image, shape, rect));
    const outline o = outline_of(shape);
    const float soft = rim(shape);
    for (int y = rect[1]; y < rect[1] + rect[3]; y++) {
        uint8_t *p = image->data + (size_t)y * image->stride + (size_t)(rect[0] * image->channels);
        for (int x = rect[0]; x < rect[0] + rect[2]; x++, p += image->channels) {
            const float away = outside_by(&o, (float)x, (float)y) - 0.5f; /* half a pixel on the safe side */
            if (away >= soft)
                continue;
            const float keep = mdm_smoothstep(away, 0, soft);
            float hidden[3];
            mosaic_at(hidden, &m, kind, (float)x, (float)y);
            for (int c = 0; c < image->channels; c++)
                p[c] = (uint8_t)(hidden[c] + keep * ((float)p[c] - hidden[c]) + 0.5f);
        }
    }
    mdm_free(&m.colour);
    return MDM_OK;
}
