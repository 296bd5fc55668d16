/* The command with stand-in stages (doubles.h), for tests of the engines that start it on many machines: the recordings are small text
 * files, everything else is what users run. MMDM_DOUBLE_MS is how long a stage takes. */
#define _GNU_SOURCE
#include "pipeline/doubles.h"

#include "cli/cli.h"

int main(int argc, char **argv)
{
    const char *milliseconds = getenv("MMDM_DOUBLE_MS");
    double_delay_us = milliseconds ? (int)strtol(milliseconds, NULL, 10) * 1000 : 0;
    return mdm_cli_main(argc, argv);
}
