/* Smoothing in time without lag. */
#ifndef MDM_FACE_SMOOTH_H
#define MDM_FACE_SMOOTH_H

#include "base/status.h"

/* Savitzky-Golay in place over `count` rows of `width` doubles: odd window of at most 15, polynomial of order 0..2; the ends
 * are taken from the polynomial of the first and last window. Fewer rows than the window are left alone. */
mdm_status mdm_savgol(double *rows, int count, int width, int window, int order);

/* Bilateral filter in time over meshes [count][points][3]: each point is averaged with its neighbours within 4 frames that
 * lie within about `sigma` of it (space) and 2 frames (time). Kills jitter, keeps a two-frame blink at full depth. */
mdm_status mdm_bilateral(float *shapes, int count, int points, float sigma);

#endif
