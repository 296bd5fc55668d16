/* mmdm plan: checks an edited plan and says person by person what it will do. */
#include <stdio.h>

#include "cli/cli.h"

static void say(void *user, const char *line)
{
    (void)user;
    puts(line);
}

int mdm_cli_plan(const mdm_arguments *arguments)
{
    if (arguments->word_count != 1) {
        fprintf(stderr, "mmdm: usage: mmdm plan OUT/private/plan.json   (`mmdm analyze` makes it)\n");
        return 2;
    }
    mdm_status status = mdm_plan_tell(arguments->words[0], say, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
