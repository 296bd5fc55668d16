/* Fuzz target: TFJS models: the JSON up to the first NUL byte, its shard x.bin after it. */
#include "fuzz.h"
#include <string.h>

#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t json = end ? (size_t)(end - data) : size;
    fuzz_file(end ? end + 1 : data, end ? size - json - 1 : 0, "x.bin");
    const char *path = fuzz_file(data, json, "x.json");
    fuzz_tensors(path);
    fuzz_graph(path);
    return 0;
}
