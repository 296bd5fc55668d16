/* Verification, search and linking, counted in persons (attack.h). */
#include "dataset/attack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#define MOST_LINKED 2000 /* appearances of persons in clips of which pairs are made */

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

/* A mean vector; nothing went into it when n is 0. */
typedef struct face {
    float v[MDM_RECOGNISER_MAX];
    int n;
} face;

/* One person in one clip: samples[side[0]..side[1]) are of the recording, [side[1]..side[2]) of the result, by frame. */
typedef struct appearance {
    int person, clip;
    size_t side[3];
} appearance;

typedef struct attack {
    const mdm_attack_setting *setting;
    const mdm_attack_sample *sample; /* sorted: by_place */
    mdm_recogniser_kind kind;
    appearance *of; /* by person */
    size_t count;
} attack;

static int by_place(const void *a, const void *b)
{
    const mdm_attack_sample *x = a, *y = b;
    const int left[5] = {(int)x->kind, x->person, x->clip, x->side, x->frame},
              right[5] = {(int)y->kind, y->person, y->clip, y->side, y->frame};
    for (int i = 0; i < 5; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void add(face *out, const attack *a, size_t from, size_t to)
{
    const int size = mdm_recogniser_size(a->kind);
    for (size_t i = from; i < to; i++, out->n++)
        for (int n = 0; n < size; n++)
            out->v[n] += a->sample[i].values[n];
}

/* All the recordings of a person, or the early and the late half of each. */
static void recordings(face *all, face *early, face *late, const attack *a, int person)
{
    for (size_t i = 0; i < a->count; i++) {
        const size_t from = a->of[i].side[0], to = a->of[i].side[1], middle = (from + to) / 2;
        if (a->of[i].person != person)
            continue;
        add(all, a, from, to);
        if (middle > from) {
            add(early, a, from, middle);
            add(late, a, middle, to);
        }
    }
    mdm_recogniser_mean(a->kind, all->v, all->n);
    mdm_recogniser_mean(a->kind, early->v, early->n);
    mdm_recogniser_mean(a->kind, late->v, late->n);
}

static double between(const attack *a, const face *x, const face *y)
{
    return x->n && y->n ? (double)mdm_recogniser_distance(a->kind, x->v, y->v) : NAN;
}

/* {found, of, low, high} */
static json_t *share(long long found, long long all)
{
    double low, high;
    mdm_wilson(&low, &high, found, all);
    return json_pack("{s:I, s:I, s:o, s:o}", "found", (json_int_t)found, "of", (json_int_t)all, "low",
                     mdm_json_rounded(low, 4), "high", mdm_json_rounded(high, 4));
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

/* Frames of the result against frames of the recording, within a clip. */
static void count_pairs(target *t, const attack *a, const appearance *in)
{
    for (size_t i = in->side[1]; i < in->side[2]; i++)
        for (size_t k = in->side[0]; k < in->side[1]; k++) {
            float d = mdm_recogniser_distance(a->kind, a->sample[i].values, a->sample[k].values);
            t->pair_count++;
            for (int level = 0; level <= MDM_FARS; level++)
                t->pairs[level] += d < threshold(a->kind, level);
        }
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

static mdm_status aim(target *all, const attack *a)
{
    const size_t persons = a->setting->person_count;
    face *probe = NULL, *halves = NULL; /* early, late of every person */
    mdm_status status = mdm_alloc(&probe, 1, sizeof *probe, "attack");
    if (!status)
        status = mdm_alloc(&halves, 2 * persons, sizeof *halves, "attack");
    for (size_t p = 0; p < persons && !status; p++) {
        all[p].result = NAN;
        status = mdm_alloc(&all[p].gallery, 1, sizeof(face), "attack");
        if (!status)
            recordings(all[p].gallery, &halves[2 * p], &halves[2 * p + 1], a, (int)p);
    }
    for (size_t p = 0; p < persons && !status; p++) {
        const face *early = &halves[2 * p], *late = &halves[2 * p + 1];
        all[p].early = between(a, early, late);
        all[p].control = ranks_first(a, all, persons, early, late, p);
    }
    for (size_t i = 0; i < a->count && !status; i++) {
        const size_t p = (size_t)a->of[i].person;
        memset(probe, 0, sizeof *probe);
        add(probe, a, a->of[i].side[1], a->of[i].side[2]);
        mdm_recogniser_mean(a->kind, probe->v, probe->n);
        all[p].result = fmin(all[p].result, between(a, probe, all[p].gallery)); /* NAN gives way */
        all[p].first |= ranks_first(a, all, persons, probe, all[p].gallery, p);
        count_pairs(&all[p], a, &a->of[i]);
    }
    for (size_t p = 0; p < persons && !status; p++)
        for (int level = 0; level <= MDM_FARS && all[p].pair_count; level++)
            all[p].pairs[level] /= (double)all[p].pair_count;
    if (probe)
        mdm_wipe(probe, sizeof *probe);
    if (halves)
        mdm_wipe(halves, 2 * persons * sizeof *halves);
    mdm_free(&probe);
    mdm_free(&halves);
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
        json_object_set_new(entry, "pairs", mdm_json_rounded(of ? pairs / (double)of : NAN, 4));
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
    json_object_set_new(out, "chance", mdm_json_rounded(1.0 / (double)gallery, 4));
    json_object_set_new(out, "unmasked", share(own, own_of));
    return out;
}

/* Pairs of results: two clips of one person, and two persons. */
static mdm_status linking(json_t **out, const attack *a)
{
    const double limit = (double)mdm_recogniser_match(a->kind);
    const size_t step = 1 + a->count / MOST_LINKED;
    long long same = 0, linked = 0, other = 0, alike = 0;
    size_t n = 0;
    face *faces = NULL;
    MDM_TRY(mdm_alloc(&faces, a->count / step + 1, sizeof *faces, "attack"));
    for (size_t i = 0; i < a->count; i += step, n++) {
        add(&faces[n], a, a->of[i].side[1], a->of[i].side[2]);
        mdm_recogniser_mean(a->kind, faces[n].v, faces[n].n);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++) {
            double d = between(a, &faces[i], &faces[k]);
            bool one = a->of[i * step].person == a->of[k * step].person;
            if (!isfinite(d))
                continue;
            same += one, linked += one && d < limit;
            other += !one, alike += !one && d < limit;
        }
    mdm_wipe(faces, n * sizeof *faces);
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
    return json_pack("{s:s, s:o, s:o, s:b, s:o}", "person", a->setting->person[at], "likeness",
                     mdm_json_rounded(mdm_recogniser_likeness(a->kind, all[at].result), 4), "threshold",
                     mdm_json_rounded(mdm_recogniser_likeness(a->kind, (double)mdm_recogniser_match(a->kind)), 4),
                     "higher_is_closer", mdm_recogniser_higher_is_closer(a->kind), "pairs",
                     mdm_json_rounded(all[at].pairs[MDM_FARS], 4));
}

static mdm_status by_one(json_t **out, const attack *a)
{
    const size_t persons = a->setting->person_count;
    target *all = NULL;
    json_t *links = NULL;
    MDM_TRY(mdm_alloc(&all, persons + 1, sizeof *all, "attack"));
    mdm_status status = aim(all, a);
    if (!status)
        status = linking(&links, a);
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

/* The appearances of the sorted samples from `from` that are of one recogniser; gives where the next one's begin. */
static size_t find_appearances(attack *a, size_t from, size_t count)
{
    size_t i = from;
    a->kind = a->sample[from].kind;
    a->count = 0;
    while (i < count && a->sample[i].kind == a->kind) {
        const mdm_attack_sample *s = &a->sample[i];
        appearance *one = &a->of[a->count++];
        *one = (appearance){s->person, s->clip, {i, i, i}};
        for (; i < count && a->sample[i].kind == a->kind && a->sample[i].person == one->person &&
               a->sample[i].clip == one->clip;
             i++)
            one->side[1] += a->sample[i].side == 0;
        one->side[2] = i;
    }
    return i;
}

static long long persons_seen(const attack *a)
{
    long long persons = 0;
    for (size_t p = 0; p < a->setting->person_count; p++) {
        bool side[2] = {false, false};
        for (size_t i = 0; i < a->count; i++)
            if (a->of[i].person == (int)p) {
                side[0] |= a->of[i].side[1] > a->of[i].side[0];
                side[1] |= a->of[i].side[2] > a->of[i].side[1];
            }
        persons += side[0] && side[1];
    }
    return persons;
}

mdm_status mdm_attack_report(json_t **out, const mdm_attack_setting *setting, mdm_attack_sample *samples, size_t count)
{
    attack a = {.setting = setting, .sample = samples};
    json_t *list = json_array();
    long long persons = 0;
    if (count)
        qsort(samples, count, sizeof *samples, by_place);
    mdm_status status = mdm_alloc(&a.of, count, sizeof *a.of, "attack");
    for (size_t from = 0; from < count && !status;) {
        json_t *one = NULL;
        from = find_appearances(&a, from, count);
        long long seen = persons_seen(&a);
        persons = seen > persons ? seen : persons;
        status = by_one(&one, &a);
        if (one)
            json_array_append_new(list, one);
    }
    *out = persons && !status ? json_pack("{s:I, s:s, s:O}", "persons", (json_int_t)persons, "identity",
                                          setting->same_standin ? "per-person" : "per-clip", "recognisers", list)
                              : json_null();
    mdm_free(&a.of);
    json_decref(list);
    return status;
}
