/* Tests of whole jobs with stand-in stages: delivery, quarantine, dead workers, stand-ins drawn again, kill -9 and resume,
 * ids, locks, editing the plan, and that nothing of a source reaches the dataset. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/options.h"
#include "base/random.h"
#include "pipeline/jobs.h"

static int begin(void **state)
{
    mdm_log_set(MDM_LOG_ERROR, false);
    return make_folder(state);
}

static void six_recordings(void)
{
    mdm_remove_tree(scratch("in"), false);
    record("in/holiday.mp4", "faces 2\nwho alice bob\nage 50-59\n");
    record("in/zoo.mp4", "faces 1\nwho alice\nage 20-29\n");
    record("in/car.mp4", "faces 0\n");
    record("in/b.mp4", "faces 1\nwho carol\nretry 2\n");
    record("in/c.mp4", "faces 1\nwho dora\n# c\n");
    record("in/d.mp4", "faces 3\nwho emil fritz gina\n# d\n");
}

static void a_job_delivers_everything(void **state)
{
    (void)state;
    six_recordings();
    mdm_settings settings = settings_for("plain");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 6);
    assert_int_equal(result.exit_code, 0);
    assert_true(mdm_file_exists(scratch("plain/dataset/train/metadata.jsonl")));
    assert_true(mdm_file_exists(scratch("plain/dataset/audit/report.html")));
    assert_false(mdm_file_exists(scratch("plain/private/work")));
    struct stat info;
    assert_int_equal(stat(scratch("plain/private"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(scratch("plain/dataset/README.md"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);

    /* alice is one person in two clips. */
    json_t *plan, *person;
    size_t i, shared = 0;
    assert_int_equal(mdm_json_load(&plan, scratch("plain/private/plan.json"), 0), MDM_OK);
    json_array_foreach(json_object_get(plan, "persons"), i, person) shared +=
        json_object_size(json_object_get(person, "clips")) == 2;
    assert_int_equal(shared, 1);
    json_decref(plan);

    /* A second run has nothing to do. */
    char *before = text_of("plain/dataset/SHA256SUMS");
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 6);
    assert_false(mdm_file_exists(scratch("plain/private/work/clip-0001")));
    char *after = text_of("plain/dataset/SHA256SUMS");
    assert_string_equal(before, after);
    free(before), free(after);
}

/* Every file of the dataset is searched for words that only sources and private files hold. */
static void assert_free_of(const char *folder, const char *const *words, size_t count)
{
    char **names;
    size_t n;
    assert_int_equal(mdm_list_folder(&names, &n, folder), MDM_OK);
    for (size_t i = 0; i < n; i++) {
        char *path;
        struct stat info;
        assert_int_equal(mdm_join_path(&path, folder, names[i]), MDM_OK);
        assert_int_equal(stat(path, &info), 0);
        if (S_ISDIR(info.st_mode)) {
            assert_free_of(path, words, count);
        } else {
            unsigned char *text;
            size_t size;
            assert_int_equal(mdm_file_read(&text, &size, path, 1 << 24), MDM_OK);
            for (size_t w = 0; w < count; w++)
                if (memmem(text, size, words[w], strlen(words[w])))
                    fail_msg("%s holds \"%s\"", path, words[w]);
            mdm_free(&text);
        }
        mdm_free(&path);
    }
    mdm_names_free(&names, n);
}

static void nothing_of_a_source_is_in_the_dataset(void **state)
{
    (void)state;
    six_recordings();
    record("in/secret-name.mp4", "hold\n# e\n");
    mdm_settings settings = settings_for("clean");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.quarantined, 1);
    assert_int_equal(result.exit_code, 3);
    char hash[65];
    mdm_sha256_file(hash, scratch("in/holiday.mp4"));
    const char *words[] = {"holiday", "zoo.mp4", "secret-name", "SECRET-AGE", "told to", folder, hash, "private/"};
    assert_free_of(scratch("clean/dataset"), words, sizeof words / sizeof words[0]);
    assert_true(mdm_file_exists(scratch("clean/private/quarantine")));
    char *report = text_of("clean/dataset/audit/report.json");
    assert_non_null(strstr(report, "\"timing\""));
    free(report);
}

