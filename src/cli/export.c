/* mmdm export: a finished dataset in the formats of other tools. */
#include <stdio.h>

#include "cli/cli.h"

static void say(void *user, bool left_out, const char *line)
{
    (void)user;
    fprintf(stderr, "mmdm: %s%s\n", left_out ? "not in the export: " : "", line);
}

int mdm_cli_export(const mdm_arguments *arguments)
{
    size_t left_out;
    if (arguments->word_count != 1) {
        fprintf(stderr,
                "mmdm: usage: mmdm export OUT --format LIST -o FOLDER   (OUT: the folder of `mmdm run -o`, or the "
                "dataset in it)\n");
        return 2;
    }
    mdm_status status = mdm_export_run(&left_out, arguments->options, arguments->words[0], say, NULL);
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    return left_out ? 3 : 0;
}
