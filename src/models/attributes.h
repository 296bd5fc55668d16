/* Age bin, gender and race of a face: two networks trained by this project on FairFace (models/attributes-a.md, -b.md). A describes
 * sources and checks stand-ins; B, of another architecture and seed, only judges results. */
#ifndef MDM_MODELS_ATTRIBUTES_H
#define MDM_MODELS_ATTRIBUTES_H

#include "base/status.h"
#include "media/image.h"
#include "models/face_mesh.h"

typedef enum mdm_attributes_kind { MDM_ATTRIBUTES_A, MDM_ATTRIBUTES_B } mdm_attributes_kind;

#define MDM_ATTRIBUTES_AGES    9
#define MDM_ATTRIBUTES_GENDERS 2
#define MDM_ATTRIBUTES_RACES   7

/* Calibrated probabilities; each sums to 1. Classes in the order of facegen.h. */
typedef struct mdm_attributes_result {
    float age_prob[MDM_ATTRIBUTES_AGES];
    float gender_prob[MDM_ATTRIBUTES_GENDERS]; /* female, male */
    float race_prob[MDM_ATTRIBUTES_RACES];
} mdm_attributes_result;

typedef struct mdm_attributes mdm_attributes;

/* `weights`: the folder of attributes-a.safetensors and .json. MDM_ERR_DEVICE when they are not there. */
mdm_status mdm_attributes_new(mdm_attributes **out, const char *weights, mdm_attributes_kind kind, int threads);
void mdm_attributes_free(mdm_attributes **attributes);

/* Probabilities of a face, the mean of its crop and the mirrored crop. */
mdm_status mdm_attributes_run(mdm_attributes *attributes, const mdm_image *image, const mdm_mesh *mesh,
                              mdm_attributes_result *result);

/* The bare network: 18 logits (9 ages, 2 genders, 7 races) of the crop, for tests. */
mdm_status mdm_attributes_logits(mdm_attributes *attributes, float logits[18], const mdm_image *image,
                                 const mdm_mesh *mesh);

#endif
