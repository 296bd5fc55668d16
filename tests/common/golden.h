/* Values of a golden file, for the tests of the networks. Include after <cmocka.h>. */
#ifndef MDM_TESTS_GOLDEN_H
#define MDM_TESTS_GOLDEN_H

#include "base/memory.h"
#include "nn/tensor_file.h"

/* An array that must be there as f32: free with mdm_free. *array and *count (its number of values) may be NULL. */
static inline float *golden(const mdm_tensor_file *file, const char *name, const mdm_array **array, size_t *count)
{
    const mdm_array *found = mdm_tensor_file_find(file, name);
    float *values = NULL;
    assert_non_null(found);
    const size_t values_count = mdm_array_count(found);
    assert_int_equal(mdm_alloc(&values, values_count, sizeof *values, name), MDM_OK);
    assert_int_equal(mdm_array_to_f32(values, values_count, found), MDM_OK);
    if (count)
        *count = values_count;
    if (array)
        *array = found;
    return values;
}

#endif
