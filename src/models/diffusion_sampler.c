/* Samplers of diffusion networks: the table of noise levels, then one step function for each kind. */
#include "models/diffusion_sampler.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

const char *const mdm_sampler_names[MDM_SAMPLER_KINDS] = {"euler", "euler-a", "ddim", "dpm++2m"};

const mdm_noise_schedule mdm_noise_schedule_sd = {
    .train_steps = 1000,
    .beta_start = 0.00085,
    .beta_end = 0.012,
    .scaled = true,
    .spacing = MDM_SPACING_LEADING,
    .offset = 1,
};

/* One step: from noise level `sigma` at `time` to `next`. */
typedef struct step {
    float time;
    double sigma, next;
} step;

struct mdm_sampler {
    mdm_sampler_kind kind;
    float clip;
    bool velocity;
    int steps;
    double start; /* the first latent is noise times this */
    step *step;
};

/* ---- noise levels ---- */

/* sigma [train_steps]: noise level of each time of the training, sqrt((1 - a) / a) with a the product of 1 - beta */
static void training_levels(double *sigma, const mdm_noise_schedule *s)
{
    const double from = s->scaled ? sqrt(s->beta_start) : s->beta_start;
    const double to = s->scaled ? sqrt(s->beta_end) : s->beta_end;
    double kept = 1;
    for (int i = 0; i < s->train_steps; i++) {
        double beta = from + (to - from) * i / (s->train_steps - 1);
        kept *= 1 - (s->scaled ? beta * beta : beta);
        sigma[i] = sqrt((1 - kept) / kept);
    }
}

/* Time of step i. The solver of second order counts one step more and leaves the last one out. */
static double step_time(const mdm_noise_schedule *s, mdm_sampler_kind kind, int i, int steps)
{
    const bool second_order = kind == MDM_SAMPLER_DPMPP_2M;
    const int intervals = second_order ? steps : steps - 1;
    const int left = intervals - i; /* steps from here to the last time */
    switch (s->spacing) {
    case MDM_SPACING_LEADING:
        return (double)left * (s->train_steps / (intervals + 1)) + s->offset;
    case MDM_SPACING_TRAILING:
        return rint(s->train_steps - i * ((double)s->train_steps / steps)) - 1;
    case MDM_SPACING_LINSPACE:
        break;
    }
    double time = intervals ? (double)(s->train_steps - 1) * left / intervals : 0;
    return second_order || kind == MDM_SAMPLER_DDIM ? rint(time) : time; /* Euler's times may be fractions */
}

/* The level at a time between those of the training. */
static double level_at(const double *sigma, int count, double time)
{
    if (time <= 0)
        return sigma[0];
    if (time >= count - 1)
        return sigma[count - 1];
    const int i = (int)time;
    return sigma[i] + (sigma[i + 1] - sigma[i]) * (time - i);
}

/* The time at which the training has this level, between times by its logarithm. */
static double time_at(const double *sigma, int count, double level)
{
    int i = 0;
    while (i < count - 2 && sigma[i + 1] <= level)
        i++;
    const double share = log(level / sigma[i]) / log(sigma[i + 1] / sigma[i]);
    return i + fmin(fmax(share, 0), 1);
}

static void space_as_karras(mdm_sampler *out, const double *sigma, int count)
{
    const bool whole = out->kind == MDM_SAMPLER_DPMPP_2M;
    const int steps = out->steps;
    const double from = pow(whole ? sigma[count - 1] : out->step[0].sigma, 1.0 / 7),
                 to = pow(whole ? sigma[0] : out->step[steps - 1].sigma, 1.0 / 7);
    for (int i = 0; i < steps; i++) {
        const double level = pow(from + (to - from) * i / (steps > 1 ? steps - 1 : 1), 7),
                     time = time_at(sigma, count, level);
        out->step[i] = (step){.time = (float)(whole ? rint(time) : time), .sigma = level};
    }
}

static void fill_steps(mdm_sampler *out, const mdm_noise_schedule *s, const double *sigma)
{
    const int steps = out->steps, count = s->train_steps;
    for (int i = 0; i < steps; i++) {
        out->step[i].time = (float)step_time(s, out->kind, i, steps);
        out->step[i].sigma = level_at(sigma, count, (double)out->step[i].time);
    }
    if (s->karras)
        space_as_karras(out, sigma, count);
    for (int i = 0; i < steps; i++) {
        out->step[i].next = i + 1 < steps ? out->step[i + 1].sigma : 0;
        if (out->kind == MDM_SAMPLER_DDIM) { /* goes by time, whatever the next step's is */
            int to = (int)out->step[i].time - count / steps;
            out->step[i].next = to >= 0 ? sigma[to] : s->end_clean ? 0 : sigma[0];
        }
    }
    const bool euler = out->kind == MDM_SAMPLER_EULER || out->kind == MDM_SAMPLER_EULER_ANCESTRAL;
    const double first = out->step[0].sigma;
    out->start = euler && s->spacing != MDM_SPACING_LEADING ? first : sqrt(first * first + 1);
}

