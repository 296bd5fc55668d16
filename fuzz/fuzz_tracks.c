/* Fuzz target: tracks.json and geometry.safetensors of a work folder: the JSON up to the first NUL byte, the arrays after it. */
#include "fuzz.h"
#include <string.h>

#include "face/track_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t json = end ? (size_t)(end - data) : size;
    mdm_found found = {0};
    fuzz_file(end ? end + 1 : data, end ? size - json - 1 : 0, "geometry.safetensors");
    fuzz_file(data, json, "tracks.json");
    if (mdm_found_read(&found, fuzz_folder()) == MDM_OK)
        mdm_found_free(&found);
    return 0;
}
