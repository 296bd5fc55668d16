/* The commands of mmdm, one file each. They use nothing but mmdm.h. */
#ifndef MDM_CLI_CLI_H
#define MDM_CLI_CLI_H

#include "mmdm.h"

/* A parsed command line. */
typedef struct mdm_arguments {
    const char *command;
    mdm_options *options;
    const char **words; /* what is not an option */
    int word_count;
} mdm_arguments;

/* Each returns the exit code. */
int mdm_cli_run(const mdm_arguments *arguments);
int mdm_cli_analyze(const mdm_arguments *arguments);
int mdm_cli_apply(const mdm_arguments *arguments);
int mdm_cli_stage(const mdm_arguments *arguments); /* ingest, find, ... verify */
int mdm_cli_graph(const mdm_arguments *arguments);
int mdm_cli_plan(const mdm_arguments *arguments);
int mdm_cli_merge(const mdm_arguments *arguments);
int mdm_cli_submit(const mdm_arguments *arguments);
int mdm_cli_worker(const mdm_arguments *arguments);
int mdm_cli_pack(const mdm_arguments *arguments);
int mdm_cli_audit(const mdm_arguments *arguments);
int mdm_cli_export(const mdm_arguments *arguments);
int mdm_cli_look(const mdm_arguments *arguments);
int mdm_cli_serve(const mdm_arguments *arguments);
int mdm_cli_doctor(const mdm_arguments *arguments);
int mdm_cli_models(const mdm_arguments *arguments);
int mdm_cli_help(const mdm_arguments *arguments);

/* mmdm portrait --backend NAME ..., which has options of mdm_options_new_drawing, and mmdm animate --backend NAME ..., of
 * mdm_options_new_talking: whether the words name a backend, and the commands. */
bool mdm_cli_names_backend(int argc, char *const *argv);
int mdm_cli_draw(const mdm_arguments *arguments);
int mdm_cli_talk(const mdm_arguments *arguments);

/* mmdm caption CLIP..., which has options of mdm_options_new_captions. */
int mdm_cli_caption(const mdm_arguments *arguments);

/* Prints the last error the way every command does, and gives its exit code. */
int mdm_cli_fail(mdm_status status);

/* The whole program: what main() calls. */
int mdm_cli_main(int argc, char **argv);

#endif
