/* Head pose by a network of its own (fr_pose.onnx: HopeNet's three heads of 66 bins on a light trunk, 1.45 M parameters,
 * origin undisclosed): a judge of head pose that does not know the mesh. Judging only. */
#ifndef MDM_MODELS_HEAD_POSE_H
#define MDM_MODELS_HEAD_POSE_H

#include "base/status.h"
#include "media/image.h"
#include "models/face_mesh.h"

#define MDM_HEAD_POSE_PIXELS 224

typedef struct mdm_head_pose mdm_head_pose;

/* `models`: the folder of fr_pose.onnx. MDM_ERR_DEVICE when it is not there. */
mdm_status mdm_head_pose_new(mdm_head_pose **out, const char *models, int threads);
void mdm_head_pose_free(mdm_head_pose **net);

/* Degrees: yaw, pitch, roll, by the network's own signs: compare two readings of it, nothing else. The mesh says only where
 * the face is. */
mdm_status mdm_head_pose_run(mdm_head_pose *net, double angles[3], const mdm_image *image, const mdm_mesh *mesh);

#endif
