/* Numbers in order: sorted, in the middle, the largest, between limits. */
#ifndef MDM_BASE_ORDER_H
#define MDM_BASE_ORDER_H

#include <stddef.h>

/* Sorts in place, smallest first. */
void mdm_sort(float *values, size_t count);

/* What would stand at `index` < count if `values` were sorted; what is before it there is not larger, what is behind not smaller. In
 * linear time. */
float mdm_select(float *values, size_t count, size_t index);

/* The mean of the two in the middle where `count` is even; 0 of none. Rearranges `values`. */
float mdm_median(float *values, size_t count);

/* Which is the largest; the first of several. 0 where there is none. */
int mdm_largest(const double *values, int count);

static inline float mdm_clampf(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* 0 at `low` and before, 1 at `high` and after, smooth between. */
static inline float mdm_smoothstep(float x, float low, float high)
{
    float t = mdm_clampf((x - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
}

#endif
