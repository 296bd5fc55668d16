/* The 478-point face mesh as everybody passes it around: MediaPipe's attention mesh, 468 vertices + 2 x 5 iris points.
 * Point order: MediaPipe's. 468..472 iris of the eye at the image's left (centre, right, top, left, bottom), 473..477 the other. */
#ifndef MDM_FACE_MESH_H
#define MDM_FACE_MESH_H

#define MDM_MESH_POINTS 478
#define MDM_MESH_VERTICES 468
#define MDM_MESH_TRIANGLES 898

/* x, y in pixels of the upright frame (x right, y down, pixel centres at integers), z in the same unit, away from the camera. */
typedef struct mdm_mesh {
    float point[MDM_MESH_POINTS][3];
    float presence; /* 0..1, sigmoid of the face flag */
} mdm_mesh;

/* HEAD frame (canonical model, cm, x right in the image, y down, z away) to IMAGE: L = scale * X R^T + shift. */
typedef struct mdm_pose {
    double scale;       /* px a cm */
    double rotation[9]; /* row-major R */
    double shift[3];    /* px */
} mdm_pose;

#endif
