/* Personal data in clean text: recall on marked sentences (half of them held out when the rules were written), and how
 * much of other speech is taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/personal_text.h"

enum { MAX_WORDS = 64, MAX_TEXT = 512 };

/* One sentence of personal.tsv: the words without the marks, and which mark each is in (0: none). */
typedef struct sentence {
    char text[MAX_TEXT];
    mdm_word words[MAX_WORDS];
    int mark[MAX_WORDS];
    char kinds[MAX_WORDS][16]; /* by mark number */
    size_t count;
    int marks;
} sentence;

typedef struct score {
    int spans, found, kinds_right, words, covered, other, cut;
} score;

static mdm_name_lists *lists;

static int load_lists(void **state)
{
    (void)state;
    const char *folder = getenv("MMDM_MODELS");
    if (mdm_name_lists_load(&lists, folder ? folder : MMDM_SOURCE_DIR "/.deps/models") != MDM_OK)
        print_message("%s\n", mdm_error_message());
    return 0;
}

static int free_lists(void **state)
{
    (void)state;
    mdm_name_lists_free(&lists);
    return 0;
}

/* "Call {name|Ada Byron}." to words and marks. */
static void parse(sentence *s, const char *line)
{
    memset(s, 0, sizeof *s);
    size_t length = 0;
    int mark = 0;
    for (bool fresh = true; *line; line++) {
        if (*line == '{') {
            size_t kind = strcspn(line + 1, "|");
            mark = ++s->marks;
            memcpy(s->kinds[mark], line + 1, kind < 15 ? kind : 15);
            line += kind + 1;
        } else if (*line == '}') {
            mark = 0;
        } else if (*line == ' ') {
            s->text[length++] = '\0';
            fresh = true;
        } else {
            if (fresh) {
                s->words[s->count] = (mdm_word){s->text + length, (double)s->count, (double)s->count + 1, 1};
                s->mark[s->count++] = mark;
                fresh = false;
            }
            s->text[length++] = *line;
        }
    }
}

static void run(score *total, const char *id, const sentence *s, bool print)
{
    mdm_personal_span *spans = NULL;
    size_t count = 0;
    assert_int_equal(mdm_personal_find(&spans, &count, s->words, s->count, lists), MDM_OK);
    bool covered[MAX_WORDS] = {0}, miss = false, extra = false;
    for (size_t i = 0; i < count; i++)
        for (size_t w = spans[i].first; w <= spans[i].last; w++)
            covered[w] = true;
    for (int m = 1; m <= s->marks; m++) {
        bool whole = true, kind = false;
        for (size_t w = 0; w < s->count; w++)
            whole = whole && (s->mark[w] != m || covered[w]);
        for (size_t i = 0; i < count; i++)
            kind =
                kind || (s->mark[spans[i].first] == m && !strcmp(mdm_personal_kind_name(spans[i].kind), s->kinds[m]));
        total->spans++;
        total->found += whole;
        total->kinds_right += kind;
        miss = miss || !whole;
    }
    for (size_t w = 0; w < s->count; w++) {
        total->words += s->mark[w] > 0;
        total->covered += s->mark[w] > 0 && covered[w];
        total->other += s->mark[w] == 0;
        total->cut += s->mark[w] == 0 && covered[w];
        extra = extra || (s->mark[w] == 0 && covered[w]);
    }
    if (print && (miss || extra)) {
        char *out = NULL;
        assert_int_equal(mdm_personal_redact(&out, s->words, s->count, spans, count), MDM_OK);
        print_message("%s %s%s: %s\n", id, miss ? "missed" : "", extra ? " too much" : "", out);
        mdm_free(&out);
    }
    mdm_free(&spans);
}

static void report(const char *name, const score *s)
{
    print_message("%-22s recall %3d/%3d = %.3f (words %.3f, kinds %.3f), other words cut %d/%d = %.2f %%\n", name,
                  s->found, s->spans, s->spans ? (double)s->found / s->spans : 1.0,
                  s->words ? (double)s->covered / s->words : 1.0, s->spans ? (double)s->kinds_right / s->spans : 1.0,
                  s->cut, s->other, 100.0 * s->cut / s->other);
}

static void recall_on_clean_text(void **state)
{
    (void)state;
    if (!lists)
        skip();
    unsigned char *data = NULL;
    size_t size = 0;
    assert_int_equal(mdm_file_read(&data, &size, MMDM_SOURCE_DIR "/tests/models/data/personal.tsv", 1 << 20), MDM_OK);
    score dev = {0}, held = {0}, last = {0};
    bool show_last = getenv("MMDM_SHOW_LAST") != NULL; /* looking at them ends their being held out */
    for (char *line = strtok((char *)data, "\n"); line; line = strtok(NULL, "\n")) {
        char *set = strchr(line, '\t'), *text = set ? strchr(set + 1, '\t') : NULL;
        if (line[0] == '#' || !text)
            continue;
        *set++ = *text++ = '\0';
        sentence s;
        parse(&s, text);
        score *into = strcmp(set, "dev") == 0 ? &dev : strcmp(set, "held") == 0 ? &held : &last;
        run(into, line, &s, into != &last || show_last);
    }
    mdm_free(&data);
    report("sentences seen", &dev);
    report("held out at first", &held);
    report("held out to the end", &last);
    score all = {0};
    const score *const parts[] = {&dev, &held, &last};
    for (size_t i = 0; i < 3; i++) {
        all.spans += parts[i]->spans;
        all.found += parts[i]->found;
        all.kinds_right += parts[i]->kinds_right;
        all.words += parts[i]->words;
        all.covered += parts[i]->covered;
        all.other += parts[i]->other;
        all.cut += parts[i]->cut;
    }
    report("all", &all);
    assert_true(all.found >= 0.98 * all.spans);
    assert_true(all.cut <= 0.02 * all.other);
}

