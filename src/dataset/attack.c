/* Verification, search and linking, counted in persons (attack.h). */
#include "dataset/attack.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

void mdm_wilson(double *low, double *high, long long found, long long all)
{
    const double z = 1.959964, n = (double)all, p = all > 0 ? (double)found / n : 0;
    *low = 0, *high = 1;
    if (all <= 0)
        return;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = found == 0 ? 0 : fmax(0, centre - half);
    *high = found == all ? 1 : fmin(1, centre + half);
}

/* A mean vector; `ok` when anything went into it. */
typedef struct face {
    float v[MDM_RECOGNISER_MAX];
    int n;
} face;

typedef struct attack {
    const mdm_attack_setting *setting;
    const mdm_attack_sample *sample;
    size_t count;
    mdm_recogniser_kind kind;
} attack;

typedef enum part { PART_ALL, PART_EARLY, PART_LATE } part;

static int by_kind_side(const attack *a, const mdm_attack_sample *s, int side, int person)
{
    return s->kind == a->kind && s->side == side && s->person == person;
}

/* Mean of a person's vectors of one side; `clip` < 0 is all clips. The early and the late half are of each clip's frames. */
static void mean_face(face *out, const attack *a, int side, int person, int clip, part which)
{
    const int size = mdm_recogniser_size(a->kind);
    double length = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < a->count; i++) {
        const mdm_attack_sample *s = &a->sample[i];
        if (!by_kind_side(a, s, side, person) || (clip >= 0 && s->clip != clip))
            continue;
        if (which != PART_ALL) {
            int first = s->frame, last = s->frame;
            for (size_t k = 0; k < a->count; k++)
                if (by_kind_side(a, &a->sample[k], side, person) && a->sample[k].clip == s->clip) {
                    first = a->sample[k].frame < first ? a->sample[k].frame : first;
                    last = a->sample[k].frame > last ? a->sample[k].frame : last;
                }
            if ((2 * s->frame <= first + last) != (which == PART_EARLY) || first == last)
                continue;
        }
        for (int n = 0; n < size; n++)
            out->v[n] += s->values[n];
        out->n++;
    }
    for (int n = 0; n < size; n++)
        length += (double)out->v[n] * (double)out->v[n];
    double by = a->kind == MDM_RECOGNISER_DLIB ? out->n : sqrt(length);
    for (int n = 0; n < size && by > 0; n++)
        out->v[n] = (float)((double)out->v[n] / by);
}

static int clip_count(const attack *a)
{
    int most = -1;
    for (size_t i = 0; i < a->count; i++)
        most = a->sample[i].clip > most ? a->sample[i].clip : most;
    return most + 1;
}

static double between(const attack *a, const face *x, const face *y)
{
    return x->n && y->n ? (double)mdm_recogniser_distance(a->kind, x->v, y->v) : NAN;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(round(value * 1e4) / 1e4) : json_null();
}

/* {found, of, low, high} */
static json_t *share(long long found, long long all)
{
    double low, high;
    mdm_wilson(&low, &high, found, all);
    return json_pack("{s:I, s:I, s:o, s:o}", "found", (json_int_t)found, "of", (json_int_t)all, "low", number(low),
                     "high", number(high));
}

/* What is known of one person: the nearest any of the person's results comes to the recording, and so on. */
typedef struct target {
    face *gallery;              /* all of the person's recordings */
    double result, early;       /* distance of the nearest clip's result, of the early half of the recordings, to it */
    bool first, control;        /* nearest of all galleries */
    double pairs[MDM_FARS + 1]; /* share of pairs of frames under each threshold; last: the limit */
    long long pair_count;
} target;

static float threshold(mdm_recogniser_kind kind, int level)
{
    return level < MDM_FARS ? mdm_recogniser_at(kind, (mdm_far)level) : mdm_recogniser_match(kind);
}

