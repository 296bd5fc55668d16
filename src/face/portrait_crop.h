/* Which part of a portrait EchoMimic sees, and the mask that tells it where the face is: the authors' rule around a box of the face. */
#ifndef MDM_FACE_PORTRAIT_CROP_H
#define MDM_FACE_PORTRAIT_CROP_H

#include "media/image.h"

/* Whole pixels, ends exclusive: x0, y0, x1, y1. */
typedef struct mdm_portrait_crop {
    int mask[4];   /* the box and a tenth of it around, inside the picture */
    int square[4]; /* what is seen: the box and half of it around, cut to a square inside the picture */
} mdm_portrait_crop;

/* box: x0, y0, x1, y1 of the face in a picture of width x height. (Published scripts wrap a mask that begins above or left of the picture
 * around, which leaves none of it; here it begins at the edge.) */
void mdm_portrait_crop_find(mdm_portrait_crop *out, const double box[4], int width, int height);
/* No box: the whole picture is seen and is face. The square is no square where the picture is none: it is squeezed into one, as by the
 * authors. */
void mdm_portrait_crop_all(mdm_portrait_crop *out, int width, int height);

/* The part of `portrait` that is seen, side x side px in 3 channels (mdm_image_free), bilinear. */
mdm_status mdm_portrait_crop_picture(mdm_image *out, const mdm_portrait_crop *crop, const mdm_image *portrait,
                                     int side);
/* mask [side][side]: 1 where the face is, 0 elsewhere, bilinear between. */
mdm_status mdm_portrait_crop_mask(float *mask, const mdm_portrait_crop *crop, int width, int height, int side);

#endif
