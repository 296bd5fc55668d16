/* mmdm portrait --backend NAME: one picture by a text-to-picture model, from words or from a plan. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

bool mdm_cli_draws(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--backend") || !strncmp(argv[i], "--backend=", 10))
            return true;
    return false;
}

int mdm_cli_draw(const mdm_arguments *arguments)
{
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: %s: --backend makes a picture from --describe or --plan, not from a folder\n",
                arguments->words[0]);
        return 2;
    }
    mdm_catch_signals();
    mdm_status status = mdm_draw_portrait(arguments->options);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
