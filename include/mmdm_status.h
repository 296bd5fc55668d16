/* Status codes of libmmdm. */
#ifndef MMDM_STATUS_H
#define MMDM_STATUS_H

typedef enum mdm_status {
    MDM_OK = 0,
    MDM_ERR_USAGE,     /* a wrong option or argument             -> exit 2  */
    MDM_ERR_INPUT,     /* a recording or artefact is bad         -> exit 65 */
    MDM_ERR_DEVICE,    /* a device, backend or model is missing  -> exit 69 */
    MDM_ERR_INTERNAL,  /* a bug, or a worker died                -> exit 70 */
    MDM_ERR_MEMORY,    /* out of memory or over a stated limit   -> exit 70 */
    MDM_ERR_WRITE,     /* cannot write (disk full, permission)   -> exit 73 */
    MDM_ERR_AGAIN,     /* locked or busy: try again              -> exit 75 */
    MDM_ERR_CONFIG,    /* a configuration or plan is wrong       -> exit 78 */
    MDM_ERR_CANCELLED, /* the user or a limit stopped the work   -> exit 75 */
} mdm_status;

#endif