static mdm_status check(const mdm_noise_schedule *s, mdm_sampler_kind kind, int steps)
{
    if (s->train_steps < 2 || s->train_steps > 100000 || !(s->beta_start > 0) || !(s->beta_end >= s->beta_start) ||
        !(s->beta_end < 1) || s->offset < 0 || s->offset >= s->train_steps || !(s->clip >= 0))
        return mdm_fail(MDM_ERR_INPUT, "a noise schedule of %d steps with betas %g to %g, offset %d", s->train_steps,
                        s->beta_start, s->beta_end, s->offset);
    if (s->karras && kind != MDM_SAMPLER_EULER && kind != MDM_SAMPLER_DPMPP_2M)
        return mdm_fail(MDM_ERR_USAGE, "Karras' noise levels with sampler %s, expected euler or dpm++2m",
                        mdm_sampler_names[kind]);
    const int most = kind == MDM_SAMPLER_DPMPP_2M ? s->train_steps - 1 : s->train_steps;
    if (steps < 1 || steps > most)
        return mdm_fail(MDM_ERR_USAGE, "%d steps with sampler %s, expected 1 to %d", steps, mdm_sampler_names[kind],
                        most);
    return MDM_OK;
}

mdm_status mdm_sampler_new(mdm_sampler **out, mdm_sampler_kind kind, const mdm_noise_schedule *schedule, int steps)
{
    mdm_sampler *s = NULL;
    double *sigma = NULL;
    *out = NULL;
    MDM_TRY(check(schedule, kind, steps));
    MDM_TRY(mdm_alloc(&s, 1, sizeof *s, "sampler"));
    s->kind = kind;
    s->steps = steps;
    s->clip = schedule->clip;
    s->velocity = schedule->velocity;
    mdm_status status = mdm_alloc(&s->step, (size_t)steps, sizeof *s->step, "sampler");
    if (!status)
        status = mdm_alloc(&sigma, (size_t)schedule->train_steps, sizeof *sigma, "noise levels");
    if (!status) {
        training_levels(sigma, schedule);
        fill_steps(s, schedule, sigma);
    }
    mdm_free(&sigma);
    if (status)
        mdm_sampler_free(&s);
    *out = s;
    return status;
}

void mdm_sampler_free(mdm_sampler **sampler)
{
    if (!*sampler)
        return;
    mdm_free(&(*sampler)->step);
    mdm_free(sampler);
}

int mdm_sampler_steps(const mdm_sampler *sampler)
{
    return sampler->steps;
}

float mdm_sampler_time(const mdm_sampler *sampler, int i)
{
    return i < sampler->steps ? sampler->step[i].time : 0;
}

double mdm_sampler_sigma(const mdm_sampler *sampler, int i)
{
    return i < sampler->steps ? sampler->step[i].sigma : sampler->step[sampler->steps - 1].next;
}

int mdm_sampler_first_step(const mdm_sampler *sampler, double strength)
{
    int run = (int)(sampler->steps * strength);
    return sampler->steps - (run < 0 ? 0 : run > sampler->steps ? sampler->steps : run);
}

/* ---- steps ---- */

/* The picture under way: x, the network's noise in it, its estimate of the clean picture now and one step before. */
typedef struct state {
    float *x, *noise, *clean, *before;
    size_t count;
    double last_sigma; /* of `before`; 0: there is none */
} state;

/* Straight on towards the clean picture. */
static void step_euler(state *s, double sigma, double next)
{
    const float change = (float)(next - sigma);
    for (size_t i = 0; i < s->count; i++)
        s->x[i] += s->noise[i] * change;
}

/* Further down than asked, and up again with fresh noise. */
static void step_ancestral(state *s, double sigma, double next, mdm_random *random)
{
    const double up = sqrt(next * next * (sigma * sigma - next * next) / (sigma * sigma));
    step_euler(s, sigma, sqrt(next * next - up * up));
    for (size_t i = 0; i < s->count; i++)
        s->x[i] += mdm_random_normal(random) * (float)up;
}

static void step_ddim(state *s, double next)
{
    for (size_t i = 0; i < s->count; i++)
        s->x[i] = s->clean[i] + s->noise[i] * (float)next;
}

