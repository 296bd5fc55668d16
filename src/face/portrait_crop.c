/* The square around a face. */
#include "face/portrait_crop.h"

#include <math.h>
#include <string.h>

#define MASK_MARGIN 0.1 /* of the box, on every side */
#define CROP_MARGIN 0.5

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

/* Of one axis: start and end of a stretch of `side` about the middle of a..b, inside 0..size. */
static void centre(int out[2], int a, int b, int side, int size)
{
    out[0] = most(0, (a + b) / 2 - side / 2);
    out[1] = least(size, out[0] + side);
}

void mdm_portrait_crop_find(mdm_portrait_crop *out, const double box[4], int width, int height)
{
    const int size[2] = {width, height};
    int span[2][2], at[2][2];
    for (int k = 0; k < 2; k++) {
        const int low = (int)rint(fmin(fmax(box[k], 0), size[k] - 1)),
                  high = most(low + 1, (int)rint(fmin(fmax(box[2 + k], 0), size[k]))), length = high - low;
        out->mask[k] = most(0, low - (int)(MASK_MARGIN * length));
        out->mask[2 + k] = least(size[k], high + (int)(MASK_MARGIN * length));
        span[k][0] = most(0, low - (int)(CROP_MARGIN * length));
        span[k][1] = least(size[k], high + (int)(CROP_MARGIN * length));
    }
    const int side = least(span[0][1] - span[0][0], span[1][1] - span[1][0]);
    for (int k = 0; k < 2; k++)
        centre(at[k], span[k][0], span[k][1], side, size[k]);
    const int common = least(at[0][1] - at[0][0], at[1][1] - at[1][0]);
    for (int k = 0; k < 2; k++) {
        out->square[k] = at[k][0];
        out->square[2 + k] = at[k][0] + common;
    }
}

void mdm_portrait_crop_all(mdm_portrait_crop *out, int width, int height)
{
    const int whole[4] = {0, 0, width, height};
    memcpy(out->mask, whole, sizeof whole);
    memcpy(out->square, whole, sizeof whole);
}

/* Pixel centres of the part to those of the picture. */
static void map_of(double m[6], const mdm_portrait_crop *crop, int side)
{
    const double x = (double)(crop->square[2] - crop->square[0]) / side,
                 y = (double)(crop->square[3] - crop->square[1]) / side;
    const double map[6] = {x, 0, crop->square[0] + x / 2 - 0.5, 0, y, crop->square[1] + y / 2 - 0.5};
    memcpy(m, map, sizeof map);
}

/* The part by itself, so that nothing beyond its edge is drawn in. */
static mdm_image part_of(const mdm_portrait_crop *crop, const mdm_image *picture, double m[6])
{
    mdm_image view = *picture;
    view.width = crop->square[2] - crop->square[0];
    view.height = crop->square[3] - crop->square[1];
    view.data += (size_t)crop->square[1] * picture->stride + (size_t)picture->channels * (size_t)crop->square[0];
    m[2] -= crop->square[0];
    m[5] -= crop->square[1];
    return view;
}

mdm_status mdm_portrait_crop_picture(mdm_image *out, const mdm_portrait_crop *crop, const mdm_image *portrait, int side)
{
    double m[6];
    map_of(m, crop, side);
    const mdm_image part = part_of(crop, portrait, m);
    MDM_TRY(mdm_image_new(out, side, side, 3));
    mdm_image_warp(out, &part, m, -1);
    return MDM_OK;
}

mdm_status mdm_portrait_crop_mask(float *mask, const mdm_portrait_crop *crop, int width, int height, int side)
{
    const float none[3] = {0};
    double m[6];
    mdm_image white = {0};
    MDM_TRY(mdm_image_new(&white, width, height, 1));
    for (int y = crop->mask[1]; y < crop->mask[3]; y++)
        memset(white.data + (size_t)y * white.stride + crop->mask[0], 255, (size_t)(crop->mask[2] - crop->mask[0]));
    map_of(m, crop, side);
    const mdm_image part = part_of(crop, &white, m);
    mdm_image_sample(mask, side, side, 1, &part, m, 1.0f / 255, none);
    mdm_image_free(&white);
    return MDM_OK;
}
