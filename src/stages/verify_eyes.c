/* Counting blinks and closed eyes. Both sides are read by the same rules, each against its own usual opening. */
#include "stages/verify_eyes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"

/* Of the track's median opening. An eye that is half shut trembles by 0.035 from frame to frame, as the mesh reads it: with a
 * single limit one long closure became two wherever it rested near that limit. The gap is three times the trembling. */
#define BLINK_SHUT   0.5f
#define BLINK_OPEN   0.6f
#define BLINK_FRAMES 2   /* at least, shut: the mesh dips under the limit for one frame where eyes look down or aside */
#define BLINK_NEAR   2   /* frames between the middles of a blink and its match */
#define OPEN_RANK    0.9 /* share of frames in which the eyes are less open than "open" */
#define SHUT_SHARE   0.3 /* of that: under it an eye counts as closed (PERCLOS, P70) */
#define FEWEST       5   /* frames */

enum { MAX_BLINKS = 4096 };

/* The openings of a side that were read, sorted. */
static int sorted(float *out, const float (*opening)[2], int count, int side)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (opening[i][side] >= 0)
            out[n++] = opening[i][side];
    mdm_sort(out, (size_t)n);
    return n;
}

/* Frames in the middle of each blink. */
static int find_blinks(int at[MAX_BLINKS], const float (*opening)[2], int count, int side, float usual)
{
    int blinks = 0;
    for (int i = 0; i < count;) {
        const int from = i;
        int shut = 0;
        if (opening[i][side] >= 0 && opening[i][side] < BLINK_SHUT * usual)
            while (i < count && opening[i][side] >= 0 && opening[i][side] < BLINK_OPEN * usual)
                shut += opening[i++][side] < BLINK_SHUT * usual;
        if (shut >= BLINK_FRAMES && blinks < MAX_BLINKS)
            at[blinks++] = (from + i - 1) / 2;
        i += i == from;
    }
    return blinks;
}

static int match(const int *a, int na, int *b, int nb)
{
    int matched = 0;
    for (int i = 0; i < na; i++)
        for (int k = 0; k < nb; k++)
            if (b[k] >= 0 && abs(a[i] - b[k]) <= BLINK_NEAR) {
                matched++;
                b[k] = -1; /* each blink is matched once */
                break;
            }
    return matched;
}

mdm_status mdm_eye_closures_add(mdm_eye_closures *sum, const float (*opening)[2], int count)
{
    float *buffer = NULL, usual[2], shut[2];
    int *at[2] = {NULL, NULL}, blinks[2];
    bool enough = true;
    mdm_status status = mdm_alloc(&buffer, (size_t)count, sizeof *buffer, "blinks");
    for (int side = 0; side < 2 && !status; side++) {
        int n = sorted(buffer, opening, count, side);
        enough = enough && n >= FEWEST;
        usual[side] = n ? buffer[n / 2] : 0;
        shut[side] = n ? (float)SHUT_SHARE * buffer[(int)(OPEN_RANK * (n - 1))] : 0;
        status = mdm_alloc(&at[side], MAX_BLINKS, sizeof(int), "blinks");
    }
    if (!status && enough) {
        for (int side = 0; side < 2; side++)
            sum->blinks[side] += blinks[side] = find_blinks(at[side], opening, count, side, usual[side]);
        sum->matched += match(at[0], blinks[0], at[1], blinks[1]);
        for (int i = 0; i < count; i++)
            if (opening[i][0] >= 0 && opening[i][1] >= 0) {
                sum->frames++;
                for (int side = 0; side < 2; side++)
                    sum->closed[side] += opening[i][side] < shut[side];
            }
    }
    mdm_free(&buffer);
    mdm_free(&at[0]);
    mdm_free(&at[1]);
    return status;
}
