/* Rendering a few frames, measuring them with the mesh network and taking off what it reads differently from the recording:
 * gaze, eye and lip opening, a small turn of the head. Step 7 of standins.md 2.1. */
#ifndef MDM_FACE_CLOSED_LOOP_H
#define MDM_FACE_CLOSED_LOOP_H

#include "base/share.h"
#include "face/standin_render.h"

#define MDM_PROBES 48 /* at most, of a person; a head that does not turn needs 26 */

/* A frame kept for trials: the recording's picture and the motion's frame. */
typedef struct mdm_probe {
    int index;
    mdm_image image;
} mdm_probe;

/* Indices of at most `max` frames worth probing (rising): spread over the frames of each view, the most closed eyes, the
 * widest lips. */
int mdm_probe_choose(int *indices, int max, const mdm_motion *motion);

/* Sets motion->correction after a few rounds; of each view and kind only what measures better than before is kept. One `mesher` a
 * thread. */
mdm_status mdm_close_loop(mdm_motion *motion, const mdm_standin *standin, const mdm_canonical *canonical,
                          mdm_face_mesh *const mesher[MDM_SHARERS], const mdm_probe *probes, int count);

#endif
