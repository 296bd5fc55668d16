/* How well the result moves as the person did: head, gaze, eyes, mouth; flicker and pulse. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/order.h"
#include "stages/verify.h"
#include "stages/verify_eyes.h"
#include "stages/verify_pulse.h"

#define EYE_DEGREES 57.3f /* degrees of a radian: offsets of an iris are sines on the eyeball */
#define EYEBALL     0.47  /* its radius in eye widths */
#define STILL       0.02 /* deviation of lip gap or eye opening over the width: under it half is the mesh's own noise */
#define ZONE_YAW    12.0 /* degrees either side of the person's usual direction that still count as ahead */
#define ZONE_PITCH  8.0

typedef mdm_track_reading reading;

/* Calls for each reading of a person's tracks. */
typedef struct sums {
    int face, replaced, covered, none, told, posed;
    double error[3], gaze, gaze_weight;
    double head[3], head_offset[3];                         /* the head-pose judge's: |difference|, difference */
    double n, ex, ey, exx, eyy, exy, lx, ly, lxx, lyy, lxy; /* eyes, lips: for correlations */
    mdm_eye_closures lids;
    int zones, same_zone;
    double motion[2];
    double pulse, pulse_weight;
} sums;

static double turn(double degrees)
{
    while (degrees > 180)
        degrees -= 360;
    while (degrees < -180)
        degrees += 360;
    return degrees;
}

/* Angle between two gazes of an eye, degrees: offsets in eye widths are sines on a ball about EYEBALL eye widths in radius. */
static double gaze_error(const float a[2], const float b[2])
{
    double d[2];
    for (int k = 0; k < 2; k++) {
        double s = fmax(-1, fmin(1, (double)a[k] / EYEBALL)), t = fmax(-1, fmin(1, (double)b[k] / EYEBALL));
        d[k] = (asin(s) - asin(t)) * (double)EYE_DEGREES;
    }
    return hypot(d[0], d[1]);
}

static mdm_status add_closures(sums *s, const reading *r, int count)
{
    float(*opening)[2] = NULL;
    MDM_TRY(mdm_alloc(&opening, (size_t)count, sizeof *opening, "blinks"));
    for (int i = 0; i < count; i++)
        for (int side = 0; side < 2; side++)
            opening[i][side] = r[i].told ? r[i].eyes[side] : -1;
    mdm_status status = mdm_eye_closures_add(&s->lids, (const float(*)[2])opening, count);
    mdm_free(&opening);
    return status;
}

void mdm_verify_direction(double out[2], const reading *r, int side)
{
    for (int k = 0; k < 2; k++) {
        double a = (double)r->gaze[side][0][k], b = (double)r->gaze[side][1][k];
        if (!k)
            b = -b; /* along the eye, each runs towards the nose */
        double seen[2] = {(double)r->seen[0], (double)r->seen[1]};
        double offset = (seen[0] * a + seen[1] * b) / fmax(seen[0] + seen[1], 1e-6);
        out[k] = turn((double)r->angles[side][k]) + asin(fmax(-1, fmin(1, offset / EYEBALL))) * (double)EYE_DEGREES;
    }
}

/* Nine zones around the person's usual direction in the recording. */
static void add_zones(sums *s, const reading *r, int count, float *buffer)
{
    static const double width[2] = {ZONE_YAW, ZONE_PITCH};
    double usual[2], at[2];
    int n = 0;
    for (int k = 0; k < 2; k++) {
        n = 0;
        for (int i = 0; i < count; i++)
            if (r[i].told) {
                mdm_verify_direction(at, &r[i], 0);
                buffer[n++] = (float)at[k];
            }
        if (!n)
            return;
        mdm_sort(buffer, (size_t)n);
        usual[k] = (double)buffer[n / 2];
    }
    for (int i = 0; i < count; i++) {
        int zone[2][2];
        if (!r[i].told)
            continue;
        for (int side = 0; side < 2; side++) {
            mdm_verify_direction(at, &r[i], side);
            for (int k = 0; k < 2; k++)
                zone[side][k] = at[k] - usual[k] < -width[k] ? -1 : at[k] - usual[k] > width[k];
        }
        s->zones++;
        s->same_zone += zone[0][0] == zone[1][0] && zone[0][1] == zone[1][1];
    }
}

