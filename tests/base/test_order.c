/* Selecting and medians against sorting. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/order.h"
#include "base/random.h"

enum { MOST = 400 };

/* Few different values, so that many are alike; rising, falling or in no order. */
static void fill(float *values, int count, int round, mdm_random *random)
{
    for (int i = 0; i < count; i++)
        values[i] = floorf((float)mdm_random_uniform(random) * (float)(1 + round % 50)) - 3;
    if (round % 5 == 0)
        mdm_sort(values, (size_t)count);
    for (int i = 0; round % 10 == 0 && i < count / 2; i++) {
        const float value = values[i];
        values[i] = values[count - 1 - i];
        values[count - 1 - i] = value;
    }
}

static void select_is_what_sorting_puts_there(void **state)
{
    (void)state;
    mdm_random random;
    mdm_random_seed(&random, 7, "select");
    for (int round = 0; round < 2000; round++) {
        float values[MOST], sorted[MOST];
        const int count = 1 + round % MOST, index = (int)(mdm_random_u64(&random) % (uint64_t)count);
        fill(values, count, round, &random);
        memcpy(sorted, values, sizeof sorted);
        mdm_sort(sorted, (size_t)count);
        assert_true(mdm_select(values, (size_t)count, (size_t)index) == sorted[index]);
        for (int i = 0; i < count; i++)
            assert_true(i < index ? values[i] <= values[index] : values[i] >= values[index]);
        mdm_sort(values, (size_t)count); /* nothing was lost */
        assert_memory_equal(values, sorted, (size_t)count * sizeof *values);
    }
}

static void medians(void **state)
{
    (void)state;
    float even[] = {9, 1, 4, 2}, odd[] = {3, 1, 2}, one[] = {5}, two[] = {8, 4};
    assert_true(mdm_median(even, 4) == 3);
    assert_true(mdm_median(odd, 3) == 2);
    assert_true(mdm_median(one, 1) == 5);
    assert_true(mdm_median(two, 2) == 6);
    assert_true(mdm_median(one, 0) == 0);
}

/* No order is promised then, only an end inside the array. */
static void select_survives_what_is_no_number(void **state)
{
    (void)state;
    for (size_t index = 0; index < 7; index++) {
        float values[] = {NAN, 2, NAN, -INFINITY, 1, NAN, INFINITY}, all[7];
        memset(all, 0xff, sizeof all); /* NaNs */
        mdm_select(values, 7, index);
        assert_true(isnan(mdm_select(all, 7, index)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_is_what_sorting_puts_there),
        cmocka_unit_test(medians),
        cmocka_unit_test(select_survives_what_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
