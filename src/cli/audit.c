/* mmdm audit: measures a finished dataset again, without the recordings. */
#include <stdio.h>

#include "cli/cli.h"

static void say(void *user, bool fault, const char *line)
{
    (void)user;
    printf("%-6s %s\n", fault ? "FAULT" : "", line);
    fflush(stdout);
}

int mdm_cli_audit(const mdm_arguments *arguments)
{
    size_t faults;
    if (arguments->word_count != 1) {
        fprintf(stderr, "mmdm: usage: mmdm audit OUT   (OUT: the folder of `mmdm run -o`, or the dataset in it)\n");
        return 2;
    }
    mdm_status status = mdm_audit(&faults, arguments->options, arguments->words[0], say, NULL);
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    if (faults)
        printf("\n%zu faults: do not share it as it is.\n", faults);
    else
        puts("\nno fault found. That is what can be seen without the recordings: `mmdm verify` compares with them.");
    return faults ? 3 : 0;
}
