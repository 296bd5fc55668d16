/* Fuzz target: the config.json of video models. */
#include "fuzz.h"

#include "models/pllava_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_pllava_sizes sizes;
    fuzz_file(data, size, "config.json");
    (void)mdm_pllava_config_read(&sizes, fuzz_folder());
    return 0;
}