static void bad_clips_do_not_harm_others(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    record("in/b.mp4", "crash compose\n# b\n");
    record("in/c.mp4", "fail find\n# c\n");
    record("in/empty.mp4", "");
    record("in/notes.txt", "not a video");
    mdm_settings settings = settings_for("bad");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.clips, 4);
    assert_int_equal(result.delivered, 1);
    assert_int_equal(result.failed, 3);
    assert_int_equal(result.exit_code, 3);
    mdm_remove_tree(scratch("in/a.mp4"), false);
    settings = settings_for("allbad");
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 0);
    assert_true(result.exit_code == 65 || result.exit_code == 70);
    assert_false(mdm_file_exists(scratch("allbad/dataset")));
}

static void persons_who_are_recognised_get_another_stand_in(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\nretry 2\n");
    record("in/b.mp4", "faces 1\nretry 9\n");
    mdm_settings settings = settings_for("retry");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 2);
    json_t *plan, *person;
    size_t i, covered = 0, redrawn = 0;
    assert_int_equal(mdm_json_load(&plan, scratch("retry/private/plan.json"), 0), MDM_OK);
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        covered += strcmp(json_string_value(json_object_get(person, "action")), "cover") == 0;
        redrawn += json_integer_value(json_object_get(json_object_get(person, "standin"), "attempt")) == 2;
    }
    json_decref(plan);
    assert_int_equal(covered, 1);
    assert_int_equal(redrawn, 2);
}

/* Another stand-in would not be judged either: the first is covered at once. */
static void persons_nobody_can_judge_are_covered(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\nblind\n");
    mdm_settings settings = settings_for("blind");
    mdm_job_result result;
    json_t *plan;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 1);
    assert_int_equal(mdm_json_load(&plan, scratch("blind/private/plan.json"), 0), MDM_OK);
    const json_t *person = json_array_get(json_object_get(plan, "persons"), 0);
    assert_string_equal(json_string_value(json_object_get(person, "action")), "cover");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(person, "standin"), "attempt")), 0);
    json_decref(plan);
}

/* Runs the job in a process of its own and kills it after `us`; true when it ended by itself first. */
static bool run_and_kill(const mdm_settings *settings, long us)
{
    pid_t pid = fork();
    if (pid == 0) {
        mdm_job_result result;
        double_delay_us = 2000;
        mdm_log_set(MDM_LOG_ERROR, false);
        _exit(run(&result, settings, MDM_GOAL_RUN) == MDM_OK && result.delivered == 6 ? 0 : 1);
    }
    for (long waited = 0; waited < us; waited += 1000) {
        int status;
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            assert_int_equal(status, 0);
            return true;
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return false;
}

static void a_killed_job_ends_with_the_same_bytes(void **state)
{
    (void)state;
    six_recordings();
    mdm_settings settings = settings_for("undisturbed");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    char *expected = text_of("undisturbed/dataset/SHA256SUMS");
    mdm_random random;
    mdm_random_seed(&random, 7, "kills");
    settings = settings_for("killed");
    settings.jobs = 3; /* bytes do not depend on it */
    int kills = 0;
    /* The wait grows so that the job gets to its end however slow the machine is. */
    for (long limit = 20000; !run_and_kill(&settings, (long)(mdm_random_uniform(&random) * (double)limit));
         limit += 4000) {
        kills++;
        char **names;
        size_t count;
        if (!mdm_file_exists(scratch("killed/dataset")))
            continue;
        assert_int_equal(mdm_list_folder(&names, &count, scratch("killed/dataset/train")), MDM_OK);
        for (size_t i = 0; i < count; i++)
            assert_null(strstr(names[i], ".tmp"));
        mdm_names_free(&names, count);
    }
    char *got = text_of("killed/dataset/SHA256SUMS");
    assert_string_equal(got, expected);
    assert_true(kills >= 3);
    print_message("%d kills\n", kills);
    free(got), free(expected);
}

static void ids_survive_new_recordings(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/b.mp4", "faces 1\nwho bob\n");
    mdm_settings settings = settings_for("ids");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    char *before = text_of("ids/dataset/train/clip-0001.mp4");
    for (int i = 0; i < 5; i++) {
        char name[32], text[64];
        snprintf(name, sizeof name, "in/more%d.mp4", i);
        snprintf(text, sizeof text, "faces 1\nwho %c\n# %d\n", 'p' + i, i);
        record(name, text);
    }
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 6);
    const char *where = mdm_file_exists(scratch("ids/dataset/train/clip-0001.mp4")) ? "ids/dataset/train/clip-0001.mp4"
                                                                                    : "ids/dataset/test/clip-0001.mp4";
    char *after = text_of(where);
    assert_string_equal(before, after);
    free(before), free(after);
}

