/* Preparing a portrait: steps 5 (light) and 9 (eyes) of standins.md 2.1. */
#include "face/standin.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "face/iris.h"
#include "face/light.h"
#include "face/pose.h"
#include "face/raster.h"

#define FACE_WIDTH                                                                                                     \
    230.0f /* px of the texture: what a 720p clip can show; portraits, 176 px wide in 256, are enlarged to it */
#define FACE_SMALLEST 60.0f
#define INSIDE        0.96f /* the oval of a portrait often runs over ear or background: sampled a little inside */
#define RING_REACH    0.15f /* of the ring's own distance, for the colours of the ring */
#define SHARPEN       0.55f /* of an enlarged portrait: the enlargement's own softness */

/* Catmull-Rom enlargement into floats. */
static float cubic(float t)
{
    t = fabsf(t);
    if (t < 1)
        return 1.5f * t * t * t - 2.5f * t * t + 1;
    return t < 2 ? -0.5f * t * t * t + 2.5f * t * t - 4 * t + 2 : 0;
}

static void enlarge(float *out, int width, int height, const mdm_image *in, float scale)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float sx = ((float)x + 0.5f) / scale - 0.5f, sy = ((float)y + 0.5f) / scale - 0.5f, sum[3] = {0};
            int x0 = (int)floorf(sx), y0 = (int)floorf(sy);
            for (int j = -1; j < 3; j++)
                for (int i = -1; i < 3; i++) {
                    int u = x0 + i < 0 ? 0 : x0 + i >= in->width ? in->width - 1 : x0 + i;
                    int v = y0 + j < 0 ? 0 : y0 + j >= in->height ? in->height - 1 : y0 + j;
                    float w = cubic(sx - (float)(x0 + i)) * cubic(sy - (float)(y0 + j));
                    const uint8_t *p = in->data + (size_t)v * in->stride + 3 * (size_t)u;
                    for (int k = 0; k < 3; k++)
                        sum[k] += w * (float)p[k];
                }
            for (int k = 0; k < 3; k++)
                out[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)k] = mdm_clampf(sum[k], 0, 255);
        }
}

static mdm_status sharpen(float *rgb, int width, int height, float sigma, float amount)
{
    float *soft = NULL;
    size_t n = (size_t)width * (size_t)height * 3;
    MDM_TRY(mdm_alloc(&soft, n, sizeof *soft, "portrait"));
    memcpy(soft, rgb, n * sizeof *soft);
    mdm_status status = mdm_blur_float(soft, width, height, 3, sigma);
    for (size_t i = 0; i < n && !status; i++)
        rgb[i] = mdm_clampf(rgb[i] + amount * (rgb[i] - soft[i]), 0, 255);
    mdm_free(&soft);
    return status;
}

/* Mean log colour of a float picture around points. */
static void colour_at(float (*out)[3], const float *rgb, int width, int height, const float (*points)[2], int count,
                      float sigma)
{
    int reach = (int)fmaxf(1, 1.6f * sigma);
    for (int i = 0; i < count; i++) {
        int x = (int)mdm_clampf(roundf(points[i][0]), 0, (float)width - 1),
            y = (int)mdm_clampf(roundf(points[i][1]), 0, (float)height - 1);
        float sum[3] = {0}, n = 0;
        for (int v = y - reach; v <= y + reach; v++)
            for (int u = x - reach; u <= x + reach; u++) {
                if (u < 0 || v < 0 || u >= width || v >= height)
                    continue;
                const float *p = rgb + ((size_t)v * (size_t)width + (size_t)u) * 3;
                for (int k = 0; k < 3; k++)
                    sum[k] += p[k];
                n += 1;
            }
        for (int k = 0; k < 3; k++)
            out[i][k] = logf(sum[k] / n + MDM_LOG_FLOOR);
    }
}

/* Half of the low-pass left-right difference of brightness goes to either side: a portrait lit from one side would keep
 * its shadows when it turns. */
