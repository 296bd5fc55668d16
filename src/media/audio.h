/* The sound of a clip as f32 samples at any rate, in blocks, on the clip's own clock: sample 0 sounds at
 * mdm_audio_info.start seconds after the clip's first video frame. Gaps in the recording come out as silence and overlaps
 * are dropped, so that sample n always sounds at start + n / rate. */
#ifndef MDM_MEDIA_AUDIO_H
#define MDM_MEDIA_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mdm_audio_info {
    char codec[32];
    int source_rate, source_channels; /* as recorded */
    int rate, channels;               /* as delivered */
    double start;                     /* seconds after the clip's first frame; negative: before it */
    double duration;                  /* seconds as the container says; 0 unknown */
} mdm_audio_info;

typedef struct mdm_audio_options {
    int rate;        /* wanted; 0 = the recording's (or the nearest above it that AAC can carry) */
    int channels;    /* 1, 2; 0 = the recording's, at most 2 */
    double origin;   /* time of the clip's first video frame on the recording's own clock (seconds): pts * time base */
    double from, to; /* seconds after origin; only samples with from <= time < to are delivered. Both 0: all of it */
} mdm_audio_options;

typedef struct mdm_audio mdm_audio;

/* A recording without audio gives *out = NULL and MDM_OK. */
mdm_status mdm_audio_open(mdm_audio **out, const char *path, const mdm_audio_options *options);
void mdm_audio_free(mdm_audio **audio);

/* `start` is exact, as the first samples were decoded by mdm_audio_open. */
const mdm_audio_info *mdm_audio_describe(const mdm_audio *audio);

/* Up to `room` samples a channel, interleaved, into `samples`; *got is 0 only at the end. */
mdm_status mdm_audio_read(size_t *got, mdm_audio *audio, float *samples, size_t room);

/* All of it at once (transcription): *samples belongs to the caller (mdm_free). At most `max` samples a channel. */
mdm_status mdm_audio_read_all(float **samples, size_t *count, mdm_audio *audio, size_t max);

/* The smallest rate that AAC can carry and is not under `rate` (96000 at most). */
int mdm_aac_rate(int rate);

#endif
