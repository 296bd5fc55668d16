/* mmdm worker --stdio: does the clips whose ids come on standard input, a line each, and answers each with a line of JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static bool next_line(void *user, char id[24])
{
    (void)user;
    if (!fgets(id, 24, stdin))
        return false;
    size_t length = strcspn(id, "\n");
    for (int c = id[length]; c != '\n' && c != EOF;) /* too long for an id: an unknown one */
        c = getchar();
    id[length] = '\0';
    return true;
}

/* The id is one that was read: it may hold anything. Quotes and the like are left out. */
static void answer(void *user, const char *id, mdm_status status, const char *message)
{
    (void)user;
    fputs("{\"clip\":\"", stdout);
    for (; *id; id++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *id))
            putchar(*id);
    printf("\",\"state\":\"%s\",\"code\":%d}\n", status == MDM_OK ? "done" : "failed", mdm_exit_code(status));
    fflush(stdout);
    if (status != MDM_OK)
        fprintf(stderr, "mmdm: %s\n", message);
}

int mdm_cli_worker(const mdm_arguments *arguments)
{
    const char *stdio;
    mdm_status status = mdm_options_get(&stdio, arguments->options, "stdio");
    if (status == MDM_OK && (arguments->word_count || strcmp(stdio, "true") != 0)) {
        fprintf(stderr, "mmdm: usage: mmdm worker --stdio -o OUT   (ids of clips on standard input, a line each)\n");
        return 2;
    }
    mdm_catch_signals();
    if (status == MDM_OK)
        status = mdm_work(arguments->options, next_line, answer, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
