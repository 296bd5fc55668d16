/* The resting expression: how a face that keeps still lifts the corners of its mouth, holds its brows and opens its eyes. Motion
 * is told against the person's own neutral, so that a smile that never leaves would be lost; five numbers bring the
 * stand-in's resting face to the person's. The shapes of eyes, brows and lips remain the stand-in's. */
#ifndef MDM_FACE_REST_H
#define MDM_FACE_REST_H

#include "face/mesh.h"
#include "models/face_mesh.h"

typedef enum mdm_rest {
    MDM_REST_LIFT,     /* corners of the mouth over the middle of the lips, cm */
    MDM_REST_WIDTH,    /* of the mouth, cm */
    MDM_REST_BROW_IN,  /* inner brows over the corners of the eyes, cm */
    MDM_REST_BROW_OUT, /* outer brows, cm */
    MDM_REST_EYES,     /* opening over width */
    MDM_RESTS,
    MDM_REST_MOVES = MDM_REST_EYES, /* those before are moves of vertices; lids are placed by face/transfer.h */
} mdm_rest;

extern const float mdm_rest_neutral[MDM_RESTS]; /* of a face without expression, on average */

/* Measures of a shape, HEAD cm. */
void mdm_rest_measure(float out[MDM_RESTS], const float (*shape)[3]);

/* How each vertex moves, cm, and how the log brightness of its skin changes, for 1 cm of each measure on the canonical face
 * `vertex`. Sizes: least squares over 1,442 AI-made faces (shape and colour against the measures, and the face's own size). */
void mdm_rest_fields(float (*moves)[MDM_MESH_VERTICES][3], float (*shade)[MDM_MESH_VERTICES], const float (*vertex)[3],
                     const float skin[MDM_MESH_VERTICES]);

/* 0: the corners of the mouth lie as on neutral faces; 1: as on happy ones with closed lips. */
float mdm_rest_smile(const float rest[MDM_RESTS]);

/* Adds a share of what the stand-in's measures lack of the person's to `rest` (of the eyes' opening: of the stand-in's own),
 * within the limits of what looks like a face. */
void mdm_rest_add(float rest[MDM_RESTS], const float person[MDM_RESTS], const float standin[MDM_RESTS], float share);

#endif
