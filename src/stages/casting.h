/* Choosing a stand-in: how far a portrait is from the person and from the job's other stand-ins, by two recognisers that
 * take no part in judging. Embeddings stay in memory. */
#ifndef MDM_STAGES_CASTING_H
#define MDM_STAGES_CASTING_H

#include "models/dlib_face.h"
#include "models/recogniser.h"

enum { MDM_CASTING_NETS = 2, MDM_CASTING_FACES = 64, MDM_CASTING_SIZE = 1024 };

typedef struct mdm_casting_face {
    float embedding[MDM_CASTING_NETS][MDM_CASTING_SIZE];
} mdm_casting_face;

typedef struct mdm_casting mdm_casting;

/* dlib, and faceres where its file is there (a warning otherwise). */
mdm_status mdm_casting_new(mdm_casting **out, const char *models);
void mdm_casting_free(mdm_casting **casting);

mdm_status mdm_casting_embed(mdm_casting_face *out, mdm_casting *casting, const mdm_image *image, const mdm_mesh *mesh);

/* Smallest distance to any of `count` faces, in units of each network's own "same person" threshold, over both networks:
 * 1 is where they would take two pictures for one person. Infinite for none. */
float mdm_casting_room(const mdm_casting *casting, const mdm_casting_face *face, const mdm_casting_face *others,
                       int count);
/* How far two faces are apart, in the same units, by each network; infinite where it is not there. */
void mdm_casting_apart(float out[MDM_CASTING_NETS], const mdm_casting *casting, const mdm_casting_face *a,
                       const mdm_casting_face *b);
/* Smallest dlib distance of an identity to any of `count` faces, before it is drawn; infinite for none. */
float mdm_casting_nearest(const float identity[MDM_DLIB_FACE_SIZE], const mdm_casting_face *others, int count);
/* The distances themselves, smallest over `others`; for the record. */
void mdm_casting_distances(float out[MDM_CASTING_NETS], const mdm_casting *casting, const mdm_casting_face *face,
                           const mdm_casting_face *others, int count);

#endif
