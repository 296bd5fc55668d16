/* mmdm doctor: what is installed, what can run, how to get the rest. */
#include <stdio.h>

#include "cli/cli.h"

static void say(void *user, const mdm_finding *finding)
{
    (void)user;
    printf("%-8s %-20s %s\n", finding->ready ? "ok" : "MISSING", finding->part, finding->detail);
    if (finding->remedy[0])
        printf("%-8s %-20s get it with: %s\n", "", "", finding->remedy);
}

int mdm_cli_doctor(const mdm_arguments *arguments)
{
    bool ready;
    mdm_status status = mdm_doctor(&ready, arguments->options, say, NULL);
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    puts(ready ? "\nmmdm run can work." : "\nmmdm run cannot work yet; see MISSING above.");
    return ready ? 0 : 69;
}
