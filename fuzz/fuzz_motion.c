/* Fuzz target: motion.json and motion.safetensors of a work folder: the JSON up to the first NUL byte, the arrays after it. */
#include "fuzz.h"
#include <string.h>

#include "face/motion_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t json = end ? (size_t)(end - data) : size;
    mdm_motions motions = {0};
    fuzz_file(end ? end + 1 : data, end ? size - json - 1 : 0, "motion.safetensors");
    fuzz_file(data, json, "motion.json");
    if (mdm_motions_read(&motions, fuzz_folder()) == MDM_OK)
        mdm_motions_free(&motions);
    return 0;
}
