/* Y'CbCr to RGB and back for rectangles of 8-bit planar pictures, with the source's own matrix and range. */
#ifndef MDM_MEDIA_YUV_H
#define MDM_MEDIA_YUV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Integer coefficients (14 bits of fraction) of one matrix and range, both ways. */
typedef struct mdm_yuv_matrix {
    int y_offset;                /* 16 limited, 0 full */
    int y_scale, rv, gu, gv, bu; /* to RGB */
    int yr, yg, yb;              /* to luma */
    int ur, ug, ub, vr, vg, vb;  /* to chroma */
} mdm_yuv_matrix;

/* kr and kb are the luma weights of red and blue (BT.601: 0.299, 0.114; BT.709: 0.2126, 0.0722). */
void mdm_yuv_matrix_set(mdm_yuv_matrix *out, double kr, double kb, bool full_range);

/* The planes of a picture; `sub` is 1 for 4:2:0 (chroma halved both ways, rounded up), 0 for 4:4:4. */
typedef struct mdm_yuv_planes {
    uint8_t *data[3];
    size_t stride[3];
    int width, height, sub;
} mdm_yuv_planes;

/* One row of RGB: `count` pixels from (x, y); x is even when sub is 1. Chroma is repeated, as FFmpeg's fast path and
 * OpenCV do. `chroma` has room for 2 * count + 4 bytes and is not used when sub is 0. */
void mdm_yuv_row_to_rgb(uint8_t *rgb, const mdm_yuv_planes *planes, const mdm_yuv_matrix *matrix, int x, int y,
                        int count, uint8_t *chroma);

/* Writes the pixels of a row pair (or of one row, when y is the last of an odd height or sub is 0) whose RGB differs from
 * what the planes decode to. `now` and `was` are rows of RGB starting at x: now[0], now[1] the painted ones. */
void mdm_yuv_update_rows(const mdm_yuv_planes *planes, const mdm_yuv_matrix *matrix, int x, int y, int count,
                         const uint8_t *const now[2], const uint8_t *const was[2]);

#endif
