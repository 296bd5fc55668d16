/* The recognisers' verdict (verify_identity.h). */
#include "stages/verify_identity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#define MOST_OF_A_TRACK 200 /* frames of a track that genuine pairs are made of */

static const struct {
    const char *name;
    mdm_recogniser_kind kind;
    bool independent;
    int every;
} judges[MDM_JUDGES] = {
    {"MobileFaceNet", MDM_RECOGNISER_MOBILEFACENET, true, 1},
    {"dlib", MDM_RECOGNISER_DLIB, false, 3},
    {"faceres", MDM_RECOGNISER_FACERES, false, 3},
};

const char *mdm_judge_name(mdm_judge judge)
{
    return judges[judge].name;
}

mdm_recogniser_kind mdm_judge_kind(mdm_judge judge)
{
    return judges[judge].kind;
}

bool mdm_judge_is_independent(mdm_judge judge)
{
    return judges[judge].independent;
}

int mdm_judge_every(mdm_judge judge)
{
    return judges[judge].every;
}

mdm_status mdm_judge_keep(mdm_judge_series *s, mdm_judge judge, const float *source, const float *result,
                          const float view[2], int frame)
{
    const size_t size = (size_t)mdm_recogniser_size(judges[judge].kind);
    if (s->count == s->capacity) {
        /* Not by mdm_realloc, which may leave a copy behind: these numbers identify people. */
        mdm_judge_series larger = {.count = s->count, .capacity = s->capacity ? s->capacity * 2 : 64};
        mdm_status status = mdm_alloc(&larger.frame, (size_t)larger.capacity, sizeof(int), "embeddings");
        if (!status)
            status = mdm_alloc(&larger.view, (size_t)larger.capacity, sizeof *larger.view, "embeddings");
        for (int k = 0; k < 2 && !status; k++)
            status = mdm_alloc(&larger.vector[k], (size_t)larger.capacity * size, sizeof(float), "embeddings");
        if (status) {
            mdm_judge_forget(&larger, judge);
            return status;
        }
        if (s->count) {
            for (int k = 0; k < 2; k++)
                memcpy(larger.vector[k], s->vector[k], (size_t)s->count * size * sizeof(float));
            memcpy(larger.view, s->view, (size_t)s->count * sizeof *s->view);
            memcpy(larger.frame, s->frame, (size_t)s->count * sizeof(int));
        }
        mdm_judge_forget(s, judge);
        *s = larger;
    }
    memcpy(s->vector[0] + (size_t)s->count * size, source, size * sizeof(float));
    memcpy(s->vector[1] + (size_t)s->count * size, result, size * sizeof(float));
    memcpy(s->view[s->count], view, sizeof *s->view);
    s->frame[s->count++] = frame;
    return MDM_OK;
}

void mdm_judge_forget(mdm_judge_series *s, mdm_judge judge)
{
    const size_t size = (size_t)mdm_recogniser_size(judges[judge].kind);
    for (int k = 0; k < 2; k++) {
        if (s->vector[k])
            mdm_wipe(s->vector[k], (size_t)s->capacity * size * sizeof(float));
        mdm_free(&s->vector[k]);
    }
    mdm_free(&s->view);
    mdm_free(&s->frame);
    s->count = s->capacity = 0;
}

static bool alike(const float a[2], const float b[2])
{
    return fabsf(a[0] - b[0]) <= MDM_JUDGE_ALIKE && fabsf(a[1] - b[1]) <= MDM_JUDGE_ALIKE;
}

/* Pairs of a track's own frames, at least `apart` frames between them, and how many of them the judge takes for one person. */
typedef struct genuine {
    long long pairs, same;
} genuine;

