/* Faces that the left or right edge of the picture cuts through: half a face is none to the detector, but mirrored at the edge it is one. */
#ifndef MDM_FACE_FACE_EDGE_H
#define MDM_FACE_FACE_EDGE_H

#include "face/face_search.h"
#include "models/face_mesh.h"

/* Appends such faces to the `*count` that were found, while there are fewer than MDM_FACE_SEARCH_MAX; their boxes reach beyond the picture. The
 * mesh network has confirmed each in the mirror. */
mdm_status mdm_face_edge_search(mdm_face_detection *found, int *count, mdm_face_search *search, mdm_face_mesh *mesher,
                                const mdm_image *image);

#endif
