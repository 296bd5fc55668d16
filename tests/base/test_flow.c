/* The graph engine: order and times with any number of threads, queues that hold back, errors, cancelling, ends. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/flow.h"
#include "base/memory.h"

enum { PACKETS = 500 };

static atomic_int alive; /* packets that have not been released */

static void released(void *user, void *data)
{
    (void)user, (void)data;
    atomic_fetch_sub(&alive, 1);
}

static mdm_packet *numbered(int64_t time, void *data)
{
    mdm_packet *packet;
    atomic_fetch_add(&alive, 1);
    assert_int_equal(mdm_packet_new(&packet, time, data, released, NULL), MDM_OK);
    return packet;
}

/* Does nothing for a time that depends on the packet: turns of neighbouring nodes overlap differently every time. */
static void dawdle(int64_t time, int scale)
{
    const struct timespec t = {0, (long)(time * 7919 % 13) * scale};
    nanosleep(&t, NULL);
}

typedef struct source {
    int64_t next, step, count;
    atomic_int ahead, most; /* of the packets made and not yet seen by a sink */
    int dawdle;
} source;

static mdm_status make(void *user, mdm_turn *turn)
{
    source *s = user;
    if (s->next >= s->count * s->step) {
        turn->done = true;
        return MDM_OK;
    }
    dawdle(s->next, s->dawdle);
    const int ahead = atomic_fetch_add(&s->ahead, 1) + 1;
    if (ahead > atomic_load(&s->most))
        atomic_store(&s->most, ahead);
    const mdm_status status = mdm_turn_give(turn, 0, numbered(s->next, s));
    s->next += s->step;
    return status;
}

typedef struct middle {
    int dawdle, times; /* times: copies given of each packet; 0: kept until the end */
    int64_t fail_at;
    mdm_status status;
    mdm_packet *kept[PACKETS];
    int count;
} middle;

static mdm_status pass(void *user, mdm_turn *turn)
{
    middle *m = user;
    for (int i = 0; turn->last && i < m->count; i++)
        MDM_TRY(mdm_turn_give(turn, 0, m->kept[i]));
    if (turn->last)
        return MDM_OK;
    mdm_packet *packet = turn->in[0];
    dawdle(packet->time, m->dawdle);
    if (m->status && packet->time == m->fail_at)
        return mdm_fail(m->status, "packet %lld", (long long)packet->time);
    if (m->times == 0)
        m->kept[m->count++] = mdm_packet_keep(packet);
    for (int i = 0; i < m->times; i++)
        MDM_TRY(mdm_turn_give(turn, 0, mdm_packet_keep(packet)));
    return MDM_OK;
}

typedef struct sink {
    int64_t seen[4 * PACKETS];
    int from[4 * PACKETS]; /* bit per input that had a packet */
    int count, lasts, dawdle, most;
} sink;

static mdm_status swallow(void *user, mdm_turn *turn)
{
    sink *s = user;
    if (turn->last) {
        s->lasts++;
        return MDM_OK;
    }
    s->from[s->count] = 0;
    for (int i = 0; i < turn->inputs; i++) {
        if (!turn->in[i])
            continue;
        s->seen[s->count] = turn->in[i]->time;
        s->from[s->count] |= 1 << i;
        atomic_fetch_sub(&((source *)turn->in[i]->data)->ahead, 1);
        dawdle(turn->in[i]->time, s->dawdle);
    }
    turn->done = ++s->count == s->most;
    return MDM_OK;
}

static int add(mdm_flow *f, const char *name, mdm_status (*work)(void *, mdm_turn *), void *user, int queue)
{
    int id;
    assert_int_equal(mdm_flow_add(&id, f, &(mdm_flow_node){.name = name, .work = work, .user = user, .queue = queue}),
                     MDM_OK);
    return id;
}

