/* The renderer's frame: transfer, raster, colour, parts, mask, blend. Steps 6, 8, 11 and 12 of standins.md 2.1. */
#include "face/standin_render.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "face/light.h"
#include "face/pose.h"
#include "face/render_internal.h"
#include "face/skin_mask.h"
#include "face/skin_tone.h"
#include "face/transfer.h"

#define MARGIN       5     /* px around the mesh */
#define EDGE         0.45f /* cosine to the camera, of a turned head: what lies further round is drawn plainer */
#define EDGE_PLAIN   0.7f  /* or the far eye, half of it hidden, is a dark edge beside the profile */
#define LIP_LINE     0.55f /* of the lip's height: no portrait's lip line is thicker */
#define CORNER       1.1f  /* cm around a corner of the mouth, which is plainer by so much when the mouth is open: */
#define CORNER_PLAIN 0.75f
#define SOCKET                                                                                                         \
    0.5f /* of the detail between eye and brow: a portrait's shadow there, on eyes that lie less deep, looks painted */
#define STEADY 0.5f /* of the mask of the skin around, from the frame before */

mdm_status mdm_renderer_new(mdm_renderer **out, const mdm_canonical *canonical, const mdm_motion *motion,
                            const mdm_standin *standin)
{
    mdm_renderer *r = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&r, 1, sizeof *r, "renderer"));
    r->canonical = canonical;
    r->motion = motion;
    r->standin = standin;
    r->texture_blur = -1;
    mdm_status status =
        mdm_alloc(&r->texture, (size_t)standin->width * (size_t)standin->height * 3, sizeof(float), "texture");
    if (status)
        mdm_renderer_free(&r);
    *out = r;
    return status;
}

void mdm_renderer_free(mdm_renderer **renderer)
{
    mdm_renderer *r = *renderer;
    if (!r)
        return;
    mdm_canvas_free(&r->canvas);
    mdm_canvas_free(&r->mouth);
    mdm_free(&r->texture);
    mdm_free(&r->face);
    mdm_free(&r->alpha);
    mdm_free(&r->scratch);
    mdm_free(&r->plane);
    mdm_free(&r->window);
    mdm_free(&r->window_alpha);
    mdm_free(&r->skin);
    mdm_free(&r->skin_now);
    mdm_free(renderer);
}

bool mdm_renderer_can(const mdm_renderer *r, int index)
{
    double angles[3];
    if (index < 0 || index >= r->motion->count || !r->motion->valid[index])
        return false;
    mdm_pose_angles(angles, &r->motion->pose[index]);
    return fabs(angles[0]) <= MDM_LARGEST_YAW;
}

/* Vertices of the frame in the image, and the canvas's place. */
static void place(mdm_render_frame *f, int bounds[4], mdm_renderer *r, int index)
{
    float shape[MDM_RENDER_VERTICES][3];
    const mdm_motion *m = r->motion;
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    f->r = r;
    f->index = index;
    mdm_transfer(shape, m, index, (const float(*)[3])r->standin->shape, r->canonical);
    float own[MDM_RESTS];
    mdm_rest_measure(own, (const float(*)[3])r->standin->shape);
    mdm_rest_measure(f->expression, (const float(*)[3])shape);
    for (int k = 0; k < MDM_RESTS; k++)
        f->expression[k] = mdm_clampf(f->expression[k] - own[k], -0.8f, 0.8f);
    mdm_ring_points(shape + MDM_MESH_VERTICES, (const float(*)[3])m->shape[index]); /* the border is the person's */
    mdm_to_image(f->point, (const float(*)[3])shape, MDM_RENDER_VERTICES, &m->pose[index]);
    mdm_motion_image(f->source, m, index);
    f->width = (float)m->pose[index].scale * 15; /* a face is about 15 cm wide at the cheeks */
    for (int i = 0; i < MDM_RENDER_VERTICES; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], f->point[i][k]);
            high[k] = fmaxf(high[k], f->point[i][k]);
        }
    for (int k = 0; k < 2; k++) {
        bounds[k] = (int)floorf(mdm_clampf(low[k], -8192, 16384)) - MARGIN;
        bounds[2 + k] = (int)ceilf(mdm_clampf(high[k], -8192, 16384)) + MARGIN - bounds[k];
    }
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        f->local[i][0] = f->point[i][0] - (float)bounds[0];
        f->local[i][1] = f->point[i][1] - (float)bounds[1];
        f->local[i][2] = f->point[i][2];
    }
}

