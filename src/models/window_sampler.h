/* A clip of any length drawn by a network that sees a window of frames: windows overlap, what they predict for a frame is averaged, and
 * after every step they begin elsewhere, so that no seam stays where it is. A frame is taken over its step as soon as no window of the step is to see it any more: beside the
 * latents themselves only what is between two windows is in memory, and a run that is kept in a folder can be stopped after any window. */
#ifndef MDM_MODELS_WINDOW_SAMPLER_H
#define MDM_MODELS_WINDOW_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

#define MDM_WINDOW_MAX 32 /* frames */

typedef struct mdm_windows {
    int frames;        /* of the clip */
    int size, overlap; /* of a window, and what it shares with the next one; a clip that is no longer is one window */
    int shift;         /* frames that windows move on by, from step to step */
    bool
        open; /* no window goes on from the clip's end to its beginning; else the clip is a loop, as EchoMimic's authors have it */
} mdm_windows;

int mdm_windows_count(const mdm_windows *windows, int step);
/* The frames of window i of a step, in the window's order; returns how many. */
int mdm_window_frames(int frames[MDM_WINDOW_MAX], const mdm_windows *windows, int step, int i);

typedef struct mdm_window_sampler mdm_window_sampler;

typedef struct mdm_window_options {
    mdm_windows windows;
    int steps;
    size_t values;      /* of a frame's latent */
    const char *folder; /* where the run is kept; NULL: in memory alone */
    const char *
        job; /* names everything that the result depends on: a run kept in `folder` for another one is not gone on with */
} mdm_window_options;

mdm_status mdm_window_sampler_new(mdm_window_sampler **out, const mdm_window_options *options);
void mdm_window_sampler_free(mdm_window_sampler **sampler); /* what is in the folder stays */

/* [frames][values]: noise, which the caller puts there where the run is not gone on with; after the run the finished latents. */
float *mdm_window_sampler_latents(mdm_window_sampler *sampler);
bool mdm_window_sampler_goes_on(const mdm_window_sampler *sampler);

/* The network: the velocity [count][values] of a window's latents [count][values] at `time` (0..999) of step `step`. */
typedef mdm_status (*mdm_predict_window)(void *user, float *velocity, const float *latents, int time, const int *frames,
                                         int count);

/* Runs all steps, or those that are left. `progress` counts windows of all steps and may cancel (MDM_ERR_CANCELLED). */
mdm_status mdm_window_sampler_run(mdm_window_sampler *sampler, mdm_predict_window predict, void *user,
                                  const mdm_progress *progress);

#endif
