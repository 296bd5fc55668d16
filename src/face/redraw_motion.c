/* Neutral shapes, blinks at random and a wandering gaze in place of the person's own. */
#include "face/redraw_motion.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/order.h"
#include "base/random.h"
#include "face/mesh_index.h"

/* Ordinary figures of a person at rest (stages/plan.c states them in the plan). */
#define BLINKS_A_SECOND (15.0 / 60.0)
#define BLINK_SECONDS   0.2
#define GAZE_ACROSS     0.056f /* sd, eye widths: 8 degrees for an eyeball of 1.2 cm radius and an eye 3 cm wide */
#define GAZE_DOWN       0.035f /* 5 degrees */
#define GAZE_SECONDS    1.0    /* correlation time */
#define GAZE_STEP       0.070f /* 10 degrees: coarse gaze is rounded to it */

static bool plays(mdm_treatment treatment)
{
    return treatment == MDM_KEEP || treatment == MDM_COARSEN;
}

static void start(mdm_random *random, const mdm_motion_policy *policy, const char *what)
{
    char key[192];
    snprintf(key, sizeof key, "%s/%s", policy->key, what);
    mdm_random_seed(random, policy->seed, key);
}

/* How much of the person's movement each vertex keeps: the mouth's, the rest's, all of it at the border. */
static void vertex_shares(float *share, const mdm_motion *m, const mdm_motion_policy *policy,
                          const mdm_canonical *canonical)
{
    const float(*neutral)[3] = (const float(*)[3])m->neutral;
    float lips[2] = {(neutral[13][0] + neutral[14][0]) / 2, (neutral[13][1] + neutral[14][1]) / 2};
    float mouth = plays(policy->mouth), rest = plays(policy->expression), eyes = plays(policy->eyes);
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        float near = mdm_clampf(1 - (hypotf(neutral[i][0] - lips[0], neutral[i][1] - lips[1]) - 2) / 3, 0, 1);
        share[i] = near * mouth + (1 - near) * rest;
    }
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < MDM_LID_ROW; i++)
            share[mdm_eyes[e].up[i]] = share[mdm_eyes[e].lo[i]] = share[mdm_eyes[e].skin[i]] = eyes;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        share[i] = fmaxf(share[i], canonical->border[i]);
}

static void redraw_shape(mdm_motion *m, const mdm_motion_policy *policy, const mdm_canonical *canonical)
{
    float share[MDM_MESH_VERTICES];
    vertex_shares(share, m, policy, canonical);
    for (int f = 0; f < m->count; f++) {
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            for (int k = 0; k < 3; k++)
                m->shape[f][i][k] = m->neutral[i][k] + share[i] * (m->shape[f][i][k] - m->neutral[i][k]);
        if (!plays(policy->mouth))
            m->lips[f] = mdm_lip_gap((const float(*)[3])m->shape[f]);
    }
}

/* Blinks come at random (a Poisson process) and close and open like half a sine. */
static void redraw_eyes(mdm_motion *m, const mdm_motion_policy *policy)
{
    mdm_random random;
    start(&random, policy, "eyes");
    double fps = m->fps > 1 ? m->fps : 25, next = -log(1 - mdm_random_uniform(&random)) / BLINKS_A_SECOND;
    for (int f = 0; f < m->count; f++) {
        double t = f / fps;
        while (t > next + BLINK_SECONDS)
            next += BLINK_SECONDS - log(1 - mdm_random_uniform(&random)) / BLINKS_A_SECOND;
        bool blink = policy->eyes == MDM_REDRAW && t >= next;
        float open = blink ? 1 - (float)sin(3.14159265358979 * (t - next) / BLINK_SECONDS) : 1;
        for (int e = 0; e < 2; e++)
            m->eyes[f][e] = m->eye_neutral[e] * mdm_clampf(open, 0, 1);
    }
}

/* An Ornstein-Uhlenbeck walk about straight ahead, the same for both eyes; their outer-to-inner axes point at each other. */
static void redraw_gaze(mdm_motion *m, const mdm_motion_policy *policy)
{
    mdm_random random;
    start(&random, policy, "gaze");
    double fps = m->fps > 1 ? m->fps : 25;
    float decay = (float)exp(-1 / (fps * GAZE_SECONDS)), kick = sqrtf(1 - decay * decay);
    float across = mdm_random_normal(&random), down = mdm_random_normal(&random);
    for (int f = 0; f < m->count; f++) {
        float scale = policy->gaze == MDM_REDRAW;
        for (int e = 0; e < 2; e++) {
            m->gaze[f][e][0] = (e ? -1.0f : 1.0f) * scale * GAZE_ACROSS * mdm_clampf(across, -2, 2);
            m->gaze[f][e][1] = scale * GAZE_DOWN * mdm_clampf(down, -2, 2);
        }
        across = decay * across + kick * mdm_random_normal(&random);
        down = decay * down + kick * mdm_random_normal(&random);
    }
}

static void coarsen_gaze(mdm_motion *m)
{
    for (int f = 0; f < m->count; f++)
        for (int e = 0; e < 2; e++)
            for (int k = 0; k < 2; k++)
                m->gaze[f][e][k] = GAZE_STEP * roundf(m->gaze[f][e][k] / GAZE_STEP);
}

void mdm_motion_redraw(mdm_motion *motion, const mdm_motion_policy *policy, const mdm_canonical *canonical)
{
    if (!plays(policy->expression)) /* the portrait's own */
        memset(motion->correction.rest, 0, sizeof motion->correction.rest);
    if (!plays(policy->expression) || !plays(policy->mouth) || !plays(policy->eyes))
        redraw_shape(motion, policy, canonical);
    if (!plays(policy->eyes))
        redraw_eyes(motion, policy);
    if (!plays(policy->gaze))
        redraw_gaze(motion, policy);
    else if (policy->gaze == MDM_COARSEN)
        coarsen_gaze(motion);
}
