/* Fuzz target: the manifest of a shared job and the record of a claim, which other machines wrote. */
#include "fuzz.h"
#include <jansson.h>

#include "base/memory.h"
#include "pipeline/claim.h"
#include "pipeline/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double *weights;
    size_t count;
    json_t *record;
    (void)fuzz_file(data, size, "unit.done");
    (void)mdm_claim_record(&record, fuzz_folder(), "unit");
    json_decref(record);
    if (mdm_manifest_weights(&weights, &count, fuzz_file(data, size, "manifest.jsonl")) == MDM_OK)
        mdm_free(&weights);
    return 0;
}