/* source → middle → sink */
static mdm_status run_line(source *from, middle *through, sink *to, int queue, int threads)
{
    mdm_flow *f;
    assert_int_equal(mdm_flow_new(&f), MDM_OK);
    const int a = add(f, "source", make, from, 0), b = add(f, "middle", pass, through, queue),
              c = add(f, "sink", swallow, to, queue);
    assert_int_equal(mdm_flow_join(f, a, 0, b, 0), MDM_OK);
    assert_int_equal(mdm_flow_join(f, b, 0, c, 0), MDM_OK);
    const mdm_status status = mdm_flow_run(f, threads);
    mdm_node_report report;
    assert_true(mdm_flow_report(&report, f, b));
    assert_string_equal(report.name, "middle");
    if (status == MDM_OK)
        assert_int_equal(report.turns, from->count + 1);
    assert_true(report.most_waiting <= (queue ? queue : 5));
    assert_false(mdm_flow_report(&report, f, 3));
    mdm_flow_free(&f);
    assert_int_equal(atomic_load(&alive), 0);
    return status;
}

static void order_and_times_are_exact_with_any_number_of_threads(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++)
        for (int copies = 0; copies <= 3; copies++) {
            static sink to;
            memset(&to, 0, sizeof to);
            to.dawdle = 200 * (threads % 3);
            source from = {.step = 3, .count = PACKETS, .dawdle = 300 * (threads % 2)};
            middle through = {.times = copies, .dawdle = 250};
            assert_int_equal(run_line(&from, &through, &to, threads % 4, threads), MDM_OK);
            const int times = copies ? copies : 1;
            assert_int_equal(to.count, PACKETS * times);
            assert_int_equal(to.lasts, 1);
            for (int i = 0; i < to.count; i++)
                assert_int_equal(to.seen[i], 3 * (i / times));
        }
}

static void a_slow_node_holds_back_those_before_it(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        static sink to;
        memset(&to, 0, sizeof to);
        to.dawdle = 3000;
        source from = {.step = 1, .count = 200};
        middle through = {.times = 1};
        assert_int_equal(run_line(&from, &through, &to, 2, threads), MDM_OK);
        assert_int_equal(to.count, 200);
        assert_true(atomic_load(&from.most) <= 2 + 2 + 3); /* both queues, and one in every node's hands */
    }
}

static void an_error_ends_it_with_its_message(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        static const mdm_status statuses[] = {MDM_ERR_INPUT, MDM_ERR_CANCELLED};
        for (int k = 0; k < 2; k++) {
            static sink to;
            memset(&to, 0, sizeof to);
            source from = {.step = 1, .count = PACKETS};
            middle through = {.times = 1, .fail_at = 40, .status = statuses[k]};
            assert_int_equal(run_line(&from, &through, &to, 0, threads), statuses[k]);
            assert_string_equal(mdm_error_message(), "packet 40");
            assert_true(to.count <= 40);
        }
    }
}

static void a_node_that_wants_no_more_does_not_hold_up_the_others(void **state)
{
    (void)state;
    static sink few, all;
    memset(&few, 0, sizeof few);
    memset(&all, 0, sizeof all);
    few.most = 10;
    source from = {.step = 1, .count = PACKETS};
    mdm_flow *f;
    assert_int_equal(mdm_flow_new(&f), MDM_OK);
    const int a = add(f, "source", make, &from, 0), b = add(f, "few", swallow, &few, 1),
              c = add(f, "all", swallow, &all, 1);
    assert_int_equal(mdm_flow_join(f, a, 0, b, 0), MDM_OK);
    assert_int_equal(mdm_flow_join(f, a, 0, c, 0), MDM_OK); /* one output, two readers: the same packets by reference */
    assert_int_equal(mdm_flow_run(f, 3), MDM_OK);
    mdm_flow_free(&f);
    assert_int_equal(few.count, 10);
    assert_int_equal(all.count, PACKETS);
    assert_int_equal(atomic_load(&alive), 0);
}

/* Two sources of other lengths and speeds into one node. */
static void join_two(sink *to, mdm_join_order order, source from[2], int threads)
{
    mdm_flow *f;
    int c;
    memset(to, 0, sizeof *to);
    assert_int_equal(mdm_flow_new(&f), MDM_OK);
    const int a = add(f, "first", make, &from[0], 0), b = add(f, "second", make, &from[1], 0);
    assert_int_equal(mdm_flow_add(&c, f, &(mdm_flow_node){.name = "sink", .work = swallow, .user = to, .order = order}),
                     MDM_OK);
    assert_int_equal(mdm_flow_join(f, a, 0, c, 0), MDM_OK);
    assert_int_equal(mdm_flow_join(f, b, 0, c, 1), MDM_OK);
    assert_int_equal(mdm_flow_run(f, threads), MDM_OK);
    mdm_flow_free(&f);
    assert_int_equal(atomic_load(&alive), 0);
}

