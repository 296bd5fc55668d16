/* What geometry adds to the mesh of models/face_mesh.h: the triangles' number and the head's pose. */
#ifndef MDM_FACE_MESH_H
#define MDM_FACE_MESH_H

#include "models/face_mesh.h"

#define MDM_MESH_TRIANGLES 898

/* HEAD frame (canonical model, cm, x right in the image, y down, z away) to IMAGE: L = scale * X R^T + shift. */
typedef struct mdm_pose {
    double scale;       /* px a cm */
    double rotation[9]; /* row-major R */
    double shift[3];    /* px */
} mdm_pose;

#endif
