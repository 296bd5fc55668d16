/* The one face in a drawn picture. */
#ifndef MDM_FACE_SINGLE_FACE_H
#define MDM_FACE_SINGLE_FACE_H

#include <stdbool.h>

#include "models/face_detector.h"
#include "models/face_mesh.h"

/* *found: the detector sees exactly one face and the mesh network agrees that it is one; *mesh is then its mesh, settled twice. */
mdm_status mdm_single_face(bool *found, mdm_mesh *mesh, mdm_face_detector *detector, mdm_face_mesh *mesher,
                           const mdm_image *picture);

#endif
