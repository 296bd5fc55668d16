/* Fuzz target: labels that people already have: OpenLABEL, VCD, COCO, Label Studio. */
#include "fuzz.h"

#include "dataset/carried.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const mdm_carried_clip clip = {"clip-0001", 12, 96, 64};
    const mdm_face_labels none = {0};
    json_t *items = json_array(), *out, *changes;
    if (mdm_carried_read(items, fuzz_file(data, size, "labels.json"), &clip) == MDM_OK &&
        mdm_carried_remeasure(&out, &changes, items, &none, true) == MDM_OK) {
        json_decref(out);
        json_decref(changes);
    }
    json_decref(items);
    return 0;
}
