/* Sorting, selecting, medians and the largest. */
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

/* Hoare's selection: NaNs stop both scans, so that these stay inside whatever is in `values`. */
float mdm_select(float *values, size_t count, size_t index)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        const float pivot = values[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            const float value = values[i];
            values[i++] = values[j];
            values[j--] = value;
        }
        /* values[low .. j] <= pivot <= values[j + 1 .. high], with the pivot at j where the scans met on it */
        if (index <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[index];
}

float mdm_median(float *values, size_t count)
{
    if (count < 1)
        return 0;
    const float upper = mdm_select(values, count, count / 2);
    if (count % 2)
        return upper;
    return (mdm_select(values, count / 2, count / 2 - 1) + upper) / 2;
}

int mdm_largest(const double *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}
