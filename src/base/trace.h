/* What ran when: a file of Chrome's trace format, which Perfetto and chrome://tracing open. Worker processes write to the one their
 * parent opened. */
#ifndef MDM_BASE_TRACE_H
#define MDM_BASE_TRACE_H

#include <stdbool.h>

#include "base/status.h"

/* Before any worker is started. The file appears under its name at mdm_trace_close. */
mdm_status mdm_trace_open(const char *path);
bool mdm_trace_is_on(void);

/* From and to: of mdm_now. `waiting`: packets in the queue; -1: it has none. Does nothing where no trace is open. */
void mdm_trace_span(const char *name, double from, double to, int waiting);

mdm_status mdm_trace_close(void);
void mdm_trace_discard(void); /* nothing is left where it was not closed */

#endif
