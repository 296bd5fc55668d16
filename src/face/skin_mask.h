/* Which of a person's pixels are bare skin that adjoins the face: neck, ears, forehead, down to the collar. */
#ifndef MDM_FACE_SKIN_MASK_H
#define MDM_FACE_SKIN_MASK_H

#include "models/face_mesh.h"
#include "models/person_matte.h"

/* Vertices on bare skin of both sides of the face. */
#define MDM_SKIN_SAMPLES 24
extern const short mdm_skin_vertices[MDM_SKIN_SAMPLES];

/* `mask`: [MDM_MATTE_SIDE][MDM_MATTE_SIDE], 0..1, less towards the lower border. `person` and `rgb`: of the same square
 * (models/person_matte.h). `points`: the person's mesh in cells of it; `width`: of the face, cells.
 * Skin and what is not skin grow from where each is sure (the face; hair over it, shoulders, what lies far under the chin) over
 * what is alike; a pixel belongs to the one from which the way to it crosses less change of colour
 * (Bai and Sapiro, geodesic matting, 2007). So shadow and mixed light on a neck are followed, and a collar is a border. */
mdm_status mdm_skin_mask(float *mask, const float *person, const float *rgb, const float (*points)[3], float width);

#endif
