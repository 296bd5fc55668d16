/* The stand-in's landmarks in a square picture of its own, moved as the person moves in the recording: what face/landmark_drawing.h draws.
 * The person's landmarks are never in it, only the way they changed (face/transfer.h), the head's pose and the gaze. */
#ifndef MDM_FACE_STANDIN_LANDMARKS_H
#define MDM_FACE_STANDIN_LANDMARKS_H

#include "face/landmark_drawing.h"
#include "face/motion.h"

/* Where a frame of the square picture lies in the recording: x' = scale x + shift[0] px, and y' likewise. */
typedef struct mdm_talking_window {
    double scale, shift[2];
} mdm_talking_window;

/* windows [motion->count]: such that the head is where it is in the portrait, `portrait`'s pose, and as large; they follow it smoothly, so
 * that its quicker movements are seen in the picture. */
mdm_status mdm_talking_windows(mdm_talking_window *windows, const mdm_motion *motion, const mdm_pose *portrait);

/* Takes back what the closed loop found out about faces that are drawn on the mesh (face/closed_loop.h); the resting expression stays. */
void mdm_motion_without_loop(mdm_motion *motion);

/* points [MDM_LANDMARK_POINTS] of frame `index` in the square picture, px. `standin`: its shape, HEAD cm. All points of an iris are its
 * centre. */
void mdm_standin_landmarks(float (*points)[2], const mdm_motion *motion, int index, const float (*standin)[3],
                           const mdm_canonical *canonical, const mdm_talking_window *window);

/* (*out)[motion->count]: those of every frame, for a head that is in the portrait as `portrait` says. Caller mdm_frees *out, also after a
 * failure. */
mdm_status mdm_motion_landmarks(float (**out)[MDM_LANDMARK_POINTS][2], const mdm_motion *motion,
                                const mdm_pose *portrait, const float (*standin)[3], const mdm_canonical *canonical);

#endif
