/* Tests of jobs that processes share, with stand-in stages: however many shards or claimers, and whoever of them is killed, stopped
 * or started twice, the dataset is that of one process alone. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/options.h"
#include "base/random.h"
#include "pipeline/jobs.h"
#include "pipeline/manifest.h"

static int begin(void **state)
{
    mdm_log_set(MDM_LOG_ERROR, false);
    mdm_pool_catch_signals(); /* here, so that no child is signalled before it does */
    return make_folder(state);
}

/* Persons shared by clips, stand-ins drawn again over several rounds, a clip that fails in analysis and one that fails later. */
static void some_recordings(void)
{
    mdm_remove_tree(scratch("in"), false);
    record("in/holiday.mp4", "faces 2\nwho alice bob\nage 50-59\nretry 1\n");
    record("in/zoo.mp4", "faces 1\nwho alice\nage 20-29\n");
    record("in/car.mp4", "faces 0\n");
    record("in/b.mp4", "faces 1\nwho carol\nretry 2\n");
    record("in/c.mp4", "faces 1\nwho dora\nfail find\n");
    record("in/d.mp4", "faces 3\nwho emil fritz gina\n# d\n");
    record("in/e.mp4", "faces 1\nwho hans\ncrash compose\n");
    record("in/f.mp4", "faces 1\nwho ida\nretry 9\n");
}

/* The dataset of one process alone, as its list of checksums; caller frees. */
static char *alone(const char *out)
{
    mdm_settings settings = settings_for(out);
    mdm_job_result result;
    char name[64];
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 6);
    assert_int_equal(result.failed, 2);
    snprintf(name, sizeof name, "%s/dataset/SHA256SUMS", out);
    return text_of(name);
}

static void assert_same(const char *out, const char *expected)
{
    char name[64];
    snprintf(name, sizeof name, "%s/dataset/SHA256SUMS", out);
    char *got = text_of(name);
    assert_string_equal(got, expected);
    free(got);
    snprintf(name, sizeof name, "%s/private/work", out);
    assert_false(mdm_file_exists(scratch(name)));
    snprintf(name, sizeof name, "%s/private/claims", out);
    assert_false(mdm_file_exists(scratch(name)));
}

static void shards_give_the_bytes_of_one_process(void **state)
{
    (void)state;
    some_recordings();
    char *expected = alone("one");
    mdm_job_result result;
    for (int count = 1; count <= 3; count++) {
        char out[16];
        snprintf(out, sizeof out, "of%d", count);
        mdm_settings settings = settings_for(out);
        assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
        assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_ERR_AGAIN);
        for (int i = count - 1; i >= 0; i--) { /* in no special order */
            snprintf(settings.shard, sizeof settings.shard, "%d/%d", i, count);
            assert_int_equal(run(&result, &settings, MDM_GOAL_APPLY), MDM_OK);
            assert_int_equal(result.exit_code, 0);
        }
        settings.shard[0] = '\0';
        if (run(&result, &settings, MDM_GOAL_MERGE) != MDM_OK)
            fail_msg("%s", mdm_error_message());
        assert_int_equal(result.delivered, 6);
        assert_int_equal(result.failed, 2);
        assert_same(out, expected);
    }
    free(expected);
}

static void analysis_can_be_shared_too(void **state)
{
    (void)state;
    some_recordings();
    char *expected = alone("one-a");
    mdm_settings settings = settings_for("analysis");
    mdm_job_result result;
    for (int i = 0; i < 2; i++) {
        snprintf(settings.shard, sizeof settings.shard, "%d/2", i);
        if (run(&result, &settings, MDM_GOAL_PLAN) != MDM_OK)
            fail_msg("%s", mdm_error_message());
    }
    settings.seed = 99; /* is not the job that was begun */
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_ERR_USAGE);
    settings = settings_for("analysis");
    assert_int_equal(mdm_job_run(&result, &settings, NULL, 0, MDM_GOAL_PLAN), MDM_OK);
    settings.claim = true;
    assert_int_equal(run(&result, &settings, MDM_GOAL_APPLY), MDM_OK);
    settings.claim = false;
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_OK);
    assert_same("analysis", expected);
    free(expected);
}

/* ---- processes ---- */

static int delay_us = 2000; /* of each stage */

