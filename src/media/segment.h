/* Cutting a long recording into clips: where its key frames allow it. Nothing is rewritten: a part is a pair of times that
 * the reader is opened with. */
#ifndef MDM_MEDIA_SEGMENT_H
#define MDM_MEDIA_SEGMENT_H

#include <stddef.h>

#include "base/status.h"

/* Times (seconds from the recording's first frame, rising, none at the very ends) at which to cut into parts of about
 * `seconds` each: every one is a key frame, the first at or after a multiple of `seconds`. A last part shorter than a
 * quarter of `seconds` stays with the one before. *count is 0 for a recording that is short enough. Caller: mdm_free. */
mdm_status mdm_segment_cuts(double **cuts, size_t *count, const char *path, double seconds);

#endif
