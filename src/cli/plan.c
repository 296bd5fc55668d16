/* mmdm plan: checks an edited plan and says person by person what it will do; or, with -o, plans a job that many machines will
 * share. */
#include <stdio.h>

#include "cli/cli.h"

static void say(void *user, const char *line)
{
    (void)user;
    puts(line);
}

static int plan_job(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    mdm_catch_signals();
    mdm_status status = mdm_plan(&outcome, arguments->options, arguments->words, (size_t)arguments->word_count);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}

int mdm_cli_plan(const mdm_arguments *arguments)
{
    const char *out;
    if (mdm_options_get(&out, arguments->options, "output") == MDM_OK && *out)
        return plan_job(arguments);
    if (arguments->word_count != 1) {
        fprintf(stderr, "mmdm: usage: mmdm plan OUT/private/plan.json   (`mmdm analyze` makes it)\n"
                        "             mmdm plan INPUT... -o OUT         (for many machines)\n");
        return 2;
    }
    mdm_status status = mdm_plan_tell(arguments->words[0], say, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
