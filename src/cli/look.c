/* mmdm look: what a recording is, without working on it. */
#include <stdio.h>

#include "cli/cli.h"

int mdm_cli_look(const mdm_arguments *arguments)
{
    mdm_recording_info info;
    const char *json;
    if (arguments->word_count < 1 || arguments->word_count > 2) {
        fprintf(stderr, "mmdm: usage: mmdm look RECORDING [PICTURE.jpg]\n");
        return 2;
    }
    const char *picture = arguments->word_count > 1 ? arguments->words[1] : NULL;
    mdm_status status = mdm_look(&info, arguments->words[0], picture);
    if (status == MDM_OK)
        status = mdm_options_get(&json, arguments->options, "json");
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    const char *kind = info.still ? "picture" : "video";
    if (json[0] == 't')
        printf("{\"kind\": \"%s\", \"width\": %d, \"height\": %d, \"seconds\": %.3f, \"fps\": %.3f}\n", kind,
               info.width, info.height, info.seconds, info.fps);
    else
        printf("%s, %d x %d pixels, %.1f s, %.2f frames a second\n", kind, info.width, info.height, info.seconds,
               info.fps);
    return 0;
}