static mdm_status even_light(float *rgb, mdm_standin *s, const float (*points)[3], const mdm_canonical *canonical)
{
    float colour[MDM_RENDER_VERTICES][3], low[MDM_RENDER_VERTICES], gain[MDM_RENDER_VERTICES];
    mdm_canvas canvas = {0};
    float *map = NULL, *known = NULL;
    size_t n = (size_t)s->width * (size_t)s->height;
    colour_at(colour, rgb, s->width, s->height, (const float(*)[2])s->uv, MDM_RENDER_VERTICES, s->face_width * 0.04f);
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        float sum = 0, total = 1e-6f;
        for (int k = 0; k < MDM_RENDER_VERTICES; k++) {
            float d = 0;
            for (int a = 0; a < 3; a++)
                d += (canonical->vertex[i][a] - canonical->vertex[k][a]) *
                     (canonical->vertex[i][a] - canonical->vertex[k][a]);
            float w = canonical->smooth_weight[k] * expf(-d / (2 * 1.3f * 1.3f));
            sum += w * (colour[k][0] + colour[k][1] + colour[k][2]) / 3;
            total += w;
        }
        low[i] = sum / total;
    }
    for (int i = 0; i < MDM_RENDER_VERTICES; i++)
        gain[i] = mdm_clampf(0.5f * (low[canonical->mirror[i]] - low[i]), -0.5f, 0.5f);
    mdm_status status = mdm_canvas_begin(&canvas, 0, 0, s->width, s->height, 1);
    if (!status)
        status = mdm_alloc(&map, n, sizeof *map, "light");
    if (!status)
        status = mdm_alloc(&known, n, sizeof *known, "light");
    if (!status) {
        mdm_raster(&canvas, points, gain, (const int(*)[3])canonical->triangle, MDM_RENDER_TRIANGLES);
        for (size_t i = 0; i < n; i++) {
            known[i] = canvas.covered[i] == 1;
            map[i] = known[i] != 0 ? canvas.value[i] : 0;
        }
        status = mdm_blur_float(map, s->width, s->height, 1, s->face_width * 0.03f);
    }
    if (!status)
        status = mdm_blur_float(known, s->width, s->height, 1, s->face_width * 0.03f);
    for (size_t i = 0; i < n && !status; i++) {
        float m = expf(canvas.covered[i] == 1 ? map[i] / fmaxf(known[i], 1e-3f) : map[i]);
        for (size_t k = 0; k < 3; k++)
            rgb[3 * i + k] = mdm_clampf((rgb[3 * i + k] + MDM_LOG_FLOOR) * m - MDM_LOG_FLOOR, 0, 255);
    }
    mdm_canvas_free(&canvas);
    mdm_free(&map);
    mdm_free(&known);
    return status;
}

/* Median colour of the brighter half of `count` colours (each r, g, b); scrambles nothing. */
static void bright_median(float out[3], const float (*colours)[3], int count, float *buffer)
{
    for (int i = 0; i < count; i++)
        buffer[i] = colours[i][0] + colours[i][1] + colours[i][2];
    mdm_sort(buffer, (size_t)count);
    float half = buffer[count / 2];
    for (int k = 0; k < 3; k++) {
        int n = 0;
        for (int i = 0; i < count; i++)
            if (colours[i][0] + colours[i][1] + colours[i][2] >= half)
                buffer[n++] = colours[i][k];
        mdm_sort(buffer, (size_t)n);
        out[k] = buffer[n / 2];
    }
}

/* Sampling a float picture at (x, y), edges replicated. */
static void sample(float out[3], const float *rgb, int width, int height, float x, float y)
{
    x = mdm_clampf(x, 0, (float)width - 1.001f), y = mdm_clampf(y, 0, (float)height - 1.001f);
    int x0 = (int)x, y0 = (int)y;
    float tx = x - (float)x0, ty = y - (float)y0;
    const float *p = rgb + ((size_t)y0 * (size_t)width + (size_t)x0) * 3, *q = p + 3 * (size_t)width;
    for (int k = 0; k < 3; k++)
        out[k] = (p[k] * (1 - tx) + p[k + 3] * tx) * (1 - ty) + (q[k] * (1 - tx) + q[k + 3] * tx) * ty;
}

