/* Fuzz target: language models in GGUF, before libllama is given them. */
#include "fuzz.h"

#include "models/language_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes = 0;
    (void)mdm_language_file_check(&bytes, fuzz_file(data, size, "x.gguf"));
    return 0;
}
