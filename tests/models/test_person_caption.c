/* People in words: order, cutting to the encoder's length, captions and structs into one another, stand-ins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/ok.h"
#include "models/person_caption.h"

#define TOKENIZER MMDM_SOURCE_DIR "/tests/nn/golden/clip-tokenizer"

/* The authors' own example of a caption, but for its capital. */
#define EXAMPLE                                                                                                        \
    "A full-body shot, a Asian adult male, fit, a city street, short straight black hair, white cotton long sleeve "   \
    "solid color normal shirt, blue denim long straight solid color jeans, white leather sneakers"

static void set(mdm_caption *c, int group, int field, const char *value)
{
    ok(mdm_caption_set(c, group, field, value));
}

static mdm_caption somebody(void)
{
    mdm_caption c = {.shot = "a headshot"};
    set(&c, MDM_CAPTION_TOP, 7, "shirt");
    set(&c, MDM_CAPTION_TOP, 1, "Cotton"); /* letters' case does not matter */
    set(&c, MDM_CAPTION_TOP, 0, "white");
    set(&c, MDM_CAPTION_HAIR, 2, "black");
    set(&c, MDM_CAPTION_HAIR, 0, "short");
    set(&c, MDM_CAPTION_BACKGROUND, 0, "a plain wall");
    set(&c, MDM_CAPTION_WHO, 2, "female");
    set(&c, MDM_CAPTION_WHO, 0, "European");
    set(&c, MDM_CAPTION_BODY, 0, "slim");
    set(&c, MDM_CAPTION_BELT, 0, "leather");
    return c;
}

static void identity_comes_first(void **state)
{
    (void)state;
    char text[MDM_CAPTION_TEXT];
    mdm_caption c = somebody();
    mdm_caption_print(text, &c, MDM_CAPTION_GROUPS);
    assert_string_equal(text,
                        "A headshot, a European female, slim, a plain wall, short black hair, white cotton shirt, "
                        "leather belt");
    mdm_caption_print(text, &c, 2);
    assert_string_equal(text, "A headshot, a European female, slim");
    mdm_caption_print(text, &c, 0);
    assert_string_equal(text, "A headshot");
    memset(&c, 0, sizeof c);
    mdm_caption_print(text, &c, MDM_CAPTION_GROUPS);
    assert_string_equal(text, "");
    assert_string_equal(mdm_caption_field(MDM_CAPTION_HAIR, 2), "hair color");
    assert_null(mdm_caption_field(MDM_CAPTION_HAIR, 4));
    assert_null(mdm_caption_field(MDM_CAPTION_GROUPS, 0));
}

static void captions_are_cut_by_groups(void **state)
{
    (void)state;
    char text[MDM_CAPTION_TEXT], whole[MDM_CAPTION_TEXT];
    int kept = 0;
    size_t tokens = 0;
    int32_t ids[77];
    mdm_clip_tokenizer *t = NULL;
    mdm_caption c = somebody();
    ok(mdm_clip_tokenizer_load(&t, TOKENIZER));
    ok(mdm_caption_fit(text, &c, t, 77, &kept));
    assert_int_equal(kept, 6);
    for (int length = 76; length > 14; length--) { /* the vocabulary is small: a caption has many tokens */
        ok(mdm_caption_fit(text, &c, t, length, &kept));
        ok(mdm_clip_tokenizer_encode(t, ids, 77, &tokens, text));
        assert_true(tokens <= (size_t)length);
        mdm_caption_print(whole, &c, kept);
        assert_string_equal(text, whole);
        if (kept < 6) { /* one group more would not have fitted */
            mdm_caption_print(whole, &c, kept + 1);
            ok(mdm_clip_tokenizer_encode(t, ids, 77, &tokens, whole));
            assert_true(tokens > (size_t)length);
        }
    }
    assert_true(kept < 6);
    assert_int_equal(mdm_caption_fit(text, &c, t, 3, &kept), MDM_ERR_INPUT);
    mdm_clip_tokenizer_free(&t);
}

static void captions_are_read_back(void **state)
{
    (void)state;
    char text[MDM_CAPTION_TEXT];
    mdm_caption c;
    ok(mdm_caption_parse(&c, EXAMPLE));
    assert_string_equal(c.shot, "a full-body shot");
    assert_string_equal(c.value[MDM_CAPTION_WHO][0], "Asian");
    assert_string_equal(c.value[MDM_CAPTION_BACKGROUND][0], "a city street");
    assert_string_equal(c.value[MDM_CAPTION_TOP][7], "shirt");
    assert_string_equal(c.value[MDM_CAPTION_BOTTOM][6], "jeans");
    assert_string_equal(c.value[MDM_CAPTION_SHOES][4], "sneakers");
    ok(mdm_caption_parse(&c, "black curly short hair, a adult Indian male, a headshot"));
    mdm_caption_print(text, &c, MDM_CAPTION_GROUPS);
    assert_string_equal(text, "A headshot, a Indian adult male, short curly black hair");
    ok(mdm_caption_parse(&c, "wearing glasses even light, a headshot"));
    mdm_caption_print(text, &c, MDM_CAPTION_GROUPS);
    assert_string_equal(text, "A headshot, even light wearing glasses");
    assert_int_equal(mdm_caption_parse(&c, "a headshot, a wall, another wall"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "another wall"));
    assert_int_equal(mdm_caption_parse(&c, "a wall, short short hair"), MDM_ERR_INPUT);
    assert_int_equal(mdm_caption_parse(&c, "a wall, shirt white"), MDM_ERR_INPUT); /* the noun comes last */
    ok(mdm_caption_parse(&c, ""));
}

