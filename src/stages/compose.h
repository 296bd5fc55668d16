/* The parts of the compose stage: the clip with what was found in it, the painting of one frame, the sound, and the record
 * of what was done. */
#ifndef MDM_STAGES_COMPOSE_H
#define MDM_STAGES_COMPOSE_H

#include <jansson.h>

#include "face/standin_landmarks.h"
#include "face/track_file.h"
#include "media/clip_file.h"
#include "media/sound.h"
#include "media/voice.h"
#include "stages/stage.h"

/* What became of a face in a frame; names are those of compose.json. */
typedef enum mdm_face_state { MDM_FACE_NONE, MDM_FACE_COVERED, MDM_FACE_REPLACED } mdm_face_state;

typedef struct mdm_compose {
    const mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    unsigned char **state;       /* [found.tracks.count][track.count] of mdm_face_state */
    size_t *painted;             /* [found.region_count] frames in which the region was covered */
    struct mdm_players *players; /* stand-ins ready to be drawn; NULL: everyone is covered */
    json_t *view;                /* where a portrait clip looked, for compose.json; NULL otherwise */
} mdm_compose;

/* Index in found.tracks of the track that shows most face over the clip; -1 when there is none. */
int mdm_compose_main_track(const mdm_compose *compose);

/* The sound of a clip with its treatments; zero-initialise, free always. */
typedef struct mdm_compose_sound {
    mdm_audio *audio;
    mdm_sound *sound;
    struct mdm_word_cuts *cuts; /* spoken personal data */
    mdm_voice_mask *mask;       /* NULL: the voice is kept */
    mdm_voice_change change;
    json_t *record; /* for compose.json: what was done */
} mdm_compose_sound;

/* Opens the sound as the settings and the transcript want it; everything stays NULL when the clip is to be silent. */
mdm_status mdm_compose_sound_open(mdm_compose_sound *out, const mdm_compose *compose);
void mdm_compose_sound_free(mdm_compose_sound *sound);

/* Reads the motions and portraits of those who are replaced; compose->players stays NULL when there are none. */
mdm_status mdm_compose_players_open(mdm_compose *compose);
void mdm_compose_players_free(mdm_compose *compose);
/* Draws the stand-in of track `track` (its index) into the frame. *drawn is false when the face has to be covered. */
mdm_status mdm_compose_player_draw(bool *drawn, mdm_compose *compose, int track, mdm_frame *frame);

/* The picture of a talking face (--animate echomimic) in the frame that was drawn last, and where it lies in the frame; NULL where there is none. */
const mdm_image *mdm_compose_player_picture(mdm_talking_window *window, const mdm_compose *compose, int track);

/* Paints one frame: faces, plates, text, rectangles; commits what it painted and notes the states. */
mdm_status mdm_compose_paint(mdm_compose *compose, mdm_frame *frame);

/* --mode portrait: a square clip of one face on a plain ground, nothing of the scene around it. */
typedef struct mdm_portrait_view {
    int side;           /* pixels of the square; even */
    int track;          /* index in found.tracks; -1: no face in the clip */
    float size;         /* of the window in the scene, pixels; constant over the clip */
    float (*centre)[2]; /* [clip.frames] of the window, smoothed */
} mdm_portrait_view;

/* Chooses the track that shows most face and where the window looks. */
mdm_status mdm_portrait_view_new(mdm_portrait_view *out, mdm_compose *compose);
/* For compose.json: {side, size, track, centre [[x, y] a frame]}; NULL when there is no view. */
json_t *mdm_portrait_view_record(const mdm_portrait_view *view, const mdm_compose *compose);
void mdm_portrait_view_free(mdm_portrait_view *view);
/* Makes the square frame out of a painted one. Where the face is not replaced, only the ground is shown. */
mdm_status mdm_portrait_view_frame(mdm_frame *out, const mdm_portrait_view *view, mdm_compose *compose,
                                   mdm_frame *frame);

/* The debug picture: boxes with track numbers and states over the painted frame. */
mdm_status mdm_compose_draw(mdm_compose *compose, mdm_frame *frame);

#endif
