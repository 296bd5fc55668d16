/* Sorting, medians and the largest. */
#include "base/order.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void mdm_sort(float *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
}

float mdm_median(float *values, size_t count)
{
    if (count < 1)
        return 0;
    mdm_sort(values, count);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int mdm_largest(const double *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}
