/* Names of tensors in Stable Diffusion's original checkpoints (one file, the naming of Rombach et al.'s code and of OpenCLIP) in
 * diffusers' and transformers' naming, which our networks use. */
#ifndef MDM_MODELS_CHECKPOINT_NAMES_H
#define MDM_MODELS_CHECKPOINT_NAMES_H

#include "models/unet.h"
#include "models/vae.h"
#include "nn/weights.h"

/* Which network's tensors are wanted of a file. */
typedef enum mdm_checkpoint_part {
    MDM_CHECKPOINT_UNET,
    MDM_CHECKPOINT_VAE,
    MDM_CHECKPOINT_TEXT,       /* CLIP-L of SD 1.5 and SDXL */
    MDM_CHECKPOINT_TEXT_LARGE, /* bigG of SDXL and the refiner */
} mdm_checkpoint_part;

/* Opens the tensors of one network of a file, whatever naming it has: of the network alone (any of diffusers' own, or the original
 * with or without its prefix), or of a whole checkpoint. `levels` and `residuals`: of U-net or autoencoder, for counting blocks; 0
 * for text encoders. Tensors of other networks are left out; those that this network does not know keep their names. */
mdm_status mdm_checkpoint_open(mdm_weights **out, const char *path, mdm_checkpoint_part part, int levels,
                               int residuals);

/* The name in diffusers' naming of a tensor of an original U-net or autoencoder, without the prefix of its network. Returns false
 * when it has none. */
#define MDM_CHECKPOINT_NAME 256
bool mdm_checkpoint_unet_name(char out[MDM_CHECKPOINT_NAME], const char *original, int levels, int residuals);
bool mdm_checkpoint_vae_name(char out[MDM_CHECKPOINT_NAME], const char *original, int levels);

#endif
