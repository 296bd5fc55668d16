/* Fuzz target: labels of faces, as JSON lines. */
#include "fuzz.h"

#include "dataset/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_face_labels labels;
    if (mdm_labels_read(&labels, fuzz_file(data, size, "labels.jsonl"), 100) == MDM_OK)
        mdm_labels_free(&labels);
    return 0;
}