/* The iris as a whole disc: what the lids hide is completed from the visible part of its own rings. */
static void make_sprite(mdm_standin *s, int e, const float *rgb, const float *aperture, const float centre[2],
                        float radius)
{
    enum { S = MDM_IRIS_SIDE, RINGS = 48 };
    const float middle = S / 2 - 0.5f, step = radius / MDM_IRIS_RADIUS;
    float *sprite = s->iris[e], ring_colour[RINGS][3];
    static const float none[3] = {60, 45, 40};
    float last[3];
    sample(last, rgb, s->width, s->height, centre[0], centre[1]);
    if (!(last[0] + last[1] + last[2] > 0))
        memcpy(last, none, sizeof last);
    for (int q = 0; q < RINGS; q++) {
        float sum[3] = {0};
        int n = 0;
        for (int y = 0; y < S; y++)
            for (int x = 0; x < S; x++) {
                float rx = (float)x - middle, ry = (float)y - middle, r = hypotf(rx, ry), px = centre[0] + rx * step,
                      py = centre[1] + ry * step;
                int ix = (int)lroundf(px), iy = (int)lroundf(py);
                if (r < (float)q - 0.5f || r >= (float)q + 1.5f || ix < 0 || iy < 0 || ix >= s->width ||
                    iy >= s->height || aperture[(size_t)iy * (size_t)s->width + (size_t)ix] < 0.95f)
                    continue;
                float c[3];
                sample(c, rgb, s->width, s->height, px, py);
                for (int k = 0; k < 3; k++)
                    sum[k] += c[k];
                n++;
            }
        for (int k = 0; k < 3; k++)
            ring_colour[q][k] = n > 6 ? sum[k] / (float)n : last[k];
        memcpy(last, ring_colour[q], sizeof last);
    }
    for (int y = 0; y < S; y++)
        for (int x = 0; x < S; x++) {
            float rx = (float)x - middle, ry = (float)y - middle, r = hypotf(rx, ry), px = centre[0] + rx * step,
                  py = centre[1] + ry * step;
            float *out = sprite + 3 * (y * S + x), seen = 0;
            int ix = (int)lroundf(px), iy = (int)lroundf(py);
            if (ix >= 0 && iy >= 0 && ix < s->width && iy < s->height)
                seen = mdm_clampf((aperture[(size_t)iy * (size_t)s->width + (size_t)ix] - 0.9f) * 10, 0, 1);
            float c[3];
            sample(c, rgb, s->width, s->height, px, py);
            int q = r < RINGS - 1 ? (int)r : RINGS - 1;
            for (int k = 0; k < 3; k++)
                out[k] = c[k] * seen + ring_colour[q][k] * (1 - seen);
            s->iris_alpha[y * S + x] = mdm_clampf((MDM_IRIS_RADIUS + 2 - r) / 5, 0, 1);
        }
}

