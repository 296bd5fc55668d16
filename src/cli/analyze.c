/* mmdm analyze: up to the plan. */
#include "cli/cli.h"

int mdm_cli_analyze(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    mdm_catch_signals();
    mdm_status status = mdm_analyze(&outcome, arguments->options, arguments->words, (size_t)arguments->word_count);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}
