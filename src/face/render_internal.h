/* What the parts of the renderer share: the frame being drawn, in the coordinates of its canvas. */
#ifndef MDM_FACE_RENDER_INTERNAL_H
#define MDM_FACE_RENDER_INTERNAL_H

#include "base/order.h"
#include "face/raster.h"
#include "face/standin_render.h"

/* Attributes of a canvas pixel. */
enum { AT_U, AT_V, AT_GAIN, AT_CORE = AT_GAIN + 3, AT_OWN, AT_DETAIL = AT_OWN + 3, AT_COUNT };

struct mdm_renderer {
    const mdm_canonical *canonical;
    const mdm_motion *motion;
    const mdm_standin *standin;
    mdm_canvas canvas, mouth;
    float *texture, texture_blur;   /* the stand-in's, low-passed for the size it is shown at */
    float *face;                    /* [height][width][3] of the canvas, 0..255 */
    float *alpha, *scratch, *plane; /* [height][width] */
    float *window, *window_alpha;   /* the part inside the picture */
    size_t capacity, window_capacity;
    int rect[4];             /* of the last drawing */
    mdm_person_matte *matte; /* NULL: the skin around is left alone */
    float *skin, *skin_now;  /* the skin around, over its square; of the last frame, and before it is made steady */
    int skin_index;
    const mdm_image *shown; /* instead of the texture, or NULL */
    mdm_talking_window shown_window;
};

typedef struct mdm_render_frame {
    mdm_renderer *r;
    int index;
    float point[MDM_RENDER_VERTICES][3]; /* IMAGE px */
    float local[MDM_RENDER_VERTICES][3]; /* canvas px */
    float source[MDM_MESH_VERTICES][3];  /* the person's mesh, IMAGE px */
    float width;                         /* of the face, px */
    float expression[MDM_RESTS];         /* how far it is from the portrait's own, as face/rest.h measures it */
    const mdm_image *image;              /* the recording, not yet painted */
} mdm_render_frame;

/* How far the mouth is open as the camera sees it, px: on a turned head closed lips lie beside each other, and not apart. */
float mdm_mouth_gap(const mdm_render_frame *f);

/* Parts; each changes r->face over the canvas. */
mdm_status mdm_paint_eyes(mdm_render_frame *f);
mdm_status mdm_paint_mouth(mdm_render_frame *f);
/* Or all of it at once: r->shown. bounds: the canvas in the image. */
mdm_status mdm_show_picture(mdm_render_frame *f, const int bounds[4]);
/* r->alpha: rendered front-facing skin, soft towards its edge. */
mdm_status mdm_face_mask(mdm_render_frame *f);
/* Lowers `alpha` over the window `rect` where hair hangs over the forehead in the recording. */
mdm_status mdm_keep_fringe(float *alpha, const int rect[4], const mdm_render_frame *f);
/* Blur, sharpening, grain and motion blur of the recording, on the window. */
mdm_status mdm_match_sharpness(float *rgb, int width, int height, const mdm_render_frame *f);

/* Detail of the stand-in, log: what is much brighter than its skin (lips and highlights of dark skin) or much darker is drawn
 * in, for in another light it would stand out as it never does on a face. `lift` 0..1: how much brighter that light is; `depth`: how
 * dark the darkest of a face is in it (mdm_motion_look). */
static inline float mdm_soften(float detail, float lift, float depth)
{
    const float limit = 0.20f - 0.15f * lift, bright = detail - limit, dark = -0.50f * depth - detail;
    if (bright > 0)
        return limit + bright / (1 + (3 + 6 * lift) * bright);
    return dark > 0 ? -0.50f * depth - dark / (1 + 1.12f / depth * dark) : detail;
}

/* y on a polyline of `count` points at x, points sorted by x; ends are held. */
static inline float mdm_polyline(const float (*point)[2], int count, float x)
{
    if (x <= point[0][0])
        return point[0][1];
    for (int i = 1; i < count; i++)
        if (x <= point[i][0]) {
            float t = (x - point[i - 1][0]) / (point[i][0] - point[i - 1][0] + 1e-9f);
            return point[i - 1][1] + t * (point[i][1] - point[i - 1][1]);
        }
    return point[count - 1][1];
}

static inline void mdm_sort_by_x(float (*point)[2], int count)
{
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && point[k][0] < point[k - 1][0]; k--)
            for (int a = 0; a < 2; a++) {
                float swap = point[k][a];
                point[k][a] = point[k - 1][a], point[k - 1][a] = swap;
            }
}

#endif
