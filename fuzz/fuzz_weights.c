/* Fuzz target: weights split over files. The input is an index and the file "1.safetensors" it names, a byte 0 between them. */
#include <string.h>

#include "fuzz.h"

#include "nn/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *file = memchr(data, 0, size);
    if (!file)
        return 0;
    mdm_weights *weights = NULL;
    (void)fuzz_file(file + 1, size - (size_t)(file + 1 - data), "1.safetensors");
    if (mdm_weights_open(&weights, fuzz_file(data, (size_t)(file - data), "x.safetensors.index.json")) != MDM_OK)
        return 0;
    (void)mdm_weights_take(weights, "a");
    (void)mdm_weights_has(weights, "c");
    (void)mdm_weights_all_taken(weights, "");
    mdm_weights_free(&weights);
    return 0;
}
