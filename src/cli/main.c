/* The program mmdm. Starts itself once more with OpenMP's waiting threads told to sleep: on a machine that does anything else
 * beside, ggml's threads otherwise spin at every operation and a portrait takes four times as long. The runtime reads the
 * setting before main, so that it cannot be made from here. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (!getenv("OMP_WAIT_POLICY") && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv("/proc/self/exe", argv); /* comes back only where there is no /proc: then it just goes on */
    return mdm_cli_main(argc, argv);
}
