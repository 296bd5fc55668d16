/* From argv to a command: the table of commands, the parsing they share, and errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

static const mdm_command table[] = {
    {"run", "INPUT... -o OUT", "From recordings to a dataset: everything below, in order.", mdm_cli_run},
    {"analyze", "INPUT... -o OUT", "Up to the plan, OUT/private/plan.json, which you may then edit.", mdm_cli_analyze},
    {"apply", "-o OUT", "On from the plan to the dataset.", mdm_cli_apply},
    {"ingest", "FOLDER RECORDING", "One stage alone, on a clip's work folder: opens the recording.", mdm_cli_stage},
    {"find", "FOLDER", "Faces, plates and text.", mdm_cli_stage},
    {"describe", "FOLDER", "Age, gender, race, expression, glasses; a caption.", mdm_cli_stage},
    {"transcribe", "FOLDER", "Words, and the personal data in them.", mdm_cli_stage},
    {"plan", "PLAN.json | -o OUT", "Checks an edited plan; with -o, plans INPUT... for many machines.", mdm_cli_plan},
    {"portrait", "FOLDER", "The stand-ins' pictures; with --backend, one from words.", mdm_cli_stage},
    {"animate", "FOLDER", "Their motion; with --backend, a talking portrait.", mdm_cli_stage},
    {"compose", "FOLDER", "The new recording.", mdm_cli_stage},
    {"verify", "FOLDER", "Evidence, by networks that took no part in the making.", mdm_cli_stage},
    {"pack", "-o OUT", "The dataset again, from verified clips (needs --keep-work before).", mdm_cli_pack},
    {"merge", "-o OUT", "What many machines made becomes the dataset.", mdm_cli_merge},
    {"submit", "slurm|k8s|ray -o OUT", "What an engine needs to share a planned job (--print).", mdm_cli_submit},
    {"worker", "--stdio -o OUT", "Clips of a planned job, one a line, as an engine hands them out.", mdm_cli_worker},
    {"graph", "run GRAPH.json", "A graph of nodes, as a file of BMF's kind (docs/graphs.md).", mdm_cli_graph},
    {"audit", "OUT", "A finished dataset measured again, without the recordings.", mdm_cli_audit},
    {"export", "OUT --format LIST -o FOLDER", "A finished dataset in the formats of other tools.", mdm_cli_export},
    {"caption", "CLIP...", "What happens in a clip, in words (docs/captions.md).", mdm_cli_caption},
    {"serve", "[-o FOLDER]", "The local page: all of it in a browser, without commands.", mdm_cli_serve},
    {"look", "RECORDING [PICTURE]", "What a recording is, and a picture of it.", mdm_cli_look},
    {"doctor", "", "What is installed, what can run, and how to get the rest.", mdm_cli_doctor},
    {"models", "list|verify|pull|convert", "Downloadable models; pull NAME gets one of yours.", mdm_cli_models},
    {"options", "[--markdown]", "Every option, with values and defaults.", mdm_cli_help},
    {"version", "", "The version.", mdm_cli_help},
    {"help", "[COMMAND]", "This, or a command's options.", mdm_cli_help},
};

const mdm_command *mdm_commands(int *count)
{
    *count = (int)(sizeof table / sizeof table[0]);
    return table;
}

int mdm_cli_fail(mdm_status status)
{
    fprintf(stderr, "mmdm: %s\n", mdm_last_error());
    return mdm_exit_code(status);
}

static const mdm_command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* The command whose name has most letters in common at its start, for typing errors. */
static int unknown_command(const char *name)
{
    const char *best = NULL;
    size_t best_score = 1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t score = 0;
        while (name[score] && name[score] == table[i].name[score])
            score++;
        if (score > best_score) {
            best_score = score;
            best = table[i].name;
        }
    }
    fprintf(stderr, "mmdm: unknown command '%s'%s%s%s; `mmdm help` lists them\n", name, best ? ": did you mean '" : "",
            best ? best : "", best ? "'?" : "");
    return 2;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return false;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int dispatch(const mdm_command *command, mdm_arguments *arguments, int argc, char **argv)
{
    /* `options --markdown` and help take their words as they are. */
    if (command->run == mdm_cli_help) {
        for (int i = 0; i < argc; i++)
            arguments->words[arguments->word_count++] = argv[i];
        return mdm_cli_help(arguments);
    }
    mdm_status (*new_options)(mdm_options * *out) = mdm_options_new;
    int (*run)(const mdm_arguments *arguments) = command->run;
    const bool backend = mdm_cli_names_backend(argc, argv);
    if (backend && strcmp(command->name, "portrait") == 0)
        new_options = mdm_options_new_drawing, run = mdm_cli_draw;
    else if (backend && strcmp(command->name, "animate") == 0)
        new_options = mdm_options_new_talking, run = mdm_cli_talk;
    else if (run == mdm_cli_export)
        new_options = mdm_options_new_exporting;
    else if (command->run == mdm_cli_caption)
        new_options = mdm_options_new_captions;
    else if (run == mdm_cli_serve)
        new_options = mdm_options_new_serving;
    mdm_status status = new_options(&arguments->options);
    if (status == MDM_OK)
        status = mdm_options_parse(arguments->options, arguments->words, &arguments->word_count, argc, argv);
    int code = status ? mdm_cli_fail(status) : run(arguments);
    mdm_options_free(&arguments->options);
    return code;
}

int mdm_cli_main(int argc, char **argv)
{
    mdm_arguments arguments = {0};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        arguments.command = "help";
        mdm_cli_help(&arguments);
        return argc < 2 ? 2 : 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const mdm_command *command = find_command(name);
    if (!command)
        return unknown_command(name);
    arguments.words = calloc((size_t)argc, sizeof *arguments.words);
    if (!arguments.words)
        return 70;
    int code;
    if (command->run != mdm_cli_help && asks_for_help(argc - 2, argv + 2)) {
        arguments.command = "help";
        arguments.words[arguments.word_count++] = command->name;
        code = mdm_cli_help(&arguments);
    } else {
        arguments.command = command->name;
        code = dispatch(command, &arguments, argc - 2, argv + 2);
    }
    free(arguments.words);
    return code;
}
