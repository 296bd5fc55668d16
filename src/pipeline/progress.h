/* What the user sees while a job runs: one status line with time left on a terminal, JSON events with --json. */
#ifndef MDM_PIPELINE_PROGRESS_H
#define MDM_PIPELINE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct mdm_display mdm_display;

/* `total` is the sum of the weights of everything that is to be done. */
mdm_status mdm_display_new(mdm_display **out, double total, bool quiet);
void mdm_display_free(mdm_display **display); /* clears the line */

/* More (or, negative, less) to do than thought. */
void mdm_display_add_total(mdm_display *display, double weight);

/* A stage of a clip started, went on (fraction of it done) or ended ("done", "failed"). */
void mdm_display_started(mdm_display *display, const char *clip, const char *stage, double weight);
void mdm_display_moved(mdm_display *display, const char *clip, const char *stage, double weight, double fraction);
void mdm_display_ended(mdm_display *display, const char *clip, const char *stage, double weight, const char *state);

/* Draws the line again when it is time to; called often. */
void mdm_display_draw(mdm_display *display);

#endif
