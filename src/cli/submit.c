/* mmdm submit: the text an engine needs to share a planned job among machines. It is printed; nothing is started. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int mdm_cli_submit(const mdm_arguments *arguments)
{
    char *text;
    const char *print;
    mdm_status status = mdm_options_get(&print, arguments->options, "print");
    if (status == MDM_OK && (arguments->word_count != 1 || strcmp(print, "true") != 0)) {
        fprintf(stderr,
                "mmdm: usage: mmdm submit slurm|k8s|ray -o OUT --print   (for sbatch, kubectl apply -f - or python)\n");
        return 2;
    }
    if (status == MDM_OK)
        status = mdm_submit_text(&text, arguments->options, arguments->words[0]);
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    fputs(text, stdout);
    mdm_text_free(&text);
    return 0;
}
