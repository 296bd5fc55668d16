/* The table of commands, for help and for finding one. */
#ifndef MDM_CLI_TABLE_H
#define MDM_CLI_TABLE_H

#include "cli/cli.h"

typedef struct mdm_command {
    const char *name, *words, *help;
    int (*run)(const mdm_arguments *arguments);
} mdm_command;

const mdm_command *mdm_commands(int *count);

#endif
