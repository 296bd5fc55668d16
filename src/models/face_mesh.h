/* The 478-point face mesh and MediaPipe's attention network that fits it (face_landmark_with_attention.tflite, Apache-2.0).
 * Point order: MediaPipe's. 468..472 iris of the eye at the image's left (centre, right, top, left, bottom), 473..477 the
 * other. */
#ifndef MDM_MODELS_FACE_MESH_H
#define MDM_MODELS_FACE_MESH_H

#include "base/status.h"
#include "media/image.h"
#include "models/face_detector.h"

#define MDM_MESH_POINTS   478
#define MDM_MESH_VERTICES 468

/* x, y in pixels of the upright frame (x right, y down, pixel centres at integers), z in the same unit, away from the
 * camera. */
typedef struct mdm_mesh {
    float point[MDM_MESH_POINTS][3];
    float presence; /* 0..1, sigmoid of the face flag */
} mdm_mesh;

/* The square the network looks at: centre and side in pixels, turned by `angle` (radians, from x towards y). */
typedef struct mdm_face_roi {
    float cx, cy, size, angle;
} mdm_face_roi;

/* Box of the detection (or of the points of the last frame) made square, 1.5 times as large, turned by the line of the
 * eyes: MediaPipe's rule. */
void mdm_face_roi_from_detection(mdm_face_roi *roi, const mdm_face_detection *face);
void mdm_face_roi_from_mesh(mdm_face_roi *roi, const mdm_mesh *mesh);
/* The points in a picture shown `scale` times as large, px; `points` may be the mesh's own. */
void mdm_mesh_enlarged(float (*points)[3], const mdm_mesh *mesh, float scale);

typedef struct mdm_face_mesh mdm_face_mesh;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the file is not there. */
mdm_status mdm_face_mesh_new(mdm_face_mesh **out, const char *models, int threads);
void mdm_face_mesh_free(mdm_face_mesh **mesher);

/* Fits the mesh in `roi` of an RGB picture. The refined lips and eyes replace the mesh's own points in x and y (z stays the
 * mesh's); the irises get the mean z of their eye's contour. Points are given whatever `presence` says.
 * Source: MediaPipe's graph face_landmark_with_attention and its refinement rules. */
mdm_status mdm_face_mesh_run(mdm_mesh *out, mdm_face_mesh *mesher, const mdm_image *image, const mdm_face_roi *roi);

/* The same, each of `passes` (1 or more) in the crop that the one before asks for: from a detection the crop settles after two
 * or three. */
mdm_status mdm_face_mesh_settle(mdm_mesh *out, mdm_face_mesh *mesher, const mdm_image *image, const mdm_face_roi *roi,
                                int passes);

#endif