/* Fills the iris with the white of the eye around it and keeps it as a sprite. */
static mdm_status take_iris(mdm_standin *s, int e, float *rgb, float *clean, const float (*points)[3])
{
    const mdm_eye_index *eye = &mdm_eyes[e];
    float corner[2 * MDM_LID_ROW + 2][2], *aperture = NULL, *fill = NULL, *buffer = NULL, (*white)[3] = NULL;
    size_t n = (size_t)s->width * (size_t)s->height;
    int c = 0;
    memcpy(corner[c++], points[eye->outer], sizeof corner[0]);
    for (int i = 0; i < MDM_LID_ROW; i++)
        memcpy(corner[c++], points[eye->up[i]], sizeof corner[0]);
    memcpy(corner[c++], points[eye->inner], sizeof corner[0]);
    for (int i = MDM_LID_ROW - 1; i >= 0; i--)
        memcpy(corner[c++], points[eye->lo[i]], sizeof corner[0]);
    mdm_status status = mdm_alloc(&aperture, n, sizeof *aperture, "eye");
    if (!status)
        status = mdm_alloc(&fill, n, sizeof *fill, "eye");
    if (!status)
        status = mdm_alloc(&buffer, n, sizeof *buffer, "eye");
    if (!status)
        status = mdm_alloc(&white, n, sizeof *white, "eye");
    if (!status) {
        const float *a = points[eye->outer], *b = points[eye->inner], *o = points[eye->iris];
        float centre[2] = {o[0], o[1]}, radius = 0, width = fmaxf(hypotf(b[0] - a[0], b[1] - a[1]), 1);
        for (int k = 1; k < 5; k++)
            radius += hypotf(points[eye->iris + k][0] - o[0], points[eye->iris + k][1] - o[1]) / 4;
        radius = mdm_clampf(radius, 0.1f * width, 0.5f * width);
        float ax[2] = {(b[0] - a[0]) / width, (b[1] - a[1]) / width};
        float middle = ((o[0] - a[0]) * ax[0] + (o[1] - a[1]) * ax[1]) / width, side[2][3];
        mdm_fill_polygon(aperture, s->width, s->height, (const float(*)[2])corner, c);
        for (int half = 0; half < 2; half++) {
            int count = 0;
            for (int pass = 0; pass < 2 && count < 4; pass++) /* a side that shows no white takes the other's */
                for (size_t i = 0; i < n; i++) {
                    float x = (float)(i % (size_t)s->width), y = (float)(i / (size_t)s->width);
                    float u = ((x - a[0]) * ax[0] + (y - a[1]) * ax[1]) / width;
                    if (aperture[i] < 0.99f || hypotf(x - o[0], y - o[1]) < 1.22f * radius ||
                        (!pass && (u < middle) != (half == 0)))
                        continue;
                    memcpy(white[count++], rgb + 3 * i, sizeof *white);
                }
            static const float usual[3] = {170, 160, 150};
            if (count > 3)
                bright_median(side[half], (const float(*)[3])white, count, buffer);
            else
                memcpy(side[half], usual, sizeof usual);
        }
        for (size_t i = 0; i < n; i++) {
            float x = (float)(i % (size_t)s->width), y = (float)(i / (size_t)s->width);
            float disc = mdm_clampf(1.22f * radius + 0.5f - hypotf(x - o[0], y - o[1]), 0, 1);
            fill[i] = aperture[i] * fmaxf(disc, 0.35f);
        }
        make_sprite(s, e, rgb, aperture, centre, radius);
        s->iris_size[e] = radius / width;
        status = mdm_blur_float(fill, s->width, s->height, 1, fmaxf(0.8f, 0.02f * width));
        for (size_t i = 0; i < n && !status; i++) {
            float x = (float)(i % (size_t)s->width), y = (float)(i / (size_t)s->width);
            float u = ((x - a[0]) * ax[0] + (y - a[1]) * ax[1]) / width, w = mdm_clampf((u - 0.15f) / 0.7f, 0, 1);
            float alpha = fill[i] * (aperture[i] > 0.999f ? 1 : aperture[i] * aperture[i]); /* the lash line stays */
            for (size_t k = 0; k < 3; k++)
                clean[3 * i + k] += alpha * (side[0][k] * (1 - w) + side[1][k] * w - clean[3 * i + k]);
        }
    }
    mdm_free(&aperture);
    mdm_free(&fill);
    mdm_free(&buffer);
    mdm_free(&white);
    return status;
}

