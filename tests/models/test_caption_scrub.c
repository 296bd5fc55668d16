/* What is taken out of captions, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "common/fetched.h"
#include "common/ok.h"
#include "models/caption_scrub.h"

static void personal_data_goes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scrubbed;
    } cases[] = {
        {"A man drives a car.\nHe yawns.", "A man drives a car. He yawns."},
        {"A sign reads \"Joe's Diner\" behind her.", "A sign reads [TEXT] behind her."},
        {"The badge says 'Maria' and the cap \xe2\x80\x9cNYPD\xe2\x80\x9d.",
         "The badge says [TEXT] and the cap [TEXT]."},
        {"The driver's hands don't leave the wheel.", "The driver's hands don't leave the wheel."},
        {"A man named Robert waves.", "A man named [NAME] waves."},
        {"The phone number 555-0173-4429 is seen on a van.", "The phone number [PHONE] is seen on a van."},
        {"a \"quote that never ends", "a \"quote that never ends"},
        {"", ""},
    };
    mdm_name_lists *lists = NULL;
    need_file(models(), "common-words.txt");
    need_file(models(), "first-names-male.txt");
    ok(mdm_name_lists_load(&lists, models()));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out = NULL;
        int found = 0;
        ok(mdm_caption_scrub(&out, &found, cases[i].text, lists));
        assert_string_equal(out, cases[i].scrubbed);
        mdm_free(&out);
    }
    mdm_name_lists_free(&lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(personal_data_goes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
