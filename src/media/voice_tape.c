/* Strips of samples and windowed-sinc reading. */
#include "media/voice_tape.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

mdm_status mdm_tape_push(mdm_tape *tape, const float *samples, size_t count)
{
    size_t held = (size_t)(tape->end - tape->first);
    if (held + count > tape->room) {
        size_t room = (held + count) * 2;
        MDM_TRY(mdm_realloc(&tape->data, room, sizeof *tape->data, "voice samples"));
        tape->room = room;
    }
    if (samples)
        memcpy(tape->data + held, samples, count * sizeof *samples);
    else
        memset(tape->data + held, 0, count * sizeof *tape->data);
    tape->end += (int64_t)count;
    return MDM_OK;
}

void mdm_tape_drop(mdm_tape *tape, int64_t before)
{
    if (before <= tape->first)
        return;
    int64_t to = before < tape->end ? before : tape->end;
    /* moving a little often costs more than keeping it */
    if ((size_t)(to - tape->first) < tape->room / 2)
        return;
    memmove(tape->data, tape->data + (to - tape->first), (size_t)(tape->end - to) * sizeof *tape->data);
    tape->first = to;
}

void mdm_tape_free(mdm_tape *tape)
{
    if (tape->data)
        mdm_wipe(tape->data, tape->room * sizeof *tape->data);
    mdm_free(&tape->data);
}

float mdm_tape_at(const mdm_tape *tape, int64_t at)
{
    return at >= tape->first && at < tape->end ? tape->data[at - tape->first] : 0.0f;
}

float mdm_tape_sinc(const mdm_tape *tape, double at, double cutoff)
{
    const double pi = 3.14159265358979323846;
    int reach = (int)(MDM_SINC_HALF / cutoff);
    int64_t middle = (int64_t)floor(at);
    double fraction = at - (double)middle;
    if (fraction == 0.0 && cutoff == 1.0)
        return mdm_tape_at(tape, middle);
    /* sin(pi c (f - k)) and the window's cosine by rotation: two sines a sample instead of two a tap */
    double angle = pi * cutoff * (fraction + reach - 1), step = pi * cutoff;
    double s = sin(angle), c = cos(angle), step_s = sin(step), step_c = cos(step);
    double half = reach, sum = 0, total = 0;
    double w_angle = pi * (fraction + reach - 1) / half, w_step = pi / half;
    double ws = sin(w_angle), wc = cos(w_angle), w_step_s = sin(w_step), w_step_c = cos(w_step);
    for (int k = -reach + 1; k <= reach; k++) {
        double x = fraction - k;
        double sinc = fabs(x) < 1e-9 ? cutoff : s / (pi * x);
        double weight = fabs(x) < half ? sinc * (0.5 + 0.5 * wc) : 0;
        sum += weight * mdm_tape_at(tape, middle + k);
        total += weight;
        double next_s = s * step_c - c * step_s, next_c = c * step_c + s * step_s;
        s = next_s;
        c = next_c;
        double next_ws = ws * w_step_c - wc * w_step_s, next_wc = wc * w_step_c + ws * w_step_s;
        ws = next_ws;
        wc = next_wc;
    }
    return (float)(sum / total);
}
