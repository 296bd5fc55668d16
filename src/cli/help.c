/* mmdm help, options and version. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

static int print_text(mdm_status status, char *text)
{
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    fputs(text, stdout);
    mdm_text_free(&text);
    return 0;
}

static int print_options(mdm_status (*new_options)(mdm_options **out))
{
    mdm_options *options = NULL;
    char *text = NULL;
    mdm_status status = new_options(&options);
    if (status == MDM_OK)
        status = mdm_options_help_text(&text, options);
    mdm_options_free(&options);
    return print_text(status, text);
}

static int print_markdown(void)
{
    char *text = NULL;
    mdm_status status = mdm_options_markdown_text(&text);
    return print_text(status, text);
}

static int print_command(const mdm_command *command)
{
    printf("mmdm %s %s\n%s\n", command->name, command->words, command->help);
    int code = command->run == mdm_cli_help      ? 0
               : command->run == mdm_cli_export  ? print_options(mdm_options_new_exporting)
               : command->run == mdm_cli_caption ? print_options(mdm_options_new_captions)
               : command->run == mdm_cli_serve   ? print_options(mdm_options_new_serving)
                                                 : print_options(mdm_options_new);
    if (code == 0 && strcmp(command->name, "portrait") == 0) {
        puts("\n\nmmdm portrait --backend NAME --describe TEXT | --plan PLAN.json -o PICTURE.png");
        return print_options(mdm_options_new_drawing);
    }
    if (code == 0 && strcmp(command->name, "animate") == 0) {
        puts("\n\nmmdm animate --backend NAME --portrait PICTURE --audio FILE [--motion PATH] -o VIDEO.mp4");
        return print_options(mdm_options_new_talking);
    }
    return code;
}

int mdm_cli_help(const mdm_arguments *arguments)
{
    int count;
    const mdm_command *table = mdm_commands(&count);
    const char *word = arguments->word_count ? arguments->words[0] : "";
    if (strcmp(arguments->command, "version") == 0) {
        printf("mmdm %s\n", mdm_version());
        return 0;
    }
    if (strcmp(arguments->command, "options") == 0)
        return strcmp(word, "--markdown") == 0 ? print_markdown() : print_options(mdm_options_new);
    for (int i = 0; i < count && *word; i++)
        if (strcmp(table[i].name, word) == 0)
            return print_command(&table[i]);
    if (*word) {
        fprintf(stderr, "mmdm: there is no command '%s'\n", word);
        return 2;
    }
    puts("mmdm: recordings of people in, a verified synthetic dataset out.\n\n"
         "  mmdm run drive.mp4 -o out --keep gaze,head_pose,eyes,mouth\n\n"
         "makes out/dataset (to share) and out/private (not to share). Nothing about a person is kept unless --keep "
         "says so.\n");
    for (int i = 0; i < count; i++)
        printf("  %-10s %-18s %s\n", table[i].name, table[i].words, table[i].help);
    puts("\nmmdm COMMAND --help lists the options.\n"
         "Exit codes: 0 done, 2 usage, 3 some clips held back, 65 bad input, 69 something missing, 70 internal,\n"
         "73 cannot write, 75 busy or stopped: try again, 78 configuration or plan.");
    return 0;
}
