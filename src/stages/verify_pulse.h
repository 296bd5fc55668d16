/* Does the blood's pulse of the recorded face show in the result? Skin colour changes with every heartbeat by less than a grey
 * level; POS (Wang, den Brinker, Stuijk, de Haan: Algorithmic principles of remote PPG, 2017) takes that apart from changes of
 * light. Compared are the two signals, not heart rates: whether the recording has a readable pulse at all is not judged. */
#ifndef MDM_STAGES_VERIFY_PULSE_H
#define MDM_STAGES_VERIFY_PULSE_H

#include "base/status.h"

/* Correlation of the pulse signals of recording and result over `count` frames in a row. rgb[i][side] is the mean colour of
 * the face; a frame with a negative value has none and splits the run. NAN below five seconds of signal. */
mdm_status mdm_pulse_correlation(double *out, const float (*rgb)[2][3], int count, double fps);

#endif
