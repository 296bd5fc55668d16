/* Fuzz target: motion-edit.json, which a person draws on the local page. */
#include "fuzz.h"

#include <stdlib.h>

#include "face/motion_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_motion motion = {.count = 0};
    mdm_motions motions = {&motion, 1};
    fuzz_file(data, size, MDM_MOTION_EDIT);
    if (mdm_motion_alloc(&motion, 5) == MDM_OK && mdm_motion_edit_apply(&motions, fuzz_folder()) == MDM_OK)
        for (int i = 0; i < 5; i++)
            if (!(motion.eyes[i][0] >= 0))
                abort();
    mdm_motion_free(&motion);
    return 0;
}
