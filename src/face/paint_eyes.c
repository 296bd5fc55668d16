/* Eyes of the stand-in: the whole iris moves behind the lids as the person's does, the upper lid shades the ball, and a
 * closing lid gets skin and a lash line. Step 9 of standins.md 2.1; everything fades in, for every threshold is a pop. */
#include <math.h>
#include <string.h>

#include "face/light.h"
#include "face/render_internal.h"

#define BESIDE     0.10f /* of the eye's width beyond its corners: how far a closed lid reaches */
#define LID_ALPHA  0.9f  /* of its skin over what the warp has drawn there */
#define LID_SHINE  0.04f /* of the lid where the ball rounds it */
#define LID_FULL   0.6f /* of the way from its top to the lashes: from there it is as light as the skin under the eye */
#define UNDER      0.20f  /* of the eye's width under the lower lid's edge */
#define LASH_WIDTH 0.055f /* of the eye's width */
#define LASH_DARK  0.8f
#define WHITE      0.75f /* of the cheek's brightness: the white of an eye is no darker, but for its lid's shadow */
#define WHITEST    1.4f  /* how much it is lightened for that */
#define GLINT      0.9f  /* of the way to the cheek's brightness: the light's own reflection, */
#define GLINT_AT   13.0f /* left of and over the iris's middle, and as large, in the sprite's px */
#define GLINT_SIZE 8.0f
#define IRIS_LIT                                                                                                       \
    0.4f /* of what brightens the skin: much of that is skin fairer than the stand-in's, and no iris shines */

typedef struct eye_place {
    const mdm_eye_index *index;
    int e;
    float a[2], b[2]; /* outer and inner corner, canvas px */
    float along[2], down[2], width;
    float corner[2 * MDM_LID_ROW + 2][2];
} eye_place;

static float distance(const float *a, const float *b)
{
    return hypotf(a[0] - b[0], a[1] - b[1]);
}

/* Window of the canvas around points; false when it is too small to draw in. */
static bool window_of(int box[4], const mdm_canvas *canvas, const float (*point)[2], int count, float margin)
{
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            low[k] = fminf(low[k], point[i][k]), high[k] = fmaxf(high[k], point[i][k]);
    box[0] = (int)mdm_clampf(low[0] - margin, 0, (float)canvas->width),
    box[1] = (int)mdm_clampf(low[1] - margin, 0, (float)canvas->height);
    box[2] = (int)mdm_clampf(high[0] + margin + 1, 0, (float)canvas->width) - box[0];
    box[3] = (int)mdm_clampf(high[1] + margin + 1, 0, (float)canvas->height) - box[1];
    return box[2] >= 3 && box[3] >= 3;
}

static void shifted(float (*out)[2], const float (*point)[2], int count, const int box[4])
{
    for (int i = 0; i < count; i++)
        out[i][0] = point[i][0] - (float)box[0], out[i][1] = point[i][1] - (float)box[1];
}

/* Colour of the drawn face around a point, from a square of `reach`. */
static void colour_around(float out[3], const mdm_renderer *r, const float at[2], int reach)
{
    int x = (int)mdm_clampf(roundf(at[0]), (float)reach, (float)(r->canvas.width - 1 - reach)),
        y = (int)mdm_clampf(roundf(at[1]), (float)reach, (float)(r->canvas.height - 1 - reach));
    float n = 0;
    out[0] = out[1] = out[2] = 0;
    for (int v = y - reach; v <= y + reach; v++)
        for (int u = x - reach; u <= x + reach; u++, n++)
            for (int k = 0; k < 3; k++)
                out[k] += r->face[3 * ((size_t)v * (size_t)r->canvas.width + (size_t)u) + (size_t)k];
    for (int k = 0; k < 3; k++)
        out[k] /= n;
}

/* Skin at the two borders of a closed lid, point by point along it: over its crease, and under the lower lid. */
typedef struct lid_skin {
    float above[MDM_LID_ROW][3], below[MDM_LID_ROW][3];
} lid_skin;

