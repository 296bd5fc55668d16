/* Fuzz target: PyTorch's checkpoints (ZIP files with a pickle in them). */
#include "fuzz.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(fuzz_file(data, size, "x.bin"));
    return 0;
}
