/* The describe stage, embedded backend: age, gender, race, glasses, expression and skin of every track, with confidences, and
 * a caption composed from them; with --describe pllava what describe_words.c adds. Networks: attributes-a, face-api's age and expression; the judges of verify are others. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/share.h"
#include "face/best_frames.h"
#include "face/portrait_gate.h"
#include "face/track_file.h"
#include "models/age_gender.h"
#include "models/attributes.h"
#include "models/expression.h"
#include "models/facegen.h"
#include "stages/describe_words.h"
#include "stages/stage.h"
#include "stages/visit.h"

#define SMALLEST   20.0f /* px */
#define PER_SECOND 5     /* readings of the expression */

typedef struct person_seen {
    double age[MDM_ATTRIBUTES_AGES], gender[MDM_ATTRIBUTES_GENDERS], race[MDM_ATTRIBUTES_RACES];
    double years, glasses, shade, weight, expression[MDM_EXPRESSIONS], lab[3];
    int looks, expressions;
    mdm_looks best; /* frames that age, gender, race and glasses are read from */
    json_t *frames; /* [{frame, class, prob}] of the expression */
} person_seen;

typedef struct describer {
    mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    person_seen *seen; /* one a track */
    mdm_attributes *attributes;
    mdm_age_gender *age_gender;
    mdm_expression *expression;
    int stride; /* frames between readings of the expression */
} describer;