static void count_pairs(target *t, const attack *a, int person)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!by_kind_side(a, &a->sample[i], 1, person))
            continue;
        for (size_t k = 0; k < a->count; k++) {
            if (!by_kind_side(a, &a->sample[k], 0, person))
                continue;
            float d = mdm_recogniser_distance(a->kind, a->sample[i].values, a->sample[k].values);
            t->pair_count++;
            for (int level = 0; level <= MDM_FARS; level++)
                t->pairs[level] += d < threshold(a->kind, level);
        }
    }
    for (int level = 0; level <= MDM_FARS && t->pair_count; level++)
        t->pairs[level] /= (double)t->pair_count;
}

/* Is `own`, a gallery of person `of`, nearer to a probe than the galleries of all others? */
static bool ranks_first(const attack *a, const target *all, size_t persons, const face *probe, const face *own,
                        size_t of)
{
    double distance = between(a, probe, own);
    for (size_t p = 0; p < persons; p++)
        if (p != of && all[p].gallery->n && between(a, probe, all[p].gallery) <= distance)
            return false;
    return isfinite(distance);
}

static mdm_status aim(target *all, const attack *a, int clips)
{
    const size_t persons = a->setting->person_count;
    face *probe = NULL, *late = NULL;
    mdm_status status = mdm_alloc(&probe, 1, sizeof *probe, "attack");
    if (!status)
        status = mdm_alloc(&late, 1, sizeof *late, "attack");
    for (size_t p = 0; p < persons && !status; p++) {
        status = mdm_alloc(&all[p].gallery, 1, sizeof(face), "attack");
        if (!status)
            mean_face(all[p].gallery, a, 0, (int)p, -1, PART_ALL);
    }
    for (size_t p = 0; p < persons && !status; p++) {
        target *t = &all[p];
        t->result = t->early = NAN;
        for (int c = 0; c < clips; c++) {
            mean_face(probe, a, 1, (int)p, c, PART_ALL);
            t->result = fmin(t->result, between(a, probe, t->gallery));
            t->first |= ranks_first(a, all, persons, probe, t->gallery, p);
        }
        mean_face(probe, a, 0, (int)p, -1, PART_EARLY);
        mean_face(late, a, 0, (int)p, -1, PART_LATE);
        t->early = between(a, probe, late);
        t->control = ranks_first(a, all, persons, probe, late, p);
        count_pairs(t, a, (int)p);
    }
    if (probe)
        mdm_wipe(probe, sizeof *probe);
    if (late)
        mdm_wipe(late, sizeof *late);
    mdm_free(&probe);
    mdm_free(&late);
    return status;
}

/* Masked probe against gallery of recordings, and the same attacker on the recordings themselves. */
static json_t *verification(const attack *a, const target *all, size_t persons)
{
    static const char *const names[MDM_FARS + 1] = {"1e-2", "1e-3", "1e-4", "limit"};
    json_t *out = json_object();
    for (int level = 0; level <= MDM_FARS; level++) {
        long long found = 0, of = 0, own = 0, own_of = 0;
        double pairs = 0;
        for (size_t p = 0; p < persons; p++) {
            if (isfinite(all[p].result)) {
                of++;
                found += all[p].result < (double)threshold(a->kind, level);
                pairs += all[p].pairs[level];
            }
            if (isfinite(all[p].early)) {
                own_of++;
                own += all[p].early < (double)threshold(a->kind, level);
            }
        }
        json_t *entry = share(found, of);
        json_object_set_new(entry, "pairs", number(of ? pairs / (double)of : NAN));
        json_object_set_new(entry, "unmasked", share(own, own_of));
        json_object_set_new(out, names[level], entry);
    }
    return out;
}

static json_t *search(const target *all, size_t persons)
{
    long long found = 0, of = 0, own = 0, own_of = 0, gallery = 0;
    for (size_t p = 0; p < persons; p++) {
        gallery += all[p].gallery->n > 0;
        of += isfinite(all[p].result);
        found += isfinite(all[p].result) && all[p].first;
        own_of += isfinite(all[p].early);
        own += all[p].control;
    }
    if (gallery < 2)
        return json_null(); /* a search among one finds that one */
    json_t *out = share(found, of);
    json_object_set_new(out, "gallery", json_integer(gallery));
    json_object_set_new(out, "chance", number(1.0 / (double)gallery));
    json_object_set_new(out, "unmasked", share(own, own_of));
    return out;
}

