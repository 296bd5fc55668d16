/* Head pose: the similarity that takes the canonical face's rigid points to a mesh in the image, and angles from it. */
#ifndef MDM_FACE_POSE_H
#define MDM_FACE_POSE_H

#include "face/canonical.h"

/* Least-squares similarity over the rigid points (Horn's quaternion form, so a proper rotation always). `points` has at
 * least 468 rows, IMAGE px. */
void mdm_pose_fit(mdm_pose *out, const float (*points)[3], const mdm_canonical *canonical);

/* The same rotation nearest to a 3x3 matrix (row-major), for averaged rotations. */
void mdm_rotation_nearest(double rotation[9]);

/* IMAGE px -> HEAD cm and back; in and out may be the same. */
void mdm_to_head(float (*out)[3], const float (*points)[3], int count, const mdm_pose *pose);
void mdm_to_image(float (*out)[3], const float (*points)[3], int count, const mdm_pose *pose);

/* Degrees: yaw (+ towards image right), pitch (+ down), roll (+ clockwise). */
void mdm_pose_angles(double angles[3], const mdm_pose *pose);

/* 0 for a head within 15 degrees of yaw, 1 from 35 on: how much its far edge is a profile. */
float mdm_pose_turned(const mdm_pose *pose);

/* Cosine between the camera's direction and a normal of the HEAD frame: 1 faces it, 0 is the edge. */
float mdm_pose_towards(const mdm_pose *pose, const float normal[3]);

#endif
