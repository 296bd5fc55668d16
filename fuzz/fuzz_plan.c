/* Fuzz target: plans that a person may have edited: the JSON, what its fields mean, and what a clip and a retry take from it. */
#include "fuzz.h"
#include <jansson.h>

#include "base/options.h"
#include "stages/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int tracks[] = {0, 1};
    json_t *plan = NULL, *part = NULL;
    mdm_settings settings;
    if (mdm_plan_load(&plan, fuzz_file(data, size, "plan.json")) != MDM_OK)
        return 0;
    mdm_settings_defaults(&settings);
    (void)mdm_plan_settings(&settings, plan);
    (void)mdm_plan_for_clip(&part, plan, "clip0001", tracks, 2);
    json_t *stretches = json_pack("[[i, i]]", 3, 7);
    (void)mdm_plan_retry(plan, "p1", "clip0001", 3, stretches, 100);
    (void)mdm_plan_retry(plan, "p1", "clip0001", 3, NULL, 0);
    json_decref(stretches);
    json_decref(part);
    json_decref(plan);
    return 0;
}