static void count_genuine(genuine *any_view, genuine *like_view, mdm_recogniser_kind kind, const mdm_judge_series *s,
                          int apart)
{
    const size_t size = (size_t)mdm_recogniser_size(kind);
    const int step = 1 + s->count / MOST_OF_A_TRACK;
    for (int a = 0; a < s->count; a += step)
        for (int b = a + step; b < s->count; b += step) {
            if (s->frame[b] - s->frame[a] < apart)
                continue;
            const bool same = mdm_recogniser_distance(kind, s->vector[0] + (size_t)a * size,
                                                      s->vector[0] + (size_t)b * size) < mdm_recogniser_match(kind);
            any_view->pairs++, any_view->same += same;
            if (alike(s->view[a], s->view[b]))
                like_view->pairs++, like_view->same += same;
        }
}

mdm_status mdm_judge_measure(mdm_judge_figures *out, mdm_judge judge, const mdm_judge_series *const *series, int count,
                             int apart)
{
    const mdm_recogniser_kind kind = judges[judge].kind;
    const size_t size = (size_t)mdm_recogniser_size(kind);
    float sum[2][MDM_RECOGNISER_MAX] = {{0}};
    double total = 0, steps[2] = {0};
    genuine any_view = {0}, like_view = {0};
    int step_count = 0;
    *out = (mdm_judge_figures){.mean = NAN, .nearest = NAN, .average = NAN, .true_rate = NAN, .wobble = {NAN, NAN}};
    for (int s = 0; s < count; s++) {
        const mdm_judge_series *of = series[s];
        for (int i = 0; i < of->count; i++) {
            const float *v[2] = {of->vector[0] + (size_t)i * size, of->vector[1] + (size_t)i * size};
            float distance = mdm_recogniser_distance(kind, v[0], v[1]);
            out->frames++;
            out->match_frames += distance < mdm_recogniser_match(kind);
            for (int f = 0; f < MDM_FARS; f++)
                out->match_at[f] += distance < mdm_recogniser_at(kind, (mdm_far)f);
            total += (double)distance;
            out->nearest = fmin(out->nearest, (double)distance); /* NAN gives way */
            for (int k = 0; k < 2; k++) {
                for (size_t n = 0; n < size; n++)
                    sum[k][n] += v[k][n];
                if (i > 0)
                    steps[k] += (double)mdm_recogniser_distance(kind, v[k] - size, v[k]);
            }
            step_count += i > 0;
        }
        count_genuine(&any_view, &like_view, kind, of, apart);
    }
    if (out->frames) {
        out->mean = total / out->frames;
        for (int k = 0; k < 2; k++)
            mdm_recogniser_mean(kind, sum[k], out->frames);
        out->average = (double)mdm_recogniser_distance(kind, sum[0], sum[1]);
    }
    const genuine *told = like_view.pairs >= MDM_JUDGE_PAIRS ? &like_view : &any_view;
    out->pairs = told->pairs;
    if (told->pairs >= MDM_JUDGE_PAIRS)
        out->true_rate = (double)told->same / (double)told->pairs;
    for (int k = 0; k < 2 && step_count; k++)
        out->wobble[k] = steps[k] / step_count;
    mdm_wipe(sum, sizeof sum);
    return MDM_OK;
}

bool mdm_judge_sees(const mdm_judge_figures *f)
{
    return f->frames > 0 && !(f->true_rate < MDM_JUDGE_TRUE_RATE);
}

bool mdm_judge_is_proved(const mdm_judge_figures *f)
{
    return f->frames > 0 && f->true_rate >= MDM_JUDGE_TRUE_RATE;
}

bool mdm_judge_knows_average(const mdm_judge_figures *f, mdm_judge judge)
{
    return f->average < (double)mdm_recogniser_match(judges[judge].kind);
}

bool mdm_judge_recognises(const mdm_judge_figures *f, mdm_judge judge)
{
    return f->match_frames > MDM_MATCH_SHARE * f->frames || mdm_judge_knows_average(f, judge);
}

