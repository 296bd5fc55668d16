/* The form about a person: its grammar and reading agree, and what counts as a contradiction. That a model keeps to the grammar is in
 * tests/stages/test_describe_words.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "models/person_form.h"

static const char form[] =
    "{\"origin\": \"Asian\", \"age\": \"adult\", \"gender\": \"female\", \"build\": \"slim\", \"eyewear\": \"wearing "
    "glasses\", "
    "\"hair_length\": \"long\", \"hair_style\": \"unknown\", \"hair_color\": \"black\", \"top_color\": \"white\", "
    "\"top\": \"shirt\", "
    "\"coat_color\": \"unknown\", \"coat\": \"unknown\", \"hat\": \"unknown\", \"style\": \"casual style\"}";

static void a_filled_form_is_a_caption(void **state)
{
    (void)state;
    mdm_caption caption, again;
    char text[MDM_CAPTION_TEXT];
    ok(mdm_form_read(&caption, form));
    mdm_caption_print(text, &caption, MDM_CAPTION_GROUPS);
    assert_string_equal(text,
                        "A Asian adult female, slim, wearing glasses, long black hair, white shirt, casual style");
    ok(mdm_caption_parse(&again, text)); /* it can be drawn from */
    json_t *fields = mdm_form_fields(&caption);
    assert_int_equal(json_object_size(fields), 10);
    assert_string_equal(json_string_value(json_object_get(fields, "hair_color")), "black");
    json_decref(fields);
}

static void half_a_form_is_refused(void **state)
{
    (void)state;
    mdm_caption caption;
    char other[sizeof form];
    assert_int_equal(mdm_form_read(&caption, "{\"origin\": \"Asian\", \"age"), MDM_ERR_INPUT);
    assert_int_equal(mdm_form_read(&caption, "{\"origin\": \"Asian\"}"), MDM_ERR_INPUT);
    assert_int_equal(mdm_form_read(&caption, "[]"), MDM_ERR_INPUT);
    memcpy(other, form, sizeof form);
    memcpy(strstr(other, "slim"), "John", 4);
    assert_int_equal(mdm_form_read(&caption, other), MDM_ERR_INPUT);
}

static void the_grammar_has_every_field_and_word(void **state)
{
    (void)state;
    mdm_buffer grammar = {0}, question = {0};
    ok(mdm_form_grammar(&grammar));
    ok(mdm_form_question(&question));
    assert_non_null(strstr((char *)grammar.data, "root ::= \"{\" \"\\\"origin\\\": \" f0 \", \\\"age\\\": \" f1"));
    assert_non_null(
        strstr((char *)grammar.data, "f2 ::= \"\\\"unknown\\\"\" | \"\\\"female\\\"\" | \"\\\"male\\\"\"\n"));
    assert_non_null(strstr((char *)question.data, "hair_color"));
    mdm_buffer_free(&grammar);
    mdm_buffer_free(&question);
}

static void contradictions(void **state)
{
    (void)state;
    mdm_caption caption;
    ok(mdm_form_read(&caption, form));
    static const struct {
        const char *context, *value, *said;
    } cases[] = {
        {"gender", "male", "female"},
        {"gender", "female", NULL},
        {"age", "30-39", NULL},
        {"age", "50-59", NULL},
        {"age", "70+", "adult"},
        {"age", "3-9", "adult"},
        {"race", "White", "Asian"},
        {"race", "East Asian", NULL},
        {"race", "Indian", NULL},
        {"glasses", "yes", NULL},
        {"glasses", "no", "wearing glasses"},
        {"age", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *said = mdm_form_contradicts(&caption, cases[i].context, cases[i].value);
        if (!said != !cases[i].said || (said && strcmp(said, cases[i].said)))
            fail_msg("%s %s: \"%s\"", cases[i].context, cases[i].value ? cases[i].value : "-", said ? said : "agrees");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filled_form_is_a_caption),
        cmocka_unit_test(half_a_form_is_refused),
        cmocka_unit_test(the_grammar_has_every_field_and_word),
        cmocka_unit_test(contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
