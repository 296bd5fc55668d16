/* Log lines on standard error, progress bars, and JSON events on standard output. */
#ifndef MDM_BASE_LOG_H
#define MDM_BASE_LOG_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

typedef enum mdm_log_level { MDM_LOG_ERROR, MDM_LOG_WARN, MDM_LOG_INFO, MDM_LOG_DEBUG } mdm_log_level;

void mdm_log_set(mdm_log_level level, bool json_events);
void mdm_log(mdm_log_level level, const char *format, ...) MDM_PRINTF(2, 3);

bool mdm_log_is_json(void);

/* Sends lines somewhere else than standard error (a worker's pipe, above a progress line); NULL restores it. */
typedef void (*mdm_log_sink)(void *user, mdm_log_level level, const char *text);
void mdm_log_to(mdm_log_sink sink, void *user);

/* Writes one JSON event line on standard output when --json was asked for; takes the reference either way. */
void mdm_event(json_t *event);

/* What a long piece of work reports to. done/total in any unit; called often, must be cheap.
 * Returning false asks the work to stop (MDM_ERR_CANCELLED). NULL callbacks are allowed everywhere. */
typedef struct mdm_progress {
    bool (*update)(void *user, double done, double total);
    void *user;
} mdm_progress;
bool mdm_progress_update(const mdm_progress *progress, double done, double total);

#endif