/* Random people, as many as there are words for, come back as they were. */
static void everything_makes_the_round_trip(void **state)
{
    (void)state;
    char text[MDM_CAPTION_TEXT];
    mdm_random random;
    int groups_said = 0;
    mdm_random_seed(&random, 1, "captions");
    for (int turn = 0; turn < 500; turn++) {
        mdm_caption c = {0}, back;
        int count;
        const char *const *words = mdm_caption_words(&count, -1, 0);
        snprintf(c.shot, sizeof c.shot, "%s", words[(int)(mdm_random_uniform(&random) * count)]);
        for (int g = 0; g < MDM_CAPTION_GROUPS; g++) {
            int fields = 0, said = 0;
            while (mdm_caption_field(g, fields))
                fields++;
            if (mdm_random_uniform(&random) < 0.7) /* few enough groups for the room that a caption has */
                continue;
            for (int f = 0; f < fields; f++) {
                words = mdm_caption_words(&count, g, f);
                /* the noun always, one of a single word never: it goes without saying */
                bool noun = fields > 1 && f == fields - 1;
                if (noun ? count == 1 : mdm_random_uniform(&random) < 0.5)
                    continue;
                set(&c, g, f, words ? words[(int)(mdm_random_uniform(&random) * count)] : "a street at night");
                said++;
            }
            groups_said += said > 0;
        }
        mdm_caption_print(text, &c, MDM_CAPTION_GROUPS);
        assert_true(strlen(text) < MDM_CAPTION_TEXT - 1);
        ok(mdm_caption_parse(&back, text));
        if (memcmp(&c, &back, sizeof c) != 0) {
            char again[MDM_CAPTION_TEXT];
            mdm_caption_print(again, &back, MDM_CAPTION_GROUPS);
            fail_msg("\"%s\" comes back as \"%s\"", text, again);
        }
    }
    assert_true(groups_said > 1500);
}

static void words_must_be_declared(void **state)
{
    (void)state;
    mdm_caption c = {0};
    assert_int_equal(mdm_caption_set(&c, MDM_CAPTION_HAIR, 2, "purple"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "purple"));
    assert_int_equal(mdm_caption_set(&c, MDM_CAPTION_BACKGROUND, 0, "a wall, a man"), MDM_ERR_INPUT);
    assert_int_equal(mdm_caption_set(&c, MDM_CAPTION_HAIR, 7, "x"), MDM_ERR_INTERNAL);
    set(&c, MDM_CAPTION_HAIR, 2, "red");
    set(&c, MDM_CAPTION_HAIR, 2, ""); /* said no more */
    assert_string_equal(c.value[MDM_CAPTION_HAIR][2], "");
}

static void standins_are_described(void **state)
{
    (void)state;
    char a[MDM_CAPTION_TEXT], b[MDM_CAPTION_TEXT];
    mdm_random random;
    mdm_caption c, back;
    int differ = 0;
    for (int turn = 0; turn < 50; turn++) {
        for (int again = 0; again < 2; again++) {
            mdm_random_seed(&random, 7, "person-01");
            for (int skip = 0; skip < turn; skip++)
                (void)mdm_random_u64(&random);
            ok(mdm_caption_of_standin(&c, "30-39", "female", "White", false, &random));
            mdm_caption_print(again ? b : a, &c, MDM_CAPTION_GROUPS);
        }
        assert_string_equal(a, b); /* the same numbers, the same words */
        ok(mdm_caption_parse(&back, a));
        assert_memory_equal(&c, &back, sizeof c);
        assert_non_null(strstr(
            a, "A headshot, a European adult female, facing the camera neutral expression even light, a plain wall, "));
        mdm_random_seed(&random, 8, "person-02");
        ok(mdm_caption_of_standin(&c, "70+", "male", "Black", true, &random));
        mdm_caption_print(b, &c, MDM_CAPTION_GROUPS);
        assert_non_null(strstr(b, "a African elderly male"));
        assert_non_null(strstr(b, "even light wearing glasses, "));
        differ += strcmp(a, b) != 0;
    }
    assert_int_equal(differ, 50);
    ok(mdm_caption_of_standin(&c, NULL, NULL, "unheard of", false, &random)); /* not said */
    assert_string_equal(c.value[MDM_CAPTION_WHO][0], "");
    assert_string_equal(c.value[MDM_CAPTION_WHO][2], "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_comes_first),   cmocka_unit_test(captions_are_cut_by_groups),
        cmocka_unit_test(captions_are_read_back), cmocka_unit_test(everything_makes_the_round_trip),
        cmocka_unit_test(words_must_be_declared), cmocka_unit_test(standins_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