static void several_inputs_come_in_step_or_in_order_of_time(void **state)
{
    (void)state;
    static sink to;
    for (int threads = 1; threads <= 4; threads++) {
        source from[2] = {{.step = 2, .count = 100, .dawdle = 2000}, {.step = 3, .count = 60}};
        join_two(&to, MDM_IN_STEP, from, threads);
        assert_int_equal(to.count, 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(to.from[i], i < 60 ? 3 : 1);
        source again[2] = {{.step = 2, .count = 100, .dawdle = 2000}, {.step = 3, .count = 60}};
        join_two(&to, MDM_IN_TIME, again, threads);
        assert_int_equal(to.count, 160);
        for (int i = 0, a = 0, b = 0; i < 160; i++) {
            const bool first = b == 60 || (a < 100 && 2 * a <= 3 * b);
            assert_int_equal(to.seen[i], first ? 2 * a : 3 * b);
            assert_int_equal(to.from[i], first ? 1 : 2);
            a += first, b += !first;
        }
    }
}

/* Gives 100 packets to its first output before the first to its second, as a file does that is badly interleaved. */
static mdm_status make_uneven(void *user, mdm_turn *turn)
{
    source *s = user;
    if (s->next == s->count) {
        turn->done = true;
        return MDM_OK;
    }
    atomic_fetch_add(&s->ahead, 1);
    const bool early = s->next < 100;
    const int64_t time = early ? s->next : s->next - 100;
    s->next++;
    return mdm_turn_give(turn, early ? 0 : 1, numbered(time, s));
}

static void uneven_streams_do_not_stand_still(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        static sink to;
        memset(&to, 0, sizeof to);
        source from = {.count = 200};
        mdm_flow *f;
        int c;
        assert_int_equal(mdm_flow_new(&f), MDM_OK);
        const int a = add(f, "source", make_uneven, &from, 0);
        assert_int_equal(
            mdm_flow_add(
                &c, f,
                &(mdm_flow_node){.name = "sink", .work = swallow, .user = &to, .order = MDM_IN_TIME, .queue = 2}),
            MDM_OK);
        assert_int_equal(mdm_flow_join(f, a, 0, c, 0), MDM_OK);
        assert_int_equal(mdm_flow_join(f, a, 1, c, 1), MDM_OK);
        assert_int_equal(mdm_flow_run(f, threads), MDM_OK);
        mdm_flow_free(&f);
        assert_int_equal(to.count, 200);
        for (int i = 0; i < 200; i++)
            assert_int_equal(to.seen[i], i / 2);
        assert_int_equal(atomic_load(&alive), 0);
    }
}

static void graphs_that_cannot_run_are_refused(void **state)
{
    (void)state;
    mdm_flow *f;
    middle through = {.times = 1};
    assert_int_equal(mdm_flow_new(&f), MDM_OK);
    const int a = add(f, "one", pass, &through, 0), b = add(f, "two", pass, &through, 0);
    assert_int_equal(mdm_flow_join(f, a, 0, b, 0), MDM_OK);
    assert_int_equal(mdm_flow_join(f, a, 0, b, 0), MDM_ERR_INTERNAL);
    assert_int_equal(mdm_flow_join(f, b, 0, a, 1), MDM_OK);
    assert_int_equal(mdm_flow_run(f, 2), MDM_ERR_INTERNAL); /* input 0 of one */
    assert_non_null(strstr(mdm_error_message(), "one: nothing is joined to input 0"));
    assert_int_equal(mdm_flow_join(f, b, 0, a, 0), MDM_OK);
    assert_int_equal(mdm_flow_run(f, 2), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "circles"));
    mdm_flow_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_times_are_exact_with_any_number_of_threads),
        cmocka_unit_test(a_slow_node_holds_back_those_before_it),
        cmocka_unit_test(an_error_ends_it_with_its_message),
        cmocka_unit_test(a_node_that_wants_no_more_does_not_hold_up_the_others),
        cmocka_unit_test(several_inputs_come_in_step_or_in_order_of_time),
        cmocka_unit_test(uneven_streams_do_not_stand_still),
        cmocka_unit_test(graphs_that_cannot_run_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