/* Pairs of results: two clips of one person, and two persons. */
static mdm_status linking(json_t **out, const attack *a, int clips)
{
    const int persons = (int)a->setting->person_count;
    const double limit = (double)mdm_recogniser_match(a->kind);
    const long long cells = (long long)persons * clips;
    long long same = 0, linked = 0, other = 0, alike = 0;
    face *faces = NULL;
    MDM_TRY(mdm_alloc(&faces, (size_t)cells, sizeof *faces, "attack"));
    for (long long i = 0; i < cells; i++)
        mean_face(&faces[i], a, 1, (int)(i / clips), (int)(i % clips), PART_ALL);
    for (long long i = 0; i < cells; i++)
        for (long long k = i + 1; k < cells; k++) {
            double d = between(a, &faces[i], &faces[k]);
            bool one = i / clips == k / clips;
            if (!isfinite(d))
                continue;
            same += one, linked += one && d < limit;
            other += !one, alike += !one && d < limit;
        }
    mdm_wipe(faces, (size_t)cells * sizeof *faces);
    mdm_free(&faces);
    *out = json_pack("{s:b, s:o, s:o}", "meant", a->setting->same_standin, "clips_of_one_person", share(linked, same),
                     "clips_of_two_persons", share(alike, other));
    return MDM_OK;
}

static json_t *worst(const attack *a, const target *all, size_t persons)
{
    size_t at = persons;
    for (size_t p = 0; p < persons; p++)
        if (isfinite(all[p].result) && (at == persons || all[p].result < all[at].result))
            at = p;
    if (at == persons)
        return json_null();
    bool euclid = a->kind == MDM_RECOGNISER_DLIB;
    return json_pack("{s:s, s:o, s:o, s:b, s:o}", "person", a->setting->person[at], "likeness",
                     number(euclid ? all[at].result : 1 - all[at].result), "threshold",
                     number(euclid ? (double)mdm_recogniser_match(a->kind) : 1 - (double)mdm_recogniser_match(a->kind)),
                     "higher_is_closer", !euclid, "pairs", number(all[at].pairs[MDM_FARS]));
}

static mdm_status by_one(json_t **out, const attack *a)
{
    const size_t persons = a->setting->person_count;
    const int clips = clip_count(a);
    target *all = NULL;
    json_t *links = NULL;
    MDM_TRY(mdm_alloc(&all, persons + 1, sizeof *all, "attack"));
    mdm_status status = aim(all, a, clips);
    if (!status)
        status = linking(&links, a, clips);
    if (!status)
        *out = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", mdm_recogniser_name(a->kind), "verification",
                         verification(a, all, persons), "rank_1", search(all, persons), "linking", links, "worst",
                         worst(a, all, persons));
    for (size_t p = 0; p < persons; p++) {
        if (all[p].gallery)
            mdm_wipe(all[p].gallery, sizeof *all[p].gallery);
        mdm_free(&all[p].gallery);
    }
    mdm_free(&all);
    return status;
}

mdm_status mdm_attack_report(json_t **out, const mdm_attack_setting *setting, const mdm_attack_sample *samples,
                             size_t count)
{
    json_t *list = json_array();
    mdm_status status = MDM_OK;
    long long persons = 0;
    for (size_t p = 0; p < setting->person_count; p++) {
        bool side[2] = {false, false};
        for (size_t i = 0; i < count; i++)
            if (samples[i].person == (int)p)
                side[samples[i].side != 0] = true;
        persons += side[0] && side[1];
    }
    for (int k = 0; k < MDM_RECOGNISER_COUNT && persons && !status; k++) {
        attack a = {setting, samples, count, (mdm_recogniser_kind)k};
        bool any = false;
        for (size_t i = 0; i < count && !any; i++)
            any = samples[i].kind == a.kind;
        json_t *one = NULL;
        if (any)
            status = by_one(&one, &a);
        if (one)
            json_array_append_new(list, one);
    }
    *out = persons && !status ? json_pack("{s:I, s:s, s:O}", "persons", (json_int_t)persons, "identity",
                                          setting->same_standin ? "per-person" : "per-clip", "recognisers", list)
                              : json_null();
    json_decref(list);
    return status;
}
