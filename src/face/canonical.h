/* MediaPipe's canonical face: 468 vertices in the HEAD frame and 898 triangles, read from the fetched OBJ file, and what the
 * renderer derives from them once: a ring of skin outside the oval, weights, a basis for light, mirror images. */
#ifndef MDM_FACE_CANONICAL_H
#define MDM_FACE_CANONICAL_H

#include "base/status.h"
#include "face/mesh.h"
#include "face/mesh_index.h"
#include "face/rest.h"

#define MDM_RENDER_VERTICES  (MDM_MESH_VERTICES + MDM_OVAL)      /* 504: the mesh and its ring */
#define MDM_RENDER_TRIANGLES (MDM_MESH_TRIANGLES + 2 * MDM_OVAL) /* 970 */
#define MDM_LIGHT_TERMS      6                                   /* 1, x, y, x^2, xy, y^2 */

typedef struct mdm_canonical {
    float vertex[MDM_RENDER_VERTICES][3];  /* HEAD, cm */
    int triangle[MDM_RENDER_TRIANGLES][3]; /* wound so that the front has positive area in IMAGE; the ring last */
    int mouth[64][3], mouth_count;         /* triangles between the inner lips */
    float normal[MDM_MESH_VERTICES][3];    /* HEAD, towards the camera z < 0 */
    float border[MDM_MESH_VERTICES]; /* 1 on the oval, 0 from 2.6 cm inside: how far it is pinned to the person's */
    float skin[MDM_MESH_VERTICES];   /* 1 where a vertex lies on bare skin, 0 at brows, eyes and lips */
    float light[MDM_RENDER_VERTICES][MDM_LIGHT_TERMS];
    int mirror[MDM_RENDER_VERTICES];                  /* the vertex on the other side */
    float rest[MDM_REST_MOVES][MDM_MESH_VERTICES][3]; /* what an expression moves (face/rest.h) */
    float shade[MDM_REST_MOVES][MDM_MESH_VERTICES];   /* and what it does to the skin's brightness */
    float smooth_weight[MDM_RENDER_VERTICES];         /* of a vertex in low-pass averages over the face */
} mdm_canonical;

/* `models`: the folder of canonical-face-model.obj. MDM_ERR_DEVICE when it is absent, MDM_ERR_INPUT when it is not that mesh. */
mdm_status mdm_canonical_load(mdm_canonical *out, const char *models);

/* One ring of skin outside the oval (forehead, temples, jaw) by extrapolation; HEAD. */
void mdm_ring_points(float ring[MDM_OVAL][3], const float (*shape)[3]);

#endif
