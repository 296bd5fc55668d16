/* mmdm graph run: a graph of one's own. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void say(void *user, const char *json)
{
    (void)user;
    puts(json);
}

int mdm_cli_graph(const mdm_arguments *arguments)
{
    if (arguments->word_count != 2 || strcmp(arguments->words[0], "run") != 0) {
        fprintf(stderr, "mmdm: usage: mmdm graph run GRAPH.json\n");
        return 2;
    }
    mdm_catch_signals();
    const mdm_status status = mdm_run_graph(arguments->options, arguments->words[1], say, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
