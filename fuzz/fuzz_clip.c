/* Fuzz target: clip.json of a work folder, as every stage after ingest reads it. */
#include "fuzz.h"

#include "media/clip_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_clip clip;
    fuzz_file(data, size, "clip.json");
    if (mdm_clip_read(&clip, fuzz_folder()) == MDM_OK) {
        (void)mdm_clip_length(&clip);
        mdm_clip_free(&clip);
    }
    return 0;
}
