/* The three custom operations of MediaPipe's attention mesh: a crop from landmarks, sampling it, and taking landmarks back. */
#ifndef MDM_NN_MEDIAPIPE_OPS_H
#define MDM_NN_MEDIAPIPE_OPS_H

#include "nn/nn.h"

/* landmarks [1,N,3] -> [1,4,4]: maps pixels of an out_width x out_height crop around the subset of landmarks (turned so that
 * the line from `left` to `right` is level, enlarged by scale) to the landmarks' own coordinates. options: flexbuffer. */
mdm_node *mdm_landmarks_to_matrix(mdm_nn *nn, mdm_node *landmarks, const unsigned char *options, size_t size);
/* x [1,C,H,W] sampled at matrix * (column, row): -> [1,C,height,width], zero outside. */
mdm_node *mdm_transform_bilinear(mdm_nn *nn, mdm_node *x, mdm_node *matrix, int height, int width);
/* landmarks [1,N,2] through the matrix. */
mdm_node *mdm_transform_landmarks(mdm_nn *nn, mdm_node *landmarks, mdm_node *matrix);

#endif