static void an_option_runs_again_only_what_depends_on_it(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    mdm_settings settings = settings_for("options");
    mdm_job_result result;
    struct stat found, composed, again;
    settings.keep_work = true;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(stat(scratch("options/private/work/clip-0001/tracks.json"), &found), 0);
    assert_int_equal(stat(scratch("options/private/work/clip-0001/masked.mp4"), &composed), 0);
    settings.words = MDM_WORDS_TONE;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(stat(scratch("options/private/work/clip-0001/tracks.json"), &again), 0);
    assert_true(found.st_ino == again.st_ino);
    assert_int_equal(stat(scratch("options/private/work/clip-0001/masked.mp4"), &again), 0);
    assert_true(composed.st_ino != again.st_ino);
}

/* What the local page writes: decisions keep a clip out of the dataset, a changed motion and a covered region leave the portrait alone. */
static void what_a_person_changes_in_review_is_followed(void **state)
{
    static const char rejected[] = "{\"version\": 1, \"clips\": {\"clip-0001\": \"rejected\"}}", none[] = "{}",
                      motion[] = "{\"tracks\": []}";
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\nwho alice\n");
    record("in/b.mp4", "faces 1\nwho bob\n");
    mdm_settings settings = settings_for("review");
    mdm_job_result result;
    struct stat portrait, composed, again;
    settings.keep_work = true;
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 2);
    assert_int_equal(mdm_file_write(scratch("review/private/review.json"), rejected, sizeof rejected - 1), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 1);
    assert_int_equal(result.quarantined, 1);
    assert_int_equal(mdm_file_write(scratch("review/private/review.json"), none, sizeof none - 1), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(result.delivered, 2);

    assert_int_equal(stat(scratch("review/private/work/clip-0001/portraits.json"), &portrait), 0);
    assert_int_equal(stat(scratch("review/private/work/clip-0001/masked.mp4"), &composed), 0);
    assert_int_equal(
        mdm_file_write(scratch("review/private/work/clip-0001/motion-edit.json"), motion, sizeof motion - 1), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(stat(scratch("review/private/work/clip-0001/masked.mp4"), &again), 0);
    assert_true(composed.st_ino != again.st_ino);
    composed = again;
    json_t *plan;
    assert_int_equal(mdm_json_load(&plan, scratch("review/private/plan.json"), 0), MDM_OK);
    json_object_set_new(json_object_get(plan, "channels"), "cover", json_pack("[[i,i,i,i]]", 1, 2, 10, 10));
    assert_int_equal(mdm_json_save(plan, scratch("review/private/plan.json")), MDM_OK);
    json_decref(plan);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
    assert_int_equal(stat(scratch("review/private/work/clip-0001/masked.mp4"), &again), 0);
    assert_true(composed.st_ino != again.st_ino);
    assert_int_equal(stat(scratch("review/private/work/clip-0001/portraits.json"), &again), 0);
    assert_true(portrait.st_ino == again.st_ino);
}

static void a_plan_can_be_edited_between_analyze_and_apply(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    mdm_settings settings = settings_for("edit");
    mdm_job_result result;
    assert_int_equal(run(&result, &settings, MDM_GOAL_ANALYZE), MDM_OK);
    assert_false(mdm_file_exists(scratch("edit/dataset")));
    json_t *plan;
    assert_int_equal(mdm_json_load(&plan, scratch("edit/private/plan.json"), 0), MDM_OK);
    json_t *person = json_array_get(json_object_get(plan, "persons"), 0);
    json_object_set_new(json_object_get(person, "standin"), "seed_key", json_string("my-own-choice"));
    assert_int_equal(mdm_json_save(plan, scratch("edit/private/plan.json")), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_APPLY), MDM_OK);
    assert_int_equal(result.delivered, 1);
    char *video = text_of("edit/dataset/train/clip-0001.mp4");
    assert_non_null(strstr(video, "my-own-choice"));
    free(video);
    json_object_set_new(person, "action", json_string("explode"));
    assert_int_equal(mdm_json_save(plan, scratch("edit/private/plan.json")), MDM_OK);
    assert_int_equal(run(&result, &settings, MDM_GOAL_APPLY), MDM_ERR_CONFIG);
    assert_non_null(strstr(mdm_error_message(), "expected replace or cover"));
    json_decref(plan);
}

