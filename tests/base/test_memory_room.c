/* Memory that is left: the machine's, and less of it under a limit of the process. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory_room.h"

static void what_fits_and_what_does_not(void **state)
{
    (void)state;
    const size_t room = mdm_memory_room();
    assert_true(room > (size_t)1 << 20 && room < (size_t)1 << 50);
    assert_int_equal(mdm_memory_fits(1 << 10, "x", "y"), MDM_OK);
    assert_int_equal(mdm_memory_fits((size_t)1 << 60, "unet.safetensors", "take less"), MDM_ERR_MEMORY);
    assert_non_null(strstr(mdm_error_message(), "unet.safetensors needs at least 1152921504.6 GB"));
    assert_non_null(strstr(mdm_error_message(), "GB are free; take less"));
}

static void a_limit_of_the_process_counts(void **state)
{
    (void)state;
    int ended = 0;
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit data = {(rlim_t)1 << 28, (rlim_t)1 << 28};
        _exit(setrlimit(RLIMIT_DATA, &data) || mdm_memory_room() > (size_t)1 << 28 ||
              mdm_memory_fits((size_t)1 << 28, "x", "y") != MDM_ERR_MEMORY);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_and_what_does_not),
        cmocka_unit_test(a_limit_of_the_process_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
