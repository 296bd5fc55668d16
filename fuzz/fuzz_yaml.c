/* Fuzz target: YAML configuration. */
#include "base/options.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    (void)mdm_settings_load_text(&settings, data, size, "x.yaml");
    return 0;
}
