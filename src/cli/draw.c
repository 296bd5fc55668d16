/* mmdm portrait --backend NAME: a picture by a text-to-picture model, from words or from a plan. mmdm animate --backend NAME: a talking
 * portrait. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

bool mdm_cli_names_backend(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--backend") || !strncmp(argv[i], "--backend=", 10))
            return true;
    return false;
}

static int make(const mdm_arguments *arguments, mdm_status (*work)(const mdm_options *options), const char *from)
{
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: %s: with --backend, what is made is made from %s, not from a folder\n",
                arguments->words[0], from);
        return 2;
    }
    mdm_catch_signals();
    mdm_status status = work(arguments->options);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}

int mdm_cli_draw(const mdm_arguments *arguments)
{
    return make(arguments, mdm_draw_portrait, "--describe or --plan");
}

int mdm_cli_talk(const mdm_arguments *arguments)
{
    return make(arguments, mdm_animate_portrait, "--portrait and --audio");
}
