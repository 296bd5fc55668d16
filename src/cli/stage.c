/* mmdm ingest, find, describe, transcribe, portrait, animate, compose, verify: one stage on one work folder, in this
 * process (no worker around it), for looking closely. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void say(void *user, const char *line)
{
    (void)user;
    puts(line);
}

int mdm_cli_stage(const mdm_arguments *arguments)
{
    bool ingest = strcmp(arguments->command, "ingest") == 0;
    if (arguments->word_count != (ingest ? 2 : 1)) {
        fprintf(stderr,
                "mmdm: usage: mmdm %s FOLDER%s   (FOLDER: a clip's work folder, such as OUT/private/work/clip-0001)\n",
                arguments->command, ingest ? " RECORDING" : "");
        return 2;
    }
    mdm_catch_signals();
    mdm_status status = mdm_stage_run_one(arguments->command, arguments->options, arguments->words[0],
                                          ingest ? arguments->words[1] : NULL);
    if (status == MDM_OK && strcmp(arguments->command, "verify") == 0)
        status = mdm_evidence_tell(arguments->words[0], say, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