/* The portrait's own low-order light, and how much detail stands out from it. */
static void measure_light(mdm_standin *s, const float *rgb, const mdm_canonical *canonical)
{
    float own[MDM_LIGHT_TERMS][3] = {{0}}, rest[MDM_MESH_VERTICES];
    int n = 0;
    colour_at(s->colour, rgb, s->width, s->height, (const float(*)[2])s->uv, MDM_MESH_VERTICES,
              fmaxf(1, s->face_width * 0.03f));
    /* a beard is no shadow: left in the fit it would be lit up on the person's chin */
    float bright[MDM_MESH_VERTICES];
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        if (canonical->skin[i] > 0)
            bright[n++] = (s->colour[i][0] + s->colour[i][1] + s->colour[i][2]) / 3;
    mdm_sort(bright, (size_t)n);
    float usual = bright[n * 3 / 5];
    n = 0;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        s->bare[i] =
            canonical->skin[i] *
            mdm_clampf(1 - (usual - 0.40f - (s->colour[i][0] + s->colour[i][1] + s->colour[i][2]) / 3) / 0.3f, 0.1f, 1);
    mdm_light_fit(own, (const float(*)[3])s->colour, s->bare, canonical);
    for (int i = 0; i < MDM_RENDER_VERTICES; i++)
        mdm_light_at(s->own_light[i], (const float(*)[3])own, canonical->light[i]);
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        if (canonical->skin[i] > 0) /* beards too: the recording's spread, which it is held against, leaves few out */
            rest[n++] = (s->colour[i][0] + s->colour[i][1] + s->colour[i][2] - s->own_light[i][0] - s->own_light[i][1] -
                         s->own_light[i][2]) /
                        3;
    s->detail = mdm_robust_spread(rest, n);
}

/* Hair and background that reach over the face's rim turn into skin under the portrait's own light: on a head that turns away
 * they would be dragged over the cheek as streaks. `points`: where the mesh and its ring lie in the texture, which is log. */
static mdm_status clear_rim(mdm_standin *s, const float (*points)[3], const mdm_canonical *canonical)
{
    enum { RIM = 3, COUNT };
    float attribute[MDM_RENDER_VERTICES][COUNT], *weight = NULL;
    const size_t n = (size_t)s->width * (size_t)s->height;
    mdm_canvas canvas = {0};
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        memcpy(attribute[i], s->own_light[i], 3 * sizeof(float));
        attribute[i][RIM] = i < MDM_MESH_VERTICES ? canonical->border[i] : 1;
    }
    mdm_status status = mdm_canvas_begin(&canvas, 0, 0, s->width, s->height, COUNT);
    if (!status)
        status = mdm_alloc(&weight, n, sizeof *weight, "portrait");
    if (!status)
        mdm_raster(&canvas, points, &attribute[0][0], (const int(*)[3])canonical->triangle, MDM_RENDER_TRIANGLES);
    for (size_t i = 0; !status && i < n; i++) {
        const float *own = canvas.value + COUNT * i, *at = s->texture + 3 * i;
        float off = (at[0] + at[1] + at[2] - own[0] - own[1] - own[2]) / 3;
        float foreign = off < 0 ? mdm_clampf((-0.15f - off) / 0.3f, 0, 1) : mdm_clampf((off - 0.3f) / 0.3f, 0, 1);
        weight[i] = canvas.covered[i] == 1 ? foreign * mdm_clampf((own[RIM] - 0.3f) / 0.3f, 0, 1) : 0;
    }
    if (!status) /* a hair's soft edge belongs to it */
        status = mdm_blur_float(weight, s->width, s->height, 1, 0.02f * s->face_width);
    for (size_t i = 0; !status && i < n; i++)
        for (size_t k = 0; k < 3 && canvas.covered[i] == 1; k++)
            s->texture[3 * i + k] += fminf(1, 1.8f * weight[i]) * (canvas.value[COUNT * i + k] - s->texture[3 * i + k]);
    mdm_free(&weight);
    mdm_canvas_free(&canvas);
    return status;
}

