/* Lines and squares between landmarks. */
#include "face/landmark_drawing.h"

#include <math.h>
#include <string.h>

typedef struct stroke {
    uint8_t colour[3];
    uint8_t count;
    short point[9];
} stroke;

/* Indices of the mesh along each line. */
static const stroke strokes[] = {
    {{180, 200, 10}, 9, {263, 249, 390, 373, 374, 380, 381, 382, 362}}, /* the left eye: lower lid, upper lid */
    {{180, 200, 10}, 9, {263, 466, 388, 387, 386, 385, 384, 398, 362}},
    {{10, 200, 180}, 9, {33, 7, 163, 144, 145, 153, 154, 155, 133}}, /* the right one */
    {{10, 200, 180}, 9, {33, 246, 161, 160, 159, 158, 157, 173, 133}},
    {{180, 220, 10}, 5, {276, 283, 282, 295, 285}}, /* brows */
    {{180, 220, 10}, 5, {300, 293, 334, 296, 336}},
    {{10, 220, 180}, 5, {46, 53, 52, 65, 55}},
    {{10, 220, 180}, 5, {70, 63, 105, 66, 107}},
};
static const stroke lips[] = {
    {{10, 180, 20}, 6, {61, 146, 91, 181, 84, 17}},  {{20, 10, 180}, 6, {17, 314, 405, 321, 375, 291}},
    {{100, 100, 30}, 6, {78, 95, 88, 178, 87, 14}},  {{100, 150, 50}, 6, {14, 317, 402, 318, 324, 308}},
    {{20, 80, 100}, 6, {61, 185, 40, 39, 37, 0}},    {{80, 100, 20}, 6, {0, 267, 269, 270, 409, 291}},
    {{120, 100, 200}, 6, {78, 191, 80, 81, 82, 13}}, {{150, 120, 100}, 6, {13, 312, 311, 310, 415, 308}},
};
static const stroke spots[] = {
    {{10, 200, 250}, 1, {468}}, {{250, 200, 10}, 1, {473}}, {{200, 200, 200}, 1, {4}}, /* pupils, tip of the nose */
};

typedef struct pen {
    mdm_image *picture;
    const uint8_t *colour;
} pen;

static int nearest(double value)
{
    return (int)floor(value + 0.5);
}

static void dot(const pen *p, int x, int y)
{
    if (x >= 0 && y >= 0 && x < MDM_LANDMARK_SIDE && y < MDM_LANDMARK_SIDE)
        memcpy(p->picture->data + (size_t)y * p->picture->stride + 3 * (size_t)x, p->colour, 3);
}

/* One pixel wide: along the axis on which a and b are further apart, pixel by pixel. */
static void edge(const pen *p, const double *a, const double *b)
{
    const int along = fabs(b[0] - a[0]) >= fabs(b[1] - a[1]) ? 0 : 1, across = 1 - along;
    const double *from = a[along] <= b[along] ? a : b, *to = from == a ? b : a, length = to[along] - from[along];
    const double slope = length > 0 ? (to[across] - from[across]) / length : 0;
    for (int s = nearest(from[along]); s <= nearest(to[along]); s++) {
        const int other = nearest(from[across] + slope * (s - from[along]));
        dot(p, along ? other : s, along ? s : other);
    }
}

/* Row y of the convex quadrangle q. */
static void fill_row(const pen *p, const double (*q)[2], int y)
{
    double left = INFINITY, right = -INFINITY;
    for (int i = 0; i < 4; i++) {
        const double *a = q[i], *b = q[(i + 1) % 4];
        if (a[1] > b[1]) {
            const double *swap = a;
            a = b, b = swap;
        }
        if (a[1] > y || b[1] < y || a[1] == b[1])
            continue;
        const double x = a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]);
        left = fmin(left, x);
        right = fmax(right, x);
    }
    for (int x = left <= right ? nearest(left) : 0; left <= right && x <= nearest(right); x++)
        dot(p, x, y);
}