static void clip_to(int rect[4], const int bounds[4], int width, int height)
{
    int x0 = bounds[0] < 0 ? 0 : bounds[0], y0 = bounds[1] < 0 ? 0 : bounds[1];
    int x1 = bounds[0] + bounds[2] > width ? width : bounds[0] + bounds[2],
        y1 = bounds[1] + bounds[3] > height ? height : bounds[1] + bounds[3];
    rect[0] = x0, rect[1] = y0, rect[2] = x1 - x0, rect[3] = y1 - y0;
    if (rect[2] < 8 || rect[3] < 8)
        rect[2] = rect[3] = 0;
}

void mdm_renderer_matte(mdm_renderer *renderer, mdm_person_matte *matte)
{
    renderer->matte = matte;
}

bool mdm_motion_retones(const mdm_motion *motion)
{
    const float *tone = motion->look.tone;
    return tone[0] != 0 || tone[1] != 0 || tone[2] != 0;
}

/* The square's pixels. */
static void bounds_of(int bounds[4], const float square[3])
{
    for (int k = 0; k < 2; k++) {
        bounds[k] = (int)floorf(mdm_clampf(square[k], -8192, 16384));
        bounds[2 + k] = (int)ceilf(mdm_clampf(square[k] + square[2], -8192, 16384)) - bounds[k];
    }
}

void mdm_renderer_bounds(int rect[4], mdm_renderer *r, int index, int width, int height)
{
    mdm_render_frame f;
    float square[3];
    int bounds[4], around[4];
    place(&f, bounds, r, index);
    clip_to(rect, bounds, width, height);
    if (!rect[2] || !r->matte || !mdm_motion_retones(r->motion))
        return;
    mdm_skin_around(square, (const float(*)[3])f.source, f.width);
    bounds_of(around, square);
    for (int k = 0; k < 2; k++) {
        const int end = bounds[k] + bounds[2 + k], far = around[k] + around[2 + k];
        bounds[k] = around[k] < bounds[k] ? around[k] : bounds[k];
        bounds[2 + k] = (far > end ? far : end) - bounds[k];
    }
    clip_to(rect, bounds, width, height);
}

/* r->skin: the skin around this frame's face, with half of the frame's before, whose border trembles otherwise. */
static mdm_status find_skin(const mdm_image *image, const mdm_render_frame *f, const float square[3])
{
    mdm_renderer *r = f->r;
    const float *person, *rgb, step = square[2] / MDM_MATTE_SIDE;
    const size_t cells = (size_t)MDM_MATTE_SIDE * MDM_MATTE_SIDE;
    float points[MDM_MESH_VERTICES][3];
    if (!r->skin) {
        MDM_TRY(mdm_alloc(&r->skin, cells, sizeof *r->skin, "skin"));
        MDM_TRY(mdm_alloc(&r->skin_now, cells, sizeof *r->skin_now, "skin"));
        r->skin_index = -2;
    }
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 2; k++)
            points[i][k] = (f->source[i][k] + 0.5f - square[k]) / step - 0.5f;
    MDM_TRY(mdm_person_matte_run(&person, &rgb, r->matte, image, square));
    MDM_TRY(mdm_skin_mask(r->skin_now, person, rgb, (const float(*)[3])points, f->width / step));
    const float before = r->skin_index == f->index - 1 ? STEADY : 0;
    for (size_t i = 0; i < cells; i++)
        r->skin[i] = r->skin_now[i] + before * (r->skin[i] - r->skin_now[i]);
    r->skin_index = f->index;
    return MDM_OK;
}

/* Neck, ears and forehead, before the face is laid over them. */
static mdm_status retone(mdm_image *image, const mdm_render_frame *f)
{
    int around[4], rect[4];
    float square[3];
    mdm_skin_around(square, (const float(*)[3])f->source, f->width);
    bounds_of(around, square);
    clip_to(rect, around, image->width, image->height);
    if (!rect[2])
        return MDM_OK;
    MDM_TRY(find_skin(image, f, square));
    mdm_retone_skin(image, rect, square, f->r->skin, (const float(*)[3])f->source, f->width, f->r->motion->look.tone);
    return MDM_OK;
}