static mdm_status add_pulse(sums *s, const reading *r, int count, double fps)
{
    float(*rgb)[2][3] = NULL;
    double correlation;
    MDM_TRY(mdm_alloc(&rgb, (size_t)count, sizeof *rgb, "pulse"));
    for (int i = 0; i < count; i++)
        for (int side = 0; side < 2; side++)
            for (int c = 0; c < 3; c++)
                rgb[i][side][c] = r[i].ok ? r[i].colour[side][c] : -1;
    mdm_status status = mdm_pulse_correlation(&correlation, (const float(*)[2][3])rgb, count, fps);
    if (!status && isfinite(correlation)) {
        s->pulse += correlation * count;
        s->pulse_weight += count;
    }
    mdm_free(&rgb);
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
        s->posed += r->posed;
        for (int k = 0; k < 3 && r->posed; k++) {
            double d = turn((double)r->head[1][k] - (double)r->head[0][k]);
            s->head[k] += fabs(d);
            s->head_offset[k] += d;
        }
        if (r->ok) {
            s->motion[0] += (double)r->motion[0];
            s->motion[1] += (double)r->motion[1];
        }
        if (!r->told)
            continue;
        s->told++;
        for (int k = 0; k < 3; k++)
            s->error[k] += fabs(turn((double)r->angles[0][k] - (double)r->angles[1][k]));
        for (int e = 0; e < 2; e++) {
            s->gaze += (double)r->seen[e] * gaze_error(r->gaze[0][e], r->gaze[1][e]);
            s->gaze_weight += (double)r->seen[e];
        }
        double a = (double)r->eyes[0], b = (double)r->eyes[1], c = (double)r->lips[0], d = (double)r->lips[1];
        s->n += 1;
        s->ex += a, s->ey += b, s->exx += a * a, s->eyy += b * b, s->exy += a * b;
        s->lx += c, s->ly += d, s->lxx += c * c, s->lyy += d * d, s->lxy += c * d;
    }
}

