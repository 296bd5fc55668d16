/* Trying a stand-in on before it is chosen: it is drawn into a few frames of the recording as compose will draw it, and the two
 * recognisers that choose look at what came out. Hair, ears and the outline of the head stay the person's, so that a portrait that is far
 * from the person need not be far once it is worn. Everything is kept in memory and wiped. */
#ifndef MDM_STAGES_REHEARSAL_H
#define MDM_STAGES_REHEARSAL_H

#include "face/rest.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "models/face_mesh.h"
#include "stages/casting.h"
#include "stages/stage.h"

typedef struct mdm_rehearsal mdm_rehearsal;

/* Frames of the clip's `tracks` (indices into found->tracks, one person's) are read and embedded. `casting` and `mesher` must outlive it. */
mdm_status mdm_rehearsal_new(mdm_rehearsal **out, const int *tracks, int count, const mdm_clip *clip,
                             const mdm_found *found, const mdm_clip_work *work, mdm_casting *casting,
                             mdm_face_mesh *mesher);
void mdm_rehearsal_free(mdm_rehearsal **rehearsal);

/* The person in those frames: `count` faces, owned by the rehearsal. */
const mdm_casting_face *mdm_rehearsal_person(const mdm_rehearsal *rehearsal, int *count);

/* From now on stand-ins rest as the person does, whose resting expression is told in `rest` (left alone where it is not known). */
void mdm_rehearsal_keep_rest(float rest[MDM_RESTS], mdm_rehearsal *rehearsal);

/* The person's usual pitch in the longest track, degrees as mdm_pose_angles has it; 0 where it is not known. */
mdm_status mdm_rehearsal_pitch(float *out, const mdm_rehearsal *rehearsal);

/* The expression that the face of a portrait rests with. */
void mdm_rehearsal_rest_of(float rest[MDM_RESTS], const mdm_rehearsal *rehearsal, const mdm_mesh *mesh);

/* Draws the portrait into every frame and compares it with the person there: *room is the mean over frames of the
 * distance in units of "same person" by the recogniser it is smaller by (as mdm_casting_room); infinite where the person has no frame that can be drawn in. */
mdm_status mdm_rehearsal_try(float *room, mdm_rehearsal *rehearsal, const mdm_image *portrait, const mdm_mesh *mesh);

#endif