static mdm_status prepare(mdm_standin *s, const mdm_image *portrait, const mdm_mesh *mesh, float scale,
                          const mdm_canonical *canonical)
{
    float points[MDM_MESH_POINTS][3], render[MDM_RENDER_VERTICES][3], ring[MDM_OVAL][3], *rgb = NULL;
    size_t n = (size_t)s->width * (size_t)s->height * 3;
    mdm_pose pose;
    mdm_mesh_enlarged(points, mesh, scale);
    mdm_pose_fit(&pose, (const float(*)[3])points, canonical);
    mdm_to_head(s->shape, (const float(*)[3])points, MDM_MESH_VERTICES, &pose);
    mdm_ring_points(ring, (const float(*)[3])s->shape);
    memcpy(render, points, sizeof(float) * 3 * MDM_MESH_VERTICES);
    mdm_to_image(render + MDM_MESH_VERTICES, (const float(*)[3])ring, MDM_OVAL, &pose);
    for (int i = 0; i < MDM_RENDER_VERTICES; i++)
        s->uv[i][0] = render[i][0], s->uv[i][1] = render[i][1];
    float c[2] = {(points[168][0] + points[6][0] + points[197][0]) / 3,
                  (points[168][1] + points[6][1] + points[197][1]) / 3};
    /* the ring repeats skin of the rim: further out lies the portrait's own hair, which would be a scar on another forehead */
    for (int i = 0; i < MDM_OVAL; i++)
        for (int k = 0; k < 2; k++) {
            float *rim = &s->uv[mdm_oval[i]][k], *ring_at = &s->uv[MDM_MESH_VERTICES + i][k], outside = *ring_at - *rim;
            *rim = c[k] + (*rim - c[k]) * INSIDE;
            *ring_at = *rim + RING_REACH * outside;
        }
    mdm_status status = mdm_alloc(&rgb, n, sizeof *rgb, "portrait");
    if (!status)
        status = mdm_alloc(&s->texture, n, sizeof *s->texture, "portrait");
    if (!status) {
        enlarge(rgb, s->width, s->height, portrait, scale);
        if (scale > 1.2f)
            status = sharpen(rgb, s->width, s->height, 0.6f * scale, SHARPEN);
    }
    if (!status)
        status = even_light(rgb, s, (const float(*)[3])render, canonical);
    if (!status)
        memcpy(s->texture, rgb, n * sizeof *rgb);
    for (int e = 0; e < 2 && !status; e++)
        status = take_iris(s, e, rgb, s->texture, (const float(*)[3])points);
    if (!status) {
        measure_light(s, s->texture, canonical);
        mdm_iris_dress(s);
        for (size_t i = 0; i < n; i++)
            s->texture[i] = logf(s->texture[i] + MDM_LOG_FLOOR);
        status = clear_rim(s, (const float(*)[3])render, canonical);
    }
    mdm_free(&rgb);
    return status;
}

mdm_status mdm_standin_make(mdm_standin *out, const mdm_image *portrait, const mdm_mesh *mesh,
                            const mdm_canonical *canonical)
{
    memset(out, 0, sizeof *out);
    float width = hypotf(mesh->point[454][0] - mesh->point[234][0], mesh->point[454][1] - mesh->point[234][1]);
    if (portrait->channels != 3 || !(width >= FACE_SMALLEST) || !(width < 8192))
        return mdm_fail(MDM_ERR_INPUT, "the portrait's face is %.0f px wide, at least %.0f are needed", (double)width,
                        (double)FACE_SMALLEST);
    for (int i = 0; i < MDM_MESH_POINTS; i++)
        for (int k = 0; k < 2; k++)
            if (!(fabsf(mesh->point[i][k]) < 16384))
                return mdm_fail(MDM_ERR_INPUT, "the portrait's mesh has a point at %g", (double)mesh->point[i][k]);
    float scale = FACE_WIDTH / width;
    out->width = (int)((float)portrait->width * scale), out->height = (int)((float)portrait->height * scale);
    out->face_width = FACE_WIDTH;
    if (out->width > 4096 || out->height > 4096)
        return mdm_fail(MDM_ERR_INPUT, "the portrait's face is small in its picture (%d x %d after scaling); crop it",
                        out->width, out->height);
    mdm_status status = prepare(out, portrait, mesh, scale, canonical);
    if (status)
        mdm_standin_free(out);
    return status;
}

void mdm_standin_free(mdm_standin *standin)
{
    mdm_free(&standin->texture);
    memset(standin, 0, sizeof *standin);
}
