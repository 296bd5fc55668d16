/* mmdm serve: the local page. */
#include <stdio.h>

#include "cli/cli.h"
#include "server/server.h"

static void say(void *user, const char *line)
{
    (void)user;
    puts(line);
    fflush(stdout);
}

int mdm_cli_serve(const mdm_arguments *arguments)
{
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: %s: recordings are chosen on the page; --root %s offers a folder\n", arguments->words[0],
                arguments->words[0]);
        return 2;
    }
    mdm_status status = mdm_serve(arguments->options, say, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
