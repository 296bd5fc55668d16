/* Fuzz target: PNG and JPEG pictures, as portraits and stills are read. */
#include "fuzz.h"

#include "media/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_image image;
    if (mdm_image_read(&image, fuzz_file(data, size, "picture"), size & 1 ? 1 : 3) == MDM_OK)
        mdm_image_free(&image);
    return 0;
}
