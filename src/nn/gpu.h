/* The GPU of this process. ggml's CUDA backend is a plug-in beside its library (./setup cuda): the same program runs with and without. */
#ifndef MDM_NN_GPU_H
#define MDM_NN_GPU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* "cpu": nothing; "cuda": networks made by mdm_nn_new_large from now on run on the first NVIDIA card, MDM_ERR_DEVICE when there is
 * none; "auto", or "": the same where there is one. Call it before other threads make networks. */
mdm_status mdm_gpu_use(const char *device);
/* The card's name and memory where mdm_gpu_use("cuda") would work; otherwise what is missing, and false. */
bool mdm_gpu_describe(char *text, size_t size);
/* Whether mdm_gpu_use chose a card. */
bool mdm_gpu_used(void);
/* Bytes in use on the card that mdm_gpu_use chose, by anybody; 0 without one. */
size_t mdm_gpu_memory(void);

#endif