/* A line of OpenCV's thickness 2, as a strip one pixel to either side with its edges drawn, and a cross at both ends. Of the pixels that
 * OpenCV draws or we do, about 4 in 100 are not the other's (tools/make_echomimic_goldens.py says how many), all of them at the rim. */
static void line(const pen *p, const int a[2], const int b[2])
{
    static const int cross[5][2] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    const double dx = b[0] - a[0], dy = b[1] - a[1], length = sqrt(dx * dx + dy * dy);
    if (length > 0) {
        const double s[2] = {dy / length, -dx / length};
        const double q[4][2] = {{a[0] + s[0], a[1] + s[1]},
                                {a[0] - s[0], a[1] - s[1]},
                                {b[0] - s[0], b[1] - s[1]},
                                {b[0] + s[0], b[1] + s[1]}};
        double low = q[0][1], high = q[0][1];
        for (int i = 0; i < 4; i++) {
            edge(p, q[i], q[(i + 1) % 4]);
            low = fmin(low, q[i][1]);
            high = fmax(high, q[i][1]);
        }
        for (int y = nearest(low); y <= nearest(high); y++)
            fill_row(p, q, y);
    }
    for (int i = 0; i < 5; i++) {
        dot(p, a[0] + cross[i][0], a[1] + cross[i][1]);
        dot(p, b[0] + cross[i][0], b[1] + cross[i][1]);
    }
}

/* The pixel of a landmark; false when it is outside the frame. */
static bool place(int out[2], const float point[2], float side)
{
    for (int k = 0; k < 2; k++) {
        const float share = point[k] / side;
        if (!(share >= 0 && share <= 1))
            return false;
        const int at = (int)floorf(share * MDM_LANDMARK_SIDE);
        out[k] = at < MDM_LANDMARK_SIDE ? at : MDM_LANDMARK_SIDE - 1;
    }
    return true;
}

static void draw_strokes(mdm_image *picture, const stroke *table, size_t count, const float (*points)[2], float side)
{
    for (size_t i = 0; i < count; i++) {
        const pen p = {picture, table[i].colour};
        int a[2] = {0}, b[2] = {0};
        for (int k = 1; k < table[i].count; k++)
            if (place(a, points[table[i].point[k - 1]], side) && place(b, points[table[i].point[k]], side))
                line(&p, a, b);
        if (table[i].count == 1 && place(a, points[table[i].point[0]], side))
            for (int y = a[1] - 3; y < a[1] + 3; y++)
                for (int x = a[0] - 3; x < a[0] + 3; x++)
                    dot(&p, x, y);
    }
}

void mdm_landmarks_draw(mdm_image *picture, const float (*points)[2], float side, bool mouth)
{
    for (int y = 0; y < MDM_LANDMARK_SIDE; y++)
        memset(picture->data + (size_t)y * picture->stride, 0, 3 * MDM_LANDMARK_SIDE);
    draw_strokes(picture, strokes, sizeof strokes / sizeof *strokes, points, side);
    if (mouth)
        draw_strokes(picture, lips, sizeof lips / sizeof *lips, points, side);
    draw_strokes(picture, spots, sizeof spots / sizeof *spots, points, side);
}

mdm_status mdm_landmarks_show(float *seen, mdm_image *canvas, const float (*points)[2], int side, bool mouth)
{
    const double scale = (double)MDM_LANDMARK_SIDE / side, middle = scale / 2 - 0.5;
    const float none[3] = {0};
    if (!canvas->data)
        MDM_TRY(mdm_image_new(canvas, MDM_LANDMARK_SIDE, MDM_LANDMARK_SIDE, 3));
    mdm_landmarks_draw(canvas, points, (float)side, mouth);
    mdm_image_sample(seen, side, side, 1, canvas, (const double[6]){scale, 0, middle, 0, scale, middle}, 1.0f / 255,
                     none);
    return MDM_OK;
}