static pid_t start(const mdm_settings *settings, mdm_job_goal goal)
{
    pid_t pid = fork();
    if (pid == 0) {
        mdm_job_result result;
        double_delay_us = delay_us;
        mdm_log_set(MDM_LOG_ERROR, false);
        const mdm_status status = run(&result, settings, goal);
        _exit(status == MDM_OK ? result.exit_code : mdm_exit_code(status));
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static void no_unit_was_done_twice(const char *out)
{
    char **names;
    size_t count;
    char name[64], seen[64][32];
    size_t clips = 0;
    snprintf(name, sizeof name, "%s/dataset/train", out);
    assert_int_equal(mdm_list_folder(&names, &count, scratch(name)), MDM_OK);
    for (size_t i = 0; i < count; i++) {
        assert_null(strstr(names[i], ".tmp"));
        if (strncmp(names[i], "clip-", 5) != 0)
            continue;
        for (size_t k = 0; k < clips; k++)
            assert_string_not_equal(seen[k], names[i]);
        snprintf(seen[clips++], sizeof seen[0], "%s", names[i]);
    }
    mdm_names_free(&names, count);
}

static void kills_lose_nothing(void **state)
{
    (void)state;
    some_recordings();
    char *expected = alone("one-k");
    mdm_random random;
    mdm_random_seed(&random, 11, "kills of many");
    mdm_settings settings = settings_for("killed");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
    settings.claim = true;
    pid_t pids[3] = {0};
    int kills = 0, done = 0;
    const char *full = getenv("MMDM_KILLS");
    const int wanted = full ? (int)strtol(full, NULL, 10) : 12;
    /* Three share the work; again and again one of them dies and another comes, until enough have. */
    while (!done) {
        for (int i = 0; i < 3; i++)
            if (!pids[i])
                pids[i] = start(&settings, MDM_GOAL_APPLY);
        pause_us((long)(mdm_random_uniform(&random) * 60000));
        const int victim = (int)(mdm_random_uniform(&random) * 3) % 3;
        int status;
        for (int i = 0; i < 3; i++)
            if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 75))
                    fail_msg("a process ended with %#x", (unsigned)status);
                done = done || status == 0;
                pids[i] = 0;
            }
        if (!done && kills < wanted && pids[victim]) {
            kill(pids[victim], SIGKILL);
            end_of(pids[victim]);
            pids[victim] = 0;
            kills++;
        }
    }
    for (int i = 0; i < 3; i++)
        if (pids[i])
            end_of(pids[i]);
    settings.claim = false;
    if (run(&result, &settings, MDM_GOAL_MERGE) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    assert_same("killed", expected);
    no_unit_was_done_twice("killed");
    assert_true(kills >= 3);
    print_message("%d kills\n", kills);
    free(expected);
}

/* A process that is held up longer than its lease is taken for dead; what it does when it comes back counts for nothing. */
static void one_taken_for_dead_comes_back(void **state)
{
    (void)state;
    some_recordings();
    char *expected = alone("one-z");
    mdm_settings settings = settings_for("zombie");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
    settings.claim = true;
    settings.lease = 1;
    pid_t held = start(&settings, MDM_GOAL_APPLY);
    pause_us(15000);
    kill(held, SIGSTOP); /* its workers go on: they write into the folders of its claims */
    assert_int_equal(end_of(start(&settings, MDM_GOAL_APPLY)), 0);
    kill(held, SIGCONT);
    const int code = end_of(held);
    assert_true(code == 0 || code == 75);
    settings.claim = false;
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_OK);
    assert_same("zombie", expected);
    free(expected);
}

static void a_drained_process_hands_on_what_it_finished(void **state)
{
    (void)state;
    some_recordings();
    char *expected = alone("one-d");
    mdm_settings settings = settings_for("drained");
    mdm_job_result result;
    settings.lease = 3600; /* given back, not run out */
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
    snprintf(settings.shard, sizeof settings.shard, "0/1");
    static const int signals[] = {SIGTERM, SIGUSR1, SIGINT};
    delay_us = 20000;
    for (int i = 0; i < 3; i++) {
        pid_t pid = start(&settings, MDM_GOAL_APPLY);
        pause_us(8000 + 6000 * i);
        kill(pid, signals[i]);
        assert_int_equal(end_of(pid), 75);
    }
    delay_us = 2000;
    assert_int_equal(end_of(start(&settings, MDM_GOAL_APPLY)), 0);
    settings.shard[0] = '\0';
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_OK);
    assert_same("drained", expected);
    free(expected);
}

/* ---- clips as told ---- */

typedef struct told {
    const char *ids[4];
    int next, ok, failed;
} told;

static bool next_told(void *user, char id[24])
{
    told *t = user;
    if (!t->ids[t->next])
        return false;
    snprintf(id, 24, "%s", t->ids[t->next++]);
    return true;
}

static void hear(void *user, const char *id, mdm_status status, const char *message)
{
    (void)id, (void)message;
    told *t = user;
    t->ok += status == MDM_OK;
    t->failed += status != MDM_OK;
}

