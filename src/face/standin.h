/* A portrait made ready to be animated: enlarged, its side light and its irises taken out, with the shape, the colours and
 * the irises kept beside it. */
#ifndef MDM_FACE_STANDIN_H
#define MDM_FACE_STANDIN_H

#include "face/canonical.h"
#include "media/image.h"

#define MDM_IRIS_SIDE   96 /* of the sprite, px */
#define MDM_IRIS_RADIUS 40 /* of the iris in it */

typedef struct mdm_standin {
    int width, height;
    float *texture;                     /* [height][width][3] log colour, irises filled in */
    float uv[MDM_RENDER_VERTICES][2];   /* where each vertex takes its colour, texture px */
    float shape[MDM_MESH_VERTICES][3];  /* HEAD, cm */
    float face_width;                   /* of the face in the texture, px */
    float colour[MDM_MESH_VERTICES][3]; /* log colour of each vertex */
    float bare[MDM_MESH_VERTICES]; /* 1 bare skin; 0 where it is darker than light explains: beard, fringe, brows */
    float own_light[MDM_RENDER_VERTICES][3];          /* its own low-order light, log */
    float detail;                                     /* robust spread of what remains without it */
    float iris[2][MDM_IRIS_SIDE * MDM_IRIS_SIDE * 3]; /* complete irises, 0..255 */
    float iris_alpha[MDM_IRIS_SIDE * MDM_IRIS_SIDE];
    float iris_size[2]; /* radius over the eye's width */
} mdm_standin;

/* `mesh`: fitted on `portrait` itself. MDM_ERR_INPUT when the face is too small or the mesh lies outside. */
mdm_status mdm_standin_make(mdm_standin *out, const mdm_image *portrait, const mdm_mesh *mesh,
                            const mdm_canonical *canonical);
void mdm_standin_free(mdm_standin *standin);

#endif