/* Mean CIE Lab (D65) of patches on both cheeks and the forehead. */
static void skin_lab(double lab[3], const mdm_image *image, const float (*p)[3])
{
    static const int where[5] = {205, 425, 50, 280, 151};
    double rgb[3] = {0}, xyz[3], f[3];
    for (int i = 0; i < 5; i++) {
        int x = (int)fminf(fmaxf(p[where[i]][0], 0), (float)image->width - 1),
            y = (int)fminf(fmaxf(p[where[i]][1], 0), (float)image->height - 1);
        const uint8_t *at = image->data + (size_t)y * image->stride + 3 * (size_t)x;
        for (int k = 0; k < 3; k++) {
            double v = at[k] / 255.0;
            rgb[k] += (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4)) / 5;
        }
    }
    xyz[0] = (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505;
    xyz[1] = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    xyz[2] = (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089;
    for (int k = 0; k < 3; k++)
        f[k] = xyz[k] > 0.008856 ? cbrt(xyz[k]) : 7.787 * xyz[k] + 16.0 / 116;
    lab[0] = 116 * f[1] - 16, lab[1] = 500 * (f[0] - f[1]), lab[2] = 200 * (f[1] - f[2]);
}

/* What is read off one face in one frame; `whole`: all of it, else the expression alone. */
typedef struct face_look {
    describer *d;
    const mdm_image *image;
    const mdm_mesh *mesh;
    bool whole, has_expression;
    mdm_expression_result expression;
    mdm_attributes_result attributes;
    mdm_age_gender_result age;
    mdm_portrait_measures measures;
} face_look;

enum { EXPRESSION, ATTRIBUTES, AGE_GENDER, MEASURES, READINGS };

static mdm_status take_reading(void *user, int item, int sharer)
{
    face_look *l = user;
    const float(*points)[3] = (const float(*)[3])l->mesh->point;
    (void)sharer; /* every reading has a network of its own */
    switch (item) {
    case EXPRESSION:
        return l->has_expression ? mdm_expression_run(l->d->expression, &l->expression, l->image, points) : MDM_OK;
    case ATTRIBUTES:
        return mdm_attributes_run(l->d->attributes, l->image, l->mesh, &l->attributes);
    case AGE_GENDER:
        return mdm_age_gender_run(l->d->age_gender, &l->age, l->image, points);
    default:
        return mdm_portrait_measure(&l->measures, l->image, points);
    }
}

static void add_look(person_seen *seen, const face_look *l)
{
    double lab[3], weight = 1.05 - (double)mdm_mesh_turn((const float(*)[3])l->mesh->point);
    skin_lab(lab, l->image, (const float(*)[3])l->mesh->point);
    for (int i = 0; i < MDM_ATTRIBUTES_AGES; i++)
        seen->age[i] += weight * (double)l->attributes.age_prob[i];
    for (int i = 0; i < MDM_ATTRIBUTES_GENDERS; i++) /* two networks agree better than one */
        seen->gender[i] += weight * ((double)l->attributes.gender_prob[i] * 0.6 + (double)l->age.gender_prob[i] * 0.4);
    for (int i = 0; i < MDM_ATTRIBUTES_RACES; i++)
        seen->race[i] += weight * (double)l->attributes.race_prob[i];
    for (int i = 0; i < 3; i++)
        seen->lab[i] += weight * lab[i];
    seen->years += weight * (double)l->age.age;
    seen->glasses += weight * (double)l->measures.glasses;
    seen->weight += weight;
    seen->looks++;
}

static bool is_reading(const mdm_track *track, int number, int stride)
{
    int index = number - track->first;
    return index >= 0 && index < track->count && track->frame[index].has_mesh && number % stride == 0 &&
           track->frame[index].box[2] >= SMALLEST;
}

static void add_expression(person_seen *seen, const mdm_expression_result *result, int number)
{
    double prob[MDM_EXPRESSIONS];
    json_t *list = json_array();
    for (int i = 0; i < MDM_EXPRESSIONS; i++) {
        prob[i] = (double)result->prob[i];
        seen->expression[i] += prob[i];
        json_array_append_new(list, json_real(round(prob[i] * 1000) / 1000));
    }
    seen->expressions++;
    json_array_append_new(seen->frames,
                          json_pack("{s:i, s:s, s:o}", "frame", number, "class",
                                    mdm_expression_names[mdm_largest(prob, MDM_EXPRESSIONS)], "prob", list));
}

static mdm_status describe_frame(void *user, mdm_frame *frame, int number)
{
    describer *d = user;
    for (int i = 0; i < d->found.tracks.count; i++) {
        const mdm_track *track = &d->found.tracks.track[i];
        mdm_mesh mesh = {.presence = 1};
        face_look l = {.d = d,
                       .image = &frame->rgb,
                       .mesh = &mesh,
                       .whole = mdm_looks_has(&d->seen[i].best, track, SMALLEST, number),
                       .has_expression = is_reading(track, number, d->stride)};
        if (!l.whole && !l.has_expression)
            continue;
        memcpy(mesh.point, track->point[number - track->first], sizeof mesh.point);
        MDM_TRY(mdm_share(l.whole ? READINGS : 1, take_reading, &l));
        if (l.whole)
            add_look(&d->seen[i], &l);
        if (l.has_expression)
            add_expression(&d->seen[i], &l.expression, number);
    }
    return MDM_OK;
}

static const char *const genders[2] = {"female", "male"};

static json_t *classed(const char *key, const double *sums, const char *const *names, int count, double weight)
{
    int best = mdm_largest(sums, count);
    json_t *out = json_pack("{s:s, s:f}", key, names[best], "confidence", round(sums[best] / weight * 1000) / 1000);
    json_t *all = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(all, names[i], json_real(round(sums[i] / weight * 1000) / 1000));
    json_object_set_new(out, "probabilities", all);
    return out;
}

static json_t *caption_of(const person_seen *s, const mdm_track *track)
{
    char text[256];
    int race = mdm_largest(s->race, MDM_ATTRIBUTES_RACES);
    snprintf(text, sizeof text, "%s, about %s, %s%s, mostly %s; seen in %d frames",
             mdm_largest(s->gender, 2) ? "a man" : "a woman",
             mdm_facegen_age_names[mdm_largest(s->age, MDM_ATTRIBUTES_AGES)], mdm_facegen_race_names[race],
             s->glasses > 0 ? ", with glasses" : "", mdm_expression_names[mdm_largest(s->expression, MDM_EXPRESSIONS)],
             track->count);
    for (char *p = text; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    return json_string(text);
}

static json_t *track_json(const person_seen *s, const mdm_track *track)
{
    json_t *out = json_pack("{s:i, s:i}", "id", track->id, "looks", s->looks);
    if (s->looks == 0) { /* never seen well enough: no guess is better than a wrong one */
        json_decref(s->frames);
        return out;
    }
    json_t *age = classed("bin", s->age, mdm_facegen_age_names, MDM_ATTRIBUTES_AGES, s->weight);
    json_object_set_new(age, "years", json_real(round(s->years / s->weight * 10) / 10));
    json_object_set_new(out, "age", age);
    json_object_set_new(out, "gender", classed("value", s->gender, genders, 2, s->weight));
    json_object_set_new(out, "race",
                        classed("value", s->race, mdm_facegen_race_names, MDM_ATTRIBUTES_RACES, s->weight));
    double score = s->glasses / s->weight;
    json_object_set_new(out, "glasses",
                        json_pack("{s:b, s:f}", "value", score > 0, "confidence", 1 / (1 + exp(-2 * fabs(score)))));
    json_t *expression =
        classed("dominant", s->expression, mdm_expression_names, MDM_EXPRESSIONS, s->expressions ? s->expressions : 1);
    json_object_set_new(expression, "frames", s->frames);
    json_object_set_new(out, "expression", expression);
    json_object_set_new(out, "skin",
                        json_pack("[f,f,f]", s->lab[0] / s->weight, s->lab[1] / s->weight, s->lab[2] / s->weight));
    json_object_set_new(out, "caption", caption_of(s, track));
    return out;
}

static mdm_status describe_all(describer *d)
{
    unsigned char *wanted = NULL;
    bool any = false;
    int count = d->found.tracks.count;
    d->stride = d->clip.fps > 0 ? (int)fmax(1, round(d->clip.fps / PER_SECOND)) : 1;
    MDM_TRY(mdm_alloc(&d->seen, (size_t)count, sizeof *d->seen, "descriptions"));
    MDM_TRY(mdm_alloc(&wanted, d->clip.frames, 1, "frames to look at"));
    for (int i = 0; i < count; i++) {
        const mdm_track *track = &d->found.tracks.track[i];
        d->seen[i].frames = json_array();
        for (int n = track->first; n < track->first + track->count; n++)
            if (mdm_looks_has(&d->seen[i].best, track, SMALLEST, n) || is_reading(track, n, d->stride))
                wanted[n] = 1, any = true;
    }
    mdm_status status = MDM_OK;
    if (any) {
        status = mdm_attributes_new(&d->attributes, d->work->weights, MDM_ATTRIBUTES_A, 1);
        if (!status)
            status = mdm_age_gender_new(&d->age_gender, d->work->models, 1);
        if (!status)
            status = mdm_expression_new(&d->expression, d->work->models, 1);
        if (!status)
            status = mdm_visit_frames(&d->clip, wanted, d->work, describe_frame, d);
    }
    mdm_free(&wanted);
    json_t *tracks = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(tracks, track_json(&d->seen[i], &d->found.tracks.track[i]));
    char scene[160], *path = NULL;
    snprintf(scene, sizeof scene, "%s of %.1f s, %d x %d, %d face track%s, %d region%s with text%s",
             d->clip.still ? "a still" : "a video", mdm_clip_length(&d->clip), d->clip.width, d->clip.height, count,
             count == 1 ? "" : "s", d->found.region_count, d->found.region_count == 1 ? "" : "s",
             d->clip.grey ? ", grey or infra-red" : "");
    json_t *root =
        json_pack("{s:i, s:o, s:{s:s}, s:[s,s,s,s]}", "version", 1, "tracks", tracks, "scene", "caption", scene,
                  "networks", "attributes-a", "face-api age_gender", "face-api expression", "glasses by rule");
    if (!status && mdm_describe_words_wanted(d->work->settings))
        status = mdm_describe_words(root, d->work, &d->clip, &d->found);
    if (!status)
        status = mdm_join_path(&path, d->work->folder, "context.json");
    if (!status)
        status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    return status;
}

mdm_status mdm_stage_describe(mdm_clip_work *work)
{
    describer d = {.work = work};
    mdm_status status = mdm_clip_read(&d.clip, work->folder);
    if (!status)
        status = mdm_found_read(&d.found, work->folder);
    if (!status)
        status = describe_all(&d);
    mdm_free(&d.seen);
    mdm_attributes_free(&d.attributes);
    mdm_age_gender_free(&d.age_gender);
    mdm_expression_free(&d.expression);
    mdm_found_free(&d.found);
    mdm_clip_free(&d.clip);
    return status;
}