static mdm_status gather(sums *s, const mdm_verifier *v, const json_t *person)
{
    int index[MDM_MAX_TRACKS], count = mdm_verify_tracks(index, MDM_MAX_TRACKS, v, person);
    double fps = v->clip.fps > 0 ? v->clip.fps : 25;
    for (int i = 0; i < count; i++) {
        const mdm_track *track = &v->found.tracks.track[index[i]];
        const mdm_track_evidence *t = &v->track[index[i]];
        float *buffer = NULL;
        add_readings(s, track, t);
        MDM_TRY(mdm_alloc(&buffer, (size_t)track->count, sizeof *buffer, "evidence"));
        mdm_status status = add_closures(s, t->reading, track->count);
        add_zones(s, t->reading, track->count, buffer);
        mdm_free(&buffer);
        if (!status)
            status = add_pulse(s, t->reading, track->count, fps);
        MDM_TRY(status);
    }
    return MDM_OK;
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------ */

static double correlation(double n, double x, double y, double xx, double yy, double xy)
{
    double vx = xx - x * x / n, vy = yy - y * y / n;
    return n > 2 && vx > 1e-9 && vy > 1e-9 ? (xy - x * y / n) / sqrt(vx * vy) : NAN;
}

static json_t *degrees(const double sum[3], double n)
{
    return json_pack("{s:o, s:o, s:o}", "yaw", mdm_json_rounded(sum[0] / n, 4), "pitch",
                     mdm_json_rounded(sum[1] / n, 4), "roll", mdm_json_rounded(sum[2] / n, 4));
}

/* By the judge that does not know the mesh, where it is there; the mesh's own figure stands beside it. */
static json_t *head_json(const char *treatment, const sums *s)
{
    json_t *mesh = degrees(s->error, s->told ? s->told : NAN), *out;
    if (!s->posed)
        return json_pack("{s:s, s:o, s:s, s:i, s:s, s:b}", "treatment", treatment, "error", mesh, "unit", "degrees",
                         "frames", s->told, "judge", "face mesh", "independent", 0);
    out = json_pack("{s:s, s:o, s:o, s:o, s:s, s:i, s:s, s:b}", "treatment", treatment, "error",
                    degrees(s->head, s->posed), "offset", degrees(s->head_offset, s->posed), "mesh_error", mesh, "unit",
                    "degrees", "frames", s->posed, "judge", "fr_pose", "independent", 1);
    return out;
}

/* How much the recording moves, and how well the result follows: over what keeps still a correlation is that of two noises. */
static void add_following(json_t *out, const char *what, double n, double x, double y, double xx, double yy, double xy)
{
    const double deviation = n > 2 ? sqrt(fmax(0, xx / n - x / n * (x / n))) : NAN;
    const bool still = deviation < STILL;
    json_object_set_new(out, "correlation", mdm_json_rounded(still ? NAN : correlation(n, x, y, xx, yy, xy), 4));
    json_object_set_new(out, "deviation", mdm_json_rounded(deviation, 4));
    if (still)
        json_object_set_new(out, what, json_string("still"));
}

static json_t *eyes_json(const char *treatment, const sums *s)
{
    const mdm_eye_closures *lids = &s->lids;
    int all = lids->blinks[0] + lids->blinks[1];
    double before = lids->frames ? (double)lids->closed[0] / lids->frames : NAN,
           after = lids->frames ? (double)lids->closed[1] / lids->frames : NAN;
    json_t *out = json_pack("{s:s, s:o, s:i, s:i, s:o, s:o, s:o, s:s, s:b}", "treatment", treatment, "blink_f1",
                            all ? mdm_json_rounded(2.0 * lids->matched / all, 4) : json_null(), "blinks",
                            lids->blinks[0], "blinks_after", lids->blinks[1], "perclos", mdm_json_rounded(before, 4),
                            "perclos_after", mdm_json_rounded(after, 4), "perclos_difference",
                            mdm_json_rounded(fabs(after - before), 4), "judge", "face mesh", "independent", 0);
    add_following(out, "lids", s->n, s->ex, s->ey, s->exx, s->eyy, s->exy);
    return out;
}

static json_t *mouth_json(const char *treatment, const sums *s)
{
    json_t *out = json_pack("{s:s, s:s, s:b}", "treatment", treatment, "judge", "face mesh", "independent", 0);
    add_following(out, "lips", s->n, s->lx, s->ly, s->lxx, s->lyy, s->lxy);
    return out;
}

mdm_status mdm_verify_motion(json_t *contexts, json_t *out, const mdm_verifier *v, const json_t *person)
{
    sums s = {0};
    const char *t;
    MDM_TRY(gather(&s, v, person));
    json_object_set_new(out, "frames",
                        json_pack("{s:i, s:i, s:i, s:i}", "face", s.face, "replaced", s.replaced, "covered", s.covered,
                                  "none", s.none));
    if ((t = mdm_verify_treatment(person, "head_pose")))
        json_object_set_new(contexts, "head_pose", head_json(t, &s));
    if ((t = mdm_verify_treatment(person, "gaze")))
        json_object_set_new(contexts, "gaze",
                            json_pack("{s:s, s:o, s:o, s:s, s:i, s:s, s:b}", "treatment", t, "error",
                                      mdm_json_rounded(s.gaze_weight > 0 ? s.gaze / s.gaze_weight : NAN, 4),
                                      "zone_agreement",
                                      mdm_json_rounded(s.zones ? (double)s.same_zone / s.zones : NAN, 4), "unit",
                                      "degrees", "frames", s.told, "judge", "face mesh", "independent", 0));
    if ((t = mdm_verify_treatment(person, "eyes")))
        json_object_set_new(contexts, "eyes", eyes_json(t, &s));
    if ((t = mdm_verify_treatment(person, "mouth")))
        json_object_set_new(contexts, "mouth", mouth_json(t, &s));
    if (s.motion[0] > 0)
        json_object_set_new(out, "flicker_ratio", mdm_json_rounded(s.motion[1] / s.motion[0], 4));
    json_object_set_new(out, "pulse_correlation",
                        mdm_json_rounded(s.pulse_weight > 0 ? s.pulse / s.pulse_weight : NAN, 4));
    return MDM_OK;
}