/* Along the line through this estimate of the clean picture and the one before, in log sigma. */
static void step_dpmpp(state *s, double sigma, double next)
{
    if (next == 0) { /* of first order, and all the way */
        memcpy(s->x, s->clean, s->count * sizeof *s->x);
        return;
    }
    const double h = log(sigma / next), ratio = s->last_sigma > 0 ? log(s->last_sigma / sigma) / h : 0;
    const float keep = (float)(next / sigma), go = (float)-expm1(-h), bend = ratio > 0 ? (float)(0.5 / ratio) : 0;
    for (size_t i = 0; i < s->count; i++) {
        float aim = s->clean[i] + bend * (s->clean[i] - s->before[i]);
        s->x[i] = keep * s->x[i] + go * aim;
    }
}

/* Asks the network about x at a step's level; fills noise and clean. `clean` holds its input meanwhile. */
static mdm_status predict(state *s, const mdm_sampler *sampler, const mdm_sampler_run *run, const step *at)
{
    const float in = (float)(1 / sqrt(at->sigma * at->sigma + 1)), sigma = (float)at->sigma,
                clip = sampler->kind == MDM_SAMPLER_DDIM ? sampler->clip : 0;
    for (size_t i = 0; i < s->count; i++)
        s->clean[i] = s->x[i] * in;
    MDM_TRY(run->predict(run->user, s->noise, s->clean, at->time));
    for (size_t i = 0; i < s->count && sampler->velocity; i++)
        s->noise[i] = in * (s->noise[i] + sigma * s->clean[i]); /* v = in noise - sigma in picture */
    for (size_t i = 0; i < s->count; i++) {
        float clean = s->x[i] - sigma * s->noise[i];
        s->clean[i] = clip > 0 ? fminf(fmaxf(clean, -clip), clip) : clean;
    }
    return MDM_OK;
}

/* x at level `from` as if it had been kept at level `to`: the networks are shown x / sqrt(sigma^2 + 1), which stays. */
static void relevel(state *s, double from, double to)
{
    const float factor = (float)sqrt((to * to + 1) / (from * from + 1));
    for (size_t i = 0; i < s->count && from != to; i++)
        s->x[i] *= factor;
}

static mdm_status solve(const mdm_sampler *sampler, state *s, int first, const mdm_sampler_run *run)
{
    for (int i = first; i < sampler->steps; i++) {
        const step *at = &sampler->step[i];
        MDM_TRY(predict(s, sampler, run, at));
        switch (sampler->kind) {
        case MDM_SAMPLER_EULER:
            step_euler(s, at->sigma, at->next);
            break;
        case MDM_SAMPLER_EULER_ANCESTRAL:
            step_ancestral(s, at->sigma, at->next, run->random);
            break;
        case MDM_SAMPLER_DDIM:
            step_ddim(s, at->next);
            relevel(s, at->next, i + 1 < sampler->steps ? at[1].sigma : 0);
            break;
        default:
            step_dpmpp(s, at->sigma, at->next);
        }
        if (run->watch)
            MDM_TRY(run->watch(run->watcher, s->clean, i + 1 - first));
        float *spare = s->before;
        s->before = s->clean;
        s->clean = spare;
        s->last_sigma = at->sigma;
        if (!mdm_progress_update(run->progress, i + 1 - first, sampler->steps - first))
            return mdm_fail(MDM_ERR_CANCELLED, "cancelled after step %d of %d", i + 1, sampler->steps);
    }
    return MDM_OK;
}

mdm_status mdm_sampler_draw(const mdm_sampler *sampler, float *latent, const float *from, size_t count, int first,
                            const mdm_sampler_run *run)
{
    float *memory = NULL;
    size_t total;
    if (first < 0 || first > sampler->steps || (sampler->kind == MDM_SAMPLER_EULER_ANCESTRAL && !run->random))
        return mdm_fail(MDM_ERR_INTERNAL, "sampler from step %d of %d", first, sampler->steps);
    if (!mdm_mul_size(&total, count, 3))
        return mdm_fail(MDM_ERR_MEMORY, "a latent of %zu values", count);
    if (first == sampler->steps) { /* nothing is to change */
        memcpy(latent, from ? from : latent, count * sizeof *latent);
        return MDM_OK;
    }
    MDM_TRY(mdm_alloc(&memory, total, sizeof *memory, "latents"));
    state s = {.x = latent, .noise = memory, .clean = memory + count, .before = memory + 2 * count, .count = count};
    const float scale = (float)(from ? sampler->step[first].sigma : sampler->start);
    for (size_t i = 0; i < count; i++)
        latent[i] = (from ? from[i] : 0) + scale * latent[i];
    mdm_status status = solve(sampler, &s, first, run);
    mdm_free(&memory);
    return status;
}
