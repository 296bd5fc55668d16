/* The parts of the compose stage: the clip with what was found in it, the painting of one frame, the sound, and the record
 * of what was done. */
#ifndef MDM_STAGES_COMPOSE_H
#define MDM_STAGES_COMPOSE_H

#include <jansson.h>

#include "face/track_file.h"
#include "media/clip_file.h"
#include "media/sound.h"
#include "stages/stage.h"

/* What became of a face in a frame; names are those of compose.json. */
typedef enum mdm_face_state { MDM_FACE_NONE, MDM_FACE_COVERED, MDM_FACE_REPLACED } mdm_face_state;

typedef struct mdm_compose {
    const mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    unsigned char **state; /* [found.tracks.count][track.count] of mdm_face_state */
    size_t *painted;       /* [found.region_count] frames in which the region was covered */
} mdm_compose;

/* The sound of a clip with its treatments; zero-initialise, free always. */
typedef struct mdm_compose_sound {
    mdm_audio *audio;
    mdm_sound *sound;
    struct mdm_word_cuts *cuts; /* spoken personal data */
    json_t *record;             /* for compose.json: what was done */
} mdm_compose_sound;

/* Opens the sound as the settings and the transcript want it; everything stays NULL when the clip is to be silent. */
mdm_status mdm_compose_sound_open(mdm_compose_sound *out, const mdm_compose *compose);
void mdm_compose_sound_free(mdm_compose_sound *sound);

/* Paints one frame: faces, plates, text, rectangles; commits what it painted and notes the states. */
mdm_status mdm_compose_paint(mdm_compose *compose, mdm_frame *frame);

/* The debug picture: boxes with track numbers and states over the painted frame. */
mdm_status mdm_compose_draw(mdm_compose *compose, mdm_frame *frame);

#endif
