/* Drawing the mesh: z-buffered triangles with linearly interpolated attributes, and filled polygons with soft edges. */
#ifndef MDM_FACE_RASTER_H
#define MDM_FACE_RASTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define MDM_RASTER_ATTRIBUTES 10

/* A window of the image: pixel (x, y) of the canvas is pixel (left + x, top + y) of the image. Buffers grow and are kept. */
typedef struct mdm_canvas {
    int left, top, width, height;
    int attributes; /* floats a pixel in `value` */
    float *value;   /* [height][width][attributes] */
    float *depth;   /* [height][width] */
    uint8_t
        *covered; /* [height][width]: 1 drawn by a front face, 2 by a back face only (fills pin holes), 0 not at all */
    size_t capacity; /* pixels */
} mdm_canvas;

/* Sets the window and clears it. At most 4096 pixels a side. */
mdm_status mdm_canvas_begin(mdm_canvas *canvas, int left, int top, int width, int height, int attributes);
void mdm_canvas_free(mdm_canvas *canvas);

/* Draws triangles over `points` (IMAGE px, z away from the camera: the nearest wins); `attribute` has canvas->attributes
 * floats a point. Triangles wound backwards lie behind everything. */
void mdm_raster(mdm_canvas *canvas, const float (*points)[3], const float *attribute, const int (*triangles)[3],
                int count);

/* Coverage 0..1 of a polygon of `count` corners (canvas coordinates, pixel centres at integers) into mask[height][width],
 * 4 x 4 samples a pixel; the mask is overwritten. */
void mdm_fill_polygon(float *mask, int width, int height, const float (*corner)[2], int count);

#endif
