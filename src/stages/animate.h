/* Who is played by whom in a clip, and their portraits made ready: shared by animate and compose. */
#ifndef MDM_STAGES_ANIMATE_H
#define MDM_STAGES_ANIMATE_H

#include <jansson.h>

#include "face/redraw_motion.h"
#include "face/standin.h"
#include "face/track_file.h"
#include "models/face_detector.h"
#include "models/face_mesh.h"
#include "stages/plan.h"
#include "stages/stage.h"

#define MDM_CAST_MAX 256
#define MDM_ATTEMPTS_REST                                                                                              \
    2 /* stand-ins of a person rest as the person does; where they were recognised, later ones rest like anybody */

/* A track whose person is replaced and has a portrait. */
typedef struct mdm_role {
    char person[64];
    int track;
    int attempt;                      /* stand-ins before this one that were still recognised */
    mdm_motion_policy policy;         /* what of the motion is not kept */
    int cover[MDM_PLAN_STRETCHES][2]; /* stretches of frames that are covered: first and last, numbers of the clip */
    int cover_count;
} mdm_role;

/* `plan` is the clip's, `person` one of its persons. */
void mdm_motion_policy_of(mdm_motion_policy *out, const json_t *plan, const json_t *person);

typedef struct mdm_cast {
    mdm_role role[MDM_CAST_MAX];
    int count;
} mdm_cast;

/* From plan.json and portraits/ of the work folder. Persons without a portrait are left out: their faces are covered. */
mdm_status mdm_cast_load(mdm_cast *out, const mdm_clip_work *work);

/* portraits/<person>.png (mdm_image_free), and its mesh, fitted with the given networks. */
mdm_status mdm_portrait_read(mdm_image *image, mdm_mesh *mesh, const char *person, const mdm_clip_work *work,
                             mdm_face_detector *detector, mdm_face_mesh *mesher);
/* The same made ready. */
mdm_status mdm_portrait_load(mdm_standin *out, const char *person, const mdm_clip_work *work,
                             mdm_face_detector *detector, mdm_face_mesh *mesher, const mdm_canonical *canonical);

#endif