static mdm_status reserve(mdm_renderer *r, size_t pixels)
{
    if (pixels <= r->capacity)
        return MDM_OK;
    MDM_TRY(mdm_realloc(&r->face, pixels * 3, sizeof *r->face, "face"));
    MDM_TRY(mdm_realloc(&r->alpha, pixels, sizeof *r->alpha, "face"));
    MDM_TRY(mdm_realloc(&r->scratch, pixels * 3, sizeof *r->scratch, "face"));
    MDM_TRY(mdm_realloc(&r->plane, pixels, sizeof *r->plane, "face"));
    MDM_TRY(mdm_realloc(&r->window, pixels * 3, sizeof *r->window, "face"));
    MDM_TRY(mdm_realloc(&r->window_alpha, pixels, sizeof *r->window_alpha, "face"));
    r->capacity = pixels;
    return MDM_OK;
}

/* The texture is no finer than the picture it goes into: a blur that grows with how much it is shrunk, in steps. */
static mdm_status fit_texture(mdm_renderer *r, float shrink)
{
    float sigma = shrink > 1.25f ? 0.45f * sqrtf(shrink * shrink - 1) : 0;
    sigma = roundf(sigma * 4) / 4;
    if (sigma == r->texture_blur)
        return MDM_OK;
    const mdm_standin *s = r->standin;
    memcpy(r->texture, s->texture, (size_t)s->width * (size_t)s->height * 3 * sizeof(float));
    r->texture_blur = sigma;
    return sigma > 0 ? mdm_blur_float(r->texture, s->width, s->height, 3, sigma) : MDM_OK;
}

