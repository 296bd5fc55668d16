/* Sound as a FLAC file in memory: what is sent to a service that listens elsewhere. */
#ifndef MDM_MEDIA_FLAC_H
#define MDM_MEDIA_FLAC_H

#include "base/memory.h"

/* Appends a whole FLAC file of mono samples (16 bits, clipped to -1..1) to `out`: no tags, no name of the program, the same bytes for the
 * same samples. */
mdm_status mdm_flac_encode(mdm_buffer *out, const float *samples, size_t count, int rate);

#endif
