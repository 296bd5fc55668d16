/* Finds and follows every face of a clip, frame by frame: the detector looks for faces, the mesh network confirms and
 * follows them, and short histories of frames let a track be traced back to before it was found. */
#ifndef MDM_FACE_TRACKER_H
#define MDM_FACE_TRACKER_H

#include <stdbool.h>

#include "base/status.h"
#include "face/track.h"
#include "media/image.h"

typedef struct mdm_tracker mdm_tracker;

/* `models`: folder of the detector's and the mesh network's files. fps decides how often the detector looks (every
 * <= 0.5 s, and at every cut). */
mdm_status mdm_tracker_new(mdm_tracker **out, const char *models, double fps);

/* The next frame, numbers rising by one from 0. `cut`: this frame opens a shot. The picture is copied. */
mdm_status mdm_tracker_push(mdm_tracker *tracker, const mdm_image *image, int number, bool cut);

/* Fills gaps, extends ends and drops what was never confirmed; *tracks moves to the caller (mdm_tracks_free). */
mdm_status mdm_tracker_finish(mdm_tracks *tracks, mdm_tracker *tracker);

void mdm_tracker_free(mdm_tracker **tracker);

#endif
