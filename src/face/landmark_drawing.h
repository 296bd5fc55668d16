/* A face's landmarks as the picture that EchoMimic's pose modes are driven by: eyes and brows as lines, pupils and the tip of the nose as
 * squares, each in a colour of its own, on black. Source: Chen et al., 2024, and their published drawings. */
#ifndef MDM_FACE_LANDMARK_DRAWING_H
#define MDM_FACE_LANDMARK_DRAWING_H

#include <stdbool.h>

#include "media/image.h"

#define MDM_LANDMARK_POINTS 478 /* of the mesh with irises */
#define MDM_LANDMARK_SIDE   512 /* px of the picture, each way */

/* Draws on a picture of MDM_LANDMARK_SIDE in 3 channels, which it blackens first. points: x, y in a frame of side x side px; one that lies
 * outside, or is no number, is left out with the lines to it. `mouth`: the lips too, which the published weights take from the voice. */
void mdm_landmarks_draw(mdm_image *picture, const float (*points)[2], float side, bool mouth);

/* The same as the face locator sees it: seen [3][side][side], 0..1. `canvas` is the picture that is drawn on, made where it is empty and kept
 * for the next frame; its owner frees it. */
mdm_status mdm_landmarks_show(float *seen, mdm_image *canvas, const float (*points)[2], int side, bool mouth);

#endif
