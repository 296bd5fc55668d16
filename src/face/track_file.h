/* tracks.json and geometry.safetensors: the tracks of a clip on disk (docs/formats.md). */
#ifndef MDM_FACE_TRACK_FILE_H
#define MDM_FACE_TRACK_FILE_H

#include "face/track.h"

/* A plate or a piece of text, followed through frames. */
typedef struct mdm_region {
    char kind[16];     /* "plate", "text" */
    char reading[128]; /* UTF-8, what the reader saw at its best; private */
    int count;
    struct mdm_region_quad {
        int frame;
        float corner[4][2];
    } * quad; /* [count], frames rising */
} mdm_region;

typedef struct mdm_found {
    int frames;        /* of the clip */
    int width, height; /* upright frame */
    int cut_count;
    int *cut; /* frames that open a shot; cut[0] = 0 */
    mdm_tracks tracks;
    int region_count;
    mdm_region *region;
} mdm_found;

mdm_status mdm_found_write(const mdm_found *found, const char *folder);
/* Checks every number against the clip's size; a bad file is MDM_ERR_INPUT with what to do. */
mdm_status mdm_found_read(mdm_found *out, const char *folder);
void mdm_found_free(mdm_found *found);

#endif