static void a_worker_does_what_it_is_told(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    record("in/b.mp4", "faces 1\n# b\n");
    mdm_settings settings = settings_for("told");
    mdm_job_result result;
    told t = {.ids = {"clip-0002", "clip-0099", "clip-0001"}};
    const mdm_job_orders orders = {next_told, hear, &t};
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
    assert_int_equal(mdm_job_serve(&settings, &orders), MDM_OK);
    assert_int_equal(t.ok, 2);
    assert_int_equal(t.failed, 1);
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_OK);
    assert_int_equal(result.delivered, 2);
}

static void what_was_changed_after_it_was_made_is_not_merged(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    mdm_settings settings = settings_for("changed");
    mdm_job_result result;
    char **names, *path = NULL;
    size_t count;
    assert_int_equal(run(&result, &settings, MDM_GOAL_PLAN), MDM_OK);
    settings.claim = true;
    assert_int_equal(run(&result, &settings, MDM_GOAL_APPLY), MDM_OK);
    settings.claim = false;
    assert_int_equal(mdm_list_folder(&names, &count, scratch("changed/private/work")), MDM_OK);
    for (size_t i = 0; i < count; i++)
        if (strstr(names[i], ".r."))
            assert_int_equal(mdm_format(&path, "%s/%s/masked.mp4", scratch("changed/private/work"), names[i]), MDM_OK);
    mdm_names_free(&names, count);
    assert_non_null(path);
    char *before;
    size_t size;
    assert_int_equal(mdm_file_read((unsigned char **)&before, &size, path, 1 << 20), MDM_OK);
    assert_int_equal(mdm_file_write(path, "other", 5), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "is not what its maker wrote"));
    assert_int_equal(mdm_file_write(path, before, size), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_MERGE), MDM_OK);
    free(before);
    mdm_free(&path);
}

/* ---- shards and the manifest ---- */

static void shards_are_read_from_words_and_engines(void **state)
{
    (void)state;
    mdm_shard shard;
    static const char *const bad[] = {"4/4", "-1/4", "1", "a/b", "1/0", "1/4x", "/4", "1/", "1/99999999999999999999"};
    assert_int_equal(mdm_shard_parse(&shard, ""), MDM_OK);
    assert_int_equal(shard.count, 0);
    assert_int_equal(mdm_shard_parse(&shard, "1/4"), MDM_OK);
    assert_int_equal(shard.index, 1);
    assert_int_equal(shard.count, 4);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(mdm_shard_parse(&shard, bad[i]), MDM_ERR_USAGE);
    static const struct {
        const char *names[3], *values[3];
        int index, count;
    } engines[] = {
        {{"MMDM_SHARD_INDEX", "MMDM_SHARD_COUNT"}, {"2", "5"}, 2, 5},
        {{"JOB_COMPLETION_INDEX", "MMDM_SHARD_COUNT"}, {"0", "3"}, 0, 3},
        {{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"}, {"12", "4", "10"}, 2, 4},
        {{"SLURM_PROCID", "SLURM_NTASKS"}, {"1", "2"}, 1, 2},
        {{"PBS_ARRAY_INDEX", "MMDM_SHARD_COUNT"}, {"1", "2"}, 1, 2},
        {{"SGE_TASK_ID", "SGE_TASK_LAST", "SGE_TASK_FIRST"}, {"3", "4", "1"}, 2, 4},
        {{"AWS_BATCH_JOB_ARRAY_INDEX", "MMDM_SHARD_COUNT"}, {"1", "2"}, 1, 2},
        {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"1", "2"}, 1, 2},
        {{"RANK", "WORLD_SIZE"}, {"7", "8"}, 7, 8},
    };
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++)
        for (int v = 0; v < 3; v++)
            if (engines[e].names[v])
                unsetenv(engines[e].names[v]);
    assert_int_equal(mdm_shard_parse(&shard, "auto"), MDM_ERR_USAGE);
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++) {
        setenv("SGE_TASK_ID", "undefined", 1); /* what Grid Engine says outside an array */
        for (int v = 0; v < 3; v++)
            if (engines[e].names[v])
                setenv(engines[e].names[v], engines[e].values[v], 1);
        assert_int_equal(mdm_shard_parse(&shard, "auto"), MDM_OK);
        assert_int_equal(shard.index, engines[e].index);
        assert_int_equal(shard.count, engines[e].count);
        for (int v = 0; v < 3; v++)
            if (engines[e].names[v])
                unsetenv(engines[e].names[v]);
    }
    setenv("JOB_COMPLETION_INDEX", "1", 1);
    assert_int_equal(mdm_shard_parse(&shard, "auto"), MDM_ERR_USAGE);
    assert_non_null(strstr(mdm_error_message(), "MMDM_SHARD_COUNT"));
    unsetenv("JOB_COMPLETION_INDEX");
}

