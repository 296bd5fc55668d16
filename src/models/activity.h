/* Where in a stretch of sound something is heard, by its loudness alone, and where it can be cut. */
#ifndef MDM_MODELS_ACTIVITY_H
#define MDM_MODELS_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Root mean square. */
float mdm_loudness(const float *samples, size_t count);

/* A sample in the middle of the quietest 200 ms of the last `search` samples; `count` where there are fewer than 200 ms. 16 kHz. */
size_t mdm_quiet_moment(const float *samples, size_t count, size_t search);

/* Marks the 10 ms frames in which something sounds: twice as loud as the quieter tenth of the stretch (its noise), and at least a fiftieth, at
 * most a tenth of the loudest. sounds has room for count / 160. */
mdm_status mdm_find_sound(bool *sounds, const float *samples, size_t frames);

#endif
