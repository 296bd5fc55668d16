/* A face followed through a clip: one box, state and mesh a frame. The arrays grow as frames come. */
#ifndef MDM_FACE_TRACK_H
#define MDM_FACE_TRACK_H

#include <stdint.h>

#include "base/status.h"
#include "face/mesh.h"

#define MDM_MAX_TRACKS 4096 /* of one clip */

typedef enum mdm_track_state {
    MDM_TRACK_LOST,   /* no face known here; only inside gaps that could not be filled */
    MDM_TRACK_FILLED, /* box known by interpolation or extension: must be covered or driven by interpolated motion */
    MDM_TRACK_SEEN,   /* the mesh network confirmed a face */
} mdm_track_state;

typedef struct mdm_track_frame {
    float box[4];     /* x, y, w, h of the face (mesh extent, or the detector's box), px of the upright frame */
    float score;      /* mesh presence or detector score, 0..1 */
    uint8_t state;    /* mdm_track_state */
    uint8_t has_mesh; /* `point` holds the network's answer for this frame */
} mdm_track_frame;

typedef struct mdm_track {
    int id;
    int first; /* frame number of frame[0] */
    int count; /* frames held: first .. first + count - 1 */
    int capacity;
    mdm_track_frame *frame;             /* [count] */
    float (*point)[MDM_MESH_POINTS][3]; /* [count]; zero where has_mesh is 0 */
} mdm_track;

typedef struct mdm_tracks {
    mdm_track *track;
    int count, capacity;
} mdm_tracks;

/* Appends an empty track that begins at frame `first`; *out is valid until the next append. */
mdm_status mdm_tracks_add(mdm_track **out, mdm_tracks *tracks, int first);
/* Makes frame `number` part of the track (extending it at either end; new frames are LOST). */
mdm_status mdm_track_reach(mdm_track *track, int number);
mdm_track_frame *mdm_track_at(mdm_track *track, int number); /* NULL outside */
/* Sets box, score, mesh of frame `number` from a mesh, state SEEN. */
mdm_status mdm_track_set_mesh(mdm_track *track, int number, const mdm_mesh *mesh);
/* Sets a frame known only by the detector's box. */
mdm_status mdm_track_set_box(mdm_track *track, int number, const float box[4], float score, mdm_track_state state);
/* Interpolates boxes over gaps of at most `max_gap` frames (state FILLED) and extends both ends by `margin` frames,
 * not beyond [low, high] (a shot's frames). */
mdm_status mdm_track_fill(mdm_track *track, int max_gap, int margin, int low, int high);
void mdm_tracks_free(mdm_tracks *tracks);

void mdm_mesh_box(float box[4], const mdm_mesh *mesh); /* extent of the 468 vertices */
float mdm_box_iou(const float a[4], const float b[4]);
/* Share of the smaller box that lies inside the other: 1 when one contains the other. */
float mdm_box_overlap(const float a[4], const float b[4]);

#endif