static void clips_are_dealt_evenly(void **state)
{
    (void)state;
    double weights[500], load[7] = {0}, most = 0, least = 1e9, heaviest = 0;
    int shard_of[500];
    mdm_random random;
    mdm_random_seed(&random, 5, "weights");
    for (int i = 0; i < 500; i++) {
        weights[i] = 1 + 600 * mdm_random_uniform(&random);
        heaviest = weights[i] > heaviest ? weights[i] : heaviest;
    }
    assert_int_equal(mdm_shard_deal(shard_of, weights, 500, 7), MDM_OK);
    for (int i = 0; i < 500; i++) {
        assert_in_range(shard_of[i], 0, 6);
        load[shard_of[i]] += weights[i];
    }
    for (int s = 0; s < 7; s++) {
        most = load[s] > most ? load[s] : most;
        least = load[s] < least ? load[s] : least;
    }
    assert_true(most - least <= heaviest);
    /* More shards than clips: nothing is dealt twice or left. */
    assert_int_equal(mdm_shard_deal(shard_of, weights, 3, 50), MDM_OK);
    assert_true(shard_of[0] != shard_of[1] && shard_of[1] != shard_of[2] && shard_of[0] != shard_of[2]);
}

static void a_damaged_manifest_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char head[] = "{\"version\":1,\"measure\":\"seconds\",\"clips\":1}\n";
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char good[512], line[1024];
    snprintf(good, sizeof good,
             "{\"id\":\"clip-0001\",\"sha256\":\"%s\",\"path\":\"/a\",\"start\":0,\"end\":0,\"weight\":3.5}\n", hash);
    const char *const bad[] = {
        "",
        "x\n",
        "[]\n",
        "{}\n",
        "{\"path\":\"/a\"}\n",
        "{\"path\":\"/a\",\"status\":-1}\n",
        "{\"path\":\"/a\",\"status\":77}\n",
        "{\"id\":\"clip-../"
        "x\",\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"path\":\"/a\"}\n",
        "{\"id\":\"clip-1\",\"sha256\":\"0123\",\"path\":\"/a\"}\n",
    };
    double *weights;
    size_t count;
    snprintf(line, sizeof line, "%s%s", head, good);
    assert_int_equal(mdm_file_write(scratch("m"), line, strlen(line)), MDM_OK);
    assert_int_equal(mdm_manifest_weights(&weights, &count, scratch("m")), MDM_OK);
    assert_int_equal(count, 1);
    assert_true(weights[0] == 3.5);
    mdm_free(&weights);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "%s%s", head, bad[i]);
        assert_int_equal(mdm_file_write(scratch("m"), line, strlen(line)), MDM_OK);
        assert_int_equal(mdm_manifest_weights(&weights, &count, scratch("m")), MDM_ERR_INPUT);
        assert_non_null(strstr(mdm_error_message(), "m:2:"));
    }
}

/* ---- cards ---- */

static mdm_status tell_card(mdm_worker *worker, void *user)
{
    (void)user;
    const char *card = getenv("CUDA_VISIBLE_DEVICES");
    const double value = card ? strtod(card, NULL) : -1;
    pause_us(300000); /* so that each of three workers does one */
    return mdm_worker_numbers(worker, &value, 1);
}

static mdm_status add_card(void *user, size_t task, const double *values, size_t count)
{
    (void)task;
    assert_int_equal(count, 1);
    ((int *)user)[(int)values[0]]++;
    return MDM_OK;
}

static void each_worker_sees_one_card(void **state)
{
    (void)state;
    int seen[8] = {0};
    mdm_task tasks[3] = {
        {.name = "a", .work = tell_card}, {.name = "b", .work = tell_card}, {.name = "c", .work = tell_card}};
    const mdm_pool_events events = {.numbers = add_card, .user = seen};
    const mdm_pool_limits limits = {3, 0, 60};
    setenv("CUDA_VISIBLE_DEVICES", "5,2,7", 1);
    assert_int_equal(mdm_pool_run(tasks, 3, &limits, &events), MDM_OK);
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_true(seen[5] == 1 && seen[2] == 1 && seen[7] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_give_the_bytes_of_one_process),
        cmocka_unit_test(analysis_can_be_shared_too),
        cmocka_unit_test(kills_lose_nothing),
        cmocka_unit_test(one_taken_for_dead_comes_back),
        cmocka_unit_test(a_drained_process_hands_on_what_it_finished),
        cmocka_unit_test(a_worker_does_what_it_is_told),
        cmocka_unit_test(what_was_changed_after_it_was_made_is_not_merged),
        cmocka_unit_test(shards_are_read_from_words_and_engines),
        cmocka_unit_test(clips_are_dealt_evenly),
        cmocka_unit_test(a_damaged_manifest_is_refused_with_its_line),
        cmocka_unit_test(each_worker_sees_one_card),
    };
    return cmocka_run_group_tests(tests, begin, remove_folder);
}
