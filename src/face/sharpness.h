/* The recording's sharpness and grain, found by trial on rendered frames. Step 13 of standins.md 2.1. */
#ifndef MDM_FACE_SHARPNESS_H
#define MDM_FACE_SHARPNESS_H

#include "face/closed_loop.h"
#include "face/standin_render.h"

#define MDM_BLUR_TRIALS 8

/* Sums over probe frames; zero-initialise. */
typedef struct mdm_sharpness {
    int frames;
    double source[2], trial[MDM_BLUR_TRIALS][2]; /* grain and fine-band energy */
} mdm_sharpness;

/* Compares the recording with what was drawn over it (both RGB, the same frame) where `alpha` over `rect` is nearly 1. */
mdm_status mdm_sharpness_add(mdm_sharpness *sums, const mdm_image *source, const mdm_image *drawn, const float *alpha,
                             const int rect[4]);
/* Both, over some of the probes: sets motion->look. */
mdm_status mdm_sharpness_fit(mdm_motion *motion, const mdm_standin *standin, const mdm_canonical *canonical,
                             const mdm_probe *probes, int count);
/* Sets look->blur, unsharp and grain; leaves them alone when no frame counted. */
void mdm_sharpness_choose(mdm_motion_look *look, const mdm_sharpness *sums);

#endif
