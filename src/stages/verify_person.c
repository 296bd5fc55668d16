/* From readings to a person's evidence (docs/evidence-format.md). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/facegen.h"
#include "stages/verify.h"

#define EYE_DEGREES                                                                                                    \
    57.3f /* the eyeball turns about this for a shift of one iris offset in eye widths: asin(2 * 0.5 / 1) */
#define BLINK_SHUT 0.5f /* of the track's median opening, for two frames or more */
#define BLINK_NEAR 2    /* frames between a blink and its match */

typedef mdm_track_reading reading;

/* Calls for each reading of a person's tracks. */
typedef struct sums {
    int face, replaced, covered, none, judged, matched, ok;
    double likeness, likeness_max, error[3], gaze;
    double n, ex, ey, exx, eyy, exy, lx, ly, lxx, lyy, lxy; /* eyes, lips: for correlations */
    int blinks[2], blinks_matched;
    double motion[2];
    int motions;
} sums;

static double wrapped(double degrees)
{
    while (degrees > 180)
        degrees -= 360;
    while (degrees < -180)
        degrees += 360;
    return fabs(degrees);
}

/* Angle between two gazes of an eye, degrees: offsets in eye widths are sines on a ball about 0.47 eye widths in radius. */
static double gaze_error(const float a[2], const float b[2])
{
    double d[2];
    for (int k = 0; k < 2; k++) {
        double s = fmax(-1, fmin(1, (double)a[k] / 0.47)), t = fmax(-1, fmin(1, (double)b[k] / 0.47));
        d[k] = (asin(s) - asin(t)) * (double)EYE_DEGREES;
    }
    return hypot(d[0], d[1]);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Frames in the middle of each blink of one side; at most `max`. */
static int find_blinks(int *at, int max, const reading *r, int count, int side, float *buffer)
{
    int n = 0, blinks = 0;
    for (int i = 0; i < count; i++)
        if (r[i].ok)
            buffer[n++] = r[i].eyes[side];
    if (n < 5)
        return 0;
    qsort(buffer, (size_t)n, sizeof *buffer, by_value);
    float shut = BLINK_SHUT * buffer[n / 2];
    for (int i = 0; i < count;) {
        int from = i;
        while (i < count && r[i].ok && r[i].eyes[side] < shut)
            i++;
        if (i - from >= 2 && blinks < max)
            at[blinks++] = (from + i - 1) / 2;
        i += i == from;
    }
    return blinks;
}

enum { MAX_BLINKS = 4096 };

static mdm_status add_blinks(sums *s, const reading *r, int count)
{
    float *buffer = NULL;
    int *at[2] = {NULL, NULL}, n[2] = {0};
    mdm_status status = mdm_alloc(&buffer, (size_t)count, sizeof *buffer, "blinks");
    for (int side = 0; side < 2 && !status; side++) {
        status = mdm_alloc(&at[side], MAX_BLINKS, sizeof(int), "blinks");
        if (!status)
            s->blinks[side] += n[side] = find_blinks(at[side], MAX_BLINKS, r, count, side, buffer);
    }
    for (int i = 0; i < n[0]; i++)
        for (int k = 0; k < n[1]; k++)
            if (abs(at[0][i] - at[1][k]) <= BLINK_NEAR) {
                s->blinks_matched++;
                at[1][k] = -100000; /* each blink is matched once */
                break;
            }
    mdm_free(&buffer);
    mdm_free(&at[0]);
    mdm_free(&at[1]);
    return status;
}

static void add_readings(sums *s, const mdm_track *track, const mdm_track_evidence *t)
{
    for (int i = 0; i < track->count; i++) {
        const reading *r = &t->reading[i];
        if (track->frame[i].state == MDM_TRACK_LOST)
            continue;
        s->face++;
        s->replaced += r->state == MDM_VERIFY_REPLACED;
        s->covered += r->state == MDM_VERIFY_COVERED;
        s->none += r->state == MDM_VERIFY_NONE;
        if (r->judged) {
            s->judged++;
            s->matched += r->likeness >= MDM_JUDGE_MATCH;
            s->likeness += (double)r->likeness;
            s->likeness_max = fmax(s->likeness_max, (double)r->likeness);
        }
        if (!r->ok)
            continue;
        s->ok++;
        for (int k = 0; k < 3; k++)
            s->error[k] += wrapped((double)r->angles[0][k] - (double)r->angles[1][k]);
        for (int e = 0; e < 2; e++)
            s->gaze += gaze_error(r->gaze[0][e], r->gaze[1][e]) / 2;
        double a = (double)r->eyes[0], b = (double)r->eyes[1], c = (double)r->lips[0], d = (double)r->lips[1];
        s->n += 1;
        s->ex += a, s->ey += b, s->exx += a * a, s->eyy += b * b, s->exy += a * b;
        s->lx += c, s->ly += d, s->lxx += c * c, s->lyy += d * d, s->lxy += c * d;
        s->motion[0] += (double)r->motion[0];
        s->motion[1] += (double)r->motion[1];
        s->motions++;
    }
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(round(value * 1e4) / 1e4) : json_null();
}

static double correlation(double n, double x, double y, double xx, double yy, double xy)
{
    double vx = xx - x * x / n, vy = yy - y * y / n;
    return n > 2 && vx > 1e-9 && vy > 1e-9 ? (xy - x * y / n) / sqrt(vx * vy) : NAN;
}

static const char *treatment_of(const json_t *person, const char *context)
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

static int largest(const double *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

/* A classed context: before, after, and whether they agree (ages: within one bin). */
static void add_class(json_t *out, const json_t *person, const char *name, const double *before, const double *after,
                      const char *const *names, int count, int tolerance, const char *judge)
{
    const char *treatment = treatment_of(person, name);
    if (!treatment)
        return;
    int a = largest(before, count), b = largest(after, count);
    bool kept = !strcmp(treatment, "keep") || !strcmp(treatment, "coarsen");
    json_object_set_new(out, name,
                        json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:b}", "treatment", treatment, "before", names[a],
                                  "after", names[b], "agree",
                                  kept ? json_boolean(abs(a - b) <= tolerance) : json_null(), "exact", a == b, "judge",
                                  judge, "independent", 1));
}