json_t *mdm_judge_stretches(mdm_judge judge, const mdm_judge_series *const *series, int count, int every)
{
    const mdm_recogniser_kind kind = judges[judge].kind;
    const size_t size = (size_t)mdm_recogniser_size(kind);
    json_t *out = json_array();
    for (int s = 0; s < count; s++) {
        const mdm_judge_series *of = series[s];
        bool open = false;
        int first = 0;
        for (int i = 0; i <= of->count; i++) {
            const bool matches =
                i < of->count && mdm_recogniser_distance(kind, of->vector[0] + (size_t)i * size,
                                                         of->vector[1] + (size_t)i * size) < mdm_recogniser_match(kind);
            if (matches && !open)
                first = i ? of->frame[i - 1] + 1 : of->frame[i] - every + 1;
            else if (!matches && open)
                json_array_append_new(out, json_pack("[i, i]", first < 0 ? 0 : first,
                                                     i < of->count ? of->frame[i] - 1 : of->frame[i - 1] + every - 1));
            open = matches;
        }
    }
    return out;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *judge_json(const mdm_judge_figures *f, mdm_judge judge, bool decides)
{
    const mdm_recogniser_kind kind = judges[judge].kind;
    double jump = f->wobble[0] > 0 ? f->wobble[1] / f->wobble[0] : NAN;
    return json_pack("{s:i, s:i, s:{s:i, s:i, s:i}, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:b}", "frames", f->frames,
                     "match_frames", f->match_frames, "match_at", "1e-2", f->match_at[0], "1e-3", f->match_at[1],
                     "1e-4", f->match_at[2], "mean", mdm_json_rounded(mdm_recogniser_likeness(kind, f->mean), 4),
                     "clip_average", mdm_json_rounded(mdm_recogniser_likeness(kind, f->average), 4), "max",
                     mdm_json_rounded(mdm_recogniser_likeness(kind, f->nearest), 4), "threshold",
                     mdm_json_rounded(mdm_recogniser_likeness(kind, (double)mdm_recogniser_match(kind)), 4),
                     "higher_is_closer", mdm_recogniser_higher_is_closer(kind), "true_match_rate",
                     mdm_json_rounded(f->true_rate, 4), "wobble_ratio", mdm_json_rounded(jump, 4), "independent",
                     judges[judge].independent, "decides", decides);
}

static void complain(json_t *reasons, const char *code, const char *person, const char *text)
{
    json_array_append_new(reasons, json_pack("{s:s, s:s, s:s}", "code", code, "person", person, "text", text));
}

json_t *mdm_judges_decide(json_t *reasons, const char *person, const mdm_judge_figures figures[MDM_JUDGES],
                          int replaced)
{
    json_t *out = json_object();
    const bool held_out = mdm_judge_is_proved(&figures[MDM_JUDGE_HELD_OUT]);
    bool judged = false;
    char text[224];
    for (int j = 0; j < MDM_JUDGES; j++) {
        const mdm_judge_figures *f = &figures[j];
        const mdm_recogniser_kind kind = judges[j].kind;
        bool decides = mdm_judge_sees(f) && (judges[j].independent || !held_out);
        if (!f->frames)
            continue;
        json_object_set_new(out, judges[j].name, judge_json(f, (mdm_judge)j, decides));
        judged |= decides;
        if (!decides || !mdm_judge_recognises(f, (mdm_judge)j))
            continue;
        snprintf(text, sizeof text,
                 "%s recognises the person in %d of %d frames (at most %.0f %% allowed), on average %.2f (%s %.2f "
                 "allowed)",
                 judges[j].name, f->match_frames, f->frames, 100 * MDM_MATCH_SHARE,
                 mdm_recogniser_likeness(kind, f->average), mdm_recogniser_higher_is_closer(kind) ? "under" : "over",
                 mdm_recogniser_likeness(kind, (double)mdm_recogniser_match(kind)));
        complain(reasons, "reidentified", person, text);
        json_object_set_new(json_array_get(reasons, json_array_size(reasons) - 1), "judge",
                            json_string(judges[j].name));
    }
    if (replaced > 0 && !judged)
        complain(
            reasons, "unjudged", person,
            "no recogniser knows this person's own frames again in nine of ten cases (too small or too blurred), so "
            "none can say that the stand-in is somebody else: the face is covered");
    return out;
}