static void smooth_row(float (*row)[3])
{
    for (int pass = 0; pass < 2; pass++) /* spots of the skin are not copied as spots */
        for (int k = 0; k < 3; k++) {
            float last = row[0][k];
            for (int i = 1; i < MDM_LID_ROW - 1; i++) {
                const float now = row[i][k];
                row[i][k] = (last + 2 * now + row[i + 1][k]) / 4;
                last = now;
            }
        }
}

static const int cheeks[2] = {101, 330};

static void find_lid_skin(lid_skin *out, const mdm_render_frame *f, const eye_place *eye, const float (*top)[2])
{
    const mdm_renderer *r = f->r;
    const int reach = (int)mdm_clampf(0.04f * eye->width, 0, 4);
    float cheek[3];
    colour_around(cheek, r, f->local[cheeks[eye->e]], 2 * reach);
    for (int i = 0; i < MDM_LID_ROW; i++) {
        const float *edge = f->local[eye->index->lo[i]];
        int nearest = 0;
        for (int c = 1; c < 3; c++)
            if (distance(f->local[eye->index->cheek[c]], edge) < distance(f->local[eye->index->cheek[nearest]], edge))
                nearest = c;
        colour_around(out->below[i], r, f->local[eye->index->cheek[nearest]], reach);
        for (int k = 0; k < 3; k++) /* grey or swollen skin under an eye is not its lid's */
            out->below[i][k] = (out->below[i][k] + cheek[k]) / 2;
        colour_around(out->above[i], r, top[i], reach);
    }
    smooth_row(out->above);
    smooth_row(out->below);
}

/* Rows run from the outer corner inwards; from left to right on the other eye. */
static void turn_rows(lid_skin *skin)
{
    for (int i = 0; i < MDM_LID_ROW / 2; i++)
        for (int k = 0; k < 3; k++) {
            const int j = MDM_LID_ROW - 1 - i;
            const float above = skin->above[i][k], below = skin->below[i][k];
            skin->above[i][k] = skin->above[j][k], skin->above[j][k] = above;
            skin->below[i][k] = skin->below[j][k], skin->below[j][k] = below;
        }
}

/* How far between the lids' edges and the skin under the eye a closed lid is painted: the portrait's lower lashes and the shadow of
 * its open lid would stay as a dark ring. */
static void under_eye(float (*out)[2], const mdm_render_frame *f, const eye_place *eye)
{
    for (int i = 0; i < MDM_LID_ROW; i++) {
        const float *edge = f->local[eye->index->lo[i]];
        const float along = mdm_clampf(((edge[0] - eye->a[0]) * eye->along[0] + (edge[1] - eye->a[1]) * eye->along[1]) /
                                           fmaxf(eye->width, 1),
                                       0, 1);
        const float drop = UNDER * eye->width * sqrtf(sinf(3.14159265f * along));
        for (int k = 0; k < 2; k++)
            out[i][k] = edge[k] + drop * eye->down[k];
    }
}

