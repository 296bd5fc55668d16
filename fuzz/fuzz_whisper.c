/* Fuzz target: whisper.cpp's model files. */
#include "fuzz.h"

#include "models/whisper_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_whisper_sizes sizes;
    (void)mdm_whisper_file_check(&sizes, fuzz_file(data, size, "whisper.bin"));
    return 0;
}
