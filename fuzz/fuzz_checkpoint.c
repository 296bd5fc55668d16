/* Fuzz target: one-file checkpoints in the original naming, opened for each of their networks. */
#include "fuzz.h"

#include "models/checkpoint_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size, "x.safetensors");
    for (int part = MDM_CHECKPOINT_UNET; part <= MDM_CHECKPOINT_TEXT_LARGE; part++) {
        mdm_weights *weights = NULL;
        if (mdm_checkpoint_open(&weights, path, (mdm_checkpoint_part)part, 3, 2) != MDM_OK)
            continue;
        (void)mdm_weights_take(weights, "text_model.encoder.layers.0.self_attn.q_proj.weight");
        (void)mdm_weights_all_taken(weights, "");
        mdm_weights_free(&weights);
    }
    return 0;
}