static void two_runs_do_not_collide(void **state)
{
    (void)state;
    mdm_remove_tree(scratch("in"), false);
    record("in/a.mp4", "faces 1\n# a\n");
    mdm_settings settings = settings_for("lock");
    mdm_job_result result;
    assert_int_equal(mdm_make_folder(scratch("lock/private"), 0700), MDM_OK);
    int fd = open(scratch("lock/private/lock"), O_CREAT | O_RDWR, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_ERR_AGAIN);
    assert_int_equal(mdm_exit_code(MDM_ERR_AGAIN), 75);
    close(fd);
    assert_int_equal(run(&result, &settings, MDM_GOAL_RUN), MDM_OK);
}

static void a_torn_journal_line_is_cut_off(void **state)
{
    (void)state;
    mdm_journal *journal;
    const char *id;
    assert_int_equal(mdm_journal_open(&journal, scratch("j")), MDM_OK);
    assert_int_equal(mdm_journal_clip_id(&id, journal, "aa"), MDM_OK);
    assert_string_equal(id, "clip-0001");
    assert_int_equal(mdm_journal_add_done(journal, "clip-0001", "find", "k"), MDM_OK);
    mdm_journal_free(&journal);
    FILE *file = fopen(scratch("j"), "a");
    fputs("{\"record\":\"done\",\"subj", file);
    fclose(file);
    assert_int_equal(mdm_journal_open(&journal, scratch("j")), MDM_OK);
    assert_true(mdm_journal_is_done(journal, "clip-0001", "find", "k"));
    assert_int_equal(mdm_journal_clip_id(&id, journal, "bb"), MDM_OK);
    assert_string_equal(id, "clip-0002");
    mdm_journal_free(&journal);
    assert_int_equal(mdm_journal_open(&journal, scratch("j")), MDM_OK);
    assert_int_equal(mdm_journal_forget(journal, "clip-0001", "find"), MDM_OK);
    assert_false(mdm_journal_is_done(journal, "clip-0001", "find", "k"));
    mdm_journal_free(&journal);
    char *text = text_of("j");
    text[3] = '#';
    assert_int_equal(mdm_file_write(scratch("j"), text, strlen(text)), MDM_OK);
    free(text);
    assert_int_equal(mdm_journal_open(&journal, scratch("j")), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "j:1:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_delivers_everything),
        cmocka_unit_test(nothing_of_a_source_is_in_the_dataset),
        cmocka_unit_test(bad_clips_do_not_harm_others),
        cmocka_unit_test(persons_who_are_recognised_get_another_stand_in),
        cmocka_unit_test(persons_nobody_can_judge_are_covered),
        cmocka_unit_test(a_killed_job_ends_with_the_same_bytes),
        cmocka_unit_test(ids_survive_new_recordings),
        cmocka_unit_test(an_option_runs_again_only_what_depends_on_it),
        cmocka_unit_test(what_a_person_changes_in_review_is_followed),
        cmocka_unit_test(a_plan_can_be_edited_between_analyze_and_apply),
        cmocka_unit_test(two_runs_do_not_collide),
        cmocka_unit_test(a_torn_journal_line_is_cut_off),
    };
    return cmocka_run_group_tests(tests, begin, remove_folder);
}