/* Skin over the stretched crease of a closing lid, `closing` 0..1, rounded by the ball under it, and the line of its lashes. */
static mdm_status paint_lid(mdm_render_frame *f, const eye_place *eye, float closing)
{
    mdm_renderer *r = f->r;
    float edge[MDM_LID_ROW][2], top[MDM_LID_ROW][2], bottom[MDM_LID_ROW][2], corner[2 * MDM_LID_ROW + 2][2],
        local[2 * MDM_LID_ROW + 2][2];
    lid_skin skin;
    int c = 0, box[4];
    under_eye(bottom, f, eye);
    for (int i = 0; i < MDM_LID_ROW; i++) {
        memcpy(edge[i], f->local[eye->index->up[i]], sizeof edge[i]);
        memcpy(top[i], f->local[eye->index->brow[i]], sizeof top[i]);
    }
    for (int k = 0; k < 2; k++)
        corner[0][k] = eye->a[k] - BESIDE * eye->width * eye->along[k],
        corner[MDM_LID_ROW + 1][k] = eye->b[k] + BESIDE * eye->width * eye->along[k];
    c++;
    for (int i = 0; i < MDM_LID_ROW; i++)
        memcpy(corner[c++], bottom[i], sizeof corner[0]);
    c++;
    for (int i = MDM_LID_ROW - 1; i >= 0; i--)
        memcpy(corner[c++], top[i], sizeof corner[0]);
    if (!window_of(box, &r->canvas, (const float(*)[2])corner, c, 4 + 0.1f * eye->width))
        return MDM_OK;
    shifted(local, (const float(*)[2])corner, c, box);
    mdm_fill_polygon(r->plane, box[2], box[3], (const float(*)[2])local, c);
    MDM_TRY(mdm_blur_float(r->plane, box[2], box[3], 1, fmaxf(0.7f, 0.08f * eye->width)));
    find_lid_skin(&skin, f, eye, (const float(*)[2])top);
    if (edge[0][0] > edge[MDM_LID_ROW - 1][0])
        turn_rows(&skin);
    mdm_sort_by_x(edge, MDM_LID_ROW);
    mdm_sort_by_x(top, MDM_LID_ROW);

    float from = fminf(eye->a[0], eye->b[0]), span = fmaxf(fabsf(eye->b[0] - eye->a[0]), 1);
    for (int x = 0; x < box[2]; x++) {
        float px = (float)(box[0] + x), lash_y = mdm_polyline((const float(*)[2])edge, MDM_LID_ROW, px);
        float top_y = mdm_polyline((const float(*)[2])top, MDM_LID_ROW, px);
        float u = mdm_clampf((px - from) / span, 0, 1), across = powf(mdm_clampf(sinf(3.14159265f * u), 0, 1), 0.6f);
        float at = u * (MDM_LID_ROW - 1);
        int i = at < MDM_LID_ROW - 2 ? (int)at : MDM_LID_ROW - 2;
        for (int y = 0; y < box[3]; y++) {
            float py = (float)(box[1] + y), down = (py - top_y) / fmaxf(lash_y - top_y, 1);
            float v = mdm_smoothstep(down, 0, LID_FULL), ball = mdm_clampf(down, 0, 1);
            float alpha = r->plane[y * box[2] + x] * closing * LID_ALPHA;
            float shade = 1 + LID_SHINE * sinf(3.14159265f * ball) * across;
            float d = (py - lash_y) / fmaxf(1.0f, LASH_WIDTH * eye->width),
                  lash = 1 - LASH_DARK * expf(-d * d) * across * closing;
            float *out = r->face + 3 * ((size_t)(box[1] + y) * (size_t)r->canvas.width + (size_t)(box[0] + x));
            for (int k = 0; k < 3; k++) {
                float above = skin.above[i][k] + (at - (float)i) * (skin.above[i + 1][k] - skin.above[i][k]),
                      below = skin.below[i][k] + (at - (float)i) * (skin.below[i + 1][k] - skin.below[i][k]);
                out[k] = (out[k] + alpha * ((above + v * (below - above)) * shade - out[k])) * lash;
            }
        }
    }
    return MDM_OK;
}

/* Bilinear value of a sprite with `channels`; 0 outside. `reach` averages a square of that half-size for small eyes. */
static void sprite_at(float *out, const float *sprite, int channels, float u, float v, int reach)
{
    float n = 0;
    for (int k = 0; k < channels; k++)
        out[k] = 0;
    for (int j = -reach; j <= reach; j += reach > 2 ? 2 : 1)
        for (int i = -reach; i <= reach; i += reach > 2 ? 2 : 1) {
            float x = u + (float)i, y = v + (float)j;
            n += 1;
            if (!(x >= 0 && y >= 0 && x < MDM_IRIS_SIDE - 1 && y < MDM_IRIS_SIDE - 1))
                continue;
            int x0 = (int)x, y0 = (int)y;
            float tx = x - (float)x0, ty = y - (float)y0;
            const float *p = sprite + (y0 * MDM_IRIS_SIDE + x0) * channels, *q = p + MDM_IRIS_SIDE * channels;
            for (int k = 0; k < channels; k++)
                out[k] +=
                    (p[k] * (1 - tx) + p[k + channels] * tx) * (1 - ty) + (q[k] * (1 - tx) + q[k + channels] * tx) * ty;
        }
    for (int k = 0; k < channels; k++)
        out[k] /= n;
}

/* Colour of an iris (0..255, of the portrait) in the recording's light. Of what parts the recording's skin from the portrait's, half
 * is taken for the light's colour; a recording without colour, as of infrared light, has irises without. */