static void placeholders_keep_the_sentence(void **state)
{
    (void)state;
    sentence s;
    parse(&s, "My number is five five five oh one two three, call me.");
    mdm_personal_span *spans = NULL;
    size_t count = 0;
    assert_int_equal(mdm_personal_find(&spans, &count, s.words, s.count, NULL), MDM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(spans[0].kind, MDM_PERSONAL_PHONE);
    char *out = NULL;
    assert_int_equal(mdm_personal_redact(&out, s.words, s.count, spans, count), MDM_OK);
    assert_string_equal(out, "My number is [PHONE], call me.");
    mdm_free(&out);
    mdm_free(&spans);
}

static void no_words_no_spans(void **state)
{
    (void)state;
    mdm_personal_span *spans = NULL;
    size_t count = 9;
    assert_int_equal(mdm_personal_find(&spans, &count, NULL, 0, NULL), MDM_OK);
    assert_int_equal(count, 0);
    mdm_free(&spans);
    mdm_word odd[] = {{"", 0, 1, 1},  {"-", 1, 2, 1},  {"---", 2, 3, 1},
                      {"@", 3, 4, 1}, {"'s", 4, 5, 1}, {"5-", 5, 6, 1}};
    assert_int_equal(mdm_personal_find(&spans, &count, odd, 6, NULL), MDM_OK);
    mdm_free(&spans);
}

static void overlays_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *reading;
        mdm_overlay_kind kind;
    } CASES[] = {
        {"AB12 CDE", MDM_OVERLAY_PLATE},
        {"AB12CDE", MDM_OVERLAY_PLATE},
        {"AB1Z CDE", MDM_OVERLAY_PLATE},
        {"B-MW 1234", MDM_OVERLAY_PLATE},
        {"7XYZ890", MDM_OVERLAY_PLATE},
        {"2024-05-17", MDM_OVERLAY_DATE},
        {"17/05/2024", MDM_OVERLAY_DATE},
        {"12 Mar 2021", MDM_OVERLAY_DATE},
        {"14:03:22", MDM_OVERLAY_TIME},
        {"2024-05-17 14:03:22", MDM_OVERLAY_TIME},
        {"54 km/h", MDM_OVERLAY_SPEED},
        {"031 MPH", MDM_OVERLAY_SPEED},
        {"N 48.8566 E 2.3522", MDM_OVERLAY_COORDINATES},
        {"37.77493, -122.41942", MDM_OVERLAY_COORDINATES},
        {"48\xC2\xB0"
         "51'24\"N 2\xC2\xB0"
         "21'8\"E",
         MDM_OVERLAY_COORDINATES},
        {"STOP", MDM_OVERLAY_NONE},
        {"EXIT", MDM_OVERLAY_NONE},
        {"Open 24", MDM_OVERLAY_NONE},
        {"Coffee", MDM_OVERLAY_NONE},
        {"", MDM_OVERLAY_NONE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        mdm_overlay_kind kind = mdm_personal_text_overlay(CASES[i].reading);
        if (kind != CASES[i].kind)
            print_message("\"%s\": kind %d, expected %d\n", CASES[i].reading, kind, CASES[i].kind);
        assert_int_equal(kind, CASES[i].kind);
    }
}

static void expect_heard(const mdm_word *words, size_t count, const char *expected)
{
    mdm_personal_span *spans = NULL;
    size_t span_count = 0;
    char *out = NULL;
    assert_int_equal(mdm_personal_find(&spans, &span_count, words, count, lists), MDM_OK);
    assert_int_equal(mdm_personal_redact(&out, words, count, spans, span_count), MDM_OK);
    assert_string_equal(out, expected);
    mdm_free(&out);
    mdm_free(&spans);
}

/* What a recogniser made of "People call me Bernadette", and unsure words where nothing personal is near. */
static void unsure_words_are_cut(void **state)
{
    (void)state;
    const mdm_word name[] = {{"People", 0, 1, .7f}, {"call", 1, 2, .9f}, {"me", 2, 3, .9f},
                             {"burn", 3, 4, .4f},   {"a", 4, 5, .2f},    {"dead.", 5, 6, .8f}};
    expect_heard(name, 6, "People call me [NAME] a dead.");
    const mdm_word plate[] = {{"Registration", 0, 1, .8f}, {"AB12", 1, 2, .9f}, {"CDE", 2, 3, .9f}, {"rkw", 3, 4, .2f}};
    expect_heard(plate, 4, "Registration [PLATE]");
    const mdm_word sure[] = {{"Turn", 0, 1, .9f}, {"left", 1, 2, .3f}, {"now", 2, 3, .4f}, {"please.", 3, 4, .9f}};
    expect_heard(sure, 4, "Turn left now please.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_on_clean_text), cmocka_unit_test(placeholders_keep_the_sentence),
        cmocka_unit_test(no_words_no_spans),    cmocka_unit_test(unsure_words_are_cut),
        cmocka_unit_test(overlays_by_kind),
    };
    return cmocka_run_group_tests(tests, load_lists, free_lists);
}
