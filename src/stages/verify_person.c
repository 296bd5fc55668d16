/* From readings to a person's evidence (docs/evidence-format.md). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "models/facegen.h"
#include "stages/verify.h"

const char *mdm_verify_treatment(const json_t *person, const char *context)
{
    static const char *const lists[] = {"keep", "coarsen", "redraw"};
    for (int i = 0; i < 3; i++)
        if (json_object_get(json_object_get(person, lists[i]), context))
            return lists[i];
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(person, "remove"), i,
                       value) if (json_is_string(value) && !strcmp(json_string_value(value), context)) return "remove";
    return NULL;
}

int mdm_verify_tracks(int *index, int max, const mdm_verifier *v, const json_t *person)
{
    size_t i;
    const json_t *value;
    int count = 0;
    json_array_foreach(json_object_get(person, "tracks"), i, value)
    {
        json_int_t track = json_integer_value(value);
        if (track >= 0 && track < v->found.tracks.count && count < max)
            index[count++] = (int)track;
    }
    return count;
}

int mdm_verify_apart(const mdm_verifier *v)
{
    return v->clip.fps > 0 ? (int)ceil(2 * v->clip.fps) : 50;
}

/* A classed context: before, after, and whether they agree (ages: within one bin). */
static void add_class(json_t *out, const json_t *person, const char *name, const double *before, const double *after,
                      const char *const *names, int count, int tolerance, const char *judge)
{
    const char *treatment = mdm_verify_treatment(person, name);
    if (!treatment)
        return;
    int a = mdm_largest(before, count), b = mdm_largest(after, count);
    bool kept = !strcmp(treatment, "keep") || !strcmp(treatment, "coarsen");
    json_object_set_new(out, name,
                        json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:b}", "treatment", treatment, "before", names[a],
                                  "after", names[b], "agree",
                                  kept ? json_boolean(abs(a - b) <= tolerance) : json_null(), "exact", a == b, "judge",
                                  judge, "independent", 1));
}

/* What the judges of looks saw of a person's tracks, added up. */
static void gather(mdm_track_evidence *all, const mdm_verifier *v, const int *index, int count)
{
    for (int i = 0; i < count; i++) {
        const mdm_track_evidence *t = &v->track[index[i]];
        for (int side = 0; side < 2; side++) {
            for (int k = 0; k < MDM_ATTRIBUTES_AGES; k++)
                all->age[side][k] += t->age[side][k];
            for (int k = 0; k < MDM_ATTRIBUTES_GENDERS; k++)
                all->gender[side][k] += t->gender[side][k];
            for (int k = 0; k < MDM_ATTRIBUTES_RACES; k++)
                all->race[side][k] += t->race[side][k];
            for (int k = 0; k < MDM_EXPRESSIONS; k++)
                all->expression[side][k] += t->expression[side][k];
        }
        all->looks += t->looks;
        all->expressions += t->expressions;
        all->expressions_agree += t->expressions_agree;
        all->expressions_steady += t->expressions_steady;
    }
}

static mdm_status recognise(mdm_judge_figures figures[MDM_JUDGES], const mdm_verifier *v, const int *index, int count)
{
    const mdm_judge_series *series[MDM_MAX_TRACKS];
    for (int j = 0; j < MDM_JUDGES; j++) {
        for (int i = 0; i < count; i++)
            series[i] = &v->track[index[i]].seen[j];
        MDM_TRY(mdm_judge_measure(&figures[j], (mdm_judge)j, series, count, mdm_verify_apart(v)));
    }
    return MDM_OK;
}

static void add_looks(json_t *contexts, const json_t *person, const mdm_track_evidence *all)
{
    static const char *const genders[2] = {"female", "male"};
    const char *treatment = mdm_verify_treatment(person, "expression");
    if (all->looks) {
        add_class(contexts, person, "age", all->age[0], all->age[1], mdm_facegen_age_names, MDM_ATTRIBUTES_AGES, 1,
                  "attributes-b");
        add_class(contexts, person, "gender", all->gender[0], all->gender[1], genders, 2, 0, "attributes-b");
        add_class(contexts, person, "race", all->race[0], all->race[1], mdm_facegen_race_names, MDM_ATTRIBUTES_RACES, 0,
                  "attributes-b");
    }
    if (treatment && all->expressions)
        json_object_set_new(contexts, "expression",
                            json_pack("{s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:b}", "treatment", treatment,
                                      "agree_frames", all->expressions_agree, "self_agree_frames",
                                      all->expressions_steady, "frames", all->expressions, "before",
                                      mdm_expression_names[mdm_largest(all->expression[0], MDM_EXPRESSIONS)], "after",
                                      mdm_expression_names[mdm_largest(all->expression[1], MDM_EXPRESSIONS)], "judge",
                                      "face-api expression", "independent", 1));
}

/* Where the person is recognised only here and there, and not on average, covering those stretches is enough. */
static void tell_stretches(json_t *reasons, size_t from, const mdm_judge_figures figures[MDM_JUDGES],
                           const mdm_verifier *v, const int *index, int count)
{
    const mdm_judge_series *series[MDM_MAX_TRACKS];
    for (size_t r = from; r < json_array_size(reasons); r++) {
        json_t *reason = json_array_get(reasons, r);
        const char *name = json_string_value(json_object_get(reason, "judge"));
        for (int j = 0; name && j < MDM_JUDGES; j++) {
            if (strcmp(name, mdm_judge_name((mdm_judge)j)) || mdm_judge_knows_average(&figures[j], (mdm_judge)j))
                continue;
            for (int i = 0; i < count; i++)
                series[i] = &v->track[index[i]].seen[j];
            json_object_set_new(
                reason, "stretches",
                mdm_judge_stretches((mdm_judge)j, series, count, v->judge_every * mdm_judge_every((mdm_judge)j)));
        }
    }
}

json_t *mdm_verify_person(mdm_verifier *v, const json_t *person, json_t *reasons)
{
    const char *id = json_string_value(json_object_get(person, "id"));
    int index[MDM_MAX_TRACKS], count = mdm_verify_tracks(index, MDM_MAX_TRACKS, v, person);
    mdm_judge_figures figures[MDM_JUDGES];
    mdm_track_evidence all = {0};
    json_t *out = json_object(), *contexts = json_object();
    json_object_set_new(out, "id", json_string(id ? id : ""));
    if (!id || recognise(figures, v, index, count) || mdm_verify_motion(contexts, out, v, person)) {
        json_decref(out);
        json_decref(contexts);
        return NULL;
    }
    int replaced = (int)json_integer_value(json_object_get(json_object_get(out, "frames"), "replaced"));
    gather(&all, v, index, count);
    add_looks(contexts, person, &all);
    const size_t before = json_array_size(reasons);
    json_object_set_new(out, "reidentification", mdm_judges_decide(reasons, id, figures, replaced));
    tell_stretches(reasons, before, figures, v, index, count);
    json_object_set_new(out, "detected", mdm_verify_presence(v, index, count, id, reasons));
    json_object_set_new(out, "contexts", contexts);
    return out;
}
