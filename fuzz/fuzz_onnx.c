/* Fuzz target: ONNX files, as arrays and as a graph. */
#include "fuzz.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size, "x.onnx");
    fuzz_tensors(path);
    fuzz_graph(path);
    return 0;
}
