/* How much memory a process may still take, so that what cannot fit is said before it is loaded. */
#ifndef MDM_BASE_MEMORY_ROOM_H
#define MDM_BASE_MEMORY_ROOM_H

#include <stddef.h>

#include "base/status.h"

/* Bytes: the least of what the machine has available, what its container leaves and what is left of this process's limit (ulimit -d, a
 * worker's --memory). SIZE_MAX where the system says none of them. */
size_t mdm_memory_room(void);

/* MDM_ERR_MEMORY where `bytes` more do not fit: "WHAT needs at least 3.9 GB of memory, 2.1 GB are free; ADVICE". */
mdm_status mdm_memory_fits(size_t bytes, const char *what, const char *advice);

#endif