/* e^x for 0 <= x <= 8 within 2e-5 relative: 2^(whole) by exponent bits, the rest by a polynomial. Vectorises. */
static inline float quick_exp(float x)
{
    float t = x * 1.44269504f, whole = (float)(int32_t)t, f = t - whole;
    float p = 1 + f * (0.69315308f + f * (0.24015361f + f * (0.05582632f + f * (0.00898934f + f * 0.00187758f))));
    int32_t bits = ((int32_t)whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* What a frame's light as a whole does to the stand-in's skin. */
typedef struct tone {
    float hue;  /* how much of its colour, red over blue, is left: its spots lose as much of theirs */
    float lift; /* 0..1, how much brighter it is: shine is a smaller share of brighter skin */
} tone;

static tone tone_of(const float (*attribute)[AT_COUNT])
{
    float own[3] = {0}, gain[3] = {0};
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 3; k++) {
            own[k] += attribute[i][AT_OWN + k] / MDM_MESH_VERTICES;
            gain[k] += attribute[i][AT_GAIN + k] / MDM_MESH_VERTICES;
        }
    const float colour = fmaxf(own[0] - own[2], 0.1f);
    return (tone){.hue = mdm_clampf((colour + gain[0] - gain[2]) / colour, 0.2f, 1),
                  .lift = mdm_clampf(((gain[0] + gain[1] + gain[2]) / 3 - 0.2f) / 0.8f, 0, 1)};
}

static void colour_pixels(mdm_renderer *r, tone tone)
{
    const mdm_standin *s = r->standin;
    const float depth = r->motion->look.depth;
    size_t pixels = (size_t)r->canvas.width * (size_t)r->canvas.height;
    const float right = (float)s->width - 1.001f, bottom = (float)s->height - 1.001f;
    for (size_t i = 0; i < pixels; i++) {
        float *out = r->face + 3 * i;
        if (!r->canvas.covered[i]) {
            out[0] = out[1] = out[2] = 2.0794415f; /* log of the floor: black */
            continue;
        }
        const float *a = r->canvas.value + i * AT_COUNT;
        float u = mdm_clampf(a[AT_U], 0, right), v = mdm_clampf(a[AT_V], 0, bottom);
        int x = (int)u, y = (int)v;
        float tx = u - (float)x, ty = v - (float)y;
        const float *p = r->texture + ((size_t)y * (size_t)s->width + (size_t)x) * 3, *q = p + 3 * (size_t)s->width;
        const float *own = a + AT_OWN, *gain = a + AT_GAIN;
        float detail[3];
        for (int k = 0; k < 3; k++) {
            float t = (p[k] * (1 - tx) + p[k + 3] * tx) * (1 - ty) + (q[k] * (1 - tx) + q[k + 3] * tx) * ty;
            detail[k] = (t - own[k]) * a[AT_DETAIL];
        }
        const float grey = (detail[0] + detail[1] + detail[2]) / 3;
        for (int k = 0; k < 3; k++)
            out[k] = own[k] + mdm_soften(grey + tone.hue * (detail[k] - grey), tone.lift, depth) + gain[k];
    }
    float *face = r->face;
    /* by themselves, so that they run on eight at a time; in one, the compiler follows the limits' constants by branches */
    for (size_t i = 0; i < 3 * pixels; i++) {
        const float value = face[i] > 0 ? face[i] : 0;
        face[i] = value < 6.5f ? value : 6.5f;
    }
    for (size_t i = 0; i < 3 * pixels; i++)
        face[i] = quick_exp(face[i]) - MDM_LOG_FLOOR;
}

/* 0..1: how near a point of the stand-in is to a corner of its mouth. */
static float at_corner(const float (*shape)[3], int point)
{
    float nearest = INFINITY;
    for (int side = 0; side < 2; side++) {
        const float *corner = shape[side ? 291 : 61];
        nearest = fminf(nearest, hypotf(shape[point][0] - corner[0], shape[point][1] - corner[1]));
    }
    return expf(-(nearest * nearest) / (CORNER * CORNER));
}

/* The portrait's lips are closed: its dark line between them would be a ring around an open mouth. As the mouth opens, their
 * skin is taken further out, up to a share of the way to the outer lip; the rings of vertices keep their order. The dark
 * creases at the corners open as well: there the detail fades. */
static void part_lips(float (*attribute)[AT_COUNT], const mdm_render_frame *f)
{
    const float open = mdm_clampf((mdm_mouth_gap(f) / f->width - 0.06f) / 0.08f, 0, 1);
    if (open <= 0)
        return;
    for (int ring = 0; ring < MDM_LIP_RINGS; ring++)
        for (int i = 0; i < MDM_LIP_INNER; i++) {
            float *at = attribute[mdm_lip_ring[ring][i]];
            const float *outer = f->r->standin->uv[mdm_lip_outer[i]];
            for (int k = 0; k < 2; k++)
                at[AT_U + k] += open * LIP_LINE * (outer[k] - at[AT_U + k]);
        }
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        attribute[i][AT_DETAIL] *= 1 - CORNER_PLAIN * open * at_corner((const float(*)[3])f->r->standin->shape, i);
}

static mdm_status draw_mesh(mdm_render_frame *f)
{
    mdm_renderer *r = f->r;
    float attribute[MDM_RENDER_VERTICES][AT_COUNT];
    MDM_TRY(fit_texture(r, r->standin->face_width / fmaxf(f->width, 1)));
    const float turned = mdm_pose_turned(&r->motion->pose[f->index]);
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        float *a = attribute[i];
        a[AT_U] = r->standin->uv[i][0], a[AT_V] = r->standin->uv[i][1];
        mdm_light_at(a + AT_GAIN, (const float(*)[3])r->motion->light[f->index], r->canonical->light[i]);
        for (int k = 0; k < 3; k++)
            a[AT_GAIN + k] = mdm_clampf(a[AT_GAIN + k], -1.9f, 1.386f);
        for (int e = 0; e < MDM_REST_MOVES && i < MDM_MESH_VERTICES; e++)
            for (int k = 0; k < 3; k++)
                a[AT_GAIN + k] += f->expression[e] * r->canonical->shade[e][i];
        a[AT_CORE] = i < MDM_MESH_VERTICES;
        memcpy(a + AT_OWN, r->standin->own_light[i], 3 * sizeof *a);
    }
    const tone tone = tone_of((const float(*)[AT_COUNT])attribute);
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        float *a = attribute[i];
        a[AT_DETAIL] = r->motion->look.contrast * (1 - 0.3f * tone.lift);
        if (i < MDM_MESH_VERTICES) {
            float facing =
                mdm_clampf(mdm_pose_towards(&r->motion->pose[f->index], r->canonical->normal[i]) / EDGE, 0, 1);
            a[AT_DETAIL] *= 1 - EDGE_PLAIN * turned * (1 - facing);
        }
    }
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < MDM_LID_ROW; i++)
            attribute[mdm_eyes[e].skin[i]][AT_DETAIL] *= SOCKET, attribute[mdm_eyes[e].brow[i]][AT_DETAIL] *= SOCKET;
    part_lips(attribute, f);
    mdm_raster(&r->canvas, (const float(*)[3])f->local, &attribute[0][0], (const int(*)[3])r->canonical->triangle,
               MDM_RENDER_TRIANGLES);
    colour_pixels(r, tone);
    return MDM_OK;
}

