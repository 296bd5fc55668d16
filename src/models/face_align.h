/* Upright crops of a face from its mesh, as the recognisers were trained on them. Maps are 6 numbers of an affine map from
 * pixel centres of the crop to pixel centres of the picture, as mdm_image_sample takes them. */
#ifndef MDM_MODELS_FACE_ALIGN_H
#define MDM_MODELS_FACE_ALIGN_H

#include "models/face_mesh.h"

/* Eyes, nose tip and mouth corners brought to ArcFace's five places by the similarity of least squares. `side` 112 is
 * ArcFace's own size; others scale with it. */
void mdm_align_arcface(double m[6], const mdm_mesh *mesh, int side);
/* The detector's kind of box (about that of all points) made square and 1.3 times as large, level with the eyes. */
void mdm_align_box(double m[6], const mdm_mesh *mesh, int side);

#endif
