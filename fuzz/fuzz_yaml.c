/* Fuzz target: YAML configuration. */
#include "base/options.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_settings settings;
    for (int use = MDM_FOR_JOBS; use <= MDM_FOR_DRAWING; use++) {
        mdm_settings_defaults_for(&settings, (mdm_option_use)use);
        (void)mdm_settings_load_text(&settings, data, size, "x.yaml");
    }
    return 0;
}
