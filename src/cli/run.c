/* mmdm run: from recordings to a dataset; with --print-graph, the graph of it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static int print_graph(const mdm_arguments *arguments, bool rendering)
{
    char *text;
    if (arguments->word_count != 1) {
        fprintf(stderr, "mmdm: --print-graph is for one recording\n");
        return 2;
    }
    const mdm_status status = mdm_graph_text(&text, arguments->options, arguments->words[0], rendering);
    if (status != MDM_OK)
        return mdm_cli_fail(status);
    puts(text);
    mdm_text_free(&text);
    return 0;
}

int mdm_cli_run(const mdm_arguments *arguments)
{
    mdm_outcome outcome;
    const char *graph;
    mdm_status status = mdm_options_get(&graph, arguments->options, "print-graph");
    if (status == MDM_OK && graph[0])
        return print_graph(arguments, strcmp(graph, "rendering") == 0);
    mdm_catch_signals();
    if (status == MDM_OK)
        status = mdm_run(&outcome, arguments->options, arguments->words, (size_t)arguments->word_count);
    return status == MDM_OK ? outcome.exit_code : mdm_cli_fail(status);
}
