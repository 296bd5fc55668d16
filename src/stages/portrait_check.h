/* Whether a drawn portrait can be used: one face that the detector and the mesh find, one that can be driven
 * (face/portrait_gate.h), and of the age, gender and race that were asked for. */
#ifndef MDM_STAGES_PORTRAIT_CHECK_H
#define MDM_STAGES_PORTRAIT_CHECK_H

#include <stdbool.h>

#include "media/image.h"
#include "models/attributes.h"
#include "models/face_mesh.h"

typedef struct mdm_portrait_check mdm_portrait_check;

/* `models` and `weights`: the folders of third-party and of this project's files. */
mdm_status mdm_portrait_check_new(mdm_portrait_check **out, const char *models, const char *weights);
void mdm_portrait_check_free(mdm_portrait_check **check);

/* Classes as in models/facegen.h; -1: not asked for. */
typedef struct mdm_portrait_wanted {
    int age, gender, race;
    bool glasses;
} mdm_portrait_wanted;

/* What the plan's words mean; those that mean nothing here, and NULL, are not asked for. */
mdm_portrait_wanted mdm_portrait_wanted_of(const char *age, const char *gender, const char *race, bool glasses);

/* The first thing that was asked for and is not seen ("not of the age asked for"), NULL when all is: a constant. Neighbouring ages count
 * as the one asked for, as does a race that is a close second. */
const char *mdm_portrait_unlike(const mdm_attributes_result *seen, const mdm_portrait_wanted *wanted);

/* *complaint: the first thing that speaks against the picture ("no single face", "not frontal", "not of the age asked for"), NULL
 * when it can be used; a constant. *mesh is then the face's. */
mdm_status mdm_portrait_check_run(const char **complaint, mdm_mesh *mesh, mdm_portrait_check *check,
                                  const mdm_image *picture, const mdm_portrait_wanted *wanted);

#endif
