/* Jobs shared by two threads: every one done once, failures in the list's order. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/share.h"

enum { JOBS = 1000 };

typedef struct work {
    atomic_int done[JOBS];
    pthread_t thread[MDM_SHARERS];
    atomic_bool known[MDM_SHARERS];
    atomic_int meeting;
    int bad[2]; /* jobs that fail */
} work;

static mdm_status mark(void *user, int item, int sharer)
{
    work *w = user;
    if (sharer < 0 || sharer >= MDM_SHARERS)
        return mdm_fail(MDM_ERR_INTERNAL, "sharer %d", sharer);
    if (!atomic_exchange(&w->known[sharer], true))
        w->thread[sharer] = pthread_self();
    if (!pthread_equal(w->thread[sharer], pthread_self())) /* what belongs to a sharer is one thread's */
        return mdm_fail(MDM_ERR_INTERNAL, "two threads with one number");
    atomic_fetch_add(&w->done[item], 1);
    return MDM_OK;
}

static void every_job_is_done_once(void **state)
{
    (void)state;
    static const int counts[] = {0, 1, 2, 3, JOBS};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        static work w;
        memset(&w, 0, sizeof w);
        assert_int_equal(mdm_share(counts[c], mark, &w), MDM_OK);
        for (int i = 0; i < JOBS; i++)
            assert_int_equal(atomic_load(&w.done[i]), i < counts[c]);
    }
}

/* Neither job returns before both have begun. */
static mdm_status meet(void *user, int item, int sharer)
{
    work *w = user;
    (void)item, (void)sharer;
    atomic_fetch_add(&w->meeting, 1);
    while (atomic_load(&w->meeting) < 2)
        sched_yield();
    return MDM_OK;
}

static void two_jobs_run_at_the_same_time(void **state)
{
    (void)state;
    static work w;
    assert_int_equal(mdm_share(2, meet, &w), MDM_OK);
}

static mdm_status fail_some(void *user, int item, int sharer)
{
    work *w = user;
    (void)sharer;
    atomic_fetch_add(&w->done[item], 1);
    return item == w->bad[0] || item == w->bad[1] ? mdm_fail(MDM_ERR_INPUT, "job %d", item) : MDM_OK;
}

static void the_first_failure_is_told(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        static work w;
        memset(&w, 0, sizeof w);
        w.bad[0] = 40, w.bad[1] = 41;
        assert_int_equal(mdm_share(JOBS, fail_some, &w), MDM_ERR_INPUT);
        assert_string_equal(mdm_error_message(), "job 40");
        assert_int_equal(atomic_load(&w.done[JOBS - 1]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_done_once),
        cmocka_unit_test(two_jobs_run_at_the_same_time),
        cmocka_unit_test(the_first_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
