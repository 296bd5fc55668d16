/* mmdm models list|verify|pull [NAME]|convert: the downloadable models. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void say(void *user, const mdm_model_info *model, const char *problem)
{
    (void)user;
    printf("%-8s %6.1f MB  %-44s %-22s %s\n", problem ? "-" : "ok", (double)model->bytes / 1e6, model->file,
           model->needed_by, model->licence);
    if (problem && strcmp(problem, "not there") != 0)
        printf("%-8s %s\n", "", problem);
}

static void say_drawing(void *user, const mdm_drawing_info *info)
{
    (void)user;
    printf("%-8s %6.0f MB  %-44s %-22s %s\n", info->present ? "ok" : "-", info->gigabytes * 1e3, info->name, info->what,
           info->licence);
    printf("%-8s            %s%s%s\n", "", info->base, info->unet ? " + " : "", info->unet ? info->unet : "");
}

static void say_bytes(void *user, double done, double total)
{
    int *percent = user, now = total > 0 ? (int)(100 * done / total) : 100;
    if (now != *percent)
        fprintf(stderr, "\r%3d %% of %.1f MB", now, total / 1e6);
    *percent = now;
}

static int pull_drawing(const char *name)
{
    int percent = -1;
    mdm_status status = mdm_drawing_pull(name, say_bytes, &percent);
    if (percent >= 0)
        fputc('\n', stderr);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}

int mdm_cli_models(const mdm_arguments *arguments)
{
    static const struct {
        const char *name;
        mdm_status (*work)(const mdm_options *options, mdm_model_fn tell, void *user);
    } actions[] = {{"list", mdm_models_list}, {"verify", mdm_models_verify}, {"pull", mdm_models_pull}};
    const char *wanted = arguments->word_count == 1 ? arguments->words[0] : "";
    if (arguments->word_count == 2 && strcmp(arguments->words[0], "pull") == 0)
        return pull_drawing(arguments->words[1]);
    if (arguments->word_count == 4 && strcmp(arguments->words[0], "convert") == 0) {
        mdm_status status = mdm_models_convert(arguments->words[2], arguments->words[1], arguments->words[3]);
        return status == MDM_OK ? 0 : mdm_cli_fail(status);
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, wanted) != 0)
            continue;
        mdm_status status = actions[i].work(arguments->options, say, NULL);
        if (status == MDM_OK && i == 0) /* the user's own, which mmdm run does not need */
            mdm_drawing_list(say_drawing, NULL);
        return status == MDM_OK ? 0 : mdm_cli_fail(status);
    }
    fprintf(stderr, "mmdm: usage: mmdm models list|verify|pull, or mmdm models pull NAME for one that `list` names,\n"
                    "       or mmdm models convert WEIGHTS TO.gguf f32|f16|q8_0|q4_0, or for a Whisper\n"
                    "       mmdm models convert WHISPER TO.bin f32|f16|q8_0|q5_1|q5_0|q4_1|q4_0,\n"
                    "       or for a PLLaVA: mmdm models convert FOLDER TO.gguf f32|f16|q8_0|q4_K|q4_0\n");
    return 2;
}
