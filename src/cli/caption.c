/* mmdm caption CLIP...: what happens in clips, in words. */
#include <stdio.h>

#include "cli/cli.h"

/* How captions are printed: by themselves, or behind their clip's name where there are several. */
typedef struct printing {
    bool silent, named;
} printing;

static void print(void *user, const char *clip, const char *caption)
{
    const printing *p = user;
    if (p->silent)
        return;
    if (p->named)
        printf("%s: ", clip);
    printf("%s\n", caption);
    fflush(stdout);
}

int mdm_cli_caption(const mdm_arguments *arguments)
{
    const char *json = "false", *output = "";
    if (arguments->word_count == 0) {
        fprintf(stderr, "mmdm: usage: mmdm caption CLIP... --model FOLDER|NAME.gguf\n");
        return 2;
    }
    mdm_catch_signals();
    mdm_options_get(&json, arguments->options, "json");
    bool silent = json[0] == 't';
    mdm_options_get(&output, arguments->options, "output");
    silent = silent || output[0];
    printing p = {silent, arguments->word_count > 1};
    mdm_status status =
        mdm_caption_clips(arguments->options, arguments->words, (size_t)arguments->word_count, print, &p);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
