/* The program mmdm. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return mdm_cli_main(argc, argv);
}
