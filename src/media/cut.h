/* Where shots begin: frames that have little to do with the one before. Fed frame by frame, answers at once. */
#ifndef MDM_MEDIA_CUT_H
#define MDM_MEDIA_CUT_H

#include <stdbool.h>

#include "base/status.h"
#include "media/frame.h"

/* Zero-initialise; needs no freeing. */
typedef struct mdm_cut_detector {
    unsigned char before[64 * 36]; /* the frame before, shrunk */
    int histogram[32];
    float usual; /* how much frames of this shot differ, slowly averaged */
    int seen;    /* frames of this shot */
} mdm_cut_detector;

/* *cut is true when this frame opens a shot; the first frame does. A flash does not, where it is told apart. */
mdm_status mdm_cut_push(bool *cut, mdm_cut_detector *detector, mdm_frame *frame);

#endif