static void iris_in_light(float out[3], const float colour[3], const float *attribute, float hazy, float depth)
{
    const float *own = attribute + AT_OWN, *gain = attribute + AT_GAIN;
    const float bright = (gain[0] + gain[1] + gain[2]) / 3, warm = own[0] + gain[0] - own[2] - gain[2];
    const float colourful = mdm_clampf(warm / fmaxf(0.5f * (own[0] - own[2]), 0.05f), 0, 1);
    float bare[3], grey = 0;
    for (int k = 0; k < 3; k++) {
        bare[k] = logf(colour[k] + MDM_LOG_FLOOR);
        bare[k] += hazy * (own[k] + mdm_soften(bare[k] - own[k], 0, depth) - bare[k]);
        bare[k] += 0.5f * (gain[k] - bright);
        grey += bare[k] / 3;
    }
    for (int k = 0; k < 3; k++)
        out[k] = expf(grey + colourful * (bare[k] - grey) + (bright > 0 ? IRIS_LIT * bright : bright)) - MDM_LOG_FLOOR;
}

static void paint_ball(mdm_render_frame *f, const eye_place *eye, float on)
{
    mdm_renderer *r = f->r;
    const mdm_motion *m = r->motion;
    const mdm_standin *s = r->standin;
    float local[2 * MDM_LID_ROW + 2][2], lid[MDM_LID_ROW][2];
    int box[4], corners = 2 * MDM_LID_ROW + 2;
    if (!window_of(box, &r->canvas, eye->corner, corners, 3))
        return;
    shifted(local, eye->corner, corners, box);
    mdm_fill_polygon(r->plane, box[2], box[3], (const float(*)[2])local, corners);
    for (int i = 0; i < MDM_LID_ROW; i++)
        memcpy(lid[i], f->local[eye->index->up[i]], sizeof lid[i]);
    mdm_sort_by_x(lid, MDM_LID_ROW);
    const mdm_view_correction correction = mdm_motion_correct(m, f->index);
    float gaze[2], centre[2];
    for (int k = 0; k < 2; k++)
        gaze[k] = m->gaze[f->index][eye->e][k] + correction.gaze[eye->e][k];
    for (int k = 0; k < 2; k++)
        centre[k] = (eye->a[k] + eye->b[k]) / 2 + eye->width * (gaze[0] * eye->along[k] + gaze[1] * eye->down[k]);
    const float *oc = s->shape[eye->index->outer], *ic = s->shape[eye->index->inner];
    float full =
        (float)m->pose[f->index].scale * sqrtf((oc[0] - ic[0]) * (oc[0] - ic[0]) + (oc[1] - ic[1]) * (oc[1] - ic[1]) +
                                               (oc[2] - ic[2]) * (oc[2] - ic[2]));
    float radius = fmaxf(s->iris_size[eye->e] * full, 0.5f),
          squeeze = mdm_clampf(eye->width / fmaxf(full, 1e-3f), 0.35f, 1.05f);
    int reach = (int)mdm_clampf(roundf(0.5f * (MDM_IRIS_RADIUS / radius - 1)), 0, 12);
    const float hazy = 1 - m->look.depth / MDM_USUAL_DEPTH;
    float cheek[3];
    colour_around(cheek, r, f->local[cheeks[eye->e]], (int)mdm_clampf(0.08f * eye->width, 0, 8));
    const float skin = (cheek[0] + cheek[1] + cheek[2]) / 3;
    for (int y = 0; y < box[3]; y++)
        for (int x = 0; x < box[2]; x++) {
            float inside = r->plane[y * box[2] + x];
            if (inside <= 0)
                continue;
            float px = (float)(box[0] + x), py = (float)(box[1] + y), dx = px - centre[0], dy = py - centre[1];
            float u = (dx * eye->along[0] + dy * eye->along[1]) / (radius * squeeze) * MDM_IRIS_RADIUS;
            float v = (dx * eye->down[0] + dy * eye->down[1]) / radius * MDM_IRIS_RADIUS, colour[3], alpha;
            if (eye->along[0] < 0)
                u = -u; /* the sprite is stored as seen in the portrait */
            sprite_at(colour, s->iris[eye->e], 3, u + MDM_IRIS_SIDE / 2 - 0.5f, v + MDM_IRIS_SIDE / 2 - 0.5f, reach);
            sprite_at(&alpha, s->iris_alpha, 1, u + MDM_IRIS_SIDE / 2 - 0.5f, v + MDM_IRIS_SIDE / 2 - 0.5f, reach);
            alpha *= inside * on;
            size_t i = (size_t)(box[1] + y) * (size_t)r->canvas.width + (size_t)(box[0] + x);
            float shade = (py - mdm_polyline((const float(*)[2])lid, MDM_LID_ROW, px)) / (eye->width * 0.30f);
            shade = 1 - inside * (1 - (0.76f + 0.24f * powf(mdm_clampf(shade, 0, 1), 0.7f)));
            float lit[3], *out = r->face + 3 * i;
            iris_in_light(lit, colour, r->canvas.value + i * AT_COUNT, hazy, m->look.depth);
            const float white = WHITE * on * inside * skin / fmaxf((out[0] + out[1] + out[2]) / 3, 1);
            const float glint =
                GLINT * (1 - hazy) * alpha *
                expf(-((u + GLINT_AT) * (u + GLINT_AT) + (v + GLINT_AT) * (v + GLINT_AT)) / (GLINT_SIZE * GLINT_SIZE));
            for (int k = 0; k < 3; k++) {
                const float ball = out[k] * (1 + inside * on * (mdm_clampf(white, 1, WHITEST) - 1));
                out[k] = (ball + alpha * (lit[k] - ball)) * shade;
                out[k] += glint * (skin - out[k]);
            }
        }
}

