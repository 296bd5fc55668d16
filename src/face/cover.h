/* Covering what may not be shown: faces that could not be replaced, plates, text, rectangles. Fails closed: every pixel of
 * the shape is hidden completely; only the rim outside it is soft. */
#ifndef MDM_FACE_COVER_H
#define MDM_FACE_COVER_H

#include <stdbool.h>

#include "base/settings.h"
#include "base/status.h"
#include "media/image.h"

/* A convex quadrangle, or the ellipse that is inscribed in it. Pixels of the image, corners in order around it. */
typedef struct mdm_shape {
    float corner[4][2];
    bool ellipse;
    float cells; /* mosaic cells across the shorter side: fewer hide more */
} mdm_shape;

/* A face's box, grown to what makes a head known: hairline, chin and ears. */
mdm_shape mdm_shape_face(const float box[4]);
/* A plate or a line of text, grown by `margin` of its height on every side. Two cells across its height. */
mdm_shape mdm_shape_quad(const float corner[4][2], float margin);
mdm_shape mdm_shape_rectangle(int x, int y, int w, int h);

/* The pixels that mdm_cover_region may change: x, y, w, h, inside a picture of this size; w is 0 when nothing is. */
void mdm_shape_bounds(int rect[4], const mdm_shape *shape, int width, int height);

/* Covers the shape in an RGB or grey image. MDM_COVER_BLUR: a mosaic smoothed between its cells; MDM_COVER_MOSAIC: the
 * mosaic; MDM_COVER_FILL: its mean colour; MDM_COVER_KEEP: nothing is done. */
mdm_status mdm_cover_region(mdm_image *image, const mdm_shape *shape, mdm_cover kind);

#endif
