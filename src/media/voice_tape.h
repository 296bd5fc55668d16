/* Inside of voice.c: a growing strip of samples known by absolute position, and resampling between rates. */
#ifndef MDM_MEDIA_VOICE_TAPE_H
#define MDM_MEDIA_VOICE_TAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mdm_tape {
    float *data;
    size_t room;
    int64_t first, end; /* positions held: [first, end) */
} mdm_tape;

mdm_status mdm_tape_push(mdm_tape *tape, const float *samples, size_t count); /* samples NULL: zeros */
void mdm_tape_drop(mdm_tape *tape, int64_t before);                           /* forgets positions under `before` */
void mdm_tape_free(mdm_tape *tape);                                           /* wiped: it held a voice */
float mdm_tape_at(const mdm_tape *tape, int64_t at);                          /* 0 outside */

/* Band-limited value of the tape at a fractional position; `cutoff` 0..1 of the tape's own band. Looks MDM_SINC_HALF / cutoff
 * samples to both sides. */
enum { MDM_SINC_HALF = 16 };
float mdm_tape_sinc(const mdm_tape *tape, double at, double cutoff);

#endif