/* Between the lids of the portrait, cm. */
static float open_gap(const mdm_standin *s, const mdm_eye_index *eye)
{
    float gap = 0;
    for (int i = 2; i < 5; i++)
        gap += distance(s->shape[eye->up[i]], s->shape[eye->lo[i]]) / 3;
    return gap;
}

mdm_status mdm_paint_eyes(mdm_render_frame *f)
{
    const mdm_motion *m = f->r->motion;
    for (int e = 0; e < 2; e++) {
        eye_place eye = {.index = &mdm_eyes[e], .e = e};
        float gap = 0;
        int c = 0;
        memcpy(eye.a, f->local[eye.index->outer], sizeof eye.a);
        memcpy(eye.b, f->local[eye.index->inner], sizeof eye.b);
        eye.width = distance(eye.a, eye.b);
        if (eye.width < 4)
            continue;
        for (int k = 0; k < 2; k++)
            eye.along[k] = (eye.b[k] - eye.a[k]) / eye.width;
        eye.down[0] = -eye.along[1], eye.down[1] = eye.along[0];
        if (eye.down[1] < 0)
            eye.down[0] = -eye.down[0], eye.down[1] = -eye.down[1];
        memcpy(eye.corner[c++], eye.a, sizeof eye.a);
        for (int i = 0; i < MDM_LID_ROW; i++)
            memcpy(eye.corner[c++], f->local[eye.index->up[i]], sizeof eye.a);
        memcpy(eye.corner[c++], eye.b, sizeof eye.a);
        for (int i = MDM_LID_ROW - 1; i >= 0; i--)
            memcpy(eye.corner[c++], f->local[eye.index->lo[i]], sizeof eye.a);
        for (int i = 2; i < 5; i++)
            gap += distance(f->local[eye.index->up[i]], f->local[eye.index->lo[i]]) / 3;
        /* as drawn: the closed loop may close the stand-in's lids further than the person's are */
        const float open = open_gap(f->r->standin, eye.index) * (1 + m->correction.rest[MDM_REST_EYES]);
        const float closing = 1 - gap / fmaxf((float)m->pose[f->index].scale * open, 1e-3f);
        if (closing > 0.25f)
            MDM_TRY(paint_lid(f, &eye, mdm_clampf((closing - 0.25f) / 0.5f, 0, 1)));
        float on = mdm_clampf((gap - 0.4f) / 0.9f, 0, 1);
        if (on > 0)
            paint_ball(f, &eye, on);
    }
    return MDM_OK;
}
