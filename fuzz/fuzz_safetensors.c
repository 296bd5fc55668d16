/* Fuzz target: safetensors files. */
#include "fuzz.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(fuzz_file(data, size, "x.safetensors"));
    return 0;
}
