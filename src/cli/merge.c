/* mmdm merge: what many machines made becomes the dataset. */
#include <stdio.h>

#include "cli/cli.h"

int mdm_cli_merge(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: merge takes only -o OUT\n");
        return 2;
    }
    mdm_catch_signals();
    mdm_status status = mdm_merge(&outcome, arguments->options);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}
