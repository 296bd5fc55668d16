/* Face recognisers behind one call: who is it, as a vector. Which of them chooses stand-ins and which judges is decided
 * elsewhere (dlib and faceres choose, MobileFaceNet judges, fr_feature only in tests). */
#ifndef MDM_MODELS_RECOGNISER_H
#define MDM_MODELS_RECOGNISER_H

#include <stdbool.h>

#include "base/status.h"
#include "media/image.h"
#include "models/face_mesh.h"

typedef enum mdm_recogniser_kind {
    MDM_RECOGNISER_DLIB,          /* ResNet-29 in face-api's form: 128 numbers, Euclid */
    MDM_RECOGNISER_FACERES,       /* MobileNet of HSE, VGGFace2 (Apache-2.0): 1024 numbers, cosine */
    MDM_RECOGNISER_MOBILEFACENET, /* sirius-ai MobileFaceNet, MS1M, ArcFace (Apache-2.0): 192 numbers, cosine */
    MDM_RECOGNISER_FR_FEATURE,    /* faceplugin, provenance unknown: tests only; 512 numbers, cosine */
    MDM_RECOGNISER_COUNT
} mdm_recogniser_kind;

#define MDM_RECOGNISER_MAX 1024 /* numbers of the longest vector */

typedef struct mdm_recogniser mdm_recogniser;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the file is not there. */
mdm_status mdm_recogniser_new(mdm_recogniser **out, mdm_recogniser_kind kind, const char *models, int threads);
void mdm_recogniser_free(mdm_recogniser **recogniser);

const char *mdm_recogniser_name(mdm_recogniser_kind kind); /* "mobilefacenet" */
int mdm_recogniser_size(mdm_recogniser_kind kind);

/* The face of `mesh` (pixels of the RGB picture), cut out and aligned as the network was trained: `out` has
 * mdm_recogniser_size numbers, of length 1 except dlib's. Wipe them when done: they identify people. */
mdm_status mdm_recogniser_embed(mdm_recogniser *recogniser, const mdm_image *image, const mdm_mesh *mesh, float *out);

/* Smaller is more alike: Euclid for dlib, 1 - cosine for the others. */
float mdm_recogniser_distance(mdm_recogniser_kind kind, const float *a, const float *b);
/* The distance below which two faces count as the same person by the network's own convention. */
float mdm_recogniser_same(mdm_recogniser_kind kind);

/* From the sum of `count` vectors to the one that stands for them all: the mean for dlib, the direction for the others. */
void mdm_recogniser_mean(mdm_recogniser_kind kind, float *sum, int count);
/* A distance as people read it: Euclid, where higher is further, or cosine, where higher is closer. */
double mdm_recogniser_likeness(mdm_recogniser_kind kind, double distance);
bool mdm_recogniser_higher_is_closer(mdm_recogniser_kind kind);

/* False-accept rates on pairs of strangers at which the networks are calibrated. */
typedef enum mdm_far { MDM_FAR_1E2, MDM_FAR_1E3, MDM_FAR_1E4, MDM_FARS } mdm_far;
/* The distance below which that share of pairs of strangers falls. */
float mdm_recogniser_at(mdm_recogniser_kind kind, mdm_far far);
/* Below this a judge says "the same person": the usual limit or that of one false accept in 1,000, whichever is larger,
 * which is the stricter for whoever wants to have changed a face. */
float mdm_recogniser_match(mdm_recogniser_kind kind);

#endif
