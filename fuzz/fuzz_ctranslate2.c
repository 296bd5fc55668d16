/* Fuzz target: CTranslate2 model files. */
#include "fuzz.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(fuzz_file(data, size, "model.bin"));
    return 0;
}
