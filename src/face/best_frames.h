/* Which frames of a track show the face best: large, turned to the camera, spread over the track. */
#ifndef MDM_FACE_BEST_FRAMES_H
#define MDM_FACE_BEST_FRAMES_H

#include <stdbool.h>

#include "face/track.h"

/* How far the face is turned from the camera, 0 frontal to 1 profile and beyond, from the mesh alone (the nose's place
 * between the cheeks, and its height between brows and chin). */
float mdm_mesh_turn(const float (*points)[3]);

/* Frame numbers of at most `max` frames, rising: the track is cut into `max` parts and each gives its best. Frames without
 * a mesh, or smaller than `smallest` pixels, do not count. */
int mdm_best_frames(int *frames, int max, const mdm_track *track, float smallest);

#define MDM_LOOKS 10

/* A track's best frames, chosen at the first question and kept: choosing reads the whole track. Zero it to begin. */
typedef struct mdm_looks {
    int frame[MDM_LOOKS], count;
    bool chosen;
} mdm_looks;

/* True when frame `number` is one of the best MDM_LOOKS; always asked with the same track and `smallest`. */
bool mdm_looks_has(mdm_looks *looks, const mdm_track *track, float smallest, int number);

#endif
