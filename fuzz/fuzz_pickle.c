/* Fuzz target: pickles by themselves, which mutations inside of a ZIP file seldom reach. */
#include "fuzz.h"

#include "nn/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_pickle pickle;
    if (mdm_pickle_read(&pickle, data, size, "x") == MDM_OK)
        (void)mdm_pickle_item(&pickle, &pickle.value[pickle.root], 0);
    mdm_pickle_free(&pickle);
    return 0;
}
