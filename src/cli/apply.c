/* mmdm apply: on from an (edited) plan. */
#include <stdio.h>

#include "cli/cli.h"

int mdm_cli_apply(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: apply goes on with the recordings that were analysed: only -o OUT is needed\n");
        return 2;
    }
    mdm_catch_signals();
    mdm_status status = mdm_apply(&outcome, arguments->options);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}