static void add_motion_contexts(json_t *out, const json_t *person, const sums *s)
{
    static const char *const judge = "face mesh";
    const char *t;
    double n = s->ok ? s->ok : NAN;
    if ((t = treatment_of(person, "head_pose")))
        json_object_set_new(out, "head_pose",
                            json_pack("{s:s, s:{s:o, s:o, s:o}, s:s, s:i, s:s, s:b}", "treatment", t, "error", "yaw",
                                      number(s->error[0] / n), "pitch", number(s->error[1] / n), "roll",
                                      number(s->error[2] / n), "unit", "degrees", "frames", s->ok, "judge", judge,
                                      "independent", 0));
    if ((t = treatment_of(person, "gaze")))
        json_object_set_new(out, "gaze",
                            json_pack("{s:s, s:o, s:s, s:i, s:s, s:b}", "treatment", t, "error", number(s->gaze / n),
                                      "unit", "degrees", "frames", s->ok, "judge", judge, "independent", 0));
    if ((t = treatment_of(person, "eyes"))) {
        int all = s->blinks[0] + s->blinks[1];
        json_object_set_new(out, "eyes",
                            json_pack("{s:s, s:o, s:o, s:i, s:i, s:s, s:b}", "treatment", t, "correlation",
                                      number(correlation(s->n, s->ex, s->ey, s->exx, s->eyy, s->exy)), "blink_f1",
                                      all ? number(2.0 * s->blinks_matched / all) : json_null(), "blinks", s->blinks[0],
                                      "blinks_after", s->blinks[1], "judge", judge, "independent", 0));
    }
    if ((t = treatment_of(person, "mouth")))
        json_object_set_new(out, "mouth",
                            json_pack("{s:s, s:o, s:s, s:b}", "treatment", t, "correlation",
                                      number(correlation(s->n, s->lx, s->ly, s->lxx, s->lyy, s->lxy)), "judge", judge,
                                      "independent", 0));
}

/* Sums of a person's tracks, evidence added up into `all`. */
static mdm_status gather(sums *s, mdm_track_evidence *all, mdm_verifier *v, const json_t *person)
{
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(person, "tracks"), i, value)
    {
        int index = (int)json_integer_value(value);
        if (index < 0 || index >= v->found.tracks.count)
            continue;
        const mdm_track *track = &v->found.tracks.track[index];
        const mdm_track_evidence *t = &v->track[index];
        add_readings(s, track, t);
        MDM_TRY(add_blinks(s, t->reading, track->count));
        for (int k = 0; k < MDM_JUDGE_SIZE; k++)
            all->mean_source[k] += t->mean_source[k], all->mean_result[k] += t->mean_result[k];
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
    }
    return MDM_OK;
}

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < MDM_JUDGE_SIZE; i++)
        ab += (double)a[i] * (double)b[i], aa += (double)a[i] * (double)a[i], bb += (double)b[i] * (double)b[i];
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

