/* mmdm pack: the dataset again, from clips that are verified already. */
#include <stdio.h>

#include "cli/cli.h"

int mdm_cli_pack(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    if (arguments->word_count) {
        fprintf(stderr, "mmdm: pack takes only -o OUT\n");
        return 2;
    }
    mdm_status status = mdm_pack_again(&outcome, arguments->options);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}