static void blend(mdm_image *image, const mdm_renderer *r, const int rect[4])
{
    for (int y = 0; y < rect[3]; y++) {
        uint8_t *out = image->data + (size_t)(rect[1] + y) * image->stride + 3 * (size_t)rect[0];
        const float *face = r->window + 3 * (size_t)y * (size_t)rect[2],
                    *alpha = r->window_alpha + (size_t)y * (size_t)rect[2];
        for (int x = 0; x < rect[2]; x++)
            for (int k = 0; k < 3 && alpha[x] > 0; k++) {
                float v = (float)out[3 * x + k];
                v += alpha[x] * (face[3 * x + k] - v);
                out[3 * x + k] = (uint8_t)(mdm_clampf(v, 0, 255) + 0.5f);
            }
    }
}

void mdm_renderer_show(mdm_renderer *renderer, const mdm_image *picture, const mdm_talking_window *window)
{
    renderer->shown = picture;
    renderer->shown_window = picture ? *window : (mdm_talking_window){0};
}

/* Its texture on the mesh, eyes, mouth. */
static mdm_status draw_standin(mdm_render_frame *f, const int bounds[4])
{
    MDM_TRY(draw_mesh(f));
    MDM_TRY(mdm_paint_eyes(f));
    /* the mouth reads the recording through the canvas's place in the image */
    f->r->canvas.left = bounds[0], f->r->canvas.top = bounds[1];
    return mdm_paint_mouth(f);
}

mdm_status mdm_renderer_draw(mdm_renderer *r, mdm_image *image, int index)
{
    mdm_render_frame f;
    int bounds[4];
    place(&f, bounds, r, index);
    clip_to(r->rect, bounds, image->width, image->height);
    const int *rect = r->rect;
    if (!rect[2])
        return MDM_OK;
    if (bounds[2] > 4096 || bounds[3] > 4096)
        return mdm_fail(MDM_ERR_INPUT, "frame %d: a face of %d x %d px, at most 4096 can be drawn",
                        r->motion->first + index, bounds[2], bounds[3]);
    f.image = image;
    MDM_TRY(mdm_canvas_begin(&r->canvas, 0, 0, bounds[2], bounds[3], AT_COUNT));
    MDM_TRY(reserve(r, (size_t)bounds[2] * (size_t)bounds[3]));
    MDM_TRY(r->shown ? mdm_show_picture(&f, bounds) : draw_standin(&f, bounds));
    MDM_TRY(mdm_face_mask(&f));
    for (int y = 0; y < rect[3]; y++) {
        size_t from = (size_t)(rect[1] - bounds[1] + y) * (size_t)bounds[2] + (size_t)(rect[0] - bounds[0]);
        memcpy(r->window + 3 * (size_t)y * (size_t)rect[2], r->face + 3 * from, 3 * (size_t)rect[2] * sizeof(float));
        memcpy(r->window_alpha + (size_t)y * (size_t)rect[2], r->alpha + from, (size_t)rect[2] * sizeof(float));
    }
    MDM_TRY(mdm_keep_fringe(r->window_alpha, rect, &f));
    MDM_TRY(mdm_match_sharpness(r->window, rect[2], rect[3], &f));
    if (r->matte && mdm_motion_retones(r->motion))
        MDM_TRY(retone(image, &f));
    blend(image, r, rect);
    return MDM_OK;
}

const float *mdm_renderer_alpha(const mdm_renderer *renderer, int rect[4])
{
    memcpy(rect, renderer->rect, 4 * sizeof *rect);
    return renderer->window_alpha;
}
