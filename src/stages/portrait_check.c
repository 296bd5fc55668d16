/* Whether a drawn portrait can be used. */
#include "stages/portrait_check.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "face/portrait_gate.h"
#include "face/single_face.h"
#include "models/face_detector.h"
#include "models/facegen.h"

struct mdm_portrait_check {
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    mdm_attributes *attributes;
};

mdm_status mdm_portrait_check_new(mdm_portrait_check **out, const char *models, const char *weights)
{
    mdm_portrait_check *c = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&c, 1, sizeof *c, "portrait check"));
    mdm_status status = mdm_face_detector_new(&c->detector, models, 1);
    if (!status)
        status = mdm_face_mesh_new(&c->mesher, models, 1);
    if (!status)
        status = mdm_attributes_new(&c->attributes, weights, MDM_ATTRIBUTES_A, 1);
    if (status)
        mdm_portrait_check_free(&c);
    *out = c;
    return status;
}

void mdm_portrait_check_free(mdm_portrait_check **check)
{
    if (!*check)
        return;
    mdm_face_detector_free(&(*check)->detector);
    mdm_face_mesh_free(&(*check)->mesher);
    mdm_attributes_free(&(*check)->attributes);
    mdm_free(check);
}

static int class_of(const char *value, const char *const *names, int count)
{
    for (int i = 0; value && i < count; i++)
        if (!strcasecmp(value, names[i]))
            return i;
    return -1;
}

mdm_portrait_wanted mdm_portrait_wanted_of(const char *age, const char *gender, const char *race, bool glasses)
{
    return (mdm_portrait_wanted){
        .age = class_of(age, mdm_facegen_age_names, MDM_FACEGEN_AGES),
        .gender = class_of(gender, (const char *const[]){"female", "male"}, 2),
        .race = class_of(race, mdm_facegen_race_names, MDM_FACEGEN_RACES),
        .glasses = glasses,
    };
}

static int largest(const float *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

const char *mdm_portrait_unlike(const mdm_attributes_result *seen, const mdm_portrait_wanted *wanted)
{
    const int age = largest(seen->age_prob, MDM_ATTRIBUTES_AGES), race = largest(seen->race_prob, MDM_ATTRIBUTES_RACES);
    if (wanted->age >= 0 && (age < wanted->age - 1 || age > wanted->age + 1))
        return "not of the age asked for";
    if (wanted->gender >= 0 && seen->gender_prob[wanted->gender] <= 0.5f)
        return "not of the gender asked for";
    if (wanted->race >= 0 && race != wanted->race && seen->race_prob[wanted->race] <= 0.25f)
        return "not of the race asked for";
    return NULL;
}

mdm_status mdm_portrait_check_run(const char **complaint, mdm_mesh *mesh, mdm_portrait_check *check,
                                  const mdm_image *picture, const mdm_portrait_wanted *wanted)
{
    bool found = false;
    mdm_portrait_measures measures;
    mdm_attributes_result seen;
    MDM_TRY(mdm_single_face(&found, mesh, check->detector, check->mesher, picture));
    *complaint = found ? NULL : "no single face";
    if (!found)
        return MDM_OK;
    MDM_TRY(mdm_portrait_measure(&measures, picture, (const float(*)[3])mesh->point));
    *complaint = mdm_portrait_complaint(&measures, wanted->glasses, 0);
    if (*complaint)
        return MDM_OK;
    MDM_TRY(mdm_attributes_run(check->attributes, picture, mesh, &seen));
    *complaint = mdm_portrait_unlike(&seen, wanted);
    return MDM_OK;
}
