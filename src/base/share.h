/* A list of jobs done by two threads. The number is a constant: what comes out must not depend on the machine, and clips run
 * side by side. */
#ifndef MDM_BASE_SHARE_H
#define MDM_BASE_SHARE_H

#include "base/status.h"

#define MDM_SHARERS 2

/* Does job `item`, which writes to a place of its own; `sharer` (0 .. MDM_SHARERS - 1) tells which networks and buffers are this
 * thread's. */
typedef mdm_status (*mdm_share_job)(void *user, int item, int sharer);

/* Does jobs 0 .. items - 1, begun in that order, and returns when all are done. After a failure no more are begun; of several
 * the first in the list is returned, with its message. Where no thread can be started the caller's does them all. */
mdm_status mdm_share(int items, mdm_share_job job, void *user);

#endif
