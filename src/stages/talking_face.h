/* The animate backend `echomimic`: the stand-in's face drawn for every frame of a track by EchoMimic's networks, from its portrait, the
 * clip's sound and the person's own motion, as a small video in the work folder that compose lays over the scene. */
#ifndef MDM_STAGES_TALKING_FACE_H
#define MDM_STAGES_TALKING_FACE_H

#include "face/standin_landmarks.h"
#include "media/clip_file.h"
#include "models/talking_portrait.h"
#include "stages/animate.h"

/* Whether --animate asks for it, and by which weights. */
bool mdm_talking_wanted(mdm_talking_mode *mode, const mdm_settings *settings);
/* MDM_ERR_DEVICE says what to pull where the weights are not in the hub's cache. */
mdm_status mdm_talking_ready(const mdm_settings *settings);

/* What is needed of a stand-in. */
typedef struct mdm_talking_standin {
    const mdm_image *portrait;
    const mdm_mesh *mesh;    /* fitted on it */
    const float (*shape)[3]; /* HEAD cm */
} mdm_talking_standin;

/* Writes FOLDER/face-<track>.mp4, a frame for each of the motion's. What was begun by a run that was stopped is
 * gone on with; a video of the same portrait, motion and sound stays. */
mdm_status mdm_talking_face_make(const mdm_clip_work *work, const mdm_clip *clip, const mdm_motion *motion,
                                 const mdm_motion_policy *policy, const mdm_talking_standin *standin,
                                 const mdm_canonical *canonical);

/* That video, read frame by frame. */
typedef struct mdm_talking_face mdm_talking_face;

/* `mesh` and `portrait` as for making it. MDM_ERR_INPUT when there is none: animate has to run again. */
mdm_status mdm_talking_face_open(mdm_talking_face **out, const char *folder, const mdm_motion *motion,
                                 const mdm_image *portrait, const mdm_mesh *mesh, const mdm_canonical *canonical);
void mdm_talking_face_free(mdm_talking_face **face);
/* Frame `index` of the motion, and where it lies in the clip's; indices must not fall. The picture is good until the next call. */
mdm_status mdm_talking_face_at(const mdm_image **picture, mdm_talking_window *window, mdm_talking_face *face,
                               int index);

#endif
