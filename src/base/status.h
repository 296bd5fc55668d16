/* Status codes and the per-thread message that explains the last failure. */
#ifndef MDM_BASE_STATUS_H
#define MDM_BASE_STATUS_H

#include "mmdm_status.h"

#if defined(__GNUC__)
#define MDM_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#else
#define MDM_PRINTF(fmt_index, first)
#endif

/* Stores a message for this thread and returns `status`, so that callers write
 * `return mdm_fail(MDM_ERR_INPUT, "%s: width %d, expected 1..16384", path, w);`
 * The message names the file, the value, what was expected and what to do. */
mdm_status mdm_fail(mdm_status status, const char *format, ...) MDM_PRINTF(2, 3);

/* Puts "prefix: " in front of this thread's message; returns `status`. */
mdm_status mdm_fail_context(mdm_status status, const char *format, ...) MDM_PRINTF(2, 3);

/* This thread's last message, "" when there is none. Valid until the next mdm_fail. */
const char *mdm_error_message(void);

/* The process exit code for a status (table in the comments above). */
int mdm_exit_code(mdm_status status);

/* Short name for logs and JSON events: "input", "write", ... */
const char *mdm_status_name(mdm_status status);

/* Returns early with the status of `expr` unless it is MDM_OK. */
#define MDM_TRY(expr)                                                                                                  \
    do {                                                                                                               \
        mdm_status mdm_try_status = (expr);                                                                            \
        if (mdm_try_status != MDM_OK)                                                                                  \
            return mdm_try_status;                                                                                     \
    } while (0)

#endif