double mdm_verify_true_rate(const mdm_verifier *v)
{
    long long pairs = 0, same = 0;
    int apart = v->clip.fps > 0 ? (int)(2 * v->clip.fps) : 50;
    for (int i = 0; i < v->found.tracks.count; i++) {
        const mdm_track_evidence *t = &v->track[i];
        for (int a = 0; a < t->source_count; a++)
            for (int b = a + 1; b < t->source_count; b += 1 + t->source_count / 100)
                if (t->source_frame[b] - t->source_frame[a] >= apart) {
                    pairs++;
                    same += cosine(t->source[a], t->source[b]) >= (double)MDM_JUDGE_MATCH;
                }
    }
    return pairs ? (double)same / (double)pairs : -1;
}

json_t *mdm_verify_person(mdm_verifier *v, const json_t *person, json_t *reasons)
{
    static const char *const genders[2] = {"female", "male"};
    const char *id = json_string_value(json_object_get(person, "id"));
    sums s = {.likeness_max = -1};
    mdm_track_evidence *all = NULL;
    if (!id || mdm_alloc(&all, 1, sizeof *all, "evidence") || gather(&s, all, v, person)) {
        mdm_free(&all);
        return NULL;
    }
    double true_rate = mdm_verify_true_rate(v), mean = cosine(all->mean_source, all->mean_result);
    json_t *out = json_pack("{s:s, s:{s:i, s:i, s:i, s:i}}", "id", id, "frames", "face", s.face, "replaced", s.replaced,
                            "covered", s.covered, "none", s.none);
    json_t *judges = json_object(), *contexts = json_object();
    if (s.judged) {
        json_object_set_new(judges, "MobileFaceNet",
                            json_pack("{s:i, s:i, s:o, s:o, s:o, s:f, s:b, s:o}", "frames", s.judged, "match_frames",
                                      s.matched, "mean", number(s.likeness / s.judged), "clip_average", number(mean),
                                      "max", number(s.likeness_max), "threshold", (double)MDM_JUDGE_MATCH,
                                      "higher_is_closer", 1, "true_match_rate",
                                      true_rate < 0 ? json_null() : number(true_rate)));
        bool decides = true_rate < 0 || true_rate >= MDM_JUDGE_TRUE_RATE;
        if (decides && (s.matched > MDM_MATCH_SHARE * s.judged || mean >= (double)MDM_JUDGE_MATCH)) {
            char text[192];
            snprintf(text, sizeof text,
                     "MobileFaceNet recognises the person in %d of %d frames (at most %.0f %% allowed), on average "
                     "%.2f (under %.2f allowed)",
                     s.matched, s.judged, 100 * MDM_MATCH_SHARE, mean, (double)MDM_JUDGE_MATCH);
            json_array_append_new(reasons,
                                  json_pack("{s:s, s:s, s:s}", "code", "reidentified", "person", id, "text", text));
        }
    }
    if (all->looks) {
        add_class(contexts, person, "age", all->age[0], all->age[1], mdm_facegen_age_names, MDM_ATTRIBUTES_AGES, 1,
                  "attributes-b");
        add_class(contexts, person, "gender", all->gender[0], all->gender[1], genders, 2, 0, "attributes-b");
        add_class(contexts, person, "race", all->race[0], all->race[1], mdm_facegen_race_names, MDM_ATTRIBUTES_RACES, 0,
                  "attributes-b");
    }
    const char *treatment = treatment_of(person, "expression");
    if (treatment && all->expressions)
        json_object_set_new(contexts, "expression",
                            json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:b}", "treatment", treatment, "agree_frames",
                                      all->expressions_agree, "frames", all->expressions, "before",
                                      mdm_expression_names[largest(all->expression[0], MDM_EXPRESSIONS)], "after",
                                      mdm_expression_names[largest(all->expression[1], MDM_EXPRESSIONS)], "judge",
                                      "face-api expression", "independent", 1));
    add_motion_contexts(contexts, person, &s);
    if (s.motions && s.motion[0] > 0)
        json_object_set_new(out, "flicker_ratio", number(s.motion[1] / s.motion[0]));
    json_object_set_new(out, "reidentification", judges);
    json_object_set_new(out, "contexts", contexts);
    mdm_wipe(all, sizeof *all);
    mdm_free(&all);
    return out;
}
